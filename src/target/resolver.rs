//! DNS: as the system is set up to ask it, or through servers of the user's own.
//!
//! The system's way is its hosts file first, then the servers of `/etc/resolv.conf`. What else a C library may ask (mDNS,
//! LDAP) is not asked. With servers of the user's own neither file is read: the answers are those servers' answers, and
//! only `localhost` is known without them (RFC 6761 §6.3).
//!
//! A name with fewer dots than `ndots` (one, unless `/etc/resolv.conf` says otherwise) is looked for in each search domain,
//! then as it stands. Any other, and one that ends in a dot, is looked up as it stands and not in the search domains after
//! that: a wildcard there must not pass for the host that the user named. A domain's exchanges are never searched for.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};

use super::Family;
use super::lookup::Addresses;
use super::names::{Exchange, MAX_QUESTIONS, NoAddress, Resolve};

/// Asks DNS.
#[derive(Debug)]
pub(crate) struct Resolver(OnceLock<Setup>);

impl Resolver {
    /// As the system is set up. Its files are read when the first name is asked for.
    pub(crate) fn system() -> Self {
        Self(OnceLock::new())
    }

    /// Through these servers alone. Nothing is sent yet, and no runtime is needed yet.
    pub(crate) fn new(servers: &[SocketAddr]) -> io::Result<Self> {
        let refuse = |words: String| Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        if servers.is_empty() {
            return refuse("no server is named that could be asked for names".into());
        }
        if let Some(server) = servers.iter().find(|server| server.port() == 0 || server.ip().is_unspecified()) {
            return refuse(format!("{server} cannot be a server: it must have an address and a port"));
        }
        let dns = Dns::new(&with_servers(servers), ResolverOpts::default()).map_err(io::Error::other)?;
        Ok(Setup { hosts: Hosts::default(), dns: Ok(dns) }.into())
    }
}

/// What one host looked at alone is asked about: see [`Lookup`](super::Lookup).
impl Resolver {
    /// The addresses of a name, A and AAAA each for itself. What the hosts file knows is not asked.
    pub(super) async fn by_kind(&self, name: &str) -> Addresses {
        let setup = self.0.get_or_init(Setup::of_the_system);
        match Name::from_ascii(name) {
            Ok(name) => setup.by_kind(&name).await,
            Err(_) => Addresses::missing(&Miss::NoName),
        }
    }

    /// What a name stands for in place of addresses of its own, if that is so.
    pub(super) async fn alias(&self, name: &str) -> Option<String> {
        let setup = self.0.get_or_init(Setup::of_the_system);
        let mut name = Name::from_ascii(name).ok()?;
        name.set_fqdn(true);
        let records = setup.dns.as_ref().ok()?.records(&name, RecordType::CNAME).await.ok()?;
        records.iter().find_map(|record| match record {
            RData::CNAME(CNAME(target)) => Some(target.to_ascii()),
            _ => None,
        })
    }

    /// The names of an address (RFC 1035 §3.5, RFC 3596 §2.5).
    pub(super) async fn pointers(&self, ip: IpAddr) -> Result<Vec<String>, Miss> {
        let setup = self.0.get_or_init(Setup::of_the_system);
        let dns = setup.dns.as_ref().map_err(|reason| Miss::Failed(Arc::clone(reason)))?;
        let mut name = Name::from(ip);
        name.set_fqdn(true);
        let pointer = |record| match record {
            RData::PTR(PTR(name)) => Some(name.to_ascii()),
            _ => None,
        };
        Ok(dns.records(&name, RecordType::PTR).await?.into_iter().filter_map(pointer).collect())
    }
}

impl Addresses {
    /// Neither kind, for the same reason.
    fn missing(why: &Miss) -> Self {
        Self { a: Err(why.clone()), aaaa: Err(why.clone()), name: None }
    }
}

impl From<Setup> for Resolver {
    fn from(setup: Setup) -> Self {
        Self(setup.into())
    }
}

impl Resolve for Resolver {
    fn addresses<'a>(&'a self, name: &'a str, wanted: Family) -> BoxFuture<'a, Result<Vec<IpAddr>, NoAddress>> {
        let setup = self.0.get_or_init(Setup::of_the_system);
        async move { Ok(setup.addresses(&parse(name)?, wanted).await?) }.boxed()
    }

    fn exchanges<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Vec<Exchange>, NoAddress>> {
        let setup = self.0.get_or_init(Setup::of_the_system);
        async move { Ok(setup.exchanges(parse(domain)?).await?) }.boxed()
    }
}

/// Names in text have been looked at before; what this refuses is too long.
fn parse(name: &str) -> Result<Name, NoAddress> {
    Name::from_ascii(name).map_err(|error| NoAddress::None(format!("no such name can be: {error}").into()))
}

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// There is no such name.
    NoName,
    /// The name has none of this kind.
    NoData,
    /// It could not be found out.
    Failed(Arc<str>),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("no such name"),
            Self::NoData => f.write_str("none"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl From<Miss> for NoAddress {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::NoName => Self::None("no such name".into()),
            Miss::NoData => Self::None("the name has no address".into()),
            Miss::Failed(reason) => Self::Unknown(reason),
        }
    }
}

