//! Raw files in blobs: each frame is decoded once, by one thread, however many files lie in it.
//!
//! Of a plain file a frame gives the lines that begin in it behind its first byte, or behind the start of the file; who has
//! the last of them reads on in small steps to its end. A compressed file is a stream of the frame that it begins in.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use super::context::Context;
use super::files::{Shared, stream_cost};
use super::{Input, unpoisoned};
use crate::origin::Origin;
use crate::pack::{FRAME_BYTES, FrameDecoder, Pack, PackError, StepDecoder};
use crate::reader::{BYTE_ORDER_MARK, BlockReader, Codec, MAX_LINE_BYTES};

/// Bytes read at a time of a line that goes on in the next frame: most lines end in the first.
const FIRST_STEP_BYTES: usize = 16 << 10;
/// The same of very long lines.
const STEP_BYTES: usize = 1 << 20;

/// How much longer decoding a byte takes than parsing one, about.
const DECODING_COST: u64 = 2;

/// A blob and the raw files in it.
pub(super) struct BlobInput<'a> {
    path: &'a Path,
    /// Where their content begins, and their positions in [`Context::files`]; ascending.
    files: Vec<(u64, usize)>,
    /// Open as long as a thread works on it: there may be more blobs than a process may have files.
    opened: Mutex<Weak<Pack>>,
}

/// The blobs that files lie in, less those files that need not be read.
pub(super) fn inputs<'a>(files: &'a [Input], is_kept: &[bool]) -> Vec<BlobInput<'a>> {
    let mut blobs: BTreeMap<&Path, Vec<(u64, usize)>> = BTreeMap::new();
    for (file, input) in files.iter().enumerate().filter(|(file, _)| !is_kept[*file]) {
        if let Origin::Blob(place) = &input.origin {
            blobs.entry(&place.blob).or_default().push((place.offset, file));
        }
    }
    let input = |(path, mut files): (_, Vec<_>)| {
        files.sort_unstable();
        BlobInput { path, files, opened: Mutex::default() }
    };
    blobs.into_iter().map(input).collect()
}

impl BlobInput<'_> {
    /// The frames that must be read, and what each costs.
    pub(super) fn frames(&self, files: &[Input]) -> impl Iterator<Item = (usize, u64)> {
        let mut frames: BTreeMap<u64, u64> = BTreeMap::new();
        for &(offset, file) in self.files.iter().filter(|(_, file)| files[*file].size_bytes > 0) {
            let Input { codec, size_bytes, .. } = files[file];
            let first = offset / FRAME_BYTES;
            if codec != Codec::Plain {
                *frames.entry(first).or_default() += stream_cost(size_bytes);
                continue;
            }
            let end = offset + size_bytes;
            for frame in first..end.div_ceil(FRAME_BYTES) {
                let (start, end) = (offset.max(frame * FRAME_BYTES), end.min((frame + 1) * FRAME_BYTES));
                *frames.entry(frame).or_default() += (end - start) * DECODING_COST;
            }
        }
        frames.into_iter().map(|(frame, cost)| (frame as usize, cost))
    }

    /// The files with content in a frame that it is the frame's to read, and where in them the frame begins.
    fn files_in(&self, frame: usize, files: &[Input]) -> Vec<(usize, u64)> {
        let start = frame as u64 * FRAME_BYTES;
        let before_end = self.files.partition_point(|(offset, _)| *offset < start + FRAME_BYTES);
        let reaches = |(offset, file): &(u64, usize)| {
            let Input { codec, size_bytes, .. } = files[*file];
            size_bytes > 0 && (*offset >= start || codec == Codec::Plain && offset + size_bytes > start)
        };
        let files = self.files[..before_end].iter().filter(|file| reaches(file));
        files.map(|(offset, file)| (*file, start.saturating_sub(*offset))).collect()
    }

    /// The files whose content begins here.
    fn files_at(&self, offset: u64) -> impl Iterator<Item = usize> {
        let first = self.files.partition_point(|(known, _)| *known < offset);
        self.files[first..].iter().take_while(move |(known, _)| *known == offset).map(|(_, file)| *file)
    }

    fn open(&self, files: &[Input]) -> Result<Arc<Pack>, PackError> {
        if let Some(pack) = unpoisoned(self.opened.lock()).upgrade() {
            return Ok(pack);
        }
        let pack = Arc::new(Pack::open(self.path)?);
        // Somebody may have put another in its place since its files were listed.
        let is_there = |offset: u64, file: usize| {
            let members = pack.members();
            // Without content several begin at one place.
            let at = members.partition_point(|member| member.offset < offset);
            let mut here = members[at..].iter().take_while(|member| member.offset == offset);
            here.any(|member| member.size_bytes == files[file].size_bytes)
        };
        if let Some((_, file)) = self.files.iter().find(|(offset, file)| !is_there(*offset, *file)) {
            let what = format!("`{}` is no longer in it", files[*file].path.display());
            return Err(PackError::Damaged { path: self.path.to_owned(), what });
        }
        *unpoisoned(self.opened.lock()) = Arc::downgrade(&pack);
        Ok(pack)
    }
}

