//! What all rows together come to, in figures: what a report begins with.
//!
//! Rows may come from anywhere and be any number, so nothing here grows with them: names are told apart up to a bound
//! and counted together beyond it, hosts are counted exactly up to a bound and estimated beyond it, and of certificates
//! those are kept that expire next, or expired last. Whatever a bound leaves out can be asked for, so that a report can say
//! so.

mod certificates;
mod kinds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::certificates::Certificates;
use super::census::Census;
use super::row::Row;
use crate::classify::fronting::Sample;
use crate::observation::{Fronting, Outcome, Severity};
use crate::output::Column;

pub use self::certificates::{Certificate, Expiry};
pub use self::kinds::Kinds;
pub(crate) use self::kinds::counted_as;

const OUTCOMES: usize = Outcome::ALL.len();
const SEVERITIES: usize = Severity::ALL.len();

/// So many hosts are told apart, some 80 bytes each; of more, how many there are is estimated to a few parts in a thousand.
const MAX_HOSTS: usize = 1 << 18;

/// So many products are told apart, and so many versions of each. The wordlists have some hundred products.
const MAX_PRODUCTS: usize = 1024;
const MAX_VERSIONS: usize = 256;

/// So many findings are told apart; the handbook has some thirty.
const MAX_FINDINGS: usize = 256;

/// Rows, counted by what a reader asks first.
///
/// ```
/// use hailer::inventory::{Figures, Rows};
///
/// let csv = "ip,port,service,outcome,software,version\n\
///     192.0.2.1,25,smtp,greeted,Exim,4.90\n192.0.2.1,587,submission,greeted,Exim,4.90\n";
/// let mut figures = Figures::default();
/// for row in Rows::new("rows.csv", csv.as_bytes())? {
///     figures.count(&row?);
/// }
/// assert_eq!((figures.rows(), figures.hosts().count), (2, 1));
/// let software = figures.software();
/// assert_eq!((software[0].name, software[0].versions[0]), ("Exim", (Some("4.90"), 2)));
/// # Ok::<(), hailer::inventory::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Figures {
    census: Census,
    services: Kinds,
    /// Each with the worst of its findings.
    hosts: Sample<u128, Option<Severity>>,
    software: BTreeMap<Arc<str>, Named>,
    software_left_out: u64,
    tls: Kinds,
    tls_versions: Kinds,
    certificate_statuses: Kinds,
    severities: [u64; SEVERITIES],
    findings: BTreeMap<Arc<str>, [u64; SEVERITIES]>,
    findings_left_out: u64,
    certificates: Certificates,
    span: Option<(SystemTime, SystemTime)>,
}

/// Rows that name one product.
#[derive(Debug, Default)]
struct Named {
    vendor: Option<Arc<str>>,
    count: u64,
    versions: BTreeMap<Option<Arc<str>>, u64>,
    left_out: u64,
}

/// Hosts, which are addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hosts {
    /// How many there are.
    pub count: u64,
    /// Whether that is exact, and not an estimate.
    pub is_exact: bool,
    /// How many have this as their worst finding, in the order of [`Severity::ALL`]; estimated where the count is.
    pub worst: [u64; SEVERITIES],
}

/// A product, as many rows name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product<'a> {
    /// Its name.
    pub name: &'a str,
    /// Who makes it, as the first row that said so has it.
    pub vendor: Option<&'a str>,
    /// How many rows name it.
    pub count: u64,
    /// How many name which version, the commonest first; none where they named no version.
    pub versions: Vec<(Option<&'a str>, u64)>,
    /// How many rows name versions beyond those that are told apart.
    pub left_out: u64,
}

/// A finding, as many rows have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingCount<'a> {
    /// Its id.
    pub id: &'a str,
    /// The worst that it was anywhere.
    pub severity: Severity,
    /// How many rows have it.
    pub count: u64,
    /// How many have it with which severity, in the order of [`Severity::ALL`].
    pub by_severity: [u64; SEVERITIES],
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            census: Census::default(),
            services: Kinds::default(),
            hosts: Sample::new(MAX_HOSTS),
            software: BTreeMap::new(),
            software_left_out: 0,
            tls: Kinds::default(),
            tls_versions: Kinds::default(),
            certificate_statuses: Kinds::default(),
            severities: [0; SEVERITIES],
            findings: BTreeMap::new(),
            findings_left_out: 0,
            certificates: Certificates::default(),
            span: None,
        }
    }
}

