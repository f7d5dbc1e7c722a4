//! What shows only over many rows, in memory that does not grow with them.

/// What many rows together say.
#[derive(Debug, Clone, Default)]
pub struct Sweep {}
