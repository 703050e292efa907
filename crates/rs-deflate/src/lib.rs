//! How many bytes libdeflate makes of a short text at level 6, without making them.
//!
//! The library clears 192 KiB before each text, which takes longer than compressing a kilobyte. Here nothing is written, and
//! the tables of positions stay from one text to the next. What decides the size is as it is in libdeflate 1.26 (MIT
//! license, © Eric Biggers and Google LLC; see `COPYING`): which matches are found, which are chosen, and which
//! code the block gets. There is one: shorter than twice the shortest block, a text is not split. Tests compare each size
//! with the library's.
//!
//! A crate of its own because it is optimised in every profile, and compiles in two seconds where what uses it would take twenty.
//!
//! Sources: `lib/deflate_compress.c` (the lazy parser) and `lib/hc_matchfinder.h` of libdeflate; RFC 1951 for the format.

mod block;
mod chains;
mod huffman;

use block::Block;
use chains::{Chains, Limits};

/// The level of libdeflate whose sizes these are.
pub const LEVEL: i32 = 6;

/// Texts of fewer bytes are short: twice the shortest block of libdeflate, and what it parses before it thinks again about
/// the shortest match to look for. The longer they are, the less is gained.
pub const SHORT_BYTES: usize = 10_000;

/// Texts up to so many bytes are stored as they are.
const MAX_STORED_BYTES: usize = 31;
/// Candidates looked at for the match at a position; half as many for a better one at the next.
const MAX_SEARCH_DEPTH: u32 = 35;
/// Shortest match of the format.
const MIN_MATCH_BYTES: u32 = 3;
/// Distance beyond which a match of [`MIN_MATCH_BYTES`] is not worth it.
const MAX_DISTANCE_OF_SHORTEST: u32 = 8192;

/// Finds sizes. Costs a third of a megabyte, and pays when it is used for many texts.
pub struct Deflate {
    chains: Box<Chains>,
    block: Block,
}

impl Default for Deflate {
    fn default() -> Self {
        Self { chains: Chains::new(), block: Block::new() }
    }
}

impl Deflate {
    /// Bytes of a short text (of fewer bytes than [`SHORT_BYTES`]) as a DEFLATE stream.
    ///
    /// # Panics
    /// The text is longer.
    pub fn bytes(&mut self, text: &[u8]) -> usize {
        assert!(text.len() < SHORT_BYTES, "the library would split a longer text");
        if text.len() <= MAX_STORED_BYTES {
            return 5 + text.len();
        }
        self.block.clear();
        self.parse(text);
        self.block.end(text.len()).div_ceil(8) as usize
    }

    /// Chooses literals and matches.
    fn parse(&mut self, text: &[u8]) {
        let block = &mut self.block;
        let mut walk = self.chains.walk(text);
        let mut limits = Limits::new();
        let min_len = min_match_bytes(text);
        let mut at = 0;
        while at < text.len() {
            limits.near_end(text.len() - at);
            let (mut len, mut distance) = walk.longest_match(at, min_len - 1, limits, MAX_SEARCH_DEPTH);
            at += 1;
            if len < min_len || len == MIN_MATCH_BYTES && distance > MAX_DISTANCE_OF_SHORTEST {
                block.literal(text[at - 1]);
                continue;
            }
            // Perhaps the next position has a better match; then this byte is a literal.
            let next = loop {
                if len >= limits.nice {
                    break at + len as usize - 1;
                }
                limits.near_end(text.len() - at);
                let (next_len, next_distance) = walk.longest_match(at, len - 1, limits, MAX_SEARCH_DEPTH / 2);
                at += 1;
                if next_len < len || !is_better((len, distance), (next_len, next_distance)) {
                    break at + len as usize - 2;
                }
                block.literal(text[at - 2]);
                (len, distance) = (next_len, next_distance);
            };
            block.match_of(len, distance);
            walk.skip(at, next - at);
            at = next;
        }
    }
}

/// Whether a match at the next position is worth the literal before it: longer, and not much farther away.
#[inline(always)]
fn is_better((len, distance): (u32, u32), (next_len, next_distance): (u32, u32)) -> bool {
    4 * (next_len - len) + distance.ilog2() > 2 + next_distance.ilog2()
}

/// The shortest match to look for: where few different bytes are used, literals are cheap.
fn min_match_bytes(text: &[u8]) -> u32 {
    if text.len() < 512 {
        return MIN_MATCH_BYTES;
    }
    let mut is_used = [0_u8; 256];
    for byte in &text[..text.len().min(4096)] {
        is_used[usize::from(*byte)] = 1;
    }
    match is_used.iter().map(|is_used| u32::from(*is_used)).sum() {
        0..=5 => 9,
        6..=7 => 8,
        8..=9 => 7,
        10..=15 => 6,
        16..=44 => 5,
        45..=79 => 4,
        _ => MIN_MATCH_BYTES,
    }
}

#[cfg(test)]
mod tests;