impl Figures {
    /// Those of no rows yet, for a reader who looks at them at about that time: by it certificates are told apart. Where it is
    /// not known, that is the first row's time.
    pub fn around(now: SystemTime) -> Self {
        Self { certificates: Certificates::around(now), ..Self::default() }
    }

    /// One more row.
    pub fn count(&mut self, row: &Row) {
        self.census.count(row);
        for (kinds, column) in [
            (&mut self.services, Column::Service),
            (&mut self.tls, Column::Tls),
            (&mut self.tls_versions, Column::TlsVersion),
            (&mut self.certificate_statuses, Column::CertStatus),
        ] {
            if let Some(name) = row.text(column) {
                kinds.add(&name);
            }
        }
        let worst = self.count_findings(row);
        if let Some(known) = row.ip().and_then(|ip| self.hosts.at(number(ip))) {
            *known = worst.max(*known);
        }
        self.count_software(row);
        self.certificates.count(row);
        if let Some(at) = row.text(Column::Time).and_then(|text| moment(&text)) {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.census.tally().rows
    }

    /// How many of each port ended how, and what they name.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// When the first endpoint was begun, and the last.
    pub fn span(&self) -> Option<(SystemTime, SystemTime)> {
        self.span
    }

    /// How many hosts have rows.
    pub fn hosts(&self) -> Hosts {
        let (kept, count) = self.hosts.counts();
        let mut worst = [0u64; SEVERITIES];
        for severity in self.hosts.values().filter_map(|worst| *worst) {
            add(&mut worst, severity);
        }
        let scaled = |part: u64| {
            let all = u128::from(part) * u128::from(count) / u128::from(kept.max(1));
            u64::try_from(all).unwrap_or(u64::MAX)
        };
        Hosts { count, is_exact: kept == count, worst: worst.map(scaled) }
    }

    /// How many rows ended how.
    pub fn outcomes(&self) -> [(Outcome, u64); OUTCOMES] {
        let mut all = Outcome::ALL.map(|outcome| (outcome, 0u64));
        for (_, counts) in self.census.ports() {
            for ((_, sum), (_, count)) in all.iter_mut().zip(counts) {
                *sum = sum.saturating_add(count);
            }
        }
        all
    }

    /// How many rows expect which service.
    pub fn services(&self) -> &Kinds {
        &self.services
    }

    /// What software rows name, the commonest first.
    pub fn software(&self) -> Vec<Product<'_>> {
        let mut all: Vec<_> = self.software.iter().map(|(name, product)| product.told(name)).collect();
        all.sort_by(|one, other| other.count.cmp(&one.count).then(one.name.cmp(other.name)));
        all
    }

    /// How many rows name products beyond those that are told apart.
    pub fn software_left_out(&self) -> u64 {
        self.software_left_out
    }

    /// How many rows that greeted name no software.
    pub fn unnamed(&self) -> u64 {
        self.census.tally().unnamed
    }

    /// How many rows came to which verdict on what stands in front.
    pub fn fronting(&self) -> [(Fronting, u64); Fronting::ALL.len()] {
        let counts = &self.census.tally().fronting;
        Fronting::ALL.map(|verdict| (verdict, counts.get(verdict.as_str()).copied().unwrap_or_default()))
    }

    /// How many rows name what stands in front, the commonest first.
    pub fn fronts(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.census.tally().fronts.iter().map(|(name, count)| (&**name, *count)).collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        all
    }

    /// How TLS is used, as far as it was asked for.
    pub fn tls(&self) -> &Kinds {
        &self.tls
    }

    /// Which versions of TLS were agreed on.
    pub fn tls_versions(&self) -> &Kinds {
        &self.tls_versions
    }

    /// Whether certificates are valid, and if not, why not.
    pub fn certificate_statuses(&self) -> &Kinds {
        &self.certificate_statuses
    }

