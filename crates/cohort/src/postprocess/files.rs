//! The raw files of a cohort that may be replaced: those that are nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rs_cli::CommandError;
use rs_core::atomic_file::folder_of;
use rs_core::cohort::{Cohort, RawFile};
use rs_core::origin::Origin;
use rs_core::paths;
use rs_core::rewrite::{self, Original};

use super::report::Problem;

/// The files of a cohort.
pub(crate) struct Files {
    /// Those that may be replaced, in (path, line) order.
    pub(crate) own: Vec<OwnFile>,
    /// Those that are left alone, and why.
    pub(crate) left: Vec<Problem>,
    /// How many are in blobs only.
    pub(crate) n_in_blobs: u64,
}

/// A file that may be replaced.
pub(crate) struct OwnFile {
    /// Position in [`Cohort::files`].
    pub(crate) at: usize,
    pub(crate) original: Original,
}

impl Files {
    /// Looks at the files of a cohort.
    ///
    /// A file that lies elsewhere or is reached through a link is left alone: another cohort may read it, and what a link
    /// leads to must keep its name.
    pub(crate) fn of(cohort: &Cohort) -> Result<Self, CommandError> {
        let folder = fs_err::canonicalize(folder_of(&cohort.file)).map_err(CommandError::environment)?;
        let mut files = Self { own: Vec::new(), left: Vec::new(), n_in_blobs: 0 };
        let mut places: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for (at, file) in cohort.files.iter().enumerate() {
            if file.origin == Origin::File {
                let place = fs_err::canonicalize(&file.path).map_err(CommandError::environment)?;
                places.entry(place).or_default().push(at);
            } else {
                files.n_in_blobs += 1;
            }
        }
        for (place, ways) in &places {
            for at in ways {
                let file = &cohort.files[*at];
                match why_left(cohort, file, &folder, place, ways.len()) {
                    Some(why) => files.left.push(Problem { path: paths::show(&file.path), what: why.to_owned() }),
                    None => {
                        let original = Original::look(&file.path, file.codec).map_err(CommandError::environment)?;
                        files.own.push(OwnFile { at: *at, original });
                    }
                }
            }
        }
        files.own.sort_by_key(|file| file.at);
        Ok(files)
    }

    /// Stored bytes of the files that may be replaced.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.own.iter().map(|file| file.original.size_bytes()).sum()
    }

    /// Clears away what was being written in processes that were killed.
    pub(crate) fn sweep(&self) -> Result<(), CommandError> {
        let folders: BTreeSet<&Path> = self.own.iter().map(|file| folder_of(file.original.place())).collect();
        folders.into_iter().try_for_each(rewrite::sweep).map_err(CommandError::environment)
    }
}

/// Why a file is left alone; `place` is where it really is, `folder` the cohort's folder, `n_ways` how many paths of the
/// cohort lead to it.
fn why_left(cohort: &Cohort, file: &RawFile, folder: &Path, place: &Path, n_ways: usize) -> Option<&'static str> {
    let Ok(below) = file.path.strip_prefix(&cohort.folder) else { return Some("lies outside the cohort's folder") };
    if n_ways > 1 {
        return Some("is reached by several paths");
    }
    (folder.join(below) != place).then_some("is reached through a link")
}
