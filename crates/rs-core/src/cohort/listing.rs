//! The raw files in the folders of a cohort, and where its globs reach.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::{CohortError, RawFile};
use crate::origin::Origin;
use crate::pack::{self, RunFile};
use crate::paths;
use crate::reader::raw_file_name;

/// A raw file and the path globs are matched against.
pub(super) struct Found {
    pub(super) file: RawFile,
    /// Absolute, as stored and without a compression suffix.
    pub(super) names: [PathBuf; 2],
    /// Positions of the evaluations that it belongs to whatever their globs say.
    pub(super) claimed_by: Vec<usize>,
}

/// Raw files by what they are ordered by: logical and absolute path.
pub(super) type FoundFiles = BTreeMap<(String, PathBuf), Found>;

/// What a walk has found.
#[derive(Default)]
pub(super) struct Listed {
    pub(super) raw: FoundFiles,
    /// All files of folders that hold nothing but files and are not left out of blobs, by the folder's path below the
    /// cohort's.
    pub(super) folders: BTreeMap<String, Vec<RunFile>>,
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
pub(super) fn list_files(
    shown: &Path,
    folder: &Path,
    searches: &BTreeMap<PathBuf, usize>,
) -> Result<Listed, CohortError> {
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
pub(super) fn io_error(error: walkdir::Error) -> io::Error {
    let text = error.to_string();
    error.into_io_error().unwrap_or_else(|| io::Error::other(text))
}

/// Whether nothing of this name is looked at.
#[must_use]
pub fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

pub(super) fn slashes(path: &Path) -> String {
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
