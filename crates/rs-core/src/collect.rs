//! From raw files to points: reads every file once, on all threads of the current rayon pool, large files in parts.
//!
//! Files are cut into ranges (plain) or read as streams (compressed) whose blocks other threads may parse. What a range
//! or block gives is kept apart and put together in (path, line) order, so that the result depends on nothing else.
//! Files in blobs are read frame by frame (`blobs`). `parser` makes a part of a range or block, `gather` points of parts.

mod blobs;
mod cache;
mod entry;
mod gather;
mod parser;
mod spectra;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use cache::{Cache, UseOfEntries};
use hashbrown::DefaultHashBuilder;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cohort::RawFile;
use crate::diagnostic::{Diagnostic, Problem};
use crate::eval_id::Identity;
use crate::forensics::Examiner;
pub use crate::monitor::Monitor;
use crate::origin::Origin;
use crate::point::{Attributes, Point};
use crate::reader::{Block, BlockReader, Codec};
use crate::sample::Sample;
use blobs::{BlobInput, Scratch};
use cache::{Known, Wishes};
use parser::Parser;
use spectra::Spectra;

/// Plain files are read in ranges of this many bytes, so that several threads work on a large one.
const RANGE_BYTES: u64 = 16 << 20;
/// Bytes of a plain file parsed at a time: small enough to stay in a core's cache between its passes.
const PLAIN_BLOCK_BYTES: usize = 256 << 10;
/// Bytes decoded from a compressed file before they are handed to another thread.
const STREAM_BLOCK_BYTES: usize = 1 << 20;

/// Sizes of the pieces that files are read in; the result does not depend on them.
#[derive(Debug, Clone, Copy)]
struct Pieces {
    range_bytes: u64,
    plain_block_bytes: usize,
    stream_block_bytes: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { range_bytes: RANGE_BYTES, plain_block_bytes: PLAIN_BLOCK_BYTES, stream_block_bytes: STREAM_BLOCK_BYTES }
    }
}

/// A mark stands at the first line that begins in each piece of this many bytes of a decoded file: whoever looks for a
/// line passes over less than this. A quarter of a MiB is read and searched in 0.1 ms, and 5 GB have 20,000 marks.
pub const MARK_BYTES: u64 = 256 << 10;

/// Most diagnostics that are kept; the rest are counted.
pub const MAX_DIAGNOSTICS: usize = 100_000;

/// An evaluation to collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose records.
    pub identity: Identity,
    /// Context in tokens, if the evaluation has one.
    pub context_tokens: Option<u32>,
}

/// A raw file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Where it is, or would be if it were in no blob, as the user would type it.
    pub path: PathBuf,
    /// How it is stored.
    pub codec: Codec,
    /// Its size in bytes, as a file.
    pub size_bytes: u64,
    /// Where its bytes are.
    pub origin: Origin,
    /// Positions of the evaluations whose glob matches it, ascending.
    pub evaluations: Vec<usize>,
}

impl Input {
    /// A raw file that is read for the evaluations at these positions.
    #[must_use]
    pub fn new(file: &RawFile, evaluations: Vec<usize>) -> Self {
        let RawFile { path, codec, size_bytes, origin, .. } = file;
        Self { path: path.clone(), codec: *codec, size_bytes: *size_bytes, origin: origin.clone(), evaluations }
    }
}

/// How much of each record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Points with their samples.
    Points,
    /// Only how many records there are, and their dates.
    Counts,
}

/// What happens at a malformed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMalformed {
    /// It is reported and counted, the rest goes on.
    Continue,
    /// The work stops.
    Stop,
}