/// What a thread needs to read blobs, from one frame to the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// The blob last read, by its position.
    blob: Option<(usize, Arc<Pack>)>,
    frames: Option<FrameDecoder>,
    steps: Option<StepDecoder>,
    /// A line that goes on in the next frame.
    line: Vec<u8>,
}

impl Context<'_> {
    /// A blob that cannot be opened.
    pub(super) fn tell_unusable(&self, file: usize, shared: &Shared<'_>) {
        let mut parser = self.parser(file, 0);
        if let Origin::Unusable(what) = &self.files[file].origin {
            parser.unusable(what);
        }
        shared.push(parser.finish(), self.on_malformed);
    }

    /// Reads all that begins in a frame of a blob, given with its position.
    pub(super) fn read_frame<'scope>(
        &'scope self,
        (blob, input): (usize, &BlobInput<'_>),
        frame: usize,
        scratch: &mut Scratch,
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) {
        let wanted = input.files_in(frame, self.files);
        if wanted.iter().all(|(file, offset)| self.stopped(shared, *file, *offset)) {
            return;
        }
        if let Err(error) = self.read_files((blob, input), frame, scratch, shared, scope) {
            let error = io::Error::other(error);
            for (file, offset) in wanted {
                let mut parser = self.parser(file, offset);
                parser.unreadable(&error);
                shared.push(parser.finish(), self.on_malformed);
            }
        }
    }

    /// Nothing has been read when this fails.
    fn read_files<'scope>(
        &'scope self,
        (blob, input): (usize, &BlobInput<'_>),
        frame: usize,
        scratch: &mut Scratch,
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) -> Result<(), PackError> {
        let pack = match &scratch.blob {
            Some((known, pack)) if *known == blob => Arc::clone(pack),
            _ => {
                scratch.blob = None;
                let pack = input.open(self.files)?;
                scratch.blob.insert((blob, pack)).1.clone()
            }
        };
        let Scratch { frames, steps, line, .. } = scratch;
        let frames = match frames {
            Some(frames) => frames,
            none => none.insert(FrameDecoder::new()?),
        };
        let steps = match steps {
            Some(steps) => steps,
            none => none.insert(StepDecoder::new()?),
        };
        for part in pack.decode(frame, frames)? {
            let member = &pack.members()[part.member];
            let next_frame = (frame as u64 + 1) * FRAME_BYTES;
            let rest = next_frame..member.range().end.max(next_frame);
            for file in input.files_at(member.offset) {
                let codec = self.files[file].codec;
                if codec == Codec::Plain {
                    let rest = pack.steps(rest.clone(), steps);
                    self.read_piece(file, part.from, part.bytes, rest, line, shared);
                } else if part.from == 0 {
                    let whole = part.bytes.chain(pack.reader(rest.clone()));
                    let block_bytes = self.pieces.stream_block_bytes;
                    let reader = BlockReader::over(whole, codec, block_bytes, &self.monitor.done_bytes);
                    self.read_blocks(file, reader, shared, scope);
                }
            }
        }
        Ok(())
    }

    /// Parses the lines of a plain file that begin in a piece of it: at its start if it is the file's, behind its first line
    /// end otherwise, up to and with the one that begins right behind the piece. `from` is where in the file the piece
    /// begins, `rest` what follows it there, and `line` room for what is in both.
    pub(super) fn read_piece(
        &self,
        file: usize,
        from: u64,
        bytes: &[u8],
        rest: impl Read,
        line: &mut Vec<u8>,
        shared: &Shared<'_>,
    ) {
        self.monitor.add(bytes.len() as u64);
        let first = match from {
            0 if bytes.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            0 => 0,
            _ => match memchr::memchr(b'\n', bytes) {
                Some(end) => end + 1,
                None => return,
            },
        };
        let is_last = from + bytes.len() as u64 >= self.files[file].size_bytes;
        let mut parser = self.parser(file, from);
        let whole_lines = memchr::memrchr(b'\n', &bytes[first..]).map_or(first, |end| first + end + 1);
        let mut at = first;
        while at < whole_lines && !self.stopped(shared, file, from + at as u64) {
            let end = block_end(bytes, at, whole_lines, self.pieces.plain_block_bytes);
            parser.lines(&bytes[at..end], from + at as u64);
            at = end;
            self.cut_if_full(&mut parser, file, from + at as u64, shared);
        }
        if at == whole_lines && !self.stopped(shared, file, from + at as u64) {
            let begun = &bytes[whole_lines..];
            let offset = from + at as u64;
            match (is_last, begun) {
                (true, []) => {}
                (true, begun) => parser.last_line(begun, offset),
                (false, begun) => {
                    line.clear();
                    line.extend_from_slice(begun);
                    match read_on(rest, line) {
                        Ok(Ended::Line) => parser.lines(line, offset),
                        Ok(Ended::File) if line.is_empty() => {}
                        Ok(Ended::File) => parser.last_line(line, offset),
                        Ok(Ended::TooLong) => parser.oversized(offset),
                        Err(error) => parser.unreadable(&error),
                    }
                    line.shrink_to(STEP_BYTES);
                }
            }
        }
        shared.push(parser.finish(), self.on_malformed);
    }
}

