//! In place of every message of a TLS handshake: TLS 1.2 and 1.3, from the start, after STARTTLS and after AUTH TLS, with
//! the modern client and with the one for servers of the past.

use super::*;
use crate::observation::Legacy;
use crate::probe::hand_made::{ALERT, APPLICATION_DATA, HANDSHAKE, Part, Shake, Version, record};

/// How TLS is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Implicit,
    Starttls,
    AuthTls,
    /// From the start, once a modern hello was refused.
    Older,
}

impl Way {
    fn service(self) -> Service {
        match self {
            Self::Implicit | Self::Older => Service::Smtps,
            Self::Starttls => Service::Smtp,
            Self::AuthTls => Service::Ftp,
        }
    }

    /// Before the hello comes.
    fn steps(self) -> Vec<Step> {
        let says = |words: &[&str]| words.iter().flat_map(|words| [send(*words), Step::Hear]).collect::<Vec<_>>();
        let mut steps = match self {
            Self::Implicit | Self::Older => vec![],
            Self::Starttls => says(&["220 mail.example ready\r\n", "250-mail.example\r\n250 STARTTLS\r\n"]),
            Self::AuthTls => says(&["220 ready\r\n", "211 none\r\n", "215 UNIX\r\n"]),
        };
        match self {
            Self::Implicit | Self::Older => {}
            Self::Starttls => steps.push(send("220 go\r\n")),
            Self::AuthTls => steps.push(send("234 go\r\n")),
        }
        steps
    }

    /// A peer that does this; connections after the one that it is about are refused.
    fn script(self, doings: Vec<Step>) -> Script {
        let script = once(self.steps().into_iter().chain(doings).collect());
        if self != Self::Older {
            return script;
        }
        // protocol_version
        let steps = vec![Step::Hear, bytes(&record(ALERT, &[2, 70])), Step::Hold];
        let then = std::iter::once(Script { then: vec![], ..script.clone() }).chain(script.then).collect();
        Script { steps, then, ..Script::default() }
    }
}

const WAYS: [Way; 4] = [Way::Implicit, Way::Starttls, Way::AuthTls, Way::Older];

fn shake(version: Version, before: Part) -> Step {
    Step::Shake(Shake { version, before, chain: vec![vec![0x30, 0]] })
}

/// Every message that can be left out, by whom it can be.
fn every_part() -> impl Iterator<Item = (Way, Version, Part)> {
    WAYS.into_iter().flat_map(|way| {
        let versions: &[_] = if way == Way::Older { &[Version::Tls12] } else { &[Version::Tls12, Version::Tls13] };
        versions.iter().flat_map(move |version| version.parts().iter().map(move |part| (way, *version, *part)))
    })
}

/// What can be done besides, on the level of records.
fn on_records() -> [(&'static str, Vec<Step>); 7] {
    let message = |length: [u8; 3], kind: u8| record(HANDSHAKE, &[&[kind][..], &length, &[0; 64]].concat());
    [
        (
            "a record of 64 KiB",
            vec![bytes(&[HANDSHAKE, 3, 3, 0xFF, 0xFF]), Step::Repeat("\0".repeat(4096), 16), Step::Hold],
        ),
        ("a message of 16 MiB", vec![bytes(&message([0xFF; 3], 11)), Step::Hold]),
        ("a hello that is never whole", vec![bytes(&message([0, 0xFF, 0xFF], 2)), Step::Hold]),
        ("records of another version", vec![bytes(&[HANDSHAKE, 9, 9, 0, 1, 0]), Step::Hold]),
        ("empty records without end", vec![Step::Flood("\x16\x03\x03\0\0".into())]),
        ("warnings without end", vec![Step::Flood("\x15\x03\x03\0\x02\x01\x5a".into())]),
        ("changes of cipher without end", vec![Step::Flood("\x14\x03\x03\0\x01\x01".into())]),
    ]
}

/// What the end of a handshake may be called; nothing where that is left to the library.
fn reasons(deed: Deed) -> &'static [&'static str] {
    const CLOSED: &str = "closed during the handshake";
    const RESET: &str = "reset during the handshake";
    match deed {
        Deed::Stall | Deed::Drip => &["stalled: no end of the handshake before the deadline"],
        Deed::HalfClose => &[CLOSED],
        // Who has left answers what we still say with RST.
        Deed::Close => &[CLOSED, RESET],
        Deed::Reset => &[RESET],
        Deed::Garbage | Deed::Nuls | Deed::Flood | Deed::Megabyte | Deed::Escapes => &[],
    }
}

