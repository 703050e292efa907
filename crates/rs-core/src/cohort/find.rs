//! Where cohorts are below a folder.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::listing::{io_error, is_hidden, is_of_no_matter};
use super::{CohortError, EVALS_FILE};

/// The folders of all cohorts below `folder` (itself included), in order. Run folders are not searched: there is no
/// cohort in a cohort.
///
/// # Errors
/// A folder cannot be listed.
pub fn find_cohorts(folder: &Path) -> Result<Vec<PathBuf>, CohortError> {
    find_cohorts_within(folder, usize::MAX)
}

/// The folders of the cohorts at most so many levels below `folder` (itself included), in order.
///
/// # Errors
/// A folder cannot be listed.
pub fn find_cohorts_within(folder: &Path, levels: usize) -> Result<Vec<PathBuf>, CohortError> {
    let mut folders = Vec::new();
    let depth = levels.saturating_add(1);
    let is_run = |item: &DirEntry| {
        let is_in_cohort = |path: &Path| path.parent().is_some_and(|parent| parent.join(EVALS_FILE).is_file());
        item.depth() > 0 && item.file_type().is_dir() && is_in_cohort(item.path())
    };
    let walk = WalkDir::new(folder).max_depth(depth).follow_links(true).into_iter();
    for item in walk.filter_entry(|item| item.depth() == 0 || !is_hidden(item.file_name()) && !is_run(item)) {
        match item {
            Ok(item) if item.file_name() == EVALS_FILE && item.file_type().is_file() => {
                folders.push(item.path().parent().unwrap_or(Path::new("")).to_owned());
            }
            Ok(_) => {}
            Err(error) if is_of_no_matter(&error, |name| name == EVALS_FILE) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                return Err(CohortError::List { path, source: io_error(error) });
            }
        }
    }
    folders.sort();
    Ok(folders)
}
