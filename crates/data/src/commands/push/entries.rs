//! What the manifest says of a cohort once it is pushed.

use std::collections::{BTreeMap, BTreeSet};

use rs_cli::Ui;
use rs_core::eval_id::identity_text;
use rs_core::manifest::{EvalBlobs, RunBlob};

use super::pushing::{Opened, Stored};
use crate::library::Library;

/// The manifest's entries of a cohort. Runs whose folder is not here stay as they were.
pub(super) fn entries(library: &Library, opened: &Opened, stored: &Stored) -> BTreeMap<String, EvalBlobs> {
    let mut entries = BTreeMap::new();
    for (position, evaluation) in opened.cohort.evaluations.iter().enumerate() {
        let id = evaluation.entry.eval_id().to_string();
        let old = library.manifest.evals.get(&id);
        let mut runs: BTreeMap<String, RunBlob> =
            old.into_iter().flat_map(|eval| &eval.runs).map(|run| (run.path.clone(), run.clone())).collect();
        // A run folder that is here and has none of this evaluation's records any more is of others.
        runs.retain(|path, _| !stored.contains_key(path));
        for run in opened.runs.iter().filter(|run| run.evaluations.contains(&position)) {
            let Some((content, blob, size)) = stored.get(&run.path) else { continue };
            let before = old.and_then(|eval| eval.runs.iter().find(|before| before.path == run.path));
            runs.insert(
                run.path.clone(),
                RunBlob {
                    path: run.path.clone(),
                    blob: *blob,
                    size: *size,
                    raw_size: content.raw_bytes,
                    n_files: content.n_files,
                    content: content.hash,
                    // What other versions have noted stays.
                    others: before.map(|before| before.others.clone()).unwrap_or_default(),
                },
            );
        }
        if runs.is_empty() {
            continue;
        }
        let eval = EvalBlobs {
            identity: identity_text(&evaluation.entry.filters, evaluation.entry.context),
            cohort: opened.name.clone(),
            runs: runs.into_values().collect(),
            others: old.map(|eval| eval.others.clone()).unwrap_or_default(),
        };
        entries.insert(id, eval);
    }
    entries
}

/// Runs that the manifest has and that are not here were not looked at.
pub(super) fn tell_of_absent(library: &Library, opened: &Opened, ui: &mut Ui) {
    let name = &opened.name;
    let here: BTreeSet<&str> = opened.runs.iter().map(|run| run.path.as_str()).collect();
    let absent: BTreeSet<&str> = library
        .evals_of(name)
        .flat_map(|(_, eval)| &eval.runs)
        .map(|run| run.path.as_str())
        .filter(|run| !here.contains(run))
        .collect();
    if !absent.is_empty() {
        let absent: Vec<&str> = absent.into_iter().collect();
        ui.note(&format!(
            "cohort {name}: not extracted here, and kept in the manifest as they were: {}",
            rs_core::suggest::list(&absent, 5)
        ));
    }
}