/// How much is taken of a handshake, and how soon that much of a flood has come.
const FLOODED: Duration = Duration::from_secs(1);

/// Until the client has seen the end of the handshake: what comes with it belongs to it.
const SETTLED: Step = Step::Wait(0.01);

/// A record of 16 KiB of what is due, byte by byte.
const SLOW: &str = "\x16\x03\x03\x40\0\x02\0\x3f\x7c\x03\x03 and so on, and so on, and so on, and so on";

#[test]
fn in_place_of_every_message() {
    let cases = every_part().flat_map(|(way, version, part)| Deed::ALL.map(|deed| (way, version, part, deed)));
    every(cases, |(way, version, part, deed)| {
        let what = format!("{way:?}, {version:?}: {deed:?} in place of {part:?}");
        let mut doings = vec![shake(version, part)];
        if part == Part::Session {
            doings.push(SETTLED);
        }
        doings.extend(deed.steps("\x16\x03\x03\0\x04\0\0\0\0", SLOW));
        let came = probe(&what, way.service(), Depth::Tls, way.script(doings));
        // Plain text in place of the server's hello is another story.
        let is_no_record = matches!(deed, Deed::Garbage | Deed::Nuls | Deed::Megabyte | Deed::Escapes);
        if part == Part::Session {
            assert_inside(&what, &came, way, deed);
        } else if part != Part::ServerHello || !is_no_record {
            assert_failed(&what, &came, way);
            let error = came.row.tls.as_deref().and_then(|facts| facts.error.as_deref()).unwrap_or_default();
            let expected = match (way, part) {
                // That it was refused before is told first, and alone where nothing else was learnt.
                (Way::Older, Part::ServerHello) => &["alert 70 protocol_version"],
                _ => reasons(deed),
            };
            assert!(expected.is_empty() || expected.iter().any(|end| error.ends_with(end)), "{what}: {error}");
        }
        assert_time(&what, &came, deed);
    });
}

#[test]
fn records_of_any_kind_in_place_of_every_message() {
    let cases = every_part().filter(|(_, _, part)| *part != Part::Session);
    every(cases.flat_map(|case| on_records().map(|doing| (case, doing))), |((way, version, part), (doing, steps))| {
        let what = format!("{way:?}, {version:?}: {doing} in place of {part:?}");
        let doings = std::iter::once(shake(version, part)).chain(steps).collect();
        let came = probe(&what, way.service(), Depth::Tls, way.script(doings));
        assert_failed(&what, &came, way);
        let most = if doing.ends_with("without end") { FLOODED } else { Duration::from_secs(10) };
        assert!(came.after <= most + FAREWELL, "{what}: {:?}", came.after);
    });
}

/// No session: in clear that takes nothing from the greeting, and from the start there is none.
fn assert_failed(what: &str, came: &Came, way: Way) {
    let outcome = match way {
        Way::Implicit | Way::Older => Outcome::TlsFailed,
        Way::Starttls | Way::AuthTls => Outcome::Greeted,
    };
    assert_eq!(came.row.outcome, outcome, "{what}: {:?}", came.row.detail);
    let facts = came.row.tls.as_deref().unwrap_or_else(|| panic!("{what}: no facts"));
    assert!(matches!(facts.tls, TlsUse::Failed | TlsUse::Refused), "{what}: {:?}", facts.tls);
    assert!(facts.error.as_ref().is_some_and(|error| !error.is_empty()), "{what}");
}

