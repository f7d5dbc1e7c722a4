//! Where the servers of a fleet stand: so many hosts, each with one port for every service.
//!
//! Linux answers on all of 127.0.0.0/8, so every host gets an address of its own. Elsewhere 127.0.0.1 is the only one,
//! and the hosts stand behind one another on its ports. Which service is at a port follows from its number alone. Only a
//! fleet that is asked to leaves the loopback network, for a namespace of its own.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::Error;
use crate::observation::Service;

/// Where the first host usually is: away from 127.0.0.1, where a machine's own services are.
pub(super) const FIRST: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// Each service has the thousand ports from here on. The thousands resemble the usual ports (21, 25, 465, 587, 990), and
/// all lie below the ports that systems give to outgoing connections (32768 and up on Linux, 49152 elsewhere).
const FIRST_PORTS: [(Service, u16); 5] = [
    (Service::Ftp, 21_000),
    (Service::Smtps, 24_000),
    (Service::Smtp, 25_000),
    (Service::Submission, 27_000),
    (Service::Ftps, 29_000),
];

/// How many ports a service has, and how many hosts fit on one address.
const PORTS: u16 = 1000;

/// The usual ones, for tools that know a service by its port.
const USUAL_PORTS: [(Service, u16); 5] =
    [(Service::Ftp, 21), (Service::Smtps, 465), (Service::Smtp, 25), (Service::Submission, 587), (Service::Ftps, 990)];

/// More hosts than this are refused, whatever the open-file limit: it is far beyond what one process serves.
const MAX_HOSTS: u32 = 1 << 16;

/// Where hosts are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each has an address of its own, in a row.
    Addresses,
    /// The same, on the ports that such services usually have. Those below 1024 take a privilege.
    UsualPorts,
    /// All are on one address, each on ports of its own.
    Ports,
}

impl Default for Spread {
    fn default() -> Self {
        if cfg!(target_os = "linux") { Self::Addresses } else { Self::Ports }
    }
}

impl Spread {
    /// Each service with its first port.
    const fn ports(self) -> [(Service, u16); 5] {
        match self {
            Self::Addresses | Self::Ports => FIRST_PORTS,
            Self::UsualPorts => USUAL_PORTS,
        }
    }
}

/// Which addresses hosts may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Those of 127.0.0.0/8, which nobody else can reach.
    #[default]
    Loopback,
    /// Any that a host can have, as in a network namespace: whoever reaches them reaches the fleet.
    Anywhere,
}

impl Reach {
    /// The address after the last that a host may have, if it may have this one.
    fn end(self, first: Ipv4Addr) -> Result<Ipv4Addr, Error> {
        match self {
            // The last address of a network is its broadcast address, which nothing can be bound to.
            Self::Loopback if first.is_loopback() && first != Ipv4Addr::new(127, 0, 0, 0) => {
                Ok(Ipv4Addr::new(127, 255, 255, 255))
            }
            Self::Loopback => Err(Error::NotLoopback(first)),
            // 0.0.0.0 would be every address of the machine, and from 224.0.0.0 on none is a host's.
            Self::Anywhere if (1..224).contains(&first.octets()[0]) => Ok(Ipv4Addr::new(224, 0, 0, 0)),
            Self::Anywhere => Err(Error::NotAHost(first)),
        }
    }
}

/// The endpoints of a fleet as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    first: Ipv4Addr,
    hosts: u32,
    spread: Spread,
}

impl Layout {
    /// Lets through what stays within reach.
    pub(super) fn new(first: Ipv4Addr, hosts: u32, spread: Spread, reach: Reach) -> Result<Self, Error> {
        let end = reach.end(first)?;
        let most = match spread {
            Spread::Addresses | Spread::UsualPorts => end.to_bits().saturating_sub(first.to_bits()).min(MAX_HOSTS),
            Spread::Ports => u32::from(PORTS),
        };
        if !(1..=most).contains(&hosts) {
            return Err(Error::Hosts { hosts, most });
        }
        Ok(Self { first, hosts, spread })
    }

    /// How many endpoints there are.
    pub(super) fn len(self) -> u64 {
        u64::from(self.hosts) * 5
    }

    /// Every endpoint with the service that is expected there.
    pub(super) fn endpoints(self) -> impl Iterator<Item = (SocketAddrV4, Service)> {
        (0..self.hosts).flat_map(move |host| {
            self.spread.ports().into_iter().filter_map(move |(service, first_port)| {
                let (ip, port) = match self.spread {
                    Spread::Addresses | Spread::UsualPorts => {
                        (Ipv4Addr::from_bits(self.first.to_bits() + host), first_port)
                    }
                    Spread::Ports => (self.first, first_port + u16::try_from(host).ok()?),
                };
                Some((SocketAddrV4::new(ip, port), service))
            })
        })
    }

    /// The service at an address, where it is one of the fleet's.
    pub(super) fn service_at(self, address: SocketAddrV4) -> Option<Service> {
        // So many ports a service, and so many addresses.
        let (ports, addresses) = match self.spread {
            Spread::Addresses | Spread::UsualPorts => (1, self.hosts),
            Spread::Ports => (self.hosts, 1),
        };
        let (service, _) = self.spread.ports().into_iter().find(|(_, first_port)| {
            address.port().checked_sub(*first_port).is_some_and(|port| u32::from(port) < ports)
        })?;
        let is_ours = address.ip().to_bits().checked_sub(self.first.to_bits())? < addresses;
        is_ours.then_some(service)
    }

