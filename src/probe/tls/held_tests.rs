//! What a handshake under way holds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::probe::certificate::Anchors;

/// A peer that takes everything and says nothing.
#[derive(Debug)]
struct Mute;

impl AsyncRead for Mute {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Mute {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Stream for Mute {
    fn take_now(&mut self, _: &mut [u8]) -> usize {
        0
    }

    fn local_ip(&self) -> Option<IpAddr> {
        None
    }
}

/// What is waited for costs memory as long as it does not come: a peer that never answers a `ClientHello` must not cost more
/// than one that does. rustls takes 4 KiB of this to read into.
#[tokio::test(start_paused = true)]
async fn a_handshake_under_way_holds_little() {
    let certificates = Arc::new(Certificates::new(Anchors::of(&[]).unwrap()));
    let client = TlsClient::new(certificates);
    let server = Server { ip: [127, 0, 0, 1].into(), name: None, sni: false, tls: TlsUse::Implicit };
    let deadline = Instant::now() + Duration::from_secs(10);
    let begin = || {
        let mut handshake = Box::pin(client.handshake(Mute, Hello::Modern, server, deadline));
        assert!(handshake.as_mut().now_or_never().is_none());
        handshake
    };
    // The first fills what all share.
    drop(begin());
    let mut held = None;
    let counted = allocation_counter::measure(|| held = Some(begin()));
    assert!(counted.bytes_current <= 10 * 1024, "{counted:?}");
}
