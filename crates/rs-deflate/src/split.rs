//! Where a long text is split into blocks: where what is counted has changed since the block began.

use crate::block::{Block, N_OBSERVED};

/// A block is at least so long, and what follows it as well.
pub(super) const MIN_BLOCK_BYTES: usize = 5000;
/// A block is not much longer than this.
const MAX_BLOCK_BYTES: usize = 300_000;
/// Literals and matches between two looks.
pub(super) const N_BETWEEN: u32 = 512;
/// Penalty of short blocks: those of fewer bytes, and of fewer literals and matches.
const SHORT_BLOCK_BYTES: usize = 10_000;
const SHORT_BLOCK_ITEMS: u32 = 8192;

/// Where a block ends at the latest.
pub(super) fn latest_end(begin: usize, text_bytes: usize) -> usize {
    if text_bytes - begin < MAX_BLOCK_BYTES + MIN_BLOCK_BYTES { text_bytes } else { begin + MAX_BLOCK_BYTES }
}

/// What was counted up to the last look.
#[derive(Default)]
pub(super) struct Splitter {
    observed: [u32; N_OBSERVED],
    n_items: u32,
}

impl Splitter {
    /// Looks at a block of so many bytes and so many literals and matches since the last look; whether it should end here.
    pub(super) fn should_end(&mut self, block: &Block, block_bytes: usize, n_new: u32) -> bool {
        let observed = block.observed();
        if self.n_items > 0 {
            // The sum of the differences of the shares before and since, times both numbers.
            let delta: u32 = std::iter::zip(observed, self.observed)
                .map(|(now, before)| (before * n_new).abs_diff((now - before) * self.n_items))
                .sum();
            let mut cutoff = n_new * 200 / 512 * self.n_items;
            let n_items = self.n_items + n_new;
            if block_bytes < SHORT_BLOCK_BYTES && n_items < SHORT_BLOCK_ITEMS {
                let penalty = u64::from(cutoff) * u64::from(SHORT_BLOCK_ITEMS - n_items) / u64::from(SHORT_BLOCK_ITEMS);
                cutoff += penalty as u32;
            }
            if delta + (block_bytes / 4096) as u32 * self.n_items >= cutoff {
                return true;
            }
        }
        self.observed = observed;
        self.n_items += n_new;
        false
    }
}
