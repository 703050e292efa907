//! The two tables at a blob's end, each in a skippable frame of zstd: a run folder's table of contents, and the seek
//! table.
//!
//! The table of contents is JSON, `{"version": 1, "members": [{"name", "offset", "size", "content"}, ...]}`, in a zstd
//! frame where it has more than [`PLAIN_MEMBERS`]. The seek table is that of zstd's seekable format, without checksums:
//! the frames have their own.

use fs_err::os::unix::fs::FileExt;
use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::frames::MAX_FRAMES;
use super::{COMPRESSION_LEVEL, ContentHash, FRAME_BYTES, MAX_FILES, Member};

/// The only version there is.
pub(super) const VERSION: u64 = 1;

/// What the skippable frame of a table of contents begins with.
const TOC_MAGIC: u32 = 0x184D_2A52;

/// What the skippable frame of a seek table begins with.
const SEEK_TABLE_MAGIC: u32 = 0x184D_2A5E;

/// What a seek table ends with.
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;

/// Bytes of a skippable frame's magic number and size.
const SKIPPABLE_HEADER_BYTES: u64 = 8;

/// Bytes of an entry of the seek table: a frame's stored and decoded size.
const ENTRY_BYTES: u64 = 8;

/// Bytes of the seek table's end: number of frames, descriptor, magic number.
const FOOTER_BYTES: u64 = 9;

/// Most files in a table of contents that is not compressed.
const PLAIN_MEMBERS: usize = 32;

/// Largest table of contents, decoded, in bytes: a million files with names of 150 bytes.
const MAX_TOC_BYTES: u64 = 256 << 20;

/// Memory for decoding a table of contents: 8 MiB, which is more than level 3 asks for.
const MAX_WINDOW_LOG: u32 = 23;

/// Why tables cannot be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file cannot be read.
    Io(io::Error),
    /// They are wrong: a lower-case fragment.
    Wrong(String),
    /// The table of contents is of another version.
    Version(u64),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(what.into()))
}

/// A frame of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it lies in the blob.
    pub(super) offset: u64,
    /// Its size there.
    pub(super) stored_bytes: u32,
    /// Bytes of its input.
    pub(super) decoded_bytes: u32,
}

/// What the seek table says.
#[derive(Debug)]
pub(super) struct SeekTable {
    /// Frames of data: without gaps from the start of the blob, full but for the last.
    pub(super) frames: Vec<Frame>,
    /// Where the table of contents lies, if there is one.
    pub(super) toc: Option<Range<u64>>,
}

impl SeekTable {
    /// Bytes of the decoded stream.
    pub(super) fn stream_bytes(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.decoded_bytes)).sum()
    }

    /// Reads the table from the end of a blob of `size_bytes`, and checks it against itself and the size.
    pub(super) fn read(file: &fs_err::File, size_bytes: u64) -> Result<Self, Fault> {
        let no_table = || wrong("no seek table at its end: it is cut short, or something follows, or it is no blob");
        let Some(footer_at) = size_bytes.checked_sub(FOOTER_BYTES) else { return no_table() };
        let mut footer = [0; FOOTER_BYTES as usize];
        file.read_exact_at(&mut footer, footer_at)?;
        let [a, b, c, d, descriptor, magic @ ..] = footer;
        if u32::from_le_bytes(magic) != SEEKABLE_MAGIC {
            return no_table();
        }
        let n_frames = u32::from_le_bytes([a, b, c, d]) as usize;
        if descriptor != 0 {
            return wrong(format!("the seek table's descriptor is {descriptor:#04x}; it must be 0, without checksums"));
        }
        // And one for the table of contents.
        if n_frames > MAX_FRAMES + 1 {
            return wrong(format!("the seek table has {n_frames} frames; there may be {MAX_FRAMES}"));
        }
        let content_bytes = n_frames as u64 * ENTRY_BYTES + FOOTER_BYTES;
        let Some(table_at) = size_bytes.checked_sub(content_bytes + SKIPPABLE_HEADER_BYTES) else {
            return wrong("the seek table is larger than the blob");
        };
        let mut table = vec![0; (content_bytes + SKIPPABLE_HEADER_BYTES) as usize];
        file.read_exact_at(&mut table, table_at)?;
        if table[..4] != SEEK_TABLE_MAGIC.to_le_bytes() || table[4..8] != (content_bytes as u32).to_le_bytes() {
            return wrong("the seek table does not begin where it should");
        }
        let entries = table[8..table.len() - FOOTER_BYTES as usize].as_chunks::<4>().0.as_chunks::<2>().0;
        Self::of_entries(entries.iter().map(|pair| pair.map(u32::from_le_bytes)), table_at)
    }

    /// Frames of these stored and decoded sizes must fill the blob up to the seek table.
    fn of_entries(entries: impl ExactSizeIterator<Item = [u32; 2]>, table_at: u64) -> Result<Self, Fault> {
        let n_entries = entries.len();
        let mut frames: Vec<Frame> = Vec::with_capacity(n_entries);
        let mut toc = None;
        let mut offset = 0;
        for (position, [stored_bytes, decoded_bytes]) in entries.enumerate() {
            let is_last = position + 1 == n_entries;
            let end = offset + u64::from(stored_bytes);
            if end > table_at {
                return wrong(format!("frame {position} reaches beyond the seek table's start"));
            }
            match decoded_bytes {
                0 if is_last => toc = Some(offset..end),
                0 => return wrong(format!("frame {position} is empty or to be skipped")),
                _ if u64::from(decoded_bytes) > FRAME_BYTES => {
                    return wrong(format!(
                        "frame {position} has {decoded_bytes} bytes decoded; it may have {FRAME_BYTES}"
                    ));
                }
                _ => {
                    if frames.last().is_some_and(|before| u64::from(before.decoded_bytes) != FRAME_BYTES) {
                        return wrong(format!("frame {} is not the last, but not full", position - 1));
                    }
                    if stored_bytes as usize > zstd::zstd_safe::compress_bound(decoded_bytes as usize) {
                        return wrong(format!("frame {position} is larger than its content can be"));
                    }
                    frames.push(Frame { offset, stored_bytes, decoded_bytes });
                }
            }
            offset = end;
        }
        if offset != table_at {
            return wrong(format!("there are {} bytes between the last frame and the seek table", table_at - offset));
        }
        Ok(Self { frames, toc })
    }
}

