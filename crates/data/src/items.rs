//! What a manifest says of cohorts and datasets, one by one: which run folders and databases there should be, and what
//! is here of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::atomic_file::{self, beside};
use rs_core::cohort::Cohort;
use rs_core::dataset::{Dataset, Selection};
use rs_core::lock::Lock;
use rs_core::manifest::{DatabaseBlob, EvalBlobs, RunBlob};
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content, Existing, Expected, Pack, PackError, Unpacked};
use rs_core::paths;
use rs_core::store::Store;

use crate::batches::{each, in_batches};
use crate::contents::Contents;
use crate::leftovers::{REPAIRED, exchange, has_other_files, remove_if_there};
use crate::library::{Library, dataset_hash, shown_database, shown_run};
use crate::seen::{FINE_GRAIN, Look, Seen};
use crate::transfer::Destination;
use crate::work;
use rs_core::digest::BlobId;

/// A run folder or database that the manifest knows.
pub(crate) struct Item {
    /// Position in [`Items::groups`].
    pub(crate) group: usize,
    /// For people.
    pub(crate) what: String,
    /// What the memory of what was seen calls it.
    pub(crate) seen_as: String,
    pub(crate) place: PathBuf,
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
    pub(crate) contents: Contents,
    /// Where it was listed already, and as which run.
    listed: Option<(Arc<Cohort>, String)>,
}

impl Item {
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.contents.raw_bytes()
    }
}

/// What an item is like here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    /// As it should be.
    Same,
    /// Not at all.
    Absent,
    /// A run folder with fewer files.
    Partly,
    /// Something else is in its place.
    Different,
}

/// A cohort or database.
pub(crate) struct Group {
    /// `cohort` or `database`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

/// What some cohorts and datasets should have.
#[derive(Default)]
pub(crate) struct Items {
    pub(crate) items: Vec<Item>,
    pub(crate) groups: Vec<Group>,
}

impl Items {
    /// Adds the database of a dataset.
    pub(crate) fn add_database(
        &mut self,
        dataset: &Dataset,
        database: &DatabaseBlob,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        if database.dataset != dataset_hash(&dataset.file)? {
            ui.note(&format!("{} has changed since its database was pushed", paths::show(&dataset.file)));
        }
        let seen_as = shown_database(&dataset.name);
        self.items.push(Item {
            group: self.groups.len(),
            what: seen_as.clone(),
            seen_as,
            place: dataset.db.clone(),
            blob: database.blob,
            size_bytes: database.size,
            contents: database.into(),
            listed: None,
        });
        self.groups.push(Group { kind: "database", name: dataset.name.clone() });
        Ok(())
    }

    /// Adds the evaluations that a dataset selects.
    pub(crate) fn add_selection(
        &mut self,
        library: &Library,
        selection: Selection,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        let cohorts: Vec<Arc<Cohort>> = selection.cohorts.into_iter().map(Arc::new).collect();
        let mut chosen: BTreeMap<String, (usize, Vec<&EvalBlobs>)> = BTreeMap::new();
        for (cohort, evaluation) in selection.evaluations {
            let name = library.name_of(&cohorts[cohort].folder)?;
            let eval_id = cohorts[cohort].evaluations[evaluation].entry.eval_id();
            match library.manifest.evals.get(eval_id.as_str()) {
                Some(eval) => chosen.entry(name).or_insert_with(|| (cohort, Vec::new())).1.push(eval),
                None => ui.warn(&format!("cohort {name}: evaluation {eval_id} was never pushed")),
            }
        }
        for (name, (cohort, evals)) in &chosen {
            self.add_runs(library, name, evals, Some(&cohorts[*cohort]));
        }
        Ok(())
    }

    /// Adds the runs of evaluations of a cohort, each once.
    pub(crate) fn add_evals(&mut self, library: &Library, cohort: &str, evals: &[&EvalBlobs]) {
        self.add_runs(library, cohort, evals, None);
    }

