//! Proof of the wordlists by their own examples: what a test runs over the compiled-in ones.
//!
//! An example holds if its own signature names it before all others and yields exactly the fields that are stated: a
//! field that is not stated must stay empty. And no signature may name a greeting that reveals nothing.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::list::List;
use super::signature::{Example, Signature};
use super::text::Text;
use super::{Classifier, Family};
use crate::observation::{Observation, Outcome, Service};

/// Greetings that name nothing.
const GENERIC: [&str; 14] = [
    "220 ready\r\n",
    "220 Ready.\r\n",
    "220 \r\n",
    "220 FTP server ready.\r\n",
    "220 FTP Server ready.\r\n",
    "220 ftp.example.com FTP server ready.\r\n",
    "220 Service ready for new user.\r\n",
    "220 Welcome to our FTP service.\r\n",
    "220-Welcome\r\n220-Authorised use only\r\n220 \r\n",
    "220 mail.example.com\r\n",
    "220 mail.example.com ESMTP\r\n",
    "220 mail.example.com SMTP service ready\r\n",
    "421 Too many connections, try again later\r\n",
    "554 mail.example.com\r\n",
];

/// What is wrong with a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The wordlist.
    pub file: String,
    /// The line of the signature, from 1.
    pub line: usize,
    /// Its id.
    pub id: String,
    /// What does not hold.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.id, self.problem)
    }
}

pub(super) fn check(classifier: &Classifier) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for family in [Family::Ftp, Family::Mail] {
        let list = classifier.list(family);
        for signature in list.signatures() {
            let mut mistake = |problem| {
                mistakes.push(Mistake {
                    file: signature.file.to_string(),
                    line: signature.line,
                    id: signature.id.clone(),
                    problem,
                });
            };
            for greeting in GENERIC {
                if signature.pattern.is_match(Text::read(greeting.as_bytes()).as_str().as_bytes()) {
                    mistake(format!("names {greeting:?}, which reveals nothing"));
                }
            }
            for example in &signature.examples {
                if let Err(problem) = prove(classifier, family, signature, example) {
                    mistake(format!("{problem}, for {:?}", example.greeting));
                }
            }
        }
    }
    mistakes
}

fn prove(classifier: &Classifier, family: Family, signature: &Signature, example: &Example) -> Result<(), String> {
    wins(classifier.list(family), signature, example)?;
    let row = row_of(classifier, family, example);
    let software = row.software.as_deref();
    for (field, found, stated) in [
        ("version", software.and_then(|software| software.version.as_deref()), example.version.as_deref()),
        ("host", row.hostname.as_deref(), example.host.as_deref()),
        ("os", software.and_then(|software| software.os.as_deref()), example.os.as_deref()),
        ("device", software.and_then(|software| software.device.as_deref()), example.device.as_deref()),
    ] {
        if found != stated {
            return Err(format!("{field} is {found:?}, not {stated:?}"));
        }
    }
    Ok(())
}

fn wins(list: &List, signature: &Signature, example: &Example) -> Result<(), String> {
    match list.best(&Text::read(example.greeting.as_bytes())) {
        None => Err("no signature matches".to_owned()),
        Some((winner, _)) if winner.id == signature.id => Ok(()),
        Some((winner, _)) => Err(format!("`{}` wins", winner.id)),
    }
}

fn row_of(classifier: &Classifier, family: Family, example: &Example) -> Observation {
    let (service, port) = match family {
        Family::Ftp => (Service::Ftp, 21),
        Family::Mail => (Service::Smtp, 25),
    };
    let mut row = Observation::new(SystemTime::UNIX_EPOCH, None, port, service, Outcome::Greeted);
    row.received.push(example.greeting.as_bytes(), Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    classifier.classify(&mut row);
    row
}
