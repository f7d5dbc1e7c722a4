//! Rules at work: observations made of what peers say and when, and what speaks for something in front of them.

mod connections;
mod said;

use std::net::IpAddr;
use std::time::SystemTime;

use super::*;
use crate::classify::Classifier;
use crate::observation::{Asked, Dialogue, Offers, Outcome, Reply, Service, TlsFacts, TlsUse};
use Grade::{Decisive, Moderate, Strong, Weak};
use Service::{Ftp, Ftps, Smtp, Smtps, Submission};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ended(service: Service, outcome: Outcome) -> Observation {
    let port = match service {
        Ftp => 21,
        Ftps => 990,
        Smtp => 25,
        Submission => 587,
        Smtps => 465,
    };
    Observation::new(SystemTime::UNIX_EPOCH, Some(ip("198.51.100.7")), port, service, outcome)
}

/// A host whose first piece is the greeting, or begins with it, and which said the rest at these times. QUIT was said
/// right behind the first.
fn heard(service: Service, pieces: &[(u64, &str)]) -> Observation {
    let mut row = ended(service, Outcome::Greeted);
    for (at, words) in pieces {
        row.received.push(words.as_bytes(), ms(*at));
    }
    let first = replies::replies(row.received.bytes(), 0).next().expect("a greeting");
    (row.code, row.greeting_len) = (Some(first.code), first.bytes.len());
    row.greeting_after = greeted_at(&row);
    row.quit_at = row.greeting_after.map(|at| at + ms(1));
    row
}

/// A host that was asked something: the replies are in `received`, as the probe has them.
fn asked(service: Service, greeting: &str, asked: Asked, answer: &str) -> Observation {
    let answer = answer.replace('\n', "\r\n") + "\r\n";
    let mut row = heard(service, &[(10, &format!("{greeting}\r\n")), (20, &answer), (30, "221 2.0.0 Bye\r\n")]);
    row.quit_at = Some(ms(25));
    row.dialogue = Some(Box::new(Dialogue { offers: Some(offers(asked, &answer)), ..Dialogue::default() }));
    row
}

fn offers(asked: Asked, answer: &str) -> Offers {
    Offers::new(asked, reply(answer))
}

fn reply(answer: &str) -> Reply {
    Reply { code: answer[..3].parse().unwrap(), bytes: answer.as_bytes().to_vec() }
}

fn inside_tls(mut row: Observation, names: &[&str]) -> Observation {
    let own = crate::observation::Certificate {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        ..crate::observation::Certificate::default()
    };
    let mut facts = TlsFacts::new(TlsUse::Implicit);
    facts.chain = [Arc::new(own)].into();
    row.tls = Some(Box::new(facts));
    row
}

/// What a sweep makes of it.
fn classified(mut row: Observation, vantage: &Vantage) -> Observation {
    Classifier::builtin().classify_from(&mut row, vantage);
    row
}

/// Every piece of evidence, as `grade code: excerpt`.
fn told(row: &Observation) -> Vec<String> {
    let tell = |it: &Evidence| {
        format!("{:?} {}: {}", it.grade, it.code, it.excerpt.as_deref().unwrap_or_default()).to_lowercase()
    };
    row.evidence.iter().map(tell).collect()
}

/// The grade of one code in each of the rows, and that nothing of another code is seen.
#[track_caller]
fn assert_each(code: EvidenceCode, rows: impl IntoIterator<Item = (Observation, Option<Grade>)>) {
    for (index, (row, expected)) in rows.into_iter().enumerate() {
        let row = classified(row, &Vantage::default());
        let found: Vec<_> = row.evidence.iter().map(|it| (it.code, it.grade)).collect();
        let expected: Vec<_> = expected.into_iter().map(|grade| (code, grade)).collect();
        let words = row.received.bytes().escape_ascii().to_string();
        assert_eq!(found, expected, "row {index}: {words}: {:?}", told(&row));
    }
}

