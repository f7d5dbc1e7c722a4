//! Results read back: rows of CSV and NDJSON, what only all of them together say, and rows written out again.
//!
//! ```text
//! files ─► read ─► Row ─┬─► classify::fronting::Sweep ─► Overview ─┐     (first pass)
//!                       └─► raise ◄────────────────────────────────┘     (second pass)
//!                             └─► census (what is told), write (CSV, NDJSON)
//! ```
//!
//! A [`Row`] keeps every cell as it was, also of columns that nobody knows here, so that what is written out again is
//! what was read but for what was raised. Reading and writing take the memory of a row.

mod census;
mod raise;
mod read;
mod row;
#[cfg(test)]
mod tests;
mod write;

pub use self::census::Census;
pub use self::raise::raise;
pub use self::read::{ReadError, Rows};
pub use self::row::{Key, Row, Told};
pub use self::write::Writer;
