//! What the system knows of a TCP connection (`TCP_INFO`, tcp(7)): exact where our own clock counts until we get to look.
//!
//! Elsewhere than on Linux nothing is known.

/// Whether anything is.
pub(super) const IS_KNOWN: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
pub(super) use self::linux::{handshake, stands};

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use nix::libc;
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::GetStruct;
    use tokio::net::TcpStream;

    /// States in which it does not stand: SYN sent, and over (`linux/tcp_states.h`).
    const SYN_SENT: u8 = 2;
    const CLOSE: u8 = 7;

    #[derive(Debug, Clone, Copy)]
    struct Info;

    nix::getsockopt_impl!(Info, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info, GetStruct<libc::tcp_info>);

    /// Whether the connection stands now.
    pub(in super::super) fn stands(stream: &TcpStream) -> bool {
        getsockopt(stream, Info).is_ok_and(|info| !matches!(info.tcpi_state, SYN_SENT | CLOSE))
    }

    /// The time from our SYN to its answer. As long as we have said nothing, nothing else was measured; of a SYN that was
    /// repeated the system does not know which one was answered (RFC 6298 §3).
    pub(in super::super) fn handshake(stream: &TcpStream) -> Option<Duration> {
        let info = getsockopt(stream, Info).ok()?;
        let is_known = info.tcpi_rtt > 0 && info.tcpi_total_retrans == 0 && info.tcpi_state != SYN_SENT;
        is_known.then(|| Duration::from_micros(info.tcpi_rtt.into()))
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stands(_: &tokio::net::TcpStream) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn handshake(_: &tokio::net::TcpStream) -> Option<std::time::Duration> {
    None
}
