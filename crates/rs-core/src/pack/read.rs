//! Opens blobs, and reads any part of what they hold.

use fs_err::os::unix::fs::FileExt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use super::content::identity;
use super::frames::FrameHeader;
use super::layout::Layout;
use super::toc::{self, Fault, Frame, SeekTable};
use super::{Content, FRAME_BYTES, MAX_BYTES, Member, PackError, names};

/// What a blob holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A run folder.
    Run,
    /// A file by itself.
    File,
}

/// A blob whose tables have been checked. It may be read by several threads at a time.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    file: fs_err::File,
    kind: Kind,
    frames: Vec<Frame>,
    members: Vec<Member>,
    raw_bytes: u64,
    pub(super) layout: Layout,
}

impl Pack {
    /// Opens a blob and checks its tables; frames are checked when they are read.
    ///
    /// # Errors
    /// It cannot be read, is no blob, or its tables contradict themselves, the file, or what a run folder may hold.
    pub fn open(path: &Path) -> Result<Self, PackError> {
        let fault = |fault: Fault| match fault {
            Fault::Io(error) => error.into(),
            Fault::Wrong(what) => PackError::Damaged { path: path.to_owned(), what },
            Fault::Version(found) => PackError::Version { path: path.to_owned(), found },
        };
        let damaged = |what: String| PackError::Damaged { path: path.to_owned(), what };
        // Before it is opened: a pipe would wait for its other end.
        if !fs_err::metadata(path)?.is_file() {
            return Err(damaged("it is no regular file".into()));
        }
        let file = fs_err::File::open(path)?;
        let table = SeekTable::read(&file, file.metadata()?.len()).map_err(fault)?;
        let stream_bytes = table.stream_bytes();
        let Some(toc) = table.toc else {
            return Ok(Self {
                path: path.to_owned(),
                file,
                kind: Kind::File,
                frames: table.frames,
                members: Vec::new(),
                raw_bytes: stream_bytes,
                layout: Layout::of_file(stream_bytes),
            });
        };
        let mut bytes = vec![0; (toc.end - toc.start) as usize];
        file.read_exact_at(&mut bytes, toc.start)?;
        let members = toc::read(&bytes).map_err(fault)?;
        drop(bytes);
        names::check_all(members.iter().map(|member| member.name.as_str()))
            .map_err(|(name, problem)| PackError::Name { path: path.to_owned(), name: name.to_owned(), problem })?;
        let raw_bytes = members.iter().try_fold(0_u64, |sum, member| sum.checked_add(member.size_bytes));
        let raw_bytes = raw_bytes.filter(|raw_bytes| *raw_bytes <= MAX_BYTES);
        let layout = Layout::of_run(members.iter().map(|member| (member.name.as_str(), member.size_bytes)));
        let (Some(raw_bytes), Some(layout)) = (raw_bytes, layout) else {
            return Err(damaged(format!("the table of contents has files of more than {MAX_BYTES} bytes")));
        };
        if layout.stream_bytes != stream_bytes {
            return Err(damaged(format!(
                "the files in the table of contents take up {} bytes, the frames hold {stream_bytes}",
                layout.stream_bytes
            )));
        }
        for (position, member) in members.iter().enumerate() {
            let offset = layout.content_offset(position);
            if member.offset != offset {
                let name = member.name.escape_debug();
                return Err(damaged(format!(
                    "the table of contents has `{name}` at byte {}, where it cannot be: that is {offset}",
                    member.offset
                )));
            }
        }
        Ok(Self { path: path.to_owned(), file, kind: Kind::Run, frames: table.frames, members, raw_bytes, layout })
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The files of a run folder, in the order of their names' bytes; none for a file by itself.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What the table of contents promises of a run folder, which unpacking keeps or fails; `None` for a file by
    /// itself.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        let files = self.members.iter().map(|member| (member.name.as_str(), member.size_bytes, member.content));
        (self.kind == Kind::Run).then(|| Content {
            hash: identity(files),
            raw_bytes: self.raw_bytes,
            n_files: self.members.len() as u64,
        })
    }

