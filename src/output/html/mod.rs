//! What people read in a browser, as one page of HTML: rows with headline figures, charts, findings with remedies and a table
//! that sorts, filters, searches and leads to each host ([`Page`]); and what differs between two results
//! ([`ChangesPage`]).
//!
//! A page is one file and asks for nothing: styles, script and rows are in it, and its policy (CSP) forbids every
//! other source. Rows are inert JSON, which the script shows as text alone; what needs no script is written in HTML, so that
//! figures, charts and findings are there without one.
//!
//! ```text
//! rows ─┬─► figures (of all rows) ────────────────► headline, charts, findings, certificates ─┐
//!       └─► kept (all, or those with the worst) ──► JSON ────────────────────────────────────┴─► page
//! ```
//!
//! A page is written when all rows have come, in memory that does not grow with them. With more than [`MAX_ROWS`] it
//! holds the figures of all and those rows with the worst findings, and says so in its head.

mod changes;
mod charts;
mod endpoints;
mod escape;
mod frame;
mod kept;
#[cfg(test)]
mod tests;
mod words;

pub use self::changes::ChangesPage;
pub use self::endpoints::{Head, Page};

/// With more rows than these, which a browser would take too long over, a page has only those with the worst findings.
pub const MAX_ROWS: u64 = 50_000;
