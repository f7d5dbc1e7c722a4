//! One address and port that can be connected to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::observation::Service;

/// One address and port, with the name that led there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) name: Option<Arc<str>>,
    /// How the name was found, where that is not the target itself: as mail exchange of which domain.
    pub(crate) via: Option<Arc<str>>,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) service: Service,
}

impl Place {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}
