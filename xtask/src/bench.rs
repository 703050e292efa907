//! `cargo xtask bench`: times against a peer in the same run, as ratios, or against a goal; and peak memory.

mod analyze;
mod arrangements;
mod data;
mod evaluate;
mod measure;
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
    /// Measure on large fixtures instead of the real data (over 5 GB on disk, and four times that while it runs).
    #[arg(long)]
    large: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// `evaluate` against DuckDB's own reader, a bare scan, zstd and Python.
    Evaluate,
    /// `data` push, pull and verify against tar, zstd and b3sum; `data` with nothing to do.
    Data,
    /// `analyze`: every command over a large database.
    Analyze,
}

/// What it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// The real data, unpacked.
    Real,
    /// Large fixtures.
    Large,
}

/// Timed pairs of runs, after one pair to warm up.
const N_PAIRS: usize = 5;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::run()?;
    let folder = workspace::root().join("target").join("bench");
    fs_err::create_dir_all(&folder)?;
    let size = if arguments.large { Size::Large } else { Size::Real };
    match arguments.name {
        Name::Evaluate => evaluate::run(&folder, size),
        Name::Data => data::run(&folder, size),
        Name::Analyze => analyze::run(&folder),
    }
}

fn build(what: &[&str]) -> Result<(), ProcessError> {
    process::run(&mut process::cargo(&[&["build", "--release"], what].concat()))
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
