//! Streams of whole lines out of raw files: plain, zstd or gzip, in bounded memory whatever the file's size.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest line that is read, in bytes. A longer one is malformed, and skipped without being held in memory.
pub const MAX_LINE_BYTES: usize = 256 << 20;

/// UTF-8 byte order mark, skipped at the start of a file.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How a raw file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As it is.
    Plain,
    /// One or more zstd frames (`.zst`).
    Zstd,
    /// One or more gzip members (`.gz`).
    Gzip,
}

/// Splits the name of a raw file into what it is without compression, and its codec: `a.ndjson.zst` is
/// `a.ndjson` in zstd. `None` for names that are no raw data.
#[must_use]
pub fn raw_file_name(name: &str) -> Option<(&str, Codec)> {
    let (plain, codec) = if let Some(plain) = name.strip_suffix(".zst") {
        (plain, Codec::Zstd)
    } else if let Some(plain) = name.strip_suffix(".gz") {
        (plain, Codec::Gzip)
    } else {
        (name, Codec::Plain)
    };
    (plain.ends_with(".ndjson") || plain.ends_with(".jsonl")).then_some((plain, codec))
}

/// What [`BlockReader::next_block`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// Whole lines, each with its `\n`.
    Lines(&'a [u8]),
    /// The last line of the file, without a line end.
    LastLine(&'a [u8]),
    /// A line longer than [`MAX_LINE_BYTES`], now skipped.
    OversizedLine,
}

/// Reads blocks of whole lines. Every line is in exactly one block, and is found at the same place whatever the
/// block size.
pub struct BlockReader<'a> {
    source: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already returned.
    taken: usize,
    /// Bytes of `buffer` that hold data.
    filled: usize,
    block_bytes: usize,
    /// Offset of `buffer[0]` in the (decoded) file.
    offset: u64,
    at_end: bool,
}

impl<'a> BlockReader<'a> {
    /// Opens a file of any codec from its start. Bytes taken from disk are added to `progress`.
    ///
    /// # Errors
    /// The file cannot be opened, or is no zstd stream though its name says so.
    pub fn open(path: &Path, codec: Codec, block_bytes: usize, progress: &'a AtomicU64) -> io::Result<Self> {
        Self::over(fs_err::File::open(path)?, codec, block_bytes, progress)
    }

