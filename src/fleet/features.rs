//! What a server offers to those who ask what it can do, and what a row says of that.
//!
//! A [`Repertoire`] is drawn from a table, and told twice over like everything that is played: as the answers that a
//! server gives, and as the columns that must come of them.

use super::draw::Draw;
use crate::observation::{Service, TlsUse};

/// What a server can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repertoire {
    /// The keywords of EHLO or FEAT.
    offers: Offers,
    /// What is offered besides, inside TLS alone.
    more_inside: &'static [&'static str],
    door: Door,
}

#[derive(Debug, Clone, Copy)]
enum Offers {
    Keywords(&'static [&'static str]),
    /// Mail: EHLO is not understood, HELO is.
    Helo,
    /// No question is understood.
    Nothing,
}

/// What becomes of those who want to go on inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Nothing is known of that.
    None,
    /// They are refused.
    Shut,
    Open,
    /// FTP: to those who say AUTH SSL, as before RFC 4217.
    OpenToSsl,
}

/// Mail servers.
const MAIL: [Repertoire; 5] = [
    Repertoire {
        offers: Offers::Keywords(&["PIPELINING", "SIZE 10240000", "8BITMIME"]),
        more_inside: &["AUTH PLAIN LOGIN"],
        door: Door::Open,
    },
    Repertoire { offers: Offers::Keywords(&["SIZE 52428800", "8BITMIME", "HELP"]), more_inside: &[], door: Door::Open },
    Repertoire { offers: Offers::Keywords(&["8BITMIME", "AUTH CRAM-MD5"]), more_inside: &[], door: Door::None },
    Repertoire { offers: Offers::Keywords(&["SIZE 20971520", "DSN"]), more_inside: &[], door: Door::Shut },
    Repertoire { offers: Offers::Helo, more_inside: &[], door: Door::None },
];

/// FTP servers.
const FTP: [Repertoire; 5] = [
    Repertoire {
        offers: Offers::Keywords(&["AUTH TLS", "MDTM", "REST STREAM", "SIZE", "UTF8"]),
        more_inside: &["PBSZ", "PROT"],
        door: Door::Open,
    },
    Repertoire { offers: Offers::Keywords(&["EPSV", "AUTH TLS;SSL;"]), more_inside: &["CCC"], door: Door::Open },
    Repertoire { offers: Offers::Keywords(&["AUTH SSL", "MDTM"]), more_inside: &["PROT"], door: Door::OpenToSsl },
    Repertoire { offers: Offers::Keywords(&["MDTM", "SIZE"]), more_inside: &[], door: Door::Shut },
    Repertoire { offers: Offers::Nothing, more_inside: &[], door: Door::None },
];

/// The answer to SYST (RFC 959 §4.1.3).
const SYSTEM: &str = "UNIX Type: L8";

/// A command in capitals and the answer to it.
pub(super) type Answers = Vec<(&'static str, Vec<u8>)>;

/// What rows have of a dialogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) capabilities: Vec<String>,
    pub(super) auth: Vec<String>,
}

impl Repertoire {
    /// One who understands nothing: a server of another protocol.
    pub(super) const NONE: Self = Self { offers: Offers::Nothing, more_inside: &[], door: Door::None };

    pub(super) fn draw(service: Service, draw: &mut Draw) -> Self {
        *draw.pick(if service.is_ftp() { &FTP } else { &MAIL })
    }

    /// The answers in clear, or inside TLS; `host` is what the server calls itself.
    pub(super) fn answers(self, is_ftp: bool, is_inside: bool, host: &str) -> Answers {
        let mut keywords = match self.offers {
            Offers::Keywords(keywords) => keywords.to_vec(),
            Offers::Helo => return vec![("HELO", said(&format!("250 {host}")))],
            Offers::Nothing => return vec![],
        };
        if is_inside {
            keywords.extend(self.more_inside);
        }
        if is_ftp {
            let lines = [&["211-Features:"], &keywords[..]].concat().join("\r\n ");
            let mut answers =
                vec![("FEAT", said(&format!("{lines}\r\n211 End"))), ("SYST", said(&format!("215 {SYSTEM}")))];
            match self.door {
                Door::Shut => answers.push(("AUTH", said("431 Unable to accept security mechanism"))),
                Door::OpenToSsl => answers.push(("AUTH TLS", said("504 Unknown security mechanism"))),
                Door::None | Door::Open => {}
            }
            return answers;
        }
        if !is_inside && self.door != Door::None {
            keywords.push("STARTTLS");
        }
        let lines = std::iter::once(host).chain(keywords).collect::<Vec<_>>().join("\r\n250-");
        let (before, last) = lines.rsplit_once("250-").unwrap_or_default();
        let mut answers = vec![("EHLO", said(&format!("250-{before}250 {last}")))];
        if !is_inside && self.door == Door::Shut {
            answers.push(("STARTTLS", said("454 4.7.0 TLS not available due to local problem")));
        }
        answers
    }

    /// The command that leads inside TLS and its answer, if one does.
    pub(super) fn way_in(self, is_ftp: bool) -> Option<(&'static str, Vec<u8>)> {
        match self.door {
            Door::None | Door::Shut => None,
            Door::OpenToSsl => Some(("AUTH SSL", said("234 Go ahead"))),
            Door::Open if is_ftp => Some(("AUTH TLS", said("234 Proceed with negotiation."))),
            Door::Open => Some(("STARTTLS", said("220 2.0.0 Ready to start TLS"))),
        }
    }

