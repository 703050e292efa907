//! Raw files in the blobs of run folders that are not extracted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::listing::{Found, FoundFiles, Listed, is_hidden, modified_nanos, slashes};
use super::{AbsentRun, Cohort, Entry, IncompleteRun, RawFile};
use crate::document::{self, DocumentError};
use crate::library::{Library, NamedRun};
use crate::origin::{InBlob, Origin};
use crate::pack::{self, Expected, Member, Pack, PackError};
use crate::paths;
use crate::reader::{Codec, raw_file_name};
use crate::suggest;

/// Most bytes of a text that is read out of a blob as a whole.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Absent runs that a warning names.
const SHOWN_RUNS: usize = 5;

/// What the manifest and the local store add to what lies in folders.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) files: FoundFiles,
    pub(super) absent: Vec<AbsentRun>,
    pub(super) incomplete: Vec<IncompleteRun>,
    pub(super) blobs: BTreeMap<String, Arc<Path>>,
}

/// Lists the raw files in the blobs of runs that the manifest names within reach of the searches and whose folders hold no
/// raw file of an evaluation or are not there; `listed` is what the searches have found. Folders that hold some of their
/// files stand for themselves, and are told. `shown` is the cohort's folder as the user would type it, `folder` the same absolute.
pub(super) fn list(
    shown: &Path,
    folder: &Path,
    library: &Library,
    searches: &BTreeMap<PathBuf, usize>,
    entries: &[Entry],
    listed: &Listed,
    is_matched: impl Fn(&Found) -> bool,
) -> Packed {
    let ids: Vec<String> = entries.iter().map(|entry| entry.eval_id().to_string()).collect();
    let within_reach: BTreeMap<&Path, &NamedRun> =
        searches.keys().flat_map(|search| library.runs_around(search)).collect();
    let with_raw_files: BTreeSet<&Path> = listed.raw.values().filter_map(|found| found.names[0].parent()).collect();
    let has_raw_files = |run: &Path| {
        let mut from_here = with_raw_files.range::<Path, _>((Bound::Included(run), Bound::Unbounded));
        from_here.next().is_some_and(|folder| folder.starts_with(run))
    };
    let (extracted, mut runs): (Vec<_>, Vec<_>) = within_reach.into_iter().partition(|(path, _)| has_raw_files(path));
    let mut packed = Packed::default();
    let incomplete = extracted.par_iter().filter(|(_, named)| named.evals.iter().any(|id| ids.contains(id)));
    let incomplete: Vec<_> = incomplete
        .filter_map(|(path, named)| Some((*path, *named, incomplete_run(library, folder, path, named, listed)?)))
        .collect();
    for (path, named, run) in incomplete {
        let below = format!("{}/", run.run);
        let in_folder = listed.raw.range((below.clone(), PathBuf::new())..).map(|(_, found)| found);
        let mut in_folder = in_folder.take_while(|found| found.file.logical.starts_with(&below));
        if in_folder.any(&is_matched) { packed.incomplete.push(run) } else { runs.push((path, named)) }
    }
    let members: Vec<Option<Result<Vec<Member>, PackError>>> =
        runs.par_iter().map(|(_, named)| members(library, named)).collect();
    for ((path, named), members) in runs.into_iter().zip(members) {
        let below_cohort = paths::relative_to(path, folder);
        let run = slashes(&below_cohort);
        let evaluations = (0..ids.len()).filter(|at| named.evals.contains(&ids[*at])).collect();
        let members = match members {
            Some(Ok(members)) => members,
            // Runs of others, which a glob may not even match, are theirs to miss.
            None if !named.evals.iter().any(|id| ids.contains(id)) => continue,
            None => {
                packed.absent.push(AbsentRun { run, evaluations });
                continue;
            }
            Some(Err(error)) => {
                let file = RawFile {
                    path: paths::join(shown, &below_cohort),
                    logical: run.clone(),
                    run: run.clone(),
                    codec: Codec::Plain,
                    size_bytes: 0,
                    modified_nanos: 0,
                    origin: Origin::Unusable(error.to_string().into()),
                };
                let names = [path.to_owned(), path.to_owned()];
                packed.files.insert((run, path.to_owned()), Found { file, names, claimed_by: evaluations });
                continue;
            }
        };
        let blob: Arc<Path> = library.store.path_of(&named.run.blob).into();
        let modified_nanos = fs_err::metadata(&blob).map_or(0, |metadata| modified_nanos(&metadata));
        for member in members {
            let absolute = path.join(&member.name);
            let name = member.name.rsplit('/').next().unwrap_or_default();
            let Some((plain, codec)) = raw_file_name(name) else { continue };
            if !searches.iter().any(|(search, depth)| is_reached(&absolute, search, *depth)) {
                continue;
            }
            let below_cohort = paths::relative_to(&absolute, folder);
            let file = RawFile {
                logical: slashes(&below_cohort.with_file_name(plain)),
                run: slashes(below_cohort.parent().unwrap_or(Path::new(""))),
                codec,
                size_bytes: member.size_bytes,
                modified_nanos,
                path: paths::join(shown, &below_cohort),
                origin: Origin::Blob(InBlob {
                    blob: Arc::clone(&blob),
                    offset: member.offset,
                    content: member.content,
                }),
            };
            let names = [absolute.clone(), absolute.with_file_name(plain)];
            packed.files.insert((file.logical.clone(), absolute), Found { file, names, claimed_by: Vec::new() });
        }
        packed.blobs.insert(run, blob);
    }
    packed
}

