//! What a server says when it is asked what it can do.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// What was asked after the greeting, and what came of it. What is absent was not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialogue {
    /// What the server offers from the start: in clear, or inside TLS where that comes first.
    pub offers: Option<Offers>,
    /// What it offers inside TLS that STARTTLS or AUTH TLS began.
    pub offers_inside: Option<Offers>,
    /// FTP: the answer to SYST (RFC 959 §4.1.3).
    pub system: Option<Reply>,
    /// The answer to STARTTLS (RFC 3207) or AUTH TLS (RFC 4217).
    pub upgrade: Option<Reply>,
    /// FTP: the mechanism that AUTH was last said with.
    pub mechanism: Option<&'static str>,
    /// What came between that answer and the handshake, where nothing may come: somebody put it there.
    pub injected: Vec<u8>,
    /// Replies that came before the command they would answer.
    pub unasked: Vec<u8>,
    /// The address that we talked from.
    pub our_address: Option<IpAddr>,
    /// FTP: what an anonymous guest was told.
    pub anonymous: Option<Anonymous>,
    /// Why it ended before everything was asked.
    pub broken_off: Option<Cow<'static, str>>,
    /// What rows show of all this: see [`Dialogue::settle`].
    pub capabilities: Vec<String>,
    /// The mechanisms of AUTH, likewise.
    pub auth: Vec<String>,
    /// The FTP data address, likewise.
    pub pasv: Vec<String>,
}

impl Dialogue {
    /// Writes down what rows show. What is offered only after STARTTLS or AUTH TLS is marked `tls:`; a refusal is told as
    /// such, since an empty cell means that nothing was asked.
    ///
    /// ```
    /// use hailer::observation::{Asked, Dialogue, Offers, Reply};
    ///
    /// let offers = |words: &[u8]| Some(Offers::new(Asked::Ehlo, Reply { code: 250, bytes: words.to_vec() }));
    /// let mut dialogue = Dialogue {
    ///     offers: offers(b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"),
    ///     offers_inside: offers(b"250-mail.example\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"),
    ///     ..Dialogue::default()
    /// };
    /// dialogue.settle();
    /// assert_eq!(dialogue.capabilities, ["SIZE 1000", "STARTTLS", "tls:AUTH PLAIN"]);
    /// assert_eq!(dialogue.auth, ["tls:PLAIN"]);
    /// ```
    pub fn settle(&mut self) {
        let inside = |list: Vec<String>, before: &[String]| {
            let before: HashSet<_> = before.iter().map(String::as_str).collect();
            let new = list.into_iter().filter(|item| !before.contains(item.as_str()));
            new.map(|item| format!("tls:{item}")).collect::<Vec<_>>()
        };
        self.capabilities = self.offers.as_ref().map(Offers::told).unwrap_or_default();
        self.auth = self.offers.as_ref().map(Offers::auth).unwrap_or_default();
        if let Some(offers) = &self.offers_inside {
            self.capabilities.extend(inside(offers.told(), &self.capabilities));
            self.auth.extend(inside(offers.auth(), &self.auth));
        }
        if let Some(system) = &self.system {
            let text = system.lines().next().unwrap_or_default().into_owned();
            self.capabilities.push(if system.is_positive() { format!("SYST {text}") } else { refusal("SYST", system) });
        }
        self.pasv = self.anonymous.as_ref().map(Anonymous::told).unwrap_or_default();
    }
}

fn refusal(command: &str, reply: &Reply) -> String {
    format!("{command} refused: {}", reply.code)
}

/// A reply to a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The reply code.
    pub code: u16,
    /// All its lines as they came, up to [`Reply::LIMIT`] bytes.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// How much is kept of one reply.
    pub const LIMIT: usize = 16 * 1024;

    /// Whether the command was done: 2yz (RFC 959 §4.2, RFC 5321 §4.2.1).
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// The texts of its lines, without codes, as far as they are text.
    ///
    /// ```
    /// use hailer::observation::Reply;
    ///
    /// let reply = Reply { code: 211, bytes: b"211-Features:\r\n MDTM\r\n211 End\r\n".to_vec() };
    /// assert_eq!(reply.lines().collect::<Vec<_>>(), ["Features:", "MDTM", "End"]);
    /// ```
    pub fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let code = self.code.to_string();
        let text = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let lines = if text.is_empty() { None } else { Some(text.split(|byte| *byte == b'\n')) };
        lines.into_iter().flatten().map(move |line| {
            let rest = line
                .strip_prefix(code.as_bytes())
                .filter(|rest| matches!(rest.first(), None | Some(b' ' | b'-' | b'\t' | b'\r')));
            let rest = rest.map_or(line, |rest| rest.get(1..).unwrap_or_default());
            String::from_utf8_lossy(rest.trim_ascii())
        })
    }
}

/// How a server was asked what it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// EHLO (RFC 5321 §4.1.1.1).
    Ehlo,
    /// HELO, where EHLO was refused.
    Helo,
    /// FEAT (RFC 2389 §3).
    Feat,
}

impl Asked {
    /// The command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Feat => "FEAT",
        }
    }
}

