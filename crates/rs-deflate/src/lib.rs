//! How many bytes libdeflate makes of a text at level 6, without making them.
//!
//! The library clears 192 KiB before each text, two fifths of its work for a kilobyte, and files and searches positions in
//! turns. Here nothing is written, the tables of positions stay from text to text, and positions are filed
//! ahead (`window.rs`). What decides the size is as it is in libdeflate 1.26 (MIT license, © Eric Biggers and Google LLC; see
//! `COPYING`): which matches are found, which are chosen, where blocks end, and which code each gets. Tests compare sizes with
//! the library's.
//!
//! A crate of its own because it is optimised in every profile, and compiles in two seconds where what uses it would take twenty.
//!
//! Sources: `lib/deflate_compress.c` (the lazy parser) and `lib/hc_matchfinder.h` of libdeflate; RFC 1951 for the format.

mod block;
mod huffman;
mod parse;
mod search;
mod split;
mod window;

use block::Block;
use split::{MIN_BLOCK_BYTES, N_BETWEEN, Splitter};
use window::Window;

/// The level of libdeflate whose sizes these are.
pub const LEVEL: i32 = 6;

/// Texts up to so many bytes are stored as they are.
const MAX_UNTOUCHED_BYTES: usize = 31;
/// Most matches of a block.
const MAX_BLOCK_MATCHES: u32 = 50_000;
/// Bytes of a block before the shortest match to look for is chosen again; then after as many again.
const BYTES_BEFORE_NEXT_CHOICE: usize = 10_000;

/// Finds sizes. Costs half a megabyte, and pays when it is used for many texts.
pub struct Deflate {
    window: Box<Window>,
    block: Block,
}

impl Default for Deflate {
    fn default() -> Self {
        Self { window: Window::new(), block: Block::new() }
    }
}

impl Deflate {
    /// Bytes of a text as a raw DEFLATE stream (RFC 1951, no zlib or gzip frame), as the library makes it at [`LEVEL`] where
    /// its buffer is large enough. Texts before do not matter.
    #[must_use]
    pub fn bytes(&mut self, text: &[u8]) -> usize {
        if text.len() <= MAX_UNTOUCHED_BYTES {
            return 5 + text.len();
        }
        let n_loaded = self.window.begin(text);
        let mut walk = Walk { text, at: self.window.first(), n_loaded };
        let (mut begin, mut bits) = (0, 0);
        while begin < text.len() {
            self.block.clear();
            self.fill_block(&mut walk, begin);
            let end = walk.place(&self.window);
            bits += self.block.end(end - begin, bits);
            begin = end;
        }
        bits.div_ceil(8) as usize
    }

    /// Chooses literals and matches up to the end of the block that begins here.
    fn fill_block(&mut self, walk: &mut Walk<'_>, begin: usize) {
        let Self { window, block } = self;
        let text_bytes = walk.text.len();
        let latest_end = split::latest_end(begin, text_bytes);
        let mut min_len = parse::min_match_bytes(&walk.text[begin..latest_end]);
        let mut next_choice = begin + BYTES_BEFORE_NEXT_CHOICE.min(text_bytes - begin);
        let mut splitter = Splitter::default();
        // Literals and matches since the splitter looked.
        let mut n_new = 0;
        loop {
            let place = walk.place(window);
            if place >= next_choice {
                min_len = parse::min_match_bytes_of(block);
                next_choice += (place - begin).min(text_bytes - next_choice);
            }
            // Both the block and what follows must be long enough for an end here.
            let (first_end, last_end) = (begin + MIN_BLOCK_BYTES, text_bytes.saturating_sub(MIN_BLOCK_BYTES));
            let mut until = latest_end.min(next_choice);
            let mut most_items = MAX_BLOCK_MATCHES - block.n_matches();
            if place < first_end {
                until = until.min(first_end);
            } else if place <= last_end {
                most_items = most_items.min(N_BETWEEN - n_new);
            }
            n_new += walk.go(window, block, parse::Choice { min_len, most_items }, until - place);
            let place = walk.place(window);
            if place >= latest_end || block.n_matches() >= MAX_BLOCK_MATCHES {
                break;
            }
            if n_new >= N_BETWEEN && (first_end..=last_end).contains(&place) {
                if splitter.should_end(block, place - begin, n_new) {
                    break;
                }
                n_new = 0;
            }
        }
    }
}

/// A text on its way through the window.
struct Walk<'a> {
    text: &'a [u8],
    /// The position at hand.
    at: u16,
    /// How much of the text has come into the window.
    n_loaded: usize,
}

impl Walk<'_> {
    /// Bytes of the text before the position at hand.
    fn place(&self, window: &Window) -> usize {
        self.n_loaded - usize::from(window.end() - self.at)
    }

    /// Chooses literals and matches for about so many bytes, at least one; returns how many. May stop before.
    fn go(&mut self, window: &mut Window, block: &mut Block, choice: parse::Choice, bytes: usize) -> u32 {
        if window.end() - self.at <= parse::FAR_FROM_END && self.n_loaded < self.text.len() {
            let (at, n_loaded) = window.slide(self.at, &self.text[self.n_loaded..]);
            self.at = at;
            self.n_loaded += n_loaded;
        }
        let (at, n_items) = parse::items(window, block, self.at, bytes, choice);
        self.at = at;
        n_items
    }
}

#[cfg(test)]
mod tests;
