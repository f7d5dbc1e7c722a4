//! In place of every reply that is waited for, at its beginning, within its line, and between its lines.

use super::*;
use crate::probe::scripted::TlsPeer;

/// A reply that is waited for.
struct Wait {
    service: Service,
    /// What it answers; none for the greeting.
    verb: Option<&'static str>,
    /// What it should be.
    code: u16,
    /// What comes before it.
    before: Vec<Step>,
}

fn waits() -> Vec<Wait> {
    let inside = || vec![Step::Secure(TlsPeer::SelfSigned)];
    let wait = |service, verb, code, before| Wait { service, verb, code, before };
    let mut waits = vec![
        wait(Service::Ftp, None, 220, vec![]),
        wait(Service::Smtp, None, 220, vec![]),
        wait(Service::Submission, None, 220, vec![]),
        wait(Service::Ftps, None, 220, inside()),
        wait(Service::Smtps, None, 220, inside()),
    ];
    let talks = [
        (
            Service::Smtp,
            vec![],
            vec![("EHLO", 250, "250-mail.example\r\n250 STARTTLS\r\n"), ("STARTTLS", 220, "220 go\r\n")],
        ),
        (
            Service::Ftp,
            vec![],
            vec![
                ("FEAT", 211, "211-can\r\n UTF8\r\n211 End\r\n"),
                ("SYST", 215, "215 UNIX\r\n"),
                ("AUTH", 234, "234 go\r\n"),
            ],
        ),
        (Service::Smtps, inside(), vec![("EHLO", 250, "")]),
        (
            Service::Ftps,
            inside(),
            vec![
                ("FEAT", 211, "211-can\r\n UTF8\r\n211 End\r\n"),
                ("SYST", 215, "215 UNIX\r\n"),
                ("USER", 331, "331 who?\r\n"),
                ("PASS", 230, "230 in\r\n"),
                ("PASV", 227, "227 (192,0,2,1,156,65)\r\n"),
                ("PASV", 227, "227 (192,0,2,1,156,66)\r\n"),
                ("EPSV", 229, ""),
            ],
        ),
    ];
    for (service, mut before, answers) in talks {
        before.push(send("220 mail.example ready\r\n"));
        for (verb, code, answer) in answers {
            before.push(Step::Hear);
            waits.push(wait(service, Some(verb), code, before.clone()));
            before.push(send(answer));
        }
        if !service.is_implicit_tls() {
            before.extend(inside());
            before.push(Step::Hear);
            let (verb, code) = if service.is_ftp() { ("FEAT", 211) } else { ("EHLO", 250) };
            waits.push(wait(service, Some(verb), code, before));
        }
    }
    waits
}

/// How far a reply has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    WithinItsLine,
    BetweenItsLines,
}

impl Place {
    const ALL: [Self; 3] = [Self::Beginning, Self::WithinItsLine, Self::BetweenItsLines];

    fn begins(self, code: u16) -> String {
        match self {
            Self::Beginning => String::new(),
            Self::WithinItsLine => format!("{code} mail.exa"),
            Self::BetweenItsLines => format!("{code}-mail.example\r\n"),
        }
    }
}

/// How waiting for a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    NoReply,
    TooMuch,
    Deadline,
    Closed,
    Reset,
}

/// **The rule.** What comes of a deed depends on nothing but how far the reply has come.
fn end(place: Place, deed: Deed) -> End {
    match (deed, place) {
        (Deed::HalfClose | Deed::Close, _) => End::Closed,
        (Deed::Reset, _) => End::Reset,
        (Deed::Garbage | Deed::Nuls | Deed::Megabyte | Deed::Escapes, Place::Beginning) => End::NoReply,
        (Deed::Escapes | Deed::Flood, Place::WithinItsLine) => End::Complete,
        (Deed::Nuls | Deed::Megabyte | Deed::Flood, _) => End::TooMuch,
        (Deed::Stall | Deed::Drip | Deed::Garbage | Deed::Escapes, _) => End::Deadline,
    }
}

#[test]
fn in_place_of_every_reply() {
    let waits = waits();
    assert_eq!(waits.len(), 20);
    let cases = waits.iter().flat_map(|wait| Place::ALL.map(|place| (wait, place)));
    every(cases.flat_map(|(wait, place)| Deed::ALL.map(|deed| (wait, place, deed))), |(wait, place, deed)| {
        let Wait { service, verb, code, before } = wait;
        let what = format!("{service}: {deed:?} at {place:?} of the answer to {verb:?}");
        let line = format!("{code}-and on, and on\r\n");
        let slow = format!("{code} and on, and on, and on, and on, and on, and on");
        let doings = std::iter::once(send(place.begins(*code))).chain(deed.steps(&line, &slow));
        let came = probe(&what, *service, Depth::Tls, once(before.iter().cloned().chain(doings).collect()));
        match verb {
            None => assert_greeting(&what, &came, end(place, deed)),
            Some(verb) => assert_answer(&what, &came, verb, end(place, deed)),
        }
        assert_time(&what, &came, end(place, deed));
    });
}

