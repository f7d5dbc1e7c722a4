//! What a scan does, and [`ScanBuilder::build`], the one gate to a [`Scan`]: what it lets through is valid, and nothing
//! checks again.

mod further;
mod pace;

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use nix::sys::resource::{Resource, getrlimit};
use sha2::{Digest, Sha256};

pub use self::pace::{Canary, Limit, Profile};
pub use crate::probe::Roots;

use self::pace::{canary_interval, pace};
use crate::classify::Classifier;
use crate::error::Error;
use crate::probe::{
    Anchors, Ask, Certificates, Interface, Neighbours, Prober, Settings, System, TlsClient, Uplink, is_ehlo_name,
    machine_name,
};
use crate::scan::{self, Scan};
use crate::schedule::{Agenda, Checkpoint, Order, Patience, Setup, Shard};
use crate::target::{AnswerBook, Names, Resolver, Targets};

/// Open files that are not ours to use for connections: standard streams, outputs, the event queue, name resolution.
const RESERVED_FILES: u64 = 64;

/// More of them where names are looked up: 32 at a time, of two kinds, each asked for up to three times.
const RESERVED_FOR_NAMES: u64 = 192;

/// Enough to fill any uplink, and half of what a Linux connection-tracking table of a small machine holds.
const MAX_DEFAULT_CONCURRENCY: u64 = 4096;

/// For networks that are not our own, a tenth of that.
const MAX_PUBLIC_CONCURRENCY: u64 = 512;

/// More public addresses than this are not swept without leave: about what one organisation may have.
const MAX_PUBLIC: u128 = 1 << 20;

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leave {
    /// QUIT, then up to a second for 221 and the peer's FIN.
    #[default]
    Quit,
    /// Take what has come, and close.
    Close,
}

/// How much is asked of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Depth {
    /// The greeting is read.
    #[default]
    Greeting,
    /// EHLO or FEAT as well.
    Features,
    /// STARTTLS or AUTH TLS as well, the same question again inside, and what old TLS is still accepted.
    Tls,
}

impl Depth {
    /// The name used on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Features => "features",
            Self::Tls => "tls",
        }
    }
}

