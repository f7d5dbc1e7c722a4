//! Which lines of what should be there a row speaks of.

use std::collections::HashMap;
use std::net::IpAddr;

use super::expect::Line;
use crate::inventory::key::Identity;

/// Lines by where they say that something should be.
pub(super) struct Index {
    names: HashMap<(String, u16), Vec<usize>>,
    addresses: HashMap<(IpAddr, u16), Vec<usize>>,
    /// Those that are said to be mail exchanges of a domain.
    domains: HashMap<(String, u16), Vec<usize>>,
}

impl Index {
    pub(super) fn of(lines: &[Line]) -> Self {
        let (mut names, mut addresses, mut domains) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, line) in lines.iter().enumerate() {
            let Identity { ip, port, name, domain } = line.identity();
            if let Some(ip) = ip {
                addresses.entry((ip, port)).or_insert_with(Vec::new).push(at);
            }
            if let Some(name) = name {
                names.entry((name, port)).or_insert_with(Vec::new).push(at);
            }
            if let Some(domain) = domain {
                domains.entry((domain, port)).or_insert_with(Vec::new).push(at);
            }
        }
        Self { names, addresses, domains }
    }

    /// The lines that a row is of: a line with an address and a name is of rows with both, one with a name alone of all of
    /// that name, and one with an address alone of all rows there that no other line is of.
    pub(super) fn own(&self, lines: &[Line], row: &Identity) -> Vec<usize> {
        if let Some(domain) = row.domain.as_ref().filter(|_| row.is_of_no_exchange()) {
            return self.domains.get(&(domain.clone(), row.port)).cloned().unwrap_or_default();
        }
        let (nameless, named): (Vec<usize>, Vec<usize>) =
            self.at(row).iter().partition(|at| lines[**at].name.is_none());
        let mut own: Vec<usize> =
            named.into_iter().filter(|at| row.name.is_some() && lines[*at].name == row.name).collect();
        own.extend(self.called(row).iter().filter(|at| lines[**at].ip.is_none()));
        if own.is_empty() { nameless } else { own }
    }

    /// Those that it may be of where no row is theirs: lines of its address by other names, or else of its name at other
    /// addresses.
    pub(super) fn further(&self, lines: &[Line], row: &Identity) -> Vec<usize> {
        let named: Vec<_> = self.at(row).iter().copied().filter(|at| lines[*at].name.is_some()).collect();
        if named.is_empty() { self.called(row).to_vec() } else { named }
    }

    /// Those to which it is an answer, whatever else it says: lines of its address without a name, and where it has none itself
    /// all of that address.
    pub(super) fn answering(&self, lines: &[Line], row: &Identity) -> Vec<usize> {
        self.at(row).iter().copied().filter(|at| row.name.is_none() || lines[*at].name.is_none()).collect()
    }

    fn at(&self, row: &Identity) -> &[usize] {
        row.ip.and_then(|ip| self.addresses.get(&(ip, row.port))).map_or(&[], Vec::as_slice)
    }

    fn called(&self, row: &Identity) -> &[usize] {
        let name = row.name.clone();
        name.and_then(|name| self.names.get(&(name, row.port))).map_or(&[], Vec::as_slice)
    }
}
