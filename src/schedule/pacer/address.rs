//! What is counted by: the address, and the network around it.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// IPv4 networks are counted as /24, the smallest that is routed, and IPv6 ones as /48, what a site is given.
const V4_PREFIX: u8 = 24;
const V6_PREFIX: u8 = 48;

/// An address as a number, an IPv4 one as IPv6 maps it: the same host whichever way it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Host(u128);

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self(ip.to_ipv6_mapped().to_bits()),
            IpAddr::V6(ip) => Self(ip.to_bits()),
        }
    }
}

impl Host {
    pub(super) fn prefix(self) -> Prefix {
        let bits = if self.0 >> 32 == 0xffff { 32 - V4_PREFIX } else { 128 - V6_PREFIX };
        Prefix(self.0 >> bits << bits)
    }
}

/// The first address of a network. None of IPv6 can be mistaken for one of IPv4, whose bits 32 to 47 are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Prefix(u128);

impl Prefix {
    pub(super) fn network(self) -> IpNet {
        let ip = Ipv6Addr::from_bits(self.0);
        let (ip, len) = match ip.to_ipv4_mapped() {
            Some(ip) => (IpAddr::V4(ip), V4_PREFIX),
            None => (IpAddr::V6(ip), V6_PREFIX),
        };
        IpNet::new_assert(ip, len)
    }
}