/// The outcome tells how waiting for the greeting ended.
fn assert_greeting(what: &str, came: &Came, end: End) {
    let expected = match end {
        End::Complete => Outcome::Greeted,
        End::NoReply => Outcome::OtherProtocol,
        End::TooMuch | End::Deadline => Outcome::Silent,
        End::Closed => Outcome::Closed,
        End::Reset => Outcome::Reset,
    };
    assert_eq!(came.row.outcome, expected, "{what}: {:?}", came.row.detail);
    let detail = (end == End::TooMuch).then_some("no end of the greeting after 1 MiB");
    assert_eq!(came.row.detail.as_deref(), detail, "{what}");
}

/// It was greeted, whatever came then, and the dialogue tells why it broke off.
fn assert_answer(what: &str, came: &Came, verb: &str, end: End) {
    assert_eq!((came.row.outcome, came.row.code), (Outcome::Greeted, Some(220)), "{what}");
    let patience = if came.row.service.is_ftp() { 15 } else { 30 };
    let expected = match end {
        End::Complete => return,
        End::NoReply => format!("no reply in answer to {verb}"),
        End::TooMuch => format!("no end of the answer to {verb}"),
        End::Deadline => format!("no answer to {verb} in {patience} s"),
        End::Closed => format!("closed in answer to {verb}"),
        End::Reset => format!("reset in answer to {verb}"),
    };
    let dialogue = came.row.dialogue.as_deref().unwrap_or_else(|| panic!("{what}: no dialogue"));
    assert_eq!(dialogue.broken_off.as_deref(), Some(&*expected), "{what}");
}

/// Nobody is waited for who has ended it or gone too far, and who stalls is waited for as long as was promised.
fn assert_time(what: &str, came: &Came, end: End) {
    let patience = Duration::from_secs(if came.row.service.is_ftp() { 15 } else { 30 });
    // Who has not said a word may be waiting for a hello of TLS.
    let is_mute = came.row.received.is_empty() && !came.row.service.is_implicit_tls();
    let guess = Duration::from_secs(if is_mute { 10 } else { 0 });
    let (least, most) = match end {
        End::Deadline => (patience, patience + guess + FAREWELL),
        // What a flood takes to come, the rest of a first line, and the farewell.
        End::NoReply | End::TooMuch => (Duration::ZERO, Duration::from_secs(2) + FAREWELL),
        End::Closed | End::Reset => (Duration::ZERO, FAREWELL),
        End::Complete => (Duration::ZERO, BOUND),
    };
    // tokio's clock has milliseconds.
    assert!(least <= came.after && came.after <= most + Duration::from_millis(10), "{what}: {:?}", came.after);
}

/// After the greeting, before anything is asked, and in place of the answer to QUIT.
#[test]
fn after_the_greeting() {
    let cases = Service::ALL.into_iter().flat_map(|service| Deed::ALL.map(|deed| (service, deed)));
    every(cases, |(service, deed)| {
        let greeting = || {
            let tls = service.is_implicit_tls().then_some(Step::Secure(TlsPeer::SelfSigned));
            tls.into_iter().chain([send("220 mail.example ready\r\n")])
        };
        for place in Place::ALL {
            let what = format!("{service}: {deed:?} at {place:?} of the answer to QUIT");
            let doings = [Step::Hear, send(place.begins(221))];
            let doings = doings.into_iter().chain(deed.steps("221-and on\r\n", "221 and on, and on"));
            let came = probe(&what, service, Depth::Greeting, once(greeting().chain(doings).collect()));
            assert_eq!((came.row.outcome, came.row.code), (Outcome::Greeted, Some(220)), "{what}");
            assert_eq!(came.row.greeting(), b"220 mail.example ready\r\n", "{what}");
            assert!(came.after <= FAREWELL + Duration::from_millis(10), "{what}: {:?}", came.after);
        }
        let what = format!("{service}: {deed:?} right after the greeting");
        let doings = deed.steps("250 and on\r\n", "250 and on, and on");
        let came = probe(&what, service, Depth::Tls, once(greeting().chain(doings).collect()));
        assert_eq!((came.row.outcome, came.row.code), (Outcome::Greeted, Some(220)), "{what}");
        assert_eq!(came.row.greeting(), b"220 mail.example ready\r\n", "{what}");
    });
}

/// Replies without end, each of them whole and none of them due.
#[test]
fn replies_that_answer_nothing() {
    every(waits(), |Wait { service, verb, code, mut before }| {
        let Some(verb) = verb else { return };
        let what = format!("{service}: endless replies in place of the answer to {verb}");
        // The one that means yes to another question.
        let stray = if code == 250 { "215 no\r\n" } else { "250 no\r\n" };
        before.push(Step::Flood(stray.into()));
        let came = probe(&what, service, Depth::Tls, once(before));
        assert_answer(&what, &came, verb, End::TooMuch);
        assert_time(&what, &came, End::TooMuch);
        assert!(!came.row.dialogue.unwrap().unasked.is_empty(), "{what}");
    });
}
