//! Which colour, marker and dash a series has.

/// The place of a series in the palette, given by the caller: an evaluation that keeps its number keeps its looks in all
/// charts. Numbers beyond the colours repeat them with other markers and dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Series(pub usize);
