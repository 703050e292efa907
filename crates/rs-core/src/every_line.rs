//! Every line of many raw files with its place, on all threads of the current rayon pool, large plain files in parts.

use std::io;
use std::path::PathBuf;

use rayon::prelude::*;

pub use crate::block_lines::Line;
use crate::block_lines::for_each_line;
use crate::monitor::Monitor;
use crate::reader::{Block, BlockReader, Codec};

/// Plain files are read in ranges of this many bytes, so that several threads work on a large one.
const RANGE_BYTES: u64 = 16 << 20;
/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// A file to read.
#[derive(Debug, Clone)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// How it is stored.
    pub codec: Codec,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
}

/// Where a line is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Where it begins in the decoded file, in bytes.
    pub offset: u64,
    /// How many lines of the part come before it.
    pub before: u64,
}

/// A part of a file, and what a visitor has made of it.
#[derive(Debug)]
pub struct Part<V> {
    /// What was made of it.
    pub visitor: V,
    /// Number of its first line in the file, from 1.
    pub first_line: u64,
}

/// A file that has been read.
#[derive(Debug)]
pub struct Visited<V> {
    /// Its parts, in order.
    pub parts: Vec<Part<V>>,
    /// Why not all of its lines are in them, if something is wrong.
    pub incomplete: Option<io::Error>,
}

/// What is made of a part of a file.
pub trait Visitor: Send {
    /// A line comes; they come in order. Blank ones do, too.
    fn line(&mut self, line: &Line<'_>, place: Place);
}

/// Reads files and gives every line to the visitor of its part, which `visitor` makes for the file at a position. Stored
/// bytes are added to the monitor's. When the work is cancelled, the result is of no use.
pub fn visit<V: Visitor>(files: &[Input], visitor: impl Fn(usize) -> V + Sync, monitor: &Monitor) -> Vec<Visited<V>> {
    let ranges: Vec<(usize, u64, u64)> = files.iter().enumerate().flat_map(|(at, file)| ranges(at, file)).collect();
    let read: Vec<(usize, V, u64, io::Result<()>)> = ranges
        .into_par_iter()
        .map(|(file, start, end)| {
            let mut visitor = visitor(file);
            let mut n_lines = 0;
            let result = visit_range(&files[file], start, end, &mut visitor, &mut n_lines, monitor);
            (file, visitor, n_lines, result)
        })
        .collect();
    let mut visited: Vec<Visited<V>> = files.iter().map(|_| Visited { parts: Vec::new(), incomplete: None }).collect();
    let mut next = (0, 1);
    for (file, visitor, n_lines, result) in read {
        let first_line = if next.0 == file { next.1 } else { 1 };
        next = (file, first_line + n_lines);
        visited[file].parts.push(Part { visitor, first_line });
        if let Err(error) = result {
            visited[file].incomplete.get_or_insert(error);
        }
    }
    visited
}

/// Which parts of a file are read apart: position, start, end.
fn ranges(at: usize, file: &Input) -> impl Iterator<Item = (usize, u64, u64)> {
    let n_ranges = match file.codec {
        Codec::Plain => file.size_bytes.div_ceil(RANGE_BYTES).max(1),
        Codec::Zstd | Codec::Gzip => 1,
    };
    (0..n_ranges).map(move |range| {
        let end = if range + 1 == n_ranges { u64::MAX } else { (range + 1) * RANGE_BYTES };
        (at, range * RANGE_BYTES, end)
    })
}

/// Gives the lines that begin in a range.
fn visit_range(
    file: &Input,
    start: u64,
    end: u64,
    visitor: &mut impl Visitor,
    n_lines: &mut u64,
    monitor: &Monitor,
) -> io::Result<()> {
    let progress = &monitor.done_bytes;
    let mut reader = match file.codec {
        Codec::Plain => BlockReader::open_at(&file.path, start..end, BLOCK_BYTES, progress)?,
        codec => BlockReader::open(&file.path, codec, BLOCK_BYTES, progress)?,
    };
    while !monitor.is_cancelled() {
        let offset = reader.offset();
        if offset >= end {
            break;
        }
        let block = match reader.next_block()? {
            None => break,
            Some(Block::OversizedLine) => {
                return Err(io::Error::other("a line is too long to be read"));
            }
            Some(Block::Lines(block) | Block::LastLine(block)) => block,
        };
        for_each_line(block, |line| {
            let offset = offset + line.start as u64;
            if offset < end {
                visitor.line(line, Place { offset, before: *n_lines });
                *n_lines += 1;
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Keep(Vec<(u64, usize, Vec<u8>, u64)>);

    impl Visitor for Keep {
        fn line(&mut self, line: &Line<'_>, place: Place) {
            self.0.push((place.offset, line.n_bytes, line.text.to_vec(), place.before));
        }
    }

    #[test]
    fn every_line_once_with_its_place_and_number() {
        let folder = tempfile::tempdir().unwrap();
        // More than two ranges, with lines of all lengths, and a mark at the start.
        let mut bytes = b"\xEF\xBB\xBF".to_vec();
        let mut places = Vec::new();
        for length in (0..90_000_u32).map(|line| (line * 7919 % 1000) as usize) {
            places.push((bytes.len() as u64, length));
            bytes.extend(std::iter::repeat_n(b'x', length));
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(b"\nlast");
        places.extend([(bytes.len() as u64 - 5, 0), (bytes.len() as u64 - 4, 4)]);
        assert!(bytes.len() as u64 > 2 * RANGE_BYTES);
        let plain = folder.path().join("a.ndjson");
        let packed = folder.path().join("b.ndjson.zst");
        fs_err::write(&plain, &bytes).unwrap();
        fs_err::write(&packed, zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
        let inputs = [(plain, Codec::Plain), (packed, Codec::Zstd)].map(|(path, codec)| {
            let size_bytes = fs_err::metadata(&path).unwrap().len();
            Input { path, codec, size_bytes }
        });
        for file in visit(&inputs, |_| Keep::default(), &Monitor::default()) {
            assert!(file.incomplete.is_none());
            let mut n_lines = 0;
            for part in &file.parts {
                assert_eq!(part.first_line, n_lines + 1);
                for (at, (offset, n_bytes, text, before)) in part.visitor.0.iter().enumerate() {
                    let (start, length) = places[usize::try_from(n_lines).unwrap()];
                    let has_end = start as usize + length < bytes.len();
                    assert_eq!((*offset, *n_bytes), (start, length + usize::from(has_end)));
                    assert_eq!((text.len(), *before), (length, at as u64));
                    n_lines += 1;
                }
            }
            assert_eq!(n_lines as usize, places.len());
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson.zst");
        let packed = zstd::encode_all(&b"one\ntwo\n".repeat(1_000_000)[..], 3).unwrap();
        fs_err::write(&path, &packed[..packed.len() - 9]).unwrap();
        let missing = folder.path().join("none.ndjson");
        let inputs = [
            Input { path, codec: Codec::Zstd, size_bytes: 1 },
            Input { path: missing, codec: Codec::Plain, size_bytes: 1 },
        ];
        let visited = visit(&inputs, |_| Keep::default(), &Monitor::default());
        assert!(visited[0].incomplete.is_some() && visited[0].parts[0].visitor.0.len() > 100_000);
        assert!(visited[1].incomplete.as_ref().unwrap().to_string().contains("none.ndjson"));
    }
}
