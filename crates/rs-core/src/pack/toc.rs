//! The table of contents of a run folder's blob.

/// The only version there is.
pub(super) const VERSION: u64 = 1;
