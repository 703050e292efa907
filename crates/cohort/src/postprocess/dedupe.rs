//! The step `dedupe`: records that lost to another of the same sample go.

use std::sync::Arc;

use rs_cli::{CommandError, Ui};
use rs_core::cohort::Cohort;
use rs_core::collect::Wanted;
use rs_core::duplicates::{self, Candidate, InFile};
use rs_core::every_line::Input;
use rs_core::monitor::Monitor;
use rs_core::paths;
use rs_core::rewrite::{Splice, Target};

use super::files::Files;
use super::replace::{Mode, Replaced, Work, replace, stopped};
use super::report::{Problem, StepRow};
use crate::scan;

/// Removes duplicates from the files of a cohort.
pub(crate) fn run(
    cohort: &Cohort,
    files: Files,
    mode: Mode,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(StepRow, Replaced), CommandError> {
    let (n_files, bytes_before) = (files.own.len() as u64, files.size_bytes());
    let wanted: Vec<Wanted> = cohort.evaluations.iter().map(scan::wanted).collect();
    let candidates: Vec<Candidate> = files
        .own
        .iter()
        .map(|own| {
            let file = &cohort.files[own.at];
            let reads = |eval: &usize| cohort.evaluations[*eval].files.contains(&own.at);
            Candidate {
                input: Input { path: file.path.clone(), codec: file.codec, size_bytes: file.size_bytes },
                evaluations: (0..wanted.len()).filter(reads).collect(),
            }
        })
        .collect();
    let watched = ui.watch(&format!("reading {}", cohort.folder.display()), bytes_before, monitor);
    let found = duplicates::find(&candidates, &wanted, monitor);
    drop(watched);
    if monitor.is_cancelled() {
        return Err(stopped());
    }
    let sum = |of: fn(&InFile) -> u64| found.iter().map(of).sum::<u64>();
    let (n_records, n_lost_to_others) = (sum(|file| file.n_records), sum(|file| file.n_lost_to_others));
    let (mut works, mut problems) = (Vec::new(), Vec::new());
    let mut losers_of = vec![0; cohort.files.len()];
    for (own, found) in files.own.into_iter().zip(found) {
        if let Some(error) = found.unreadable {
            let what = format!("cannot be read to its end: {error}");
            problems.push(Problem { path: paths::show(&own.original.path), what });
        }
        if !found.losers.is_empty() {
            losers_of[own.at] = found.losers.len() as u64;
            let splice = |span: &duplicates::Span| Splice {
                offset: span.offset,
                n_bytes: u64::from(span.n_bytes),
                new: Box::default(),
            };
            let target = Target::Edited(found.losers.iter().map(splice).collect());
            works.push(Work { at: own.at, original: own.original, target });
        }
    }
    let total_bytes = works.iter().map(|work| work.original.size_bytes()).sum();
    let watched = ui.watch(&format!("removing duplicates in {}", cohort.folder.display()), total_bytes, monitor);
    let mut replaced = replace(works, mode, monitor)?;
    drop(watched);
    replaced.problems.extend(problems);
    if n_lost_to_others > 0 {
        ui.note(&format!("duplicates of a record in another file: {n_lost_to_others}"));
    }
    let n_removed: u64 = replaced.files.iter().map(|at| losers_of[*at]).sum();
    let row = StepRow {
        step: "dedupe",
        files: n_files,
        changed: replaced.files.len() as u64,
        bytes_before,
        bytes_after: bytes_before - replaced.bytes_before + replaced.bytes_after,
        records_before: Some(n_records),
        records_after: Some(n_records - n_removed),
    };
    Ok((row, replaced))
}
