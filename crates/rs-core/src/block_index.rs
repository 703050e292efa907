//! One look at a piece of raw data, 64 bytes at a time with the widest vectors of the processor: where its lines and the
//! strings in them end, how many escapes come before, and whether there is anything that must be looked for at all.

use fearless_simd::{Level, Simd, dispatch, i8x64, prelude::*, u8x16, u8x64};

/// What is known of 64 bytes of a block, a bit for each byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Quotes that are not escaped, and the second byte of each escape that is not of two bytes.
    pub(crate) stops: u64,
    /// Backslashes that begin an escape.
    pub(crate) escapes: u64,
    /// How many of those come before these bytes.
    pub(crate) n_before: u64,
}

/// Bytes that a [`Word`] tells of.
pub(crate) const WORD_BYTES: usize = 64;

/// What has been found in a piece.
#[derive(Debug, Default)]
pub(crate) struct BlockIndex {
    /// At least one for each 64 bytes; those behind are of pieces before.
    pub(crate) words: Vec<Word>,
    pub(crate) rare: Rare,
}

/// Bytes that few words hold.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// Where each `\n` stands.
    pub(crate) line_ends: Vec<usize>,
    /// Whether there are bytes below 0x20 other than `\n`.
    pub(crate) has_controls: bool,
    pub(crate) has_non_ascii: bool,
}

impl Rare {
    const fn new() -> Self {
        Self { line_ends: Vec::new(), has_controls: false, has_non_ascii: false }
    }

    /// Notes the bytes of the word that begins at `start`: those outside printable ASCII, and which of them are what.
    /// Apart from the loop, whose values stay in registers.
    #[inline(never)]
    fn note(&mut self, start: usize, all: u64, controls: u64, mut line_ends: u64) {
        self.has_controls |= line_ends != controls;
        self.has_non_ascii |= controls != all;
        while line_ends != 0 {
            self.line_ends.push(start + line_ends.trailing_zeros() as usize);
            line_ends &= line_ends - 1;
        }
    }
}

impl BlockIndex {
    pub(crate) const fn new() -> Self {
        Self { words: Vec::new(), rare: Rare::new() }
    }

    pub(crate) fn look_at(&mut self, piece: &[u8]) {
        dispatch!(Level::new(), simd => self.look_with(simd, piece));
    }

    #[inline(always)]
    fn look_with<S: Simd>(&mut self, simd: S, piece: &[u8]) {
        simd.vectorize(
            #[inline(always)]
            || {
                let n_words = piece.len().div_ceil(WORD_BYTES);
                if self.words.len() < n_words {
                    self.words.resize(n_words, Word::default());
                }
                self.rare.line_ends.clear();
                (self.rare.has_controls, self.rare.has_non_ascii) = (false, false);
                let mut pass = Pass::new(simd);
                let (chunks, rest) = piece.as_chunks::<WORD_BYTES>();
                for ((at, word), chunk) in self.words.iter_mut().enumerate().zip(chunks) {
                    *word = pass.word(chunk, at * WORD_BYTES, &mut self.rare);
                }
                if !rest.is_empty() {
                    let mut chunk = [b' '; WORD_BYTES];
                    chunk[..rest.len()].copy_from_slice(rest);
                    self.words[n_words - 1] = pass.word(&chunk, chunks.len() * WORD_BYTES, &mut self.rare);
                }
            },
        );
    }
}

/// The bits at odd positions.
const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;

/// What the second bytes of escapes of two bytes, `"/\bfnrt`, have in common by their lower and upper halves: a bit for
/// each upper half. Bytes beyond ASCII have none.
const LOWER: [u8; 16] = [0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1];
const UPPER: [u8; 16] = [0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0];

/// What goes from one word to the next.
struct Pass<S: Simd> {
    simd: S,
    /// 1 if the byte that comes next is escaped.
    is_escaped: u64,
    n_escapes: u64,
    lower: u8x64<S>,
    upper: u8x64<S>,
}