    /// Reads a raw file of any codec from its start, whatever it lies in. Stored bytes are added to `progress`.
    ///
    /// # Errors
    /// The source cannot be read, or is no zstd stream though `codec` says so.
    pub fn over(source: impl Read + 'a, codec: Codec, block_bytes: usize, progress: &'a AtomicU64) -> io::Result<Self> {
        let stored = Counted { inner: source, progress };
        let source: Box<dyn Read + 'a> = match codec {
            Codec::Plain => Box::new(stored),
            Codec::Zstd => Box::new(zstd::stream::read::Decoder::new(stored)?),
            Codec::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, stored)))
            }
        };
        let mut reader = Self::new(source, 0, block_bytes);
        reader.skip_byte_order_mark()?;
        Ok(reader)
    }

    /// Opens a plain file at the first line that begins at or after `range.start`. If none begins before `range.end`,
    /// the reader stands somewhere at or after that end: a long line is not searched for its own.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn open_at(
        path: &Path,
        range: std::ops::Range<u64>,
        block_bytes: usize,
        progress: &'a AtomicU64,
    ) -> io::Result<Self> {
        let start = range.start;
        if start == 0 {
            return Self::open(path, Codec::Plain, block_bytes, progress);
        }
        let mut file = fs_err::File::open(path)?;
        // The byte before `start` tells whether a line begins there.
        file.seek(SeekFrom::Start(start - 1))?;
        let mut reader = Self::new(Box::new(Counted { inner: file, progress }), start - 1, block_bytes);
        reader.skip_line(range.end)?;
        Ok(reader)
    }

    fn new(source: Box<dyn Read + 'a>, offset: u64, block_bytes: usize) -> Self {
        // The byte order mark must fit.
        let block_bytes = block_bytes.max(16);
        let mut buffer = SPARE.take();
        buffer.resize(block_bytes, 0);
        Self { source, buffer, taken: 0, filled: 0, block_bytes, offset, at_end: false }
    }

    /// Offset in the decoded file of the block that comes next.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset + self.taken as u64
    }

    /// The next block, or `None` at the end of the file.
    ///
    /// # Errors
    /// Reading or decompression failed; what came before has been returned.
    pub fn next_block(&mut self) -> io::Result<Option<Block<'_>>> {
        self.make_room();
        let mut searched = 0;
        loop {
            let data = &self.buffer[self.taken..self.filled];
            if let Some(last) = memchr::memrchr(b'\n', &data[searched..]) {
                let start = self.taken;
                self.taken += searched + last + 1;
                return Ok(Some(Block::Lines(&self.buffer[start..self.taken])));
            }
            searched = data.len();
            if self.at_end {
                let start = self.taken;
                self.taken = self.filled;
                return Ok((start < self.filled).then(|| Block::LastLine(&self.buffer[start..self.filled])));
            }
            if searched >= MAX_LINE_BYTES {
                self.skip_line(u64::MAX)?;
                self.buffer.truncate(self.block_bytes.max(self.filled));
                return Ok(Some(Block::OversizedLine));
            }
            if self.filled == self.buffer.len() {
                // Old and new stand side by side while one is copied: a long line is not to take thrice its size.
                let grown = (self.buffer.len() + self.buffer.len() / 4).min(self.taken + MAX_LINE_BYTES);
                self.buffer.resize(grown, 0);
            }
            self.fill()?;
        }
    }

    /// Moves what is left to the front of the buffer, which shrinks back once a long line has gone.
    fn make_room(&mut self) {
        if self.taken == 0 {
            return;
        }
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.offset += self.taken as u64;
        self.filled -= self.taken;
        self.taken = 0;
        if self.buffer.len() > self.block_bytes && self.filled < self.block_bytes {
            self.buffer.truncate(self.block_bytes);
            self.buffer.shrink_to_fit();
        }
    }

    /// Reads until the buffer is full, so that blocks are large however small the pieces that a decoder gives.
    fn fill(&mut self) -> io::Result<()> {
        while self.filled < self.buffer.len() {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(read_bytes) => self.filled += read_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What was decoded before the damage is still good.
                Err(error)
                    if self.filled > self.taken
                        && memchr::memchr(b'\n', &self.buffer[self.taken..self.filled]).is_some() =>
                {
                    self.source = Box::new(Failed(Some(error)));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        while !self.at_end && self.filled < BYTE_ORDER_MARK.len() {
            self.fill()?;
        }
        if self.buffer[..self.filled].starts_with(BYTE_ORDER_MARK) {
            self.taken = BYTE_ORDER_MARK.len();
        }
        Ok(())
    }

    /// Drops everything up to and with the next `\n`; gives up at the offset `end`.
    fn skip_line(&mut self, end: u64) -> io::Result<()> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[self.taken..self.filled]) {
                self.taken += end + 1;
                return Ok(());
            }
            self.taken = self.filled;
            if self.at_end || self.offset() >= end {
                return Ok(());
            }
            self.make_room();
            self.fill()?;
        }
    }
}

impl Drop for BlockReader<'_> {
    fn drop(&mut self) {
        // A buffer that a long line has grown is not kept.
        if self.buffer.len() == self.block_bytes {
            SPARE.set(std::mem::take(&mut self.buffer));
        }
    }
}

thread_local! {
    /// The buffer of the reader before: thousands of small files need not each have a new one from the system.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Counts what passes.
struct Counted<'a, R> {
    inner: R,
    progress: &'a AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read_bytes = self.inner.read(buffer)?;
        self.progress.fetch_add(read_bytes as u64, Ordering::Relaxed);
        Ok(read_bytes)
    }
}

