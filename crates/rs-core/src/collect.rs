//! From raw files to points: reads every file once, on all threads of the current rayon pool, large files in parts.
//!
//! Files are cut into ranges (plain) or read as streams (compressed) whose blocks other threads may parse. What a range
//! or block gives is kept apart and put together in (path, line) order, so that the result depends on nothing else.
//! Files in blobs are read frame by frame (`blobs`). `parser` makes a part of a range or block, `gather` points of parts.

mod blobs;
mod cache;
mod context;
mod entry;
mod files;
mod gather;
mod kept;
mod parser;
mod part;
mod read;
mod spectra;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

pub use cache::{Cache, UseOfEntries};
use hashbrown::DefaultHashBuilder;
pub use kept::find_kept;
use serde::{Deserialize, Serialize};

use crate::cohort::RawFile;
use crate::diagnostic::Diagnostic;
use crate::eval_id::Identity;
use crate::forensics::Examiner;
pub use crate::monitor::Monitor;
use crate::origin::Origin;
use crate::point::Point;
use crate::reader::Codec;
use context::{Context, Pieces};
use kept::Kept;
use part::Part;
use spectra::Spectra;

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
    if monitor.is_cancelled() {
        return Err(CollectError::Cancelled);
    }
    if let Some(examiner) = examiner {
        let is_read = |(file, is_kept): &(&Input, &bool)| !**is_kept && !matches!(file.origin, Origin::Unusable(_));
        let read = files.iter().zip(&is_kept).filter(is_read);
        let evaluations: BTreeSet<usize> = read.flat_map(|(file, _)| file.evaluations.iter().copied()).collect();
        let prepared = examiner.prepare(&evaluations, monitor);
        if monitor.is_cancelled() {
            return Err(CollectError::Cancelled);
        }
        prepared.map_err(CollectError::Examiner)?;
    }
    let blobs = blobs::inputs(files, &is_kept);
    let context =
        Context { pieces, wanted, files, is_kept, keep, on_malformed, examiner, spectra: &spectra, monitor, hasher };
    let mut parts = context.read_all(&blobs);
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

/// What a lock holds; a thread that panicked over it has ended the work anyway.
fn unpoisoned<T>(result: Result<T, std::sync::PoisonError<T>>) -> T {
    result.unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
