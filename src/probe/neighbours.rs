//! A bound on connection attempts to directly attached networks, where each address not there holds an entry of the
//! neighbour table until ARP or ND gives up. Linux keeps 1,024 of them (`gc_thresh3`) and then fails connections to hosts
//! that are there.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A quarter of the neighbour table: others use it too.
const MAX_UNRESOLVED: usize = 256;

/// Which networks are attached, and how many attempts on them are under way.
#[derive(Debug)]
pub(crate) struct Neighbours {
    networks: Vec<IpNet>,
    attempts: Semaphore,
}

impl Neighbours {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self { networks, attempts: Semaphore::new(MAX_UNRESOLVED) }
    }

    /// The networks that this machine is attached to; where the system does not tell, none, which costs only the bound.
    pub(crate) fn attached() -> Self {
        let interfaces = getifaddrs().into_iter().flatten();
        let resolved = InterfaceFlags::IFF_LOOPBACK | InterfaceFlags::IFF_POINTOPOINT;
        let networks = interfaces
            .filter(|interface| !interface.flags.intersects(resolved))
            .filter_map(|interface| {
                let address = ip(interface.address.as_ref()?)?;
                IpNet::with_netmask(address, ip(interface.netmask.as_ref()?)?).ok()
            })
            .collect();
        Self::new(networks)
    }

    /// Whether `ip` is a broadcast address of an attached network, which no connection can be made to.
    pub(super) fn is_broadcast(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| match (network, ip) {
            // The networks of a /31 and a /32 have none (RFC 3021).
            (IpNet::V4(network), IpAddr::V4(ip)) => network.prefix_len() < 31 && network.broadcast() == ip,
            _ => false,
        })
    }

    /// A permit to connect to `ip`, to be held until the attempt is decided; none is needed beyond a router.
    pub(super) async fn permit(&self, ip: IpAddr) -> Option<SemaphorePermit<'_>> {
        if self.networks.iter().any(|network| network.contains(&ip)) {
            // The semaphore is never closed.
            self.attempts.acquire().await.ok()
        } else {
            None
        }
    }
}

/// Whether the link with this address of ours has a carrier; none where no link has it.
pub(super) fn has_carrier(ours: IpAddr) -> Option<bool> {
    let mut interfaces = getifaddrs().ok()?;
    let link = interfaces.find(|interface| interface.address.as_ref().and_then(ip) == Some(ours))?;
    Some(link.flags.contains(InterfaceFlags::IFF_RUNNING))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn broadcast_addresses_are_known() {
        let neighbours = Neighbours::new(vec!["192.0.2.0/24".parse().unwrap(), "198.51.100.0/31".parse().unwrap()]);
        let table = [("192.0.2.255", true), ("192.0.2.254", false), ("198.51.100.1", false), ("203.0.113.255", false)];
        for (ip, broadcast) in table {
            assert_eq!(neighbours.is_broadcast(ip.parse().unwrap()), broadcast, "{ip}");
        }
    }

    #[test]
    fn only_attached_networks_are_bounded() {
        let neighbours = Neighbours::new(vec!["192.0.2.0/24".parse().unwrap()]);
        let permit = |ip: &str| neighbours.permit(ip.parse().unwrap()).now_or_never();
        let permits: Vec<_> = (0..MAX_UNRESOLVED).map(|_| permit("192.0.2.7").expect("there is room")).collect();
        assert!(permit("192.0.2.8").is_none(), "one too many waits");
        assert!(permit("198.51.100.1").is_some_and(|permit| permit.is_none()), "beyond a router nothing waits");
        drop(permits);
        assert!(permit("192.0.2.8").is_some());
    }
}
