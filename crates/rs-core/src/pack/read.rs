//! Opens blobs, and reads any part of what they hold.

use fs_err::os::unix::fs::FileExt;
use std::borrow::Borrow;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use zstd::bulk::Decompressor;
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::{self, DParameter};

use super::content::identity;
use super::frames::FrameHeader;
use super::layout::{self, Layout, Part};
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

    /// [`Pack::members`], once the blob is not needed open.
    #[must_use]
    pub fn into_members(self) -> Vec<Member> {
        self.members
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
    pub fn reader(&self, range: Range<u64>) -> PackReader<&Self> {
        PackReader::new(self, range)
    }

    /// Decodes a frame of a run folder, and gives the parts of files in it, in order: files without content are in none.
    /// What lies between the files must be as the table of contents says.
    pub(crate) fn decode<'d>(
        &self,
        frame: usize,
        decoder: &'d mut FrameDecoder,
    ) -> Result<Vec<FilePart<'d>>, PackError> {
        if frame >= self.frames.len() {
            return Err(self.damaged(format!("it has no frame {frame}")));
        }
        decoder.decode(self, frame)?;
        let raw = decoder.raw();
        let mut parts = Vec::new();
        for piece in self.layout.pieces(frame) {
            let bytes = &raw[piece.at];
            match piece.part {
                Part::Zeros => self.check_zeros(bytes)?,
                Part::Header { member, from } => self.check_header(&self.members[member], from, bytes)?,
                Part::Content { member, from, .. } => parts.push(FilePart { member, from, bytes }),
            }
        }
        Ok(parts)
    }

    /// Reads the stream from the start of a frame in small steps, for what goes on a little beyond the frame before: the
    /// frame's checksum is not asked.
    pub(crate) fn steps<'a>(&'a self, range: Range<u64>, decoder: &'a mut StepDecoder) -> Steps<'a> {
        let frame = (range.start / FRAME_BYTES) as usize;
        Steps { pack: self, decoder, frame, is_fresh: true, left: range.end.saturating_sub(range.start) }
    }

    /// Where the blob is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> PackError {
        PackError::Damaged { path: self.path.clone(), what: what.into() }
    }

    /// Reads a part of the blob as it is stored.
    fn read_stored(&self, into: &mut [u8], offset: u64) -> Result<(), PackError> {
        self.file.read_exact_at(into, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it has been cut short"),
            _ => error.into(),
        })
    }

    /// What fills up a block of a tar, or ends it, is zeros.
    pub(super) fn check_zeros(&self, bytes: &[u8]) -> Result<(), PackError> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(self.damaged("there is something between the files of its tar"))
    }

    /// There is one possible header for a file; what else stands there is named where it can be.
    pub(super) fn check_header(&self, member: &Member, from: usize, bytes: &[u8]) -> Result<(), PackError> {
        let header = layout::header(&member.name, member.size_bytes);
        let expected = &header[from..from + bytes.len()];
        if expected == bytes {
            return Ok(());
        }
        let differs = expected.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or_default();
        let (block, n_blocks) = ((from + differs) / 512, header.len() / 512);
        let is_name = block > 0 && block + 1 < n_blocks;
        let another = || "a header of another file, or a damaged one".to_owned();
        let found = bytes.as_chunks::<512>().0.get(differs / 512).filter(|_| !is_name);
        let what = found.map_or_else(another, |block| {
            let found = tar::Header::from_byte_slice(block);
            match found.entry_type() {
                tar::EntryType::Regular => match found.entry_size() {
                    Ok(size_bytes) if size_bytes != member.size_bytes => format!("a size of {size_bytes} bytes"),
                    _ => another(),
                },
                tar::EntryType::GNULongName => another(),
                tar::EntryType::Directory => "a folder".to_owned(),
                tar::EntryType::Symlink | tar::EntryType::Link => "a link".to_owned(),
                tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => "a device".to_owned(),
                other => format!("an entry of type {:?}", char::from(other.as_byte())),
            }
        });
        let name = member.name.escape_debug();
        Err(self.damaged(format!(
            "its tar has {what} where the table of contents says the file `{name}` of {} bytes",
            member.size_bytes
        )))
    }
}

/// A part of a file's content in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FilePart<'a> {
    /// Position in [`Pack::members`].
    pub(crate) member: usize,
    /// Where in the file it begins.
    pub(crate) from: u64,
    pub(crate) bytes: &'a [u8],
}

/// Decodes frames, one after the other.
pub(crate) struct FrameDecoder {
    decompressor: Decompressor<'static>,
    stored: Vec<u8>,
    /// Holds the frame decoded last, and has room for the largest so far.
    buffer: Vec<u8>,
    decoded_bytes: usize,
}

