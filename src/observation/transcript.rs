//! What was said on both sides, in order, for people who look at one host.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

/// Both sides' words on all connections of one probe, up to a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    moments: Vec<Moment>,
    bytes: usize,
    truncated: bool,
}

/// Something that happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, counted from the start of the probe.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection was begun; how many tries it took is in the observation.
    Dialled(SocketAddr),
    /// It stands.
    Connected,
    /// It came to nothing: the outcome's name, and what it leaves open.
    NotConnected(Cow<'static, str>),
    /// We said this.
    Said(Vec<u8>),
    /// The peer said this.
    Heard(Vec<u8>),
    /// We sent a `ClientHello` of this kind.
    Hello(&'static str),
    /// The handshake is done: version, suite and group.
    Secured(String),
    /// The server would have gone on with this version and suite, and we did not.
    WouldSpeak(String),
    /// It is not, and why.
    NotSecured(Cow<'static, str>),
    /// The peer sent FIN.
    Ended,
    /// The connection broke.
    Broken(Cow<'static, str>),
    /// We waited so long for nothing.
    GaveUp,
    /// We closed it.
    Closed,
}

impl Transcript {
    /// How many bytes of both sides are kept.
    pub const LIMIT: usize = 256 * 1024;

    /// How many moments are kept.
    const MAX_MOMENTS: usize = 4096;

    /// Adds a moment, as far as there is room. Bytes that follow bytes of the same side at the same time are one moment.
    pub fn push(&mut self, at: Duration, event: Event) {
        let size = match &event {
            Event::Said(bytes) | Event::Heard(bytes) => bytes.len(),
            Event::Dialled(_)
            | Event::Connected
            | Event::NotConnected(_)
            | Event::Hello(_)
            | Event::Secured(_)
            | Event::WouldSpeak(_)
            | Event::NotSecured(_)
            | Event::Ended
            | Event::Broken(_)
            | Event::GaveUp
            | Event::Closed => 0,
        };
        if self.bytes + size > Self::LIMIT || self.moments.len() >= Self::MAX_MOMENTS {
            self.truncated = true;
            return;
        }
        self.bytes += size;
        self.moments.push(Moment { at, event });
    }

    /// Everything, in order.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// Whether more happened than is kept.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}
