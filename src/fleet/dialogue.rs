//! What a server says to what it hears before login: goodbye to QUIT, its answers to the questions that it knows, and its
//! product's own complaint to the rest.
//!
//! Plain functions over bytes. A line without end is counted, not kept.

use super::cast::Script;
use super::features::Answers;

/// The longest command line that RFC 5321 §4.5.3.1.4 asks servers to take.
const MAX_LINE: usize = 512;

/// After so many complaints a server has enough, as Postfix has (`smtpd_hard_error_limit`).
pub(super) const MAX_COMPLAINTS: u32 = 20;

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manner {
    /// To QUIT.
    pub(super) farewell: Vec<u8>,
    /// To what it does not understand.
    pub(super) complaint: Vec<u8>,
    /// To what it does; commands are in capitals, and whole or the first word.
    pub(super) answers: Answers,
    pub(super) door: Option<Door>,
}

/// The way inside TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Door {
    /// What is said to go there.
    pub(super) command: &'static str,
    pub(super) answer: Vec<u8>,
    /// What is played there.
    pub(super) behind: Box<Script>,
}

/// An answer, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    Farewell(&'a [u8]),
    Answer(&'a [u8]),
    Complaint(&'a [u8]),
    /// After which the scene changes.
    Door(&'a [u8], &'a Script),
}

impl Manner {
    /// The code of its complaint.
    pub(super) fn complaint_code(&self) -> &str {
        self.complaint.get(..3).and_then(|code| str::from_utf8(code).ok()).unwrap_or_default()
    }

    /// The answer to one line. One that ends in QUIT counts as that: where plain text is spoken on a TLS port, the
    /// client's hello stands before it.
    pub(super) fn reply(&self, line: &[u8]) -> Reply<'_> {
        let line = line.trim_ascii_end().to_ascii_uppercase();
        let says = |command: &str| {
            let rest = line.strip_prefix(command.as_bytes());
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b' ')))
        };
        if line.ends_with(b"QUIT") {
            return Reply::Farewell(&self.farewell);
        }
        if let Some(door) = self.door.as_ref().filter(|door| says(door.command)) {
            return Reply::Door(&door.answer, &door.behind);
        }
        let answer = self.answers.iter().find(|(command, _)| says(command));
        answer.map_or(Reply::Complaint(&self.complaint), |(_, words)| Reply::Answer(words))
    }
}

/// The manner of a product; `host` is the name that the server gives itself.
pub(super) fn manner(product: Option<&str>, is_ftp: bool, host: Option<&str>) -> Manner {
    let host = host.unwrap_or("localhost");
    let (farewell, complaint) = match product.unwrap_or_default() {
        "vsftpd" | "Microsoft IIS FTP" => ("221 Goodbye.".to_owned(), "530 Please login with USER and PASS."),
        "ProFTPD" => ("221 Goodbye.".to_owned(), "500 Command not understood"),
        "Pure-FTPd" => ("221 Logout.".to_owned(), "530 You aren't logged in"),
        "FileZilla Server" => ("221 Goodbye".to_owned(), "530 Please log in with USER and PASS first."),
        "pyftpdlib" => ("221 Goodbye.".to_owned(), "530 Log in with USER and PASS first."),
        "Postfix" => ("221 2.0.0 Bye".to_owned(), "500 5.5.2 Error: command not recognized"),
        "Exim" => (format!("221 {host} closing connection"), "500 unrecognized command"),
        "Sendmail" => (format!("221 2.0.0 {host} closing connection"), "500 5.5.1 Command unrecognized"),
        "Microsoft Exchange Server" | "Microsoft Exchange Online" | "Microsoft IIS SMTP" => {
            ("221 2.0.0 Service closing transmission channel".to_owned(), "500 5.3.3 Unrecognized command")
        }
        "OpenSMTPD" => ("221 2.0.0 Bye".to_owned(), "500 5.5.1 Invalid command: Command unrecognized"),
        "nginx" => ("221 2.0.0 OK".to_owned(), "500 5.5.1 Invalid command"),
        "Dovecot" => ("221 2.0.0 Bye".to_owned(), "502 5.5.1 Unknown command"),
        _ if is_ftp => ("221 Goodbye.".to_owned(), "530 Not logged in."),
        _ => (format!("221 {host} closing connection"), "500 5.5.1 Command unrecognized"),
    };
    Manner { farewell: line(&farewell), complaint: line(complaint), answers: vec![], door: None }
}

fn line(words: &str) -> Vec<u8> {
    format!("{words}\r\n").into_bytes()
}

/// Cuts what is heard into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// The next whole line, as far as it is kept, which is taken off `bytes`; none when more must be heard.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = rest;
        self.line.extend(part.iter().take(MAX_LINE - self.line.len()));
        end?;
        Some(std::mem::take(&mut self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cast::End;
    use super::*;

    fn manner_that_answers() -> Manner {
        let behind = Script { tls: None, steps: vec![], end: End::Close };
        let door = Door { command: "AUTH TLS", answer: line("234 Go ahead"), behind: behind.into() };
        let answers = vec![("FEAT", line("211 None")), ("AUTH", line("504 Unknown mechanism"))];
        Manner { answers, door: Some(door), ..manner(None, true, None) }
    }

    /// The codes that are answered.
    fn codes(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, manner) = (Lines::default(), manner_that_answers());
        let mut found = Vec::new();
        for part in parts {
            let mut bytes = *part;
            while let Some(line) = lines.next(&mut bytes) {
                let (Reply::Farewell(words) | Reply::Answer(words) | Reply::Complaint(words) | Reply::Door(words, _)) =
                    manner.reply(&line);
                found.push(String::from_utf8_lossy(&words[..3]).into_owned());
            }
        }
        found
    }

    #[test]
    fn commands_are_told_apart() {
        let long = [b'x'; 2000];
        let table: &[(&[&[u8]], &[&str])] = &[
            (&[b"QUIT\r\n"], &["221"]),
            (&[b"qu", b"it\r", b"\n"], &["221"]),
            (&[b"QUIT\n"], &["221"]),
            (&[b"EHLO a\r\nQUIT\r\n"], &["530", "221"]),
            (&[b"\x16\x03\x01\0\n\xffQUIT\r\n"], &["530", "221"]),
            (&[b"QUITE\r\n", b"\r\n"], &["530", "530"]),
            (&[b"QUIT"], &[]),
            (&[&long, &long, b"\r\nQUIT\r\n"], &["530", "221"]),
            (&[b"feat\r\n", b"FEATURES\r\n", b"FEAT all\r\n"], &["211", "530", "211"]),
            (&[b"AUTH TLS\r\n", b"AUTH SSL\r\n", b"AUTHOR\r\n"], &["234", "504", "530"]),
        ];
        for (parts, expected) in table {
            assert_eq!(codes(parts), *expected, "{parts:?}");
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            assert_eq!(lines.next(&mut &[b'x'; 1000][..]), None);
        }
        assert!(lines.line.len() <= MAX_LINE);
    }

    #[test]
    fn manners_are_replies() {
        for product in ["vsftpd", "Postfix", "Exim", "unheard of"] {
            for is_ftp in [true, false] {
                let Manner { farewell, complaint, .. } = manner(Some(product), is_ftp, Some("mail.oslo.example"));
                assert!(farewell.starts_with(b"221 ") && farewell.ends_with(b"\r\n"), "{product}");
                assert!(complaint.starts_with(b"5") && complaint.ends_with(b"\r\n"), "{product}");
            }
        }
    }
}