/// What a scan does. The defaults are those of the command line.
///
/// ```
/// use hailer::Config;
/// use std::time::Duration;
///
/// let config = Config { connect_timeout: Duration::from_secs(2), ..Config::default() };
/// assert_eq!(config.tls_timeout, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Config {
    /// How many endpoints are under way at once; by default as many as the open-file limit allows, at most 4,096, and at
    /// most 512 where public addresses are among the targets.
    pub concurrency: Option<NonZeroUsize>,
    /// How long a connection may take. Not three seconds: an ARP failure is told after 3.06 s, and older kernels send the
    /// third SYN at 3 s; the newer (Linux from 6.5 on) the fourth.
    pub connect_timeout: Duration,
    /// Whether connections are waited for less as soon as answers show that it does: twice as long as 99.9 % of them took,
    /// and 1.1 s, never more than `connect_timeout`, which one endpoint in a hundred keeps.
    pub learn_connect_timeout: bool,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long a mail server may take for its greeting, in all. Some wait on purpose: postscreen 6 s, others 20 s.
    pub mail_greeting_timeout: Duration,
    /// How long an FTP server may take for its greeting, in all.
    pub ftp_greeting_timeout: Duration,
    /// How a connection is left.
    pub leave: Leave,
    /// How much is asked.
    pub depth: Depth,
    /// Whether FTP servers are asked for a data address, which takes a login as `anonymous`.
    pub anonymous: bool,
    /// Who we say we are in EHLO: a host name with a dot, or an address literal; by default this machine's name if it has
    /// a dot, or else the address that we connect from, in brackets (RFC 5321 §4.1.1.1).
    pub ehlo_name: Option<String>,
    /// How often an endpoint that greets is connected to in all, to see whether it is always the same server.
    pub samples: NonZeroU32,
    /// The time between two of these connections.
    pub sample_interval: Duration,
    /// A port on which nothing should listen: whether it takes a connection as well is tried on hosts that greet.
    pub decoy: Option<u16>,
    /// The addresses that servers see us at, where those are not the sockets' own.
    pub our_addresses: Vec<IpAddr>,
    /// Whether both sides' words are kept with the row.
    pub transcript: bool,
    /// Whether refused, unreachable and silent-to-SYN endpoints are handed on as well.
    pub all: bool,
    /// What the order is derived from; by default the targets, so that all shards of a scan have the same one.
    pub seed: Option<u64>,
    /// Which part of the targets is probed.
    pub shard: Shard,
    /// How much the networks are to be spared; by default as courteous as public addresses ask for.
    pub profile: Option<Profile>,
    /// Connections over all, in place of the profile's; the shards of a scan share them.
    pub rate: Option<Limit>,
    /// Connections into each /24 of IPv4 and /48 of IPv6, in place of the profile's; the shards of a scan share them.
    pub per_prefix: Option<Limit>,
    /// Connections to one host at a time.
    pub per_host: NonZeroU32,
    /// How often an endpoint is tried again that nothing came back from, or only an error that may pass.
    pub retries: u32,
    /// How often a server that says 120 or 421 is tried again later.
    pub retry_busy: u32,
    /// Endpoints that are known to answer, and how often they are hailed.
    pub canaries: Vec<Canary>,
    /// The time between two hails of each canary.
    pub canary_interval: Duration,
    /// The DNS servers to ask in place of the system's.
    pub resolvers: Vec<SocketAddr>,
    /// The authorities by which certificates are judged.
    pub roots: Roots,
    /// Whether whoever runs the scan says to have leave for more than 2^20 public addresses.
    pub authorised: bool,
    /// The addresses to connect from, at most one for each family.
    pub source: Vec<IpAddr>,
    /// The network interface to connect through.
    pub interface: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: None,
            connect_timeout: Duration::from_secs(4),
            learn_connect_timeout: false,
            tls_timeout: Duration::from_secs(10),
            mail_greeting_timeout: Duration::from_secs(30),
            ftp_greeting_timeout: Duration::from_secs(15),
            leave: Leave::Quit,
            depth: Depth::Greeting,
            anonymous: false,
            ehlo_name: None,
            samples: NonZeroU32::MIN,
            sample_interval: Duration::from_secs(1),
            decoy: None,
            our_addresses: Vec::new(),
            transcript: false,
            all: false,
            seed: None,
            shard: Shard::WHOLE,
            profile: None,
            rate: None,
            per_prefix: None,
            per_host: NonZeroU32::MIN,
            retries: 0,
            retry_busy: 0,
            canaries: Vec::new(),
            canary_interval: Duration::from_secs(10),
            resolvers: Vec::new(),
            roots: Roots::Public,
            authorised: false,
            source: Vec::new(),
            interface: None,
        }
    }
}

/// Makes a [`Scan`] of targets and a [`Config`].
#[derive(Debug, Default)]
pub struct ScanBuilder {
    targets: Option<Targets>,
    config: Config,
    checkpoint: Option<Checkpoint>,
    names_log: Option<PathBuf>,
    classifier: Option<Arc<Classifier>>,
}

impl ScanBuilder {
    /// What to probe.
    #[must_use]
    pub fn targets(mut self, targets: Targets) -> Self {
        self.targets = Some(targets);
        self
    }

    /// How to do it.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// By which wordlists rows are classified; by default those that are compiled in.
    #[must_use]
    pub fn classifier(mut self, classifier: Arc<Classifier>) -> Self {
        self.classifier = Some(classifier);
        self
    }

    /// Where an earlier run of the same scan stopped.
    #[must_use]
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Where to keep what names lead to, so that a later run uses the same. What a new scan finds there is replaced by the
    /// first [`crate::NamesLog::sync`].
    #[must_use]
    pub fn names_log(mut self, path: PathBuf) -> Self {
        self.names_log = Some(path);
        self
    }

