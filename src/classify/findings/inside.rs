//! Addresses and names that mean something only inside somebody's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Top-level names that are not on the Internet: RFC 6762 §3 and appendix G, and ICANN's `internal`.
const NAMES: [&str; 8] = ["local", "internal", "lan", "corp", "home", "intranet", "private", "localdomain"];

/// The one that is a domain below another: RFC 8375.
const HOME: &str = ".home.arpa";

/// Private (RFC 1918, RFC 4193), shared (RFC 6598), link-local (RFC 3927, RFC 4291 §2.5.6) or loopback.
pub(in crate::classify) fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared(ip),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip == Ipv6Addr::LOCALHOST,
    }
}

/// A name of somebody's own network: `exch01.corp.local`. `localhost.localdomain` names no network; nor does a bare
/// `EXCH01`, which may be any.
pub(in crate::classify) fn is_inside_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let Some((_, top)) = name.rsplit_once('.') else { return false };
    let is_home = || {
        let start = name.len().checked_sub(HOME.len());
        start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(HOME))
    };
    let is_inside = NAMES.iter().any(|inside| top.eq_ignore_ascii_case(inside)) || is_home();
    is_inside && !name.split('.').next().unwrap_or_default().eq_ignore_ascii_case("localhost")
}

/// 100.64.0.0/10.
fn is_shared(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [100, 64..=127, ..])
}