/// The seek table of frames of these stored and decoded sizes, as it stands at the end of a blob.
pub(super) fn seek_table(frames: &[[u32; 2]]) -> Vec<u8> {
    let content_bytes = frames.len() as u64 * ENTRY_BYTES + FOOTER_BYTES;
    let mut table = Vec::with_capacity((SKIPPABLE_HEADER_BYTES + content_bytes) as usize);
    table.extend_from_slice(&SEEK_TABLE_MAGIC.to_le_bytes());
    table.extend_from_slice(&(content_bytes as u32).to_le_bytes());
    table.extend(frames.iter().flatten().flat_map(|size| size.to_le_bytes()));
    table.extend_from_slice(&(frames.len() as u32).to_le_bytes());
    // No checksums, and nothing else that there might be.
    table.push(0);
    table.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
    table
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toc {
    version: u64,
    #[serde(deserialize_with = "limited")]
    members: Vec<Member>,
}

/// The version alone, whatever else there is: another one may be of another shape.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "member")]
struct Entry<'a> {
    name: std::borrow::Cow<'a, str>,
    offset: u64,
    size: u64,
    content: ContentHash,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Entry::deserialize(deserializer)?;
        let name = entry.name.into_owned();
        Ok(Self { name, offset: entry.offset, size_bytes: entry.size, content: entry.content })
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.name.as_str().into();
        Entry { name, offset: self.offset, size: self.size_bytes, content: self.content }.serialize(serializer)
    }
}

/// A list that ends at [`MAX_FILES`], before it takes up more memory.
fn limited<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Member>, D::Error> {
    struct Limited;

    impl<'de> Visitor<'de> for Limited {
        type Value = Vec<Member>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_FILES} files")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = list.next_element()? {
                if members.len() == MAX_FILES {
                    return Err(serde::de::Error::custom(format_args!("more than {MAX_FILES} files")));
                }
                members.push(member);
            }
            Ok(members)
        }
    }

    deserializer.deserialize_seq(Limited)
}

/// Reads a table of contents: its skippable frame, whole.
pub(super) fn read(frame: &[u8]) -> Result<Vec<Member>, Fault> {
    let Some((header, content)) = frame.split_at_checked(SKIPPABLE_HEADER_BYTES as usize) else {
        return wrong("the table of contents is cut short");
    };
    if header[..4] != TOC_MAGIC.to_le_bytes() || header[4..] != (content.len() as u32).to_le_bytes() {
        return wrong("the frame before the seek table is no table of contents");
    }
    if content.starts_with(b"{") {
        return parse(content);
    }
    let mut json = Vec::new();
    let mut decode = || -> io::Result<_> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(content)?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        decoder.take(MAX_TOC_BYTES + 1).read_to_end(&mut json)
    };
    match decode() {
        Err(error) => wrong(format!("the table of contents cannot be decoded: {error}")),
        Ok(_) if json.len() as u64 > MAX_TOC_BYTES => {
            wrong(format!("the table of contents has more than {MAX_TOC_BYTES} bytes"))
        }
        Ok(_) => parse(&json),
    }
}

fn parse(json: &[u8]) -> Result<Vec<Member>, Fault> {
    match serde_json::from_slice::<Toc>(json) {
        Ok(toc) if toc.version == VERSION => Ok(toc.members),
        Ok(toc) => Err(Fault::Version(toc.version)),
        Err(error) => match serde_json::from_slice(json) {
            Ok(Version { version }) if version != VERSION => Err(Fault::Version(version)),
            _ => wrong(format!("the table of contents is wrong: {error}")),
        },
    }
}

/// A table of contents in its skippable frame. `None` if it is too large.
pub(super) fn write(members: &[Member]) -> io::Result<Option<Vec<u8>>> {
    #[derive(Serialize)]
    struct Toc<'a> {
        version: u64,
        members: &'a [Member],
    }

    let toc = Toc { version: VERSION, members };
    let mut frame = vec![0; SKIPPABLE_HEADER_BYTES as usize];
    let json_bytes = if members.len() <= PLAIN_MEMBERS {
        let before = frame.len();
        serde_json::to_writer(&mut frame, &toc)?;
        (frame.len() - before) as u64
    } else {
        let mut encoder = zstd::stream::write::Encoder::new(&mut frame, COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        let mut counted = Counted { inner: io::BufWriter::with_capacity(1 << 16, encoder), n_bytes: 0 };
        serde_json::to_writer(&mut counted, &toc)?;
        let encoder = counted.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        encoder.finish()?;
        counted.n_bytes
    };
    let content_bytes = frame.len() as u64 - SKIPPABLE_HEADER_BYTES;
    frame[..4].copy_from_slice(&TOC_MAGIC.to_le_bytes());
    frame[4..8].copy_from_slice(&(content_bytes as u32).to_le_bytes());
    Ok((json_bytes <= MAX_TOC_BYTES).then_some(frame))
}

struct Counted<W> {
    inner: W,
    n_bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.n_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
