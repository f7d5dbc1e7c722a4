//! What happened at one endpoint, moment by moment: what we said (`>`), what the server said (`<`), and the rest (`*`).
//!
//! Every line of a peer is escaped, and there is an end to how many of them are shown.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use hailer::Observation;
use hailer::observation::{Certificate, CertificateVerdict, Event, TlsFacts, Transcript};
use hailer::output::escape::escape;
use hailer::output::{Cell, Column, Timestamp, hex};

use super::page::Page;

/// So many lines of one side are shown in a row; FEAT and EHLO have up to thirty.
const MAX_LINES: usize = 40;

/// So many bytes of one line are shown: what RFC 5321 §4.5.3.1.5 allows a reply.
const MAX_LINE: usize = 512;

/// So many names of a certificate are shown.
const MAX_NAMES: usize = 12;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer of more lines is not told a second time.
const REPEATED: usize = 3;

/// Which certificates were told, and where.
pub(in crate::cli) type Told = BTreeMap<[u8; 32], u16>;

/// Tells an endpoint's story.
pub(in crate::cli) fn tell(row: &Observation, told: &mut Told, page: &mut Page) {
    let Some(transcript) = row.transcript.as_deref() else { return };
    let shown_at = shows_certificate(transcript);
    let certificate = row.tls.as_deref().filter(|facts| !facts.chain.is_empty());
    let mut said = Speech::default();
    for (number, moment) in transcript.moments().iter().enumerate() {
        let at = moment.at.as_millis();
        let words = match &moment.event {
            Event::Said(bytes) => {
                said.add(at, '>', bytes, page);
                continue;
            }
            Event::Heard(bytes) => {
                said.add(at, '<', bytes, page);
                continue;
            }
            Event::Dialled(to) => format!("connecting to {to}"),
            Event::Connected => "connected".to_owned(),
            Event::NotConnected(why) => format!("not connected: {}", escape(why.as_bytes())),
            Event::Hello(kind) => format!("TLS: we offer {kind}"),
            Event::Secured(facts) => format!("TLS: {}", escape(facts.as_bytes())),
            Event::WouldSpeak(facts) => format!("TLS: it would speak {}, and we leave", escape(facts.as_bytes())),
            Event::NotSecured(why) => format!("TLS: not agreed: {}", escape(why.as_bytes())),
            Event::Ended => "they closed".to_owned(),
            Event::Broken(why) => format!("the connection broke: {}", escape(why.as_bytes())),
            Event::GaveUp => "nothing more came in time".to_owned(),
            Event::Closed => "we closed".to_owned(),
        };
        said.flush(page);
        page.moment(Some(at), '*', &words);
        if let Some(facts) = certificate.filter(|_| shown_at == Some(number)) {
            tell_certificate(row, facts, told, page);
        }
    }
    said.flush(page);
    if transcript.is_truncated() {
        page.moment(None, '*', "more happened than is kept");
    }
}

/// Which moment's handshake showed the certificate that is known: the one that was done, or else the last, for what an
/// earlier one showed is forgotten where plain text was the answer to it.
fn shows_certificate(transcript: &Transcript) -> Option<usize> {
    let moments = transcript.moments();
    let done = moments.iter().position(|moment| matches!(moment.event, Event::Secured(_)));
    done.or_else(|| moments.iter().rposition(|moment| matches!(moment.event, Event::NotSecured(_))))
}

/// What one side says, until the other does or something happens. Lines that come in pieces are put together.
#[derive(Default)]
struct Speech {
    at: u128,
    who: Option<char>,
    bytes: Vec<u8>,
    /// Answers of several lines, and when they came.
    before: Vec<(u128, Vec<u8>)>,
}

