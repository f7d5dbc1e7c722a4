//! Rules over when something comes, and over more than one connection.

use super::*;
use crate::observation::{Decoy, End, Ending, Variant};
use EvidenceCode::{AcceptThenClose, AcceptsEverything, Postscreen, SamplesDisagree, Tarpit};

#[test]
fn postscreens_pause() {
    let two = |first: &str, at, second: &str| {
        heard(Smtp, &[(10, &format!("220-{first}\r\n")), (at, &format!("220 {second}\r\n"))])
    };
    let refused = |at, words: &str| {
        let mut row = ended(Smtp, Outcome::Closed);
        row.received.push(b"220-mx.example ESMTP Postfix\r\n", ms(10));
        row.received.push(words.as_bytes(), ms(at));
        row.greeting_len = row.received.bytes().len();
        row
    };
    assert_each(
        Postscreen,
        [
            (refused(2010, "550 5.7.1 blocked using zen.example\r\n"), Some(Strong)),
            (refused(6010, "450 4.3.2 Service currently unavailable\r\n"), Some(Strong)),
            (refused(20, "550 5.7.1 blocked using zen.example\r\n"), None),
            (refused(2010, "550-5.7.1 blocked\r\n"), None),
            (refused(2010, "550 5.7.1 blo"), None),
            (refused(2010, "220-mx.example again\r\n"), None),
            (two("mx.example ESMTP Postfix", 6010, "mx.example ESMTP Postfix"), Some(Strong)),
            (two("mx.example ESMTP", 2008, "mx.example ESMTP Postfix"), Some(Strong)),
            (heard(Smtp, &[(10, "220-mx.ex"), (11, "ample a\r\n"), (6010, "220 mx.example a\r\n")]), Some(Strong)),
            (heard(Smtp, &[(10, "220-mx.example a\r\n220 mx.example a\r\n")]), None),
            (two("mx.example ESMTP", 1010, "mx.example ESMTP"), None),
            (two("Please wait", 6010, "mx.example ESMTP"), None),
            (heard(Smtp, &[(10, "220-mx.example a\r\n22"), (6010, "0 mx.example a\r\n")]), None),
            (heard(Smtp, &[(10, "220-a b\r\n"), (6010, "220-a b\r\n220 a b\r\n")]), None),
            (heard(Smtp, &[(6010, "220 mx.example a\r\n")]), None),
            (heard(Ftp, &[(10, "220-a b\r\n"), (6010, "220 a b\r\n")]), None),
        ],
    );
}

#[test]
fn tarpits() {
    let trickle = |step: u64, words: &str, size: usize| {
        let mut row = ended(Smtp, Outcome::Silent);
        for (index, piece) in (1..).zip(words.as_bytes().chunks(size)) {
            row.received.push(piece, ms(index * step));
        }
        row.greeting_len = row.received.bytes().len();
        row
    };
    let lines = |step: u64, count: usize, outcome| {
        let mut row = trickle(step, &"220-wait\r\n".repeat(count), 10);
        row.outcome = outcome;
        row
    };
    let greeting = "220 mx.example ESMTP ready and waiting\r\n";
    let mut greeted = trickle(1000, greeting, 1);
    (greeted.outcome, greeted.code) = (Outcome::Greeted, Some(220));
    assert_each(
        Tarpit,
        [
            (trickle(1000, greeting, 1), Some(Strong)),
            (trickle(500, greeting, 3), Some(Strong)),
            (greeted, Some(Strong)),
            (lines(500, 21, Outcome::Silent), Some(Strong)),
            (trickle(50, greeting, 1), None),
            (trickle(1000, greeting, 8), None),
            (trickle(1000, "220 mx.exa", 1), None),
            (trickle(1000, "Last login: today, from afar", 1), None),
            (lines(500, 19, Outcome::Silent), None),
            (lines(1, 60, Outcome::Silent), None),
            (lines(500, 60, Outcome::Closed), None),
        ],
    );
    let spamd = "220 mx.example ESMTP spamd IP-based SPAM blocker; Thu Jan  2 10:11:12 2025\r\n";
    let row = classified(trickle(1000, spamd, 1), &Vantage::default());
    let found: Vec<_> = row.evidence.iter().map(|it| (it.code, it.front.as_deref())).collect();
    assert_eq!(found, [(EvidenceCode::NamedFront, Some("spamd")), (Tarpit, Some("spamd"))]);
}

#[test]
fn accepted_and_closed() {
    let secured = |outcome| inside_tls(ended(Ftps, outcome), &[]);
    let mut partial = ended(Smtp, Outcome::Closed);
    partial.received.push(b"220-", ms(1));
    partial.greeting_len = 4;
    let known = Observation { ending: Some(Ending { how: End::Fin, at: ms(1002) }), ..ended(Smtp, Outcome::Closed) };
    assert_each(
        AcceptThenClose,
        [
            (known.clone(), Some(Moderate)),
            (ended(Smtp, Outcome::Reset), Some(Moderate)),
            (secured(Outcome::Closed), Some(Moderate)),
            (ended(Ftps, Outcome::Closed), None),
            (ended(Smtps, Outcome::Reset), None),
            (ended(Smtps, Outcome::TlsFailed), None),
            (ended(Smtp, Outcome::Silent), None),
            (partial, None),
        ],
    );
    let row = classified(known, &Vantage::default());
    assert_eq!(row.fronting, Some(Fronting::Possible));
    assert_eq!(
        (told(&row), row.evidence[0].at),
        (vec!["moderate accept_then_close: fin without a byte".to_owned()], Some(ms(1002)))
    );
    let reset = classified(ended(Ftp, Outcome::Reset), &Vantage::default());
    assert_eq!(told(&reset), ["moderate accept_then_close: rst without a byte"]);
}

