//! Which files the glob of an evaluation matches, and where such files can be.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::listing::Found;
use super::{CohortError, Entry};
use crate::library::Library;
use crate::paths::{self, Climb};

/// A glob and the folder it is relative to.
pub(super) struct Matcher {
    glob: GlobMatcher,
    /// The project root, absolute.
    root: PathBuf,
    /// Folder to search, absolute.
    search: PathBuf,
    /// How many levels below it a match can be.
    depth: usize,
}

impl Matcher {
    pub(super) fn new(
        folder: &Path,
        library: &Library,
        file: &Path,
        position: usize,
        entry: &Entry,
    ) -> Result<Self, CohortError> {
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

    pub(super) fn matches(&self, found: &Found) -> bool {
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
pub(super) fn searches(folder: &Path, matchers: &[Matcher]) -> BTreeMap<PathBuf, usize> {
    let mut searches: BTreeMap<PathBuf, usize> = BTreeMap::from([(folder.to_owned(), 2)]);
    for matcher in matchers {
        let depth = searches.entry(matcher.search.clone()).or_default();
        *depth = (*depth).max(matcher.depth);
    }
    searches
}
