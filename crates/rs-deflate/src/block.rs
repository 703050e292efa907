//! What a block costs: its literals and matches, counted, and the cheapest of the three ways to write them.

use super::huffman::Huffman;

/// Literals, the end of the block, lengths.
const N_LITLEN: usize = 288;
/// Slots of distances.
const N_DISTANCES: usize = 32;
/// Symbols that codeword lengths are written with.
const N_PRECODE: usize = 19;

const END_OF_BLOCK: usize = 256;
/// Symbol of the first slot of lengths.
const FIRST_LENGTH: usize = 257;

/// Most bits of codewords of literals and lengths (one less than the format allows), distances, and lengths of codewords.
const MAX_LITLEN_BITS: usize = 14;
const MAX_DISTANCE_BITS: usize = 15;
const MAX_PRECODE_BITS: usize = 7;

/// The order in which lengths of the precode are written: the rarest last.
const PRECODE_ORDER: [usize; N_PRECODE] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Longest block that is stored as it is.
const MAX_STORED_BLOCK_BYTES: usize = 65_535;
/// What is observed of a block for splitting it: literals of 8 kinds, matches of two.
pub(super) const N_OBSERVED: usize = 10;
/// Matches from this length on are long.
const LONG_MATCH_BYTES: usize = 9;

/// Slots of match lengths, by length.
const LENGTH_SLOTS: [u8; 259] = {
    let mut slots = [0; 259];
    let (mut slot, mut length) = (0, 3);
    while length < 258 {
        let end = length + (1 << length_extra_bits(slot));
        while length < end && length < 258 {
            slots[length] = slot as u8;
            length += 1;
        }
        slot += 1;
    }
    slots[258] = 28;
    slots
};

/// Bits that follow the symbol of a slot of lengths.
const fn length_extra_bits(slot: usize) -> u8 {
    match slot {
        0..8 | 28.. => 0,
        _ => slot as u8 / 4 - 1,
    }
}

/// Bits that follow the symbol of each slot of lengths.
const LENGTH_EXTRA_BITS: [u8; N_LITLEN - FIRST_LENGTH] = {
    let mut bits = [0; N_LITLEN - FIRST_LENGTH];
    let mut slot = 0;
    while slot < bits.len() {
        bits[slot] = length_extra_bits(slot);
        slot += 1;
    }
    bits
};

/// Bits that follow the symbol of each slot of distances.
const DISTANCE_EXTRA_BITS: [u8; N_DISTANCES] = {
    let mut bits = [0; N_DISTANCES];
    let mut slot = 4;
    while slot < N_DISTANCES {
        bits[slot] = slot as u8 / 2 - 1;
        slot += 1;
    }
    bits
};

fn sum(counts: &[u32]) -> u32 {
    counts.iter().sum()
}

/// The sum of the products.
fn weighted(counts: &[u32], bits: &[u8]) -> u32 {
    std::iter::zip(counts, bits).map(|(count, bits)| count * u32::from(*bits)).sum()
}

/// The slot of a distance from 1.
#[inline]
fn distance_slot(distance: u32) -> usize {
    let from_0 = distance - 1;
    if from_0 < 2 {
        return from_0 as usize;
    }
    let bits = from_0.ilog2();
    (2 * bits + (from_0 >> (bits - 1) & 1)) as usize
}

/// The symbols of a block, counted.
pub(super) struct Block {
    litlen: [u32; N_LITLEN],
    distances: [u32; N_DISTANCES],
    huffman: Huffman,
}

impl Block {
    pub(super) fn new() -> Self {
        Self { litlen: [0; N_LITLEN], distances: [0; N_DISTANCES], huffman: Huffman::new() }
    }

    pub(super) fn clear(&mut self) {
        self.litlen.fill(0);
        self.distances.fill(0);
    }

    #[inline]
    pub(super) fn literal(&mut self, byte: u8) {
        self.litlen[usize::from(byte)] += 1;
    }

    #[inline]
    pub(super) fn match_of(&mut self, len: u32, distance: u32) {
        self.litlen[FIRST_LENGTH + usize::from(LENGTH_SLOTS[len as usize])] += 1;
        // The remainder is the slot, and spares a check.
        self.distances[distance_slot(distance) % N_DISTANCES] += 1;
    }

    /// How often each byte is a literal.
    pub(super) fn literals(&self) -> &[u32] {
        &self.litlen[..END_OF_BLOCK]
    }

