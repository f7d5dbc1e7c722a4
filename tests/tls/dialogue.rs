//! What every server of the matrix says: a greeting that tells which one it is, and answers that tell clear from TLS.
//!
//! `tlslite_server.py` says the same.

use super::configuration::Configuration;

/// What one server says.
#[derive(Debug, Clone)]
pub(crate) struct Dialogue {
    host: String,
    is_ftp: bool,
    /// Whether TLS comes first.
    pub(crate) is_implicit: bool,
}

/// What a line is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Words(String),
    /// These words, then a handshake.
    Upgrade(&'static str),
    /// The end of it.
    End,
}

impl Dialogue {
    pub(crate) fn of(configuration: &Configuration) -> Self {
        let service = configuration.service.as_str();
        Self {
            host: format!("tls-{}.example", configuration.id),
            is_ftp: matches!(service, "ftp" | "ftps"),
            is_implicit: matches!(service, "ftps" | "smtps"),
        }
    }

    pub(crate) fn greeting(&self) -> String {
        let host = &self.host;
        if self.is_ftp {
            format!("220-{host}\r\n220 (vsFTPd 3.0.3)\r\n")
        } else {
            format!("220 {host} ESMTP Postfix\r\n")
        }
    }

    /// What is offered only inside TLS.
    pub(crate) fn secret(&self) -> String {
        format!("X-{}", self.host.to_ascii_uppercase())
    }

    pub(crate) fn answer(&self, line: &str, inside: bool) -> Answer {
        let offer = if inside { self.secret() } else { "X-CLEAR".to_owned() };
        let upgrade = if inside { "SIZE" } else { "STARTTLS" };
        let line = line.trim_end().to_ascii_uppercase();
        match (line.split(' ').next().unwrap_or_default(), self.is_ftp) {
            ("EHLO", false) => Answer::Words(format!("250-{}\r\n250-{upgrade}\r\n250 {offer}\r\n", self.host)),
            ("STARTTLS", false) if !inside => Answer::Upgrade("220 go ahead\r\n"),
            ("FEAT", true) => Answer::Words(format!("211-Features:\r\n AUTH TLS\r\n {offer}\r\n211 End\r\n")),
            ("AUTH", true) if !inside => Answer::Upgrade("234 go ahead\r\n"),
            ("SYST", true) => Answer::Words("215 UNIX Type: L8\r\n".to_owned()),
            ("QUIT", _) => Answer::End,
            _ => Answer::Words("502 not here\r\n".to_owned()),
        }
    }
}
