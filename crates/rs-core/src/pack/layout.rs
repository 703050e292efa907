//! Where everything lies in a blob's decoded stream.
//!
//! The stream of a run folder is a tar with one possible form. Each file has a header block of 512 bytes in GNU's
//! format, mode 0644, owner and time 0; a name of more than 100 bytes has GNU's two or more blocks for long names
//! before it. Its content follows, filled up with zeros to a multiple of 512. At the end stand two blocks of zeros. The
//! stream of a file by itself is the file.

use std::ops::Range;

use super::FRAME_BYTES;

/// Bytes of a block of a tar.
const BLOCK_BYTES: u64 = 512;

/// Zeros at the end of a tar.
const END_BYTES: u64 = 2 * BLOCK_BYTES;

/// Longest name that fits into a header block, in bytes.
const SHORT_NAME_BYTES: usize = 100;

/// What GNU calls the block that announces a long name.
const LONG_NAME: &[u8] = b"././@LongLink";

/// Where a file lies in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Where its header begins.
    start: u64,
    /// Where its content begins.
    content: u64,
    /// Bytes of its content.
    size_bytes: u64,
    /// Where the next file's header begins.
    end: u64,
}

impl Place {
    fn content_end(&self) -> u64 {
        self.content + self.size_bytes
    }
}

/// Where all files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    places: Vec<Place>,
    /// Bytes of the stream.
    pub(super) stream_bytes: u64,
}

/// What a part of the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The header of a file, from a byte of it on.
    Header { member: usize, from: usize },
    /// The content of a file, from a byte of it on; `whole` if nothing of it lies elsewhere.
    Content { member: usize, from: u64, whole: bool },
    /// What fills up a block or ends the stream.
    Zeros,
}

/// A part of the stream that lies in one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) part: Part,
    /// Where in the frame.
    pub(super) at: Range<usize>,
}

impl Layout {
    /// The tar of files of these names and sizes. `None` if their sum is beyond all measure.
    pub(super) fn of_run<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Option<Self> {
        let mut at = 0_u64;
        let mut places = Vec::new();
        for (name, size_bytes) in files {
            let content = at.checked_add(header_bytes(name.len()))?;
            let end = content.checked_add(size_bytes)?.checked_next_multiple_of(BLOCK_BYTES)?;
            places.push(Place { start: at, content, size_bytes, end });
            at = end;
        }
        Some(Self { places, stream_bytes: at.checked_add(END_BYTES)? })
    }

    /// A file by itself.
    pub(super) fn of_file(size_bytes: u64) -> Self {
        Self { places: vec![Place { start: 0, content: 0, size_bytes, end: size_bytes }], stream_bytes: size_bytes }
    }

    /// Where the content of a file begins.
    pub(super) fn content_offset(&self, member: usize) -> u64 {
        self.places[member].content
    }

    /// Frames that the stream is cut into.
    pub(super) fn n_frames(&self) -> usize {
        // As many as memory can hold the seek table of, or the table is refused.
        usize::try_from(self.stream_bytes.div_ceil(FRAME_BYTES)).unwrap_or(usize::MAX)
    }

    /// Where a frame lies in the stream.
    pub(super) fn frame(&self, frame: usize) -> Range<u64> {
        let start = frame as u64 * FRAME_BYTES;
        start..(start + FRAME_BYTES).min(self.stream_bytes)
    }

    /// What lies in a frame, in order and without gaps. A file without content is in none: see [`Layout::empty_files`].
    pub(super) fn pieces(&self, frame: usize) -> Vec<Piece> {
        let range = self.frame(frame);
        let mut pieces = Vec::new();
        let mut add = |part: Part, start: u64, end: u64| {
            let (start, end) = (start.max(range.start), end.min(range.end));
            if start < end {
                let at = (start - range.start) as usize..(end - range.start) as usize;
                pieces.push(Piece { part, at });
            }
        };
        let first = self.places.partition_point(|place| place.end <= range.start);
        for (member, place) in self.places.iter().enumerate().skip(first) {
            if place.start >= range.end {
                break;
            }
            let from = (range.start.max(place.start) - place.start) as usize;
            add(Part::Header { member, from }, place.start, place.content);
            let from = range.start.max(place.content) - place.content;
            let whole = range.start <= place.content && place.content_end() <= range.end;
            add(Part::Content { member, from, whole }, place.content, place.content_end());
            add(Part::Zeros, place.content_end(), place.end);
        }
        let end = self.places.last().map_or(0, |place| place.end);
        add(Part::Zeros, end, self.stream_bytes);
        pieces
    }

