//! How connections are left, as peers see it on the wire: FIN, and never an RST while they are talking.

use std::time::Duration;

use super::peers::{End, Peer, Step, polite, say};
use super::program::{run, scan};

/// Scans a peer for each row at once. Each is reached by one connection, hears what its row says, and then FIN;
/// whatever else it does succeeds.
fn assert_left(options: &str, table: Vec<(&str, &str, Vec<Step>, &str)>) {
    let peers: Vec<_> = table
        .into_iter()
        .map(|(name, service, steps, heard)| {
            let peer = if service.ends_with('s') { Peer::secure(steps) } else { Peer::new(steps) };
            (name, service, peer, heard)
        })
        .collect();
    let words = peers.iter().map(|(_, service, peer, _)| peer.target(service));
    let ended = run(&mut scan(words.chain(options.split_whitespace().map(str::to_owned))));
    assert_eq!(ended.rows().len(), peers.len());
    let mut wrong = Vec::new();
    for (name, service, peer, heard) in peers {
        let report = peer.report();
        if (report.end, report.heard.as_slice(), peer.connections()) != (End::Fin, heard.as_bytes(), 1) {
            wrong.push(format!("{service}, {name}: {report:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn quit_is_said_and_its_answer_heard() {
    let fin_last = || vec![say("220 ready\r\n"), Step::HearLine, say("221 bye\r\n"), Step::HearEnd];
    let no_answer = || vec![say("220 ready\r\n"), Step::HearEnd];
    let chatter = || Step::Chatter(b"250 and another thing\r\n", Duration::from_millis(500));
    let mut table = Vec::new();
    for service in ["ftp", "smtp", "submission", "smtps", "ftps"] {
        let talks_on = vec![say("220 ready\r\n"), chatter(), say("221 bye\r\n"), Step::HearEnd];
        let talks_after = vec![say("220 ready\r\n"), Step::HearLine, say("221 bye\r\n"), chatter(), Step::HearEnd];
        table.extend([
            ("their FIN with the 221", service, polite("220 ready\r\n"), "QUIT\r\n"),
            ("their FIN after ours", service, fin_last(), "QUIT\r\n"),
            ("no answer", service, no_answer(), "QUIT\r\n"),
            ("talks on before its answer", service, talks_on, "QUIT\r\n"),
            ("talks on after its answer", service, talks_after, "QUIT\r\n"),
        ]);
    }
    assert_left("--leave quit", table);
}

#[test]
fn who_hangs_up_or_does_not_understand_gets_fin_alone() {
    let chatter = Step::Chatter(b"and another thing\r\n", Duration::from_millis(500));
    assert_left(
        "",
        vec![
            ("421", "smtp", vec![say("421 too many connections\r\n"), Step::HearEnd], ""),
            ("ssh", "ftp", vec![say("SSH-2.0-OpenSSH_9.6\r\n"), Step::HearEnd], ""),
            ("ssh inside TLS", "smtps", vec![say("SSH-2.0-OpenSSH_9.6\r\n"), Step::HearEnd], ""),
            ("ssh, talks on", "ftp", vec![say("SSH-2.0-OpenSSH_9.6\r\n"), chatter, Step::HearEnd], ""),
            ("news", "smtp", vec![say("200 news.example NNTP ready, posting ok\r\n"), Step::HearEnd], ""),
        ],
    );
}

#[test]
fn close_drains_and_sends_fin() {
    let table = [
        ("greeting", say("220 ready\r\n")),
        ("421", say("421 busy\r\n")),
        ("ssh", say("SSH-2.0-OpenSSH_9.6\r\n")),
        ("more", say("220 ready\r\n500 more than was asked for\r\n")),
        ("far more", say(["220 ready\r\n", &"500 far more\r\n".repeat(1_000)].concat())),
    ];
    let both = |(name, step): (&'static str, Step)| {
        ["ftp", "ftps"].map(|service| (name, service, vec![step.clone(), Step::HearEnd], ""))
    };
    assert_left("--leave close", table.into_iter().flat_map(both).collect());
}

#[test]
fn silence_ends_with_fin_at_the_deadline() {
    for options in ["--greeting-timeout 500ms --leave quit", "--greeting-timeout 500ms --leave close"] {
        assert_left(
            options,
            vec![
                ("silent", "smtp", vec![Step::HearEnd], ""),
                ("silent inside TLS", "smtps", vec![Step::HearEnd], ""),
                ("teaser", "smtp", vec![say("220-a teaser\r\n"), Step::HearEnd], ""),
                ("teaser inside TLS", "smtps", vec![say("220-a teaser\r\n"), Step::HearEnd], ""),
            ],
        );
    }
}

#[test]
fn a_handshake_that_fails_ends_with_fin() {
    let alert = say(b"\x15\x03\x01\x00\x02\x02\x28");
    // Who refuses a modern hello is asked with older ones, each on a connection of its own.
    let table = [
        ("stalled", 1, vec![Step::HearEnd]),
        ("refused", 4, vec![Step::HearRecord, alert, Step::HearEnd]),
        ("not understood", 1, vec![Step::HearRecord, say(b"\x16\x03\x03\x00\x04junk"), Step::HearEnd]),
    ];
    let peers = table.map(|(name, connections, steps)| (name, connections, Peer::new(steps)));
    let words = peers.iter().map(|(.., peer)| peer.target("smtps")).chain(["--tls-timeout=500ms".to_owned()]);
    assert_eq!(run(&mut scan(words)).rows().len(), peers.len());
    for (name, connections, peer) in peers {
        let ends: Vec<_> = peer.reports(connections).into_iter().map(|report| report.end).collect();
        assert_eq!((ends, peer.connections()), (vec![End::Fin; connections], connections), "{name}");
    }
}