/// What a server says that it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// How it was asked.
    pub asked: Asked,
    /// The answer as it came, whether it is an offer or a refusal.
    pub reply: Reply,
    /// Every keyword with its parameters, as written, in order. Empty after a refusal.
    pub keywords: Vec<String>,
}

impl Offers {
    /// Reads the answer. The first line of EHLO's is the server's name, the first and the last of FEAT's are its frame.
    pub fn new(asked: Asked, reply: Reply) -> Self {
        let keywords = if reply.is_positive() && asked != Asked::Helo {
            let mut lines: Vec<_> = reply.lines().skip(1).map(Cow::into_owned).collect();
            if asked == Asked::Feat {
                lines.pop();
            }
            lines.retain(|line| !line.is_empty());
            lines
        } else {
            Vec::new()
        };
        Self { asked, reply, keywords }
    }

    /// The parameters of a keyword, if it is offered; a keyword is a line's first word, in any case.
    ///
    /// ```
    /// use hailer::observation::{Asked, Offers, Reply};
    ///
    /// let bytes = b"250-mail.example\r\n250-SIZE 10240000\r\n250 AUTH PLAIN LOGIN\r\n".to_vec();
    /// let offers = Offers::new(Asked::Ehlo, Reply { code: 250, bytes });
    /// assert_eq!(offers.parameters("size"), Some("10240000"));
    /// assert_eq!(offers.parameters("STARTTLS"), None);
    /// assert_eq!(offers.auth(), ["PLAIN", "LOGIN"]);
    /// ```
    pub fn parameters(&self, keyword: &str) -> Option<&str> {
        self.keywords.iter().find_map(|line| {
            let (first, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            first.eq_ignore_ascii_case(keyword).then(|| rest.trim())
        })
    }

    /// The keywords, or why there are none.
    fn told(&self) -> Vec<String> {
        let command = self.asked.as_str();
        if !self.reply.is_positive() {
            vec![refusal(command, &self.reply)]
        } else if self.keywords.is_empty() {
            vec![format!("{command}: nothing offered")]
        } else {
            self.keywords.clone()
        }
    }

    /// Whether a keyword is offered.
    pub fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// SMTP: the mechanisms of AUTH (RFC 4954 §3), also where written `AUTH=` as before that; each once.
    pub fn auth(&self) -> Vec<String> {
        // An answer has room for thousands: to compare each with each would cost a scan more than the rest of the row.
        let (mut mechanisms, mut known) = (Vec::new(), HashSet::new());
        if self.asked == Asked::Feat {
            return mechanisms;
        }
        for line in &self.keywords {
            let is_auth = line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
            let Some(rest) = line.get(4..).filter(|rest| is_auth && rest.starts_with([' ', '=', '\t'])) else {
                continue;
            };
            for word in rest.split([' ', '=', '\t']).filter(|word| !word.is_empty()) {
                let word = word.to_ascii_uppercase();
                if known.insert(word.clone()) {
                    mechanisms.push(word);
                }
            }
        }
        mechanisms
    }
}

/// What an anonymous FTP guest was told; nothing was transferred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anonymous {
    /// The last answer to USER and PASS: 230 is a login.
    pub login: Reply,
    /// The answer to PASV (RFC 959 §4.1.2), the last one where it was asked more than once.
    pub passive: Option<Reply>,
    /// The addresses in answers to PASV, in order.
    pub addresses: Vec<SocketAddrV4>,
    /// The answer to EPSV (RFC 2428 §3).
    pub extended: Option<Reply>,
    /// The port in it.
    pub extended_port: Option<u16>,
    /// Whether that port took a connection, on the host that was dialled.
    pub extended_opens: Option<bool>,
    /// Whether the last port of PASV took one, on the host that was dialled.
    pub passive_opens: Option<bool>,
}

impl Anonymous {
    /// Whether the guest was let in.
    pub const fn is_in(&self) -> bool {
        self.login.code == 230
    }

    /// What rows show: `PASV 192.0.2.9:40001`, `EPSV 40002 open`, or the refusals.
    fn told(&self) -> Vec<String> {
        if !self.is_in() {
            return vec![refusal("login", &self.login)];
        }
        let opens = |known: Option<bool>| known.map_or("", |opens| if opens { " open" } else { " closed" });
        let last = self.addresses.len().saturating_sub(1);
        let mut told: Vec<_> = self
            .addresses
            .iter()
            .enumerate()
            .map(|(index, address)| format!("PASV {address}{}", opens(self.passive_opens.filter(|_| index == last))))
            .collect();
        if let (Some(reply), true) = (&self.passive, told.is_empty()) {
            told.push(if reply.code == 227 { "PASV without an address".to_owned() } else { refusal("PASV", reply) });
        }
        match (&self.extended, self.extended_port) {
            (_, Some(port)) => told.push(format!("EPSV {port}{}", opens(self.extended_opens))),
            (Some(reply), None) if reply.code == 229 => told.push("EPSV without a port".to_owned()),
            (Some(reply), None) => told.push(refusal("EPSV", reply)),
            (None, None) => {}
        }
        told
    }

    /// The first address of PASV that is not `dialled`.
    pub fn other_address(&self, dialled: Ipv4Addr) -> Option<Ipv4Addr> {
        self.addresses.iter().map(|address| *address.ip()).find(|ip| *ip != dialled)
    }
}