/// A source that has failed: says so once, then ends.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    static IGNORED: AtomicU64 = AtomicU64::new(0);

    fn file_with(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("is written");
        file
    }

    /// All lines that begin in `start..end`, with their offsets.
    fn lines(path: &Path, codec: Codec, start: u64, end: u64, block_bytes: usize) -> Vec<(u64, Vec<u8>)> {
        let mut reader = match codec {
            Codec::Plain => BlockReader::open_at(path, start..u64::MAX, block_bytes, &IGNORED),
            _ => BlockReader::open(path, codec, block_bytes, &IGNORED),
        }
        .expect("opens");
        let mut found = Vec::new();
        loop {
            let mut offset = reader.offset();
            let Some(block) = reader.next_block().expect("reads") else { break };
            let bytes = match block {
                Block::Lines(bytes) | Block::LastLine(bytes) => bytes,
                Block::OversizedLine => panic!("no such line"),
            };
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                if offset < end {
                    found.push((offset, line.to_vec()));
                }
                offset += line.len() as u64;
            }
        }
        found
    }

    #[test]
    fn names_of_raw_files() {
        assert_eq!(raw_file_name("a.ndjson"), Some(("a.ndjson", Codec::Plain)));
        assert_eq!(raw_file_name("a.jsonl.zst"), Some(("a.jsonl", Codec::Zstd)));
        assert_eq!(raw_file_name("a.ndjson.gz"), Some(("a.ndjson", Codec::Gzip)));
        for name in ["metadata.json", "server.log", "a.ndjson.tmp", "a.json.zst", "ndjson"] {
            assert_eq!(raw_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_data() {
        let file = file_with(b"\xEF\xBB\xBFa\nb");
        let found = lines(file.path(), Codec::Plain, 0, u64::MAX, 16);
        assert_eq!(found, [(3, b"a\n".to_vec()), (5, b"b".to_vec())]);
        assert_eq!(lines(file_with(b"\xEF\xBB\xBF").path(), Codec::Plain, 0, u64::MAX, 16), []);
    }

    #[test]
    fn a_long_line_comes_whole_and_the_buffer_shrinks_back() {
        let mut bytes = vec![b'x'; 64 << 20];
        bytes.extend_from_slice(b"\nshort\n");
        let file = file_with(&bytes);
        let mut reader = BlockReader::open(file.path(), Codec::Plain, 1 << 16, &IGNORED).expect("opens");
        assert!(matches!(reader.next_block().expect("reads"), Some(Block::Lines(line)) if line.len() > 64 << 20));
        while reader.next_block().expect("reads").is_some() {}
        assert_eq!(reader.buffer.len(), 1 << 16);
    }

    #[test]
    fn an_oversized_line_is_skipped() {
        let mut bytes = b"first\n".to_vec();
        bytes.resize(MAX_LINE_BYTES + 100, b'x');
        bytes.extend_from_slice(b"\nlast\n");
        let file = file_with(&bytes);
        let mut reader = BlockReader::open(file.path(), Codec::Plain, 1 << 20, &IGNORED).expect("opens");
        assert_eq!(reader.next_block().expect("reads"), Some(Block::Lines(b"first\n")));
        assert_eq!(reader.next_block().expect("reads"), Some(Block::OversizedLine));
        assert_eq!(reader.next_block().expect("reads"), Some(Block::Lines(b"last\n")));
        assert_eq!(reader.next_block().expect("reads"), None);
    }

    #[test]
    fn what_precedes_the_damage_is_returned() {
        let packed = zstd::encode_all(&b"one\ntwo\nthree\n".repeat(100_000)[..], 3).expect("packs");
        let file = file_with(&packed[..packed.len() - 9]);
        let mut reader = BlockReader::open(file.path(), Codec::Zstd, 1 << 16, &IGNORED).expect("opens");
        let mut n_bytes = 0;
        let error = loop {
            match reader.next_block() {
                Ok(Some(Block::Lines(lines))) => n_bytes += lines.len(),
                Ok(other) => panic!("the cut is not noticed: {other:?}"),
                Err(error) => break error,
            }
        };
        assert!(n_bytes > 1_000_000, "{n_bytes}");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn every_line_once_however_the_file_is_cut(
            lengths in proptest::collection::vec(0_usize..40, 0..30),
            cut in 0_u64..600,
            block_bytes in 1_usize..64,
            ends in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            for (position, length) in lengths.iter().enumerate() {
                bytes.extend(std::iter::repeat_n(b'a' + u8::try_from(position % 26).expect("small"), *length));
                bytes.push(b'\n');
            }
            if !ends {
                bytes.pop();
            }
            let file = file_with(&bytes);
            let whole = lines(file.path(), Codec::Plain, 0, u64::MAX, 1 << 16);
            prop_assert_eq!(whole.iter().flat_map(|(_, line)| line.clone()).collect::<Vec<_>>(), bytes.clone());
            let mut parts = lines(file.path(), Codec::Plain, 0, cut, block_bytes);
            parts.extend(lines(file.path(), Codec::Plain, cut, u64::MAX, block_bytes).into_iter().filter(|(at, _)| *at >= cut));
            prop_assert_eq!(&parts, &whole);
            let packed = file_with(&zstd::encode_all(&bytes[..], 1).expect("packs"));
            prop_assert_eq!(&lines(packed.path(), Codec::Zstd, 0, u64::MAX, block_bytes), &whole);
        }
    }
}
