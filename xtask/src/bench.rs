//! `cargo xtask bench`: times against a peer in the same run, as ratios, and peak memory.

mod data;
mod measure;
mod pipeline;
mod subjects;

use clap::ValueEnum;

use crate::process::{self, ProcessError};
use crate::{Outcome, setup, workspace};

/// Time programs against their peers, or measure their memory.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = Name::Pipeline)]
    name: Name,
    /// Measure `data` on large fixtures instead of the real data (over 5 GB on disk, and three times that while it runs).
    #[arg(long)]
    large: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// `evaluate` against DuckDB's own reader, on real data and on medium fixtures.
    Pipeline,
    /// Peak memory of `evaluate` on large fixtures (over 5 GB on disk).
    Memory,
    /// `data` push, pull and verify against tar, zstd and b3sum on real data; `data` with nothing to do.
    Data,
}

/// Timed pairs of runs, after one pair to warm up.
const N_PAIRS: usize = 5;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::run()?;
    let folder = workspace::root().join("target").join("bench");
    fs_err::create_dir_all(&folder)?;
    match arguments.name {
        Name::Pipeline => pipeline::pipeline(&folder),
        Name::Memory => pipeline::memory(&folder),
        Name::Data => data::run(&folder, if arguments.large { data::Size::Large } else { data::Size::Real }),
    }
}

fn build(what: &[&str]) -> Result<(), ProcessError> {
    process::run(&mut process::cargo(&[&["build", "--release"], what].concat()))
}

fn n_threads() -> String {
    std::thread::available_parallelism().map_or(1, usize::from).to_string()
}
