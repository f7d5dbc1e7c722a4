//! What DNS says of one host, for people who look at one: addresses by kind, the alias, the mail exchanges, and the names
//! of an address with whether they lead back to it.
//!
//! A sweep needs less of it and asks through [`Names`](super::names::Names); the servers, the hosts file and the search
//! domains are the same here. Nothing is remembered, and what nobody could say is asked twice.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::join_all;

use super::names::{Exchange, NoAddress, Resolve};
use super::resolver::{Miss, Resolver};
use super::{Family, exchanges};
use crate::error::Error;

/// More names of one address than this are not followed: whoever owns an address can give it thousands.
const MAX_POINTERS: usize = 8;

/// Asks DNS about one host.
#[derive(Debug)]
pub struct Lookup(Resolver);

/// A mail exchange of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailExchange {
    /// Lower is preferred (RFC 5321 §5.1).
    pub preference: u16,
    /// Its name, in lower case and without the root's dot; the root is `.`.
    pub name: Arc<str>,
    /// Why no mail can be brought there, where that is plain from the name.
    pub flaw: Option<Arc<str>>,
    /// Why it was not looked at, though nothing speaks against it: the limits of who asks.
    pub passed_over: Option<Arc<str>>,
}

/// What was said of the addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// When asked for A.
    pub a: Result<Vec<IpAddr>, Miss>,
    /// When asked for AAAA.
    pub aaaa: Result<Vec<IpAddr>, Miss>,
    /// The name in full that the answers are about, which a search domain may have made of what was asked. None where
    /// DNS knows no such name, or was not asked because the hosts file knows it.
    pub name: Option<Arc<str>>,
}

/// A name that an address has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The name, without the root's dot.
    pub name: String,
    /// Whether the address is among the name's own; nothing where that could not be found out, or was not asked.
    pub leads_back: Option<bool>,
}

impl Lookup {
    /// Through these servers alone, or as the system is set up if there are none. Nothing is sent yet.
    ///
    /// ```
    /// use hailer::Lookup;
    ///
    /// assert!(Lookup::new(&["127.0.0.53:53".parse()?]).is_ok());
    /// assert!(Lookup::new(&["0.0.0.0:53".parse()?]).is_err());
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    ///
    /// # Errors
    /// If one of them cannot be a server.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, Error> {
        let resolver = if servers.is_empty() { Ok(Resolver::system()) } else { Resolver::new(servers) };
        resolver.map(Self).map_err(Error::Resolver)
    }

    /// The addresses of a name. What else is to be known of it is asked about [`Addresses::name`].
    pub async fn addresses(&self, name: &str) -> Addresses {
        let first = self.0.by_kind(name).await;
        if [&first.a, &first.aaaa].into_iter().any(|answer| matches!(answer, Err(Miss::Failed(_)))) {
            self.0.by_kind(name).await
        } else {
            first
        }
    }

    /// The name that a name in full is an alias for (CNAME).
    pub async fn alias(&self, name: &str) -> Option<String> {
        self.0.alias(name).await.map(|name| bare(&name))
    }

    /// The mail exchanges of a domain in order of preference. One that accepts no mail (RFC 7505) has `.` alone, with
    /// that for a flaw.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn exchanges(&self, domain: &str) -> Result<Vec<MailExchange>, Miss> {
        let mut answer = self.0.exchanges(domain).await;
        if let Err(NoAddress::Unknown(_)) = answer {
            answer = self.0.exchanges(domain).await;
        }
        let found = answer.map_err(|reason| match reason {
            NoAddress::None(_) => Miss::NoName,
            NoAddress::Unknown(reason) => Miss::Failed(reason),
        })?;
        if found.is_empty() {
            return Err(Miss::NoData);
        }
        Ok(listed(found))
    }

    /// The names of an address (PTR), and whether each leads back to it.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn pointers(&self, ip: IpAddr) -> Result<Vec<Pointer>, Miss> {
        let mut answer = self.0.pointers(ip).await;
        if let Err(Miss::Failed(_)) = answer {
            answer = self.0.pointers(ip).await;
        }
        let mut names = answer?;
        names.sort();
        names.dedup();
        let pointers = names.into_iter().enumerate().map(async |(number, name)| {
            let leads_back = if number < MAX_POINTERS { self.leads_to(&name, ip).await } else { None };
            Pointer { name: bare(&name), leads_back }
        });
        Ok(join_all(pointers).await)
    }

    async fn leads_to(&self, name: &str, ip: IpAddr) -> Option<bool> {
        match self.0.addresses(name, if ip.is_ipv4() { Family::V4 } else { Family::V6 }).await {
            Ok(addresses) => Some(addresses.contains(&ip)),
            Err(NoAddress::None(_)) => Some(false),
            Err(NoAddress::Unknown(_)) => None,
        }
    }
}

fn listed(found: Vec<Exchange>) -> Vec<MailExchange> {
    match exchanges::in_order(found) {
        Ok(list) => list.into_iter().map(|(it, why)| MailExchange::new(it.preference, it.name, why)).collect(),
        Err(null) => vec![MailExchange::new(0, ".".into(), Some(null))],
    }
}

