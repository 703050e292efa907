//! The step `compress`: every raw file is zstd with checksums.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::cohort::Cohort;
use rs_core::monitor::Monitor;
use rs_core::reader::{Codec, raw_file_name};
use rs_core::rewrite::{self, Original, RewriteError, Target};
use rs_core::zstd_frames::{Checksums, checksums};
use rs_core::{atomic_file, paths};

use super::files::{Files, OwnFile};
use super::replace::{Mode, Replaced, Work, problem, replace};
use super::report::{Problem, StepRow};

/// What is to be done with a file.
enum Plan {
    /// It is as it should be.
    Nothing,
    /// It is packed, under this name or another.
    Pack(Work),
    /// A run before has packed it, and was killed before it went.
    Remove(OwnFile),
    /// It stays.
    Leave(Problem),
}

/// Packs the files of a cohort.
pub(crate) fn run(
    cohort: &Cohort,
    files: Files,
    mode: Mode,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(StepRow, Replaced), CommandError> {
    let (n_files, bytes_before) = (files.own.len() as u64, files.size_bytes());
    let plans: Vec<Plan> =
        files.own.into_par_iter().map(|file| plan(cohort, file, monitor)).collect::<Result<_, _>>()?;
    let (mut works, mut leftovers, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let mut targets = BTreeSet::new();
    for plan in plans {
        match plan {
            Plan::Nothing => {}
            // Of `a.ndjson` and `a.ndjson.gz` only one can become `a.ndjson.zst`.
            Plan::Pack(Work { original, target: Target::Moved(path), .. }) if targets.contains(&path) => {
                problems.push(problem(&paths::show(&original.path), RewriteError::Occupied { path })?);
            }
            Plan::Pack(work) => {
                if let Target::Moved(path) = &work.target {
                    targets.insert(path.clone());
                }
                works.push(work);
            }
            Plan::Remove(file) => leftovers.push(file),
            Plan::Leave(problem) => problems.push(problem),
        }
    }
    let n_repacked = works.iter().filter(|work| work.target == Target::Repacked).count();
    let total_bytes = works.iter().map(|work| work.original.size_bytes()).sum();
    let watched = ui.watch(&format!("compressing {}", cohort.folder.display()), total_bytes, monitor);
    let mut replaced = replace(works, mode, monitor)?;
    drop(watched);
    remove(leftovers, mode, &mut replaced)?;
    replaced.problems.extend(problems);
    if n_repacked > 0 {
        ui.note(&format!("without checksums, in which damage would not be noticed, and packed anew: {n_repacked}"));
    }
    let row = StepRow {
        step: "compress",
        files: n_files,
        changed: replaced.files.len() as u64,
        bytes_before,
        bytes_after: bytes_before - replaced.bytes_before + replaced.bytes_after,
        records_before: None,
        records_after: None,
    };
    Ok((row, replaced))
}

/// Finishes what a run before had all but done: removes files whose packed copies are there. To be done before duplicates
/// are removed, which all records of both would be.
pub(crate) fn finish(cohort: &Cohort, files: Files, monitor: &Monitor) -> Result<(), CommandError> {
    let leftovers = files.own.into_iter().map(|file| plan(cohort, file, monitor)).filter_map(|plan| match plan {
        Ok(Plan::Remove(file)) => Some(Ok(file)),
        Err(error) => Some(Err(error)),
        // It is told when its turn comes.
        Ok(_) => None,
    });
    remove(leftovers.collect::<Result<_, _>>()?, Mode::Replace, &mut Replaced::default())
}

fn plan(cohort: &Cohort, file: OwnFile, monitor: &Monitor) -> Result<Plan, CommandError> {
    let raw = &cohort.files[file.at];
    let path = paths::show(&raw.path);
    if raw.codec == Codec::Zstd {
        return Ok(match checksums(&raw.path).map_err(CommandError::environment)? {
            Checksums::All => Plan::Nothing,
            Checksums::Missing => pack(file, Target::Repacked),
            Checksums::Damaged => Plan::Leave(Problem { path, what: "is damaged or cut off".to_owned() }),
        });
    }
    let name = raw.path.file_name().unwrap_or_default().to_string_lossy();
    let plain = raw_file_name(&name).map_or(name.as_ref(), |(plain, _)| plain);
    let target = raw.path.with_file_name(format!("{plain}.zst"));
    if !target.exists() && !target.is_symlink() {
        return Ok(pack(file, Target::Moved(target)));
    }
    match is_same(&file.original, target.clone(), monitor) {
        Ok(true) => Ok(Plan::Remove(file)),
        Ok(false) => Ok(Plan::Leave(problem(&path, RewriteError::Occupied { path: target })?)),
        Err(error) => Ok(Plan::Leave(problem(&path, error)?)),
    }
}

fn pack(file: OwnFile, target: Target) -> Plan {
    Plan::Pack(Work { at: file.at, original: file.original, target })
}

/// Whether what stands where a packed file is to be is that file, whole and with checksums.
fn is_same(original: &Original, target: PathBuf, monitor: &Monitor) -> Result<bool, RewriteError> {
    if target.is_symlink() || !target.is_file() || checksums(&target)? != Checksums::All {
        return Ok(false);
    }
    let content = original.decoded_hash(monitor)?;
    match Original::look(&target, Codec::Zstd)?.decoded_hash(monitor) {
        Err(RewriteError::Cancelled) => Err(RewriteError::Cancelled),
        there => Ok(there.is_ok_and(|there| there == content)),
    }
}

/// Removes files whose content is in others.
fn remove(leftovers: Vec<OwnFile>, mode: Mode, replaced: &mut Replaced) -> Result<(), CommandError> {
    for OwnFile { at, original } in leftovers {
        if mode == Mode::Replace {
            if let Err(error) = rewrite::remove(&original) {
                replaced.problems.push(problem(&paths::show(&original.path), error)?);
                continue;
            }
            atomic_file::sync_folder(atomic_file::folder_of(&original.path)).map_err(CommandError::environment)?;
        }
        replaced.files.push(at);
        replaced.bytes_before += original.size_bytes();
    }
    Ok(())
}