/// How files are read.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// How much of each record is kept.
    pub keep: Keep,
    /// What happens at a malformed line.
    pub on_malformed: OnMalformed,
    /// Who looks at the texts of records; by nobody they are skipped.
    pub examiner: Option<&'a dyn Examiner>,
    /// Results of earlier runs. Used where there is an examiner: without one, reading is as fast.
    pub cache: Option<&'a Cache>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// [`Monitor::cancel`] was set.
    #[error("stopped before the end")]
    Cancelled,
    /// A malformed line, under [`OnMalformed::Stop`].
    #[error("{0}")]
    Malformed(Diagnostic),
    /// Who is to look at the texts of records cannot.
    #[error("{0}")]
    Examiner(Box<dyn Error + Send + Sync>),
    /// What was found of prompts could not be kept in [`Examiner::scratch_folder`], or not read again.
    #[error("spectra cannot be kept in {folder}: {error}")]
    Scratch {
        /// The folder, as the user would type it.
        folder: String,
        /// What is wrong with it.
        error: io::Error,
    },
}

/// Records of one kind in one file or evaluation, and their dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Well-formed records.
    pub n_records: u64,
    /// Earliest timestamp: microseconds since 1970, UTC.
    pub first_timestamp: Option<i64>,
    /// Latest timestamp.
    pub last_timestamp: Option<i64>,
}

impl Tally {
    fn add(&mut self, timestamp: Option<i64>) {
        self.merge(Self { n_records: 1, first_timestamp: timestamp, last_timestamp: timestamp });
    }

    /// Adds what another tally counted.
    pub fn merge(&mut self, other: Self) {
        self.n_records += other.n_records;
        self.first_timestamp = match (self.first_timestamp, other.first_timestamp) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.last_timestamp = self.last_timestamp.max(other.last_timestamp);
    }
}

/// Where a line of a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number, from 1.
    pub line: u64,
    /// Where it begins in the decoded file, in bytes.
    pub offset: u64,
}

/// A file that holds samples of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    /// Its position among the files given.
    pub input: usize,
    /// Its position among those of them that the evaluation's glob matches, which samples name it by.
    pub file: u32,
    /// The first line of each piece of [`MARK_BYTES`] in which one begins, ascending; they end where the file is damaged.
    pub marks: Vec<Mark>,
}

/// What was found of one evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collected {
    /// Its points, sorted by (`base_task`, `params`); empty under [`Keep::Counts`].
    pub points: Vec<Point>,
    /// The files that hold its samples, in order; empty under [`Keep::Counts`].
    pub files: Vec<SampleFile>,
    /// Its records, duplicates and errors included.
    pub tally: Tally,
    /// Records that lost to another of the same sample.
    pub n_duplicates: u64,
    /// Samples whose request failed.
    pub n_errors: u64,
    /// Malformed lines (torn ones and unreadable files included) in the files its glob matches.
    pub n_malformed: u64,
    /// Records of other identities in the files its glob matches.
    pub n_foreign: u64,
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileFindings {
    /// Records by identity.
    pub identities: BTreeMap<Identity, Tally>,
    /// Malformed lines (a torn one and a failure to read included).
    pub n_malformed: u64,
    /// Whether all this comes from the cache.
    pub is_from_cache: bool,
}

/// The result of a collection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collection {
    /// One for each evaluation wanted, in their order.
    pub evaluations: Vec<Collected>,
    /// One for each file, in their order.
    pub files: Vec<FileFindings>,
    /// Problems in (file, line) order, at most [`MAX_DIAGNOSTICS`].
    pub diagnostics: Vec<Diagnostic>,
    /// Problems beyond those.
    pub n_more_diagnostics: u64,
    /// Files that could not be read, or not to their end, because their blob is damaged.
    pub n_in_damaged_blobs: u64,
    /// Bytes that samples took, once all was read and before points were made of them: duplicates and all that cache entries
    /// hold included, samples that evaluations share counted once. 0 under [`Keep::Counts`].
    pub sample_memory_bytes: u64,
    /// Why results could not be kept for the next time.
    pub cache_problem: Option<String>,
}

