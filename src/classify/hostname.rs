//! The host name that a server gives itself.
//!
//! RFC 5321 §4.2 and §4.3.1 have the greeting of a mail server begin with its domain or address literal. Many begin with
//! something else, so a word counts only where it can be one: better no name than `Welcome`. FTP has no such rule; there
//! only a signature can tell. Nothing is resolved here, and the name proves nothing about who runs the host.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::text::Text;

/// RFC 5321 §4.5.3.1.2.
const MAX_DOMAIN: usize = 255;

/// RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

/// How many lines are looked at: the name stands on the first, or after a few lines of decoration.
const LINES: usize = 8;

/// The name at the start of a mail server's greeting.
pub(super) fn in_mail_greeting(text: &Text<'_>) -> Option<String> {
    let whole = text.as_str();
    let mut start = 0;
    for line in whole.split('\n').take(LINES) {
        let end = start + line.len();
        if let Some(name) = at_start_of(line) {
            // The name is the last word that came: `220 mail.exam` may have been on its way to `mail.example.com`.
            let is_last = line.trim_end().ends_with(name) && text.may_be_cut_at(end);
            return (!is_last).then(|| name.to_owned());
        }
        start = end + 1;
    }
    None
}

/// A word as a domain or address literal, without the punctuation that follows it in a sentence.
pub(super) fn accept(word: &str) -> Option<&str> {
    let word = word.trim_end_matches([',', ';', ':', '.']);
    (is_domain(word) || is_literal(word)).then_some(word)
}

fn at_start_of(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace().skip_while(|word| is_enhanced_status(word));
    let first = words.next()?;
    let name = accept(first)?;
    if name.starts_with('[') || is_qualified(name) {
        return Some(name);
    }
    // A bare label is a name only where the protocol's follows, as in `220 mailhost ESMTP`; Microsoft's servers put
    // their maker's name between.
    let mut next = words.next()?;
    if next.eq_ignore_ascii_case("Microsoft") {
        next = words.next()?;
    }
    (is_protocol(next) && !is_protocol(name) && !name.eq_ignore_ascii_case("Welcome")).then_some(name)
}

fn is_protocol(word: &str) -> bool {
    ["ESMTP", "SMTP", "LMTP", "ESMTPS", "ESMTPSA"]
        .iter()
        .any(|protocol| word.trim_end_matches([';', ',', ':']).eq_ignore_ascii_case(protocol))
}

/// RFC 3463, as in `421 4.7.0 mail.example.com Error: …`.
fn is_enhanced_status(word: &str) -> bool {
    let mut parts = word.split('.');
    let class = matches!(parts.next(), Some("2" | "4" | "5"));
    let details = parts.by_ref().take(2).filter(|part| is_short_number(part)).count() == 2;
    class && details && parts.next().is_none()
}

fn is_short_number(part: &str) -> bool {
    (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
}

/// More than one label, the last of which can be a top-level domain or a private one such as `local`.
fn is_qualified(domain: &str) -> bool {
    domain.rsplit_once('.').is_some_and(|(_, top)| top.len() >= 2 && top.as_bytes()[0].is_ascii_alphabetic())
}

fn is_domain(word: &str) -> bool {
    word.len() <= MAX_DOMAIN
        && word.split('.').all(is_label)
        && word.rsplit('.').next().is_some_and(|top| !top.bytes().all(|b| b.is_ascii_digit()))
}

/// A label as RFC 5321 has it, or with the underscore that many a host name has all the same.
fn is_label(label: &str) -> bool {
    let inside = label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (1..=MAX_LABEL).contains(&label.len()) && inside && !label.starts_with('-') && !label.ends_with('-')
}

/// RFC 5321 §4.1.3.
fn is_literal(word: &str) -> bool {
    let Some(inner) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) else { return false };
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inner[5..].parse::<Ipv6Addr>().is_ok(),
        _ => inner.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_greeting_begins_with_a_name_or_with_something_else() {
        for (greeting, name) in [
            ("220 mail.example.com ESMTP\r\n", Some("mail.example.com")),
            ("220 mail.example.com\r\n", Some("mail.example.com")),
            ("220 mail.example.com.  ESMTP\r\n", Some("mail.example.com")),
            ("220 mail.example.com, ESMTP EXIM\r\n", Some("mail.example.com")),
            ("220-mail_1.example.com ESMTP\r\n220 go on\r\n", Some("mail_1.example.com")),
            ("220 [192.0.2.1] ESMTP\r\n", Some("[192.0.2.1]")),
            ("220 [IPv6:2001:db8::1] ESMTP\r\n", Some("[IPv6:2001:db8::1]")),
            ("220 mailhost ESMTP Postfix\r\n", Some("mailhost")),
            ("220 EXCH01 Microsoft ESMTP MAIL Service ready\r\n", Some("EXCH01")),
            ("421 4.7.0 mail.example.com Error: too many connections\r\n", Some("mail.example.com")),
            ("220-*** hello ***\r\n220 mail.example.com ESMTP\r\n", Some("mail.example.com")),
            ("220 192.0.2.1 ESMTP\r\n", None),
            ("220 [192.0.2.256] ESMTP\r\n", None),
            ("220 ESMTP Postfix\r\n", None),
            ("220 ready\r\n", None),
            ("220 Welcome to mail.example.com\r\n", None),
            ("220 e.g. this\r\n", None),
            ("220 **********\r\n", None),
            ("554 5.7.1 Service unavailable\r\n", None),
            ("220 -mail.example.com ESMTP\r\n", None),
            ("220 mail..example.com ESMTP\r\n", None),
            ("220 mail.exam", None),
            ("220 mail.example.com E", Some("mail.example.com")),
            ("220\r\n", None),
            ("", None),
        ] {
            assert_eq!(in_mail_greeting(&Text::read(greeting.as_bytes())).as_deref(), name, "{greeting:?}");
        }
    }
}