    /// Files without content whose header ends in this frame.
    pub(super) fn empty_files(&self, frame: usize) -> impl Iterator<Item = usize> {
        let range = self.frame(frame);
        let first = self.places.partition_point(|place| place.content <= range.start);
        let in_frame = self.places[first..].iter().take_while(move |place| place.content <= range.end);
        in_frame.enumerate().filter(|(_, place)| place.size_bytes == 0).map(move |(position, _)| first + position)
    }
}

/// Bytes of the header blocks of a file with a name of so many bytes.
fn header_bytes(name_bytes: usize) -> u64 {
    if name_bytes <= SHORT_NAME_BYTES {
        return BLOCK_BYTES;
    }
    2 * BLOCK_BYTES + (name_bytes as u64 + 1).next_multiple_of(BLOCK_BYTES)
}

/// The header blocks of a file.
pub(super) fn header(name: &str, size_bytes: u64) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(BLOCK_BYTES as usize);
    let name = name.as_bytes();
    if name.len() > SHORT_NAME_BYTES {
        // The long name ends with a zero.
        let long = block(LONG_NAME, name.len() as u64 + 1, tar::EntryType::GNULongName);
        blocks.extend_from_slice(long.as_bytes());
        blocks.extend_from_slice(name);
        blocks.resize((blocks.len() + 1).next_multiple_of(BLOCK_BYTES as usize), 0);
    }
    let short = &name[..name.len().min(SHORT_NAME_BYTES)];
    blocks.extend_from_slice(block(short, size_bytes, tar::EntryType::Regular).as_bytes());
    blocks
}

fn block(name: &[u8], size_bytes: u64, entry_type: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size_bytes);
    header.set_entry_type(entry_type);
    header.set_cksum();
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(files: &[(String, u64)]) -> Layout {
        Layout::of_run(files.iter().map(|(name, size_bytes)| (name.as_str(), *size_bytes))).expect("is not too large")
    }

    #[test]
    fn headers_are_as_long_as_they_are_said_to_be() {
        for n in [1, 99, 100, 101, 511, 512, 513, 1023, 1024, 4096] {
            assert_eq!(header(&"n".repeat(n), 1).len() as u64, header_bytes(n), "{n}");
        }
    }

    /// Another program's tar reader must see what was meant.
    #[test]
    fn headers_hold_name_and_size() {
        for (name, size_bytes) in [("a".to_owned(), 0), ("ä/".repeat(300) + "x", 7), ("huge".to_owned(), 9 << 40)] {
            let bytes = header(&name, size_bytes);
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(entry.path_bytes(), name.as_bytes());
            assert_eq!(entry.size(), size_bytes);
            assert_eq!(entry.header().entry_type(), tar::EntryType::Regular);
            assert_eq!((entry.header().mode().unwrap(), entry.header().mtime().unwrap()), (0o644, 0));
        }
    }

    #[test]
    fn sizes_beyond_all_measure() {
        assert_eq!(Layout::of_run([("a", u64::MAX)].into_iter()), None);
        assert_eq!(Layout::of_run([("a", u64::MAX / 2), ("b", u64::MAX / 2)].into_iter()), None);
    }

    proptest! {
        /// Pieces cover every frame without a gap, and every byte and file once.
        #[test]
        fn pieces_cover_the_stream(
            files in proptest::collection::vec((1_usize..2000, prop_oneof![Just(0_u64), 1..2000_u64, 0..20_000_000_u64]), 0..40)
        ) {
            let files: Vec<(String, u64)> = files.into_iter().map(|(n, size)| ("n".repeat(n), size)).collect();
            let layout = layout(&files);
            let mut seen = vec![0_u64; files.len()];
            let mut empty = Vec::new();
            for frame in 0..layout.n_frames() {
                let mut at = 0;
                for piece in layout.pieces(frame) {
                    prop_assert_eq!(piece.at.start, at);
                    prop_assert!(piece.at.end > at);
                    at = piece.at.end;
                    if let Part::Content { member, from, whole } = piece.part {
                        prop_assert_eq!(from, seen[member]);
                        seen[member] += piece.at.len() as u64;
                        prop_assert_eq!(whole, piece.at.len() as u64 == files[member].1);
                        let start = layout.frame(frame).start + piece.at.start as u64;
                        prop_assert_eq!(layout.content_offset(member) + from, start);
                    }
                }
                prop_assert_eq!(at as u64, layout.frame(frame).end - layout.frame(frame).start);
                empty.extend(layout.empty_files(frame));
            }
            let sizes: Vec<u64> = files.iter().map(|(_, size)| *size).collect();
            prop_assert_eq!(seen, sizes);
            let without: Vec<usize> = (0..files.len()).filter(|member| files[*member].1 == 0).collect();
            prop_assert_eq!(empty, without);
        }
    }
}