    /// The same, of a cohort that may be open and so have listed its files.
    fn add_runs(&mut self, library: &Library, cohort: &str, evals: &[&EvalBlobs], opened: Option<&Arc<Cohort>>) {
        let runs: BTreeMap<&str, &RunBlob> =
            evals.iter().flat_map(|eval| &eval.runs).map(|run| (run.path.as_str(), run)).collect();
        for run in runs.into_values() {
            self.items.push(Item {
                group: self.groups.len(),
                what: shown_run(cohort, &run.path),
                seen_as: format!("{cohort}/{}", run.path),
                place: library.run_folder(cohort, &run.path),
                blob: run.blob,
                size_bytes: run.size,
                contents: run.into(),
                listed: opened.map(|opened| (Arc::clone(opened), run.path.clone())),
            });
        }
        self.groups.push(Group { kind: "cohort", name: cohort.to_owned() });
    }
}

/// What is here of each item; what is not known is hashed.
pub(crate) fn look(
    items: &[Item],
    seen: &mut Seen,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<Vec<Here>, CommandError> {
    let looks: Vec<Option<Look>> = items
        .par_iter()
        .map(|item| match &item.contents {
            Contents::Run(_) if item.place.is_dir() => match &item.listed {
                Some((cohort, run)) => Look::at_run_of(cohort, run).map(Some),
                None => Look::at_run(&item.place).map(Some),
            },
            Contents::Database { .. } if item.place.is_file() => Look::at_database(&item.place).map(Some),
            _ => Ok(None),
        })
        .collect::<Result<_, _>>()
        .map_err(work::pack_error)?;
    let unknown = |item: &Item, look: &Look| item.contents.is_unknown(&item.seen_as, look, seen);
    let unknown_bytes = items
        .iter()
        .zip(&looks)
        .filter_map(|(item, look)| look.as_ref().filter(|look| unknown(item, look)))
        .map(Look::raw_bytes)
        .sum();
    let _progress = ui.watch("looking", unknown_bytes, monitor);
    let mut here = Vec::new();
    for (item, look) in items.iter().zip(&looks) {
        here.push(match look {
            None => Here::Absent,
            Some(look) if look.files.is_empty() => Here::Absent,
            Some(look) => match item.contents {
                Contents::Run(expected) if (look.files.len() as u64) < expected.n_files => Here::Partly,
                contents => {
                    let is_here = contents.is_here(&item.seen_as, look, seen, monitor).map_err(work::pack_error)?;
                    if is_here { Here::Same } else { Here::Different }
                }
            },
        });
    }
    Ok(here)
}

/// Unpacks the blobs of items, which are in the store, into their places: one result for each. What was unpacked is noted,
/// so that nobody hashes it again.
pub(crate) fn unpack_all(
    library: &Library,
    lock: &Lock,
    items: &[&Item],
    seen: &mut Seen,
    monitor: &Monitor,
) -> Vec<Result<(), PackError>> {
    let bytes_of = |item: &&Item| item.raw_bytes();
    let results = in_batches(
        items,
        bytes_of,
        |batch| each(batch, bytes_of, |item| unpack(&library.store, item, monitor)),
        |batch| {
            let (mut unpacked, mut others) = (Vec::new(), Vec::new());
            for result in batch {
                match result {
                    Ok(Some(run)) => {
                        unpacked.push(run);
                        others.push(None);
                    }
                    other => others.push(Some(other.map(|_| ()))),
                }
            }
            let mut settled = pack::settle(unpacked).into_iter();
            let results = others.into_iter().map(|other| other.or_else(|| settled.next()));
            results.map(|result| result.unwrap_or(Err(PackError::Cancelled))).collect()
        },
    );
    // So that the files' times will tell whether somebody changes them.
    std::thread::sleep(FINE_GRAIN);
    let learnt = |(result, item): (Result<(), PackError>, &&Item)| result.and_then(|()| learn(item, seen));
    let results = results.into_iter().zip(items).map(learnt).collect();
    seen.save(library, Some(lock));
    results
}

/// Unpacks an item's blob beside its place; a database into its place.
fn unpack(store: &Store, item: &Item, monitor: &Monitor) -> Result<Option<Unpacked>, PackError> {
    let blob = store.path_of(&item.blob);
    match &item.contents {
        Contents::Run(expected) => pack::unpack_run(&blob, &item.place, expected, monitor).map(Some),
        Contents::Database { raw_bytes, .. } => {
            fs_err::create_dir_all(atomic_file::folder_of(&item.place))?;
            pack::unpack_file(&blob, &item.place, *raw_bytes, Existing::Replace, monitor).map(|()| None)
        }
    }
}

/// Unpacks a run in the place of a folder that has some of its files, and nothing else; `false` if it has something else,
/// and stays.
pub(crate) fn complete(library: &Library, item: &Item, seen: &mut Seen, monitor: &Monitor) -> Result<bool, PackError> {
    let Contents::Run(expected) = item.contents else { return Ok(false) };
    let blob = library.store.path_of(&item.blob);
    let members = Pack::open(&blob)?.into_members();
    let files = pack::list_run(&item.place)?;
    for file in &files {
        let member = members.iter().find(|member| (&member.name, member.size_bytes) == (&file.name, file.size_bytes));
        let Some(member) = member else { return Ok(false) };
        if pack::content_of_file(file, &Monitor::default())?.hash != member.content {
            return Ok(false);
        }
    }
    if item.place.is_symlink() || has_other_files(&item.place, files.len())? {
        return Ok(false);
    }
    replace_run(library, item, &expected, seen, monitor)?;
    Ok(true)
}

/// Unpacks a run in the place of what is there, which goes only when that is whole.
pub(crate) fn replace_run(
    library: &Library,
    item: &Item,
    expected: &Expected,
    seen: &mut Seen,
    monitor: &Monitor,
) -> Result<(), PackError> {
    let new = beside(&item.place, REPAIRED);
    remove_if_there(&new)?;
    pack::extract_run(&library.store.path_of(&item.blob), &new, expected, monitor)?;
    exchange(&new, &item.place)?;
    learn(item, seen)
}

/// Unpacks a database into its place.
pub(crate) fn replace_database(
    library: &Library,
    item: &Item,
    seen: &mut Seen,
    monitor: &Monitor,
) -> Result<(), PackError> {
    unpack(&library.store, item, monitor)?;
    learn(item, seen)
}

/// Notes what was unpacked, so that nobody hashes it again.
pub(crate) fn learn(item: &Item, seen: &mut Seen) -> Result<(), PackError> {
    let look = match &item.contents {
        Contents::Run(_) => Look::at_run(&item.place)?,
        Contents::Database { .. } => Look::at_database(&item.place)?,
    };
    let content = match &item.contents {
        Contents::Run(expected) => {
            Content { hash: expected.content, raw_bytes: expected.raw_bytes, n_files: expected.n_files }
        }
        // Its blob was what it should be; whether the manifest says right what it holds, nobody has looked.
        Contents::Database { .. } => look.content(&Monitor::default())?,
    };
    seen.learn(&item.seen_as, &look, &content, Some((item.blob, item.size_bytes)));
    Ok(())
}

/// The local store as a place for fetched blobs.
pub(crate) struct Local<'a>(pub(crate) &'a Store);

impl Destination for Local<'_> {
    fn partial_of(&self, key: &BlobId) -> PathBuf {
        self.0.partial_of(key)
    }

    fn adopt(&self, key: &BlobId, partial: &Path) -> std::io::Result<()> {
        self.0.adopt(partial, key)
    }
}
