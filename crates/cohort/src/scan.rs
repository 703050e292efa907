//! Opens cohorts, and reads their records to count them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rs_cli::{CommandError, DAMAGED_BLOBS, Ui};
use rs_core::cohort::{Cohort, CohortError, Evaluation, find_cohorts_within};
use rs_core::collect::{self, Collection, How, Input, Keep, Monitor, OnMalformed, Wanted};
use rs_core::{paths, suggest};

/// How deep near cohorts are looked for: from the project's root to `data/<set>/<Model>`, not through a whole disk.
const NEAR_LEVELS: usize = 3;

/// Opens a cohort; if it is not there, names the near ones.
pub(crate) fn open(path: &Path, ui: &mut Ui) -> Result<Cohort, CommandError> {
    // Shells complete folders with a slash at the end; nobody wants to read it.
    let path: &Path = &path.components().collect::<PathBuf>();
    let cohort = Cohort::open(path).map_err(|error| match error {
        CohortError::Missing { .. } => CommandError::input(error).hint(hint(path)),
        other => other.into(),
    })?;
    cohort.warnings.iter().for_each(|warning| ui.warn(warning));
    Ok(cohort)
}

/// What could have been meant: the cohorts in this folder, or those with near names in the nearest folder above.
fn hint(path: &Path) -> String {
    if path.is_dir() && find_cohorts_within(path, NEAR_LEVELS).is_ok_and(|cohorts| !cohorts.is_empty()) {
        return format!("`cohort list {}` shows the cohorts in it", paths::show(path));
    }
    let above = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    let folder = above.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("data"));
    let known: Vec<String> =
        find_cohorts_within(folder, NEAR_LEVELS).unwrap_or_default().iter().map(|path| paths::show(path)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    suggest::hint(&paths::show(path), &known).unwrap_or_else(|| "`cohort list` shows the cohorts there are".to_owned())
}

/// A run folder's name for people: `.` for files in the cohort's own folder.
pub(crate) fn run_name(run: &str) -> String {
    if run.is_empty() { ".".to_owned() } else { run.to_owned() }
}

/// Raw files that no evaluation matches, though others of their run folder are matched: paths below the cohort's folder.
pub(crate) fn unmatched_files(cohort: &Cohort) -> Vec<String> {
    let matched: BTreeSet<usize> = cohort.evaluations.iter().flat_map(|eval| eval.files.iter().copied()).collect();
    let unmatched_runs = cohort.unmatched_runs();
    let files = cohort.files.iter().enumerate().filter(|(at, _)| !matched.contains(at)).map(|(_, file)| file);
    let files = files.filter(|file| !unmatched_runs.contains(&file.run.as_str()));
    files.map(|file| paths::show(file.path.strip_prefix(&cohort.folder).unwrap_or(&file.path))).collect()
}

/// What an evaluation counts.
pub(crate) fn wanted(evaluation: &Evaluation) -> Wanted {
    Wanted { identity: evaluation.entry.filters.clone(), context_tokens: evaluation.entry.context }
}

/// Counts the records of every file of a cohort.
pub(crate) fn count(cohort: &Cohort, ui: &mut Ui) -> Result<Collection, CommandError> {
    let wanted: Vec<Wanted> = cohort.evaluations.iter().map(wanted).collect();
    let all: Vec<usize> = (0..cohort.files.len()).collect();
    let reads = |at| (0..wanted.len()).filter(|eval| cohort.evaluations[*eval].files.contains(&at)).collect();
    collect(cohort, &all, &wanted, reads, Keep::Counts, ui)
}

/// Reads the files of a cohort at these positions for the evaluations wanted; `reads` says which of them a file is for.
pub(crate) fn collect(
    cohort: &Cohort,
    files: &[usize],
    wanted: &[Wanted],
    reads: impl Fn(usize) -> Vec<usize>,
    keep: Keep,
    ui: &mut Ui,
) -> Result<Collection, CommandError> {
    let inputs: Vec<Input> = files.iter().map(|at| Input::new(&cohort.files[*at], reads(*at))).collect();
    let monitor = Arc::new(Monitor::default());
    let total_bytes = inputs.iter().map(|input| input.size_bytes).sum();
    let _progress = ui.watch(&format!("reading {}", cohort.folder.display()), total_bytes, &monitor);
    let how = How { keep, on_malformed: OnMalformed::Continue, examiner: None, cache: None };
    collect::collect(wanted, &inputs, how, &monitor).map_err(CommandError::environment)
}

/// Tells what to do about blobs that could not be read.
pub(crate) fn tell_of_damaged_blobs(found: &Collection, ui: &mut Ui) {
    if found.n_in_damaged_blobs > 0 {
        ui.note(DAMAGED_BLOBS);
    }
}
