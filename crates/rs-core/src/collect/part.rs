//! What a range or block of a file gave: apart until all parts are put together in (path, line) order.

use serde::{Deserialize, Serialize};

use super::{Mark, Tally};
use crate::diagnostic::Problem;
use crate::eval_id::Identity;
use crate::point::Attributes;
use crate::sample::Sample;

/// What a range or block gave.
pub(super) struct Part {
    pub(super) file: usize,
    /// Order inside the file.
    pub(super) offset: u64,
    pub(super) identities: Vec<(Identity, Tally)>,
    pub(super) points: Vec<PartPoint>,
    /// What samples carry besides their results.
    pub(super) attributes: Vec<Attributes>,
    /// The number of its first spectrum among all, and how many it has.
    pub(super) first_spectrum: u64,
    pub(super) n_spectra: usize,
    pub(super) n_malformed: u64,
    pub(super) diagnostics: Vec<PlacedProblem>,
    /// Lines that begin in it.
    pub(super) n_lines: u64,
    /// The first line of each piece of [`super::MARK_BYTES`] in which one of them begins; counted from 0 at the part's first.
    pub(super) marks: Vec<Mark>,
    /// Why the file could not be read, or not to its end.
    pub(super) unreadable: Option<Unreadable>,
}

impl Part {
    /// Whether something in it is malformed, or could not be read.
    pub(super) fn has_problem(&self) -> bool {
        self.n_malformed > 0 || self.unreadable.is_some()
    }

    /// Bytes that its samples take.
    pub(super) fn sample_memory_bytes(&self) -> u64 {
        self.points.iter().map(|point| size_of_val(point.samples.as_slice()) as u64).sum()
    }
}

pub(super) struct Unreadable {
    pub(super) what: String,
    pub(super) is_damaged_blob: bool,
}

/// Samples of one coordinate, in line order; their attributes are positions in [`Part::attributes`], their spectra numbers
/// among those of the part.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PartPoint {
    pub(super) identity: usize,
    pub(super) base_task: String,
    pub(super) params: String,
    pub(super) samples: Vec<Sample>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PlacedProblem {
    /// Counted from 0 at the part's first.
    pub(super) line: u64,
    pub(super) column: Option<usize>,
    pub(super) problem: Problem,
    pub(super) what: String,
}
