//! Who plays which part: from seed, place in the fleet and port alone to what an endpoint does and what is true of it.
//!
//! [`cast`] is a pure function. A part is told twice over, as a [`Script`] for the stage and as an [`Answer`] for the
//! judge; both stand side by side here, so that what is played and what is expected cannot drift apart.

use std::net::{SocketAddr, SocketAddrV4};

use super::certificates::Identity;
use super::dialogue::{Door, Manner, manner};
use super::draw::Draw;
use super::features::{Ask, Repertoire};
use super::foreign;
use super::greetings::{FTP, Greeting, MAIL, Sample, Samples, Setting};
use super::kind::Kind;
use super::truth::{Answer, Truth};
use crate::config::Depth;
use crate::observation::{CertificateStatus, Fronting, Outcome, Received, Service, TlsUse};

/// What an endpoint is, and what it does.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) truth: Truth,
    /// For each connection in turn; none where nothing is listening, or nothing is ever accepted.
    pub(super) scripts: Vec<Script>,
}

/// What happens on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// TLS first; the rest is then inside it.
    pub(super) tls: Option<Identity>,
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Say(Vec<u8>),
    /// As long as the fleet's configuration says.
    Pause,
    /// Waits until the client says something.
    Hear,
}

/// What a script ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Answers what it hears, until QUIT.
    Dialogue(Manner),
    /// Says nothing more, and closes when the client does.
    Hold,
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// The kind of the endpoint at that place, which is what its part begins with.
pub(super) fn kind(seed: u64, place: SocketAddrV4, service: Service) -> Kind {
    Kind::choose(&mut Draw::new(seed, place), service)
}

/// The part of the endpoint at that place, whose truth is that of rows which were asked so much.
pub(super) fn cast(seed: u64, place: SocketAddrV4, address: SocketAddrV4, service: Service, depth: Depth) -> Part {
    let mut draw = Draw::new(seed, place);
    let kind = Kind::choose(&mut draw, service);
    let setting = Setting::new(address, &mut draw);
    let scenes = Stage { service, setting, draw, depth }.scenes(kind);
    let (answers, scripts): (Vec<_>, Vec<_>) = scenes.into_iter().map(|scene| (scene.answer, scene.script)).unzip();
    let truth = Truth { address: SocketAddr::V4(address), service, kind, answers };
    Part { truth, scripts: scripts.into_iter().flatten().collect() }
}

/// One way in which a connection goes.
struct Scene {
    answer: Answer,
    script: Option<Script>,
}

struct Stage {
    service: Service,
    setting: Setting,
    draw: Draw,
    depth: Depth,
}

impl Stage {
    fn scenes(mut self, kind: Kind) -> Vec<Scene> {
        let scene = match kind {
            Kind::Refused => Scene { answer: Answer::new(Outcome::Refused), script: None },
            Kind::Dark => Scene { answer: Answer::new(Outcome::Timeout), script: None },
            Kind::Server => self.server(),
            Kind::Unnamed => self.unnamed(),
            Kind::Long => self.long(),
            Kind::Slow => self.slow(),
            Kind::Postscreen => self.postscreen(),
            Kind::Preliminary => self.preliminary(),
            Kind::Busy => self.busy(),
            Kind::Denying => self.denying(),
            Kind::Silent => self.silent(),
            Kind::Unfinished => self.unfinished(End::Hold),
            Kind::BreakingOff => self.unfinished(End::Close),
            Kind::Closing => self.before_anything(vec![], End::Close),
            Kind::DeadPool => self.before_anything(vec![Step::Pause], End::Close),
            Kind::Resetting => self.resetting(),
            Kind::HangingUp => self.hanging_up(),
            Kind::Foreign => self.foreign(),
            Kind::Misplaced => self.misplaced(),
            Kind::UnaskedReply => self.unasked_reply(),
            Kind::RoundRobin => return vec![self.ready_server(), self.ready_server()],
            Kind::PlainText => self.plain_text(),
            Kind::TlsAlert => tls_failure(TlsUse::Refused, vec![Step::Hear, Step::Say(ALERT.to_vec())], End::Close),
            Kind::TlsStall => tls_failure(TlsUse::Failed, vec![Step::Hear], End::Hold),
        };
        vec![scene]
    }

    fn server(&mut self) -> Scene {
        let sample = self.draw.pick(&self.samples().complete).clone();
        let greeting = self.vary(&sample);
        self.greets(greeting, said_at_once)
    }

    fn ready_server(&mut self) -> Scene {
        let greeting = self.ready();
        self.greets(greeting, said_at_once)
    }

