//! Deterministic raw data for the r12 cohorts, and a model that states what every tool must report about it.
//!
//! One table of evaluations, tasks and runs makes both: [`FixtureModel::write`] writes the data, and
//! [`FixtureModel::expected`] says what is in it, by a literal reading of the contract. This crate uses none of the
//! project's others, so that the tools can be tested against it.
//!
//! The data has what real data has: questions that were really generated and answered, traces with the redundancy of a
//! model that thinks aloud, accuracy that falls with difficulty and truncation that grows with it, guessing, overlapping
//! runs, repetitions, failed requests, shared run folders, several writers' JSON, and files packed or plain.
//!
//! ```
//! use rs_fixtures::{FixtureModel, Scale};
//!
//! let model = FixtureModel::new(Scale::Small, 1);
//! let expected = model.expected();
//! assert_eq!(expected.cohorts.len(), 4);
//! ```
//!
//! From the plan down to the bytes: `evaluation` and `task` are the tables, `plan` lays out runs and records, `question`,
//! `behaviour` and `trace` make a record's content, `record` its line, `render` a file, `disk` the folders; `expected`
//! and `table` say what must come out.

mod behaviour;
mod config;
mod disk;
mod evaluation;
mod expected;
mod plan;
mod portable;
mod question;
mod questions;
mod random;
mod record;
mod render;
mod scale;
mod table;
mod task;
mod trace;
mod words;

use std::collections::BTreeMap;
use std::convert::Infallible;

use rayon::prelude::*;

pub use crate::disk::{Difference, FixtureError, Written};
pub use crate::expected::{
    Expected, ExpectedCohort, ExpectedCounts, ExpectedEvaluation, ExpectedFile, ExpectedPoint, ExpectedRun,
    ExpectedSample,
};
pub use crate::scale::{Scale, UnknownScale};

use crate::expected::FileFacts;
use crate::plan::Plan;

/// The seed that is used where none is asked for.
pub const DEFAULT_SEED: u64 = 12;

/// The fixtures of one scale and seed.
#[derive(Debug)]
pub struct FixtureModel {
    plan: Plan,
}

impl FixtureModel {
    /// Lays out the runs, files and records; nothing is made yet.
    #[must_use]
    pub fn new(scale: Scale, seed: u64) -> Self {
        Self { plan: Plan::new(scale, seed) }
    }

    /// What every tool must report. Makes every record once, without writing it: quick for a small model, a while and
    /// some memory for a large one.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let facts: Vec<Vec<FileFacts>> = self
            .plan
            .runs
            .par_iter()
            .map(|run| run.files.par_iter().map(|file| file_facts(&self.plan, file)).collect())
            .collect();
        expected::expected(&self.plan, &facts)
    }

    /// BLAKE3 over the sorted paths and unpacked contents of everything that [`Self::write`] writes.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut contents: BTreeMap<String, blake3::Hash> = BTreeMap::new();
        for file in config::tracked_files() {
            contents.insert(file.path, blake3::hash(file.content.as_bytes()));
        }
        for run in &self.plan.runs {
            for (name, content) in render::side_files(&self.plan, run) {
                contents.insert(format!("{}/{name}", Plan::run_path(run)), blake3::hash(content.as_bytes()));
            }
        }
        let of_data: Vec<(String, blake3::Hash)> = self
            .plan
            .runs
            .par_iter()
            .flat_map(|run| run.files.par_iter().map(move |file| (run, file)))
            .map(|(run, file)| {
                let mut hasher = blake3::Hasher::new();
                let Ok(()) = render::render_file(
                    &self.plan,
                    file,
                    |piece| {
                        hasher.update(piece);
                        Ok::<(), Infallible>(())
                    },
                    |_| {},
                );
                (format!("{}/{}", Plan::run_path(run), file.name), hasher.finalize())
            })
            .collect();
        contents.extend(of_data);
        let mut hasher = blake3::Hasher::new();
        for (path, content) in contents {
            hasher.update(path.as_bytes());
            hasher.update(&[0]);
            hasher.update(content.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn file_facts(plan: &Plan, file: &plan::File) -> FileFacts {
    let mut facts = Vec::new();
    let mut stored_bytes = 0;
    let mut raw_bytes = 0;
    let Ok(()) = render::render_file(
        plan,
        file,
        |piece| {
            // Packing into memory fails only where memory ends.
            stored_bytes += render::store(piece, file.compression).map_or(0, |stored| stored.len() as u64);
            raw_bytes += piece.len() as u64;
            Ok::<(), Infallible>(())
        },
        |fact| facts.push(fact),
    );
    FileFacts { stored_bytes, raw_bytes, facts }
}
