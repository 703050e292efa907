//! A cohort: one model's folder, its `evals.json`, and the raw files that each evaluation in it names.
//!
//! Raw files of a run folder that is not there, or holds none, are listed from its blob, where the manifest names one and it is in the
//! local store: they have the paths that they would have when extracted, and match the same globs.

mod packed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use walkdir::{DirEntry, WalkDir};

use crate::document::{self, DocumentError};
use crate::eval_id::{self, EvalId, Identity};
use crate::library::{Libraries, Library, LibraryError};
use crate::origin::Origin;
use crate::pack::{self, PackError, RunFile};
use crate::paths::{self, Climb, PathRefused};
use crate::reader::{Codec, raw_file_name};

/// Name of the file that makes a folder a cohort.
pub const EVALS_FILE: &str = "evals.json";

/// Name of the file in a run folder that describes the run.
pub const RUN_METADATA_FILE: &str = "metadata.json";

/// One entry of `evals.json`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where its raw files are.
    pub evaluate: Source,
    /// Which records in them are its own.
    pub filters: Identity,
    /// For people.
    pub label: String,
    /// `key:value` facets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Free marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Hugging Face id of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hf_id: Option<String>,
    /// Context in tokens: more completion tokens than this count as truncated.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "context_tokens")]
    pub context: Option<u32>,
}

/// A context is at least one token.
fn context_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<NonZeroU32>::deserialize(deserializer)?.map(NonZeroU32::get))
}

/// Where an evaluation's raw files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Glob relative to the project root; matches `<run folder>/<file>`.
    pub glob: String,
}

impl Entry {
    /// The entry's id.
    #[must_use]
    pub fn eval_id(&self) -> EvalId {
        EvalId::new(&self.filters, self.context)
    }

    /// Whether what a user typed names this evaluation.
    #[must_use]
    pub fn is_named(&self, typed: &str) -> bool {
        eval_id::names(typed, &self.filters, self.context)
    }

    /// The groups as facets: `arch:moe` is `arch` = `moe`. Of a key that stands twice the last counts; a group
    /// without a colon is no facet.
    #[must_use]
    pub fn facets(&self) -> BTreeMap<&str, &str> {
        self.groups.iter().filter_map(|group| group.split_once(':')).collect()
    }
}

impl Entry {
    /// What its groups say that no facet tells.
    fn problems_of_groups(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let facets = self.facets();
        for group in &self.groups {
            match group.split_once(':') {
                None => problems.push(format!("`{group}` has no `key:`, and makes no facet")),
                Some((key, value)) if facets.get(key) != Some(&value) => {
                    problems.push(format!("`{key}` stands twice: its facet is `{}`, not `{value}`", facets[key]));
                }
                Some(_) => {}
            }
        }
        problems
    }
}

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

/// A raw file and the path globs are matched against.
struct Found {
    file: RawFile,
    /// Absolute, as stored and without a compression suffix.
    names: [PathBuf; 2],
    /// Positions of the evaluations that it belongs to whatever their globs say.
    claimed_by: Vec<usize>,
}

/// Raw files by what they are ordered by: logical and absolute path.
type FoundFiles = BTreeMap<(String, PathBuf), Found>;

/// A glob and the folder it is relative to.
struct Matcher {
    glob: GlobMatcher,
    /// The project root, absolute.
    root: PathBuf,
    /// Folder to search, absolute.
    search: PathBuf,
    /// How many levels below it a match can be.
    depth: usize,
}

impl Matcher {
    fn new(folder: &Path, library: &Library, file: &Path, position: usize, entry: &Entry) -> Result<Self, CohortError> {
        let pattern = &entry.evaluate.glob;
        paths::check_relative(pattern, Climb::Never).map_err(|source| CohortError::GlobRefused {
            path: file.to_owned(),
            entry: position,
            label: entry.label.clone(),
            source,
        })?;
        let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(|source| CohortError::Glob {
            path: file.to_owned(),
            entry: position,
            label: entry.label.clone(),
            glob: pattern.clone(),
            source,
        })?;
        let prefix = literal_prefix(pattern);
        let root = project_root(folder, library, &prefix);
        let levels = Path::new(pattern).components().count() - prefix.components().count();
        let depth = if pattern.contains("**") { usize::MAX } else { levels };
        Ok(Self { glob: glob.compile_matcher(), search: root.join(&prefix), root, depth })
    }

