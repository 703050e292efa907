//! Replaces raw files, small ones many at a time, each large one on all threads.

use rayon::prelude::*;
use rs_cli::CommandError;
use rs_core::monitor::Monitor;
use rs_core::paths;
use rs_core::rewrite::{self, Original, RewriteError, Target, Threads};

use super::report::Problem;

/// Stored bytes from which a file is worked on by all threads.
const LARGE_BYTES: u64 = 16 << 20;
/// How many small files are put in place at a time: one wait for the disk for all of them.
const BATCH: usize = 64;

/// Whether files are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are.
    Replace,
    /// It is only told what would be.
    Show,
}

/// A file and what is to become of it.
pub(crate) struct Work {
    /// Position in the cohort's files.
    pub(crate) at: usize,
    pub(crate) original: Original,
    pub(crate) target: Target,
}

/// What became of files.
#[derive(Default)]
pub(crate) struct Replaced {
    /// Positions in the cohort's files of those that were replaced.
    pub(crate) files: Vec<usize>,
    /// Their stored bytes before and after.
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
    /// Those that stay as they were, and why.
    pub(crate) problems: Vec<Problem>,
}

/// The user stopped the work.
pub(crate) fn stopped() -> CommandError {
    CommandError::environment("stopped before the end; every file is as it was, or replaced as a whole")
        .hint("run the same again, and it goes on where it stopped")
}

/// Replaces files, or finds out how large the new ones would be.
pub(crate) fn replace(works: Vec<Work>, mode: Mode, monitor: &Monitor) -> Result<Replaced, CommandError> {
    let mut replaced = Replaced::default();
    let (large, small): (Vec<Work>, Vec<Work>) =
        works.into_iter().partition(|work| work.original.size_bytes() >= LARGE_BYTES);
    let mut small = small.into_iter().peekable();
    while small.peek().is_some() {
        let batch: Vec<Work> = small.by_ref().take(BATCH).collect();
        replaced.add(batch, mode, Threads::One, monitor)?;
    }
    for work in large {
        replaced.add(vec![work], mode, Threads::All, monitor)?;
    }
    replaced.files.sort_unstable();
    replaced.problems.sort();
    Ok(replaced)
}

impl Replaced {
    fn add(&mut self, batch: Vec<Work>, mode: Mode, threads: Threads, monitor: &Monitor) -> Result<(), CommandError> {
        let (mut done, mut prepared) = (Vec::new(), Vec::new());
        for (file, result) in each(batch, threads, |work| made(work, mode, threads, monitor)) {
            match result {
                Ok((bytes_after, new)) => {
                    done.push((file, bytes_after));
                    prepared.extend(new);
                }
                Err(error) => self.problems.push(problem(&file.path, error)?),
            }
        }
        let results = match mode {
            Mode::Show => done.iter().map(|_| Ok(())).collect(),
            Mode::Replace => rewrite::commit(prepared).map_err(failed)?,
        };
        for ((file, bytes_after), result) in done.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.files.push(file.at);
                    self.bytes_before += file.bytes_before;
                    self.bytes_after += bytes_after;
                }
                Err(error) => self.problems.push(problem(&file.path, error)?),
            }
        }
        Ok(())
    }
}

/// A file that is worked on.
struct File {
    at: usize,
    path: String,
    bytes_before: u64,
}

type Made = Result<(u64, Option<rewrite::Prepared>), RewriteError>;

/// Works on each of a batch, on as many threads as are not at work on one of them.
fn each(batch: Vec<Work>, threads: Threads, make: impl Fn(Work) -> Made + Sync) -> Vec<(File, Made)> {
    let make = |work: Work| {
        let (path, bytes_before) = (paths::show(&work.original.path), work.original.size_bytes());
        (File { at: work.at, path, bytes_before }, make(work))
    };
    match threads {
        Threads::One => batch.into_par_iter().map(make).collect(),
        Threads::All => batch.into_iter().map(make).collect(),
    }
}

fn made(work: Work, mode: Mode, threads: Threads, monitor: &Monitor) -> Made {
    match mode {
        Mode::Show => Ok((rewrite::measure(&work.original, &work.target, threads, monitor)?, None)),
        Mode::Replace => {
            let new = rewrite::prepare(work.original, &work.target, threads, monitor)?;
            Ok((new.size_bytes, Some(new)))
        }
    }
}

/// What is wrong with one file, which stops no other; what is wrong with the disk ends the work.
pub(crate) fn problem(path: &str, error: RewriteError) -> Result<Problem, CommandError> {
    let what = match error {
        RewriteError::Cancelled => return Err(stopped()),
        RewriteError::Io(error) => return Err(failed(error)),
        error @ RewriteError::Differs { .. } => return Err(CommandError::environment(error)),
        RewriteError::Unreadable { source, .. } => format!("cannot be read to its end: {source}"),
        RewriteError::Changed { .. } => "has changed meanwhile".to_owned(),
        RewriteError::Occupied { path } => format!("`{}` is there already", paths::show(&path)),
    };
    Ok(Problem { path: path.to_owned(), what })
}

fn failed(error: std::io::Error) -> CommandError {
    let is_full = error.kind() == std::io::ErrorKind::StorageFull;
    CommandError::environment(error).maybe_hint(is_full.then(|| "make room, then run the same again".to_owned()))
}
