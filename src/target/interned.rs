//! Sets of ports by number: many targets share a few of them.

use std::collections::{BTreeSet, HashMap};

use super::ports::{Ports, PortsError};

/// Sets of ports, each once.
#[derive(Debug, Default)]
pub(super) struct Interned {
    sets: Vec<Ports>,
    numbers: HashMap<Ports, u32>,
}

impl Interned {
    /// The number of a set.
    pub(super) fn number(&mut self, ports: &Ports) -> u32 {
        if let Some(number) = self.numbers.get(ports) {
            return *number;
        }
        // Each set holds memory, which ends long before the numbers do.
        let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(ports.clone());
        self.numbers.insert(ports.clone(), number);
        number
    }

    /// The number of the set that has the ports of all these, of which there is at least one.
    ///
    /// # Errors
    /// The lowest port that is in two of them as two services, the services in their own order.
    pub(super) fn union(&mut self, mut numbers: impl Iterator<Item = u32>) -> Result<u32, PortsError> {
        let first = numbers.next().unwrap_or_default();
        let mut others = numbers.peekable();
        if others.peek().is_none() {
            return Ok(first);
        }
        let all: BTreeSet<_> =
            std::iter::once(first).chain(others).flat_map(|number| self.ports(number).iter()).collect();
        let pairs = all.iter().zip(all.iter().skip(1));
        for ((port, first), (next, second)) in pairs {
            if port == next {
                return Err(PortsError::Conflict { port: *port, first: *first, second: *second });
            }
        }
        Ok(self.number(&all.into_iter().collect()))
    }

    /// Whether a set has this number.
    pub(super) fn has(&self, number: u32) -> bool {
        usize::try_from(number).is_ok_and(|number| number < self.sets.len())
    }

    /// The set with this number, which `number` or `union` gave out.
    pub(super) fn ports(&self, number: u32) -> &Ports {
        &self.sets[usize::try_from(number).unwrap_or(usize::MAX)]
    }

    pub(super) fn into_sets(self) -> Vec<Ports> {
        self.sets
    }
}

#[cfg(test)]
mod tests {
    use crate::observation::Service;

    use super::*;

    #[test]
    fn each_set_has_one_number() {
        let mut interned = Interned::default();
        let [a, b, c, d] = ["21", "25", "21=ftp", "25,21"].map(|list| interned.number(&Ports::parse(list).unwrap()));
        assert_eq!([a, b, c, d], [0, 1, 0, 2]);
        assert_eq!(interned.union([a, b].into_iter()), Ok(d));
        assert_eq!(interned.union([b].into_iter()), Ok(b));
        assert_eq!(interned.into_sets().len(), 3);
    }

    #[test]
    fn a_conflict_is_the_same_in_any_order() {
        let mut interned = Interned::default();
        let [a, b] = ["25,465", "25=ftp,465=ftp"].map(|list| interned.number(&Ports::parse(list).unwrap()));
        let conflict = PortsError::Conflict { port: 25, first: Service::Ftp, second: Service::Smtp };
        assert_eq!(interned.union([a, b].into_iter()), Err(conflict.clone()));
        assert_eq!(interned.union([b, a].into_iter()), Err(conflict));
    }
}