/// Reads `files`, in (path, line) order as given, and makes the points of the evaluations wanted.
///
/// # Errors
/// The work was cancelled, a line is malformed and that was to stop it, or texts cannot be looked at, or spectra not be kept.
/// Files that cannot be read are diagnostics.
pub fn collect(
    wanted: &[Wanted],
    files: &[Input],
    how: How<'_>,
    monitor: &Monitor,
) -> Result<Collection, CollectError> {
    collect_in(Pieces::default(), wanted, files, how, monitor)
}

fn collect_in(
    pieces: Pieces,
    wanted: &[Wanted],
    files: &[Input],
    how: How<'_>,
    monitor: &Monitor,
) -> Result<Collection, CollectError> {
    let hasher = DefaultHashBuilder::default();
    let How { keep, on_malformed, examiner, cache } = how;
    let scratch_folder = examiner.map_or(Path::new("."), Examiner::scratch_folder);
    let spectra = Spectra::new(scratch_folder);
    let cache = cache.filter(|_| keep == Keep::Points && examiner.is_some());
    let mut kept = Kept::load(wanted, files, how, cache, &spectra, monitor);
    let is_kept: Vec<bool> = kept.files.iter().map(|file| file.parts.is_some()).collect();
    if let Some(examiner) = examiner {
        let read = files.iter().zip(&is_kept).filter(|(_, is_kept)| !**is_kept);
        let evaluations: BTreeSet<usize> = read.flat_map(|(file, _)| file.evaluations.iter().copied()).collect();
        examiner.prepare(&evaluations).map_err(CollectError::Examiner)?;
    }
    let blobs = blobs::inputs(files, &is_kept);
    let context = Context {
        pieces,
        wanted,
        files,
        is_kept,
        blobs,
        keep,
        on_malformed,
        examiner,
        spectra: &spectra,
        monitor,
        hasher,
    };
    let mut parts = context.read_all();
    if monitor.is_cancelled() {
        return Err(CollectError::Cancelled);
    }
    let has_problem = || parts.iter().any(Part::has_problem);
    let has_stopped = spectra.has_failed() || on_malformed == OnMalformed::Stop && has_problem();
    // Then the end of a file may be missing.
    let cache_problem = if has_stopped { None } else { kept.store(files, &parts, &spectra, monitor) };
    parts.extend(kept.files.iter_mut().filter_map(|file| file.parts.take()).flatten());
    parts.sort_by_key(|part: &Part| (part.file, part.offset));
    let mut collection = context.put_together(parts);
    if monitor.is_cancelled() {
        return Err(CollectError::Cancelled);
    }
    collection.cache_problem = cache_problem.map(|problem| problem.to_string());
    for (findings, is_kept) in collection.files.iter_mut().zip(&context.is_kept) {
        findings.is_from_cache = *is_kept;
    }
    let scratch = |error| CollectError::Scratch { folder: crate::paths::show(scratch_folder), error };
    spectra.finish().map_err(scratch)?;
    match collection.diagnostics.first() {
        Some(first) if on_malformed == OnMalformed::Stop => Err(CollectError::Malformed(first.clone())),
        _ => Ok(collection),
    }
}

/// What the cache knows of files.
struct Kept<'a> {
    cache: Option<&'a Cache>,
    files: Vec<KeptFile>,
}

#[derive(Default)]
struct KeptFile {
    wishes: Wishes,
    known: Option<Known>,
    parts: Option<Vec<Part>>,
}

impl<'a> Kept<'a> {
    fn load(
        wanted: &[Wanted],
        files: &[Input],
        how: How<'_>,
        cache: Option<&'a Cache>,
        spectra: &Spectra<'_>,
        monitor: &Monitor,
    ) -> Self {
        let Some(cache) = cache else {
            return Self { cache, files: files.iter().map(|_| KeptFile::default()).collect() };
        };
        let files = files.par_iter().enumerate().map(|(file, input)| {
            let wishes = wishes(wanted, input, how.examiner);
            let known = cache.content(input, monitor);
            let parts = known.as_ref().and_then(|known| cache.load(known, &wishes, file, spectra, monitor));
            KeptFile { wishes, known, parts }
        });
        Self { cache: Some(cache), files: files.collect() }
    }

