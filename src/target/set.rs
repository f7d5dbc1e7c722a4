//! The set of targets that a scan asks: how many endpoints, which one has which number, and what it may not reach.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use super::builder::TargetsBuilder;
use super::exclusions::Exclusions;
use super::parse::to_number;
use super::ports::Ports;
use super::reserved::{NotProbed, Policy, holding};
use super::scratch::damaged;
use super::table::{RowPlace, Table};
use super::{Endpoint, Family, Host, Hosts};

/// A set of endpoints that can be counted and numbered without being listed. Cheap to clone.
#[derive(Clone)]
pub struct Targets(Arc<Set>);

pub(super) struct Set {
    pub(super) table: Table,
    /// By the numbers that the table has.
    pub(super) ports: Vec<Ports>,
    pub(super) len: u64,
    pub(super) family: Family,
    pub(super) all_ports: Ports,
    pub(super) left_out: u64,
    pub(super) excluded: u128,
    pub(super) not_probed: Vec<NotProbed>,
    pub(super) public: u128,
    pub(super) has_names: bool,
    pub(super) digest: [u8; 32],
    pub(super) exclusions: Exclusions,
    /// Reserved addresses that names may lead to, though they are no targets.
    pub(super) vouched: Vec<IpAddr>,
    /// Why the table could not be read, the first time that it could not.
    pub(super) failure: OnceLock<String>,
}

impl Targets {
    /// Begins a set.
    pub fn builder() -> TargetsBuilder {
        TargetsBuilder::default()
    }

    pub(super) fn new(set: Set) -> Self {
        Self(Arc::new(set))
    }

    /// How many endpoints there are; a name counts once a port, however many addresses it will have.
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// Whether there are none, which [`TargetsBuilder::build`] does not let happen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the targets named were left out because they are of the other address family.
    pub fn left_out(&self) -> u64 {
        self.0.left_out
    }

    /// How many of the addresses and names among the targets are excluded.
    pub fn excluded(&self) -> u128 {
        self.0.excluded
    }

    /// The reserved networks that were left out, of which no target named that part.
    pub fn not_probed(&self) -> &[NotProbed] {
        &self.0.not_probed
    }

    /// Which families are wanted, also of the addresses that names have.
    pub fn family(&self) -> Family {
        self.0.family
    }

    /// Every port of every target.
    pub fn ports(&self) -> &Ports {
        &self.0.all_ports
    }

    /// The endpoint with this index, if there are so many.
    ///
    /// # Errors
    /// If the targets are so many that they are in a temporary file, and it cannot be read.
    pub fn endpoint(&self, index: u64) -> io::Result<Option<Endpoint>> {
        Ok(self.lookup(index)?.map(|(endpoint, _)| endpoint))
    }

    /// The endpoint with this index, and the number of the record it is in, which all ports of a name share.
    pub(crate) fn lookup(&self, index: u64) -> io::Result<Option<(Endpoint, u64)>> {
        if index >= self.0.len {
            return Ok(None);
        }
        self.find(index).map(Some).inspect_err(|error| self.failed(error))
    }

    fn find(&self, index: u64) -> io::Result<(Endpoint, u64)> {
        let (row, record) = self.0.table.at(index)?;
        let set = self.ports_of(row.ports)?;
        let offset = index - row.start;
        let ports = u64::try_from(set.len()).map_err(|_| damaged())?;
        let at = offset.checked_rem(ports).and_then(|at| usize::try_from(at).ok());
        let (port, service) = at.and_then(|at| set.at(at)).ok_or_else(damaged)?;
        let host = self.0.table.host(row.place, offset / ports)?;
        Ok((Endpoint { host, port, service }, record))
    }

    fn ports_of(&self, number: u32) -> io::Result<&Ports> {
        usize::try_from(number).ok().and_then(|number| self.0.ports.get(number)).ok_or_else(damaged)
    }

    /// Why the temporary file with the targets could not be read, if that ever befell. A scan that could not read it has
    /// not begun all its endpoints.
    pub fn failure(&self) -> Option<&str> {
        self.0.failure.get().map(String::as_str)
    }

    fn failed(&self, error: &io::Error) {
        // The first is as good as any later.
        let _ = self.0.failure.set(format!("cannot read the targets from their temporary file: {error}"));
    }

