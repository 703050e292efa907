//! Lengths of the codewords of a Huffman code, limited as libdeflate limits them.

/// Most symbols of a code: those of literals and lengths.
const MAX_SYMBOLS: usize = 288;
/// Most bits of a codeword.
const MAX_BITS: usize = 15;
/// Bits of a symbol beside its frequency.
const SYMBOL_BITS: u32 = 10;
const SYMBOL: u32 = (1 << SYMBOL_BITS) - 1;

/// The symbols that are used, the rarest first, of equally frequent ones the smallest.
pub(super) struct Code<'a> {
    ranked: &'a [u32],
}

impl Code<'_> {
    /// Symbols and how often each is used.
    pub(super) fn symbols(&self) -> impl Iterator<Item = (usize, u32)> {
        self.ranked.iter().map(|entry| ((entry & SYMBOL) as usize, entry >> SYMBOL_BITS))
    }
}

/// Memory for making codes.
pub(super) struct Huffman {
    ranked: [u32; MAX_SYMBOLS],
    tree: [u32; MAX_SYMBOLS],
}

impl Huffman {
    pub(super) fn new() -> Self {
        Self { ranked: [0; MAX_SYMBOLS], tree: [0; MAX_SYMBOLS] }
    }

    /// Makes the code of symbols used so often: writes the length of each codeword in bits, 0 where there is none.
    pub(super) fn make(&mut self, frequencies: &[u32], max_bits: usize, lengths: &mut [u8]) -> Code<'_> {
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
            let symbol = ranked.first().map_or(0, |entry| (entry & SYMBOL) as usize);
            lengths[0] = 1;
            lengths[symbol.max(1)] = 1;
            return Code { ranked };
        }
        ranked.sort_unstable();
        let tree = &mut self.tree[..n_used];
        for (node, entry) in tree.iter_mut().zip(&*ranked) {
            *node = entry >> SYMBOL_BITS;
        }
        let counts = count_lengths(tree, max_bits);
        let by_rank = (1..=max_bits).rev().flat_map(|bits| std::iter::repeat_n(bits, counts[bits] as usize));
        for (entry, bits) in ranked.iter().zip(by_rank) {
            lengths[(entry & SYMBOL) as usize] = bits as u8;
        }
        Code { ranked }
    }
}

/// How many codewords have each length. Given frequencies in ascending order, at least two, in whose place the tree is
/// made: inner nodes from the front, each of the two rarest nodes that have no parent yet.
fn count_lengths(tree: &mut [u32], max_bits: usize) -> [u32; MAX_BITS + 1] {
    let n_leaves = tree.len();
    // The first leaf and the first inner node that have no parent.
    let (mut leaf, mut inner) = (0, 0);
    for node in 0..n_leaves - 1 {
        let mut frequency = 0;
        for _ in 0..2 {
            // A leaf comes before an inner node that is as rare.
            if leaf < n_leaves && (inner == node || tree[leaf] <= tree[inner]) {
                frequency += tree[leaf];
                leaf += 1;
            } else {
                frequency += std::mem::replace(&mut tree[inner], node as u32);
                inner += 1;
            }
        }
        tree[node] = frequency;
    }
    // From the root down: each inner node makes two codewords of one that is a bit shorter. What would become too long
    // takes the longest that is short enough instead.
    let mut counts = [0; MAX_BITS + 1];
    counts[1] = 2;
    let root = n_leaves - 2;
    tree[root] = 0;
    for node in (0..root).rev() {
        let depth = tree[tree[node] as usize] + 1;
        tree[node] = depth;
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
