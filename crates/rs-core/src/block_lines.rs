//! The lines of a block of raw data, each with a [`Lexer`] that need not search: somebody has looked at the block.

use std::cell::Cell;

use crate::block_index::{BlockIndex, WORD_BYTES};
use crate::lexer::{LexError, Lexer};

/// Bytes looked at before their lines are read: with what is found they stay in a core's cache.
const PIECE_BYTES: usize = 256 << 10;

/// A line of a block.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Where it begins in the block, in bytes.
    pub start: usize,
    /// Its bytes with its line end, if it has one.
    pub n_bytes: usize,
    /// The same without the line end.
    pub text: &'a [u8],
    lexer: Lexer<'a>,
    /// Whether all of the piece that the line lies in is UTF-8.
    is_utf8: bool,
}

impl<'a> Line<'a> {
    /// A line that stands alone, with its line end if it has one.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Self { start: 0, n_bytes: bytes.len(), text, lexer: Lexer::new(text), is_utf8: false }
    }

    /// A lexer at its start.
    ///
    /// # Errors
    /// The line is not UTF-8.
    #[inline]
    pub fn lexer(&self) -> Result<Lexer<'a>, LexError> {
        if !self.is_utf8
            && let Err(error) = simdutf8::compat::from_utf8(self.text)
        {
            return Err(LexError::new(error.valid_up_to(), "invalid UTF-8"));
        }
        Ok(self.lexer.clone())
    }
}

/// Gives the lines of a block in their order. The block begins with a line, and may end without a line end.
#[inline]
pub fn for_each_line(block: &[u8], mut take: impl FnMut(&Line<'_>)) {
    let mut index = SPARE.take();
    let mut start = 0;
    while start < block.len() {
        let piece = &block[start..piece_end(block, start)];
        index.look_at(piece);
        let is_utf8 = !index.rare.has_non_ascii || simdutf8::basic::from_utf8(piece).is_ok();
        let mut at = 0;
        let unended = (piece.last() != Some(&b'\n')).then_some(piece.len());
        for end in index.rare.line_ends.iter().copied().chain(unended) {
            let text = &piece[at..end];
            let next = piece.len().min(end + 1);
            let lexer = Lexer::indexed(text, &index, at);
            take(&Line { start: start + at, n_bytes: next - at, text, lexer, is_utf8 });
            at = next;
        }
        start += piece.len();
    }
    // What a long line has grown is not kept.
    if index.words.len() <= 2 * PIECE_BYTES / WORD_BYTES {
        SPARE.set(index);
    }
}

/// Where the piece of whole lines that begins at `start` ends.
fn piece_end(block: &[u8], start: usize) -> usize {
    let most = block.len().min(start + PIECE_BYTES);
    if most == block.len() {
        return most;
    }
    match memchr::memrchr(b'\n', &block[start..most]) {
        Some(last) => start + last + 1,
        None => memchr::memchr(b'\n', &block[most..]).map_or(block.len(), |end| most + end + 1),
    }
}

thread_local! {
    /// The index of the block before.
    static SPARE: Cell<BlockIndex> = const { Cell::new(BlockIndex::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_line_once_with_its_place(lengths in prop::collection::vec(0_usize..200_000, 0..12), has_end in any::<bool>()) {
            let mut block: Vec<u8> = lengths.iter().flat_map(|length| [vec![b'x'; *length], vec![b'\n']].concat()).collect();
            if !has_end {
                block.pop();
            }
            let mut found = Vec::new();
            for_each_line(&block, |line| {
                assert_eq!(line.start, found.len());
                assert_eq!(line.text, block[line.start..line.start + line.n_bytes].trim_ascii_end());
                found.extend_from_slice(&block[line.start..line.start + line.n_bytes]);
            });
            prop_assert_eq!(found, block);
        }
    }

    #[test]
    fn what_is_no_utf8_is_an_error_of_its_line_alone() {
        let mut found = Vec::new();
        for_each_line(b"\"a\"\n\"\xC3\xA9\"\n\"b\xFF\"\n\"c\"", |line| {
            found.push(
                line.lexer().map(|mut lexer| lexer.string().unwrap().decode().into_owned()).map_err(|error| error.at),
            );
        });
        assert_eq!(found, [Ok("a".to_owned()), Ok("é".to_owned()), Err(2), Ok("c".to_owned())]);
    }
}