    /// Whether an address that a name leads to may be probed: not if it is excluded, and not in a reserved network of
    /// which no target names that part.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn admits(&self, ip: IpAddr) -> Result<(), Arc<str>> {
        let ip = ip.to_canonical();
        if let Some(excluded) = self.exclusion(ip) {
            return Err(format!("{ip} {excluded}").into());
        }
        let Some(network) = holding(ip) else { return Ok(()) };
        let (text, words, rfc) = (&network.text, &network.words, &network.rfc);
        match network.policy {
            Policy::Never => Err(format!("{ip} is in {text}, which is never probed ({words}, {rfc})").into()),
            Policy::WhenNamed if self.0.vouched.contains(&ip) => Ok(()),
            Policy::WhenNamed => match self.names(ip) {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!(
                    "{ip} is in {text} ({words}, {rfc}): to probe it where a name leads there, name {ip} or {text} as a \
                     target too"
                )
                .into()),
                Err(error) => {
                    self.failed(&error);
                    Err(format!("it cannot be told whether {ip} is among the targets: {error}").into())
                }
            },
        }
    }

    /// Whether a mail exchange may be probed under its name.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn admits_exchange(&self, name: &str) -> Result<(), Arc<str>> {
        // Exclusions have every name without the dot of the root.
        let is_excluded = self.0.exclusions.has_name(name.strip_suffix('.').unwrap_or(name));
        if is_excluded { Err(format!("the exchange {name} is excluded").into()) } else { Ok(()) }
    }

    /// Whether an address that is no target, but was named all the same, may be probed: not if it is excluded, and not in
    /// a network that is never probed.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn tolerates(&self, ip: IpAddr) -> Result<(), String> {
        let ip = ip.to_canonical();
        if let Some(excluded) = self.exclusion(ip) {
            return Err(format!("it {excluded}"));
        }
        match holding(ip).filter(|network| network.policy == Policy::Never) {
            Some(network) => Err(format!("{} is never probed ({}, {})", network.text, network.words, network.rfc)),
            None => Ok(()),
        }
    }

    /// That an address is excluded, in words, if it is.
    fn exclusion(&self, ip: IpAddr) -> Option<String> {
        let excluded = self.0.exclusions.holding(ip)?;
        Some(if excluded == ip { "is excluded".into() } else { format!("is excluded: it is {excluded} behind NAT64") })
    }

    /// The ranges and names with their ports, in the order of the indices of their endpoints.
    ///
    /// # Errors
    /// As for [`Targets::endpoint`].
    pub(crate) fn spans(&self) -> impl Iterator<Item = io::Result<(Hosts, &Ports)>> {
        (0..self.0.table.count()).map(|number| self.span(number))
    }

    fn span(&self, number: u64) -> io::Result<(Hosts, &Ports)> {
        let row = self.0.table.record(number)?;
        let ports = self.ports_of(row.ports)?;
        let hosts = match self.0.table.host(row.place, 0)? {
            Host::Address(first) => {
                let next = number.checked_add(1).filter(|next| *next < self.0.table.count());
                let end = next.map_or(Ok(self.0.len), |next| self.0.table.record(next).map(|row| row.start))?;
                let endpoints = end.checked_sub(row.start).ok_or_else(damaged)?;
                let each = u64::try_from(ports.len()).map_err(|_| damaged())?;
                let last = endpoints.checked_div(each).and_then(|hosts| hosts.checked_sub(1)).ok_or_else(damaged)?;
                let Host::Address(last) = self.0.table.host(row.place, last)? else { return Err(damaged()) };
                Hosts::Range(first, last)
            }
            Host::Name(name) => Hosts::Name(name),
            Host::Mx(domain) => Hosts::Mx(domain),
        };
        Ok((hosts, ports))
    }

    /// The first and the last address of each range that is excluded.
    pub(crate) fn excluded_ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        self.0.exclusions.iter()
    }

    /// The names that are excluded.
    pub(crate) fn excluded_names(&self) -> impl Iterator<Item = &str> {
        self.0.exclusions.names()
    }

    /// Whether an address is among the targets as such.
    fn names(&self, ip: IpAddr) -> io::Result<bool> {
        let number = to_number(ip);
        let Some((row, end)) = self.0.table.before(ip.is_ipv6(), number, self.0.len)? else { return Ok(false) };
        let RowPlace::Address { ipv6, first } = row.place else { return Ok(false) };
        let ports = u64::try_from(self.ports_of(row.ports)?.len()).map_err(|_| damaged())?;
        let hosts =
            end.checked_sub(row.start).and_then(|endpoints| endpoints.checked_div(ports)).ok_or_else(damaged)?;
        Ok(ipv6 == ip.is_ipv6() && number - first < u128::from(hosts))
    }

    /// Whether there are names among the targets, each of which may have any number of addresses.
    pub(crate) fn has_names(&self) -> bool {
        self.0.has_names
    }

    /// What the set is, whatever words named it and in whatever order: the same endpoints, exclusions and family have
    /// the same digest.
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// How many of the targets may be on the public Internet: addresses that are neither private nor loopback, and
    /// names, which may lead there, each as one.
    pub fn public_addresses(&self) -> u128 {
        self.0.public
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &Table {
        &self.0.table
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Set { len, family, failure, .. } = &*self.0;
        let mut set = f.debug_struct("Targets");
        set.field("len", len).field("family", family).field("failure", failure).finish_non_exhaustive()
    }
}
