//! What reading has to go by, the same for all files.

use hashbrown::DefaultHashBuilder;

use super::spectra::Spectra;
use super::{Input, Keep, OnMalformed, Wanted};
use crate::eval_id::Identity;
use crate::forensics::Examiner;
use crate::monitor::Monitor;

/// Plain files are read in ranges of this many bytes, so that several threads work on a large one.
const RANGE_BYTES: u64 = 16 << 20;
/// Bytes of a plain file parsed at a time: small enough to stay in a core's cache between its passes.
const PLAIN_BLOCK_BYTES: usize = 256 << 10;
/// Bytes decoded from a compressed file before they are handed to another thread.
const STREAM_BLOCK_BYTES: usize = 1 << 20;

/// Sizes of the pieces that files are read in; the result does not depend on them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces {
    pub(super) range_bytes: u64,
    pub(super) plain_block_bytes: usize,
    pub(super) stream_block_bytes: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { range_bytes: RANGE_BYTES, plain_block_bytes: PLAIN_BLOCK_BYTES, stream_block_bytes: STREAM_BLOCK_BYTES }
    }
}

/// All that is known before the first file is read.
pub(super) struct Context<'a> {
    pub(super) pieces: Pieces,
    pub(super) wanted: &'a [Wanted],
    pub(super) files: &'a [Input],
    /// Which of them need not be read: the cache knows what they give.
    pub(super) is_kept: Vec<bool>,
    pub(super) keep: Keep,
    pub(super) on_malformed: OnMalformed,
    pub(super) examiner: Option<&'a dyn Examiner>,
    pub(super) spectra: &'a Spectra<'a>,
    pub(super) monitor: &'a Monitor,
    pub(super) hasher: DefaultHashBuilder,
}

impl Context<'_> {
    /// The evaluations of a file that want records of `identity`.
    pub(super) fn claimants(&self, file: usize, identity: &Identity) -> Vec<usize> {
        let evaluations = self.files[file].evaluations.iter().copied();
        evaluations.filter(|evaluation| self.wanted[*evaluation].identity == *identity).collect()
    }
}
