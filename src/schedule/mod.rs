//! The order in which endpoints are taken and the pace at which they are, what is done and what is not, and the request
//! to take no more.
//!
//! What decides is pure ([`pacer`], [`order`], [`ledger`]: a moment comes in, a decision goes out); [`agenda`] puts it
//! behind one lock for the slots of a scan.

mod agenda;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod journal;
mod ledger;
mod listing;
mod order;
mod pacer;
mod patience;
mod permutation;
mod stop;

pub(crate) use self::agenda::{Agenda, Done, Named, Pause, Retried, Seat, Setup, Task, Underway, Work};
pub use self::journal::{Journal, JournalError, Mark, Recorded, Stamp, Tallied, Tally};
pub use self::ledger::Checkpoint;
pub(crate) use self::ledger::{Counts, Finished, Known, Ticket};
pub use self::listing::listing;
pub(crate) use self::order::Order;
pub use self::order::{Shard, ShardError};
pub(crate) use self::pacer::Pace;
pub use self::pacer::{Rate, Slowed};
pub use self::patience::Learnt;
pub(crate) use self::patience::{Allowance, Patience};
pub use self::stop::Stop;
