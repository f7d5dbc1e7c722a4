//! Results read back: rows of CSV and NDJSON, what only all of them together say, and rows written out again.
//!
//! ```text
//! files ─► read ─► Row ─┬─► classify::fronting::Sweep ─► Overview ─┐     (first pass)
//!                       └─► raise ◄────────────────────────────────┘     (second pass)
//!                             └─► census, figures (what is told), write (CSV, NDJSON)
//! ```
//!
//! A [`Row`] keeps every cell as it was, also of columns that nobody knows here, so that what is written out again is
//! what was read but for what was raised. Reading and writing take the memory of a row.

mod census;
pub mod diff;
mod figures;
mod found;
mod key;
pub mod merge;
mod raise;
mod read;
mod records;
mod row;
mod spoken;
#[cfg(test)]
mod tests;
mod write;

pub use self::census::Census;
pub(crate) use self::figures::counted_as;
pub use self::figures::{Certificate, Expiry, Figures, FindingCount, Hosts, Kinds, Product};
pub use self::found::Found;
pub use self::raise::raise;
pub use self::read::{ReadError, Rows};
pub use self::row::{Key, Row, Told};
pub use self::spoken::Spoken;
pub use self::write::Writer;

use crate::target::scratch::Limits;

/// How many bytes of rows are sorted in memory.
const SORTING: usize = 32 << 20;

/// Where rows are sorted, and how much of them in memory.
fn limits() -> Limits {
    Limits { sorting: SORTING, ..Limits::default() }
}