    /// Checks everything; nothing is sent yet.
    ///
    /// # Errors
    /// The first setting that cannot work on this machine, and what to do about it.
    pub fn build(self) -> Result<Scan, Error> {
        let targets = self.targets.ok_or(Error::NoTargets)?;
        let mut config = self.config;
        let timeouts = [
            ("connect", config.connect_timeout),
            ("TLS", config.tls_timeout),
            ("mail greeting", config.mail_greeting_timeout),
            ("FTP greeting", config.ftp_greeting_timeout),
        ];
        if let Some((what, _)) = timeouts.iter().find(|(_, timeout)| timeout.is_zero()) {
            return Err(Error::ZeroTimeout { what });
        }
        if let Some(name) = config.ehlo_name.as_ref().filter(|name| !is_ehlo_name(name)) {
            return Err(Error::EhloName { name: name.clone() });
        }
        further::check(&config, &targets)?;
        // Only then is it said to anybody.
        if config.depth > Depth::Greeting && config.ehlo_name.is_none() {
            config.ehlo_name = machine_name();
        }
        let public = targets.public_addresses();
        if public > MAX_PUBLIC && !config.authorised {
            return Err(Error::NotAuthorised { public, most: MAX_PUBLIC });
        }
        // What is excluded is not connected to, whatever for.
        for Canary { address, .. } in &config.canaries {
            let refuse = |reason| Error::Canary { canary: *address, reason };
            targets.tolerates(address.ip()).map_err(refuse)?;
        }
        let reserved = RESERVED_FILES + if targets.has_names() { RESERVED_FOR_NAMES } else { 0 };
        // A guest's data connection is opened beside the one that told of it.
        let each = if config.anonymous { 2 } else { 1 };
        let concurrency = concurrency(config.concurrency, reserved, each, public > 0)?;
        let digest = targets.digest();
        let seed = config.seed.unwrap_or_else(|| seed_from(&digest));
        let order = Order::new(targets.len(), seed, config.shard);
        let resumes = self.checkpoint.is_some();
        let from = self.checkpoint.unwrap_or_default();
        if !from.is_sound() {
            return Err(Error::DamagedCheckpoint);
        }
        if !from.fits(order.len()) {
            return Err(Error::Checkpoint);
        }
        let pace = pace(&config, public > 0);
        let facts = scan::Facts {
            digest: scan_digest(&digest, seed, config.shard, config.all),
            seed,
            shard: config.shard,
            pace: pace.to_string(),
            ehlo_name: config.ehlo_name.clone(),
        };
        let resolver = match config.resolvers.as_slice() {
            [] => Resolver::system(),
            servers => Resolver::new(servers).map_err(Error::Resolver)?,
        };
        let network = system(&config)?;
        let anchors =
            Anchors::read(&config.roots).map_err(|reason| Error::Roots { roots: config.roots.to_string(), reason })?;
        // Last of all: what is refused makes and changes no file.
        let names = self.names_log.filter(|_| targets.has_names());
        let book = names.map_or_else(|| Ok(AnswerBook::temporary()), |path| AnswerBook::at(&path, resumes));
        let book = Arc::new(book.map_err(Error::NamesLog)?);
        let classifier = self.classifier.unwrap_or_else(|| Arc::clone(Classifier::builtin()));
        let names = Names::new(targets.family(), Arc::new(resolver), book);
        let share = pace.divided_by(config.shard.count());
        let (agenda, notices) = Agenda::new(Setup {
            targets,
            order,
            pace: share,
            slots: concurrency.get(),
            retries: config.retry_busy > 0 || config.retries > 0,
            patience: Patience::new(config.connect_timeout, config.learn_connect_timeout),
            from,
        });
        let prober = Prober {
            network,
            tls: TlsClient::new(Arc::new(Certificates::new(anchors))),
            neighbours: Neighbours::attached(),
            settings: Settings {
                tls_timeout: config.tls_timeout,
                mail_greeting_timeout: config.mail_greeting_timeout,
                ftp_greeting_timeout: config.ftp_greeting_timeout,
                leave: config.leave,
                ask: Ask { depth: config.depth, anonymous: config.anonymous },
                ehlo_name: config.ehlo_name.clone(),
                transcript: config.transcript,
            },
            uplink: Uplink::default(),
            agenda,
        };
        let settings = scan::Settings {
            concurrency,
            all: config.all,
            retries: config.retries,
            retry_busy: config.retry_busy,
            canary_interval: canary_interval(&config, share),
            classifier,
            further: further::plan(&config),
            our_addresses: config.our_addresses,
            canaries: config.canaries,
        };
        Ok(Scan { prober, names, notices, settings, facts })
    }
}