    /// Keeps what was read. Returns the first problem; the work goes on without a cache.
    fn store(&self, files: &[Input], parts: &[Part], spectra: &Spectra<'_>, monitor: &Monitor) -> Option<io::Error> {
        let cache = self.cache?;
        let mut by_file: BTreeMap<usize, Vec<&Part>> = BTreeMap::new();
        parts.iter().for_each(|part| by_file.entry(part.file).or_default().push(part));
        let by_file: Vec<(usize, Vec<&Part>)> = by_file.into_iter().collect();
        let store = |(file, parts): &(usize, Vec<&Part>)| {
            let kept = &self.files[*file];
            let Some(known) = &kept.known else { return Ok(()) };
            cache.store(&files[*file], known, &kept.wishes, parts, spectra, monitor)
        };
        // All of them: what is wrong with one file need not be wrong with the next.
        by_file.par_iter().map(store).collect::<Vec<_>>().into_iter().find_map(Result::err)
    }
}

/// Whose records are wanted of a file, and what their results depend on.
fn wishes(wanted: &[Wanted], input: &Input, examiner: Option<&dyn Examiner>) -> Wishes {
    let mut wishes = Wishes::new();
    for &evaluation in &input.evaluations {
        let depends_on = examiner.map(|examiner| examiner.fingerprint(evaluation)).unwrap_or_default();
        wishes.entry(wanted[evaluation].identity.clone()).or_insert(depends_on);
    }
    wishes
}

/// Which of these files the cache knows without reading them.
#[must_use]
pub fn find_kept(wanted: &[Wanted], files: &[Input], examiner: &dyn Examiner, cache: &Cache) -> Vec<bool> {
    files.par_iter().map(|input| cache.would_load(input, &wishes(wanted, input, Some(examiner)))).collect()
}

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

/// A part of a plain file.
#[derive(Debug, Clone, Copy)]
struct FileRange {
    file: usize,
    start: u64,
    end: u64,
}

struct Context<'a> {
    pieces: Pieces,
    wanted: &'a [Wanted],
    files: &'a [Input],
    /// Which of them need not be read: the cache knows what they give.
    is_kept: Vec<bool>,
    /// The blobs that some of them lie in.
    blobs: Vec<BlobInput<'a>>,
    keep: Keep,
    on_malformed: OnMalformed,
    examiner: Option<&'a dyn Examiner>,
    spectra: &'a Spectra<'a>,
    monitor: &'a Monitor,
    hasher: DefaultHashBuilder,
}

/// What a range or block gave.
struct Part {
    file: usize,
    /// Order inside the file.
    offset: u64,
    identities: Vec<(Identity, Tally)>,
    points: Vec<PartPoint>,
    /// What samples carry besides their results.
    attributes: Vec<Attributes>,
    /// The number of its first spectrum among all, and how many it has.
    first_spectrum: u64,
    n_spectra: usize,
    n_malformed: u64,
    diagnostics: Vec<PlacedProblem>,
    /// Lines that begin in it.
    n_lines: u64,
    /// The first line of each piece of [`MARK_BYTES`] in which one of them begins; counted from 0 at the part's first.
    marks: Vec<Mark>,
    /// Why the file could not be read, or not to its end.
    unreadable: Option<Unreadable>,
}

impl Part {
    /// Whether something in it is malformed, or could not be read.
    fn has_problem(&self) -> bool {
        self.n_malformed > 0 || self.unreadable.is_some()
    }

    /// Bytes that its samples take.
    fn sample_memory_bytes(&self) -> u64 {
        self.points.iter().map(|point| size_of_val(point.samples.as_slice()) as u64).sum()
    }
}