    /// How TLS is used by those who begin in clear and ask for it.
    pub(super) fn tls(self, is_ftp: bool) -> Option<TlsUse> {
        match (self.door, self.offers) {
            (Door::Open | Door::OpenToSsl, _) if is_ftp => Some(TlsUse::AuthTls),
            (Door::Open | Door::OpenToSsl, _) => Some(TlsUse::Starttls),
            (Door::Shut, _) => Some(TlsUse::Refused),
            // There is no other way to ask than to say AUTH.
            (Door::None, _) if is_ftp => Some(TlsUse::Refused),
            // To those who know neither EHLO nor HELO there is nothing more to say.
            (Door::None, Offers::Nothing) => None,
            (Door::None, Offers::Keywords(_) | Offers::Helo) => Some(TlsUse::NotOffered),
        }
    }

    /// What rows have of the answers that are given where TLS comes first (`ask` is then `Inside`), in clear alone, or in
    /// clear and then inside. `complaint` is the code of what is said to a command that is not understood.
    pub(super) fn told(self, is_ftp: bool, ask: Ask, complaint: &str) -> Told {
        let refused = |command: &str| format!("{command} refused: {complaint}");
        let plain = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut capabilities = match self.offers {
            Offers::Keywords(keywords) => plain(keywords),
            Offers::Helo => vec!["HELO: nothing offered".to_owned()],
            Offers::Nothing => vec![refused(if is_ftp { "FEAT" } else { "HELO" })],
        };
        if !is_ftp && ask != Ask::Inside && self.door != Door::None {
            capabilities.push("STARTTLS".to_owned());
        }
        match (ask, self.way_in(is_ftp)) {
            (Ask::Inside, _) => capabilities.extend(plain(self.more_inside)),
            (Ask::Both, Some(_)) => capabilities.extend(self.more_inside.iter().map(|more| format!("tls:{more}"))),
            (Ask::Both, None) | (Ask::InClear, _) => {}
        }
        let auth = if is_ftp { vec![] } else { capabilities.iter().flat_map(|item| mechanisms(item)).collect() };
        match self.offers {
            Offers::Keywords(_) if is_ftp => capabilities.push(format!("SYST {SYSTEM}")),
            Offers::Nothing if is_ftp => capabilities.push(refused("SYST")),
            Offers::Keywords(_) | Offers::Helo | Offers::Nothing => {}
        }
        Told { capabilities, auth }
    }
}

/// Where a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    InClear,
    /// In clear, and again inside TLS if that can be had.
    Both,
    /// Inside TLS, which comes first.
    Inside,
}

/// The mechanisms in `AUTH PLAIN LOGIN`, or in the same after `tls:`; none in another item.
fn mechanisms(item: &str) -> Vec<String> {
    let (mark, keyword) = item.strip_prefix("tls:").map_or(("", item), |keyword| ("tls:", keyword));
    let words = keyword.strip_prefix("AUTH ").map(|words| words.split(' '));
    words.into_iter().flatten().map(|word| format!("{mark}{word}")).collect()
}

fn said(words: &str) -> Vec<u8> {
    format!("{words}\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(repertoire: Repertoire, is_ftp: bool, is_inside: bool, command: &str) -> Option<String> {
        let answers = repertoire.answers(is_ftp, is_inside, "mail.oslo.example");
        let found = answers.into_iter().find(|(known, _)| *known == command);
        found.map(|(_, words)| String::from_utf8(words).unwrap())
    }

    #[test]
    fn answers_are_as_they_are_on_the_wire() {
        let clear = "250-mail.oslo.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n250 STARTTLS\r\n";
        assert_eq!(answer(MAIL[0], false, false, "EHLO").as_deref(), Some(clear));
        let inside = clear.replace("250 STARTTLS", "250 AUTH PLAIN LOGIN");
        assert_eq!(answer(MAIL[0], false, true, "EHLO"), Some(inside));
        let features = "211-Features:\r\n AUTH SSL\r\n MDTM\r\n PROT\r\n211 End\r\n";
        assert_eq!(answer(FTP[2], true, true, "FEAT").as_deref(), Some(features));
        assert_eq!(answer(MAIL[4], false, false, "EHLO"), None);
    }

    #[test]
    fn columns_tell_what_is_new_inside() {
        let told = MAIL[0].told(false, Ask::Both, "500");
        assert_eq!(told.capabilities.join("; "), "PIPELINING; SIZE 10240000; 8BITMIME; STARTTLS; tls:AUTH PLAIN LOGIN");
        assert_eq!(told.auth, ["tls:PLAIN", "tls:LOGIN"]);
        let told = FTP[2].told(true, Ask::Inside, "500");
        assert_eq!(told.capabilities, ["AUTH SSL", "MDTM", "PROT", "SYST UNIX Type: L8"]);
        let told = Repertoire::NONE.told(true, Ask::Both, "502");
        assert_eq!(told.capabilities, ["FEAT refused: 502", "SYST refused: 502"]);
    }
}
