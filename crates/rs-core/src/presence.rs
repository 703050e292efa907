//! Where the raw data of a cohort is: extracted, as blobs, or not here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cohort::Cohort;
use crate::manifest::{MANIFEST_FILE, Manifest, ManifestError};
use crate::paths;

/// Where raw data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Every evaluation has raw files.
    Here,
    /// Some evaluations have none.
    Partly,
    /// There are no raw files, but the manifest names blobs of all evaluations.
    Blobs,
    /// There are neither.
    Absent,
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "here",
            Self::Partly => "partly here",
            Self::Blobs => "as blobs",
            Self::Absent => "absent",
        })
    }
}

/// Where the raw data of a cohort is, as its folder and the manifest tell. A cohort without evaluations has none.
#[must_use]
pub fn presence(cohort: &Cohort, manifest: &Manifest) -> Presence {
    let with_files = cohort.evaluations.iter().filter(|evaluation| !evaluation.files.is_empty()).count();
    let ids: BTreeSet<String> = cohort.evaluations.iter().map(|eval| eval.entry.eval_id().to_string()).collect();
    match with_files {
        n if n > 0 && n == cohort.evaluations.len() => Presence::Here,
        n if n > 0 => Presence::Partly,
        _ if !ids.is_empty() && ids.iter().all(|id| manifest.evals.contains_key(id)) => Presence::Blobs,
        _ => Presence::Absent,
    }
}

/// Levels from a cohort's folder, `data/<set>/<Model>`, up to the manifest's, `data`.
const LEVELS_TO_MANIFEST: usize = 2;

/// The manifests of some cohorts, each read once.
#[derive(Debug, Default)]
pub struct Manifests {
    read: BTreeMap<PathBuf, Manifest>,
}

impl Manifests {
    /// Where the raw data of a cohort is, by the nearest manifest in its folder or the two above.
    ///
    /// # Errors
    /// The manifest is wrong.
    pub fn presence(&mut self, cohort: &Cohort) -> Result<Presence, ManifestError> {
        let above = |levels| std::iter::repeat_n("..", levels).collect::<PathBuf>();
        let files = (0..=LEVELS_TO_MANIFEST)
            .map(|levels| paths::join(&paths::join(&cohort.folder, &above(levels)), Path::new(MANIFEST_FILE)));
        let Some(file) = files.into_iter().find(|file| file.is_file()) else {
            return Ok(presence(cohort, &Manifest::default()));
        };
        if !self.read.contains_key(&file) {
            self.read.insert(file.clone(), Manifest::read(&file)?);
        }
        Ok(presence(cohort, &self.read[&file]))
    }
}