struct Unreadable {
    what: String,
    is_damaged_blob: bool,
}

/// Samples of one coordinate, in line order; their attributes are positions in [`Part::attributes`], their spectra numbers
/// among those of the part.
#[derive(Clone, Serialize, Deserialize)]
struct PartPoint {
    identity: usize,
    base_task: String,
    params: String,
    samples: Vec<Sample>,
}

#[derive(Clone, Serialize, Deserialize)]
struct PlacedProblem {
    /// Counted from 0 at the part's first.
    line: u64,
    column: Option<usize>,
    problem: Problem,
    what: String,
}

impl<'a> Context<'a> {
    fn read_all(&self) -> Vec<Part> {
        let units = self.units();
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
                            Unit::Frame { blob, frame } => self.read_frame(blob, frame, &mut scratch, &shared, scope),
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
    fn units(&self) -> Vec<Unit> {
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
        for (blob, input) in self.blobs.iter().enumerate() {
            units.extend(input.frames(self.files).map(|(frame, cost)| (cost, Unit::Frame { blob, frame })));
        }
        // Stable, so that equal pieces keep the order of the disk.
        units.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        units.into_iter().map(|(_, unit)| unit).collect()
    }

    /// Whether what stands at this place need not be read any more.
    fn stopped(&self, shared: &Shared<'_>, file: usize, offset: u64) -> bool {
        self.monitor.is_cancelled()
            || self.spectra.has_failed()
            || self.on_malformed == OnMalformed::Stop && (file, offset) > *unpoisoned(shared.stop_at.lock())
    }

    fn read_range(&self, unit: FileRange, shared: &Shared<'_>) {
        let mut parser = self.parser(unit.file, unit.start);
        let path = &self.files[unit.file].path;
        let result =
            BlockReader::open_at(path, unit.start..unit.end, self.pieces.plain_block_bytes, &self.monitor.done_bytes);
        if let Err(error) = result.and_then(|reader| self.parse_range(reader, unit, &mut parser, shared)) {
            parser.unreadable(&error);
        }
        shared.push(parser.finish(), self.on_malformed);
    }

    fn parse_range<'c>(
        &'c self,
        mut reader: BlockReader<'_>,
        unit: FileRange,
        parser: &mut Parser<'c>,
        shared: &Shared<'_>,
    ) -> io::Result<()> {
        loop {
            let offset = reader.offset();
            if offset >= unit.end || self.stopped(shared, unit.file, offset) {
                break;
            }
            match reader.next_block()? {
                None => break,
                Some(Block::OversizedLine) => parser.oversized(offset),
                Some(Block::Lines(lines)) => {
                    // Lines that begin at or after the end belong to the next range.
                    let limit = usize::try_from(unit.end - offset).unwrap_or(usize::MAX);
                    let lines = match lines.len().checked_sub(limit) {
                        None | Some(0) => lines,
                        Some(_) => {
                            let end = memchr::memchr(b'\n', &lines[limit - 1..]).map_or(lines.len(), |at| limit + at);
                            &lines[..end]
                        }
                    };
                    parser.lines(lines, offset);
                    self.cut_if_full(parser, unit.file, reader.offset(), shared);
                }
                Some(Block::LastLine(line)) => parser.last_line(line, offset),
            }
        }
        Ok(())
    }

