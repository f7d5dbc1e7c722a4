//! Shards: parts that have nothing in common and are all of it together, in whatever words they are asked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::peers::{Peer, polite};
use super::program::{run, scan};

/// What `--list` prints for these words, separated by blanks.
fn listed(words: &str) -> Vec<String> {
    let ended = run(scan(words.split_whitespace()).arg("--list"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{words}");
    ended.stdout.lines().map(str::to_owned).collect()
}

fn set(lines: &[String]) -> BTreeSet<&str> {
    let set: BTreeSet<_> = lines.iter().map(String::as_str).collect();
    assert_eq!(set.len(), lines.len(), "each once");
    set
}

/// Ranges, names and ports of the private networks, and exclusions that leave something.
fn words() -> impl Strategy<Value = String> {
    let range = (0u8..4, 0u8..=255, 0u8..20)
        .prop_map(|(net, first, more)| format!("10.0.{net}.{first}-10.0.{net}.{}", first.saturating_add(more)));
    let target = prop_oneof![
        4 => range.clone(),
        1 => (0u8..4, 24u8..=32).prop_map(|(net, length)| format!("10.0.{net}.0/{}", length.max(27))),
        1 => (0u16..64).prop_map(|host| format!("[fd99::{host:x}]:2121=ftp")),
        1 => (0u8..20).prop_map(|host| format!("host{host}.example")),
        1 => (0u8..20).prop_map(|host| format!("mx:domain{host}.example:25")),
    ];
    let ports = prop_oneof![Just("21"), Just("25,465"), Just("2000-2004=smtp")];
    (prop::collection::vec(target, 1..6), prop::collection::vec(range, 0..3), ports).prop_map(
        |(targets, exclusions, ports)| {
            let mut words = format!("10.0.9.9 {} -p {ports}", targets.join(" "));
            for exclusion in exclusions {
                write!(words, " -x {exclusion}").unwrap();
            }
            words
        },
    )
}

proptest! {
    // Each is a handful of processes.
    #![proptest_config(Config { cases: 24, failure_persistence: None, ..Config::default() })]

    #[test]
    fn all_shards_together_are_the_whole(words in words(), count in 1usize..6, seed in prop::option::of(0u64..1000)) {
        let words = seed.map_or_else(|| words.clone(), |seed| format!("{words} --seed {seed}"));
        let whole = listed(&words);
        // One that nothing is left for is empty.
        let shards: Vec<_> = (1..=count).map(|index| listed(&format!("{words} --shard {index}/{count}"))).collect();
        let together: Vec<_> = shards.iter().flatten().cloned().collect();
        prop_assert_eq!(set(&together), set(&whole));
        // As equal as can be.
        for shard in &shards {
            prop_assert!((whole.len() / count..=whole.len().div_ceil(count)).contains(&shard.len()));
            // In the order of the whole.
            let mut rest = whole.iter();
            prop_assert!(shard.iter().all(|line| rest.any(|of_whole| of_whole == line)));
        }
    }
}

#[test]
fn machines_count_from_nought() {
    for (people, machines) in [("1/3", (0, 3)), ("2/3", (1, 3)), ("3/3", (2, 3)), ("1/1", (0, 1))] {
        let (index, count) = machines;
        let words = "10.0.0.0/26 host.example -p 25";
        let by_machine = listed(&format!("{words} --shard-index {index} --shard-count {count}"));
        assert_eq!(by_machine, listed(&format!("{words} --shard {people}")));
    }
}

#[test]
fn shards_that_are_swept_agree_without_being_told() {
    let peer = Peer::new(polite("220 ready\r\n"));
    // Nothing listens on the other ports.
    let targets = format!("{} 127.78.9.0/28:1=ftp 127.78.9.8:2=smtp", peer.target("smtp"));
    let sweep = |more: &str| {
        let words = format!("{targets} --all --rate 90 --per-prefix 45 {more}");
        let ended = run(&mut scan(words.split_whitespace()));
        let place = |row: &serde_json::Value| {
            format!("{}:{}={}", row["ip"].as_str().unwrap(), row["port"], row["service"].as_str().unwrap())
        };
        let (places, stderr) = (ended.rows().iter().map(place).collect::<Vec<_>>(), ended.stderr);
        let announced = stderr.lines().find(|line| line.contains(", seed ")).unwrap().to_owned();
        (places, announced)
    };
    let (whole, of_whole) = sweep("");
    assert_eq!(whole.len(), 18);
    let (pace, seed) = of_whole.split_once(" at once, ").unwrap().1.rsplit_once(", seed ").unwrap();
    assert_eq!(pace, "90/s, 45/s into each /24 or /48, 1 at a time to each host");
    let mut together = Vec::new();
    for index in 1..=4 {
        let shard = format!("--shard {index}/4");
        let (places, announced) = sweep(&shard);
        // All of it is theirs together; each has a quarter.
        let expected = format!(
            "{} endpoints of shard {index}/4, {0} at once, {pace}, all shards together, seed {seed}",
            places.len()
        );
        assert_eq!(announced, expected);
        assert_eq!(set(&places), set(&listed(&format!("{targets} {shard}"))));
        together.extend(places);
    }
    assert_eq!(set(&together), set(&whole));
    assert_eq!(peer.connections(), 2, "by the whole, and by one of the shards");
}
