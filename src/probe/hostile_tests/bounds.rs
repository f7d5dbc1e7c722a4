//! What the worst peers cost: time, memory, and what is kept of their certificates.

use super::*;
use crate::probe::hand_made::{Part, Shake, Version};
use crate::probe::scripted::TlsPeer;

/// A peer that says all that is asked for, each of it at the last moment.
fn miser(service: Service, is_plain_first: bool) -> Script {
    let wait = |seconds| Step::Wait(seconds);
    let patience = if service.is_ftp() { 14.9 } else { 29.9 };
    let mut steps = Vec::new();
    let mut says = |words: &[&str]| {
        for words in words {
            steps.extend([wait(patience), send(*words), Step::Hear]);
        }
    };
    if service.is_ftp() {
        says(&["220 ready\r\n", "500 no\r\n", "500 no\r\n", "504 no\r\n"]);
        steps.extend([wait(patience), send("234 go\r\n"), wait(9.9), Step::Secure(TlsPeer::SelfSigned)]);
        for words in [
            "500 no\r\n",
            "331 who?\r\n",
            "230 in\r\n",
            "227 (192,0,2,1,156,65)\r\n",
            "227 (192,0,2,1,156,65)\r\n",
            "500 no\r\n",
        ] {
            steps.extend([Step::Hear, wait(patience), send(words)]);
        }
    } else {
        says(&["220 ready\r\n", "500 no\r\n", "250-late\r\n250 STARTTLS\r\n"]);
        steps.extend([wait(patience), send("220 go\r\n"), wait(9.9), Step::Secure(TlsPeer::SelfSigned)]);
        for words in ["500 no\r\n", "250 mail.example\r\n"] {
            steps.extend([Step::Hear, wait(patience), send(words)]);
        }
    }
    steps.push(Step::Hold);
    let slow = Script { connect_after: 3.9, steps, ..Script::default() };
    if !is_plain_first {
        return slow;
    }
    let plain =
        Script { connect_after: 3.9, steps: vec![wait(9.9), send("220 ready\r\n"), Step::Hold], ..Script::default() };
    Script { then: vec![slow], ..plain }
}

/// Who answers everything at the last moment is borne for minutes, and not for longer than was said.
#[test]
fn the_slowest_peers_are_borne_so_long_and_no_longer() {
    for service in Service::ALL {
        let what = format!("the slowest peer at {service}");
        let came = probe(&what, service, Depth::Tls, miser(service, service.is_implicit_tls()));
        assert_eq!(came.row.outcome, Outcome::Greeted, "{what}: {:?}", came.row.detail);
        assert!(came.after > BOUND / 2, "{what}: only {:?}", came.after);
        assert!(came.after <= BOUND, "{what}: {:?}", came.after);
        assert!(came.row.tls.as_deref().is_some_and(|facts| facts.version.is_some()), "{what}");
    }
}

/// A byte a second, from the first byte to the last, wherever a deadline allows it.
#[test]
fn a_byte_a_second() {
    let drip = |words: &str| Step::Drip(words.into(), 1.0);
    let steps =
        vec![drip("220 mail.example ESMTP\r\n"), Step::Hear, drip("250-mail.example\r\n250 STARTTLS"), Step::Hold];
    let came = probe("a byte a second", Service::Smtp, Depth::Tls, once(steps));
    let dialogue = came.row.dialogue.as_deref().unwrap();
    assert_eq!(
        dialogue.broken_off.as_deref(),
        Some("no answer to EHLO in 30 s"),
        "the deadline is of the whole answer"
    );
    assert_eq!(came.row.greeting(), b"220 mail.example ESMTP\r\n");
}

/// What one hostile connection may take of memory besides what its own side takes, which is 256 KiB for each direction.
const MOST_MEMORY: u64 = 2 * 1024 * 1024;