/// Where a block of whole lines that begins at `at` ends: after about `block_bytes`, and not behind `whole_lines`.
fn block_end(bytes: &[u8], at: usize, whole_lines: usize, block_bytes: usize) -> usize {
    if whole_lines - at <= block_bytes {
        return whole_lines;
    }
    let full = at + block_bytes;
    let last = memchr::memrchr(b'\n', &bytes[at..full]).map(|end| at + end + 1);
    last.or_else(|| memchr::memchr(b'\n', &bytes[full..whole_lines]).map(|end| full + end + 1)).unwrap_or(whole_lines)
}

/// What ended a line.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// A line end.
    Line,
    /// The file's.
    File,
    /// Nothing, within [`MAX_LINE_BYTES`].
    TooLong,
}

/// Reads a line on to its end, and no further than about a step.
fn read_on(mut rest: impl Read, line: &mut Vec<u8>) -> io::Result<Ended> {
    let mut step_bytes = FIRST_STEP_BYTES;
    loop {
        let known = line.len();
        if known >= MAX_LINE_BYTES {
            return Ok(Ended::TooLong);
        }
        line.resize(known + step_bytes.min(MAX_LINE_BYTES - known), 0);
        let read_bytes = rest.read(&mut line[known..])?;
        line.truncate(known + read_bytes);
        if read_bytes == 0 {
            return Ok(Ended::File);
        }
        if let Some(end) = memchr::memchr(b'\n', &line[known..]) {
            line.truncate(known + end + 1);
            return Ok(Ended::Line);
        }
        step_bytes = STEP_BYTES;
    }
}
