//! Which ICMP error ended a connection attempt: Linux tells it on the socket's error queue (`IP_RECVERR`, ip(7)).
//!
//! Elsewhere there is no such queue, and only the system's error number is known.

use std::fmt;
use std::net::IpAddr;

/// An ICMP or ICMPv6 error, and who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IcmpError {
    /// The type.
    pub(crate) kind: u8,
    /// The code.
    pub(crate) code: u8,
    /// Whether it is ICMPv6.
    pub(crate) v6: bool,
    /// Who sent it, where that is known.
    pub(crate) from: Option<IpAddr>,
    /// Whether that was this machine: no neighbour answered, or a rule of its own.
    pub(crate) own: bool,
}

impl IcmpError {
    /// Whether TCP would pass over it and go on: it may come of a lost packet, or pass with the next route (RFC 1122
    /// §4.2.3.9, RFC 5461 §2.1 for ICMPv6).
    pub(crate) const fn may_pass(self) -> bool {
        matches!(
            (self.v6, self.kind, self.code),
            (false, 3, 0 | 1 | 5) | (false, 11, _) | (true, 1, 0 | 3) | (true, 3, _)
        )
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, code, v6, from, own } = *self;
        let family = if v6 { "ICMPv6" } else { "ICMP" };
        write!(f, "{family} {kind}/{code}")?;
        if let Some(meaning) = meaning(v6, kind, code) {
            write!(f, " {meaning}")?;
        }
        match from {
            _ if own => f.write_str(" from this machine"),
            Some(from) => write!(f, " from {from}"),
            None => Ok(()),
        }
    }
}

/// IANA's registries "ICMP Parameters" (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1) and "ICMPv6 Parameters" (RFC 4443).
fn meaning(v6: bool, kind: u8, code: u8) -> Option<&'static str> {
    Some(match (v6, kind, code) {
        (false, 3, 0) => "net unreachable",
        (false, 3, 1) => "host unreachable",
        (false, 3, 2) => "protocol unreachable",
        (false, 3, 3) | (true, 1, 4) => "port unreachable",
        (false, 3, 4) => "fragmentation needed",
        (false, 3, 5) => "source route failed",
        (false, 3, 6) => "net unknown",
        (false, 3, 7) => "host unknown",
        (false, 3, 8) => "source host isolated",
        (false, 3, 9) => "net administratively prohibited",
        (false, 3, 10) => "host administratively prohibited",
        (false, 3, 11) => "net unreachable for this type of service",
        (false, 3, 12) => "host unreachable for this type of service",
        (false, 3, 13) => "communication administratively prohibited",
        (false, 3, 14) => "host precedence violation",
        (false, 3, 15) => "precedence cutoff",
        (false, 11, 0) | (true, 3, 0) => "time to live exceeded",
        (false, 12, _) | (true, 4, _) => "parameter problem",
        (true, 1, 0) => "no route",
        (true, 1, 1) => "administratively prohibited",
        (true, 1, 2) => "beyond scope of source address",
        (true, 1, 3) => "address unreachable",
        (true, 1, 5) => "source address failed policy",
        (true, 1, 6) => "route rejected",
        (true, 2, 0) => "packet too big",
        _ => return None,
    })
}

#[cfg(target_os = "linux")]
pub(super) use self::linux::{ask_for_errors, read_error};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::os::fd::AsRawFd;

    use nix::libc;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
    use socket2::Socket;
    use tokio::net::TcpStream;

    use super::IcmpError;

    pub(in super::super) fn ask_for_errors(socket: &Socket, to: IpAddr) -> io::Result<()> {
        match to {
            IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
            IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
        }
        Ok(())
    }

    /// Room for the error and the address of who sent it, with the alignment of a control message.
    #[repr(align(8))]
    struct Control([u8; 256]);

    pub(in super::super) fn read_error(stream: &TcpStream) -> Option<IcmpError> {
        let mut control = Control([0; 256]);
        // The queue hands back the packet that the error is about; nothing of it is needed.
        let mut packet = [0; 1];
        let mut parts = [IoSliceMut::new(&mut packet)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(stream.as_raw_fd(), &mut parts, Some(&mut control.0), flags).ok()?;
        let own = stream.local_addr().ok().map(|address| address.ip());
        message.cmsgs().ok()?.find_map(|control| {
            let (error, from) = match control {
                ControlMessageOwned::Ipv4RecvErr(error, from) => {
                    (error, from.map(|from| IpAddr::from(Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)))))
                }
                ControlMessageOwned::Ipv6RecvErr(error, from) => {
                    (error, from.map(|from| IpAddr::from(Ipv6Addr::from(from.sin6_addr.s6_addr))))
                }
                _ => return None,
            };
            let v6 = match error.ee_origin {
                libc::SO_EE_ORIGIN_ICMP => false,
                libc::SO_EE_ORIGIN_ICMP6 => true,
                _ => return None,
            };
            Some(IcmpError { kind: error.ee_type, code: error.ee_code, v6, from, own: from.is_some() && from == own })
        })
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ask_for_errors(_: &socket2::Socket, _: IpAddr) -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read_error(_: &tokio::net::TcpStream) -> Option<IcmpError> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_rows() {
        let router = "192.0.2.1".parse().ok();
        let table = [
            (
                IcmpError { kind: 3, code: 13, v6: false, from: router, own: false },
                "ICMP 3/13 communication administratively prohibited from 192.0.2.1",
            ),
            (
                IcmpError { kind: 3, code: 1, v6: false, from: router, own: true },
                "ICMP 3/1 host unreachable from this machine",
            ),
            (IcmpError { kind: 1, code: 4, v6: true, from: None, own: false }, "ICMPv6 1/4 port unreachable"),
            (IcmpError { kind: 99, code: 7, v6: true, from: None, own: false }, "ICMPv6 99/7"),
        ];
        for (error, words) in table {
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn passing_errors() {
        let icmp = |v6, kind, code| IcmpError { kind, code, v6, from: None, own: false };
        let passing = [(false, 3, 0), (false, 3, 1), (false, 11, 0), (true, 1, 0), (true, 1, 3), (true, 3, 0)];
        let lasting = [(false, 3, 2), (false, 3, 3), (false, 3, 13), (true, 1, 1), (true, 1, 4), (true, 4, 1)];
        assert!(passing.iter().all(|(v6, kind, code)| icmp(*v6, *kind, *code).may_pass()));
        assert!(!lasting.iter().any(|(v6, kind, code)| icmp(*v6, *kind, *code).may_pass()));
    }
}
