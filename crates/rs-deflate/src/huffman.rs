//! Lengths of the codewords of a Huffman code, limited as libdeflate limits them.

/// Most symbols of a code: those of literals and lengths.
const MAX_SYMBOLS: usize = 288;
/// Most bits of a codeword.
const MAX_BITS: usize = 15;
/// Bits of a symbol beside its frequency.
const SYMBOL_BITS: u32 = 10;
const SYMBOL: u32 = (1 << SYMBOL_BITS) - 1;

/// Memory for making codes.
pub(super) struct Huffman {
    /// Symbols that are used, each below how often it is: the rarest first, of equally frequent ones the smallest.
    ranked: [u32; MAX_SYMBOLS],
    /// How often leaves and inner nodes of the tree are used, in ascending order, and a number behind the last that is higher.
    leaves: [u32; MAX_SYMBOLS + 1],
    inner: [u32; MAX_SYMBOLS + 1],
    /// Parents of inner nodes; once these are known, depths.
    parents: [u32; MAX_SYMBOLS],
}

impl Huffman {
    pub(super) fn new() -> Self {
        Self {
            ranked: [0; MAX_SYMBOLS],
            leaves: [0; MAX_SYMBOLS + 1],
            inner: [0; MAX_SYMBOLS + 1],
            parents: [0; MAX_SYMBOLS],
        }
    }

    /// Makes the code of symbols used so often: writes the length of each codeword in bits, 0 where there is none; returns
    /// the bits of all symbols.
    pub(super) fn make(&mut self, frequencies: &[u32], max_bits: usize, lengths: &mut [u8]) -> u32 {
        lengths.fill(0);
        let mut n_used = 0;
        for (symbols, frequencies) in (0..).step_by(8).zip(frequencies.chunks(8)) {
            // Most symbols are used in no text.
            if frequencies.iter().all(|frequency| *frequency == 0) {
                continue;
            }
            for (symbol, frequency) in (symbols..).zip(frequencies) {
                self.ranked[n_used] = frequency << SYMBOL_BITS | symbol;
                n_used += usize::from(*frequency > 0);
            }
        }
        let ranked = &mut self.ranked[..n_used];
        if ranked.len() < 2 {
            // Decoders want two codewords.
            let (symbol, frequency) =
                ranked.first().map_or((0, 0), |entry| ((entry & SYMBOL) as usize, entry >> SYMBOL_BITS));
            lengths[0] = 1;
            lengths[symbol.max(1)] = 1;
            return frequency;
        }
        ranked.sort_unstable();
        let counts = self.count_lengths(n_used, max_bits);
        let mut ranked = self.ranked[..n_used].iter();
        let mut n_bits = 0;
        for bits in (1..=max_bits).rev() {
            for entry in ranked.by_ref().take(counts[bits] as usize) {
                lengths[(entry & SYMBOL) as usize] = bits as u8;
                n_bits += (entry >> SYMBOL_BITS) * bits as u32;
            }
        }
        n_bits
    }

    /// How many codewords have each length, given at least two ranked symbols.
    fn count_lengths(&mut self, n_leaves: usize, max_bits: usize) -> [u32; MAX_BITS + 1] {
        let Self { ranked, leaves, inner, parents } = self;
        for (leaf, entry) in leaves.iter_mut().zip(&ranked[..n_leaves]) {
            *leaf = entry >> SYMBOL_BITS;
        }
        leaves[n_leaves] = u32::MAX;
        inner[0] = u32::MAX;
        // Each inner node is the parent of the two rarest nodes that have none yet.
        let (mut leaf, mut child) = (0, 0);
        for node in 0..n_leaves - 1 {
            let mut frequency = 0;
            for _ in 0..2 {
                // A leaf comes before an inner node that is as rare.
                let is_leaf = leaves[leaf] <= inner[child];
                frequency += leaves[leaf].min(inner[child]);
                // If it is a leaf, the inner node's turn comes later.
                parents[child] = node as u32;
                leaf += usize::from(is_leaf);
                child += usize::from(!is_leaf);
            }
            inner[node] = frequency;
            inner[node + 1] = u32::MAX;
        }
        // From the root down: each inner node makes two codewords of one that is a bit shorter. What would become too long
        // takes the longest that is short enough instead.
        let mut counts = [0; MAX_BITS + 1];
        counts[1] = 2;
        let root = n_leaves - 2;
        let depths = parents;
        depths[root] = 0;
        for node in (0..root).rev() {
            let depth = depths[depths[node] as usize] + 1;
            depths[node] = depth;
            let mut bits = depth as usize;
            if bits >= max_bits {
                bits = max_bits - 1;
                while counts[bits] == 0 {
                    bits -= 1;
                }
            }
            counts[bits] -= 1;
            counts[bits + 1] += 2;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of frequencies each of which is the sum of the two before, every codeword would be a bit longer than the next.
    #[test]
    fn codewords_are_no_longer_than_they_may_be() {
        let mut frequencies = vec![1, 1];
        while frequencies.len() < 24 {
            frequencies.push(frequencies.iter().rev().take(2).sum());
        }
        for max_bits in [7, 14, 15] {
            let mut lengths = [0; 24];
            Huffman::new().make(&frequencies, max_bits, &mut lengths);
            assert_eq!(usize::from(lengths.iter().copied().max().unwrap()), max_bits);
            // Frequent symbols have short codewords, and the code is complete (Kraft's sum is 1).
            assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
            assert_eq!(lengths.iter().map(|bits| 1 << (15 - bits)).sum::<u32>(), 1 << 15);
        }
    }
}
