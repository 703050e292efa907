//! Lines of a raw file by their numbers, without reading what lies before them where that can be helped.
//!
//! A plain file is read from the last mark before a line, and so is one in a blob, whose frames can be decoded one by
//! one. A compressed file is decoded from its start, or from a zstd frame that says what it holds: both give one
//! gigabyte in about a second.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use zstd::zstd_safe;

use crate::cohort::RawFile;
use crate::collect::Mark;
use crate::origin::Origin;
use crate::pack::{FrameHeader, Pack, PackReader};
use crate::reader::{Codec, MAX_LINE_BYTES};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Most bytes of a zstd frame's header.
const MAX_HEADER_BYTES: usize = 18;

/// Reads lines of a raw file: `found` gets each line's position in `lines` and its bytes without the `\n`, or `None` if
/// the file ends before it or it is longer than any that is read. `lines` are numbers from 1, ascending; `marks` are
/// those that `collect` gave.
///
/// # Errors
/// The file or its blob cannot be read, or is damaged before the line.
pub fn read_lines(
    file: &RawFile,
    marks: &[Mark],
    lines: &[u64],
    mut found: impl FnMut(usize, Option<&[u8]>),
) -> io::Result<()> {
    let mut cursor = Cursor { file, pack: None, reader: None, offset: 0, line: 1 };
    let mut text = Vec::new();
    for (at, &line) in lines.iter().enumerate() {
        let mark = marks[..marks.partition_point(|mark| mark.line <= line)].last();
        let is_there = cursor.go_to(mark.copied().unwrap_or(Mark { line: 1, offset: 0 }), line)?;
        let line = if is_there { cursor.read_line(&mut text)? } else { None };
        found(at, line);
    }
    Ok(())
}

/// A place in a file that is being read.
struct Cursor<'a> {
    file: &'a RawFile,
    pack: Option<Arc<Pack>>,
    reader: Option<Box<dyn BufRead>>,
    /// Where it stands in the decoded file.
    offset: u64,
    /// The line that begins there.
    line: u64,
}

impl Cursor<'_> {
    /// Moves to the start of a line, which stands at the mark or behind it. Gives whether the file has such a line.
    fn go_to(&mut self, mark: Mark, line: u64) -> io::Result<bool> {
        let is_before = self.reader.is_none() || self.offset < mark.offset || self.line > line;
        if is_before {
            if !self.seek(mark.offset)? {
                return Ok(false);
            }
            self.line = mark.line;
        }
        while self.line < line {
            let reader = self.reader.as_mut().expect("`seek` opens it");
            let bytes = reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = memchr::memchr(b'\n', bytes);
            self.line += u64::from(end.is_some());
            let n_bytes = end.map_or(bytes.len(), |end| end + 1);
            reader.consume(n_bytes);
            self.offset += n_bytes as u64;
        }
        Ok(true)
    }

    /// Moves to a place in the decoded file. Gives whether the file reaches that far.
    fn seek(&mut self, offset: u64) -> io::Result<bool> {
        // What is decoded from its start is decoded further; of what can be sought nothing is read in between.
        let goes_on = self.file.codec != Codec::Plain && self.offset <= offset;
        if self.reader.is_none() || !goes_on {
            let (reader, at) = self.open_at(offset)?;
            (self.reader, self.offset) = (Some(reader), at);
        }
        let reader = self.reader.as_mut().expect("it has been opened");
        while self.offset < offset {
            let n_bytes = reader.fill_buf()?.len().min(usize::try_from(offset - self.offset).unwrap_or(usize::MAX));
            if n_bytes == 0 {
                return Ok(false);
            }
            reader.consume(n_bytes);
            self.offset += n_bytes as u64;
        }
        Ok(true)
    }

    /// Opens the file at a place, or before it. Gives where.
    fn open_at(&mut self, offset: u64) -> io::Result<(Box<dyn BufRead>, u64)> {
        let in_blob = |pack: &mut Option<Arc<Pack>>, blob: &Path, from: u64, end: u64| -> io::Result<_> {
            let pack = match pack {
                Some(pack) => pack,
                none => none.insert(Arc::new(Pack::open(blob).map_err(io::Error::other)?)),
            };
            Ok(PackReader::new(Arc::clone(pack), from..end))
        };
        match &self.file.origin {
            Origin::Unusable(what) => Err(io::Error::other(what.to_string())),
            Origin::Blob(place) => {
                let end = place.offset + self.file.size_bytes;
                if self.file.codec == Codec::Plain {
                    let from = (place.offset + offset).min(end);
                    return Ok((Box::new(in_blob(&mut self.pack, &place.blob, from, end)?), offset));
                }
                let stored = in_blob(&mut self.pack, &place.blob, place.offset, end)?;
                Ok((decoded(stored, self.file.codec)?, 0))
            }
            Origin::File => {
                let mut file = fs_err::File::open(&self.file.path)?;
                let at = match self.file.codec {
                    Codec::Plain => {
                        file.seek(SeekFrom::Start(offset))?;
                        offset
                    }
                    Codec::Zstd => pass_frames(&mut file, offset)?,
                    Codec::Gzip => 0,
                };
                Ok((decoded(file, self.file.codec)?, at))
            }
        }
    }

    /// The line that begins here, and moves behind it.
    fn read_line<'t>(&mut self, text: &'t mut Vec<u8>) -> io::Result<Option<&'t [u8]>> {
        text.clear();
        let Some(reader) = self.reader.as_mut() else { return Ok(None) };
        let n_bytes = reader.take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', text)?;
        self.offset += n_bytes as u64;
        let line = text.strip_suffix(b"\n");
        self.line += u64::from(line.is_some());
        let line = line.unwrap_or(text);
        Ok((n_bytes > 0 && line.len() <= MAX_LINE_BYTES).then_some(line))
    }
}

