//! A folder of cohorts' sets (`data/`): where it is, and the run folders that its manifest names.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::manifest::{MANIFEST_FILE, Manifest, ManifestError, RunBlob};
use crate::paths;
use crate::store::{STORE_FOLDER, Store};

/// Name of the folder of cohorts' sets, where nothing else tells which it is.
const USUAL_NAME: &str = "data";

/// Levels from a cohort's folder, `data/<set>/<Model>`, up to the library's, `data`.
const LEVELS_ABOVE_COHORT: usize = 2;

/// The library's folder of a cohort, as the user would type it: the nearest of the cohort's folder and the two above with
/// a manifest or a store, else the nearest called `data`, else the one two above.
#[must_use]
pub fn find(cohort: &Path) -> PathBuf {
    let above = |levels| paths::join(cohort, &std::iter::repeat_n("..", levels).collect::<PathBuf>());
    let folders: Vec<PathBuf> = (0..=LEVELS_ABOVE_COHORT).map(above).collect();
    let is_library = |folder: &&PathBuf| folder.join(MANIFEST_FILE).is_file() || folder.join(STORE_FOLDER).is_dir();
    let is_usual = |folder: &&PathBuf| {
        paths::absolute(folder).is_ok_and(|folder| folder.file_name().is_some_and(|name| name == USUAL_NAME))
    };
    let found = folders.iter().find(is_library).or_else(|| folders.iter().find(is_usual));
    found.unwrap_or(&folders[LEVELS_ABOVE_COHORT]).clone()
}

/// A library that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Its manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The current folder is not there.
    #[error("no current folder: {0}")]
    CurrentFolder(#[from] io::Error),
}

/// A run folder that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRun {
    /// Its blob.
    pub run: RunBlob,
    /// Its cohort's folder relative to the library's.
    pub cohort: String,
    /// The eval ids of those evaluations that have records in it.
    pub evals: BTreeSet<String>,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Its folder, as the user would type it.
    pub folder: PathBuf,
    /// What its manifest says.
    pub manifest: Manifest,
    /// Its local store.
    pub store: Store,
    /// The run folders that the manifest names, by absolute path.
    runs: BTreeMap<PathBuf, NamedRun>,
}

impl Library {
    /// Reads the manifest of the library in `folder`; one that is not there is empty.
    ///
    /// # Errors
    /// The manifest is wrong, or the folder is relative to one that is not there.
    pub fn open(folder: &Path) -> Result<Self, LibraryError> {
        let manifest = Manifest::read(&folder.join(MANIFEST_FILE))?;
        let mut runs: BTreeMap<PathBuf, NamedRun> = BTreeMap::new();
        let absolute = paths::absolute(folder)?;
        for (id, eval) in &manifest.evals {
            for run in &eval.runs {
                let path = absolute.join(&eval.cohort).join(&run.path);
                let new = || NamedRun { run: run.clone(), cohort: eval.cohort.clone(), evals: BTreeSet::new() };
                let named = runs.entry(path).or_insert_with(new);
                // Of two blobs of one run folder the last counts, as for whoever pulls the cohort.
                named.run.clone_from(run);
                named.evals.insert(id.clone());
            }
        }
        Ok(Self { folder: folder.to_owned(), manifest, store: Store::new(folder.join(STORE_FOLDER)), runs })
    }

    /// The run folders that the manifest names below an absolute folder, and those that this folder lies in, with their
    /// absolute paths.
    pub fn runs_around<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (&'a Path, &'a NamedRun)> {
        let above = folder.ancestors().skip(1).filter_map(|folder| self.runs.get_key_value(folder));
        let from_here = (Bound::Included(folder), Bound::Unbounded);
        let below = self.runs.range::<Path, _>(from_here).take_while(move |(path, _)| path.starts_with(folder));
        above.chain(below).map(|(path, run)| (path.as_path(), run))
    }
}

/// The libraries of some cohorts, each read once.
#[derive(Debug, Clone, Default)]
pub struct Libraries {
    opened: BTreeMap<PathBuf, Arc<Library>>,
}