impl MailExchange {
    fn new(preference: u16, name: Arc<str>, why_not: Option<NoAddress>) -> Self {
        let (flaw, passed_over) = match why_not {
            Some(NoAddress::None(flaw)) => (Some(flaw), None),
            Some(NoAddress::Unknown(limit)) => (None, Some(limit)),
            None => (None, None),
        };
        Self { preference, name, flaw, passed_over }
    }
}

/// A name without the root's dot, but for the root itself.
fn bare(name: &str) -> String {
    name.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::dns_server::DnsServer;
    use super::*;

    const ZONE: &str = "\
both.example A 10.0.0.2
both.example A 10.0.0.1
both.example AAAA 2001:db8::1
half.example A 10.0.0.1
half.example AAAA SERVFAIL
alias.example CNAME both.example
mail.example MX 20 both.example
mail.example MX 10 10.0.0.1
null.example MX 0 .
1.0.0.10.in-addr.arpa PTR both.example
1.0.0.10.in-addr.arpa PTR other.example
other.example A 10.0.0.9
2.0.0.10.in-addr.arpa PTR half.example
7.0.0.10.in-addr.arpa ANY SERVFAIL
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR both.example";

    fn ips(words: &str) -> Vec<IpAddr> {
        words.split(' ').map(|ip| ip.parse().unwrap()).collect()
    }

    fn servfail<T>() -> Result<T, Miss> {
        Err(Miss::Failed("the resolver answered SERVFAIL".into()))
    }

    #[tokio::test]
    async fn addresses_by_kind() {
        let server = DnsServer::start(ZONE).await;
        let lookup = Lookup::new(&[server.address]).unwrap();
        let table = [
            ("both.example", [Ok(ips("10.0.0.1 10.0.0.2")), Ok(ips("2001:db8::1"))]),
            ("alias.example", [Ok(ips("10.0.0.1 10.0.0.2")), Ok(ips("2001:db8::1"))]),
            ("other.example", [Ok(ips("10.0.0.9")), Err(Miss::NoData)]),
            ("half.example", [Ok(ips("10.0.0.1")), servfail()]),
            ("mail.example", [Err(Miss::NoData), Err(Miss::NoData)]),
            ("gone.example", [Err(Miss::NoName), Err(Miss::NoName)]),
        ];
        for (name, expected) in table {
            let Addresses { a, aaaa, name: full } = lookup.addresses(name).await;
            let told = [a, aaaa].map(|answer| {
                answer.map(|mut list| {
                    list.sort();
                    list
                })
            });
            assert_eq!(told, expected, "{name}");
            let is_there = told[0] != Err(Miss::NoName);
            assert_eq!(full.as_deref(), is_there.then_some(&*format!("{name}.")), "{name}");
        }
        assert_eq!(lookup.alias("alias.example").await.as_deref(), Some("both.example"));
        assert_eq!(lookup.alias("both.example").await, None);
    }

    #[tokio::test]
    async fn exchanges_with_what_is_wrong_with_them() {
        let server = DnsServer::start(ZONE).await;
        let lookup = Lookup::new(&[server.address]).unwrap();
        let told = lookup.exchanges("mail.example").await.unwrap();
        let shown: Vec<_> = told.iter().map(|mx| (mx.preference, &*mx.name, mx.flaw.is_some())).collect();
        assert_eq!(shown, [(10, "10.0.0.1", true), (20, "both.example", false)]);
        let [null] = &lookup.exchanges("null.example").await.unwrap()[..] else { panic!("a null MX is one") };
        assert_eq!((&*null.name, null.flaw.as_deref()), (".", Some("null MX: the domain accepts no mail (RFC 7505)")));
        assert_eq!(lookup.exchanges("both.example").await, Err(Miss::NoData));
        assert_eq!(lookup.exchanges("gone.example").await, Err(Miss::NoName));
    }

    #[test]
    fn what_is_passed_over_has_no_flaw() {
        let many = (10..75).map(|number| Exchange { name: format!("mx{number}.example").into(), preference: 1 });
        let list = listed(many.collect());
        let odd: Vec<_> = list.iter().filter(|mx| mx.passed_over.is_some() || mx.flaw.is_some()).collect();
        let [MailExchange { name, flaw: None, .. }] = odd[..] else { panic!("{odd:?}") };
        assert_eq!((&**name, list.len()), ("mx74.example", 65));
    }

    #[tokio::test]
    async fn names_of_addresses_lead_back_or_do_not() {
        let server = DnsServer::start(ZONE).await;
        let lookup = Lookup::new(&[server.address]).unwrap();
        let table = [
            ("10.0.0.1", Ok(vec![("both.example", Some(true)), ("other.example", Some(false))])),
            ("10.0.0.2", Ok(vec![("half.example", Some(false))])),
            ("2001:db8::1", Ok(vec![("both.example", Some(true))])),
            ("10.0.0.3", Err(Miss::NoName)),
            ("10.0.0.7", servfail()),
        ];
        for (ip, expected) in table {
            let expected = expected.map(|list| {
                let pointer = |(name, leads_back): (&str, _)| Pointer { name: name.into(), leads_back };
                list.into_iter().map(pointer).collect::<Vec<_>>()
            });
            assert_eq!(lookup.pointers(ip.parse().unwrap()).await, expected, "{ip}");
        }
    }
}
