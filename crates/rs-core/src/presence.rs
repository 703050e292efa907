//! Where the raw data of a cohort is: extracted, as blobs, or not here.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::cohort::Cohort;
use crate::manifest::Manifest;

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
