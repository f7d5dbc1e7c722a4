//! What a server says to what it hears before login: goodbye to QUIT, and its product's own complaint to the rest.
//!
//! Plain functions over bytes. No command but QUIT is understood; a line without end is counted, not kept.

/// The longest command line that RFC 5321 §4.5.3.1.4 asks servers to take.
const MAX_LINE: usize = 512;

/// After so many complaints a server has enough, as Postfix has (`smtpd_hard_error_limit`).
pub(super) const MAX_COMPLAINTS: u32 = 20;

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manner {
    /// To QUIT.
    pub(super) farewell: Vec<u8>,
    /// To anything else.
    pub(super) complaint: Vec<u8>,
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
    Manner { farewell: line(&farewell), complaint: line(complaint) }
}

fn line(words: &str) -> Vec<u8> {
    format!("{words}\r\n").into_bytes()
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// QUIT.
    Quit,
    /// Anything else.
    Other,
}

/// Cuts what is heard into commands.
#[derive(Debug, Default)]
pub(super) struct Commands {
    line: Vec<u8>,
}

impl Commands {
    /// The next whole command, which is taken off `bytes`; none when more must be heard.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Command> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        *bytes = rest;
        self.line.extend(part.iter().take(MAX_LINE - self.line.len()));
        end?;
        let command = read(&self.line);
        self.line.clear();
        Some(command)
    }
}

/// A line that ends in QUIT counts as one: where plain text is spoken on a TLS port, the client's hello stands before it.
fn read(line: &[u8]) -> Command {
    let line = line.trim_ascii_end();
    let verb = &line[line.len().saturating_sub(4)..];
    if verb.eq_ignore_ascii_case(b"QUIT") { Command::Quit } else { Command::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(parts: &[&[u8]]) -> Vec<Command> {
        let mut commands = Commands::default();
        let mut found = Vec::new();
        for part in parts {
            let mut bytes = *part;
            while let Some(command) = commands.next(&mut bytes) {
                found.push(command);
            }
        }
        found
    }

    #[test]
    fn commands_are_told_apart() {
        use Command::{Other, Quit};
        let long = [b'x'; 2000];
        let table: &[(&[&[u8]], &[Command])] = &[
            (&[b"QUIT\r\n"], &[Quit]),
            (&[b"qu", b"it\r", b"\n"], &[Quit]),
            (&[b"QUIT\n"], &[Quit]),
            (&[b"EHLO a\r\nQUIT\r\n"], &[Other, Quit]),
            (&[b"\x16\x03\x01\0\n\xffQUIT\r\n"], &[Other, Quit]),
            (&[b"QUITE\r\n", b"\r\n"], &[Other, Other]),
            (&[b"QUIT"], &[]),
            (&[&long, &long, b"\r\nQUIT\r\n"], &[Other, Quit]),
        ];
        for (parts, expected) in table {
            assert_eq!(commands(parts), *expected, "{parts:?}");
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let mut commands = Commands::default();
        for _ in 0..1000 {
            assert_eq!(commands.next(&mut &[b'x'; 1000][..]), None);
        }
        assert!(commands.line.len() <= MAX_LINE);
    }

    #[test]
    fn manners_are_replies() {
        for product in ["vsftpd", "Postfix", "Exim", "unheard of"] {
            for is_ftp in [true, false] {
                let Manner { farewell, complaint } = manner(Some(product), is_ftp, Some("mail.oslo.example"));
                assert!(farewell.starts_with(b"221 ") && farewell.ends_with(b"\r\n"), "{product}");
                assert!(complaint.starts_with(b"5") && complaint.ends_with(b"\r\n"), "{product}");
            }
        }
    }
}