/// A server that was met so often, as `host software version`; `-` for what it leaves out.
fn met(count: u32, words: &str) -> Variant {
    let mut words = words.split(' ').map(|word| (word != "-").then_some(word));
    let mut word = || words.next().flatten();
    let (hostname, software, version) = (word().map(Into::into), word().map(Into::into), word().map(Into::into));
    Variant {
        count,
        code: Some(220),
        banner: Vec::new(),
        banner_hash: None,
        hostname,
        software,
        version,
        capabilities: Vec::new(),
        cert_sha256: None,
    }
}

#[test]
fn pools() {
    let pool = |variants: Vec<Variant>| Observation { variants, ..heard(Smtp, &[(1, "220 mx.example ESMTP\r\n")]) };
    let text = |count, words: &str| Variant {
        banner: words.as_bytes().to_vec(),
        banner_hash: Some(crate::classify::hash::banner_hash(words.as_bytes())),
        ..met(count, "- - -")
    };
    let (users, motto) = ("220-Current users: 3/4\r\n220 ready\r\n", "220-Silence is golden\r\n220 ready\r\n");
    let postfix = "220 mx.example ESMTP Postfix\r\n";
    let teased = format!("220-mx.example ESMTP Postfix\r\n{postfix}");
    let visited = |variant: Variant, words: &[&str]| Variant {
        capabilities: words.iter().map(|&word| word.to_owned()).collect(),
        ..variant
    };
    let offering = |words: &[&str]| Variant {
        capabilities: words.iter().map(|&word| word.to_owned()).collect(),
        ..met(1, "a.example - -")
    };
    let certified = |cert: u8| Variant { cert_sha256: Some([cert; 32]), ..met(2, "a.example - -") };
    let busy = Variant { code: Some(421), ..met(1, "b.example - -") };
    assert_each(
        SamplesDisagree,
        [
            (pool(vec![met(2, "a.example Postfix -"), met(2, "b.example Postfix -")]), Some(Strong)),
            (pool(vec![met(3, "a.example Postfix -"), met(1, "a.example Exim -")]), Some(Strong)),
            (pool(vec![met(2, "a.example Exim 4.96"), met(2, "a.example Exim 4.98")]), Some(Strong)),
            (pool(vec![offering(&["SIZE"]), offering(&["SIZE", "DSN"])]), Some(Strong)),
            (pool(vec![certified(1), certified(2)]), Some(Strong)),
            // The commonest leaves out what the others differ in.
            (
                pool(vec![met(3, "a.example - -"), met(1, "a.example Exim -"), met(1, "a.example Postfix -")]),
                Some(Strong),
            ),
            (pool(vec![offering(&["SIZE", "SYST UNIX"]), offering(&["SIZE", "SYST Windows_NT"])]), Some(Strong)),
            (pool(vec![text(2, users), text(2, motto)]), Some(Weak)),
            (pool(vec![text(3, users), text(1, motto)]), None),
            (pool(vec![text(2, users), text(2, "220-Current users: 12/4\r\n220 ready\r\n")]), None),
            (pool(vec![text(2, "220 Free space: 5000 MB\r\n"), text(2, "220 Free space: 480 MB\r\n")]), None),
            // The first visit to postscreen, and later ones.
            (pool(vec![text(2, postfix), text(2, &teased)]), None),
            (
                pool(vec![visited(text(2, postfix), &["SIZE", "PIPELINING"]), visited(text(2, &teased), &["SIZE"])]),
                None,
            ),
            // Too fast for it, or TLS that failed once.
            (pool(vec![offering(&["SIZE", "DSN"]), offering(&["EHLO refused: 450"])]), None),
            (pool(vec![offering(&["MDTM", "SYST UNIX"]), offering(&["FEAT refused: 530", "SYST UNIX"])]), None),
            (pool(vec![offering(&["SIZE", "tls:AUTH PLAIN"]), offering(&["SIZE"])]), None),
            (pool(vec![]), None),
            (pool(vec![met(4, "a.example Postfix -")]), None),
            (pool(vec![met(3, "a.example Postfix -"), met(1, "- - -")]), None),
            (pool(vec![text(1, users), text(1, motto), text(1, postfix)]), None),
            (pool(vec![offering(&["SIZE"]), offering(&[])]), None),
            (pool(vec![met(3, "a.example Postfix -"), busy]), None),
        ],
    );
    let row = classified(pool(vec![met(3, "a.example Postfix -"), met(1, "b.example Exim 4.96")]), &Vantage::default());
    assert_eq!(told(&row), ["strong samples_disagree: 2 servers: a.example postfix (3x); b.example exim 4.96 (1x)"]);
    for (variants, expected) in [
        (vec![offering(&["SIZE"]), offering(&["SIZE", "DSN"])], "2 servers by dsn: a.example (1x); a.example (1x)"),
        (
            vec![certified(1), certified(2)],
            "2 servers by certificates 01010101 and 02020202: a.example (2x); a.example (2x)",
        ),
        (vec![text(2, users), text(2, motto)], "other words: 220-current users: 3/4; 220-silence is golden"),
    ] {
        let row = classified(pool(variants), &Vantage::default());
        assert!(told(&row)[0].ends_with(&format!("samples_disagree: {expected}")), "{:?}", told(&row));
    }
}

#[test]
fn ports_that_nobody_serves() {
    let with = |accepted| {
        let decoy = Some(Decoy { port: 47_123, accepted });
        Observation { decoy, ..heard(Smtp, &[(1, "220 mx.example ESMTP\r\n")]) }
    };
    assert_each(AcceptsEverything, [(with(true), Some(Strong)), (with(false), None)]);
    assert_eq!(
        told(&classified(with(true), &Vantage::default())),
        ["strong accepts_everything: port 47123 accepts as well"]
    );
}
