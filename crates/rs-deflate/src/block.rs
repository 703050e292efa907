//! What a block costs: its literals and matches, counted, and the cheapest of the three ways to write them.

use super::huffman::{Code, Huffman};

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

/// Bits that follow each symbol of literals and lengths.
const LITLEN_EXTRA_BITS: [u8; N_LITLEN] = {
    let mut bits = [0; N_LITLEN];
    let mut slot = 0;
    while FIRST_LENGTH + slot < N_LITLEN {
        bits[FIRST_LENGTH + slot] = length_extra_bits(slot);
        slot += 1;
    }
    bits
};

/// Bits of each symbol of literals and lengths in the fixed code.
const LITLEN_FIXED_BITS: [u8; N_LITLEN] = {
    let mut bits = [8; N_LITLEN];
    let mut symbol = 144;
    while symbol < 280 {
        bits[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
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

/// Bits of each slot of distances in the fixed code.
const DISTANCE_FIXED_BITS: [u8; N_DISTANCES] = [5; N_DISTANCES];

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

    /// Ends the block, the first and last of a text of so many bytes, at most 65,535: the least bits it can be written in.
    pub(super) fn end(&mut self, text_bytes: usize) -> u32 {
        self.litlen[END_OF_BLOCK] += 1;
        // Lengths of both codes one behind the other, as they are written.
        let mut lengths = [0; N_LITLEN + N_DISTANCES];
        let (litlen, distances) = lengths.split_at_mut(N_LITLEN);
        let (mut dynamic, mut fixed) = (3, 3);
        let mut add = |code: &Code<'_>, lengths: &[u8], extra_bits: &[u8], fixed_bits: &[u8]| {
            for (symbol, count) in code.symbols() {
                let extra = u32::from(extra_bits[symbol]);
                dynamic += count * (u32::from(lengths[symbol]) + extra);
                fixed += count * (u32::from(fixed_bits[symbol]) + extra);
            }
        };
        let code = self.huffman.make(&self.litlen, MAX_LITLEN_BITS, litlen);
        add(&code, litlen, &LITLEN_EXTRA_BITS, &LITLEN_FIXED_BITS);
        let code = self.huffman.make(&self.distances, MAX_DISTANCE_BITS, distances);
        add(&code, distances, &DISTANCE_EXTRA_BITS, &DISTANCE_FIXED_BITS);
        dynamic += self.header_bits(&mut lengths);
        // Behind its three bits a stored block begins at a byte, with its length twice.
        let stored = 8 + 32 + 8 * text_bytes as u32;
        dynamic.min(fixed).min(stored)
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
        let code = self.huffman.make(&symbols, MAX_PRECODE_BITS, &mut precode);
        let bits: u32 = code.symbols().map(|(symbol, count)| count * u32::from(precode[symbol])).sum();
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
