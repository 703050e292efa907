//! A cohort: one model's folder, its `evals.json`, and the raw files that each evaluation in it names.
//!
//! Raw files of a run folder that is not there, or holds none, are listed from its blob, where the manifest names one and it is in the
//! local store: they have the paths that they would have when extracted, and match the same globs.

mod entry;
mod find;
mod listing;
mod matcher;
mod packed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

pub use entry::{Entry, Source};
pub use find::{find_cohorts, find_cohorts_within};
pub use listing::{is_hidden, is_of_no_matter, modified_nanos};

use crate::document::{self, DocumentError};
use crate::library::{Libraries, LibraryError};
use crate::origin::Origin;
use crate::pack::{self, PackError, RunFile};
use crate::paths::{self, PathRefused};
use crate::reader::Codec;
use listing::{Found, Listed, list_files};
use matcher::{Matcher, searches};

/// Name of the file that makes a folder a cohort.
pub const EVALS_FILE: &str = "evals.json";

/// Name of the file in a run folder that describes the run.
pub const RUN_METADATA_FILE: &str = "metadata.json";

/// A cohort that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CohortError {
    /// There is no `evals.json`.
    #[error("no cohort at `{}`: {EVALS_FILE} is not there", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// `evals.json` is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The manifest that may name its blobs is wrong.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The current folder is not there.
    #[error("no current folder: {0}")]
    CurrentFolder(#[from] io::Error),
    /// A glob is refused.
    #[error("{}: entry {entry} (`{label}`): evaluate.glob: {source}", path.display())]
    GlobRefused {
        /// The `evals.json`.
        path: PathBuf,
        /// Position of the entry, from 0.
        entry: usize,
        /// Its label.
        label: String,
        /// Why.
        source: PathRefused,
    },
    /// A glob cannot be understood.
    #[error("{}: entry {entry} (`{label}`): evaluate.glob `{glob}`: {source}", path.display())]
    Glob {
        /// The `evals.json`.
        path: PathBuf,
        /// Position of the entry, from 0.
        entry: usize,
        /// Its label.
        label: String,
        /// The glob.
        glob: String,
        /// Why.
        source: globset::Error,
    },
    /// A folder cannot be listed.
    #[error("cannot list `{}`: {source}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A raw file of a cohort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFile {
    /// Where it is, or would be if its run folder were extracted, as the user would type it.
    pub path: PathBuf,
    /// Its path below the cohort's folder, with `/` between its parts and without a compression suffix: the same
    /// however the file is packed, so it orders files.
    pub logical: String,
    /// Its run folder's path below the cohort's folder; empty if it lies in the cohort's folder itself.
    pub run: String,
    /// How it is stored.
    pub codec: Codec,
    /// Its size in bytes, as a file.
    pub size_bytes: u64,
    /// Time of the last change of the file, or of its blob, in nanoseconds since 1970; 0 where the system tells none.
    pub modified_nanos: i128,
    /// Where its bytes are.
    pub origin: Origin,
}

/// A run folder that the manifest names and that is neither extracted nor in the local store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentRun {
    /// Its path below the cohort's folder.
    pub run: String,
    /// Positions in [`Cohort::evaluations`] of those with records in it.
    pub evaluations: Vec<usize>,
}

/// A run folder that lacks some of the files that its blob holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteRun {
    /// Its path below the cohort's folder.
    pub run: String,
    /// Files of the blob that are here.
    pub n_here: u64,
    /// Files of the blob.
    pub n_files: u64,
}

impl fmt::Display for IncompleteRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} of {} files)", self.run, self.n_here, self.n_files)
    }
}

/// A cohort and what its folder holds.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// The cohort's folder, as the user would type it.
    pub folder: PathBuf,
    /// Its `evals.json`.
    pub file: PathBuf,
    /// Its evaluations, in file order.
    pub evaluations: Vec<Evaluation>,
    /// Every raw file that a glob matches or that lies in a run folder of the cohort, in logical order.
    pub files: Vec<RawFile>,
    /// Run folders whose raw data is elsewhere, in order.
    pub absent: Vec<AbsentRun>,
    /// Run folders that are here in part, in order.
    pub incomplete: Vec<IncompleteRun>,
    /// The run folders that are read out of their blobs: paths below the cohort's folder, and the blobs.
    packed: BTreeMap<String, Arc<Path>>,
    /// All files of run folders that hold files only.
    folders: BTreeMap<String, Vec<RunFile>>,
    /// Things to tell the user that stop nothing.
    pub warnings: Vec<String>,
}

/// An evaluation of a cohort and its raw files.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Its entry in `evals.json`.
    pub entry: Entry,
    /// Positions in [`Cohort::files`] of the files its glob matches.
    pub files: Vec<usize>,
    /// Whether the manifest names blobs of it, wherever they are.
    pub is_in_manifest: bool,
}

impl Cohort {
    /// Reads a cohort, named by its folder or its `evals.json`, and lists its raw files.
    ///
    /// # Errors
    /// There is none, its `evals.json` or the manifest is wrong, or a folder cannot be listed. A glob that matches nothing
    /// is a warning, and so is raw data that is not here.
    pub fn open(path: &Path) -> Result<Self, CohortError> {
        Self::open_among(path, &mut Libraries::default())
    }

