//! Servers of TLS in every configuration that can be had, each read by the real binary: version, suite, certificate, greeting.
//!
//! What they are and what a row must say of them is `tests/tls/configurations.toml`. They are OpenSSL's own server, tlslite-ng
//! (which speaks what OpenSSL has given up) and peers that break the protocol. What came of each is written to
//! `target/tls-matrix.md`. Needs `openssl`; what tlslite-ng serves also needs what `tests/tls/install` fetches. What cannot run
//! here says so (`skipped: …`) and passes, but with `HAILER_REQUIRE_ALL=1` in the environment it fails.
#![cfg(target_os = "linux")]

// `cfg(test)` tells clippy what these modules are, though nothing here is built without it.
#[cfg(test)]
#[path = "tls/configuration.rs"]
mod configuration;
#[cfg(test)]
#[path = "tls/dialogue.rs"]
mod dialogue;
#[cfg(test)]
#[path = "../src/target/dns_server.rs"]
#[expect(dead_code, reason = "what the server was asked is of no interest here")]
mod dns_server;
#[cfg(test)]
#[path = "tls/keys.rs"]
mod keys;
#[cfg(test)]
#[path = "tls/openssl.rs"]
mod openssl;
#[cfg(test)]
#[path = "tls/report.rs"]
mod report;
#[cfg(test)]
#[path = "tls/scripted.rs"]
mod scripted;
#[cfg(test)]
#[path = "tls/tlslite.rs"]
mod tlslite;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::io::{self, Write};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use serde_json::Value;
    use tokio::runtime::Builder;

    use crate::configuration::{Configuration, Server, configurations};
    use crate::dns_server::DnsServer;
    use crate::keys::Keys;
    use crate::report::{mistakes, report};
    use crate::{openssl, scripted, tlslite};

    /// How many are asked at once; most servers are a process of their own.
    const AT_ONCE: &str = "8";

    /// How long a handshake and a greeting may take. No machine is so busy that what has an end should not come to it;
    const PATIENCE: &str = "50s";
    /// and where none comes, it is not waited for.
    const IMPATIENCE: &str = "3s";

    #[test]
    fn every_configuration_gets_its_row() {
        if let Err(error) = Command::new("openssl").arg("version").output() {
            skip(&format!("no configuration of TLS was tried: openssl: {error}"));
            return;
        }
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut configurations = configurations();
        let python = tlslite::python();
        if let Err(why) = &python {
            let before = configurations.len();
            configurations.retain(|configuration| !matches!(configuration.server, Server::Tlslite(_)));
            skip(&format!("{} configurations of tlslite-ng: {why}", before - configurations.len()));
        }
        let keys = Keys::make(folder.path(), &configurations);

        let mut ports = HashMap::new();
        let complaints = openssl::serve(&configurations, &keys, &mut ports);
        scripted::serve(&configurations, &keys, &mut ports);
        let _tlslite = python.ok().map(|python| tlslite::serve(&python, &configurations, &keys, &mut ports));
        let rows = sweep(folder.path(), &configurations, &ports);
        let complaints = complaints.lock().unwrap().join("\n");

        let told = report(&configurations, &rows);
        println!("{told}");
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tls-matrix.md"), told).unwrap();
        let wrong: String = configurations
            .iter()
            .zip(&rows)
            .flat_map(|(configuration, row)| mistakes(configuration, row, &keys))
            .collect();
        assert!(wrong.is_empty() && complaints.is_empty(), "\n{wrong}{complaints}");
    }

    /// The rows, in the order of the table.
    fn sweep(folder: &Path, configurations: &[Configuration], ports: &HashMap<usize, u16>) -> Vec<Value> {
        let names = configurations.iter().filter_map(|configuration| configuration.name.as_deref());
        let zone: Vec<_> = names.map(|name| format!("{name} A 127.0.0.1")).collect();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let dns = runtime.block_on(DnsServer::start(&zone.join("\n")));
        let mut rows = HashMap::new();
        for (stalls, patience) in [(false, PATIENCE), (true, IMPATIENCE)] {
            let targets: Vec<_> = configurations
                .iter()
                .filter(|configuration| configuration.stalls == stalls)
                .map(|configuration| {
                    let host = configuration.name.as_deref().unwrap_or("127.0.0.1");
                    format!("{host}:{}={}", ports[&configuration.id], configuration.service)
                })
                .collect();
            let (list, output) = (folder.join("targets.txt"), folder.join("rows.ndjson"));
            fs::write(&list, targets.join("\n")).unwrap();
            let run = Command::new(env!("CARGO_BIN_EXE_hailer"))
                .args(["scan", "--all", "--depth", "tls", "--profile", "lan", "--per-host", AT_ONCE])
                .args(["--concurrency", AT_ONCE, "--tls-timeout", patience, "--greeting-timeout", patience])
                .args([&format!("--resolver={}", dns.address), "--overwrite", "-o"])
                .arg(&output)
                .arg(format!("@{}", list.display()))
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(run.status.success(), "{}: {}", run.status, String::from_utf8_lossy(&run.stderr));
            let lines = fs::read_to_string(&output).unwrap();
            let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
            rows.extend(lines.map(|row: Value| (row["port"].as_u64().unwrap(), row)));
        }
        assert_eq!(rows.len(), configurations.len(), "one row for each configuration");
        configurations.iter().map(|configuration| rows[&ports[&configuration.id].into()].clone()).collect()
    }

    /// Says that something cannot run here. Not with a macro: those are caught, and shown of failed tests only.
    fn skip(why: &str) {
        assert!(std::env::var_os("HAILER_REQUIRE_ALL").is_none_or(|value| value != "1"), "cannot be skipped: {why}");
        writeln!(io::stderr(), "skipped: {why}").unwrap();
    }
}
