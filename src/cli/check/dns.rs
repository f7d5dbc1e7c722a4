//! What DNS says of a host, as facts. What is absent was not asked.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::join_all;
use hailer::{Addresses, Family, Host, Lookup, MailExchange, Miss, Pointer};

/// More addresses than this are not asked for their names.
const MAX_ADDRESSES: usize = 16;

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Dns {
    /// The name that was asked about.
    pub(super) name: Option<Arc<str>>,
    pub(super) a: Option<Result<Vec<IpAddr>, Miss>>,
    pub(super) aaaa: Option<Result<Vec<IpAddr>, Miss>>,
    /// What the name is an alias for.
    pub(super) alias: Option<String>,
    pub(super) mx: Option<Result<Vec<MailExchange>, Miss>>,
    pub(super) ptr: Vec<(IpAddr, Result<Vec<Pointer>, Miss>)>,
}

impl Dns {
    /// Asks all but for the names of addresses.
    pub(super) async fn ask(lookup: &Lookup, host: &Host, family: Family) -> Self {
        match host {
            Host::Address(_) => Self::default(),
            Host::Mx(domain) => {
                let mx = lookup.exchanges(domain).await;
                Self { name: Some(Arc::clone(domain)), mx: Some(mx), ..Self::default() }
            }
            Host::Name(name) => {
                let Addresses { a, aaaa, name: full } = lookup.addresses(name).await;
                let (alias, mx) = match full {
                    Some(full) => {
                        let (alias, mx) = tokio::join!(lookup.alias(&full), lookup.exchanges(&full));
                        (alias, Some(mx))
                    }
                    // What the hosts file knows is not DNS's to tell; and nothing has no exchanges.
                    None => match (&a, &aaaa) {
                        (Err(miss), Err(_)) => (None, Some(Err(miss.clone()))),
                        (Ok(_), _) | (_, Ok(_)) => (None, None),
                    },
                };
                Self {
                    name: Some(Arc::clone(name)),
                    a: (family != Family::V6).then_some(a),
                    aaaa: (family != Family::V4).then_some(aaaa),
                    alias,
                    mx,
                    ptr: Vec::new(),
                }
            }
        }
    }

    /// Asks for the names of these addresses and of those that the name has.
    pub(super) async fn ask_back(&mut self, lookup: &Lookup, probed: impl Iterator<Item = IpAddr>) {
        let all: BTreeSet<_> = probed.chain(self.addresses()).collect();
        let asked = all.into_iter().take(MAX_ADDRESSES).map(async |ip| (ip, lookup.pointers(ip).await));
        self.ptr = join_all(asked).await;
    }

    /// The addresses of the name.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        [&self.a, &self.aaaa].into_iter().flatten().flatten().flatten().copied()
    }

    /// Whether the name is known to have no address that is wanted.
    pub(super) fn leads_nowhere(&self) -> bool {
        (self.a.is_some() || self.aaaa.is_some()) && self.addresses().next().is_none()
    }

    /// Why the name leads nowhere.
    pub(super) fn reason(&self) -> &str {
        let mut misses = [&self.a, &self.aaaa].into_iter().flatten().filter_map(|answer| answer.as_ref().err());
        let failed = misses.clone().find_map(|miss| match miss {
            Miss::Failed(reason) => Some(&**reason),
            Miss::NoName | Miss::NoData => None,
        });
        let is_none = misses.any(|miss| *miss == Miss::NoName);
        failed.unwrap_or(if is_none { "no such name" } else { "the name has no address" })
    }

    /// The names of an address.
    pub(super) fn names_of(&self, ip: IpAddr) -> Vec<String> {
        let answer = self.ptr.iter().find(|(of, _)| *of == ip).map(|(_, answer)| answer);
        answer.into_iter().flatten().flatten().map(|pointer| pointer.name.clone()).collect()
    }

    /// The mail exchanges of the domain; a null MX is none.
    pub(super) fn exchanges(&self) -> &[MailExchange] {
        match &self.mx {
            Some(Ok(list)) if !self.accepts_no_mail() => list,
            _ => &[],
        }
    }

    /// Whether the domain says that it accepts no mail (RFC 7505).
    pub(super) fn accepts_no_mail(&self) -> bool {
        matches!(&self.mx, Some(Ok(list)) if matches!(&list[..], [MailExchange { name, preference: 0, .. }] if &**name == "."))
    }
}