fn decoded(stored: impl Read + 'static, codec: Codec) -> io::Result<Box<dyn BufRead>> {
    let mut stored = BufReader::with_capacity(BUFFER_BYTES, stored);
    Ok(match codec {
        Codec::Plain => Box::new(stored),
        // All frames have been passed over: no frame is no error.
        Codec::Zstd if stored.fill_buf()?.is_empty() => Box::new(stored),
        Codec::Zstd => {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::stream::read::Decoder::with_buffer(stored)?))
        }
        Codec::Gzip => Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(stored))),
    })
}

/// Passes over the zstd frames that end at or before a place in the decoded file, by what they say of themselves. The file
/// then stands before a frame; gives where that one begins in the decoded file.
fn pass_frames(file: &mut (impl Read + Seek), offset: u64) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut stored_at, mut decoded_at) = (0, 0);
    while let Some((stored_bytes, decoded_bytes)) = frame_bytes(&mut reader, stored_at)? {
        if decoded_at + decoded_bytes > offset {
            break;
        }
        stored_at += stored_bytes;
        decoded_at += decoded_bytes;
    }
    reader.into_inner().seek(SeekFrom::Start(stored_at))?;
    Ok(decoded_at)
}

/// Stored and decoded bytes of the frame at a place; `None` if none is there that tells, or it does not end.
fn frame_bytes(reader: &mut BufReader<impl Read + Seek>, at: u64) -> io::Result<Option<(u64, u64)>> {
    reader.seek(SeekFrom::Start(at))?;
    let mut header = Vec::new();
    reader.take(MAX_HEADER_BYTES as u64).read_to_end(&mut header)?;
    if let Some((magic, size)) = header.split_at_checked(4)
        && let Some(size) = size.first_chunk::<4>()
        && u32::from_le_bytes(magic.try_into().unwrap_or_default()) & zstd_safe::zstd_sys::ZSTD_MAGIC_SKIPPABLE_MASK
            == zstd_safe::zstd_sys::ZSTD_MAGIC_SKIPPABLE_START
    {
        return Ok(Some((8 + u64::from(u32::from_le_bytes(*size)), 0)));
    }
    let Some(header) = FrameHeader::read(&header) else { return Ok(None) };
    let Some(decoded_bytes) = header.content_bytes else { return Ok(None) };
    let mut stored_bytes = header.header_bytes as u64;
    loop {
        reader.seek(SeekFrom::Start(at + stored_bytes))?;
        let mut block = [0; 3];
        match reader.read_exact(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let block = u32::from_le_bytes([block[0], block[1], block[2], 0]);
        // A run-length block stores one byte, however many it stands for.
        let content_bytes = if block >> 1 & 3 == 1 { 1 } else { block >> 3 };
        stored_bytes += 3 + u64::from(content_bytes);
        if block & 1 == 1 {
            return Ok(Some((stored_bytes + if header.has_checksum { 4 } else { 0 }, decoded_bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    fn packed(codec: Codec, text: &[u8], frame_bytes: usize) -> Vec<u8> {
        match codec {
            Codec::Plain => text.to_vec(),
            Codec::Zstd => {
                let mut stored = b"\x50\x2A\x4D\x18\x02\0\0\0??".to_vec();
                text.chunks(frame_bytes).for_each(|chunk| stored.extend(zstd::bulk::compress(chunk, 1).unwrap()));
                stored
            }
            Codec::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn raw_file(folder: &Path, codec: Codec, bytes: &[u8]) -> RawFile {
        let path = folder.join(format!("{codec:?}"));
        fs_err::write(&path, bytes).unwrap();
        RawFile {
            path,
            logical: String::new(),
            run: String::new(),
            codec,
            size_bytes: bytes.len() as u64,
            modified_nanos: 0,
            origin: Origin::File,
        }
    }

    /// What is found of some lines, by the marks of every `step`th line.
    fn read(file: &RawFile, text: &[u8], step: usize, lines: &[u64]) -> Vec<Option<Vec<u8>>> {
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text).map(|end| end as u64 + 1));
        let marks: Vec<Mark> = (1..).zip(starts).step_by(step).map(|(line, offset)| Mark { line, offset }).collect();
        let mut found = vec![None; lines.len()];
        read_lines(file, &marks, lines, |at, line| found[at] = line.map(<[u8]>::to_vec)).unwrap();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

        #[test]
        fn lines_are_those_of_the_text(
            lengths in prop::collection::vec(0_usize..3000, 1..60),
            wanted in prop::collection::btree_set(1_u64..70, 0..20),
            step in 1_usize..10,
            frame_bytes in 1000_usize..40_000,
            ends in any::<bool>(),
        ) {
            let lines: Vec<Vec<u8>> = (0_u8..).zip(&lengths).map(|(byte, length)| vec![b'0' + byte; *length]).collect();
            let mut text = lines.join(&b'\n');
            if ends {
                text.push(b'\n');
            }
            let wanted: Vec<u64> = wanted.into_iter().collect();
            let line = |number: &u64| lines.get(*number as usize - 1).cloned();
            let mut expected: Vec<Option<Vec<u8>>> = wanted.iter().map(line).collect();
            // An empty last line without an end is none.
            if !ends && lengths.last() == Some(&0) && let Ok(at) = wanted.binary_search(&(lines.len() as u64)) {
                expected[at] = None;
            }
            let folder = tempfile::tempdir().unwrap();
            for codec in [Codec::Plain, Codec::Zstd, Codec::Gzip] {
                let file = raw_file(folder.path(), codec, &packed(codec, &text, frame_bytes));
                prop_assert_eq!(&read(&file, &text, step, &wanted), &expected, "{:?}", codec);
            }
        }
    }

    /// Frames before the line are not decoded: what is in them may be anything.
    #[test]
    fn frames_are_passed_over() {
        let text = (0..1000).map(|number| format!("line {number}\n")).collect::<String>();
        let mut bytes = packed(Codec::Zstd, text.as_bytes(), 4000);
        let passed = pass_frames(&mut io::Cursor::new(&bytes), 8500).unwrap();
        assert_eq!(passed, 8000);
        bytes[40] ^= 1;
        let folder = tempfile::tempdir().unwrap();
        let file = raw_file(folder.path(), Codec::Zstd, &bytes);
        assert_eq!(read(&file, text.as_bytes(), 100, &[1000]), [Some(b"line 999".to_vec())]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = raw_file(folder.path(), Codec::Zstd, b"no zstd");
        let read = |file: &RawFile| read_lines(file, &[], &[1], |_, _| {}).unwrap_err().to_string();
        assert!(!read(&file).is_empty());
        file.origin = Origin::Unusable("it is damaged".into());
        assert_eq!(read(&file), "it is damaged");
        file.origin = Origin::File;
        file.path = "nowhere/a".into();
        assert!(read(&file).contains("nowhere/a"));
    }
}