    /// [`Cohort::open`], for one of several: what they have in common is read once.
    ///
    /// # Errors
    /// As there.
    pub fn open_among(path: &Path, libraries: &mut Libraries) -> Result<Self, CohortError> {
        let (folder, file) = if path.file_name().is_some_and(|name| name == EVALS_FILE) {
            (path.parent().unwrap_or(Path::new("")).to_owned(), path.to_owned())
        } else {
            (path.to_owned(), path.join(EVALS_FILE))
        };
        if !file.is_file() {
            return Err(CohortError::Missing { path: path.to_owned() });
        }
        let document = document::read_json::<Vec<Entry>>(&file)?;
        let mut warnings: Vec<String> = document
            .unknown_keys
            .iter()
            .map(|key| format!("{}: unknown key `{key}` is ignored", file.display()))
            .collect();
        for (position, entry) in document.value.iter().enumerate() {
            let place = format!("{}: entry {position} (`{}`): groups", file.display(), entry.label);
            warnings.extend(entry.problems_of_groups().into_iter().map(|what| format!("{place}: {what}")));
        }
        let absolute = paths::absolute(&folder)?;
        let library = libraries.of_cohort(&folder)?;
        let mut matchers = Vec::new();
        for (position, entry) in document.value.iter().enumerate() {
            matchers.push(Matcher::new(&absolute, &library, &file, position, entry)?);
        }
        let searches = searches(&absolute, &matchers);
        let listed = list_files(&folder, &absolute, &searches)?;
        let is_matched = |found: &Found| matchers.iter().any(|matcher| matcher.matches(found));
        let packed = packed::list(&folder, &absolute, &library, &searches, &document.value, &listed, is_matched);
        let Listed { raw: mut files, folders } = listed;
        files.extend(packed.files);
        let files: Vec<Found> = files.into_values().collect();
        let mut evaluations = Vec::new();
        for (position, (entry, matcher)) in document.value.into_iter().zip(&matchers).enumerate() {
            let is_matched = |found: &Found| matcher.matches(found) || found.claimed_by.contains(&position);
            let matched: Vec<usize> =
                files.par_iter().enumerate().filter(|(_, found)| is_matched(found)).map(|(at, _)| at).collect();
            // What is elsewhere is told below.
            let is_elsewhere = packed.absent.iter().any(|absent| absent.evaluations.contains(&position));
            if matched.is_empty() && !is_elsewhere {
                warnings.push(format!(
                    "{}: entry {position} (`{}`): glob `{}` matches no raw file",
                    file.display(),
                    entry.label,
                    entry.evaluate.glob
                ));
            }
            let is_in_manifest = library.manifest.evals.contains_key(entry.eval_id().as_str());
            evaluations.push(Evaluation { entry, files: matched, is_in_manifest });
        }
        let files: Vec<RawFile> = files.into_iter().map(|found| found.file).collect();
        warnings.extend(files.windows(2).filter(|pair| pair[0].logical == pair[1].logical).map(|pair| {
            format!(
                "both {} and {} are there and are read: of records with an `index` or `id` one counts, others count twice",
                pair[0].path.display(),
                pair[1].path.display()
            )
        }));
        warnings.extend(packed::warning(&folder, &packed.absent));
        warnings.extend(packed::incomplete_warning(&folder, &packed.incomplete));
        let (absent, incomplete, packed) = (packed.absent, packed.incomplete, packed.blobs);
        Ok(Self { folder, file, evaluations, files, absent, incomplete, packed, folders, warnings })
    }

    /// The text of a file in a run folder, read out of the run's blob where that is not extracted. `None` if there is no
    /// such file.
    ///
    /// # Errors
    /// It cannot be read, is too large, or no UTF-8.
    pub fn run_text(&self, run: &str, name: &str) -> Result<Option<String>, DocumentError> {
        packed::run_text(self, run, name)
    }

    /// What goes into the blob of a run folder, as [`pack::list_run`] would list it, by what was seen when the cohort was
    /// opened.
    ///
    /// # Errors
    /// Those of [`pack::list_run`].
    pub fn run_files(&self, run: &str) -> Result<Vec<RunFile>, PackError> {
        let folder = paths::join(&self.folder, Path::new(run));
        match self.folders.get(run) {
            Some(files) => pack::checked(&folder, files.clone()),
            None => pack::list_run(&folder),
        }
    }

    /// Run folders that hold raw files which no evaluation matches, in order.
    #[must_use]
    pub fn unmatched_runs(&self) -> Vec<&str> {
        let matched: BTreeSet<usize> = self.evaluations.iter().flat_map(|eval| eval.files.iter().copied()).collect();
        let has_matched: BTreeSet<&str> = matched.iter().map(|at| self.files[*at].run.as_str()).collect();
        let all: BTreeSet<&str> = self.files.iter().map(|file| file.run.as_str()).collect();
        all.difference(&has_matched).copied().collect()
    }

    /// Stored bytes of all raw files.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// The run folders, in order.
    #[must_use]
    pub fn runs(&self) -> Vec<&str> {
        let runs: BTreeSet<&str> = self.files.iter().map(|file| file.run.as_str()).collect();
        runs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
