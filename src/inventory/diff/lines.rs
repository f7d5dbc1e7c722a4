//! Which lines of what should be there a row speaks of.

use std::collections::HashMap;
use std::net::IpAddr;

use super::expect::Line;
use crate::inventory::key::Identity;

type Places = HashMap<(IpAddr, u16), Vec<usize>>;
type Names = HashMap<(String, u16), Vec<usize>>;

/// Lines by where they say that something should be. Many may have one name or one address, few have both.
#[derive(Default)]
pub(super) struct Index {
    /// With an address and a name.
    exact: HashMap<(IpAddr, u16, String), Vec<usize>>,
    /// With an address alone, and with a name alone.
    nameless: Places,
    placeless: Names,
    /// All that have a name: by their address, and by the name.
    named: Places,
    called: Names,
    /// Those that are said to be mail exchanges of a domain.
    domains: Names,
}

impl Index {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut index = Self::default();
        for (at, line) in lines.iter().enumerate() {
            let Identity { ip, port, name, domain } = line.identity();
            match (ip, &name) {
                (Some(ip), Some(name)) => {
                    index.exact.entry((ip, port, name.clone())).or_default().push(at);
                    index.named.entry((ip, port)).or_default().push(at);
                }
                (Some(ip), None) => index.nameless.entry((ip, port)).or_default().push(at),
                (None, Some(name)) => index.placeless.entry((name.clone(), port)).or_default().push(at),
                (None, None) => {}
            }
            if let Some(name) = name {
                index.called.entry((name, port)).or_default().push(at);
            }
            if let Some(domain) = domain {
                index.domains.entry((domain, port)).or_default().push(at);
            }
        }
        index
    }

    /// The lines that a row is of: a line with an address and a name is of rows with both, one with a name alone of all of
    /// that name, and one with an address alone of all rows there that no other line is of. Of mail exchanges, each of its
    /// own domain where there is such a line.
    pub(super) fn own(&self, lines: &[Line], row: &Identity) -> Vec<usize> {
        if let Some(domain) = row.domain.as_ref().filter(|_| row.is_of_no_exchange()) {
            return self.domains.get(&(domain.clone(), row.port)).cloned().unwrap_or_default();
        }
        let (ip, name) = (row.ip, row.name.as_ref());
        let exact = ip.zip(name).and_then(|(ip, name)| self.exact.get(&(ip, row.port, name.clone())));
        let placeless = name.and_then(|name| self.placeless.get(&(name.clone(), row.port)));
        let mut own: Vec<usize> = exact.into_iter().chain(placeless).flatten().copied().collect();
        if own.is_empty() {
            return ip.and_then(|ip| self.nameless.get(&(ip, row.port))).cloned().unwrap_or_default();
        }
        if own.iter().any(|at| lines[*at].domain() == row.domain) {
            own.retain(|at| lines[*at].domain().is_none_or(|domain| row.domain.as_ref() == Some(&domain)));
        }
        own
    }

    /// Those that it may be of where no row is theirs: lines of its address by other names, or else of its name at other
    /// addresses; nothing where there never were any. A line that has a row gets no other.
    pub(super) fn further(&mut self, lines: &[Line], row: &Identity) -> Option<Vec<usize>> {
        let named = row.ip.and_then(|ip| self.named.get_mut(&(ip, row.port)));
        let further = match named {
            Some(named) => named,
            None => self.called.get_mut(&(row.name.clone()?, row.port))?,
        };
        further.retain(|at| !lines[*at].fate.is_of_a_row());
        Some(further.clone())
    }

    /// Those to which it is an answer, whatever else it says: lines of its address without a name, and where it has none itself
    /// all of that address.
    pub(super) fn answering(&self, row: &Identity) -> Vec<usize> {
        let at = |places: &Places| row.ip.and_then(|ip| places.get(&(ip, row.port))).cloned().unwrap_or_default();
        let mut answering = at(&self.nameless);
        if row.name.is_none() {
            answering.extend(at(&self.named));
        }
        answering
    }
}