impl From<NetError> for Miss {
    fn from(error: NetError) -> Self {
        let answered = |code| Self::Failed(format!("the resolver answered {}", mnemonic(code)).into());
        match error {
            NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match response_code {
                ResponseCode::NXDomain => Self::NoName,
                ResponseCode::NoError => Self::NoData,
                code => answered(code),
            },
            NetError::Dns(DnsError::ResponseCode(code)) => answered(code),
            NetError::Timeout => Self::Failed("the resolver does not answer".into()),
            NetError::Io(error) => Self::Failed(format!("the resolver cannot be asked: {error}").into()),
            error => Self::Failed(format!("the resolver's answer cannot be used: {error}").into()),
        }
    }
}

/// Codes as administrators know them.
fn mnemonic(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::ServFail => "SERVFAIL".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        ResponseCode::Refused => "REFUSED".into(),
        code => format!("{code} ({})", u16::from(code)),
    }
}

/// Where names are looked up.
#[derive(Debug)]
struct Setup {
    hosts: Hosts,
    /// Or why the servers are not known.
    dns: Result<Dns, Arc<str>>,
}

impl Setup {
    fn of_the_system() -> Self {
        let dns = read_system_conf().and_then(|(config, options)| Dns::new(&config, options));
        let dns = dns.map_err(|error| format!("/etc/resolv.conf cannot be used: {error}").into());
        // Without a hosts file there is nothing in it.
        Self { hosts: Hosts::from_system().unwrap_or_default(), dns }
    }

    /// What the hosts file knows of a name.
    fn known(&self, name: &Name) -> Vec<IpAddr> {
        let of_kind = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let lines: Vec<_> = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of_kind).collect();
        sorted(lines.iter().flat_map(Lookup::answers).filter_map(|record| address(&record.data)))
    }

    async fn by_kind(&self, name: &Name) -> Addresses {
        let known = self.known(name);
        if !known.is_empty() {
            let (v4, v6): (Vec<_>, Vec<_>) = known.into_iter().partition(IpAddr::is_ipv4);
            let [a, aaaa] = [v4, v6].map(|list| if list.is_empty() { Err(Miss::NoData) } else { Ok(list) });
            return Addresses { a, aaaa, name: None };
        }
        let dns = match &self.dns {
            Ok(dns) => dns,
            Err(reason) => return Addresses::missing(&Miss::Failed(Arc::clone(reason))),
        };
        let mut missed = Addresses::missing(&Miss::NoName);
        for candidate in dns.candidates(name) {
            let (a, aaaa) = dns.by_kind(&candidate).await;
            let is_decided = |answer: &_| matches!(answer, Ok(_) | Err(Miss::Failed(_)));
            let (is_decided, is_there) =
                (is_decided(&a) || is_decided(&aaaa), [&a, &aaaa].contains(&&Err(Miss::NoData)));
            let answer = Addresses { a, aaaa, name: Some(candidate.to_ascii().into()) };
            if is_decided {
                return answer;
            }
            if is_there && missed.name.is_none() {
                missed = answer;
            }
        }
        missed
    }

    async fn addresses(&self, name: &Name, wanted: Family) -> Result<Vec<IpAddr>, Miss> {
        let known = self.known(name);
        if !known.is_empty() {
            return Ok(known);
        }
        let dns = self.dns.as_ref().map_err(|reason| Miss::Failed(Arc::clone(reason)))?;
        let mut miss = Miss::NoName;
        for candidate in dns.candidates(name) {
            match dns.addresses(&candidate, wanted).await {
                Err(Miss::NoName) => {}
                Err(Miss::NoData) => miss = Miss::NoData,
                // Where one cannot be found out, the next may be another host.
                decided => return decided,
            }
        }
        Err(miss)
    }

    async fn exchanges(&self, mut domain: Name) -> Result<Vec<Exchange>, Miss> {
        domain.set_fqdn(true);
        let dns = self.dns.as_ref().map_err(|reason| Miss::Failed(Arc::clone(reason)))?;
        let records = match dns.records(&domain, RecordType::MX).await {
            Err(Miss::NoData) => Vec::new(),
            records => records?,
        };
        let exchange = |record| match record {
            RData::MX(MX { preference, exchange, .. }) => {
                Some(Exchange { name: exchange.to_ascii().into(), preference })
            }
            _ => None,
        };
        Ok(records.into_iter().filter_map(exchange).collect())
    }
}

/// Servers, and the domains that they are asked about names in.
#[derive(Debug)]
struct Dns {
    /// Each for itself: a pool of them takes the first failure for an answer, and "no such name" for a failure.
    servers: Vec<TokioResolver>,
    /// Which of them answered last.
    last: AtomicUsize,
    search: Vec<Name>,
    ndots: usize,
}

