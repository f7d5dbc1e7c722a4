//! Gathers words: each becomes a few records, which are sorted on disk where there are many.

use std::fmt;
use std::io;
use std::net::IpAddr;

use super::assembly::Assembly;
use super::interned::Interned;
use super::list::{self, ListError};
use super::parse::{HostSpec, Parsed, TargetError, parse, to_number};
use super::ports::Ports;
use super::record::{Mark, Place, encode};
use super::reserved::{Piece, cut};
use super::scratch::Limits;
use super::set::Targets;
use super::sort::Sorter;
use super::{Family, TargetsError};

/// Gathers targets and exclusions, and makes [`Targets`] of them.
///
/// However many there are, it holds a few megabytes of them in memory, and the rest in a temporary file.
///
/// ```
/// use hailer::{Family, Ports, Targets};
///
/// let mut builder = Targets::builder();
/// builder.add("10.0.0.0/24")?;
/// builder.add("10.0.0.7:2121=ftp")?;
/// builder.exclude("10.0.0.128/25")?;
/// let targets = builder.build(&Ports::default(), Family::Any)?;
/// assert_eq!(targets.len(), 128 * 5 + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TargetsBuilder {
    limits: Limits,
    sorter: Sorter,
    /// A record under way.
    record: Vec<u8>,
    ports: Interned,
    count: Count,
    /// Reserved addresses that names may lead to.
    vouched: Vec<IpAddr>,
    /// Why what was added is not all in the sorter, for `build` to tell.
    failure: Option<io::Error>,
}

/// How many targets were added.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    v4: u64,
    v6: u64,
    names: u64,
}

impl Default for TargetsBuilder {
    fn default() -> Self {
        Self::with_limits(Limits::default())
    }
}

impl TargetsBuilder {
    pub(super) fn with_limits(limits: Limits) -> Self {
        let (sorter, ports) = (Sorter::new(&limits), Interned::default());
        Self { limits, sorter, record: Vec::new(), ports, count: Count::default(), vouched: Vec::new(), failure: None }
    }

    /// Adds one target: an address, a CIDR, a range or a name, with its own ports if it has some.
    ///
    /// # Errors
    /// What is wrong with the word; nothing is added then.
    pub fn add(&mut self, word: &str) -> Result<&mut Self, TargetError> {
        let Parsed { host, ports } = parse(word)?;
        let mark = ports.map_or(Mark::Default, |ports| Mark::Ports(self.ports.number(&ports)));
        match host {
            HostSpec::Range(first, last) => {
                let ipv6 = first.is_ipv6();
                let count = if ipv6 { &mut self.count.v6 } else { &mut self.count.v4 };
                *count += 1;
                cut(to_number(first), to_number(last), ipv6, |piece| {
                    let (first, last, mark) = match piece {
                        Piece::Kept(first, last) => (first, last, mark),
                        Piece::Reserved(first, last, number) => (first, last, Mark::Reserved(number)),
                    };
                    self.push(Place::Range { ipv6, first, last }, mark);
                });
            }
            HostSpec::Name(name) => self.push_name(false, &name, mark),
            HostSpec::Mx(domain) => self.push_name(true, &domain, mark),
        }
        Ok(self)
    }

    /// Adds the targets of a list: any number in a line, between blanks; `#` begins a comment.
    ///
    /// # Errors
    /// The first bad word with its line and column, or why reading failed; `source` names the list to people.
    pub fn add_list(&mut self, source: &str, list: impl io::BufRead) -> Result<&mut Self, ListError> {
        list::read(source, list, |word| self.add(word).map(drop))?;
        Ok(self)
    }

    /// Excludes an address, a CIDR, a range, a name, or `mx:` and a domain: none of it is probed, whatever else is
    /// added. A name is excluded by its text, with or without the dot of the root; an address is excluded also where a name leads to it.
    ///
    /// # Errors
    /// What is wrong with the word, or that it has ports; nothing is excluded then.
    pub fn exclude(&mut self, word: &str) -> Result<&mut Self, TargetError> {
        let Parsed { host, ports } = parse(word)?;
        if ports.is_some() {
            return Err(TargetError::ExcludedPorts);
        }
        match &host {
            HostSpec::Range(first, last) => {
                let (ipv6, first, last) = (first.is_ipv6(), to_number(*first), to_number(*last));
                self.push(Place::Range { ipv6, first, last }, Mark::Excluded);
            }
            HostSpec::Name(name) => self.exclude_name(false, name),
            HostSpec::Mx(domain) => self.exclude_name(true, domain),
        }
        Ok(self)
    }

    /// Excludes what a list names, written as a list of targets is.
    ///
    /// # Errors
    /// The first bad word with its line and column, or why reading failed; `source` names the list to people.
    pub fn exclude_list(&mut self, source: &str, list: impl io::BufRead) -> Result<&mut Self, ListError> {
        list::read(source, list, |word| self.exclude(word).map(drop))?;
        Ok(self)
    }

    /// Lets names lead to a reserved address as if it were a target, though it is not probed for this.
    pub fn vouch(&mut self, ip: IpAddr) -> &mut Self {
        self.vouched.push(ip.to_canonical());
        self
    }

    /// How many targets there are so far.
    pub fn len(&self) -> usize {
        let Count { v4, v6, names } = self.count;
        usize::try_from(v4 + v6 + names).unwrap_or(usize::MAX)
    }

    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes the set: overlaps are merged, `default` is put where a target has no ports of its own, and left out are
    /// addresses of the other family ([`Targets::left_out`]), exclusions ([`Targets::excluded`]) and reserved networks
    /// ([`Targets::not_probed`]).
    ///
    /// # Errors
    /// If nothing is left, if there are more than 2^63 endpoints, if one port of one host is asked for as two services,
    /// or if there are so many targets that a temporary file is needed, which cannot be written or read.
    pub fn build(self, default: &Ports, family: Family) -> Result<Targets, TargetsError> {
        if let Some(error) = self.failure {
            return Err(error.into());
        }
        let left_out = match family {
            Family::Any => 0,
            Family::V4 => self.count.v6,
            Family::V6 => self.count.v4,
        };
        let mut assembly = Assembly::new(self.ports, default, family, &self.limits);
        let mut sorted = self.sorter.merge()?;
        let mut record = self.record;
        while sorted.next(&mut record)? {
            assembly.add(&record)?;
        }
        assembly.finish(left_out, self.vouched)
    }

    fn push_name(&mut self, mx: bool, name: &str, mark: Mark) {
        self.count.names += 1;
        self.push(Place::Name { mx, name }, mark);
    }

    /// The dot that a name of one label may have tells where to look for it, not which name it is: both are excluded.
    fn exclude_name(&mut self, mx: bool, name: &str) {
        let bare = name.strip_suffix('.').unwrap_or(name);
        self.push(Place::Name { mx, name: bare }, Mark::Excluded);
        if !bare.contains('.') {
            self.push(Place::Name { mx, name: &format!("{bare}.") }, Mark::Excluded);
        }
    }

    fn push(&mut self, place: Place<'_>, mark: Mark) {
        if self.failure.is_none() {
            encode(place, mark, &mut self.record);
            self.failure = self.sorter.push(&self.record).err();
        }
    }
}

impl fmt::Debug for TargetsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, failure, .. } = self;
        f.debug_struct("TargetsBuilder").field("count", count).field("failure", failure).finish_non_exhaustive()
    }
}