/// A run folder that lacks files of its blob, by their names, or by their number where the blob is not here. Whether what
/// it holds is what was packed, nobody looks: that would take reading it.
fn incomplete_run(
    library: &Library,
    folder: &Path,
    path: &Path,
    named: &NamedRun,
    listed: &Listed,
) -> Option<IncompleteRun> {
    let run = slashes(&paths::relative_to(path, folder));
    // What cannot be listed is told by whoever wants all of it.
    let files = match listed.folders.get(&run) {
        Some(files) => files.clone(),
        None => pack::list_run(path).ok()?,
    };
    let (n_files, raw_bytes) = (files.len() as u64, files.iter().map(|file| file.size_bytes).sum::<u64>());
    if (n_files, raw_bytes) == (named.run.n_files, named.run.raw_size) {
        return None;
    }
    let n_here = match members(library, named) {
        Some(Ok(members)) => {
            // A file that was compressed since is the same one.
            let here: BTreeSet<&str> = files.iter().map(|file| plain_name(&file.name)).collect();
            members.iter().filter(|member| here.contains(plain_name(&member.name))).count() as u64
        }
        _ => n_files.min(named.run.n_files),
    };
    (n_here < named.run.n_files).then_some(IncompleteRun { run, n_here, n_files: named.run.n_files })
}

/// A file's name without the suffix of a raw file's compression.
fn plain_name(name: &str) -> &str {
    raw_file_name(name).map_or(name, |(plain, _)| plain)
}

/// The files in the blob of a run, which must be what the manifest says. `None` if it is not in the store.
fn members(library: &Library, named: &NamedRun) -> Option<Result<Vec<Member>, PackError>> {
    let run = &named.run;
    library.store.has(&run.blob)?;
    let expected = Expected { content: run.content, raw_bytes: run.raw_size, n_files: run.n_files };
    let opened = Pack::open(&library.store.path_of(&run.blob));
    Some(opened.and_then(|pack| pack::check_expected(&pack, &expected).map(|()| pack.into_members())))
}

/// Whether a search of the disk would come upon a file.
fn is_reached(file: &Path, search: &Path, depth: usize) -> bool {
    let Ok(below) = file.strip_prefix(search) else { return false };
    below.components().count() <= depth && !below.iter().any(is_hidden)
}

/// What to tell of runs whose raw data is not here.
pub(super) fn warning(cohort: &Path, absent: &[AbsentRun]) -> Option<String> {
    let runs: Vec<&str> = absent.iter().map(|absent| absent.run.as_str()).collect();
    let cohort = paths::show(cohort);
    let what = match runs.len() {
        0 => return None,
        1 => "a run is neither extracted nor in the local store".to_owned(),
        n => format!("{n} runs are neither extracted nor in the local store"),
    };
    Some(format!(
        "{cohort}: {what}: {}; `data pull cohort {cohort}` fetches the raw data",
        suggest::list(&runs, SHOWN_RUNS)
    ))
}

/// What to tell of run folders that lack files.
pub(super) fn incomplete_warning(cohort: &Path, incomplete: &[IncompleteRun]) -> Option<String> {
    let runs: Vec<String> = incomplete.iter().map(ToString::to_string).collect();
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let cohort = paths::show(cohort);
    let what = match runs.len() {
        0 => return None,
        1 => "a run folder lacks files that were pushed".to_owned(),
        n => format!("{n} run folders lack files that were pushed"),
    };
    let runs = suggest::list(&runs, SHOWN_RUNS);
    Some(format!("{cohort}: {what}: {runs}; `data pull cohort {cohort}` brings them back"))
}

pub(super) fn run_text(cohort: &Cohort, run: &str, name: &str) -> Result<Option<String>, DocumentError> {
    let path = paths::join(&cohort.folder, Path::new(run)).join(name);
    let in_blob = cohort.packed.iter().find_map(|(packed, blob)| {
        let below = match run.strip_prefix(packed.as_str())? {
            "" => name.to_owned(),
            rest => format!("{}/{name}", rest.strip_prefix('/')?),
        };
        Some((blob, below))
    });
    let Some((blob, member)) = in_blob else {
        return if path.is_file() { document::read_text(&path).map(Some) } else { Ok(None) };
    };
    let pack = Pack::open(blob).map_err(std::io::Error::other)?;
    let Ok(at) = pack.members().binary_search_by(|known| known.name.as_str().cmp(&member)) else { return Ok(None) };
    let member = &pack.members()[at];
    if member.size_bytes > MAX_TEXT_BYTES {
        let what = format!("`{}` is too large: it has {} bytes", path.display(), member.size_bytes);
        return Err(std::io::Error::other(what).into());
    }
    let mut bytes = Vec::new();
    pack.reader(member.range()).read_to_end(&mut bytes)?;
    document::text(bytes, &path).map(Some)
}
