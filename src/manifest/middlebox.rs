//! What answered in the place of servers, as a manifest tells it.

use serde::{Deserialize, Serialize};

use crate::classify::fronting::Overview;

/// What shows only over many rows of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Middleboxes {
    /// Each of them, the largest first.
    pub found: Vec<Middlebox>,
    /// How many there are beside these.
    pub more: u64,
    /// How many servers saw us at another address than most.
    pub seen_elsewhere: u64,
    /// How many of the hosts that answered were watched.
    pub hosts: Share,
    /// How many of the networks in which something answered were.
    pub networks: Share,
}

/// So many, and of how many; about so many where that is more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are what their names say")]
pub struct Share {
    pub watched: u64,
    pub of: u64,
}

/// [`fronting::Middlebox`](crate::classify::fronting::Middlebox), as text and numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Middlebox {
    /// [`What::as_str`](crate::classify::fronting::What::as_str).
    pub what: String,
    /// The network, or the host.
    pub network: String,
    /// How many addresses were seen to answer so.
    pub addresses: u64,
    /// The ports where they greet; none where they accept everything.
    pub ports: Vec<u16>,
    /// The greeting's beginning, in escaped form.
    pub greeting: Option<String>,
}

impl From<&Overview> for Middleboxes {
    fn from(overview: &Overview) -> Self {
        let found = overview.middleboxes().iter().map(|it| Middlebox {
            what: it.what.as_str().to_owned(),
            network: it.place(),
            addresses: it.addresses,
            ports: it.ports.clone(),
            greeting: it.greeting.clone(),
        });
        let watched = overview.watched();
        Self {
            found: found.collect(),
            more: overview.left_out(),
            seen_elsewhere: overview.seen_elsewhere(),
            hosts: Share { watched: watched.hosts, of: watched.of_hosts },
            networks: Share { watched: watched.networks, of: watched.of_networks },
        }
    }
}