    fn unnamed(&mut self) -> Scene {
        let host = self.host();
        let (text, says_host) =
            if self.service.is_ftp() { *self.draw.pick(&UNNAMED_FTP) } else { *self.draw.pick(&UNNAMED_MAIL) };
        let text = text.replace("HOST", &host);
        // One byte each, as servers send it that know nothing of UTF-8.
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        self.greets(Greeting::unnamed(bytes, says_host.then_some(host)), said_at_once)
    }

    fn long(&mut self) -> Scene {
        let line = "220-This system is for authorised use only; all of it is written down, and kept.\r\n";
        let lines = Received::LIMIT / line.len() + 100;
        let text = format!("{}220 Go on.\r\n", line.repeat(lines));
        self.greets(Greeting::unnamed(text, None), said_at_once)
    }

    fn slow(&mut self) -> Scene {
        let greeting = self.ready();
        self.greets(greeting, |text| vec![Step::Pause, Step::Say(text)])
    }

    fn postscreen(&mut self) -> Scene {
        let sample = MAIL.ready.iter().find(|sample| sample.is("postfix")).cloned();
        let mut greeting = match sample {
            Some(sample) => self.vary(&sample),
            None => self.ready(),
        };
        let teaser = [b"220-", greeting.text.get(4..).unwrap_or_default()].concat();
        greeting.text = [&teaser[..], &greeting.text].concat();
        self.greets(greeting, move |mut text| {
            let rest = text.split_off(teaser.len());
            vec![Step::Say(text), Step::Pause, Step::Say(rest)]
        })
    }

    fn preliminary(&mut self) -> Scene {
        const SOON: &[u8] = b"120 Service ready in 1 minute.\r\n";
        let mut greeting = self.ready();
        greeting.text.splice(..0, SOON.iter().copied());
        self.greets(greeting, |mut text| {
            let rest = text.split_off(SOON.len());
            vec![Step::Say(text), Step::Pause, Step::Say(rest)]
        })
    }

    fn busy(&mut self) -> Scene {
        let host = self.host();
        let greeting = if self.service.is_ftp() {
            Greeting::unnamed("421 Too many users, sorry.\r\n", None)
        } else {
            Greeting::unnamed(format!("421 {host} Service not available, try again later\r\n"), Some(host))
        };
        self.greets(greeting, said_at_once)
    }

    fn denying(&mut self) -> Scene {
        let host = self.host();
        let greeting = if self.service.is_ftp() {
            Greeting::unnamed("530 Sorry, no clients from your network are served here.\r\n", None)
        } else {
            Greeting::unnamed(format!("554 {host} ESMTP not accepting messages\r\n"), Some(host))
        };
        self.greets(greeting, said_at_once)
    }

    fn silent(&mut self) -> Scene {
        let mut scene = self.partial(Greeting::unnamed("", None), End::Hold);
        if self.depth > Depth::Greeting && !self.service.is_implicit_tls() {
            // It might have waited for us to begin with TLS.
            scene.answer.tls = Some(TlsUse::Failed);
        }
        scene
    }

    fn unfinished(&mut self, end: End) -> Scene {
        let greeting = if self.draw.percent(50) {
            let sample = self.draw.pick(&self.samples().partial).clone();
            self.vary(&sample)
        } else {
            Greeting::unnamed(*self.draw.pick(&["2", "220", "220 ", "220-", "220-\r\n"]), None)
        };
        self.partial(greeting, end)
    }

    /// No complete reply comes.
    fn partial(&mut self, greeting: Greeting, end: End) -> Scene {
        let mut answer = self.answer(if end == End::Hold { Outcome::Silent } else { Outcome::Closed });
        let steps = if greeting.text.is_empty() { vec![] } else { vec![Step::Say(greeting.text.clone())] };
        answer.hostname = greeting.hostname;
        answer.product = greeting.product;
        answer.set_banner(greeting.text);
        self.scene(answer, steps, end)
    }

    /// The end comes before the first word, of TLS as well.
    fn before_anything(&mut self, steps: Vec<Step>, end: End) -> Scene {
        if self.service.is_implicit_tls() {
            return tls_failure(TlsUse::Refused, steps, end);
        }
        let answer = Answer { fronting: Some(Fronting::Possible), ..Answer::new(Outcome::Closed) };
        self.scene(answer, steps, end)
    }