impl FrameDecoder {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { decompressor: Decompressor::new()?, stored: Vec::new(), buffer: Vec::new(), decoded_bytes: 0 })
    }

    /// The frame decoded last.
    pub(super) fn raw(&self) -> &[u8] {
        &self.buffer[..self.decoded_bytes]
    }

    /// Decodes a frame for [`FrameDecoder::raw`]. It must be what the seek table says: one zstd frame with its size
    /// and checksum, that no decoder needs more than [`FRAME_BYTES`] of memory for.
    pub(super) fn decode(&mut self, pack: &Pack, position: usize) -> Result<(), PackError> {
        self.decoded_bytes = 0;
        let frame = pack.frames[position];
        let stored_bytes = frame.stored_bytes as usize;
        if self.stored.len() < stored_bytes {
            self.stored.resize(stored_bytes, 0);
        }
        let stored = &mut self.stored[..stored_bytes];
        pack.read_stored(stored, frame.offset)?;
        let wrong = |what: &str| pack.damaged(format!("frame {position} {what}"));
        let Some(header) = FrameHeader::read(stored) else {
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
        match zstd_safe::find_frame_compressed_size(stored) {
            Ok(found) if found == stored_bytes => {}
            Ok(_) => return Err(wrong("is followed by something else")),
            Err(code) => return Err(wrong(&format!("is damaged: {}", zstd_safe::get_error_name(code)))),
        }
        let decoded_bytes = frame.decoded_bytes as usize;
        if self.buffer.len() < decoded_bytes {
            // A new one: nothing of the old is worth being copied.
            self.buffer = vec![0; decoded_bytes];
        }
        // As much room as the frame may take, so that zstd stops there whatever the frame does.
        match self.decompressor.decompress_to_buffer(stored, &mut self.buffer[..decoded_bytes]) {
            Ok(found) if found == decoded_bytes => {
                self.decoded_bytes = decoded_bytes;
                Ok(())
            }
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
pub struct PackReader<P> {
    pack: P,
    next: u64,
    end: u64,
    decoder: Option<FrameDecoder>,
    /// The frame that the decoder holds.
    frame: Option<usize>,
}

impl<P: Borrow<Pack>> PackReader<P> {
    /// [`Pack::reader`] of a blob that the reader may own, for example as an [`Arc`](std::sync::Arc).
    #[must_use]
    pub fn new(pack: P, range: Range<u64>) -> Self {
        let end = range.end.min(pack.borrow().stream_bytes());
        Self { next: range.start.min(end), end, pack, decoder: None, frame: None }
    }
}

impl<P: Borrow<Pack>> io::BufRead for PackReader<P> {
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
            decoder.decode(self.pack.borrow(), frame).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
        let start = frame as u64 * FRAME_BYTES;
        let raw = decoder.raw();
        let end = (self.end - start).min(raw.len() as u64);
        Ok(&raw[(self.next - start) as usize..end as usize])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.next += n_bytes as u64;
    }
}

impl<P: Borrow<Pack>> Read for PackReader<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read_bytes = io::BufRead::fill_buf(self)?.read(buffer)?;
        io::BufRead::consume(self, read_bytes);
        Ok(read_bytes)
    }
}

/// Stored bytes that [`Steps`] reads at a time: about what the first block of a frame takes up.
const STEP_BYTES: usize = 32 << 10;

/// What [`Steps`] needs, to be used again and again.
pub(crate) struct StepDecoder {
    decoder: zstd::stream::raw::Decoder<'static>,
    stored: Vec<u8>,
    /// The part of `stored` not decoded yet.
    waiting: Range<usize>,
    /// Stored and decoded bytes of the frame that have been passed.
    stored_bytes: usize,
    decoded_bytes: usize,
}

impl StepDecoder {
    pub(crate) fn new() -> io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(FRAME_BYTES.ilog2()))?;
        Ok(Self { decoder, stored: vec![0; STEP_BYTES], waiting: 0..0, stored_bytes: 0, decoded_bytes: 0 })
    }
}

/// The decoded stream from a frame's start on, decoded no further than it is read.
pub(crate) struct Steps<'a> {
    pack: &'a Pack,
    decoder: &'a mut StepDecoder,
    frame: usize,
    /// Nothing of the frame has been decoded.
    is_fresh: bool,
    /// Bytes to go.
    left: u64,
}

impl Read for Steps<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let Some(frame) = self.pack.frames.get(self.frame).filter(|_| room > 0) else { return Ok(0) };
            let StepDecoder { decoder, stored, waiting, stored_bytes, decoded_bytes } = &mut *self.decoder;
            if std::mem::take(&mut self.is_fresh) {
                decoder.reinit()?;
                (*waiting, *stored_bytes, *decoded_bytes) = (0..0, 0, 0);
            }
            let room = room.min(frame.decoded_bytes as usize - *decoded_bytes);
            if room == 0 {
                self.frame += 1;
                self.is_fresh = true;
                continue;
            }
            if (*waiting).is_empty() {
                *waiting = 0..stored.len().min(frame.stored_bytes as usize - *stored_bytes);
                self.pack
                    .read_stored(&mut stored[waiting.clone()], frame.offset + *stored_bytes as u64)
                    .map_err(io::Error::other)?;
                *stored_bytes += waiting.len();
            }
            let mut input = InBuffer::around(&stored[waiting.clone()]);
            let mut output = OutBuffer::around(&mut buffer[..room]);
            let wrong =
                |what: &str| io::Error::other(self.pack.damaged(format!("frame {} is damaged: {what}", self.frame)));
            let hint = decoder.run(&mut input, &mut output).map_err(|error| wrong(&error.to_string()))?;
            let (taken, made) = (input.pos(), output.pos());
            waiting.start += taken;
            *decoded_bytes += made;
            if made > 0 {
                self.left -= made as u64;
                return Ok(made);
            }
            if hint == 0 || taken == 0 {
                return Err(wrong("it ends too early"));
            }
        }
    }
}