/// A session stands, and then this comes, in clear: what is no record under its keys breaks it.
fn assert_inside(what: &str, came: &Came, way: Way, deed: Deed) {
    let facts = came.row.tls.as_deref().unwrap_or_else(|| panic!("{what}: no facts"));
    assert!(facts.version.is_some() && facts.cipher.is_some(), "{what}: {facts:?}");
    if matches!(way, Way::Starttls | Way::AuthTls) {
        assert_eq!(came.row.outcome, Outcome::Greeted, "{what}");
        assert!(came.row.dialogue.as_deref().is_some_and(|dialogue| dialogue.broken_off.is_some()), "{what}");
        return;
    }
    let expected = match deed {
        Deed::Stall | Deed::Drip => Outcome::Silent,
        Deed::HalfClose | Deed::Close => Outcome::Closed,
        Deed::Reset => Outcome::Reset,
        Deed::Garbage | Deed::Nuls | Deed::Flood | Deed::Megabyte | Deed::Escapes => Outcome::TlsFailed,
    };
    assert_eq!(came.row.outcome, expected, "{what}: {:?}", came.row.detail);
}

/// A handshake has its ten seconds, whatever comes; the replies before and after it have theirs.
fn assert_time(what: &str, came: &Came, deed: Deed) {
    let reply = if came.row.service.is_ftp() { 15 } else { 30 };
    // The anonymous guest comes again, on a connection that is refused.
    let most = match deed {
        Deed::HalfClose | Deed::Close | Deed::Reset => 1,
        Deed::Flood => 2,
        Deed::Stall | Deed::Drip | Deed::Garbage | Deed::Nuls | Deed::Megabyte | Deed::Escapes => reply + 1,
    };
    assert!(came.after <= Duration::from_millis(most * 1000 + 10), "{what}: {:?}", came.after);
}

/// What no library would say, under the keys of a session that stands.
#[test]
fn under_the_keys() {
    let table: [(&str, u8, &[u8], Version); 9] = [
        ("key updates without end, each to be answered", HANDSHAKE, &[24, 0, 0, 1, 1], Version::Tls13),
        ("key updates without end", HANDSHAKE, &[24, 0, 0, 1, 0], Version::Tls13),
        ("tickets without end", HANDSHAKE, &[4, 0, 0, 15, 0, 0, 0, 9, 0, 0, 0, 9, 1, 9, 0, 1, 9, 0, 0], Version::Tls13),
        ("empty words without end", APPLICATION_DATA, &[], Version::Tls13),
        ("warnings without end", ALERT, &[1, 90], Version::Tls13),
        ("wishes to negotiate again without end", HANDSHAKE, &[0, 0, 0, 0], Version::Tls12),
        ("empty words without end", APPLICATION_DATA, &[], Version::Tls12),
        ("warnings without end", ALERT, &[1, 90], Version::Tls12),
        ("the same hello without end", HANDSHAKE, &[2, 0, 0, 0], Version::Tls12),
    ];
    let cases = table.into_iter().flat_map(|case| WAYS.map(|way| (way, case)));
    let is_spoken = |way, version| way != Way::Older || version == Version::Tls12;
    every(cases.filter(|(way, case)| is_spoken(*way, case.3)), |(way, (doing, kind, words, version))| {
        let what = format!("{way:?}, {version:?}: {doing}");
        let doings = vec![shake(version, Part::Session), SETTLED, Step::SealedFlood(kind, words.to_vec())];
        let came = probe(&what, way.service(), Depth::Tls, way.script(doings));
        let facts = came.row.tls.as_deref().unwrap_or_else(|| panic!("{what}: no facts"));
        assert!(facts.version.is_some(), "{what}: {facts:?}");
        assert!(came.row.received.bytes().len() < 100, "{what}");
        // 2 MiB of it, at 8 KiB each hundredth of a second.
        assert!(came.after <= Duration::from_secs(3) + FAREWELL, "{what}: {:?}", came.after);
        match way {
            Way::Implicit | Way::Older => {
                let outcome = came.row.outcome;
                assert_eq!(outcome, Outcome::TlsFailed, "{what}");
            }
            Way::Starttls | Way::AuthTls => {
                assert_eq!(came.row.outcome, Outcome::Greeted, "{what}");
                assert!(came.row.dialogue.as_deref().unwrap().broken_off.is_some(), "{what}");
            }
        }
    });
}

