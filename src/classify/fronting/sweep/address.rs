//! What is watched: hosts, and the networks around them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// The smallest network that is routed, and what one link of IPv6 has.
const V4_PREFIX: u8 = 24;
const V6_PREFIX: u8 = 64;

/// An address as a number, an IPv4 one as IPv6 maps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Host(u128);

impl Host {
    pub(super) fn new(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self(ip.to_ipv6_mapped().to_bits()),
            IpAddr::V6(ip) => Self(ip.to_bits()),
        }
    }

    pub(super) fn ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self.0).to_canonical()
    }

    pub(super) fn network(self) -> Network {
        let bits = if self.is_v4() { 32 - V4_PREFIX } else { 128 - V6_PREFIX };
        Network(self.0 >> bits << bits)
    }

    /// Which of 256 places in its network it has. In a /24 each address has its own; in a /64 neighbours have, and
    /// whichever share one count as one.
    pub(super) fn place(self) -> u8 {
        let bytes = self.0.to_be_bytes();
        if self.is_v4() { bytes[15] } else { bytes[8..].iter().fold(0, |place, byte| place ^ byte) }
    }

    fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }
}

impl From<Host> for u128 {
    fn from(host: Host) -> Self {
        host.0
    }
}

/// The first address of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Network(u128);

impl Network {
    pub(super) fn net(self) -> IpNet {
        match Ipv6Addr::from_bits(self.0).to_canonical() {
            ip @ IpAddr::V4(_) => IpNet::new_assert(ip, V4_PREFIX),
            ip @ IpAddr::V6(_) => IpNet::new_assert(ip, V6_PREFIX),
        }
    }
}

impl From<Network> for u128 {
    fn from(network: Network) -> Self {
        network.0
    }
}
