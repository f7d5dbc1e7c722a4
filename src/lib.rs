//! `hailer` sweeps address ranges for FTP and mail servers: it opens each endpoint, waits for its greeting, and hands
//! on one [`Observation`] that says what answered. Where [`Depth`] asks for more, it asks what the server offers, in
//! clear and inside TLS. What an auditor should mend are [`findings`](classify::findings).
//!
//! ```text
//! targets ─► schedule ─► probe ───────────────────────► classify ─► output
//! what       order       connect ► (tls) ► greeting ►   software    csv, ndjson, xlsx, text
//!                        (dialogue) ► farewell          findings
//!            └────────── scan.rs drives them; an Observation is what they hand on ──────┘
//! ```

pub mod classify;
mod config;
mod error;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod handbook;
pub mod inventory;
pub mod manifest;
mod notice;
pub mod observation;
pub mod output;
mod probe;
mod scan;
mod schedule;
mod stats;
pub mod target;

pub use config::{Canary, Config, Depth, Leave, Limit, Profile, Roots, ScanBuilder};
pub use error::Error;
pub use notice::Notice;
pub use observation::{Observation, Outcome, Service};
pub use probe::is_ehlo_name;
pub use scan::{NamesLog, Observations, Scan};
pub use schedule::{
    Checkpoint, Journal, JournalError, Learnt, Mark, Rate, Recorded, Shard, ShardError, Slowed, Stamp, Stop, Tallied,
    Tally, listing,
};
pub use stats::Stats;
pub use target::{
    Addresses, Endpoint, Family, Host, ListError, Lookup, MailExchange, Miss, NotProbed, Pointer, Policy, Ports,
    PortsError, TargetError, Targets, TargetsBuilder, TargetsError,
};