    fn resetting(&mut self) -> Scene {
        if self.service.is_implicit_tls() {
            // Only after the hello: a reset that comes first may meet a client that has not begun with TLS.
            return tls_failure(TlsUse::Refused, vec![Step::Hear], End::Reset);
        }
        let answer = Answer { fronting: Some(Fronting::Possible), ..Answer::new(Outcome::Reset) };
        self.scene(answer, vec![], End::Reset)
    }

    fn hanging_up(&mut self) -> Scene {
        let greeting = self.ready();
        let mut scene = self.greets(greeting, |text| vec![Step::Say(text), Step::Hear]);
        scene.script = scene.script.map(|script| Script { end: End::Reset, ..script });
        // The reset comes before the first answer.
        let answer = Answer { tls: None, tls_version: None, cert_names: vec![], cert_status: None, ..scene.answer };
        Scene { answer: Answer { capabilities: vec![], auth: vec![], ..answer }, ..scene }
    }

    fn foreign(&mut self) -> Scene {
        let (protocol, bytes) = foreign::speaker(&mut self.draw, &self.setting.domain);
        let mut answer = self.answer(Outcome::OtherProtocol);
        answer.protocol = protocol;
        answer.set_banner(bytes.clone());
        self.scene(answer, vec![Step::Say(bytes)], End::Hold)
    }

    fn misplaced(&mut self) -> Scene {
        let (own, others): (&Samples, &Samples) = if self.service.is_ftp() { (&FTP, &MAIL) } else { (&MAIL, &FTP) };
        // A proxy for both is nowhere out of place.
        let mut sample = self.draw.pick(&others.ready).clone();
        while own.know(&sample) {
            sample = self.draw.pick(&others.ready).clone();
        }
        let greeting = self.vary(&sample);
        self.greets_with(greeting, Repertoire::NONE, said_at_once)
    }

    fn unasked_reply(&mut self) -> Scene {
        let greeting = self.ready();
        let host = greeting.hostname.as_deref();
        let name = greeting.product.as_ref().map(|product| &*product.name);
        let unasked = manner(name, self.service.is_ftp(), host).complaint;
        // In one piece: two would reach a client that says QUIT between them in either order.
        let both = unasked.clone();
        let mut scene = self.greets(greeting, move |text| vec![Step::Say([text, both].concat())]);
        scene.answer.unasked = unasked;
        scene.answer.fronting = Some(Fronting::Confirmed);
        scene
    }

    fn plain_text(&mut self) -> Scene {
        let in_clear = if self.service.is_ftp() { Service::Ftp } else { Service::Submission };
        let service = std::mem::replace(&mut self.service, in_clear);
        let mut scene = self.ready_server();
        self.service = service;
        scene.answer.tls.get_or_insert(TlsUse::NotOffered);
        scene
    }

    /// A complete reply comes, in the steps that `telling` makes of it, and some answers to those who then ask.
    fn greets(&mut self, greeting: Greeting, telling: impl FnOnce(Vec<u8>) -> Vec<Step>) -> Scene {
        let repertoire = Repertoire::draw(self.service, &mut self.draw);
        self.greets_with(greeting, repertoire, telling)
    }

    fn greets_with(
        &mut self,
        greeting: Greeting,
        repertoire: Repertoire,
        telling: impl FnOnce(Vec<u8>) -> Vec<Step>,
    ) -> Scene {
        let mut answer = self.answer(Outcome::Greeted);
        answer.code = greeting.code();
        let name = greeting.product.as_ref().map(|product| &*product.name);
        let manner = manner(name, self.service.is_ftp(), greeting.hostname.as_deref());
        answer.hostname = greeting.hostname;
        answer.product = greeting.product;
        answer.set_banner(greeting.text.clone());
        let end = match answer.code {
            // Both mean that the server has hung up, or is about to.
            Some(421 | 500 | 530) => End::Close,
            Some(220) => End::Dialogue(self.with_answers(manner, repertoire, &mut answer)),
            _ => End::Dialogue(manner),
        };
        self.scene(answer, telling(greeting.text), end)
    }

