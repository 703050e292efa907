//! All that is to be read, in pieces that threads take one after the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::blobs::{BlobInput, Scratch};
use super::context::Context;
use super::files::{FileRange, Shared, stream_cost};
use super::part::Part;
use super::unpoisoned;
use crate::origin::Origin;
use crate::reader::Codec;

/// A piece of work.
#[derive(Debug, Clone, Copy)]
enum Unit {
    /// A part of a plain file.
    Range(FileRange),
    /// A whole compressed file.
    Stream { file: usize },
    /// A frame of a blob, with all that begins in it.
    Frame { blob: usize, frame: usize },
    /// A file that says why it cannot be read.
    Unusable { file: usize },
}

impl Context<'_> {
    /// Reads all files that the cache does not know; `blobs` are those that some of them lie in. Parts are in order.
    pub(super) fn read_all(&self, blobs: &[BlobInput<'_>]) -> Vec<Part> {
        let units = self.units(blobs);
        let next = AtomicUsize::new(0);
        let parts = Mutex::new(Vec::new());
        let in_flight = AtomicUsize::new(0);
        let most_in_flight = rayon::current_num_threads() * 2;
        let stop_at = Mutex::new((usize::MAX, u64::MAX));
        let shared = Shared { parts: &parts, in_flight: &in_flight, most_in_flight, stop_at: &stop_at };
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|scope| {
                    let mut scratch = Scratch::default();
                    while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // What comes before a malformed line is read all the same: it may hold an earlier one.
                        match *unit {
                            Unit::Range(range) if self.stopped(&shared, range.file, range.start) => {}
                            Unit::Stream { file } | Unit::Unusable { file } if self.stopped(&shared, file, 0) => {}
                            Unit::Range(range) => self.read_range(range, &shared),
                            Unit::Stream { file } => self.read_stream(file, &shared, scope),
                            Unit::Frame { blob, frame } => {
                                self.read_frame((blob, &blobs[blob]), frame, &mut scratch, &shared, scope);
                            }
                            Unit::Unusable { file } => self.tell_unusable(file, &shared),
                        }
                    }
                });
            }
        });
        let mut parts = unpoisoned(parts.into_inner());
        parts.sort_by_key(|part: &Part| (part.file, part.offset));
        parts
    }

    /// All work, the longest first: a compressed file is one piece however large, and takes longest for its size.
    fn units(&self, blobs: &[BlobInput<'_>]) -> Vec<Unit> {
        let mut units = Vec::new();
        for (file, input) in self.files.iter().enumerate().filter(|(file, _)| !self.is_kept[*file]) {
            match (&input.origin, input.codec) {
                (Origin::File, Codec::Plain) => {}
                (Origin::File, Codec::Zstd | Codec::Gzip) => {
                    units.push((stream_cost(input.size_bytes), Unit::Stream { file }));
                    continue;
                }
                // Frames hold whatever is not empty.
                (Origin::Blob(_), _) if input.size_bytes == 0 => {
                    units.push((0, Unit::Stream { file }));
                    continue;
                }
                (Origin::Blob(_), _) => continue,
                (Origin::Unusable(_), _) => {
                    units.push((0, Unit::Unusable { file }));
                    continue;
                }
            }
            let mut start = 0;
            // At least once: a file that has grown since it was listed is read to its end.
            loop {
                let end = start + self.pieces.range_bytes;
                let last = end >= input.size_bytes;
                units.push((
                    self.pieces.range_bytes.min(input.size_bytes - start),
                    Unit::Range(FileRange { file, start, end: if last { u64::MAX } else { end } }),
                ));
                if last {
                    break;
                }
                start = end;
            }
        }
        for (blob, input) in blobs.iter().enumerate() {
            units.extend(input.frames(self.files).map(|(frame, cost)| (cost, Unit::Frame { blob, frame })));
        }
        // Stable, so that equal pieces keep the order of the disk.
        units.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        units.into_iter().map(|(_, unit)| unit).collect()
    }
}