/// The hand-made server's handshakes are whole: a greeting is read in both versions, and by the client for the past.
#[test]
fn sessions_that_stand() {
    for (way, version) in
        [(Way::Implicit, Version::Tls13), (Way::Implicit, Version::Tls12), (Way::Older, Version::Tls12)]
    {
        let greeting = b"220 mail.example ready\r\n".to_vec();
        let doings = vec![shake(version, Part::Session), Step::Sealed(APPLICATION_DATA, greeting.clone()), Step::Fin];
        let came = probe("the hand-made server", way.service(), Depth::Greeting, way.script(doings));
        assert_eq!(came.row.outcome, Outcome::Greeted, "{way:?} {version:?}: {:?}", came.row.detail);
        assert_eq!(came.row.greeting(), greeting);
        assert_eq!(came.row.tls.unwrap().version, Some(if version == Version::Tls12 { "TLSv1.2" } else { "TLSv1.3" }));
    }
}

/// A server that asks for another hello is asked once more on the same connection, and not for ever.
#[test]
fn hello_retry_requests_without_end() {
    // SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3), and secp256r1 wanted.
    let random = ring::digest::digest(&ring::digest::SHA256, b"HelloRetryRequest");
    let extensions = [0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 23];
    let body = [&[3, 3][..], random.as_ref(), &[0], &[0x13, 0x01, 0, 0, 12], &extensions].concat();
    let message = [&[2, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
    let again = bytes(&record(HANDSHAKE, &message));
    for way in WAYS {
        let what = format!("{way:?}: requests for another hello without end");
        let doings: Vec<_> = (0..50).flat_map(|_| [Step::Hear, again.clone()]).collect();
        let came = probe(&what, way.service(), Depth::Tls, way.script(doings));
        assert_failed(&what, &came, way);
    }
}

/// The question for TLS of the past goes to connections that do anything.
#[test]
fn in_answer_to_the_question_for_the_past() {
    let first = vec![
        shake(Version::Tls13, Part::Session),
        Step::Sealed(APPLICATION_DATA, b"220 mail.example ready\r\n".to_vec()),
        Step::Hear,
        Step::Fin,
    ];
    let parts = [(Part::ServerHello, false), (Part::Certificate, true), (Part::ServerHelloDone, true)];
    every(Deed::ALL.into_iter().flat_map(|deed| parts.map(|part| (deed, part))), |(deed, (part, is_known))| {
        let what = format!("{deed:?} in place of {part:?}, asked for the past");
        let mut doings = vec![shake(Version::Tls12, part)];
        doings.extend(deed.steps("\x16\x03\x03\0\x04\0\0\0\0", SLOW));
        let then = vec![Script { steps: doings, ..Script::default() }];
        let came = probe(&what, Service::Smtps, Depth::Tls, Script { steps: first.clone(), then, ..Script::default() });
        assert_eq!(came.row.outcome, Outcome::Greeted, "{what}");
        match came.row.tls.as_deref().and_then(|facts| facts.legacy.as_ref()) {
            Some(Legacy::Accepted { .. }) => assert!(is_known, "{what}"),
            Some(Legacy::Refused(how) | Legacy::Unknown(how)) => assert!(!is_known && !how.is_empty(), "{what}"),
            None => panic!("{what}: not asked"),
        }
        assert!(came.connections >= 2, "{what}");
    });
}