    /// Where an endpoint is in the fleet, as the address that it has where the first host is at the usual place: what follows
    /// from this is the same wherever the fleet stands.
    pub(super) fn place(self, address: SocketAddrV4) -> SocketAddrV4 {
        let host = address.ip().to_bits().wrapping_sub(self.first.to_bits());
        SocketAddrV4::new(Ipv4Addr::from_bits(FIRST.to_bits().wrapping_add(host)), address.port())
    }

    /// The addresses as a target of `hailer scan`.
    pub(super) fn target(self) -> String {
        let last = Ipv4Addr::from_bits(self.first.to_bits() + self.hosts - 1);
        if self.spread == Spread::Ports || last == self.first {
            return self.first.to_string();
        }
        format!("{}-{last}", self.first)
    }

    /// The ports as `hailer scan -p` takes them.
    pub(super) fn ports(self) -> String {
        let words = self.spread.ports().map(|(service, first)| match u16::try_from(self.hosts - 1) {
            Ok(more @ 1..) if self.spread == Spread::Ports => format!("{first}-{}={service}", first + more),
            _ => format!("{first}={service}"),
        });
        words.join(",")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn layout(first: &str, hosts: u32, spread: Spread) -> Result<Layout, Error> {
        Layout::new(first.parse().unwrap(), hosts, spread, Reach::Loopback)
    }

    #[test]
    fn every_endpoint_is_found_again() {
        for spread in [Spread::Addresses, Spread::UsualPorts, Spread::Ports] {
            let layout = layout("127.77.0.250", 300, spread).unwrap();
            let all: HashSet<_> = layout.endpoints().collect();
            assert_eq!(all.len(), 1500);
            assert!(all.iter().all(|(address, service)| layout.service_at(*address) == Some(*service)));
            assert!(all.iter().all(|(address, _)| address.ip().is_loopback()));
        }
    }

    #[test]
    fn a_place_is_the_same_wherever_the_fleet_stands() {
        let places = |first: &str, spread| {
            let layout = layout(first, 300, spread).unwrap();
            layout.endpoints().map(|(address, _)| layout.place(address)).collect::<Vec<_>>()
        };
        let usual = layout("127.77.0.1", 300, Spread::Addresses).unwrap();
        assert!(usual.endpoints().all(|(address, _)| usual.place(address) == address));
        for spread in [Spread::Addresses, Spread::UsualPorts, Spread::Ports] {
            assert_eq!(places("127.1.2.3", spread), places("127.200.0.250", spread));
        }
    }

    #[test]
    fn others_are_not_found() {
        let table = [("127.77.0.1:21000", true), ("127.77.0.3:21000", false), ("127.77.0.0:21000", false)];
        for (address, ours) in table.into_iter().chain([("127.77.0.1:21001", false), ("127.77.0.1:80", false)]) {
            let layout = layout("127.77.0.1", 2, Spread::Addresses).unwrap();
            assert_eq!(layout.service_at(address.parse().unwrap()).is_some(), ours, "{address}");
        }
    }

    #[test]
    fn nothing_leaves_the_loopback_network() {
        for (first, hosts, spread) in [
            ("10.0.0.1", 1, Spread::Addresses),
            ("127.0.0.0", 1, Spread::Addresses),
            ("127.255.255.255", 1, Spread::Addresses),
            ("127.255.255.254", 2, Spread::Addresses),
            ("127.0.0.1", 0, Spread::Addresses),
            ("127.0.0.1", u32::MAX, Spread::Addresses),
            ("127.0.0.1", 1001, Spread::Ports),
        ] {
            assert!(layout(first, hosts, spread).is_err(), "{first} {hosts} {spread:?}");
        }
        assert!(layout("127.255.255.254", 1, Spread::Addresses).is_ok());
        assert!(layout("127.0.0.1", 1000, Spread::Ports).is_ok());
    }

    #[test]
    fn only_where_asked_for_does_it_leave_it() {
        let anywhere = |first: &str, hosts| {
            Layout::new(first.parse().unwrap(), hosts, Spread::UsualPorts, Reach::Anywhere).map(Layout::target)
        };
        assert_eq!(anywhere("10.99.1.1", 300).unwrap(), "10.99.1.1-10.99.2.44");
        assert_eq!(anywhere("127.77.0.1", 1).unwrap(), "127.77.0.1");
        assert_eq!(anywhere("223.255.255.254", 2).unwrap(), "223.255.255.254-223.255.255.255");
        for (first, hosts) in
            [("0.0.0.0", 1), ("224.0.0.1", 1), ("255.255.255.255", 1), ("223.255.255.254", 3), ("10.0.0.1", 0)]
        {
            assert!(anywhere(first, hosts).is_err(), "{first} {hosts}");
        }
    }

    #[test]
    fn as_words_of_a_command_line() {
        let many = layout("127.77.0.1", 1000, Spread::Addresses).unwrap();
        assert_eq!(many.target(), "127.77.0.1-127.77.3.232");
        assert_eq!(many.ports(), "21000=ftp,24000=smtps,25000=smtp,27000=submission,29000=ftps");
        let usual = layout("127.77.0.1", 1000, Spread::UsualPorts).unwrap();
        assert_eq!(usual.target(), "127.77.0.1-127.77.3.232");
        assert_eq!(usual.ports(), "21=ftp,465=smtps,25=smtp,587=submission,990=ftps");
        let one = layout("127.0.0.1", 1000, Spread::Ports).unwrap();
        assert_eq!(one.target(), "127.0.0.1");
        assert!(one.ports().starts_with("21000-21999=ftp,24000-24999=smtps,"), "{}", one.ports());
        let single = layout("127.0.0.1", 1, Spread::Ports).unwrap();
        assert!(single.ports().starts_with("21000=ftp,"), "{}", single.ports());
    }
}
