//! `--samples`, `--decoy` and `--our-address`: what further connections show on real sockets, and what their peers see.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::peers::{End, Peer, Step, listen, polite};
use super::program::{differences, rows_in, run, scan};

/// Two servers behind one address that take turns.
fn pool() -> Peer {
    let met = AtomicUsize::new(0);
    Peer::behind(listen(), move || {
        let greetings = ["220 (vsFTPd 3.0.5)\r\n", "220 ProFTPD 1.3.8 Server (b)\r\n"];
        polite(greetings[met.fetch_add(1, Ordering::Relaxed) % 2])
    })
}

#[test]
fn a_pool_is_told_with_its_members() {
    let (peer, folder) = (pool(), tempfile::tempdir().unwrap());
    let path = folder.path().join("rows.ndjson");
    let words = ["--samples=5", "--sample-interval=1ms", "--our-address=192.0.2.7", "-o"];
    let mut command = scan(words.map(str::to_owned));
    assert_eq!(run(command.arg(&path).arg(peer.target("ftp"))).code, Some(0));

    let rows = rows_in(&path);
    let variants = json!([
        {"count": 3, "code": 220, "banner": r"220 (vsFTPd 3.0.5)\r\n", "software": "vsftpd", "version": "3.0.5"},
        {"count": 2, "code": 220, "banner": r"220 ProFTPD 1.3.8 Server (b)\r\n", "software": "ProFTPD", "version": "1.3.8"},
    ]);
    assert_eq!(differences(&rows[0], &json!({"outcome": "greeted", "software": "vsftpd", "attempts": 5})), [""; 0]);
    let found = rows[0]["variants"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{}", rows[0]);
    for (found, expected) in found.iter().zip(variants.as_array().unwrap()) {
        assert_eq!(differences(found, expected), [""; 0]);
    }
    let reports = peer.reports(5);
    assert!(reports.iter().all(|report| report.heard == b"QUIT\r\n" && report.end == End::Fin), "{reports:?}");

    let manifest: Value = std::fs::read(format!("{}.manifest.json", path.display()))
        .map(|content| serde_json::from_slice(&content).unwrap())
        .unwrap();
    let expected = json!({"samples": 5, "sample_interval_ms": 1, "decoy": null, "our_addresses": ["192.0.2.7"]});
    assert_eq!(differences(&manifest["configuration"], &expected), [""; 0]);
}

/// What else listens there is left as politely as any other, and nothing is said to it.
#[test]
fn a_decoy_sees_one_connection_and_its_end() {
    let peer = Peer::new(polite("220 ready\r\n"));
    let beside = Peer::behind(TcpListener::bind((peer.address.ip(), 0)).unwrap(), || vec![Step::HearEnd]);
    let decoy = format!("--decoy={}", beside.address.port());
    let rows = run(&mut scan([decoy.clone(), peer.target("smtp")])).rows();
    assert_eq!(differences(&rows[0], &json!({"outcome": "greeted", "attempts": 1, "variants": null})), [""; 0]);
    let report = beside.report();
    assert_eq!((report.heard.as_slice(), report.end, beside.connections()), (&b""[..], End::Fin, 1));
}
