//! What the run folders of a cohort are like: here, packed, pushed, changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::cohort::Cohort;
use rs_core::manifest::RunBlob;
use rs_core::monitor::Monitor;
use serde::Serialize;

use crate::contents::Contents;
use crate::library::Library;
use crate::runs::{Run, runs_of};
use crate::seen::{Look, Seen};
use crate::work;

/// How many run folders are in which state; each is in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct States {
    /// Here, as pushed.
    pub(crate) pushed: u64,
    /// Here, and not what was pushed.
    pub(crate) changed: u64,
    /// Here, without some of the files that were pushed.
    pub(crate) incomplete: u64,
    /// Here, and never pushed.
    pub(crate) not_pushed: u64,
    /// Not extracted, but the blob is in the store.
    pub(crate) packed: u64,
    /// Neither; a remote has it.
    pub(crate) absent: u64,
}

impl States {
    /// Run folders that the manifest knows.
    pub(crate) fn known(&self) -> u64 {
        self.pushed + self.changed + self.incomplete + self.packed + self.absent
    }

    /// All of them.
    pub(crate) fn all(&self) -> u64 {
        self.known() + self.not_pushed
    }

    /// What became of pushing, in a word or two.
    pub(crate) fn shown(&self) -> String {
        if self.known() == 0 {
            return if self.not_pushed == 0 { "-" } else { "no" }.to_owned();
        }
        let parts = [(self.changed, "changed"), (self.incomplete, "partly here"), (self.not_pushed, "not")];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if parts.is_empty() { "yes".to_owned() } else { parts.join(", ") }
    }
}

/// The runs of a cohort in the manifest, each once.
pub(crate) fn known_runs<'a>(library: &'a Library, name: &'a str) -> BTreeMap<&'a str, &'a RunBlob> {
    library.evals_of(name).flat_map(|(_, eval)| &eval.runs).map(|run| (run.path.as_str(), run)).collect()
}

/// Looks at the run folders of a cohort. What may have changed is hashed; nothing else is read.
pub(crate) fn states(
    library: &Library,
    name: &str,
    cohort: &Cohort,
    seen: &mut Seen,
    monitor: &Arc<Monitor>,
    ui: &Ui,
) -> Result<States, CommandError> {
    let known = known_runs(library, name);
    let here: Vec<_> = runs_of(cohort).into_iter().filter(|run| run.folder.is_dir()).collect();
    let mut states = States::default();
    let (pushed, new): (Vec<_>, Vec<_>) = here.iter().partition(|run| known.contains_key(run.path.as_str()));
    states.not_pushed = new.len() as u64;
    let looks: Vec<Look> = pushed
        .par_iter()
        .map(|run| Look::at_run_of(cohort, &run.path))
        .collect::<Result<_, _>>()
        .map_err(work::pack_error)?;
    let path = |run: &str| format!("{name}/{run}");
    let contents = |run: &Run| Contents::from(known[run.path.as_str()]);
    let unknown_bytes = pushed
        .iter()
        .zip(&looks)
        .filter(|(run, look)| contents(run).is_unknown(&path(&run.path), look, seen))
        .map(|(_, look)| look.raw_bytes())
        .sum();
    let _progress = ui.watch("looking", unknown_bytes, monitor);
    for (run, look) in pushed.iter().zip(&looks) {
        let is_here = contents(run).is_here(&path(&run.path), look, seen, monitor).map_err(work::pack_error)?;
        let state = match is_here {
            true => &mut states.pushed,
            false if lacks_files(cohort, &run.path) => &mut states.incomplete,
            false => &mut states.changed,
        };
        *state += 1;
    }
    let here: BTreeSet<&str> = here.iter().map(|run| run.path.as_str()).collect();
    for run in known.values().filter(|run| !here.contains(run.path.as_str())) {
        if library.store.has(&run.blob) == Some(run.size) { states.packed += 1 } else { states.absent += 1 }
    }
    Ok(states)
}

/// Whether a run folder is here in part.
fn lacks_files(cohort: &Cohort, run: &str) -> bool {
    cohort.incomplete.iter().any(|incomplete| incomplete.run == run)
}

#[cfg(test)]
mod tests {
    use super::States;

    #[test]
    fn a_word_or_two() {
        let states = |pushed, changed, not_pushed| States { pushed, changed, not_pushed, ..States::default() };
        assert_eq!(states(0, 0, 0).shown(), "-");
        assert_eq!(states(2, 0, 0).shown(), "yes");
        assert_eq!(states(0, 0, 3).shown(), "no");
        assert_eq!(states(2, 0, 1).shown(), "1 not");
        assert_eq!(states(2, 1, 0).shown(), "1 changed");
        assert_eq!(states(2, 1, 1).shown(), "1 changed, 1 not");
        assert_eq!(States { incomplete: 2, ..states(1, 0, 1) }.shown(), "2 partly here, 1 not");
    }
}
