//! Makes the table of targets of sorted records, in one pass: overlaps are merged, exclusions and what is reserved are
//! cut out and counted, and what is left is numbered, hashed and written.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::digest::Fingerprint;
use super::exclusions::Exclusions;
use super::interned::Interned;
use super::parse::to_address;
use super::ports::{Ports, PortsError};
use super::record::{Mark, Place, decode};
use super::reserved::{NotProbed, networks, public};
use super::scratch::{Limits, damaged};
use super::set::{Set, Targets};
use super::space::{Segment, Sweep};
use super::table::TableWriter;
use super::{Family, Host, TargetsError, TooMany};

/// More endpoints than this are refused: with 2^63 a scan at a million a second would take 290,000 years.
const MAX_ENDPOINTS: u128 = 1 << 63;

/// A table under way.
pub(super) struct Assembly {
    family: Family,
    /// The number of the ports of targets that have none of their own.
    default: u32,
    /// The family of the ranges in the sweep.
    ipv6: bool,
    sweep: Sweep,
    /// How many exclusions of IPv4 are in the sweep of IPv6, as they are behind NAT64.
    translated: usize,
    /// All that was said so far of the name that came last.
    name: Option<Named>,
    gathered: Gathered,
}

struct Named {
    mx: bool,
    name: String,
    ports: BTreeSet<u32>,
    excluded: bool,
}

impl Assembly {
    pub(super) fn new(mut ports: Interned, default: &Ports, family: Family, limits: &Limits) -> Self {
        let default = ports.number(default);
        let gathered = Gathered::new(ports, limits);
        Self { family, default, ipv6: false, sweep: Sweep::default(), translated: 0, name: None, gathered }
    }

    /// Takes the next record.
    pub(super) fn add(&mut self, record: &[u8]) -> Result<(), TargetsError> {
        let (place, mark) = decode(record).filter(|record| self.knows(record)).ok_or_else(damaged)?;
        let mark = if mark == Mark::Default { Mark::Ports(self.default) } else { mark };
        match place {
            Place::Range { ipv6, first, last } => self.range(ipv6, (first, last), mark),
            Place::Name { mx, name } => self.name(mx, name, mark),
        }
    }

