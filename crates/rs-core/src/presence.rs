//! Where the raw data of a cohort is: extracted, as blobs, or not here.

use std::fmt;

use serde::Serialize;

use crate::cohort::Cohort;
use crate::origin::Origin;

/// Where raw data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// All of it can be read, and some of it is extracted.
    Here,
    /// Some of it can be read.
    Partly,
    /// Nothing is extracted, and all of it can be read out of blobs in the local store.
    Blobs,
    /// Nothing is here, and the manifest names blobs of all evaluations: `data pull` fetches them.
    Remote,
    /// There is none, and the manifest does not name blobs of all evaluations.
    Absent,
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "here",
            Self::Partly => "partly here",
            Self::Blobs => "as blobs",
            Self::Remote => "in a remote",
            Self::Absent => "absent",
        })
    }
}

/// Where the raw data of a cohort is, as its folder, the manifest and the local store tell. A cohort without evaluations
/// has none.
#[must_use]
pub fn presence(cohort: &Cohort) -> Presence {
    let evaluations = &cohort.evaluations;
    let n_readable = evaluations.iter().filter(|evaluation| !evaluation.files.is_empty()).count();
    let mut matched = evaluations.iter().flat_map(|evaluation| &evaluation.files);
    let is_extracted = matched.any(|at| cohort.files[*at].origin == Origin::File);
    let lacks_none = cohort.absent.is_empty() && cohort.incomplete.is_empty();
    let is_whole = n_readable > 0 && n_readable == evaluations.len() && lacks_none;
    match n_readable {
        _ if is_whole && is_extracted => Presence::Here,
        _ if is_whole => Presence::Blobs,
        0 if !evaluations.is_empty() && evaluations.iter().all(|evaluation| evaluation.is_in_manifest) => {
            Presence::Remote
        }
        0 => Presence::Absent,
        _ => Presence::Partly,
    }
}
