//! Reads all records of a cohort to count them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rs_cli::{CommandError, Ui};
use rs_core::cohort::{Cohort, CohortError, find_cohorts};
use rs_core::collect::{self, Collection, Input, Keep, Monitor, OnMalformed, Wanted};
use rs_core::{paths, suggest};

/// Opens a cohort; if it is not there, names the near ones.
pub(crate) fn open(path: &Path, ui: &mut Ui) -> Result<Cohort, CommandError> {
    let cohort = Cohort::open(path).map_err(|error| match error {
        CohortError::Missing { .. } => {
            let near = near(path);
            let hint = if near.is_empty() { "`cohort list` shows the cohorts there are".to_owned() } else { near };
            CommandError::input(error).hint(hint)
        }
        other => other.into(),
    })?;
    cohort.warnings.iter().for_each(|warning| ui.warn(warning));
    Ok(cohort)
}

/// The cohorts with names near to one that is not there, looked for in the nearest folder above it that is.
fn near(path: &Path) -> String {
    let above = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    let folder = above.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("data"));
    let known: Vec<String> = find_cohorts(folder).unwrap_or_default().iter().map(|path| paths::show(path)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    suggest::hint(&paths::show(path), &known).unwrap_or_default()
}

/// Counts the records of every file of a cohort.
pub(crate) fn count(cohort: &Cohort, ui: &mut Ui) -> Result<Collection, CommandError> {
    let wanted: Vec<Wanted> = cohort
        .evaluations
        .iter()
        .map(|eval| Wanted { identity: eval.entry.filters.clone(), context_tokens: eval.entry.context })
        .collect();
    let inputs: Vec<Input> = cohort
        .files
        .iter()
        .enumerate()
        .map(|(at, file)| Input {
            path: file.path.clone(),
            codec: file.codec,
            size_bytes: file.size_bytes,
            evaluations: (0..wanted.len()).filter(|eval| cohort.evaluations[*eval].files.contains(&at)).collect(),
        })
        .collect();
    let monitor = Arc::new(Monitor::default());
    let mut progress = ui.progress(&format!("reading {}", cohort.folder.display()), cohort.size_bytes());
    let watched = Arc::clone(&monitor);
    progress.watch(move || watched.read_bytes.load(Ordering::Relaxed));
    collect::collect(&wanted, &inputs, Keep::Counts, OnMalformed::Continue, &monitor).map_err(CommandError::environment)
}