    /// Whether a record is one that the builder wrote, so far as can be told.
    fn knows(&self, (place, mark): &(Place<'_>, Mark)) -> bool {
        let in_order = match place {
            Place::Range { first, last, .. } => first <= last,
            Place::Name { .. } => true,
        };
        let numbered = match mark {
            Mark::Ports(number) => self.gathered.ports.has(*number),
            Mark::Default | Mark::Reserved(_) | Mark::Excluded => true,
            // It is not of the words, but of what was made of them.
            Mark::Translated => false,
        };
        in_order && numbered
    }

    fn range(&mut self, ipv6: bool, ends: (u128, u128), mark: Mark) -> Result<(), TargetsError> {
        // Exclusions are kept for the addresses of names; those of the family that is not wanted do no harm.
        if !self.family.has(to_address(ends.0, ipv6)) && mark != Mark::Excluded {
            return Ok(());
        }
        if ipv6 != self.ipv6 {
            self.finish_sweep()?;
            self.ipv6 = ipv6;
        }
        self.translate(ends.0)?;
        self.sweep.add(ends, mark, |segment| self.gathered.segment(ipv6, segment))
    }

    fn name(&mut self, mx: bool, name: &str, mark: Mark) -> Result<(), TargetsError> {
        if !self.name.as_ref().is_some_and(|last| last.mx == mx && last.name == name) {
            self.finish_sweep()?;
            self.finish_name()?;
        }
        let named = self.name.get_or_insert_with(|| {
            let (name, ports) = (name.to_owned(), BTreeSet::new());
            Named { mx, name, ports, excluded: false }
        });
        match mark {
            Mark::Ports(number) => drop(named.ports.insert(number)),
            Mark::Excluded => named.excluded = true,
            // A name is neither reserved nor translated, and `add` has replaced the default.
            Mark::Default | Mark::Reserved(_) | Mark::Translated => {}
        }
        Ok(())
    }

    /// Adds the exclusions of IPv4 to the sweep of IPv6, up to an address. By then all of them are known.
    fn translate(&mut self, until: u128) -> Result<(), TargetsError> {
        while self.ipv6
            && let Some(ends) = self.gathered.exclusions.translated(self.translated).filter(|ends| ends.0 <= until)
        {
            self.sweep.add(ends, Mark::Translated, |segment| self.gathered.segment(true, segment))?;
            self.translated += 1;
        }
        Ok(())
    }

    fn finish_sweep(&mut self) -> Result<(), TargetsError> {
        self.translate(u128::MAX)?;
        self.sweep.finish(|segment| self.gathered.segment(self.ipv6, segment))?;
        self.gathered.finish_span()
    }

    fn finish_name(&mut self) -> Result<(), TargetsError> {
        self.name.take().map_or(Ok(()), |name| self.gathered.name(&name))
    }

    /// The set, if there is something in it. `left_out` targets are of the other family.
    pub(super) fn finish(mut self, left_out: u64, vouched: Vec<IpAddr>) -> Result<Targets, TargetsError> {
        self.finish_sweep()?;
        self.finish_name()?;
        self.gathered.finish(self.family, left_out, vouched)
    }
}

/// What came out of the sweep so far.
struct Gathered {
    ports: Interned,
    /// The numbers of the ports that are asked for somewhere.
    used: BTreeSet<u32>,
    /// The last span, which what comes next may prolong.
    span: Option<Span>,
    table: TableWriter,
    digest: Fingerprint,
    /// How many endpoints there are, if fewer than 2^128.
    total: Option<u128>,
    len: u64,
    public: u128,
    has_names: bool,
    exclusions: Exclusions,
    /// Addresses and names that were named and are excluded.
    excluded: u128,
    /// Addresses that were named and are not probed, for each reserved network.
    reserved: Vec<u128>,
}

/// Addresses with the same ports.
#[derive(Clone, Copy)]
struct Span {
    ipv6: bool,
    first: u128,
    last: u128,
    ports: u32,
}

impl Gathered {
    fn new(ports: Interned, limits: &Limits) -> Self {
        Self {
            ports,
            used: BTreeSet::new(),
            span: None,
            table: TableWriter::new(limits),
            digest: Fingerprint::default(),
            total: Some(0),
            len: 0,
            public: 0,
            has_names: false,
            exclusions: Exclusions::default(),
            excluded: 0,
            reserved: vec![0; networks().len()],
        }
    }

    /// Exclusion beats inclusion, and inclusion beats what a wider target would have left out.
    fn segment(&mut self, ipv6: bool, Segment { first, last, marks }: Segment<'_>) -> Result<(), TargetsError> {
        let size = (last - first).saturating_add(1);
        let translated = marks.contains_key(&Mark::Translated);
        if translated || marks.contains_key(&Mark::Excluded) {
            if marks.keys().any(|mark| !matches!(mark, Mark::Excluded | Mark::Translated)) {
                self.excluded = self.excluded.saturating_add(size);
            }
            // What follows from an exclusion of IPv4 is not kept twice.
            if !translated {
                self.exclusions.push(ipv6, first, last);
            }
            return Ok(());
        }
        let mut ports = marks.keys().filter_map(|mark| match mark {
            Mark::Ports(number) => Some(*number),
            Mark::Default | Mark::Reserved(_) | Mark::Excluded | Mark::Translated => None,
        });
        let Some(one) = ports.next() else {
            self.not_probed(marks.keys(), size);
            return Ok(());
        };
        let conflict = |source: PortsError| {
            let host = to_address(first, ipv6).to_string();
            TargetsError::Conflict { host, source }
        };
        let ports = self.ports.union(std::iter::once(one).chain(ports)).map_err(conflict)?;
        if let Some(span) = &mut self.span
            && (span.ipv6, span.ports, span.last.checked_add(1)) == (ipv6, ports, Some(first))
        {
            span.last = last;
            return Ok(());
        }
        self.finish_span()?;
        self.span = Some(Span { ipv6, first, last, ports });
        Ok(())
    }

