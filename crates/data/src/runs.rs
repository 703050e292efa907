//! The run folders of a cohort that are here, and which evaluations they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rs_cli::CommandError;
use rs_core::cohort::Cohort;
use rs_core::origin::Origin;
use rs_core::{manifest, paths};

/// A run folder that is here.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Its path below the cohort's folder.
    pub(crate) path: String,
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// Positions in [`Cohort::evaluations`] of those with files in it.
    pub(crate) evaluations: BTreeSet<usize>,
}

/// The run folders with files of the cohort's evaluations, in order. A run folder inside another is part of it.
pub(crate) fn runs_of(cohort: &Cohort) -> Vec<Run> {
    let mut evaluations: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (position, evaluation) in cohort.evaluations.iter().enumerate() {
        // What is read out of blobs is in the store already.
        let extracted = evaluation.files.iter().map(|at| &cohort.files[*at]).filter(|file| file.origin == Origin::File);
        for file in extracted {
            evaluations.entry(file.run.as_str()).or_default().insert(position);
        }
    }
    let mut runs: Vec<Run> = Vec::new();
    for (path, evaluations) in evaluations {
        if let Some(outer) =
            runs.iter_mut().find(|outer| path.strip_prefix(&outer.path).is_some_and(|rest| rest.starts_with('/')))
        {
            outer.evaluations.extend(evaluations);
            continue;
        }
        let folder = paths::join(&cohort.folder, Path::new(path));
        runs.push(Run { path: path.to_owned(), folder, evaluations });
    }
    runs
}

/// Refuses what no manifest could name: files directly in the cohort's folder, or outside of it.
pub(crate) fn check_runs(cohort: &Cohort, runs: &[Run]) -> Result<(), CommandError> {
    for run in runs {
        manifest::check_place(&run.path).map_err(|problem| {
            let (place, why) = match run.path.as_str() {
                "" => (&cohort.folder, "they lie in no run folder".to_owned()),
                path if path.starts_with("..") => (&run.folder, "they lie outside of the cohort's folder".to_owned()),
                _ => (&run.folder, format!("the name {problem}")),
            };
            CommandError::input(format!("raw files in `{}` cannot be stored: {why}", paths::show(place)))
                .hint("blobs hold run folders; move the files into a folder below the cohort's")
        })?;
    }
    Ok(())
}