    /// Teaches a server what it answers, and writes down what rows have of that.
    fn with_answers(&mut self, manner: Manner, repertoire: Repertoire, answer: &mut Answer) -> Manner {
        let (is_ftp, is_inside) = (self.service.is_ftp(), self.service.is_implicit_tls());
        let host = answer.hostname.clone().unwrap_or_else(|| self.host());
        let ask = match (is_inside, self.depth) {
            (true, _) => Ask::Inside,
            (false, Depth::Tls) => Ask::Both,
            (false, Depth::Greeting | Depth::Features) => Ask::InClear,
        };
        if self.depth > Depth::Greeting {
            let told = repertoire.told(is_ftp, ask, manner.complaint_code());
            (answer.capabilities, answer.auth) = (told.capabilities, told.auth);
        }
        if ask == Ask::Both {
            answer.tls = repertoire.tls(is_ftp);
        }
        let door = repertoire.way_in(is_ftp).filter(|_| !is_inside).map(|(command, words)| {
            let identity = self.identity(answer.hostname.as_deref());
            if ask == Ask::Both {
                certify(answer, &identity);
            }
            let inside = Manner { answers: repertoire.answers(is_ftp, true, &host), ..manner.clone() };
            let behind = Script { tls: Some(identity), steps: vec![], end: End::Dialogue(inside) };
            Door { command, answer: words, behind: behind.into() }
        });
        Manner { answers: repertoire.answers(is_ftp, is_inside, &host), door, ..manner }
    }

    /// An answer that comes inside TLS where that is the service's way; the certificate is the scene's to add.
    fn answer(&self, outcome: Outcome) -> Answer {
        let tls = self.service.is_implicit_tls().then_some(TlsUse::Implicit);
        Answer { tls, ..Answer::new(outcome) }
    }

    fn scene(&mut self, mut answer: Answer, steps: Vec<Step>, end: End) -> Scene {
        let tls = (answer.tls == Some(TlsUse::Implicit)).then(|| self.identity(answer.hostname.as_deref()));
        if let Some(identity) = &tls {
            certify(&mut answer, identity);
        }
        Scene { answer, script: Some(Script { tls, steps, end }) }
    }

    fn identity(&mut self, hostname: Option<&str>) -> Identity {
        use CertificateStatus::{Expired, NotYetValid, SelfSigned, Untrusted};
        let qualified = hostname.filter(|name| name.contains('.'));
        let status = *self.draw.pick(&[Untrusted, Untrusted, Untrusted, Expired, SelfSigned, NotYetValid]);
        Identity { name: qualified.map_or_else(|| self.host(), str::to_owned), status, is_tls13: self.draw.percent(70) }
    }

    fn host(&self) -> String {
        let word = if self.service.is_ftp() { "ftp" } else { "mail" };
        format!("{word}.{}", self.setting.domain)
    }

    fn samples(&self) -> &'static Samples {
        if self.service.is_ftp() { &FTP } else { &MAIL }
    }

    fn ready(&mut self) -> Greeting {
        let sample = self.draw.pick(&self.samples().ready).clone();
        self.vary(&sample)
    }

    fn vary(&mut self, sample: &Sample) -> Greeting {
        self.setting.vary(sample, &mut self.draw)
    }
}

/// What is true of TLS with that server.
fn certify(answer: &mut Answer, identity: &Identity) {
    answer.tls_version = Some(if identity.is_tls13 { "TLSv1.3" } else { "TLSv1.2" });
    answer.cert_names = vec![identity.name.clone()];
    answer.cert_status = Some(identity.status);
}

/// TLS never comes about.
fn tls_failure(tls: TlsUse, steps: Vec<Step>, end: End) -> Scene {
    let answer = Answer { tls: Some(tls), ..Answer::new(Outcome::TlsFailed) };
    Scene { answer, script: Some(Script { tls: None, steps, end }) }
}

fn said_at_once(text: Vec<u8>) -> Vec<Step> {
    vec![Step::Say(text)]
}

/// A fatal `handshake_failure` (RFC 8446 §6).
const ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 40];

/// Greetings that name nothing, and whether the host name in them is to be read as one. FTP has no place for it.
const UNNAMED_FTP: [(&str, bool); 7] = [
    ("220 ready\r\n", false),
    ("220 FTP server ready.\r\n", false),
    ("220 HOST FTP server ready.\r\n", false),
    ("220-Welcome to HOST\r\n220-Authorised use only\r\n220 \r\n", false),
    ("220 \r\n", false),
    ("220-Gr\u{fc}\u{df} Gott!\r\n220 Bitte anmelden.\r\n", false),
    ("220 =cmd|' /C calc'!A0 \u{1b}[31mred\u{1b}[0m\r\n", false),
];

const UNNAMED_MAIL: [(&str, bool); 6] = [
    ("220 HOST ESMTP\r\n", true),
    ("220 HOST\r\n", true),
    ("220 HOST SMTP service ready\r\n", true),
    ("220-No unsolicited mail\r\n220 HOST ESMTP\r\n", true),
    ("220 ESMTP\r\n", false),
    ("220 HOST ESMTP \u{1b}]0;owned\u{7}@SUM(1)\r\n", true),
];
