//! A folder of cohorts' sets (`data/`) with its manifest, its store of blobs, and its remotes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rs_cli::{CommandError, Environment};
use rs_core::cohort::EVALS_FILE;
use rs_core::lock::{Lock, LockError};
use rs_core::manifest::{EvalBlobs, MANIFEST_FILE, Manifest};
use rs_core::store::{STORE_FOLDER, Store};
use rs_core::{paths, suggest};

use crate::remote::{self, Options, Remote};

/// The remote that is meant where none is named.
const USUAL_REMOTE: &str = "origin";

/// The folder that a manifest speaks of.
pub(crate) struct Library {
    /// As the user would type it.
    pub(crate) folder: PathBuf,
    /// Its manifest's file, which need not be there.
    pub(crate) file: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) store: Store,
}

impl Library {
    /// The one in a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, CommandError> {
        let file = folder.join(MANIFEST_FILE);
        let manifest = Manifest::read(&file)?;
        Ok(Self { store: Store::new(folder.join(STORE_FOLDER)), folder: folder.to_owned(), file, manifest })
    }

    /// The one in a folder that a user has named.
    pub(crate) fn open_named(folder: &Path) -> Result<Self, CommandError> {
        if !folder.is_dir() {
            return Err(CommandError::input(format!("no folder `{}`", paths::show(folder)))
                .hint("name the folder of the manifest with `--data DIR`"));
        }
        Self::open(folder)
    }

    /// The one of a cohort (`data/<set>/<Model>`).
    pub(crate) fn of_cohort(cohort: &Path) -> Result<Self, CommandError> {
        Self::open(&rs_core::library::find(cohort))
    }

    /// The one of a dataset: its folder.
    pub(crate) fn of_dataset(file: &Path) -> Result<Self, CommandError> {
        Self::open(file.parent().unwrap_or(Path::new("")))
    }

    /// What the manifest calls a cohort: its folder relative to the library's.
    pub(crate) fn name_of(&self, cohort: &Path) -> Result<String, CommandError> {
        let (folder, cohort_folder) = (paths::absolute(&self.folder)?, paths::absolute(folder_of(cohort))?);
        let name = paths::show(&paths::relative_to(&cohort_folder, &folder));
        rs_core::pack::check_name(&name).map_err(|problem| {
            CommandError::input(format!(
                "cohort `{}` cannot be in {}: {problem}",
                paths::show(cohort),
                paths::show(&self.file)
            ))
        })?;
        Ok(name)
    }

    /// Where a cohort of the manifest lies.
    pub(crate) fn cohort_folder(&self, name: &str) -> PathBuf {
        paths::join(&self.folder, Path::new(name))
    }

    /// Keeps other processes from changing the manifest and the store until it is dropped.
    pub(crate) fn lock(&self) -> Result<Lock, CommandError> {
        fs_err::create_dir_all(self.store.folder())?;
        Lock::take(&self.store.folder().join(".lock")).map_err(|error| match error {
            LockError::Locked { holder, .. } => {
                let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                CommandError::environment(format!("{who} is changing `{}`", paths::show(&self.folder)))
                    .hint("wait until it is done, then run the same again")
            }
            LockError::Io(error) => CommandError::environment(error),
        })
    }

    /// Changes the manifest as it is on disk now, at once and as a whole. The lock is held by the caller.
    pub(crate) fn update(&mut self, _lock: &Lock, change: impl FnOnce(&mut Manifest)) -> Result<(), CommandError> {
        let mut manifest = Manifest::read(&self.file)?;
        change(&mut manifest);
        if manifest != self.manifest || !self.file.exists() {
            manifest.write(&self.file)?;
        }
        self.manifest = manifest;
        Ok(())
    }

    /// The evaluations of a cohort that the manifest knows.
    pub(crate) fn evals_of<'a>(&'a self, cohort: &'a str) -> impl Iterator<Item = (&'a String, &'a EvalBlobs)> {
        self.manifest.evals.iter().filter(move |(_, eval)| eval.cohort == cohort)
    }

    /// The evaluation of the manifest that a user names by its id, a longer piece of its hash, or its identity.
    pub(crate) fn eval(&self, typed: &str) -> Result<&EvalBlobs, CommandError> {
        let is_named = |id: &str, eval: &EvalBlobs| {
            let hash = blake3::hash(eval.identity.as_bytes()).to_hex();
            eval.identity == typed || id == typed || typed.len() > id.len() && hash.as_str().starts_with(typed)
        };
        let evals = &self.manifest.evals;
        evals.iter().find(|(id, eval)| is_named(id, eval)).map(|(_, eval)| eval).ok_or_else(|| {
            let known: Vec<&str> = evals.iter().flat_map(|(id, eval)| [id.as_str(), eval.identity.as_str()]).collect();
            CommandError::input(format!("no evaluation `{typed}` in {}", paths::show(&self.file)))
                .maybe_hint(suggest::hint(typed, &known))
        })
    }

    /// The manifest has nothing of a cohort.
    pub(crate) fn unknown_cohort(&self, name: &str) -> CommandError {
        let cohorts: BTreeSet<&str> = self.manifest.evals.values().map(|eval| eval.cohort.as_str()).collect();
        let cohorts: Vec<&str> = cohorts.into_iter().collect();
        CommandError::input(format!("{} has no blobs of cohort `{name}`", paths::show(&self.file)))
            .maybe_hint(suggest::hint(name, &cohorts))
    }

    /// Opens a remote by name; without one `origin`, or the only one there is.
    pub(crate) fn remote(&self, name: Option<&str>, options: &Options) -> Result<NamedRemote, CommandError> {
        let remotes = &self.manifest.remotes;
        let names: Vec<&str> = remotes.keys().map(String::as_str).collect();
        let name = match (name, names.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only,
            (None, _) if remotes.contains_key(USUAL_REMOTE) => USUAL_REMOTE,
            (None, []) => {
                return Err(CommandError::input(format!("{} names no remote", paths::show(&self.file)))
                    .hint("data remote add origin FOLDER|URL"));
            }
            (None, several) => {
                return Err(CommandError::input(format!("which remote? There are {}", suggest::list(several, 10)))
                    .hint(format!("--remote {}", several[0])));
            }
        };
        let Some(remote) = remotes.get(name) else {
            return Err(CommandError::input(format!("no remote `{name}` in {}", paths::show(&self.file)))
                .maybe_hint(suggest::hint(name, &names)));
        };
        let remote = remote::open(&remote.url, &self.folder, &Environment::of_process(), options)
            .map_err(|error| CommandError::input(format!("remote `{name}`: {error}")))?;
        Ok(NamedRemote { name: name.to_owned(), remote })
    }

    /// Everything that blobs are wanted for: what each holds, for people, and its stored bytes.
    pub(crate) fn wanted_blobs(&self) -> BTreeMap<rs_core::store::BlobId, (String, u64)> {
        let mut wanted = BTreeMap::new();
        for eval in self.manifest.evals.values() {
            for run in &eval.runs {
                wanted.entry(run.blob).or_insert_with(|| (shown_run(&eval.cohort, &run.path), run.size));
            }
        }
        for (name, database) in &self.manifest.databases {
            wanted.entry(database.blob).or_insert_with(|| (shown_database(name), database.size));
        }
        wanted
    }
}

/// A remote and what the manifest calls it.
pub(crate) struct NamedRemote {
    pub(crate) name: String,
    pub(crate) remote: Box<dyn Remote>,
}

impl NamedRemote {
    /// `origin (s3://bucket/x)`.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.name, self.remote.shown())
    }
}

/// A run folder for people.
pub(crate) fn shown_run(cohort: &str, run: &str) -> String {
    format!("cohort {cohort}, run {run}")
}

/// A database for people.
pub(crate) fn shown_database(dataset: &str) -> String {
    format!("database of dataset {dataset}")
}

/// The folder of a cohort that is named by it or by its `evals.json`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    if path.ends_with(EVALS_FILE) { path.parent().unwrap_or(path) } else { path }
}