    fn matches(&self, found: &Found) -> bool {
        let below_root = |path: &Path| path.strip_prefix(&self.root).is_ok_and(|path| self.glob.is_match(path));
        // Most files are not compressed: both names are one.
        let [stored, plain] = &found.names;
        below_root(stored) || stored.as_os_str() != plain.as_os_str() && below_root(plain)
    }
}

/// The folders of a glob before its first wildcard; its last component is never one of them.
fn literal_prefix(pattern: &str) -> PathBuf {
    let folders = Path::new(pattern).parent().unwrap_or(Path::new(""));
    let is_literal =
        |component: &Component<'_>| !component.as_os_str().to_string_lossy().contains(['*', '?', '[', '{', '\\']);
    folders.components().take_while(is_literal).collect()
}

/// The nearest ancestor of the cohort's (absolute) folder under which `prefix` exists, or would if all that the manifest
/// names were extracted; without one, the folder itself.
fn project_root(folder: &Path, library: &Library, prefix: &Path) -> PathBuf {
    let exists = |folder: &Path| folder.is_dir() || library.runs_around(folder).next().is_some();
    folder.ancestors().find(|ancestor| exists(&ancestor.join(prefix))).unwrap_or(folder).to_owned()
}

/// Where raw files are looked for: absolute folders, and how many levels below them a file can be.
fn searches(folder: &Path, matchers: &[Matcher]) -> BTreeMap<PathBuf, usize> {
    let mut searches: BTreeMap<PathBuf, usize> = BTreeMap::from([(folder.to_owned(), 2)]);
    for matcher in matchers {
        let depth = searches.entry(matcher.search.clone()).or_default();
        *depth = (*depth).max(matcher.depth);
    }
    searches
}

/// What a walk has found.
#[derive(Default)]
struct Listed {
    raw: FoundFiles,
    /// All files of folders that hold nothing but files and are not left out of blobs, by the folder's path below the
    /// cohort's.
    folders: BTreeMap<String, Vec<RunFile>>,
}

/// What is directly in a folder.
#[derive(Default)]
struct Contents {
    files: Vec<DirEntry>,
    /// Whether there is anything else: folders, broken links.
    has_others: bool,
}

/// Lists the raw files below the cohort's folder (two levels) and where its globs reach. `shown` is the folder as the
/// user would type it, `folder` the same absolute.
fn list_files(shown: &Path, folder: &Path, searches: &BTreeMap<PathBuf, usize>) -> Result<Listed, CohortError> {
    let mut listed = Listed::default();
    for (search, depth) in searches {
        if !search.is_dir() {
            continue;
        }
        // What the files of one folder have in common is made once, and asking for their sizes takes several threads.
        let folders: Vec<FolderFiles> = contents(shown, folder, search, *depth)?
            .into_par_iter()
            .map(|(parent, contents)| files_of(shown, folder, &parent, contents))
            .collect::<Result<_, _>>()?;
        for folder in folders {
            listed.raw.extend(
                folder.raw.into_iter().map(|found| ((found.file.logical.clone(), found.names[0].clone()), found)),
            );
            if let Some(all) = folder.all {
                listed.folders.insert(folder.run, all);
            }
        }
    }
    Ok(listed)
}

/// What is in each folder that a search comes upon.
fn contents(
    shown: &Path,
    folder: &Path,
    search: &Path,
    depth: usize,
) -> Result<BTreeMap<PathBuf, Contents>, CohortError> {
    let mut contents: BTreeMap<PathBuf, Contents> = BTreeMap::new();
    let walk = WalkDir::new(search).max_depth(depth).follow_links(true).into_iter();
    // Files come out of the walk folder by folder: few are looked for in the map.
    let mut last: Option<(PathBuf, Contents)> = None;
    for item in walk.filter_entry(|item| item.depth() == 0 || !is_hidden(item.file_name())) {
        let path = match &item {
            Ok(item) if item.depth() == 0 => continue,
            Ok(item) => item.path(),
            Err(error) => error.path().unwrap_or(search),
        };
        let parent = path.parent().unwrap_or(Path::new(""));
        if last.as_ref().is_none_or(|(folder, _)| folder != parent) {
            contents.extend(last.take());
            last = Some((parent.to_owned(), contents.remove(parent).unwrap_or_default()));
        }
        let Some((_, of_parent)) = &mut last else { continue };
        match item {
            Ok(item) if item.file_type().is_file() => of_parent.files.push(item),
            Ok(_) => of_parent.has_others = true,
            Err(error) if is_of_no_matter(&error, |name| raw_file_name(name).is_some()) => of_parent.has_others = true,
            Err(error) => {
                let below_cohort = paths::relative_to(error.path().unwrap_or(search), folder);
                return Err(CohortError::List { path: paths::join(shown, &below_cohort), source: io_error(error) });
            }
        }
    }
    contents.extend(last);
    Ok(contents)
}

/// The files of one folder.
struct FolderFiles {
    /// The folder's path below the cohort's.
    run: String,
    raw: Vec<Found>,
    /// All of them, if there is nothing else and one is raw.
    all: Option<Vec<RunFile>>,
}

/// Looks at the files of one folder, whose absolute path is `parent`.
fn files_of(shown: &Path, folder: &Path, parent: &Path, contents: Contents) -> Result<FolderFiles, CohortError> {
    let below_cohort = paths::relative_to(parent, folder);
    let (shown_parent, run) = (paths::join(shown, &below_cohort), slashes(&below_cohort));
    let (mut raw, mut all) = (Vec::new(), Vec::new());
    let mut is_complete = !contents.has_others;
    for item in contents.files {
        let name = item.file_name().to_string_lossy().into_owned();
        let raw_name = raw_file_name(&name);
        if raw_name.is_none() && !is_complete {
            continue;
        }
        let path = shown_parent.join(item.file_name());
        let metadata = match item.metadata() {
            Ok(metadata) => metadata,
            // Whoever wants it will tell.
            Err(_) if raw_name.is_none() => {
                is_complete = false;
                continue;
            }
            Err(error) => return Err(CohortError::List { path, source: error.into() }),
        };
        is_complete &= item.file_name().to_str().is_some();
        if is_complete && !pack::is_left_out(&name) {
            all.push(pack::run_file(name.clone(), path.clone(), &metadata));
        }
        let Some((plain, codec)) = raw_name else { continue };
        let file = RawFile {
            logical: if run.is_empty() { plain.to_owned() } else { format!("{run}/{plain}") },
            run: run.clone(),
            codec,
            size_bytes: metadata.len(),
            modified_nanos: modified_nanos(&metadata),
            path,
            origin: Origin::File,
        };
        let as_plain = parent.join(plain);
        raw.push(Found { file, names: [item.into_path(), as_plain], claimed_by: Vec::new() });
    }
    let all = (is_complete && !raw.is_empty()).then_some(all);
    Ok(FolderFiles { run, raw, all })
}

/// Whether a walk can go on after this error: a link leads into a folder above it, or nowhere and has a name that is not
/// wanted anyway.
pub fn is_of_no_matter(error: &walkdir::Error, is_wanted: impl Fn(&str) -> bool) -> bool {
    let leads_nowhere = error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
    let name = error.path().and_then(Path::file_name).unwrap_or_default();
    error.loop_ancestor().is_some() || leads_nowhere && error.depth() > 0 && !is_wanted(&name.to_string_lossy())
}

/// The system's words, without the path, which is told apart.
fn io_error(error: walkdir::Error) -> io::Error {
    let text = error.to_string();
    error.into_io_error().unwrap_or_else(|| io::Error::other(text))
}

/// Whether nothing of this name is looked at.
#[must_use]
pub fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Nanoseconds since 1970 of a file's last change; 0 where the system tells none.
#[must_use]
pub fn modified_nanos(metadata: &std::fs::Metadata) -> i128 {
    let Ok(modified) = metadata.modified() else { return 0 };
    match modified.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{EvalBlobs, MANIFEST_FILE, Manifest, RunBlob};
    use crate::monitor::Monitor;
    use crate::pack;
    use crate::presence::{Presence, presence};
    use crate::store::{STORE_FOLDER, Store};

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().expect("has a folder")).expect("is made");
        fs_err::write(path, text).expect("is written");
    }

    fn evals(glob: &str) -> String {
        format!(
            r#"[{{"evaluate":{{"glob":"{glob}"}},"filters":{{"model":"m","template":"t","sampler":"s"}},
               "label":"M","groups":["arch:moe","size:8b"],"odd":1}}]"#
        )
    }

    #[track_caller]
    fn check_matches(glob: &str, matched: &[&str]) {
        let root = tempfile::tempdir().expect("a temporary folder");
        write(root.path(), "data/set/M/evals.json", &evals(glob));
        for file in [
            "run1_m/a.ndjson",
            "run1_m/b.jsonl.zst",
            "run1_m/metadata.json",
            "run2_n/a.ndjson.gz",
            "run2_n/x.log",
            ".cache/a.ndjson",
        ] {
            write(root.path(), &format!("data/set/M/{file}"), "");
        }
        let cohort = Cohort::open(&root.path().join("data/set/M")).expect("opens");
        let files: Vec<&str> =
            cohort.evaluations[0].files.iter().map(|at| cohort.files[*at].logical.as_str()).collect();
        assert_eq!(files, matched, "{glob}");
        assert_eq!(cohort.files.len(), 3, "other files are ignored");
    }

    #[test]
    fn globs_match_run_folder_and_file() {
        check_matches("data/set/M/*_m/*", &["run1_m/a.ndjson", "run1_m/b.jsonl"]);
        check_matches("data/set/M/*/a.ndjson", &["run1_m/a.ndjson", "run2_n/a.ndjson"]);
        check_matches("set/M/*/*.gz", &["run2_n/a.ndjson"]);
        check_matches("*_n/*", &["run2_n/a.ndjson"]);
        check_matches("data/**/*.ndjson", &["run1_m/a.ndjson", "run2_n/a.ndjson"]);
        check_matches("data/set/M/*", &[]);
        check_matches("data/other/M/*/*", &[]);
    }

    #[track_caller]
    fn check_refused(glob: &str, message: &str) {
        let root = tempfile::tempdir().expect("a temporary folder");
        write(root.path(), "M/evals.json", &evals(glob));
        let error = Cohort::open(&root.path().join("M")).expect_err("is refused").to_string();
        assert!(error.ends_with(message), "{error}");
        assert!(error.contains("M/evals.json: entry 0 (`M`): evaluate.glob"), "{error}");
    }

    #[test]
    fn globs_that_leave_the_project_are_refused() {
        check_refused("/etc/*", "path `/etc/*` is absolute; it must be relative");
        check_refused("../*/*", "path `../*/*` climbs out with `..`");
        check_refused("a[", "error parsing glob 'a[': unclosed character class; missing ']'");
    }

    #[test]
    fn run_folders_are_listed_once() {
        let root = tempfile::tempdir().expect("a temporary folder");
        write(root.path(), "M/evals.json", &evals("M/run*/*"));
        for file in ["run1/b.ndjson", "run1/a.ndjson.zst", "run1/metadata.json", "run1/x.tmp", "run1/.hidden"] {
            write(root.path(), &format!("M/{file}"), file);
        }
        for file in ["run2/a.ndjson", "run2/sub/b.txt", "run3/a.ndjson", "run3/b.partial"] {
            write(root.path(), &format!("M/{file}"), file);
        }
        let cohort = Cohort::open(&root.path().join("M")).expect("opens");
        assert_eq!(cohort.folders.keys().collect::<Vec<_>>(), ["run1", "run3"], "the other one holds a folder");
        for run in ["run1", "run2", "run3"] {
            let listed = pack::list_run(&root.path().join("M").join(run)).expect("lists");
            assert_eq!(cohort.run_files(run).expect("lists"), listed, "{run}");
        }
        std::os::unix::fs::symlink("nowhere", root.path().join("M/run3/link")).expect("is made");
        let cohort = Cohort::open(&root.path().join("M")).expect("opens");
        assert!(cohort.run_files("run3").expect_err("is no file").to_string().ends_with("the link leads nowhere"));
    }

    #[test]
    fn there_is_no_cohort_in_a_cohort() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["set/M", "set/M/run", "set/N", "O"] {
            write(root.path(), &format!("{folder}/evals.json"), "[]");
        }
        let found = find_cohorts(root.path()).expect("lists");
        assert_eq!(found, ["O", "set/M", "set/N"].map(|folder| root.path().join(folder)));
    }

    #[test]
    fn what_is_odd_is_told() {
        let root = tempfile::tempdir().expect("a temporary folder");
        write(root.path(), "M/evals.json", &evals("M/*_m/*"));
        write(root.path(), "M/run_x/a.ndjson", "");
        write(root.path(), "M/run_x/a.ndjson.zst", "");
        let cohort = Cohort::open(&root.path().join("M/evals.json")).expect("opens");
        assert_eq!(cohort.unmatched_runs(), ["run_x"]);
        assert_eq!(cohort.warnings.len(), 3, "{:?}", cohort.warnings);
        assert!(cohort.warnings[0].contains("unknown key `[0].odd`"));
        assert!(cohort.warnings[1].contains("matches no raw file"));
        assert!(cohort.warnings[2].contains("are there"));
        assert_eq!(cohort.evaluations[0].entry.facets(), BTreeMap::from([("arch", "moe"), ("size", "8b")]));
    }

    #[test]
    fn a_missing_cohort_says_so() {
        let error = Cohort::open(Path::new("nowhere")).expect_err("is not there");
        assert_eq!(error.to_string(), "no cohort at `nowhere`: evals.json is not there");
    }

    #[test]
    fn cohorts_are_found() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for path in ["b/M/evals.json", "a/N/evals.json", "a/.hidden/evals.json", "a/other.json"] {
            write(root.path(), path, "[]");
        }
        let found = find_cohorts(root.path()).expect("lists");
        assert_eq!(found, [root.path().join("a/N"), root.path().join("b/M")]);
    }

    /// Packs run folders of the cohort `data/set/M` into the store, names them in the manifest, and removes them.
    fn pack_away(root: &Path, runs: &[&str]) -> Vec<RunBlob> {
        let store = Store::new(root.join("data").join(STORE_FOLDER));
        let cohort = root.join("data/set/M");
        let pack_run = |run: &&str| {
            let folder = cohort.join(run);
            let files = pack::list_run(&folder).unwrap();
            let packed = pack::store_run(&folder, &files, &store, &Monitor::default()).unwrap();
            fs_err::remove_dir_all(folder).unwrap();
            RunBlob::new(*run, &packed)
        };
        let runs: Vec<RunBlob> = runs.iter().map(pack_run).collect();
        write_manifest(root, &runs);
        runs
    }

    /// A manifest in which the evaluation m+t+s has these runs.
    fn write_manifest(root: &Path, runs: &[RunBlob]) {
        let eval = EvalBlobs {
            identity: "m+t+s".into(),
            cohort: "set/M".into(),
            runs: runs.to_vec(),
            others: serde_json::Map::new(),
        };
        let manifest = Manifest { evals: BTreeMap::from([("34c4dc".to_owned(), eval)]), ..Manifest::default() };
        fs_err::write(root.join("data").join(MANIFEST_FILE), manifest.to_text()).unwrap();
    }

    /// What a cohort's files are, wherever their bytes.
    fn listed(cohort: &Cohort) -> Vec<(String, String, String, Codec, u64, Vec<usize>)> {
        let claimed = |at: usize| {
            (0..cohort.evaluations.len()).filter(|eval| cohort.evaluations[*eval].files.contains(&at)).collect()
        };
        let file = |(at, file): (usize, &RawFile)| {
            let path = paths::show(&file.path);
            (path, file.logical.clone(), file.run.clone(), file.codec, file.size_bytes, claimed(at))
        };
        cohort.files.iter().enumerate().map(file).collect()
    }

    fn cohort_with_runs(glob: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "data/set/M/evals.json", &evals(glob));
        for (file, text) in [
            ("a/1.ndjson", "x"),
            ("a/2.jsonl.zst", "xx"),
            ("a/metadata.json", "\u{FEFF}{\"k\": 1}"),
            ("a/sub/3.ndjson.gz", "xxx"),
            ("a/sub/deep/4.ndjson", ""),
            ("a/sub/metadata.json", "{\"k\": 2}"),
            ("b/1.ndjson", "xxxxx"),
            ("b/x.log", "x"),
        ] {
            write(root.path(), &format!("data/set/M/{file}"), text);
        }
        root
    }

    #[track_caller]
    fn check_same_from_blobs(glob: &str, n_files: usize) {
        let root = cohort_with_runs(glob);
        let folder = root.path().join("data/set/M");
        let before = Cohort::open(&folder).unwrap();
        assert_eq!(before.evaluations[0].files.len(), n_files, "{glob}");
        assert_eq!(presence(&before), Presence::Here);
        pack_away(root.path(), &["a", "b"]);
        let after = Cohort::open(&folder).unwrap();
        assert_eq!(listed(&after), listed(&before), "{glob}");
        assert_eq!((&after.warnings, &after.absent), (&before.warnings, &Vec::new()));
        assert!(after.files.iter().all(|file| matches!(file.origin, Origin::Blob(_))));
        assert_eq!(presence(&after), Presence::Blobs);
        for (run, name) in [("a", "metadata.json"), ("a/sub", "metadata.json"), ("b", "metadata.json"), ("c", "x")] {
            let expected = match (run, name) {
                ("a", _) => Some("{\"k\": 1}".to_owned()),
                ("a/sub", _) => Some("{\"k\": 2}".to_owned()),
                _ => None,
            };
            assert_eq!(after.run_text(run, name).unwrap(), expected, "{run}");
        }
        // From somewhere else.
        let below = Cohort::open(&folder.join("../../../data/set/M/evals.json")).unwrap();
        assert_eq!(below.files.len(), before.files.len());
    }

    #[test]
    fn blobs_are_listed_as_if_they_were_extracted() {
        check_same_from_blobs("data/set/M/*/*", 3);
        check_same_from_blobs("data/set/M/a/*", 2);
        check_same_from_blobs("set/M/a/sub/*", 1);
        check_same_from_blobs("set/M/a/**/*.ndjson", 3);
        check_same_from_blobs("data/**", 5);
        check_same_from_blobs("b/1.ndjson", 1);
    }

    #[test]
    fn a_folder_with_raw_files_wins_over_its_blob() {
        let root = cohort_with_runs("data/set/M/*/*");
        let folder = root.path().join("data/set/M");
        let runs = pack_away(root.path(), &["a", "b"]);
        write(root.path(), "data/set/M/a/9.ndjson", "");
        let cohort = Cohort::open(&folder).unwrap();
        let names: Vec<&str> = cohort.files.iter().map(|file| file.logical.as_str()).collect();
        assert_eq!(names, ["a/9.ndjson", "b/1.ndjson"]);
        assert_eq!(presence(&cohort), Presence::Partly);
        assert_eq!(cohort.run_text("a", "metadata.json").unwrap(), None);
        let shown = folder.display();
        let told = |n_here: u64| {
            format!(
                "{shown}: a run folder lacks files that were pushed: a ({n_here} of 6 files); `data pull cohort {shown}` brings them back"
            )
        };
        assert_eq!(cohort.warnings[1..], [told(0)]);
        // A file that was compressed since is not missing.
        write(root.path(), "data/set/M/a/1.ndjson.zst", "");
        write(root.path(), "data/set/M/a/sub/metadata.json", "");
        let incomplete = |n_here| [IncompleteRun { run: "a".into(), n_here, n_files: 6 }];
        assert_eq!(Cohort::open(&folder).unwrap().incomplete, incomplete(2));
        // Without the blob the number tells.
        Store::new(root.path().join("data").join(STORE_FOLDER)).remove(&runs[0].blob).unwrap();
        assert_eq!(Cohort::open(&folder).unwrap().incomplete, incomplete(3));
        for name in ["a/2.jsonl.zst", "a/sub/3.ndjson.gz", "a/sub/deep/4.ndjson"] {
            write(root.path(), &format!("data/set/M/{name}"), "other");
        }
        let cohort = Cohort::open(&folder).unwrap();
        assert_eq!((cohort.incomplete.len(), presence(&cohort)), (0, Presence::Here));
    }

    /// What `rm run/*` leaves, and `rm run/*.ndjson`.
    #[test]
    fn a_folder_without_raw_files_does_not_hide_its_blob() {
        let lefts = [&["a/note.txt"][..], &["a/metadata.json", "a/sub/metadata.json"], &["a/sub/deep/4.ndjson"]];
        for left in lefts {
            let root = cohort_with_runs("data/set/M/*/*");
            let folder = root.path().join("data/set/M");
            let before = Cohort::open(&folder).unwrap();
            pack_away(root.path(), &["a", "b"]);
            left.iter().for_each(|name| write(root.path(), &format!("data/set/M/{name}"), "{}"));
            fs_err::create_dir_all(folder.join("b")).unwrap();
            let after = Cohort::open(&folder).unwrap();
            assert_eq!(listed(&after), listed(&before));
            assert_eq!((presence(&after), after.warnings.len()), (Presence::Blobs, 1), "{:?}", after.warnings);
            assert_eq!(after.run_text("a", "metadata.json").unwrap().unwrap(), "{\"k\": 1}");
        }
    }

    #[test]
    fn raw_data_that_is_elsewhere_is_told() {
        let root = cohort_with_runs("data/set/M/*/*");
        let folder = root.path().join("data/set/M");
        let runs = pack_away(root.path(), &["a", "b"]);
        let store = Store::new(root.path().join("data").join(STORE_FOLDER));
        store.remove(&runs[0].blob).unwrap();
        let cohort = Cohort::open(&folder).unwrap();
        assert_eq!(cohort.absent, [AbsentRun { run: "a".into(), evaluations: vec![0] }]);
        assert_eq!((cohort.files.len(), presence(&cohort)), (1, Presence::Partly));
        let shown = folder.display();
        assert_eq!(
            cohort.warnings[1..],
            [format!(
                "{shown}: a run is neither extracted nor in the local store: a; `data pull cohort {shown}` fetches the raw data"
            )]
        );
        store.remove(&runs[1].blob).unwrap();
        let cohort = Cohort::open(&folder).unwrap();
        assert_eq!((cohort.files.len(), cohort.absent.len(), presence(&cohort)), (0, 2, Presence::Remote));
        // An unknown key, and this.
        assert_eq!(cohort.warnings.len(), 2);
        assert!(cohort.warnings[1].contains(": 2 runs are neither extracted nor in the local store: a, b;"));
    }

    /// A blob that cannot be opened, and one that is another than the manifest says.
    #[test]
    fn a_blob_that_cannot_be_used_stands_for_its_files() {
        let root = cohort_with_runs("data/set/M/*/*");
        let folder = root.path().join("data/set/M");
        let runs = pack_away(root.path(), &["a", "b"]);
        let check = |what: &str| {
            let cohort = Cohort::open(&folder).unwrap();
            let file = &cohort.files[cohort.evaluations[0].files[0]];
            assert_eq!((file.run.as_str(), &file.path), ("a", &folder.join("a")));
            let Origin::Unusable(why) = &file.origin else { panic!("{:?}", file.origin) };
            assert!(why.ends_with(what), "{why}");
            assert!(why.contains("data/.blobs/"), "{why}");
            assert_eq!(cohort.evaluations[0].files.len(), 2);
        };
        let other = RunBlob { n_files: 9, ..runs[0].clone() };
        write_manifest(root.path(), &[other, runs[1].clone()]);
        check("the number of its files is `6`, expected `9`");
        let other = RunBlob { content: runs[1].content, ..runs[0].clone() };
        write_manifest(root.path(), &[other, runs[1].clone()]);
        check(&format!("its content is `{}`, expected `{}`", runs[0].content, runs[1].content));
        write_manifest(root.path(), &runs);
        let blob = Store::new(root.path().join("data").join(STORE_FOLDER)).path_of(&runs[0].blob);
        fs_err::write(blob, "no blob").unwrap();
        check("no seek table at its end: it is cut short, or something follows, or it is no blob");
    }

    #[test]
    fn a_manifest_that_is_wrong_is_an_error() {
        let root = cohort_with_runs("data/set/M/*/*");
        write(root.path(), "data/manifest.json", "<<<<<<< HEAD");
        let error = Cohort::open(&root.path().join("data/set/M")).unwrap_err();
        assert!(matches!(error, CohortError::Library(_)), "{error}");
    }
}