#[test]
fn memory_is_bounded_whatever_comes() {
    let flood = |before: &[Step], words: &str| {
        let mut steps = before.to_vec();
        steps.push(Step::Flood(words.into()));
        once(steps)
    };
    let greeting = send("220 ready\r\n");
    let offers = send("250-mail.example\r\n250 STARTTLS\r\n");
    let table = [
        ("greeting", Service::Smtp, flood(&[], "220-and on, and on\r\n")),
        ("greeting of empty lines", Service::Ftp, flood(&[], "220-\r\n")),
        ("foreign words", Service::Ftp, flood(&[], "SSH-2.0-")),
        ("replies after the greeting", Service::Ftp, flood(std::slice::from_ref(&greeting), "250 no\r\n")),
        ("answers", Service::Smtp, flood(&[greeting.clone(), Step::Hear], "250-A B C D E F\r\n")),
        ("stray answers", Service::Smtp, flood(&[greeting.clone(), Step::Hear, offers, Step::Hear], "250 A\r\n")),
        ("a handshake", Service::Smtps, flood(&[Step::Hear], "\x16\x03\x03\0\x04\0\0\0\0")),
        (
            "a greeting inside TLS",
            Service::Smtps,
            flood(&[Step::Secure(TlsPeer::SelfSigned)], "220-and on, and on\r\n"),
        ),
    ];
    every(table, |(what, service, script)| {
        // What is made once for all: the wordlists, the roots.
        probe(what, service, Depth::Tls, script.clone());
        let used = allocation_counter::measure(|| drop(probe(what, service, Depth::Tls, script)));
        assert!(used.bytes_max <= MOST_MEMORY, "{what} took {} KiB", used.bytes_max / 1024);
    });
}

/// Chains of any length, of certificates that are none.
#[test]
fn chains_without_measure() {
    let tables = [
        ("a chain of 60 KiB", vec![vec![0x30; 30_000]; 2], true),
        ("a chain of 100 KiB", vec![vec![0x30; 50_000]; 2], false),
        ("a thousand certificates", vec![vec![0x30, 0]; 1000], true),
        ("no certificate", vec![], false),
        ("certificates without a byte", vec![vec![]; 100], true),
    ];
    let cases =
        tables.into_iter().flat_map(|case| [Version::Tls12, Version::Tls13].map(|version| (case.clone(), version)));
    every(cases, |((what, chain, is_read), version)| {
        let what = format!("{what}, {version:?}");
        let shake = Shake { version, before: Part::Session, chain: chain.clone() };
        let came = probe(&what, Service::Smtps, Depth::Tls, once(vec![Step::Shake(shake), Step::Hold]));
        let facts = came.row.tls.as_deref().unwrap_or_else(|| panic!("{what}: no facts"));
        assert!(facts.chain.len() <= 32, "{what}");
        assert_eq!(facts.error.is_none(), is_read, "{what}: {:?}", facts.error);
        if is_read {
            assert_eq!(facts.chain.len() + facts.chain_left_out, chain.len(), "{what}");
        }
    });
}

/// As many mechanisms as an answer has room for are told, each once and in order, and inside TLS only what is new.
#[test]
fn offers_without_measure() {
    let words: Vec<_> = (0..1000).map(|number| format!("M{number}")).collect();
    let (once_more, words) = (words.join(" "), words);
    let offer = format!("250-mail.example\r\n250-AUTH {once_more} {once_more}\r\n250 STARTTLS\r\n");
    let inside = format!("250-mail.example\r\n250 AUTH {once_more} NEW\r\n");
    assert!(offer.len() < Reply::LIMIT);
    let steps = [
        vec![send("220 mail.example ready\r\n"), Step::Hear, send(offer), Step::Hear, send("220 go\r\n")],
        vec![Step::Secure(TlsPeer::SelfSigned), Step::Hear, send(inside), Step::Hold],
    ];
    let came = probe("offers without measure", Service::Smtp, Depth::Tls, once(steps.concat()));
    let expected: Vec<_> = words.into_iter().chain(["tls:NEW".to_owned()]).collect();
    assert_eq!(came.row.dialogue.as_deref().unwrap().auth, expected);
}