    /// Counts what lies in reserved networks for the narrowest.
    fn not_probed<'a>(&mut self, marks: impl Iterator<Item = &'a Mark>, size: u128) {
        let numbers = marks.filter_map(|mark| match mark {
            Mark::Reserved(number) => usize::try_from(*number).ok().filter(|number| *number < networks().len()),
            Mark::Default | Mark::Ports(_) | Mark::Excluded | Mark::Translated => None,
        });
        let width = |number: &usize| networks()[*number].last - networks()[*number].first;
        if let Some(narrowest) = numbers.min_by_key(width) {
            self.reserved[narrowest] += size;
        }
    }

    fn finish_span(&mut self) -> Result<(), TargetsError> {
        let Some(Span { ipv6, first, last, ports }) = self.span.take() else { return Ok(()) };
        self.digest.ports(ports, self.ports.ports(ports));
        self.digest.span(ipv6, first, last);
        self.public = self.public.saturating_add(public(first, last, ipv6));
        if let Some(start) = self.grow((last - first).checked_add(1), ports) {
            self.table.push_range(start, ports, ipv6, first)?;
        }
        Ok(())
    }

    fn name(&mut self, Named { mx, name, ports, excluded }: &Named) -> Result<(), TargetsError> {
        if *excluded {
            self.digest.excluded_name(*mx, name);
            if !mx {
                self.exclusions.push_name(name);
            }
            self.excluded = self.excluded.saturating_add(u128::from(!ports.is_empty()));
            return Ok(());
        }
        let ports = self.ports.union(ports.iter().copied()).map_err(|source| {
            let name = name.as_str().into();
            let host = if *mx { Host::Mx(name) } else { Host::Name(name) };
            TargetsError::Conflict { host: host.to_string(), source }
        })?;
        self.digest.ports(ports, self.ports.ports(ports));
        self.digest.name(*mx, name);
        self.public = self.public.saturating_add(1);
        self.has_names = true;
        if let Some(start) = self.grow(Some(1), ports) {
            self.table.push_name(start, ports, *mx, name)?;
        }
        Ok(())
    }

    /// Counts the endpoints of some hosts, and says at which index they begin. Past the bound they are counted only, so
    /// that the refusal says how many there are.
    fn grow(&mut self, hosts: Option<u128>, ports: u32) -> Option<u64> {
        self.used.insert(ports);
        let endpoints = hosts.and_then(|hosts| hosts.checked_mul(u128::try_from(self.ports.ports(ports).len()).ok()?));
        self.total = self.total.and_then(|total| total.checked_add(endpoints?));
        let len = self.total.filter(|total| *total <= MAX_ENDPOINTS).and_then(|total| u64::try_from(total).ok())?;
        let start = std::mem::replace(&mut self.len, len);
        (start < len).then_some(start)
    }

    fn finish(self, family: Family, left_out: u64, vouched: Vec<IpAddr>) -> Result<Targets, TargetsError> {
        let too_many = self.total.is_none_or(|total| total > MAX_ENDPOINTS);
        if too_many {
            return Err(TargetsError::TooMany(TooMany(self.total)));
        }
        let counted = networks().iter().zip(&self.reserved).filter(|(_, addresses)| **addresses > 0);
        let not_probed: Vec<_> = counted.map(|(network, addresses)| NotProbed::new(network, *addresses)).collect();
        if self.len == 0 {
            return Err(match (not_probed.is_empty(), self.excluded, left_out) {
                (false, ..) => TargetsError::Reserved(not_probed),
                (true, 0, 0) => TargetsError::Empty,
                (true, 0, left_out) => TargetsError::WrongFamily(left_out),
                (true, excluded, _) => TargetsError::Excluded(excluded),
            });
        }
        // Two targets may well ask for one port number as two services, on different hosts: only the numbers count here.
        let all_ports = self.used.iter().flat_map(|number| self.ports.ports(*number).iter()).collect();
        Ok(Targets::new(Set {
            table: self.table.finish()?,
            ports: self.ports.into_sets(),
            len: self.len,
            family,
            all_ports,
            left_out,
            excluded: self.excluded,
            not_probed,
            public: self.public,
            has_names: self.has_names,
            digest: self.digest.finish(family, &self.exclusions),
            exclusions: self.exclusions,
            vouched,
            failure: std::sync::OnceLock::new(),
        }))
    }
}