impl<S: Simd> Pass<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let table = |table| u8x64::block_splat(u8x16::from_slice(simd, table));
        let (lower, upper) = (table(&LOWER), table(&UPPER));
        Self { simd, is_escaped: 0, n_escapes: 0, lower, upper }
    }

    /// Looks at 64 bytes without a branch that depends on their escapes, of which text has about one in each: which of
    /// them has one nobody can predict. How escapes are told from escaped backslashes: Langdale and Lemire, "Parsing
    /// gigabytes of JSON per second", VLDB Journal 28 (2019), section 3.1.1, with the subtraction of simdjson 3.
    #[inline(always)]
    fn word(&mut self, chunk: &[u8; WORD_BYTES], start: usize, rare: &mut Rare) -> Word {
        let bytes = u8x64::from_slice(self.simd, chunk);
        let quotes = bytes.simd_eq(b'"').to_bitmask();
        let backslashes = bytes.simd_eq(b'\\').to_bitmask();
        // As signed numbers all that is not printable ASCII lies below the blank.
        let special = bytes.bitcast::<i8x64<S>>().simd_lt(0x20).to_bitmask();
        if special != 0 {
            let controls = bytes.simd_lt(0x20).to_bitmask();
            rare.note(start, special, controls, bytes.simd_eq(b'\n').to_bitmask());
        }
        let candidates = backslashes & !self.is_escaped;
        let code = (candidates << 1 | ODD).wrapping_sub(candidates) ^ ODD;
        let escaped = code ^ (backslashes | self.is_escaped);
        let escapes = code & backslashes;
        self.is_escaped = escapes >> 63;
        // What an index above 15 gives differs between processors.
        let halves =
            self.lower.swizzle_dyn_within_blocks(bytes & 0x0F) & self.upper.swizzle_dyn_within_blocks(bytes >> 4);
        let is_long = halves.simd_eq(0).to_bitmask();
        let n_before = self.n_escapes;
        self.n_escapes += u64::from(escapes.count_ones());
        Word { stops: quotes & !escaped | escaped & is_long, escapes, n_before }
    }
}

/// Escapes that begin in a block before a byte of it; `words` tell of the block.
#[inline]
pub(crate) fn escapes_before(words: &[Word], at: usize) -> u64 {
    let Some(word) = words.get(at / WORD_BYTES) else { return 0 };
    let here = word.escapes & ((1 << (at % WORD_BYTES)) - 1);
    // Counting bits takes the processors that this is compiled for a dozen instructions.
    word.n_before + if here == 0 { 0 } else { u64::from(here.count_ones()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The words of a piece, byte by byte.
    fn slowly(piece: &[u8]) -> Vec<Word> {
        let mut words = vec![Word::default(); piece.len().div_ceil(WORD_BYTES)];
        let (mut is_escaped, mut n_escapes) = (false, 0);
        for (at, byte) in piece.iter().chain(&[b' '; WORD_BYTES]).take(words.len() * WORD_BYTES).enumerate() {
            let (word, bit) = (&mut words[at / WORD_BYTES], 1 << (at % WORD_BYTES));
            if at % WORD_BYTES == 0 {
                word.n_before = n_escapes;
            }
            let is_stop = if is_escaped { !br#""/\bfnrt"#.contains(byte) } else { *byte == b'"' };
            word.stops |= if is_stop { bit } else { 0 };
            is_escaped = !is_escaped && *byte == b'\\';
            word.escapes |= if is_escaped { bit } else { 0 };
            n_escapes += u64::from(is_escaped);
        }
        words
    }

    /// All levels that this machine has.
    pub(crate) fn levels() -> Vec<Level> {
        let level = Level::new();
        let mut levels = vec![level];
        #[cfg(target_arch = "x86_64")]
        levels.extend(
            [level.as_avx2().map(Level::Avx2), level.as_sse4_2().map(Level::Sse4_2), level.as_sse2().map(Level::Sse2)]
                .into_iter()
                .flatten(),
        );
        levels
    }

    proptest! {
        #[test]
        fn words_are_those_found_byte_by_byte(
            piece in prop::collection::vec(
                prop_oneof![4 => Just(b'\\'), 2 => Just(b'"'), 1 => Just(b'\n'), 2 => Just(b'n'), 2 => any::<u8>()],
                0..400,
            ),
        ) {
            for level in levels() {
                let mut index = BlockIndex::new();
                dispatch!(level, simd => index.look_with(simd, &piece));
                prop_assert_eq!(&index.words, &slowly(&piece), "{:?}", level);
                let ends: Vec<usize> = (0..).zip(&piece).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
                prop_assert_eq!(&index.rare.line_ends, &ends);
                prop_assert_eq!(index.rare.has_non_ascii, !piece.is_ascii());
                prop_assert_eq!(index.rare.has_controls, piece.iter().any(|byte| *byte < 0x20 && *byte != b'\n'));
            }
        }
    }
}