    /// Bytes of the files, as a manifest says them.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Bytes of the decoded stream: a tar for a run folder, the file's for a file by itself.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        self.layout.stream_bytes
    }

    /// Where frames begin in the decoded stream: reading between two of these decodes nothing twice.
    pub fn frame_starts(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        (0..self.frames.len()).map(|frame| frame as u64 * FRAME_BYTES)
    }

    /// Reads a part of the decoded stream, for example [`Member::range`], one frame at a time. What lies beyond the
    /// stream's end is not there. Errors of reading hold a [`PackError`].
    #[must_use]
    pub fn reader(&self, range: Range<u64>) -> PackReader<'_> {
        let end = range.end.min(self.stream_bytes());
        PackReader { pack: self, next: range.start.min(end), end, decoder: None, frame: None }
    }

    /// Where the blob is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> PackError {
        PackError::Damaged { path: self.path.clone(), what: what.into() }
    }
}

/// Decodes frames, one after the other.
pub(super) struct FrameDecoder {
    decompressor: Decompressor<'static>,
    stored: Vec<u8>,
    /// The frame decoded last.
    pub(super) raw: Vec<u8>,
}

impl FrameDecoder {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { decompressor: Decompressor::new()?, stored: Vec::new(), raw: Vec::new() })
    }

    /// Decodes a frame into [`FrameDecoder::raw`]. It must be what the seek table says: one zstd frame with its size
    /// and checksum, that no decoder needs more than [`FRAME_BYTES`] of memory for.
    pub(super) fn decode(&mut self, pack: &Pack, position: usize) -> Result<(), PackError> {
        let frame = pack.frames[position];
        self.stored.resize(frame.stored_bytes as usize, 0);
        pack.file.read_exact_at(&mut self.stored, frame.offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => pack.damaged("it has been cut short"),
            _ => error.into(),
        })?;
        let wrong = |what: &str| pack.damaged(format!("frame {position} {what}"));
        let Some(header) = FrameHeader::read(&self.stored) else {
            return Err(wrong("is no zstd frame"));
        };
        if header.content_bytes != Some(u64::from(frame.decoded_bytes)) {
            return Err(wrong("has not the size that the seek table says"));
        }
        if header.window_bytes > FRAME_BYTES {
            return Err(wrong(&format!("needs a window of {} bytes; it may have {FRAME_BYTES}", header.window_bytes)));
        }
        if !header.has_checksum {
            return Err(wrong("has no checksum"));
        }
        if header.needs_dictionary {
            return Err(wrong("needs a dictionary"));
        }
        match zstd_safe::find_frame_compressed_size(&self.stored) {
            Ok(stored_bytes) if stored_bytes == self.stored.len() => {}
            Ok(_) => return Err(wrong("is followed by something else")),
            Err(code) => return Err(wrong(&format!("is damaged: {}", zstd_safe::get_error_name(code)))),
        }
        self.raw.clear();
        // As much room as the frame may take, so that zstd stops there whatever the frame does.
        if self.raw.capacity() != frame.decoded_bytes as usize {
            self.raw = Vec::with_capacity(frame.decoded_bytes as usize);
        }
        match self.decompressor.decompress_to_buffer(&self.stored, &mut self.raw) {
            Ok(decoded_bytes) if decoded_bytes == frame.decoded_bytes as usize => Ok(()),
            Ok(_) => Err(wrong("has not the size that it says")),
            Err(error) => Err(wrong(&format!("is damaged: {error}"))),
        }
    }
}

impl std::fmt::Debug for FrameDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameDecoder").finish_non_exhaustive()
    }
}

/// A part of a blob's decoded stream. Holds one frame, stored and decoded, of at most 8 MiB each.
#[derive(Debug)]
pub struct PackReader<'a> {
    pack: &'a Pack,
    next: u64,
    end: u64,
    decoder: Option<FrameDecoder>,
    /// The frame that the decoder holds.
    frame: Option<usize>,
}

impl io::BufRead for PackReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.next >= self.end {
            return Ok(&[]);
        }
        let frame = (self.next / FRAME_BYTES) as usize;
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(FrameDecoder::new()?),
        };
        if self.frame != Some(frame) {
            self.frame = None;
            decoder.decode(self.pack, frame).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
        let start = frame as u64 * FRAME_BYTES;
        let end = (self.end - start).min(decoder.raw.len() as u64);
        Ok(&decoder.raw[(self.next - start) as usize..end as usize])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.next += n_bytes as u64;
    }
}

impl Read for PackReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read_bytes = io::BufRead::fill_buf(self)?.read(buffer)?;
        io::BufRead::consume(self, read_bytes);
        Ok(read_bytes)
    }
}
