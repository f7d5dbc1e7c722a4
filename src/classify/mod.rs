//! What an observation means: signatures to software, rules to findings.
//!
//! Plain functions over the bytes of a greeting: no sockets, no clock, no state but the compiled wordlists, and what
//! greetings said that came before in the same words, which changes no answer. A greeting that names nothing stays
//! unnamed, since a wrong name costs an auditor more than none; how sure a name is stands in its confidence. Only what the
//! server says is told here, and a server can lie.
//!
//! ```text
//! bytes ─► text ──► list ─► signature ─► software, host
//!      │       └──► hostname             (where a mail server gives itself a name)
//!      └► hash                           (the same server a minute later hashes the same)
//! answers ► text ──► list ─► dialogue    (what EHLO, FEAT and SYST add, or contradict)
//! observation ─► fronting                (whether something stands in front, and what speaks for it)
//!             └► findings                (what an auditor should look at)
//! ```

mod announced;
mod check;
mod cpe;
mod dialogue;
pub mod findings;
pub mod fronting;
mod hash;
mod hostname;
mod list;
mod load;
mod memo;
mod pattern;
mod prefilter;
mod products;
mod seed;
mod signature;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::sync::{Arc, LazyLock};

pub use self::check::Mistake;
pub(crate) use self::hash::banner_hash;
pub use self::load::WordlistsError;
pub use self::products::Product;
pub use self::signature::LoadError;

use self::list::List;
use self::memo::{Meaning, Memo};
use self::signature::{Match, Signature};
use self::text::Text;
use crate::observation::{Observation, Outcome, Service, Software, Vantage};

/// A name from the other family's list is a little less sure: something is odd about that port.
const OTHER_FAMILY_PENALTY: u8 = 10;

/// The wordlists that are compiled in.
pub const WORDLISTS: [(&str, &str); 3] = [
    ("wordlists/ftp.toml", include_str!("../../wordlists/ftp.toml")),
    ("wordlists/smtp.toml", include_str!("../../wordlists/smtp.toml")),
    ("wordlists/fronts.toml", include_str!("../../wordlists/fronts.toml")),
];

/// [`Classifier::digest`] of these.
const DIGEST: [u8; 32] = include!(concat!(env!("OUT_DIR"), "/digest.rs"));

/// The wordlists of signatures.
#[derive(Debug)]
pub struct Classifier {
    ftp: List,
    mail: List,
    /// Gateways and proxies that a greeting names.
    fronts: List,
    digest: [u8; 32],
    memo: Memo,
}

