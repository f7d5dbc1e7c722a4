//! What must hold of classification whatever a peer says, and of wordlists whatever their author writes.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::{Input, assert_written, greeted};
use crate::classify::Classifier;
use crate::observation::{Asked, Dialogue, Observation, Offers, Outcome, Received, Reply, Service};

/// Every name that a row may have.
static NAMES: LazyLock<HashSet<Arc<str>>> =
    LazyLock::new(|| Classifier::builtin().products().into_iter().map(|product| product.name).collect());

/// A greeting and, behind separators, what came after it and the answers to EHLO or FEAT and to SYST.
pub(super) fn classify(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = usize::from(input.byte());
    let row = observe(choice, input, usize::MAX);
    let named = classified(row.clone());
    assert_eq!(format!("{:?}", classified(row)), format!("{named:?}"), "the same is taken for the same");

    // When the bytes came is evidence of a front, and of nothing else.
    let in_parts = classified(observe(choice, input, 1 + choice));
    assert_eq!(in_parts.banner_hash, named.banner_hash);
    assert_eq!(in_parts.software, named.software);
    assert_eq!((&in_parts.hostname, in_parts.announced.clone()), (&named.hostname, named.announced.clone()));

    if let Some(software) = &named.software {
        assert!(NAMES.contains(&software.name), "{software:?} is in no wordlist");
        assert!((1..=100).contains(&software.confidence), "{software:?}");
    }
    if named.outcome != Outcome::OtherProtocol && named.dialogue.is_none() {
        let name = Classifier::builtin().name(named.service, named.greeting());
        assert_eq!(named.software.as_deref(), name.as_ref());
    }
    assert!(named.findings.is_sorted_by(|one, next| one.severity >= next.severity), "the worst comes first");
    assert_written(&named);
}

fn classified(mut row: Observation) -> Observation {
    Classifier::builtin().classify(&mut row);
    row
}

/// What a probe hands on, read in parts of this size.
fn observe(choice: usize, mut input: Input<'_>, size: usize) -> Observation {
    let outcomes = [Outcome::Greeted, Outcome::Closed, Outcome::Silent, Outcome::OtherProtocol];
    let (greeting, after) = (input.part(), input.part());
    let mut row = greeted(b"");
    row.service = Service::ALL[choice % Service::ALL.len()];
    row.outcome = outcomes[choice / Service::ALL.len() % outcomes.len()];
    row.received = Received::default();
    for (at, part) in (0..).zip(greeting.chunks(size)) {
        row.received.push(part, Duration::from_millis(at));
    }
    row.greeting_len = row.received.bytes().len();
    row.received.push(after, Duration::from_secs(1));
    row.code = greeting.get(..3).and_then(|code| str::from_utf8(code).ok()).and_then(|code| code.parse().ok());
    let mut reply = || Some(input.part()).filter(|bytes| !bytes.is_empty()).map(reply);
    let asked = if row.service.is_ftp() { Asked::Feat } else { Asked::Ehlo };
    let offers = reply().map(|reply| Offers::new(asked, reply));
    let system = reply();
    if offers.is_some() || system.is_some() {
        let mut dialogue = Dialogue { offers, system, ..Dialogue::default() };
        dialogue.settle();
        row.dialogue = Some(Box::new(dialogue));
    }
    row
}

fn reply(bytes: &[u8]) -> Reply {
    let bytes = bytes.get(..Reply::LIMIT).unwrap_or(bytes).to_vec();
    let code = bytes.get(..3).and_then(|code| str::from_utf8(code).ok()).and_then(|code| code.parse().ok());
    Reply { code: code.unwrap_or(250), bytes }
}

/// A wordlist is refused at a place, or names what it says it names.
pub(super) fn wordlist(bytes: &[u8]) {
    const EMPTY: &str = "signature = []";
    let text = String::from_utf8_lossy(bytes);
    let lists = |list| [("ftp.toml", list), ("smtp.toml", EMPTY), ("fronts.toml", EMPTY)];
    let classifier = match Classifier::new(lists(&text)) {
        Ok(classifier) => classifier,
        Err(error) => {
            assert!(error.line >= 1 && error.line <= 1 + text.matches('\n').count(), "{error}");
            assert!(error.column >= 1 && error.file == "ftp.toml", "{error}");
            return;
        }
    };
    assert_eq!(Classifier::new(lists(&text)).map(|again| *again.digest()).ok(), Some(*classifier.digest()));
    classifier.check();
    let names: HashSet<_> = classifier.products().into_iter().map(|product| product.name).collect();
    for greeting in ["220 ready\r\n", "220-a\r\n220 b 1.2.3 (c)\r\n", "220 mail.example.com ESMTP x\r\n", "5"] {
        let named = classifier.name(Service::Ftp, greeting.as_bytes());
        assert!(named.is_none_or(|software| names.contains(&software.name)));
    }
}