impl Libraries {
    /// The library of a cohort's folder.
    ///
    /// # Errors
    /// Its manifest is wrong.
    pub fn of_cohort(&mut self, cohort: &Path) -> Result<Arc<Library>, LibraryError> {
        let folder = find(cohort);
        if let Some(known) = self.opened.get(&folder) {
            return Ok(Arc::clone(known));
        }
        let library = Arc::new(Library::open(&folder)?);
        self.opened.insert(folder, Arc::clone(&library));
        Ok(library)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_found(there: &[&str], found: &str) {
        let root = tempfile::tempdir().unwrap();
        let cohort = root.path().join("data/set/M");
        fs_err::create_dir_all(&cohort).unwrap();
        for path in there {
            let path = root.path().join(path);
            if path.ends_with(STORE_FOLDER) {
                fs_err::create_dir_all(path).unwrap();
            } else {
                fs_err::write(path, "{\"version\":1}").unwrap();
            }
        }
        assert_eq!(find(&cohort), root.path().join(found), "{there:?}");
    }

    #[test]
    fn the_nearest_with_a_manifest_or_a_store() {
        check_found(&["data/manifest.json", "data/set/manifest.json"], "data/set");
        check_found(&["data/manifest.json", "data/set/M/.blobs"], "data/set/M");
        check_found(&["data/manifest.json"], "data");
        check_found(&["manifest.json"], "data");
        check_found(&[], "data");
    }

    #[test]
    fn without_either_one_called_data_or_two_above() {
        let root = tempfile::tempdir().unwrap();
        for (cohort, found) in [("a/data/M", "a/data"), ("a/b/M", "a")] {
            fs_err::create_dir_all(root.path().join(cohort)).unwrap();
            assert_eq!(find(&root.path().join(cohort)), root.path().join(found));
        }
        assert_eq!(find(Path::new("M")), Path::new(".."));
    }

    #[test]
    fn paths_that_leave_the_library_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for path in ["..", "/etc", "a/../../b", ""] {
            let eval = format!(r#"{{"identity":"i","cohort":"{path}","runs":[]}}"#);
            let manifest = format!("{{\"version\":1,\"evals\":{{\"000000\":{eval}}}}}");
            fs_err::write(root.path().join(MANIFEST_FILE), manifest).unwrap();
            let error = Library::open(root.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("manifest.json: `evals.000000.cohort`: `{path}` ")), "{error}");
        }
    }

    #[test]
    fn runs_are_found_from_above_and_from_within() {
        let root = tempfile::tempdir().unwrap();
        let hash = "0".repeat(64);
        let run = |path: &str| {
            format!(r#"{{"path":"{path}","blob":"{hash}","size":1,"raw_size":1,"n_files":1,"content":"{hash}"}}"#)
        };
        let eval = |cohort: &str, runs: &[&str]| {
            let runs: Vec<String> = runs.iter().map(|path| run(path)).collect();
            format!(r#"{{"identity":"i","cohort":"{cohort}","runs":[{}]}}"#, runs.join(","))
        };
        let evals = [
            format!("\"000000\":{}", eval("s/M", &["a", "b"])),
            format!("\"111111\":{}", eval("s/M", &["b"])),
            format!("\"222222\":{}", eval("s/M2", &["a"])),
        ];
        let manifest = format!("{{\"version\":1,\"evals\":{{{}}}}}", evals.join(","));
        fs_err::write(root.path().join(MANIFEST_FILE), manifest).unwrap();
        let library = Library::open(root.path()).unwrap();
        let around = |folder: &str| -> Vec<String> {
            let folder = root.path().join(folder);
            let runs = library.runs_around(&folder);
            runs.map(|(path, run)| format!("{} {}", path.strip_prefix(root.path()).unwrap().display(), run.evals.len()))
                .collect()
        };
        assert_eq!(around("s/M"), ["s/M/a 1", "s/M/b 2"]);
        assert_eq!(around("s/M/b/inside"), ["s/M/b 2"]);
        assert_eq!(around("s/M/c"), [""; 0]);
        assert_eq!(around("s").len(), 3);
    }
}