#[test]
fn every_code_has_its_rule_but_the_one_of_many_rows() {
    let without = EvidenceCode::ALL.into_iter().filter(|code| RULES.iter().all(|rule| rule.code != *code));
    assert_eq!(without.collect::<Vec<_>>(), [EvidenceCode::SameEverywhere]);
}

#[test]
fn nothing_speaks_where_nothing_was_seen() {
    for outcome in Outcome::ALL {
        for service in Service::ALL {
            let row = classified(ended(service, outcome), &Vantage::default());
            let is_mute_close = matches!(outcome, Outcome::Closed | Outcome::Reset) && !service.is_implicit_tls();
            assert_eq!(row.evidence.is_empty(), !is_mute_close, "{service} {outcome}: {:?}", told(&row));
            assert_eq!(row.fronting.is_some(), outcome.is_connected(), "{service} {outcome}");
        }
    }
}

#[test]
fn verdicts() {
    use EvidenceCode::{AcceptThenClose, NamedFront, OtherPortNamed, Postscreen, SameEverywhere, Tarpit};
    for (evidence, expected) in [
        (&[][..], Fronting::NotObserved),
        (&[(Tarpit, Weak)], Fronting::Possible),
        (&[(Tarpit, Weak), (Postscreen, Weak), (NamedFront, Weak)], Fronting::Possible),
        (&[(AcceptThenClose, Moderate)], Fronting::Possible),
        (&[(AcceptThenClose, Moderate), (Tarpit, Weak)], Fronting::Possible),
        (&[(AcceptThenClose, Moderate), (SameEverywhere, Moderate)], Fronting::Likely),
        (&[(AcceptThenClose, Moderate), (AcceptThenClose, Moderate)], Fronting::Possible),
        (&[(Postscreen, Strong)], Fronting::Likely),
        (&[(Postscreen, Strong), (Postscreen, Strong)], Fronting::Likely),
        (&[(Postscreen, Strong), (SameEverywhere, Moderate)], Fronting::Likely),
        (&[(Postscreen, Strong), (NamedFront, Strong)], Fronting::Confirmed),
        (&[(Tarpit, Decisive)], Fronting::Confirmed),
        (&[(OtherPortNamed, Decisive)], Fronting::Nat),
        (&[(OtherPortNamed, Decisive), (Tarpit, Weak)], Fronting::Nat),
        (&[(OtherPortNamed, Decisive), (AcceptThenClose, Moderate)], Fronting::Nat),
        (&[(OtherPortNamed, Decisive), (Postscreen, Strong)], Fronting::Likely),
        (&[(OtherPortNamed, Decisive), (Tarpit, Decisive)], Fronting::Confirmed),
    ] {
        let piece = |&(code, grade)| Evidence { code, grade, excerpt: None, at: None, front: None };
        let evidence: Vec<_> = evidence.iter().map(piece).collect();
        assert_eq!(verdict(&evidence), expected, "{evidence:?}");
    }
}

#[test]
fn the_strongest_stands_first_and_lends_its_name() {
    let mut row =
        heard(Smtp, &[(10, "220-mx.example ESMTP\r\n"), (6010, "220 mx.example ESMTP\r\n"), (6020, "500 what\r\n")]);
    row.quit_at = Some(ms(6015));
    row.received.push(b"221 bye\r\n", ms(6030));
    let row = classified(row, &Vantage::default());
    assert_eq!(told(&row), ["decisive unsolicited_error: 500 what", "strong postscreen: mx.example esmtp"]);
    assert_eq!((row.front(), row.fronting), (Some("postscreen"), Some(Fronting::Confirmed)));
    assert_eq!(row.evidence[0].at, Some(ms(6020)));
}

#[test]
fn an_excerpt_is_a_line_at_most() {
    assert_eq!(excerpt("one \r\ntwo"), "one");
    assert_eq!(excerpt(&"ü".repeat(500)), "ü".repeat(EXCERPT));
    assert_eq!(excerpt(""), "");
}
