//! What other protocols' servers say first, by their own specifications.

use super::draw::Draw;
use crate::observation::Protocol;

/// Who says what; `HOST` is the server's name.
const SPEAKERS: [(Option<Protocol>, &[u8]); 17] = [
    (Some(Protocol::Ssh), b"SSH-2.0-OpenSSH_9.6\r\n"),
    (Some(Protocol::Ssh), b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
    (Some(Protocol::Ssh), b"SSH-2.0-dropbear_2022.83\r\n"),
    (Some(Protocol::Http), b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    (Some(Protocol::Imap), b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] Dovecot ready.\r\n"),
    (Some(Protocol::Imap), b"* BYE Too many connections\r\n"),
    (Some(Protocol::Pop3), b"+OK HOST POP3 ready <1896.697170952@HOST>\r\n"),
    (Some(Protocol::Pop3), b"-ERR not now\r\n"),
    (Some(Protocol::Nntp), b"200 HOST InterNetNews NNRP server INN 2.7.1 ready (posting ok)\r\n"),
    (Some(Protocol::Nntp), b"201 NNTP Service Ready, posting prohibited\r\n"),
    (Some(Protocol::Telnet), b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"),
    // Length and number of the packet, protocol 10, version, thread, eight bytes of salt, capabilities.
    (Some(Protocol::Mysql), b"\x1a\0\0\0\x0a8.0.36\0\x2a\0\0\0abcdefgh\0\xff\xf7\x21\x02\0"),
    // A fatal alert, as from a TLS server that will not have us (RFC 8446 §6).
    (Some(Protocol::Tls), &[0x15, 3, 1, 0, 2, 2, 40]),
    (None, b"RFB 003.008\n"),
    (None, b"hello\r\n"),
    (None, b"<?xml version='1.0'?>\r\n"),
    (None, b"\0\0\0\x10\0\0\0\0"),
];

/// A server of another protocol: which, where that can be told, and its first words.
pub(super) fn speaker(draw: &mut Draw, domain: &str) -> (Option<Protocol>, Vec<u8>) {
    let (protocol, words) = *draw.pick(&SPEAKERS);
    let words = match str::from_utf8(words) {
        Ok(text) => text.replace("HOST", &format!("host.{domain}")).into_bytes(),
        Err(_) => words.to_vec(),
    };
    (protocol, words)
}
