//! What a scan does, and [`ScanBuilder::build`], the one gate to a [`Scan`]: what it lets through is valid, and nothing
//! checks again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use nix::sys::resource::{Resource, getrlimit};

use crate::error::Error;
use crate::probe::{Interface, Neighbours, Prober, Settings, System, TlsClient};
use crate::scan::Scan;
use crate::schedule::Stop;
use crate::target::Targets;

/// Open files that are not ours to use for connections: standard streams, outputs, the event queue, name resolution.
const RESERVED_FILES: u64 = 64;

/// Enough to fill any uplink, and half of what a Linux connection-tracking table of a small machine holds.
const MAX_DEFAULT_CONCURRENCY: u64 = 4096;

/// For networks that are not our own, a tenth of that.
const MAX_PUBLIC_CONCURRENCY: u64 = 512;

/// How a connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leave {
    /// QUIT, then up to a second for 221 and the peer's FIN.
    #[default]
    Quit,
    /// Take what has come, and close.
    Close,
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
pub struct Config {
    /// How many endpoints are under way at once; by default as many as the open-file limit allows, at most 4,096, and at
    /// most 512 where public addresses are among the targets.
    pub concurrency: Option<NonZeroUsize>,
    /// How long a connection may take. Not three seconds: an ARP failure is told after 3.06 s, and old kernels send the
    /// third SYN at 3 s.
    pub connect_timeout: Duration,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long a mail server may take for its greeting, in all. Some wait on purpose: postscreen 6 s, others 20 s.
    pub mail_greeting_timeout: Duration,
    /// How long an FTP server may take for its greeting, in all.
    pub ftp_greeting_timeout: Duration,
    /// How a connection is left.
    pub leave: Leave,
    /// Whether refused, unreachable and silent-to-SYN endpoints are handed on as well.
    pub all: bool,
    /// What the order is derived from; by default another one for each scan.
    pub seed: Option<u64>,
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
            tls_timeout: Duration::from_secs(10),
            mail_greeting_timeout: Duration::from_secs(30),
            ftp_greeting_timeout: Duration::from_secs(15),
            leave: Leave::Quit,
            all: false,
            seed: None,
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

    /// Checks everything; nothing is sent yet.
    ///
    /// # Errors
    /// The first setting that cannot work on this machine, and what to do about it.
    pub fn build(self) -> Result<Scan, Error> {
        let targets = self.targets.ok_or(Error::NoTargets)?;
        let config = self.config;
        let timeouts = [
            ("connect", config.connect_timeout),
            ("TLS", config.tls_timeout),
            ("mail greeting", config.mail_greeting_timeout),
            ("FTP greeting", config.ftp_greeting_timeout),
        ];
        if let Some((what, _)) = timeouts.iter().find(|(_, timeout)| timeout.is_zero()) {
            return Err(Error::ZeroTimeout { what });
        }
        let concurrency = concurrency(config.concurrency, targets.may_be_public())?;
        let prober = Prober {
            network: system(&config)?,
            tls: TlsClient::new(),
            neighbours: Neighbours::attached(),
            settings: Settings {
                connect_timeout: config.connect_timeout,
                tls_timeout: config.tls_timeout,
                mail_greeting_timeout: config.mail_greeting_timeout,
                ftp_greeting_timeout: config.ftp_greeting_timeout,
                leave: config.leave,
            },
            stop: Stop::default(),
        };
        let seed = config.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        Ok(Scan::new(targets, prober, concurrency, seed, config.all))
    }
}

fn concurrency(asked: Option<NonZeroUsize>, public: bool) -> Result<NonZeroUsize, Error> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| Error::Limit(error.into()))?;
    let room = limit.saturating_sub(RESERVED_FILES).max(1);
    if let Some(asked) = asked {
        if u64::try_from(asked.get()).is_ok_and(|asked| asked <= room) {
            return Ok(asked);
        }
        return Err(Error::Concurrency { asked, limit, reserved: RESERVED_FILES });
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
    }

    #[test]
    fn public_space_gets_fewer_slots() {
        let slots = |public| concurrency(None, public).unwrap().get();
        assert!(slots(true) <= 512);
        assert!(slots(false) <= 4096);
    }
}