impl Classifier {
    /// The classifier of the wordlists that are compiled in. It takes no time to make: a signature is read, and its pattern
    /// compiled, when it is first tried.
    ///
    /// ```
    /// use hailer::classify::Classifier;
    /// use hailer::{Observation, Outcome, Service};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let greeting = b"220 mail.example.com ESMTP Exim 4.98.2 Thu, 02 Jan 2025 10:11:12 +0000\r\n";
    /// let mut row = Observation::new(SystemTime::UNIX_EPOCH, None, 25, Service::Smtp, Outcome::Greeted);
    /// row.received.push(greeting, Duration::from_millis(3));
    /// row.greeting_len = greeting.len();
    ///
    /// Classifier::builtin().classify(&mut row);
    /// let software = row.software.expect("Exim says who it is");
    /// assert_eq!((&*software.name, software.version.as_deref()), ("Exim", Some("4.98.2")));
    /// assert_eq!(row.hostname.as_deref(), Some("mail.example.com"));
    /// ```
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: LazyLock<Arc<Classifier>> = LazyLock::new(|| {
            let list = |wordlist: usize| List::compiled_in(WORDLISTS[wordlist].0, wordlist);
            Arc::new(Classifier { ftp: list(0), mail: list(1), fronts: list(2), digest: DIGEST, memo: Memo::default() })
        });
        &BUILTIN
    }

    /// A classifier of other wordlists, of FTP servers, mail servers and fronts: how errors call the file, and what it
    /// says.
    ///
    /// ```
    /// use hailer::classify::Classifier;
    ///
    /// let empty = "signature = []";
    /// let lists = [("ftp.toml", empty), ("smtp.toml", "signature = [3]"), ("fronts.toml", empty)];
    /// let error = Classifier::new(lists).unwrap_err();
    /// assert!(error.to_string().starts_with("smtp.toml:1:14: "));
    /// ```
    pub fn new(wordlists: [(&str, &str); 3]) -> Result<Self, LoadError> {
        let digest = load::digest(wordlists.map(|(_, content)| vec![content]));
        let [ftp, mail, fronts] = wordlists.map(|(file, content)| List::load(file, content));
        Ok(Self { ftp: ftp?, mail: mail?, fronts: fronts?, digest, memo: Memo::default() })
    }

    /// SHA-256 over the content of the wordlists: the same names the same.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Fills in what was said (`hostname`, `announced`, `software`, `banner_hash`), whether something stands in front
    /// (`fronting`, `evidence`, `seen_as`), and then what is to be mended (`findings`).
    ///
    /// A greeting that broke off is read as far as it came. Where nothing came, or another protocol spoke, it tells
    /// nothing; that may be evidence or a finding all the same.
    pub fn classify(&self, observation: &mut Observation) {
        self.classify_from(observation, &Vantage::default());
    }

    /// The same where something is known of our own address as others see it.
    pub fn classify_from(&self, observation: &mut Observation, vantage: &Vantage) {
        if observation.outcome != Outcome::OtherProtocol {
            self.read(observation);
        }
        if observation.outcome.is_connected() {
            observation.seen_as = fronting::seen_as(observation);
            observation.evidence = fronting::judge(observation, &self.fronts, vantage);
            observation.fronting = Some(fronting::verdict(&observation.evidence));
        }
        observation.findings = findings::judge(observation);
    }

    /// What a greeting names, and nothing else of it.
    ///
    /// ```
    /// use hailer::Service;
    /// use hailer::classify::Classifier;
    ///
    /// let software = Classifier::builtin().name(Service::Ftp, b"220 (vsFTPd 3.0.5)\r\n").expect("it says who it is");
    /// assert_eq!(&*software.name, "vsftpd");
    /// ```
    pub fn name(&self, service: Service, greeting: &[u8]) -> Option<Software> {
        Some(self.identify(&Text::read(greeting), Family::of(service)).named?.1)
    }

    /// Proves every signature by its examples; an empty answer means that all hold.
    ///
    /// ```
    /// assert!(hailer::classify::Classifier::builtin().check().is_empty());
    /// ```
    pub fn check(&self) -> Vec<Mistake> {
        check::check(self)
    }

    /// Reads what was said: the greeting, and answers.
    fn read(&self, observation: &mut Observation) {
        let (expected, greeting) = (Family::of(observation.service), observation.greeting());
        let Some(dialogue) = observation.dialogue.as_deref() else {
            if !greeting.is_empty() {
                self.memo.meaning(expected, greeting, || self.meaning(expected, greeting).0).tell(observation);
            }
            return;
        };
        let answer = dialogue::answer(dialogue, &self.ftp, &self.mail);
        let (meaning, signature) = (!greeting.is_empty()).then(|| self.meaning(expected, greeting)).unzip();
        if let Some(meaning) = meaning {
            meaning.tell(observation);
        }
        if let Some(answer) = answer {
            dialogue::reconcile(observation, signature.flatten(), answer);
        }
    }

    /// What a greeting means, and the signature that names it.
    fn meaning(&self, expected: Family, greeting: &[u8]) -> (Meaning, Option<&Signature>) {
        let banner_hash = hash::banner_hash(greeting);
        let text = Text::read(greeting);
        let Verdict { family, named, host } = self.identify(&text, expected);
        let hostname = host.or_else(|| match family {
            Family::Mail => hostname::in_mail_greeting(&text),
            Family::Ftp => None,
        });
        let (signature, software) = named.unzip();
        // `220 Mailpit ESMTP` leaves the host name out; the word in its place is the product's.
        let is_product = |word: &str| software.as_ref().is_some_and(|it| it.name.eq_ignore_ascii_case(word));
        let hostname = hostname.filter(|name| !is_product(name));
        let version = software.as_ref().and_then(|software| software.version.as_deref());
        let announced = announced::read(greeting, version);
        (Meaning { hostname, announced, software, banner_hash }, signature)
    }

    /// Tries the family that is expected at the port, then the other.
    fn identify(&self, text: &Text<'_>, expected: Family) -> Verdict<'_> {
        for family in [expected, expected.other()] {
            if let Some((signature, found)) = self.list(family).best(text) {
                let Match { mut software, host } = found;
                if family != expected {
                    software.confidence = software.confidence.saturating_sub(OTHER_FAMILY_PENALTY).max(1);
                }
                return Verdict { family, named: Some((signature, software)), host };
            }
        }
        Verdict { family: expected, named: None, host: None }
    }

    fn list(&self, family: Family) -> &List {
        match family {
            Family::Ftp => &self.ftp,
            Family::Mail => &self.mail,
        }
    }
}

/// Which of the two wordlists, and whose rules for greetings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    Ftp,
    Mail,
}

impl Family {
    fn of(service: Service) -> Self {
        if service.is_ftp() { Self::Ftp } else { Self::Mail }
    }

    fn other(self) -> Self {
        match self {
            Self::Ftp => Self::Mail,
            Self::Mail => Self::Ftp,
        }
    }
}

/// What the signatures made of a greeting.
struct Verdict<'a> {
    family: Family,
    named: Option<(&'a Signature, Software)>,
    host: Option<String>,
}
