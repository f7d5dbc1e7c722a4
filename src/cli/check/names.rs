//! Which names a server shows of itself, and whether the expected one is among them.
//!
//! A greeting and an answer to EHLO name one host; a certificate may be shared by many, so that it is told by which of
//! them a name was found. Names are compared without regard to case and without the root's dot.

use std::fmt;

use hailer::observation::Offers;
use hailer::{Observation, Outcome};

/// Where a server shows a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Greeting,
    Ehlo,
    Certificate,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the greeting",
            Self::Ehlo => "the answer to EHLO",
            Self::Certificate => "the certificate",
        })
    }
}

/// Whether the expected server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answered {
    /// Its name is here, written so.
    Yes(Source, String),
    /// Other names are shown.
    Other(Vec<(Source, String)>),
    /// No name is shown.
    Nameless,
    /// Nothing answered that could have a name.
    Nobody,
}

impl Answered {
    /// Looks for a name in what was shown.
    pub(super) fn of(row: &Observation, expected: &str) -> Self {
        if row.outcome != Outcome::Greeted {
            return Self::Nobody;
        }
        let shown = shown(row);
        if let Some((source, name)) = shown.iter().find(|(source, name)| is_for(name, expected, *source)) {
            return Self::Yes(*source, name.clone());
        }
        if words(&String::from_utf8_lossy(row.greeting())).any(|word| is_for(word, expected, Source::Greeting)) {
            return Self::Yes(Source::Greeting, expected.to_owned());
        }
        if shown.is_empty() { Self::Nameless } else { Self::Other(shown) }
    }

    /// The word that JSON has for it.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Yes(..) => "yes",
            Self::Other(_) => "no",
            Self::Nameless => "not_told",
            Self::Nobody => "no_answer",
        }
    }
}

/// What is to be said where none of a server's names is the one that it was reached by: something or nothing.
pub(super) fn stranger(row: &Observation) -> Option<Vec<(Source, String)>> {
    let asked = row.name.as_deref()?;
    if row.ptr.iter().any(|name| is_for(name, asked, Source::Greeting)) {
        return None;
    }
    match Answered::of(row, asked) {
        Answered::Other(names) => Some(names),
        Answered::Yes(..) | Answered::Nameless | Answered::Nobody => None,
    }
}

/// Some names for people, each once, with where they were shown; not escaped yet.
pub(super) fn listed(names: &[(Source, String)]) -> String {
    /// More would not be read.
    const MOST: usize = 4;
    let shown: Vec<_> = names.iter().take(MOST).map(|(source, name)| format!("{name} ({source})")).collect();
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}

/// Every name that a server shows, each once for a source.
fn shown(row: &Observation) -> Vec<(Source, String)> {
    let dialogue = row.dialogue.as_deref();
    let offers = dialogue.into_iter().flat_map(|dialogue| [&dialogue.offers, &dialogue.offers_inside]).flatten();
    let certificate = row.tls.as_deref().and_then(|facts| facts.chain.first());
    let greeting = row.hostname.iter().map(|name| (Source::Greeting, name.clone()));
    let ehlo = offers.filter_map(ehlo_name).map(|name| (Source::Ehlo, name));
    let certificate =
        certificate.into_iter().flat_map(|it| it.names.iter().map(|name| (Source::Certificate, name.clone())));
    let mut shown: Vec<(Source, String)> = Vec::new();
    for entry in greeting.chain(ehlo).chain(certificate) {
        if !shown.contains(&entry) {
            shown.push(entry);
        }
    }
    shown
}

/// The first word of the answer to EHLO or HELO (RFC 5321 §4.1.1.1).
fn ehlo_name(offers: &Offers) -> Option<String> {
    use hailer::observation::Asked;
    let is_mail = match offers.asked {
        Asked::Ehlo | Asked::Helo => true,
        Asked::Feat => false,
    };
    let line = offers.reply.lines().next().filter(|_| is_mail && offers.reply.is_positive())?;
    line.split_whitespace().next().map(str::to_owned).filter(|name| name.contains('.'))
}

/// Whether a name that was shown stands for the expected one. Only a certificate's may have `*` for its first label
/// (RFC 9525 §6.3).
fn is_for(shown: &str, expected: &str, source: Source) -> bool {
    let shown = shown.strip_suffix('.').unwrap_or(shown);
    let expected = expected.strip_suffix('.').unwrap_or(expected);
    if shown.eq_ignore_ascii_case(expected) {
        return true;
    }
    let below = |name: &str| name.split_once('.').map(|(_, rest)| rest.to_ascii_lowercase());
    source == Source::Certificate && shown.starts_with("*.") && below(shown) == below(expected)
}

/// The words of a text that could be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))).map(|word| word.trim_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::super::hand_made::{certified, ehlo, greeted};
    use super::*;

    #[test]
    fn names_are_found_where_they_are_shown() {
        let smtp = || greeted(25, "220 mx1.example ESMTP\r\n");
        let table = [
            (smtp(), "MX1.Example", "yes (the greeting)"),
            (greeted(21, "220 ProFTPD Server (files) [ftp.example]\r\n"), "ftp.example", "yes (the greeting)"),
            (
                ehlo(greeted(25, "220 ready\r\n"), "250-mx2.example hello\r\n250 SIZE\r\n"),
                "mx2.example",
                "yes (the answer to EHLO)",
            ),
            (certified(smtp(), &["mail.example", "*.example.com"]), "mail.example", "yes (the certificate)"),
            (certified(smtp(), &["mail.example", "*.example.com"]), "a.example.com", "yes (the certificate)"),
            (certified(smtp(), &["*.example.com"]), "a.b.example.com", "no"),
            (certified(smtp(), &["*.example.com"]), "example.com", "no"),
            (greeted(25, "220 *.example ESMTP\r\n"), "mx.example", "not_told"),
            (smtp(), "x1.example", "no"),
            (greeted(25, "220 ready\r\n"), "mx1.example", "not_told"),
        ];
        for (row, expected, told) in table {
            let answered = Answered::of(&row, expected);
            let by = match &answered {
                Answered::Yes(source, _) => format!(" ({source})"),
                Answered::Other(_) | Answered::Nameless | Answered::Nobody => String::new(),
            };
            assert_eq!(format!("{}{by}", answered.as_str()), told, "{expected}: {answered:?}");
        }
        let refused = Observation { outcome: Outcome::Refused, ..smtp() };
        assert_eq!(Answered::of(&refused, "mx1.example"), Answered::Nobody);
    }

    #[test]
    fn a_stranger_shows_none_of_the_names() {
        let mut row = greeted(25, "220 shared7.hoster.example ESMTP\r\n");
        assert_eq!(stranger(&row), None, "no name was asked for");
        row.name = Some("mail.example".into());
        assert_eq!(stranger(&row), Some(vec![(Source::Greeting, "shared7.hoster.example".into())]));
        row.ptr = vec!["mail.example".into()];
        assert_eq!(stranger(&row), None);
        row.ptr.clear();
        assert_eq!(stranger(&certified(row, &["*.hoster.example", "mail.example"])), None);
    }
}
