//! What else may speak first where FTP or SMTP was expected, told by its first bytes.
//!
//! Only what the protocol's own specification fixes is looked at; anything else stays unnamed.

use crate::observation::Protocol;

/// The protocol whose server begins with these bytes.
pub(super) fn name(bytes: &[u8]) -> Option<Protocol> {
    let begins = |words: &[&str]| words.iter().any(|word| bytes.starts_with(word.as_bytes()));
    if begins(&["SSH-"]) {
        // RFC 4253 §4.2.
        Some(Protocol::Ssh)
    } else if begins(&["HTTP/"]) {
        // RFC 9112 §4: a status line, as some send unasked to a client that says nothing.
        Some(Protocol::Http)
    } else if begins(&["* OK", "* PREAUTH", "* BYE"]) {
        // RFC 9051 §7.1.
        Some(Protocol::Imap)
    } else if begins(&["+OK", "-ERR"]) {
        // RFC 1939 §3.
        Some(Protocol::Pop3)
    } else if is_tls(bytes) {
        Some(Protocol::Tls)
    } else if is_telnet(bytes) {
        Some(Protocol::Telnet)
    } else if is_mysql(bytes) {
        Some(Protocol::Mysql)
    } else {
        None
    }
}

/// News servers greet with 200 or 201 (RFC 3977 §5.1.1), which is also the shape of an FTP or SMTP reply. It is news only
/// where the text says so.
pub(super) fn is_news(code: u16, greeting: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"nntp", b"news", b"posting", b"reader mode"];
    matches!(code, 200 | 201)
        && WORDS.iter().any(|word| greeting.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}

/// Whether a first byte may begin a TLS record: `change_cipher_spec`, alert, handshake, `application_data` (RFC 8446 §5.1).
pub(super) fn may_be_tls(first: u8) -> bool {
    matches!(first, 0x14..=0x17)
}

/// A record header: type and a version of SSL 3.0 to TLS 1.3.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [first, 3, 0..=4, ..] if may_be_tls(*first))
}

/// IAC WILL, WON'T, DO or DON'T (RFC 854).
fn is_telnet(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfb..=0xfe, _, ..])
}

/// MySQL client/server protocol: a packet of three bytes length and the number 0, then protocol version 10 (or 9) and a
/// server version that ends with NUL; or an error packet, 0xff, as for a host that may not connect.
fn is_mysql(bytes: &[u8]) -> bool {
    let [a, b, c, 0, rest @ ..] = bytes else { return false };
    let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    match rest {
        [9 | 10, text @ ..] => {
            length >= text.len() && text.iter().position(|byte| *byte == 0).is_some_and(|end| (1..64).contains(&end))
        }
        [0xff, _, _, text @ ..] => length == text.len() + 3 && text.is_ascii(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_by_its_first_bytes() {
        let table: &[(&[u8], Option<Protocol>)] = &[
            (b"SSH-2.0-OpenSSH_9.6\r\n", Some(Protocol::Ssh)),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Protocol::Http)),
            (b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", Some(Protocol::Imap)),
            (b"* BYE too many\r\n", Some(Protocol::Imap)),
            (b"+OK POP3 ready\r\n", Some(Protocol::Pop3)),
            (b"-ERR not now\r\n", Some(Protocol::Pop3)),
            (b"\x15\x03\x01\x00\x02\x02\x28", Some(Protocol::Tls)),
            (b"\xff\xfd\x18\xff\xfd\x20", Some(Protocol::Telnet)),
            (b"\x4a\0\0\0\x0a8.0.36\0rest", Some(Protocol::Mysql)),
            (b"\x1b\0\0\0\xff\x6a\x04Host is not allowed here", Some(Protocol::Mysql)),
            (b"\0\0\0\0\0\0", None),
            (b"hello\r\n", None),
            (b"", None),
        ];
        for (bytes, expected) in table {
            assert_eq!(name(bytes), *expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn news_says_so() {
        assert!(is_news(200, b"200 news.example InterNetNews NNRP server ready (posting ok)\r\n"));
        assert!(is_news(201, b"201 NNTP Service Ready, posting prohibited\r\n"));
        assert!(!is_news(200, b"200 ready\r\n"));
        assert!(!is_news(220, b"220 news.example ESMTP\r\n"));
    }
}