    /// How many rows have this as their worst finding, in the order of [`Severity::ALL`].
    pub fn severities(&self) -> [u64; SEVERITIES] {
        self.severities
    }

    /// What is to be looked at: the worst first, of these the commonest.
    pub fn findings(&self) -> Vec<FindingCount<'_>> {
        let mut all: Vec<_> = self.findings.iter().filter_map(|(id, counts)| FindingCount::new(id, *counts)).collect();
        all.sort_by(|one, other| {
            (other.severity, other.count).cmp(&(one.severity, one.count)).then(one.id.cmp(other.id))
        });
        all
    }

    /// How many findings there are beyond those that are told apart.
    pub fn findings_left_out(&self) -> u64 {
        self.findings_left_out
    }

    /// How many rows show certificates that are valid for how long yet: to the second where `now` is within a day of
    /// [the time that they are seen from](Self::around), else to the day. What a scan made of them is
    /// [`Figures::certificate_statuses`].
    pub fn expiry(&self, now: SystemTime) -> Expiry {
        self.certificates.expiry(now)
    }

    /// The certificates that expire next and those that expired last, each once, by the end of their validity.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.kept()
    }

    /// How many rows show certificates that expired before those, and how many show some that expire after them.
    pub fn certificates_left_out(&self) -> (u64, u64) {
        self.certificates.left_out()
    }

    fn count_findings(&mut self, row: &Row) -> Option<Severity> {
        let found = row.findings();
        for finding in &found {
            let id = counted_as(&finding.id);
            if let Some(counts) = self.findings.get_mut(&*id) {
                add(counts, finding.severity);
            } else if self.findings.len() < MAX_FINDINGS {
                let mut counts = [0; SEVERITIES];
                add(&mut counts, finding.severity);
                self.findings.insert((*id).into(), counts);
            } else {
                self.findings_left_out = self.findings_left_out.saturating_add(1);
            }
        }
        let worst = found.iter().map(|finding| finding.severity).max().max(row.severity());
        if let Some(severity) = worst {
            add(&mut self.severities, severity);
        }
        worst
    }

    fn count_software(&mut self, row: &Row) {
        let Some(name) = row.text(Column::Software) else { return };
        let name = counted_as(&name);
        if !self.software.contains_key(&*name) {
            if self.software.len() >= MAX_PRODUCTS {
                self.software_left_out = self.software_left_out.saturating_add(1);
                return;
            }
            self.software.insert((*name).into(), Named::default());
        }
        let Some(product) = self.software.get_mut(&*name) else { return };
        let shown = |column| row.text(column).map(|text| Arc::<str>::from(counted_as(&text)));
        product.count = product.count.saturating_add(1);
        if product.vendor.is_none() {
            product.vendor = shown(Column::Vendor);
        }
        let version = shown(Column::Version);
        if let Some(count) = product.versions.get_mut(&version) {
            *count = count.saturating_add(1);
        } else if product.versions.len() < MAX_VERSIONS {
            product.versions.insert(version, 1);
        } else {
            product.left_out = product.left_out.saturating_add(1);
        }
    }
}

impl<'a> FindingCount<'a> {
    fn new(id: &'a str, by_severity: [u64; SEVERITIES]) -> Option<Self> {
        let (severity, _) = Severity::ALL.into_iter().zip(by_severity).rfind(|(_, count)| *count > 0)?;
        let count = by_severity.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
        Some(Self { id, severity, count, by_severity })
    }
}

impl Named {
    fn told<'a>(&'a self, name: &'a str) -> Product<'a> {
        let mut versions: Vec<_> = self.versions.iter().map(|(version, count)| (version.as_deref(), *count)).collect();
        versions.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
        Product { name, vendor: self.vendor.as_deref(), count: self.count, versions, left_out: self.left_out }
    }
}

/// A time as rows have it.
fn moment(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(Into::into)
}

/// An address as a number, an IPv4 one as IPv6 maps it.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn add(counts: &mut [u64; SEVERITIES], severity: Severity) {
    for (count, _) in counts.iter_mut().zip(Severity::ALL).filter(|(_, other)| *other == severity) {
        *count = count.saturating_add(1);
    }
}
