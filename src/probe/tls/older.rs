//! Servers of the past, by the legacy client.

use tokio::time::Instant;

use super::TlsClient;
use crate::observation::Legacy;
use crate::probe::network::Stream;

impl TlsClient {
    /// Whether TLS 1.1 and older would be spoken, and with which suite; the connection ends with that.
    pub(in crate::probe) async fn ask_for_old<S: Stream>(
        &self,
        stream: S,
        name: Option<&str>,
        deadline: Instant,
    ) -> Legacy {
        drop((stream, name, deadline));
        Legacy::Refused("not asked".into())
    }
}