impl Speech {
    fn add(&mut self, at: u128, who: char, bytes: &[u8], page: &mut Page) {
        if self.who != Some(who) || self.bytes.ends_with(b"\n") {
            self.flush(page);
            (self.at, self.who) = (at, Some(who));
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn flush(&mut self, page: &mut Page) {
        let Some(who) = self.who.take() else { return };
        let text = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let count = text.split(|byte| *byte == b'\n').count();
        if let Some((at, _)) = self.before.iter().find(|(_, bytes)| *bytes == self.bytes) {
            page.moment(Some(self.at), who, &format!("… the same {count} lines as at {at} ms"));
            self.bytes.clear();
            return;
        }
        let mut lines = text.split(|byte| *byte == b'\n');
        for (number, line) in lines.by_ref().take(MAX_LINES).enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let shown = escape(&line[..line.len().min(MAX_LINE)]);
            let more = line.len().saturating_sub(MAX_LINE);
            let shown = if more > 0 { format!("{shown}… {more} bytes more") } else { shown };
            page.moment((number == 0).then_some(self.at), who, &shown);
        }
        match lines.count() {
            0 => {}
            more => page.moment(None, who, &format!("… {more} lines more")),
        }
        let bytes = std::mem::take(&mut self.bytes);
        if count > REPEATED {
            self.before.push((self.at, bytes));
        }
    }
}

fn tell_certificate(row: &Observation, facts: &TlsFacts, told: &mut Told, page: &mut Page) {
    let Some(leaf) = facts.chain.first() else { return };
    let mut fact = |label: &str, words: &str| page.moment(None, '*', &format!("{label:<12} {words}"));
    if let Some(port) = told.get(&leaf.sha256) {
        fact("certificate", &format!("the same as on port {port}"));
        return;
    }
    told.insert(leaf.sha256, row.port);
    fact("certificate", &shown(Column::CertSubject.cell(row)).unwrap_or_else(|| "without a subject".into()));
    if !leaf.names.is_empty() {
        fact("for", &names(leaf));
    }
    if let Some(words) = validity(leaf, row.time) {
        fact("valid", &words);
    }
    let key = [Column::CertKey, Column::CertSignature].map(|column| shown(column.cell(row)).unwrap_or_default());
    fact("key", &format!("{}, signed with {}", key[0], key[1]));
    if let Some(issuer) = shown(Column::CertIssuer.cell(row)) {
        fact("issued by", &issuer);
    }
    match facts.chain.len() {
        1 => {}
        more => fact("chain", &format!("{more} certificates")),
    }
    fact("SHA-256", &hex(&leaf.sha256));
    if let Some(verdict) = facts.verdict {
        fact("judged", &judged(verdict));
    }
}

/// Everything that speaks against a certificate, or that nothing does.
pub(super) fn judged(verdict: CertificateVerdict) -> String {
    let CertificateVerdict { malformed, bad_signature, not_yet_valid, expired, self_signed, trusted, name_matches } =
        verdict;
    let flaws = [
        (malformed, "malformed"),
        (bad_signature, "not proved to be the server's"),
        (not_yet_valid, "not valid yet"),
        (expired, "expired"),
        (self_signed && !trusted, "signed by itself"),
        (!self_signed && !trusted && !malformed, "not signed by a known authority"),
        (name_matches == Some(false), "for other names than the one asked for"),
    ];
    let flaws: Vec<_> = flaws.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect();
    if flaws.is_empty() { "valid".to_owned() } else { flaws.join(", ") }
}

/// From when to when, and how that lies to the time of the probe.
fn validity(leaf: &Certificate, now: SystemTime) -> Option<String> {
    let day = |time| Timestamp::seconds(time).map(|time| time.to_string()[..10].to_owned());
    let (from, to) = (day(leaf.not_before?)?, day(leaf.not_after?)?);
    let days = |span: Duration| match span.as_secs() / DAY.as_secs() {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let left = match leaf.not_after?.duration_since(now) {
        Ok(left) => format!("{} left", days(left)),
        Err(over) => format!("expired {} ago", days(over.duration())),
    };
    Some(format!("{from} to {to}, {left}"))
}

fn names(of: &Certificate) -> String {
    let shown: Vec<_> = of.names.iter().take(MAX_NAMES).map(|name| escape(name.as_bytes())).collect();
    let left_out = usize::try_from(of.names_left_out).unwrap_or(usize::MAX);
    let more = of.names.len().saturating_sub(MAX_NAMES).saturating_add(left_out);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

/// A cell as text, escaped.
pub(super) fn shown(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Empty | Cell::Flag | Cell::List(_) | Cell::Findings(_) | Cell::Evidence(_) | Cell::Millis(_) => None,
        Cell::Integer(number) => Some(number.to_string()),
        Cell::Time(time) => Some(time.to_string()),
        Cell::Ip(ip) => Some(ip.to_string()),
        Cell::Word(word) => Some(word.to_owned()),
        Cell::Hash(hash) => Some(hex(hash)),
        Cell::Text(text) => Some(escape(text.as_bytes())),
        Cell::Bytes(bytes) => Some(escape(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use hailer::observation::TlsUse;

    use super::super::hand_made::{certified, greeted};
    use super::*;

    fn told(row: &Observation) -> String {
        let mut page = Page::new(100);
        tell(row, &mut Told::new(), &mut page);
        page.into_text()
    }

    fn with(mut row: Observation, events: &[(u64, Event)]) -> Observation {
        let mut transcript = Transcript::default();
        for (at, event) in events {
            transcript.push(Duration::from_millis(*at), event.clone());
        }
        row.transcript = Some(Box::new(transcript));
        row
    }

    fn said(words: &str) -> Event {
        Event::Said(words.as_bytes().to_vec())
    }

    fn heard(words: &str) -> Event {
        Event::Heard(words.as_bytes().to_vec())
    }

    #[test]
    fn both_sides_are_told_line_by_line() {
        let row = with(
            greeted(25, "220 mx.example ESMTP\r\n"),
            &[
                (0, Event::Dialled("192.0.2.5:25".parse().unwrap())),
                (12, Event::Connected),
                (20, heard("220 mx.exa")),
                (25, heard("mple ESMTP\r\n")),
                (26, said("EHLO probe.example\r\n")),
                (40, heard("250-mx.example\r\n250-SIZE 1000\r\n250 \x1b[2JHELP\r\n")),
                (41, said("QUIT\r\n")),
                (60, heard("221 bye\n")),
                (61, Event::Ended),
                (61, Event::Closed),
            ],
        );
        let expected = "      0 ms * connecting to 192.0.2.5:25
     12 ms * connected
     20 ms < 220 mx.example ESMTP
     26 ms > EHLO probe.example
     40 ms < 250-mx.example
           < 250-SIZE 1000
           < 250 \\x1b[2JHELP
     41 ms > QUIT
     60 ms < 221 bye
     61 ms * they closed
     61 ms * we closed
";
        assert_eq!(told(&row), expected);
    }

    #[test]
    fn a_certificate_is_summed_up_once() {
        let mut row = certified(greeted(465, "220 ready\r\n"), &["mail.example", "*.mail.example"]);
        let verdict = CertificateVerdict {
            expired: true,
            trusted: true,
            name_matches: Some(false),
            ..CertificateVerdict::default()
        };
        row.tls.as_mut().unwrap().verdict = Some(verdict);
        let mut row = with(
            row,
            &[
                (10, Event::NotSecured("plain text in answer".into())),
                (30, Event::Hello("TLS 1.2 and 1.3")),
                (60, Event::Secured("TLSv1.3 TLS_AES_128_GCM_SHA256 X25519".into())),
                (70, Event::Hello("at most TLS 1.1")),
                (80, Event::NotSecured("alert protocol_version".into())),
            ],
        );
        let expected = "     10 ms * TLS: not agreed: plain text in answer
     30 ms * TLS: we offer TLS 1.2 and 1.3
     60 ms * TLS: TLSv1.3 TLS_AES_128_GCM_SHA256 X25519
           * certificate  CN=mail.example
           * for          mail.example, *.mail.example
           * valid        1970-01-01 to 1970-01-31, 30 days left
           * key          RSA 2048, signed with sha256WithRSAEncryption
           * issued by    CN=authority
           * SHA-256      0000000000000000000000000000000000000000000000000000000000000000
           * judged       expired, for other names than the one asked for
     70 ms * TLS: we offer at most TLS 1.1
     80 ms * TLS: not agreed: alert protocol_version
";
        assert_eq!(told(&row), expected);
        row.time += 31 * DAY;
        assert!(told(&row).contains("1970-01-31, expired 1 day ago\n"));
    }

    #[test]
    fn a_certificate_stands_where_it_was_shown() {
        let plain = || (10, Event::NotSecured("plain text in answer".into()));
        let failed = || (40, Event::NotSecured("alert bad_certificate".into()));
        let row = || certified(greeted(465, "220 ready\r\n"), &["mail.example"]);
        let text = told(&with(row(), &[plain(), (30, Event::Hello("TLS 1.2 and 1.3")), failed()]));
        assert!(text.contains("40 ms * TLS: not agreed: alert bad_certificate\n           * certificate"), "{text}");
        let mut without = row();
        without.tls = Some(Box::new(TlsFacts::new(TlsUse::NotOffered)));
        assert!(!told(&with(without, &[plain()])).contains("* certificate"));
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let offers = "250-mx.example\r\n250-SIZE 1000\r\n250-DSN\r\n250 HELP\r\n";
        let secured = |at| (at, Event::Secured("TLSv1.3".into()));
        let row = certified(greeted(25, "220 ready\r\n"), &["mail.example"]);
        let row = with(
            row,
            &[(1, heard(offers)), secured(2), (3, heard("250 one\r\n")), (4, heard(offers)), (5, heard("250 one\r\n"))],
        );
        let mut page = Page::new(100);
        let mut known = Told::new();
        tell(&row, &mut known, &mut page);
        tell(&Observation { port: 587, ..row }, &mut known, &mut page);
        let text = page.into_text();
        assert_eq!(text.matches("4 ms < … the same 4 lines as at 1 ms\n").count(), 2, "{text}");
        assert_eq!(text.matches("< 250 one").count(), 4, "{text}");
        assert_eq!(text.matches("* certificate  the same as on port 25\n").count(), 1, "{text}");
    }

    #[test]
    fn there_is_an_end_to_what_is_shown() {
        let mut row = greeted(25, "");
        row.tls = Some(Box::new(TlsFacts::new(TlsUse::NotOffered)));
        let row = with(row, &[(1, heard(&"250-x\r\n".repeat(50))), (2, said(&"y".repeat(600)))]);
        let text = told(&row);
        assert_eq!(text.matches("< 250-x").count(), MAX_LINES);
        assert!(text.contains("< … 10 lines more\n") && text.contains("y… 88 bytes"), "{text}");
    }
}
