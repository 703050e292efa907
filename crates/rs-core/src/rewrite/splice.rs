//! A stream with some of its bytes replaced.

use std::io::{self, BufRead, Read};

/// Bytes of a stream and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// Where the old bytes begin.
    pub offset: u64,
    /// How many they are; none where something is put in.
    pub n_bytes: u64,
    /// The new bytes.
    pub new: Box<[u8]>,
}

/// Reads a stream as it is after splices, which are in order and do not overlap.
pub(super) struct Spliced<'a, R> {
    inner: R,
    splices: &'a [Splice],
    /// How many bytes of the old stream have passed.
    at: u64,
    /// What is left to be read of the new bytes of the splice before.
    new: &'a [u8],
}

impl<'a, R: BufRead> Spliced<'a, R> {
    pub(super) fn new(inner: R, splices: &'a [Splice]) -> Self {
        Self { inner, splices, at: 0, new: &[] }
    }

    fn skip(&mut self, n_bytes: u64) -> io::Result<()> {
        let mut left = n_bytes;
        while left > 0 {
            let n_there = self.inner.fill_buf()?.len();
            if n_there == 0 {
                return Err(ends_early());
            }
            let n_taken = usize::try_from(left).unwrap_or(usize::MAX).min(n_there);
            self.inner.consume(n_taken);
            left -= n_taken as u64;
        }
        self.at += n_bytes;
        Ok(())
    }
}

impl<R: BufRead> Read for Spliced<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.new.is_empty() {
                return self.new.read(buffer);
            }
            let Some((next, later)) = self.splices.split_first() else { return self.inner.read(buffer) };
            if next.offset > self.at {
                let limit = usize::try_from(next.offset - self.at).unwrap_or(usize::MAX).min(buffer.len());
                let n_bytes = self.inner.read(&mut buffer[..limit])?;
                self.at += n_bytes as u64;
                return if n_bytes == 0 { Err(ends_early()) } else { Ok(n_bytes) };
            }
            self.skip(next.n_bytes)?;
            (self.new, self.splices) = (&next.new, later);
        }
    }
}

/// The stream is shorter than it was.
fn ends_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    fn read(text: &[u8], splices: &[Splice], buffer_bytes: usize) -> io::Result<Vec<u8>> {
        let mut spliced = Spliced::new(BufReader::with_capacity(buffer_bytes, text), splices);
        let mut read = Vec::new();
        spliced.read_to_end(&mut read)?;
        Ok(read)
    }

    #[test]
    fn a_stream_that_has_become_shorter_is_an_error() {
        let splice = |offset, n_bytes| [Splice { offset, n_bytes, new: [].into() }];
        assert!(read(b"abc", &splice(4, 0), 2).is_err());
        assert!(read(b"abc", &splice(1, 3), 2).is_err());
        assert_eq!(read(b"abc", &splice(3, 0), 2).unwrap(), b"abc");
    }

    proptest! {
        #[test]
        fn as_if_done_in_memory(
            text in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec((0_usize..40, 0_usize..20, proptest::collection::vec(any::<u8>(), 0..9)), 0..6),
            buffer_bytes in 1_usize..50,
        ) {
            let (mut splices, mut expected, mut at) = (Vec::new(), Vec::new(), 0);
            for (gap, n_bytes, new) in cuts {
                if at + gap + n_bytes > text.len() {
                    break;
                }
                expected.extend_from_slice(&text[at..at + gap]);
                expected.extend_from_slice(&new);
                splices.push(Splice { offset: (at + gap) as u64, n_bytes: n_bytes as u64, new: new.into() });
                at += gap + n_bytes;
            }
            expected.extend_from_slice(&text[at..]);
            prop_assert_eq!(read(&text, &splices, buffer_bytes).unwrap(), expected);
        }
    }
}