    /// Begins a new part at an offset if the one in the making has grown large.
    fn cut_if_full<'c>(&'c self, parser: &mut Parser<'c>, file: usize, offset: u64, shared: &Shared<'_>) {
        if parser.is_full() {
            shared.push(std::mem::replace(parser, self.parser(file, offset)).finish(), self.on_malformed);
        }
    }

    fn read_stream<'scope>(&'scope self, file: usize, shared: &Shared<'scope>, scope: &rayon::Scope<'scope>) {
        let Input { path, codec, origin, .. } = &self.files[file];
        let (block_bytes, progress) = (self.pieces.stream_block_bytes, &self.monitor.done_bytes);
        let reader = match origin {
            Origin::File => BlockReader::open(path, *codec, block_bytes, progress),
            // Without content: the others begin in a frame.
            _ => BlockReader::over(io::empty(), *codec, block_bytes, progress),
        };
        self.read_blocks(file, reader, shared, scope);
    }

    /// Reads a stream to its end.
    fn read_blocks<'scope>(
        &'scope self,
        file: usize,
        reader: io::Result<BlockReader<'_>>,
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) {
        let result = reader.and_then(|mut reader| {
            loop {
                let offset = reader.offset();
                if self.stopped(shared, file, offset) {
                    break;
                }
                let Some(block) = reader.next_block()? else { break };
                match block {
                    Block::Lines(lines) => self.parse_elsewhere(file, offset, lines, shared, scope),
                    last => {
                        let mut parser = self.parser(file, offset);
                        match last {
                            Block::LastLine(text) => parser.last_line(text, offset),
                            _ => parser.oversized(offset),
                        }
                        shared.push(parser.finish(), self.on_malformed);
                    }
                }
            }
            Ok(())
        });
        if let Err(error) = result {
            let mut parser = self.parser(file, u64::MAX);
            parser.unreadable(&error);
            shared.push(parser.finish(), self.on_malformed);
        }
    }

    /// Parses whole lines on whichever thread is free; here, if enough blocks are under way already.
    fn parse_elsewhere<'scope>(
        &'scope self,
        file: usize,
        offset: u64,
        lines: &[u8],
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) {
        let block_bytes = self.pieces.stream_block_bytes;
        // Little is not worth the way, and a line of many megabytes not a copy.
        let is_parsed_here = lines.len() < block_bytes / 2 || lines.len() > block_bytes * 2;
        if is_parsed_here || shared.in_flight.fetch_add(1, Ordering::Relaxed) >= shared.most_in_flight {
            if !is_parsed_here {
                shared.in_flight.fetch_sub(1, Ordering::Relaxed);
            }
            let mut parser = self.parser(file, offset);
            parser.lines(lines, offset);
            shared.push(parser.finish(), self.on_malformed);
            return;
        }
        let lines = lines.to_vec();
        let shared = *shared;
        scope.spawn(move |_| {
            let mut parser = self.parser(file, offset);
            parser.lines(&lines, offset);
            shared.push(parser.finish(), self.on_malformed);
            shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Whether any evaluation of the file wants records of `identity`.
    fn claimants(&self, file: usize, identity: &Identity) -> Vec<usize> {
        let evaluations = self.files[file].evaluations.iter().copied();
        evaluations.filter(|evaluation| self.wanted[*evaluation].identity == *identity).collect()
    }
}

/// What it costs to read a compressed file of this size: one piece however large, that takes longest for its size.
fn stream_cost(size_bytes: u64) -> u64 {
    size_bytes.saturating_mul(10)
}

/// What the threads share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    parts: &'a Mutex<Vec<Part>>,
    /// Blocks copied for other threads and not parsed yet.
    in_flight: &'a AtomicUsize,
    most_in_flight: usize,
    /// The first part, by file and offset, with a malformed line that is to stop the work.
    stop_at: &'a Mutex<(usize, u64)>,
}

impl Shared<'_> {
    fn push(&self, part: Part, on_malformed: OnMalformed) {
        if on_malformed == OnMalformed::Stop && part.has_problem() {
            let mut stop_at = unpoisoned(self.stop_at.lock());
            *stop_at = (part.file, part.offset).min(*stop_at);
        }
        unpoisoned(self.parts.lock()).push(part);
    }
}

/// What a lock holds; a thread that panicked over it has ended the work anyway.
fn unpoisoned<T>(result: Result<T, std::sync::PoisonError<T>>) -> T {
    result.unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