/// A number that all who have the same targets come to.
pub(crate) fn seed_from(digest: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

/// Which rows there are to be, in which order of starts. Not how fast, from where or how patiently: that may be changed
/// when a scan goes on.
pub(crate) fn scan_digest(targets: &[u8; 32], seed: u64, shard: Shard, all: bool) -> [u8; 32] {
    let mut hash = Sha256::new();
    // The number is that of the way in which a position becomes an endpoint.
    hash.update(b"hailer scan 1\n");
    hash.update(targets);
    hash.update(format!("seed {seed} shard {shard} all {all}"));
    hash.finalize().into()
}

fn concurrency(asked: Option<NonZeroUsize>, reserved: u64, each: u64, public: bool) -> Result<NonZeroUsize, Error> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| Error::Limit(error.into()))?;
    // Where little is allowed, connections and the rest share it: a connection too many is tried again, a question to a
    // resolver not for long.
    let asks_resolver = reserved > RESERVED_FILES;
    let kept = reserved.min(if asks_resolver { limit - limit / 8 } else { limit / 2 });
    let room = (limit.saturating_sub(kept) / each).max(1);
    if let Some(asked) = asked {
        if u64::try_from(asked.get()).is_ok_and(|asked| asked <= room) {
            return Ok(asked);
        }
        return Err(Error::Concurrency { asked, limit, reserved: kept });
    }
    let most = if public { MAX_PUBLIC_CONCURRENCY } else { MAX_DEFAULT_CONCURRENCY };
    let slots = usize::try_from(room.min(most)).unwrap_or(usize::MAX);
    Ok(NonZeroUsize::new(slots).unwrap_or(NonZeroUsize::MIN))
}

/// The network as configured, proved by making a socket of each kind.
fn system(config: &Config) -> Result<System, Error> {
    let mut system = System::default();
    if let Some(name) = &config.interface {
        let index = if_nametoindex(name.as_str()).ok().and_then(std::num::NonZeroU32::new);
        let index = index.ok_or_else(|| Error::NoInterface { name: name.clone() })?;
        system.interface = Some(Interface { name: name.clone(), index });
    }
    for source in &config.source {
        let place = if source.is_ipv4() { &mut system.source_v4 } else { &mut system.source_v6 };
        if place.replace(*source).is_some_and(|before| before != *source) {
            return Err(Error::TwoSources { address: *source });
        }
        // The port that a connection gets later is not at stake here, so that bind() tells about the address alone.
        let probe = socket2::Socket::new(
            socket2::Domain::for_address(SocketAddr::new(*source, 0)),
            socket2::Type::STREAM,
            None,
        );
        probe
            .and_then(|socket| socket.bind(&SocketAddr::new(*source, 0).into()))
            .map_err(|error| Error::Source { source_address: *source, error })?;
    }
    if let Some(interface) = &system.interface {
        let any = if system.source_v4.is_none() && system.source_v6.is_some() {
            IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
        } else {
            IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)
        };
        let name = interface.name.clone();
        system.socket(any).map_err(|error| Error::Interface { name, error })?;
    }
    Ok(system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Family, Ports};

    fn build(change: impl FnOnce(&mut Config)) -> Result<Scan, Error> {
        let mut builder = Targets::builder();
        builder.add("127.0.0.1").unwrap();
        let mut config = Config::default();
        change(&mut config);
        let targets = builder.build(&Ports::default(), Family::Any).unwrap();
        Scan::builder().targets(targets).config(config).build()
    }

    fn refusal(change: impl FnOnce(&mut Config)) -> String {
        build(change).expect_err("it should be refused").to_string()
    }

    #[test]
    fn the_defaults_are_valid() {
        assert!(build(|_| {}).is_ok());
        assert!(matches!(ScanBuilder::default().build(), Err(Error::NoTargets)));
    }

    #[test]
    fn what_cannot_work_is_refused_in_words() {
        assert!(refusal(|config| config.tls_timeout = Duration::ZERO).starts_with("the TLS timeout is zero"));
        let refused = refusal(|config| config.concurrency = NonZeroUsize::new(usize::MAX));
        assert!(refused.contains("ulimit -n"), "{refused}");
        let refused = refusal(|config| config.interface = Some("nosuch0".into()));
        assert!(refused.contains("'nosuch0'"), "{refused}");
        // RFC 5737: no machine has an address of the documentation networks.
        let refused = refusal(|config| config.source = vec!["192.0.2.77".parse().unwrap()]);
        assert!(refused.contains("192.0.2.77"), "{refused}");
        let refused =
            refusal(|config| config.source = vec!["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()]);
        assert!(refused.contains("one for each"), "{refused}");
        let refused = refusal(|config| config.roots = Roots::File("no/such/ca.pem".into()));
        assert!(refused.starts_with("the roots 'no/such/ca.pem' cannot be used: cannot read it"), "{refused}");
    }

    #[test]
    fn public_space_gets_fewer_slots() {
        let slots = |public| concurrency(None, RESERVED_FILES, 1, public).unwrap().get();
        assert!(slots(true) <= 512);
        assert!(slots(false) <= 4096);
    }
}
