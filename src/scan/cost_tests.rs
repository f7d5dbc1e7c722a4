//! What endpoints and slots take of memory.

use super::*;

/// Over real sockets, a refused endpoint costs the runtime's registration of its socket, and nothing else.
#[test]
fn a_refused_socket_costs_the_runtime_one_allocation_and_us_none() {
    let allocations = |words: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let scan = || {
            let mut builder = Targets::builder();
            builder.add(words).unwrap();
            let targets = builder.build(&Ports::parse("1=ftp").unwrap(), Family::Any).unwrap();
            let config = Config { concurrency: NonZeroUsize::new(32), ..Config::default() };
            Scan::builder().targets(targets).config(config).build().unwrap()
        };
        let count = |scan: Scan| runtime.block_on(async { scan.run().count().await });
        count(scan());
        let scan = scan();
        allocation_counter::measure(|| assert_eq!(count(scan), 0, "nothing listens on port 1")).count_total
    };
    let few = allocations("127.0.0.0/25");
    let many = allocations("127.0.0.0/20");
    // The runtime frees registrations sixteen at a time from a list that grows anew: an eighth of an allocation each.
    let runtimes_own = (4096 - 128) * 5 / 4;
    assert!(many - few < runtimes_own, "{few} for 128 endpoints, {many} for 4096");
}

/// What a slot is at takes its memory from the start, thousands of times. How it is laid out is the compiler's: 992 bytes by
/// Rust 1.95, 920 over the real network, and what another one may add is no defect.
#[test]
fn a_slot_is_small() {
    let (run, _) = Setting::default().run(&Scripted::default());
    let (rows, _) = mpsc::channel(1);
    let size = size_of_val(&Arc::new(run).slot(rows));
    assert!(size < 1024, "{size} bytes");
}

/// Memory of our own that one endpoint costs: none, where nothing answers. (Over the real network a deadline that passes
/// costs a few bytes.)
#[test]
fn refused_and_dark_endpoints_cost_no_allocation() {
    let allocations = |script: &Script, words: &str| {
        let network = Scripted::everywhere(script.clone());
        network.forget_dialled();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let count = || runtime.block_on(async { assert_eq!(scan(&network, words, 32).count().await, 0) });
        count();
        allocation_counter::measure(count).count_total
    };
    for connect in [Connect::Refused, Connect::Dark] {
        let script = answers(connect);
        let few = allocations(&script, "10.0.0.0/25");
        let many = allocations(&script, "10.0.0.0/20");
        assert!(few >= 32, "the counter counts: each slot is a task, {few}");
        assert!(many <= few + 32, "{connect:?}: {few} for 128 endpoints, {many} for 4096");
    }
}