impl Dns {
    fn new(config: &ResolverConfig, mut options: ResolverOpts) -> Result<Self, NetError> {
        options.use_hosts_file = ResolveHosts::Never;
        // What was answered is remembered elsewhere, and who did not answer is asked again from there.
        options.cache_size = 0;
        options.attempts = 0;
        // One connection takes all questions that can be under way, of two for each name.
        options.max_active_requests = 2 * MAX_QUESTIONS;
        let ndots = options.ndots;
        let resolver = |server: &NameServerConfig| {
            let config = ResolverConfig::from_name_servers(vec![server.clone()]);
            let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            builder.with_options(options.clone()).build()
        };
        // Without search domains the machine's own domain is the one (resolv.conf(5)).
        let search = match config.search() {
            [] => config.domain().cloned().into_iter().collect(),
            search => search.to_vec(),
        };
        let servers = config.name_servers().iter().map(resolver).collect::<Result<_, _>>()?;
        Ok(Self { servers, last: AtomicUsize::new(0), search, ndots })
    }

    /// In full, the names that a name may stand for.
    fn candidates(&self, name: &Name) -> Vec<Name> {
        let mut absolute = name.clone();
        absolute.set_fqdn(true);
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        if name.is_fqdn() || dots >= self.ndots || name.is_localhost() {
            return vec![absolute];
        }
        // One that becomes too long is no name.
        let within = self.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok());
        within.chain([absolute]).collect()
    }

    async fn addresses(&self, name: &Name, wanted: Family) -> Result<Vec<IpAddr>, Miss> {
        let (v4, v6) = self.by_kind(name).await;
        both(v4, v6, wanted)
    }

    async fn by_kind(&self, name: &Name) -> (Result<Vec<IpAddr>, Miss>, Result<Vec<IpAddr>, Miss>) {
        let of_kind = async |kind| {
            let records = self.records(name, kind).await?;
            Ok(records.iter().filter_map(address).collect::<Vec<_>>())
        };
        tokio::join!(of_kind(RecordType::A), of_kind(RecordType::AAAA))
    }

    /// The records of a name, its aliases followed. There is at least one.
    ///
    /// The server that answered last is asked first, and after each that fails the next.
    async fn records(&self, name: &Name, kind: RecordType) -> Result<Vec<RData>, Miss> {
        let mut failure = None;
        let servers = self.servers.iter().enumerate().cycle().skip(self.last.load(Ordering::Relaxed));
        for (number, server) in servers.take(self.servers.len()) {
            let answer = server.lookup(name.clone(), kind).await.map_err(Miss::from);
            if let Err(failed @ Miss::Failed(_)) = answer {
                failure.get_or_insert(failed);
                continue;
            }
            self.last.store(number, Ordering::Relaxed);
            let answer = answer?;
            let of_kind = answer.answers().iter().filter(|record| record.record_type() == kind);
            let records: Vec<_> = of_kind.map(|record| record.data.clone()).collect();
            return if records.is_empty() { Err(Miss::NoData) } else { Ok(records) };
        }
        Err(failure.unwrap_or_else(|| Miss::Failed("there is no server that could be asked for names".into())))
    }
}

/// What the answers for both families are together. Half an answer will do, unless it is the other half that is wanted.
fn both(v4: Result<Vec<IpAddr>, Miss>, v6: Result<Vec<IpAddr>, Miss>, wanted: Family) -> Result<Vec<IpAddr>, Miss> {
    let found = sorted([&v4, &v6].into_iter().flatten().flatten().copied());
    if found.iter().any(|ip| wanted.has(*ip)) {
        return Ok(found);
    }
    let (v4, v6) = (v4.err(), v6.err());
    let needed = match wanted {
        Family::Any => [v4.as_ref(), v6.as_ref()],
        Family::V4 => [v4.as_ref(), None],
        Family::V6 => [None, v6.as_ref()],
    };
    if let Some(failed) = needed.into_iter().flatten().find(|miss| matches!(miss, Miss::Failed(_))) {
        return Err(failed.clone());
    }
    match (v4, v6) {
        _ if !found.is_empty() => Ok(found),
        (None | Some(Miss::NoData), _) | (_, None | Some(Miss::NoData)) => Err(Miss::NoData),
        // That there is no such name is true of every kind of record.
        (Some(Miss::NoName | Miss::Failed(_)), Some(Miss::NoName | Miss::Failed(_))) => Err(Miss::NoName),
    }
}

/// `::ffff:10.0.0.1` is 10.0.0.1, as it is among targets.
fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(A(ip)) => Some((*ip).into()),
        RData::AAAA(AAAA(ip)) => Some(IpAddr::from(*ip).to_canonical()),
        _ => None,
    }
}

fn sorted(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<_> = addresses.into_iter().collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Servers that are asked over UDP, and over TCP where an answer does not fit.
fn with_servers(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |server: &SocketAddr| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
