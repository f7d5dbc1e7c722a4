//! Addresses that are never to be probed, as disjoint ranges in memory: 8 bytes to a range of IPv4. And names, by which
//! mail exchanges may be reached.
//!
//! What is excluded of IPv4 is excluded behind NAT64 too, without being listed there.

use std::net::IpAddr;

use super::nat64;
use super::parse::to_address;

/// Ranges in ascending order that neither overlap nor adjoin.
#[derive(Debug, Default)]
pub(super) struct Exclusions {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
    /// In ascending order.
    names: Vec<Box<str>>,
}

impl Exclusions {
    /// Adds a range that lies after all of its family.
    pub(super) fn push(&mut self, ipv6: bool, first: u128, last: u128) {
        if ipv6 {
            match self.v6.last_mut().filter(|before| before.1.checked_add(1) == Some(first)) {
                Some(before) => before.1 = last,
                None => self.v6.push((first, last)),
            }
            return;
        }
        // Numbers of IPv4 addresses have no more than 32 bits.
        let [first, last] = [first, last].map(|end| u32::try_from(end).unwrap_or(u32::MAX));
        match self.v4.last_mut().filter(|before| before.1.checked_add(1) == Some(first)) {
            Some(before) => before.1 = last,
            None => self.v4.push((first, last)),
        }
    }

    /// Adds a name that comes after all others.
    pub(super) fn push_name(&mut self, name: &str) {
        self.names.push(name.into());
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.names.binary_search_by(|excluded| (**excluded).cmp(name)).is_ok()
    }

    /// What is excluded, where `ip` is: itself, or the address that it stands for.
    pub(super) fn holding(&self, ip: IpAddr) -> Option<IpAddr> {
        match ip {
            IpAddr::V4(v4) => holds(&self.v4, &u32::from(v4)).then_some(ip),
            IpAddr::V6(v6) if holds(&self.v6, &u128::from(v6)) => Some(ip),
            IpAddr::V6(v6) => nat64::behind(v6).and_then(|behind| self.holding(behind)),
        }
    }

    /// The range of IPv4 with this number, as it is behind NAT64.
    pub(super) fn translated(&self, number: usize) -> Option<(u128, u128)> {
        let (first, last) = *self.v4.get(number)?;
        Some((nat64::translated(first.into()), nat64::translated(last.into())))
    }

    /// The names, in ascending order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The first and the last address of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        let v4 = self.v4.iter().map(|(first, last)| (IpAddr::V4((*first).into()), IpAddr::V4((*last).into())));
        v4.chain(self.v6.iter().map(|(first, last)| (to_address(*first, true), to_address(*last, true))))
    }
}

fn holds<N: Ord>(ranges: &[(N, N)], number: &N) -> bool {
    let after = ranges.partition_point(|(first, _)| first <= number);
    after.checked_sub(1).and_then(|before| ranges.get(before)).is_some_and(|(_, last)| number <= last)
}

#[cfg(test)]
mod tests {
    use super::super::parse::to_number;
    use super::*;

    #[test]
    fn neighbours_become_one() {
        let mut exclusions = Exclusions::default();
        for (first, last) in [("10.0.0.0", "10.0.0.9"), ("10.0.0.10", "10.0.0.19"), ("::1", "::1"), ("::2", "::5")] {
            let (first, last): (IpAddr, IpAddr) = (first.parse().unwrap(), last.parse().unwrap());
            exclusions.push(first.is_ipv6(), to_number(first), to_number(last));
        }
        assert_eq!(exclusions.iter().count(), 2);
        let table = [("9.255.255.255", false), ("10.0.0.0", true), ("10.0.0.19", true), ("10.0.0.20", false)];
        for (ip, contained) in table.into_iter().chain([("::", false), ("::5", true), ("::6", false)]) {
            assert_eq!(exclusions.holding(ip.parse().unwrap()).is_some(), contained, "{ip}");
        }
        for (ip, excluded) in [("64:ff9b::a00:13", Some("10.0.0.19")), ("64:ff9b::a00:14", None)] {
            let excluded = excluded.map(|ip| ip.parse().unwrap());
            assert_eq!(exclusions.holding(ip.parse().unwrap()), excluded, "{ip}");
        }
    }
}
