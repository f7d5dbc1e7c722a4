//! FTP's data address, as an anonymous guest is told it: 227 (RFC 959 §4.1.2) and 229 (RFC 2428 §3).
//!
//! Asked only where a login was asked for and granted. Through IPv6 there is no PASV to speak of, so that nothing is said
//! of its answer there.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use super::inside::is_inside;
use super::{Seen, excerpt};
use crate::observation::{Anonymous, Observation, Severity};

/// Anybody may log in.
pub(super) fn anonymous_ftp(row: &Observation) -> Option<Seen> {
    guest(row).map(|_| Seen::it())
}

/// PASV names an address that clients elsewhere cannot reach: a server behind NAT that does not know its own.
pub(super) fn pasv_private_address(row: &Observation) -> Option<Seen> {
    other_address(row, |ip| ip.is_unspecified() || is_inside(ip.into()))
}

/// PASV names another public address than the one dialled. Clients that guard against being sent elsewhere refuse it.
/// Who dials an inside address hears the public one of a server that is set up right for those outside: no finding.
pub(super) fn pasv_other_host(row: &Observation) -> Option<Seen> {
    let seen = other_address(row, |ip| !ip.is_unspecified() && !is_inside(ip.into()))?;
    (!is_inside(row.ip?)).then_some(seen)
}

/// PASV's port takes no connection on the host that was dialled. Where EPSV's takes none either, [`epsv_broken`] tells
/// both; and the port of a public address elsewhere is not to be looked for here.
pub(super) fn pasv_broken(row: &Observation) -> Option<Seen> {
    let guest = guest(row)?;
    if guest.passive_opens != Some(false) || guest.extended_opens == Some(false) {
        return None;
    }
    let address = guest.addresses.last()?;
    let ip = IpAddr::from(*address.ip());
    let is_here = row.ip?.to_canonical() == ip || ip.is_unspecified() || is_inside(ip);
    let but = if guest.extended_opens == Some(true) { ", though that of EPSV does" } else { "" };
    is_here.then(|| Seen::that(format!("port {} does not open{but}", address.port())))
}

/// EPSV is refused, names no port, or its port takes no connection. A refusal where PASV can be used matters least.
pub(super) fn epsv_broken(row: &Observation) -> Option<Seen> {
    let guest = guest(row)?;
    let reply = guest.extended.as_ref()?;
    let by_ipv6 = row.ip.is_some_and(|ip| ip.to_canonical().is_ipv6());
    let (detail, severity) = match (guest.extended_port, guest.extended_opens) {
        (None, _) if reply.code == 229 => ("229 without a port".to_owned(), Severity::Medium),
        (None, _) => {
            let line = reply.lines().next().unwrap_or_default();
            let severity = if by_ipv6 { Severity::Medium } else { Severity::Low };
            (format!("EPSV refused: {} {}", reply.code, excerpt(&line)), severity)
        }
        (Some(port), Some(false)) => {
            let neither = if guest.passive_opens == Some(false) { ", nor does that of PASV" } else { "" };
            (format!("port {port} does not open{neither}"), Severity::Medium)
        }
        (Some(_), Some(true) | None) => return None,
    };
    Some(Seen::that(detail.trim_end()).at(severity))
}

fn guest(row: &Observation) -> Option<&Anonymous> {
    row.dialogue.as_deref()?.anonymous.as_ref().filter(|guest| guest.is_in())
}

/// The first of such addresses of PASV that is not the one dialled.
fn other_address(row: &Observation, is_such: fn(Ipv4Addr) -> bool) -> Option<Seen> {
    let guest = guest(row)?;
    let dialled = match row.ip?.to_canonical() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => return None,
    };
    let is_other = |address: &&SocketAddrV4| *address.ip() != dialled && is_such(*address.ip());
    guest.addresses.iter().find(is_other).map(|address| Seen::that(format!("PASV {address}")))
}