    pub(super) fn n_matches(&self) -> u32 {
        sum(&self.distances)
    }

    /// Literals by their two highest bits and the lowest, short and long matches.
    pub(super) fn observed(&self) -> [u32; N_OBSERVED] {
        let mut observed = [0; N_OBSERVED];
        for (byte, count) in self.literals().iter().enumerate() {
            observed[byte >> 5 & 6 | byte & 1] += count;
        }
        let (short, long) = self.litlen[FIRST_LENGTH..].split_at(usize::from(LENGTH_SLOTS[LONG_MATCH_BYTES]));
        observed[N_OBSERVED - 2] = sum(short);
        observed[N_OBSERVED - 1] = sum(long);
        observed
    }

    /// Ends a block of so many bytes that so many bits come before: the least bits it can be written in.
    pub(super) fn end(&mut self, block_bytes: usize, bits_before: u64) -> u64 {
        self.litlen[END_OF_BLOCK] += 1;
        let extra_bits = weighted(&self.litlen[FIRST_LENGTH..], &LENGTH_EXTRA_BITS)
            + weighted(&self.distances, &DISTANCE_EXTRA_BITS);
        // In the fixed code a symbol has 8 bits, rare bytes one more, the end and most lengths one less; a distance has 5.
        let fixed = 3 + extra_bits + 8 * sum(&self.litlen) + sum(&self.litlen[144..END_OF_BLOCK])
            - sum(&self.litlen[END_OF_BLOCK..280])
            + 5 * sum(&self.distances);
        // Lengths of both codes one behind the other, as they are written.
        let mut lengths = [0; N_LITLEN + N_DISTANCES];
        let (litlen, distances) = lengths.split_at_mut(N_LITLEN);
        let dynamic = 3
            + extra_bits
            + self.huffman.make(&self.litlen, MAX_LITLEN_BITS, litlen)
            + self.huffman.make(&self.distances, MAX_DISTANCE_BITS, distances)
            + self.header_bits(&mut lengths);
        // Behind its three bits a stored block begins at a byte, with its length twice; a longer one is several.
        let to_byte = (bits_before + 3).next_multiple_of(8) - bits_before;
        let n_more = block_bytes.div_ceil(MAX_STORED_BLOCK_BYTES) - 1;
        let stored = to_byte + 32 + 40 * n_more as u64 + 8 * block_bytes as u64;
        u64::from(dynamic.min(fixed)).min(stored)
    }

    /// Bits of the codeword lengths of both codes.
    fn header_bits(&mut self, lengths: &mut [u8; N_LITLEN + N_DISTANCES]) -> u32 {
        let n_written = |lengths: &[u8], least: usize| {
            lengths.iter().rposition(|length| *length > 0).map_or(0, |last| last + 1).max(least)
        };
        let n_litlen = n_written(&lengths[..N_LITLEN], FIRST_LENGTH);
        let n_distances = n_written(&lengths[N_LITLEN..], 1);
        lengths.copy_within(N_LITLEN..N_LITLEN + n_distances, n_litlen);
        let symbols = count_precode(&lengths[..n_litlen + n_distances]);
        let mut precode = [0; N_PRECODE];
        let bits = self.huffman.make(&symbols, MAX_PRECODE_BITS, &mut precode);
        let extra_bits = 2 * symbols[16] + 3 * symbols[17] + 7 * symbols[18];
        let n_precode =
            PRECODE_ORDER.iter().rposition(|symbol| precode[*symbol] > 0).map_or(4, |last| (last + 1).max(4));
        5 + 5 + 4 + 3 * n_precode as u32 + bits + extra_bits
    }
}

/// Counts the symbols that codeword lengths are written with: 16 repeats the one before 3 to 6 times, 17 and 18 are 3 to
/// 10 and 11 to 138 zeros.
fn count_precode(lengths: &[u8]) -> [u32; N_PRECODE] {
    let mut counts = [0; N_PRECODE];
    for run in lengths.chunk_by(|a, b| a == b) {
        let (length, mut left) = (usize::from(run[0]), run.len());
        if length == 0 {
            while left >= 11 {
                counts[18] += 1;
                left -= left.min(138);
            }
            if left >= 3 {
                counts[17] += 1;
                left -= left.min(10);
            }
        } else if left >= 4 {
            counts[length] += 1;
            left -= 1;
            while left >= 3 {
                counts[16] += 1;
                left -= left.min(6);
            }
        }
        counts[length] += left as u32;
    }
    counts
}
