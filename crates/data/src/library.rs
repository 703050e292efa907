//! A folder of cohorts' sets (`data/`) with its manifest, its store of blobs, and its remotes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rs_cli::{CommandError, Environment};
use rs_core::cohort::EVALS_FILE;
use rs_core::dataset::Dataset;
use rs_core::digest::BlobId;
use rs_core::lock::{Lock, LockError};
use rs_core::manifest::{EvalBlobs, MANIFEST_FILE, Manifest};
use rs_core::monitor::Monitor;
use rs_core::pack::ContentHash;
use rs_core::store::{STORE_FOLDER, Store};
use rs_core::{atomic_file, document, manifest, paths, suggest};

use crate::remote::{self, Location, Options, Remote, RemoteError};
use crate::transfer;

/// The remote that is meant where none is named.
const USUAL_REMOTE: &str = "origin";

/// Digits of a blob's name that tell it from all others.
const SHORT_DIGITS: usize = 12;

/// How long a command waits for another one: some only note what they have seen.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_TICK: Duration = Duration::from_millis(20);

/// The folder that a manifest speaks of.
///
/// **Invariant:** the manifest and everything in the store are written under the lock. Whoever has it may clear away what
/// others have left half-done.
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

    /// The one of a cohort (`data/<set>/<Model>`): the nearest folder with a manifest or a store, else the nearest
    /// called `data`, else two above.
    pub(crate) fn of_cohort(cohort: &Path) -> Result<Self, CommandError> {
        Self::open(&rs_core::library::find(cohort))
    }

    /// The one of a cohort that was pushed, by its folder or its `evals.json`.
    pub(crate) fn of_pushed_cohort(cohort: &Path) -> Result<Self, CommandError> {
        let library = Self::of_cohort(folder_of(cohort))?;
        if library.file.is_file() {
            return Ok(library);
        }
        Err(CommandError::input(format!(
            "no {MANIFEST_FILE} for cohort `{}`: neither in its folder nor in the two above",
            paths::show(cohort)
        ))
        .hint("a cohort's folder is like `data/<set>/<Model>`"))
    }

    /// The one of a dataset: its folder.
    pub(crate) fn of_dataset(file: &Path) -> Result<Self, CommandError> {
        Self::open(file.parent().unwrap_or(Path::new("")))
    }

    /// What the manifest calls a cohort: its folder relative to the library's.
    pub(crate) fn name_of(&self, cohort: &Path) -> Result<String, CommandError> {
        let (folder, cohort_folder) = (paths::absolute(&self.folder)?, paths::absolute(folder_of(cohort))?);
        let name = paths::show(&paths::relative_to(&cohort_folder, &folder));
        manifest::check_place(&name).map_err(|problem| {
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

    /// Where a run of a cohort of the manifest lies.
    pub(crate) fn run_folder(&self, cohort: &str, run: &str) -> PathBuf {
        paths::join(&self.cohort_folder(cohort), Path::new(run))
    }

    /// [`Library::lock_unswept`], and clears away what was being written in processes that were killed.
    pub(crate) fn lock(&mut self) -> Result<Lock, CommandError> {
        let lock = self.lock_unswept()?;
        self.sweep().map_err(CommandError::environment)?;
        Ok(lock)
    }

    /// Keeps other processes from changing the manifest, the store and the run folders until it is dropped. Reads the
    /// manifest again, which another may have changed meanwhile.
    pub(crate) fn lock_unswept(&mut self) -> Result<Lock, CommandError> {
        fs_err::create_dir_all(self.store.folder())?;
        let began = Instant::now();
        let lock = loop {
            match Lock::take(&self.lock_file()) {
                Ok(lock) => break lock,
                Err(LockError::Locked { .. }) if began.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_TICK),
                Err(LockError::Locked { holder, .. }) => {
                    let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                    return Err(CommandError::environment(format!(
                        "{who} is changing `{}`",
                        paths::show(&self.folder)
                    ))
                    .hint("wait until it is done, then run the same again"));
                }
                Err(LockError::Io(error)) => return Err(CommandError::environment(error)),
            }
        };
        self.manifest = Manifest::read(&self.file)?;
        Ok(lock)
    }

    /// Writes something into the store that is worth keeping and not worth waiting for: under the lock that is held, or
    /// one that is free; else not at all.
    pub(crate) fn note(&self, held: Option<&Lock>, write: impl FnOnce(&Lock) -> io::Result<()>) -> io::Result<()> {
        if let Some(lock) = held {
            return write(lock);
        }
        fs_err::create_dir_all(self.store.folder())?;
        match Lock::take(&self.lock_file()) {
            Ok(lock) => write(&lock),
            Err(LockError::Locked { .. }) => Ok(()),
            Err(LockError::Io(error)) => Err(error),
        }
    }

    fn lock_file(&self) -> PathBuf {
        self.store.folder().join(".lock")
    }

    fn sweep(&self) -> io::Result<()> {
        self.store.sweep()?;
        self.replaced_files().iter().try_for_each(|file| atomic_file::sweep(file))
    }

    /// The files that are replaced as a whole.
    fn replaced_files(&self) -> [PathBuf; 3] {
        [self.file.clone(), self.seen_file(), self.verified_file()]
    }

    /// What killed processes have left of such files.
    pub(crate) fn unfinished_files(&self) -> io::Result<Vec<PathBuf>> {
        let left: io::Result<Vec<_>> = self.replaced_files().iter().map(|file| atomic_file::leftovers(file)).collect();
        Ok(left?.concat())
    }

    /// Where it is noted what has been hashed.
    pub(crate) fn seen_file(&self) -> PathBuf {
        self.store.folder().join("seen.json")
    }

    /// Where it is noted what has been verified.
    pub(crate) fn verified_file(&self) -> PathBuf {
        self.store.folder().join("verify.json")
    }

    /// The datasets in the folder, those that can be read, in the order of their files' names.
    pub(crate) fn datasets(&self) -> io::Result<Vec<Dataset>> {
        let files: io::Result<Vec<PathBuf>> =
            fs_err::read_dir(or_here(&self.folder))?.map(|item| Ok(item?.file_name().into())).collect();
        let mut files: Vec<PathBuf> =
            files?.into_iter().filter(|name| name.extension().is_some_and(|extension| extension == "json")).collect();
        files.sort();
        Ok(files.iter().filter_map(|name| Dataset::open(&self.folder.join(name)).ok()).collect())
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
            // Hex digits may be in either case.
            let digits = typed.to_ascii_lowercase();
            eval.identity == typed || *id == digits || typed.len() > id.len() && hash.as_str().starts_with(&digits)
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
            let hint = match Path::new(name).exists() {
                true => Some(format!("`{name}` is a path: it goes before `--remote`")),
                false => suggest::hint(name, &names),
            };
            return Err(
                CommandError::input(format!("no remote `{name}` in {}", paths::show(&self.file))).maybe_hint(hint)
            );
        };
        let wrong = |error: &dyn std::fmt::Display| CommandError::input(format!("remote `{name}`: {error}"));
        let location = Location::parse(&remote.url, &self.folder).map_err(|error| wrong(&error))?;
        self.check_elsewhere(&location)?;
        let remote = remote::open(&remote.url, &self.folder, &Environment::of_process(), options)
            .map_err(|error| wrong(&error))?;
        Ok(NamedRemote { name: name.to_owned(), remote })
    }

    /// Refuses the local store as a remote, by whatever path: what is sent there is nowhere else, and whoever frees it here
    /// frees it there.
    pub(crate) fn check_elsewhere(&self, location: &Location) -> Result<(), CommandError> {
        let Location::Folder(folder) = location else { return Ok(()) };
        let (there, store) = (real_path(folder)?, real_path(self.store.folder())?);
        if !there.starts_with(&store) && !is_same_folder(&there, &store) {
            return Ok(());
        }
        Err(CommandError::input(format!(
            "`{}` is the local store: as a remote it would keep no second copy",
            paths::show(folder)
        ))
        .hint("data remote add origin FOLDER|URL, on another disk or machine"))
    }

    /// Everything that blobs are wanted for: what each holds, for people, and its stored bytes.
    pub(crate) fn wanted_blobs(&self) -> BTreeMap<BlobId, (String, u64)> {
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

/// An absolute path without links, also of what is not there yet.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = paths::absolute(path)?;
    let mut missing = Vec::new();
    let mut there = absolute.as_path();
    loop {
        match (fs_err::canonicalize(there), there.parent(), there.file_name()) {
            (Ok(real), ..) => return Ok(missing.into_iter().rev().fold(real, |path, name| path.join(name))),
            (Err(_), Some(parent), Some(name)) => {
                missing.push(name);
                there = parent;
            }
            (Err(error), ..) => return Err(error),
        }
    }
}

/// Whether two paths lead to one folder, by its number on its disk.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    let number = |path: &Path| fs_err::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    number(one).is_some_and(|one| number(other) == Some(one))
}

/// BLAKE3 of a dataset's file, in hex.
pub(crate) fn dataset_hash(file: &Path) -> Result<ContentHash, CommandError> {
    Ok(ContentHash::of(document::read_text(file)?.as_bytes()))
}

/// The current folder for the empty path.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// A remote and what the manifest calls it.
pub(crate) struct NamedRemote {
    pub(crate) name: String,
    pub(crate) remote: Box<dyn Remote>,
}

impl NamedRemote {
    /// Asks as often as it takes while the remote fails for reasons that may pass.
    pub(crate) fn ask<T>(
        &self,
        monitor: &Monitor,
        ask: impl Fn(&dyn Remote) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        transfer::patiently(&Options::default(), monitor, || ask(self.remote.as_ref()))
    }

    /// `origin (s3://bucket/x)`.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.name, self.remote.shown())
    }
}

/// The first digits of a blob's name, for tables.
pub(crate) fn short(blob: &str) -> String {
    blob.chars().take(SHORT_DIGITS).collect()
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
