//! Proof of the wordlists by their own examples: what a test runs over the compiled-in ones.
//!
//! An example holds if its own signature names it before all others, no other software is as good as sure of it, and it
//! yields exactly the fields that are stated: a field that is not stated must stay empty. No signature may name a text
//! that reveals nothing, and none may have to be tried on every text. Fronts are proved by who wins alone, since a row
//! shows no more of them.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::list::List;
use super::signature::{Example, Said, Signature};
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

/// The same in answer to EHLO, FEAT and SYST.
const GENERIC_EHLO: [&str; 3] = [
    "250 mail.example.com\r\n",
    "250-mail.example.com Hello client.example [192.0.2.1]\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 8BITMIME\r\n",
    "502 Command not implemented\r\n",
];
const GENERIC_FEAT: [&str; 3] = [
    "211-Features:\r\n MDTM\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n",
    "211 no features\r\n",
    "530 Please login with USER and PASS.\r\n",
];
const GENERIC_SYST: [&str; 2] = ["215 UNIX Type: L8\r\n", "530 Please login with USER and PASS.\r\n"];

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

/// All that is wrong, in the order of the files.
pub(super) fn check(classifier: &Classifier) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let lists =
        [(&classifier.ftp, Some(Family::Ftp)), (&classifier.mail, Some(Family::Mail)), (&classifier.fronts, None)];
    for (list, family) in lists {
        let mut signatures: Vec<&Signature> = list.signatures().collect();
        signatures.sort_by(|a, b| a.file.cmp(&b.file).then(a.line.cmp(&b.line)));
        for signature in signatures {
            let revealed = reveals_nothing(signature).map(|text| format!("names {text:?}, which reveals nothing"));
            let mut problems: Vec<String> = revealed.collect();
            problems.extend(relations(list, signature));
            for example in &signature.examples {
                let proof = wins(list, signature, example).and_then(|()| match family {
                    Some(family) => yields(classifier, family, signature, example)
                        .and_then(|()| is_known_elsewhere(classifier.list(family.other()), signature, example)),
                    None => Ok(()),
                });
                problems.extend(proof.err().map(|problem| format!("{problem}, for {:?}", example.greeting)));
            }
            mistakes.extend(problems.into_iter().map(|problem| Mistake {
                file: signature.file.to_string(),
                line: signature.line,
                id: signature.id.clone(),
                problem,
            }));
        }
    }
    mistakes
}

fn reveals_nothing(signature: &Signature) -> impl Iterator<Item = &'static str> {
    let texts = match signature.said {
        Said::Greeting => &GENERIC[..],
        Said::Ehlo => &GENERIC_EHLO,
        Said::Feat => &GENERIC_FEAT,
        Said::Syst => &GENERIC_SYST,
    };
    let is_named = |text: &&str| signature.pattern.find(Text::read(text.as_bytes()).as_str().as_bytes()).is_some();
    texts.iter().copied().filter(is_named)
}

/// What does not hold between a signature and the others of its list, whatever the text.
fn relations(list: &List, signature: &Signature) -> Vec<String> {
    let mut problems = Vec::new();
    if signature.pattern.required.is_none() {
        problems.push("no literal of three letters that must occur: it is tried on every greeting".to_owned());
    }
    for id in &signature.over {
        match list.signatures().find(|other| other.id == *id) {
            None => problems.push(format!("`over` names `{id}`, which is not there")),
            Some(other) if other.is_over(signature) => problems.push(format!("`{id}` and it are over each other")),
            Some(other) if other.said != signature.said => {
                problems.push(format!("`over` names `{id}`, which is said elsewhere"));
            }
            Some(_) => {}
        }
    }
    let unknown = |software: &&String| !list.signatures().any(|other| *other.software == ***software);
    problems.extend(
        signature.runs.iter().filter(unknown).map(|it| format!("`runs` names `{it}`, which no signature names")),
    );
    problems
}

fn wins(list: &List, signature: &Signature, example: &Example) -> Result<(), String> {
    let found = list.find(signature.said, &Text::read(example.greeting.as_bytes()));
    match found {
        None => Err("no signature matches".to_owned()),
        Some(found) if found.signature.id != signature.id => Err(format!("`{}` wins", found.signature.id)),
        Some(found) => match found.rival {
            None => Ok(()),
            Some(rival) => Err(format!(
                "`{}` ({}:{}) fits as well: say which is more specific with `over`",
                rival.id, rival.file, rival.line
            )),
        },
    }
}

fn yields(classifier: &Classifier, family: Family, signature: &Signature, example: &Example) -> Result<(), String> {
    let (software, host) = match signature.said {
        Said::Greeting => {
            let row = row_of(classifier, family, example);
            (row.software.map(|software| *software), row.hostname)
        }
        Said::Ehlo | Said::Feat | Said::Syst => {
            let text = Text::read(example.greeting.as_bytes());
            let made = classifier.list(family).best_said(signature.said, &text).map(|(_, made)| made);
            made.map_or((None, None), |made| (Some(made.software), made.host))
        }
    };
    let software = software.as_ref();
    for (field, found, stated) in [
        ("version", software.and_then(|software| software.version.as_deref()), example.version.as_deref()),
        ("host", host.as_deref(), example.host.as_deref()),
        ("os", software.and_then(|software| software.os.as_deref()), example.os.as_deref()),
        ("device", software.and_then(|software| software.device.as_deref()), example.device.as_deref()),
    ] {
        if found != stated {
            return Err(format!("{field} is {found:?}, not {stated:?}"));
        }
    }
    Ok(())
}

/// On a port of the other family, whose list comes first there, a greeting has no other name.
fn is_known_elsewhere(other: &List, signature: &Signature, example: &Example) -> Result<(), String> {
    let found = match signature.said {
        Said::Greeting => other.find(signature.said, &Text::read(example.greeting.as_bytes())),
        Said::Ehlo | Said::Feat | Said::Syst => None,
    };
    match found.map(|found| found.signature).filter(|found| found.software != signature.software) {
        Some(found) => {
            Err(format!("on a port of the other kind `{}` ({}:{}) names it", found.id, found.file, found.line))
        }
        None => Ok(()),
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
