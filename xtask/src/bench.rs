//! `cargo xtask bench`: times against a peer in the same run, as ratios, or against a goal; and peak memory.

mod analyze;
mod arrangements;
mod data;
mod evaluate;
mod measure;
mod probe;
mod subjects;

use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::process::{self, ProcessError};
use crate::{Outcome, setup, workspace};

/// Time programs against their peers, and measure their memory.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = Name::Evaluate)]
    name: Name,
    /// What `evaluate`, `data` and `probe` are measured on.
    #[arg(long, value_enum, default_value_t = Size::Real)]
    on: Size,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// `evaluate` against DuckDB's own reader, a bare scan, zstd and Python.
    Evaluate,
    /// `data` push, pull and verify against tar, zstd and b3sum; `data` with nothing to do.
    Data,
    /// `analyze`: every command over a large database.
    Analyze,
    /// `probe`: pages of raw records, and comparisons.
    Probe,
}

/// What it runs on. In fixtures, `evaluate` also finds the tokens and spectra of one model's prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Size {
    /// The real data, unpacked; without it medium fixtures.
    Real,
    /// Medium fixtures.
    Medium,
    /// Large fixtures: over 5 GB on disk, and four times that while it runs.
    Large,
}

/// Timed pairs of runs, after one pair to warm up.
const N_PAIRS: usize = 5;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::run()?;
    let folder = workspace::root().join("target").join("bench");
    fs_err::create_dir_all(&folder)?;
    let size = arguments.on;
    match arguments.name {
        Name::Evaluate => evaluate::run(&folder, size),
        Name::Data => data::run(&folder, size),
        Name::Analyze => analyze::run(&folder),
        Name::Probe => probe::run(&folder, size),
    }
}

/// Builds all that any benchmark runs: with less of it, the features of shared dependencies would differ from one benchmark
/// to the next, and cargo would build them anew.
fn build() -> Result<(), ProcessError> {
    process::run(&mut process::cargo(&["build", "--release", "--workspace", "--bins", "--examples"]))
}

fn n_threads() -> String {
    std::thread::available_parallelism().map_or(1, usize::from).to_string()
}

/// The path of a file that is not there yet.
fn fresh(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    match fs_err::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}
