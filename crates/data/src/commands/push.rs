//! `data push`: packs what is not packed, sends what the remote does not have, then says so in the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::Cohort;
use rs_core::dataset::Dataset;
use rs_core::eval_id::identity_text;
use rs_core::manifest::{DatabaseBlob, EvalBlobs, RunBlob};
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content, ContentHash, FRAME_BYTES, PackError, Packed};
use rs_core::store::BlobId;
use rs_core::{document, paths};
use serde::Serialize;

use crate::disk::require_room;
use crate::library::{Library, NamedRemote, shown_database, shown_run};
use crate::remote::Options;
use crate::runs::{Run, runs_of};
use crate::seen::{Look, Seen};
use crate::transfer::{self, Sent, ToSend};
use crate::work::{self, pack_error};

/// Store run folders and databases in a remote, and note them in the manifest.
///
/// What the remote has already is not sent again, and what has not changed is not read again. Interrupted, the same
/// command goes on where it stopped.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Push the raw data of cohorts.
    Cohort {
        /// Their folders.
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Push the database of a dataset.
    Dataset {
        /// The dataset file.
        file: PathBuf,
        /// Push the raw data of its cohorts too.
        #[arg(long)]
        raw: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// The remote to push to [default: origin, or the only one].
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.push/1`.
#[derive(Debug, Serialize)]
struct PushReport {
    schema: &'static str,
    remote: String,
    items: Vec<Row>,
}

/// What became of a cohort or database.
#[derive(Debug, Clone, Default, Serialize)]
struct Row {
    /// `cohort` or `database`.
    kind: &'static str,
    name: String,
    /// Run folders that are here; 1 for a database.
    runs: u64,
    /// Those that had to be packed.
    packed: u64,
    /// Bytes of the files.
    raw_bytes: u64,
    /// Stored bytes of their blobs.
    stored_bytes: u64,
    /// Stored bytes sent; the others the remote had.
    sent_bytes: u64,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let monitor = work::stoppable()?;
    let (common, cohorts, dataset) = match &args.what {
        What::Cohort { folders, common } => (common, folders.clone(), None),
        What::Dataset { file, raw, common } => {
            let dataset = Dataset::open(file)?;
            let cohorts =
                if *raw { dataset.cohorts.iter().map(|(path, _)| path.clone()).collect() } else { Vec::new() };
            (common, cohorts, Some(dataset))
        }
    };
    common.output.check()?;
    let mut library = match (&dataset, cohorts.first()) {
        (Some(dataset), _) => Library::of_dataset(&dataset.file)?,
        (None, Some(first)) => Library::of_cohort(crate::library::folder_of(first))?,
        (None, None) => return Err(CommandError::input("nothing to push")),
    };
    // Whatever is wrong with what was typed is found before any work.
    let remote = library.remote(common.remote.as_deref(), &Options::default())?;
    let mut opened = Vec::new();
    for folder in &cohorts {
        let cohort = Cohort::open(folder)?;
        cohort.warnings.iter().for_each(|warning| ui.warn(warning));
        let name = library.name_of(&cohort.folder)?;
        let runs = runs_of(&cohort)?;
        opened.push((name, cohort, runs));
    }
    let lock = library.lock()?;
    remote.remote.prepare().map_err(|error| work::remote_error(&error))?;
    let mut seen = Seen::read(library.store.folder());
    let mut report = PushReport { schema: "data.push/1", remote: remote.shown(), items: Vec::new() };
    for (name, cohort, runs) in &opened {
        let pushing = Pushing { library: &library, remote: &remote, monitor: &monitor };
        let (row, stored) = pushing.cohort(name, runs, &mut seen, ui)?;
        let evals = entries(&library, name, cohort, &stored);
        library.update(&lock, |manifest| manifest.evals.extend(evals))?;
        tell_of_absent(&library, name, runs, ui);
        report.items.push(row);
    }
    if let Some(dataset) = &dataset {
        let pushing = Pushing { library: &library, remote: &remote, monitor: &monitor };
        let (row, database) = pushing.database(dataset, &mut seen, ui)?;
        library.update(&lock, |manifest| drop(manifest.databases.insert(dataset.name.clone(), database)))?;
        report.items.push(row);
    }
    common.output.print(ui, &report)?;
    Ok(Exit::Done)
}

/// A run and the blob that holds it.
type Stored = BTreeMap<String, (Content, BlobId, u64)>;

struct Pushing<'a> {
    library: &'a Library,
    remote: &'a NamedRemote,
    monitor: &'a Arc<Monitor>,
}

impl Pushing<'_> {
    fn cohort(&self, name: &str, runs: &[Run], seen: &mut Seen, ui: &mut Ui) -> Result<(Row, Stored), CommandError> {
        let looks: Vec<Look> =
            runs.par_iter().map(|run| Look::at_run(&run.folder)).collect::<Result<_, _>>().map_err(pack_error)?;
        let mut row = Row { kind: "cohort", name: name.to_owned(), runs: runs.len() as u64, ..Row::default() };
        row.raw_bytes = looks.iter().map(Look::raw_bytes).sum();
        let known: BTreeMap<&str, &RunBlob> =
            self.library.evals_of(name).flat_map(|(_, eval)| &eval.runs).map(|run| (run.path.as_str(), run)).collect();
        let mut stored = Stored::new();
        let mut to_pack = Vec::new();
        let progress =
            work::progress(ui, "looking", self.unknown_bytes(name, runs, &looks, seen, &known), self.monitor);
        for (run, look) in runs.iter().zip(&looks) {
            let path = format!("{name}/{}", run.path);
            // A folder of the same size as in the manifest is probably the same: hashing is faster than packing.
            let is_like_known = known
                .get(run.path.as_str())
                .is_some_and(|known| (known.raw_size, known.n_files) == (look.raw_bytes(), look.files.len() as u64));
            let content = match seen.content(&path, look) {
                Some(content) => Some(content),
                None if is_like_known => Some(seen.content_or_hash(&path, look, self.monitor).map_err(pack_error)?),
                None => None,
            };
            let blob = content.as_ref().and_then(|content| {
                let from_manifest = known.values().find(|run| run.content == content.hash);
                from_manifest
                    .map(|run| (run.blob, run.size))
                    .or_else(|| seen.blob_of(&content.hash).filter(|(blob, _)| self.library.store.has(blob).is_some()))
            });
            match content.zip(blob) {
                Some((content, (blob, size))) => drop(stored.insert(run.path.clone(), (content, blob, size))),
                None => to_pack.push((run, look)),
            }
        }
        drop(progress);
        row.packed = to_pack.len() as u64;
        self.pack(name, &to_pack, &mut stored, seen, ui)?;
        row.stored_bytes = stored.values().map(|(_, _, size)| size).sum();
        row.sent_bytes =
            self.send(stored.iter().map(|(run, (_, blob, size))| (*blob, *size, shown_run(name, run))).collect(), ui)?;
        Ok((row, stored))
    }

    /// Bytes that must be hashed to know whether they have changed.
    fn unknown_bytes(
        &self,
        name: &str,
        runs: &[Run],
        looks: &[Look],
        seen: &Seen,
        known: &BTreeMap<&str, &RunBlob>,
    ) -> u64 {
        let is_unknown = |run: &Run, look: &Look| {
            known.contains_key(run.path.as_str()) && seen.content(&format!("{name}/{}", run.path), look).is_none()
        };
        runs.iter().zip(looks).filter(|(run, look)| is_unknown(run, look)).map(|(_, look)| look.raw_bytes()).sum()
    }

    fn pack(
        &self,
        name: &str,
        to_pack: &[(&Run, &Look)],
        stored: &mut Stored,
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        let raw_bytes = to_pack.iter().map(|(_, look)| look.raw_bytes()).sum();
        // Text shrinks to a tenth, packed files not at all: the store may need as much as there is.
        let progress = work::progress(ui, "packing", raw_bytes, self.monitor);
        let pack_one = |run: &Run, look: &Look| -> Result<Packed, PackError> {
            pack::store_run(&run.folder, &look.files, &self.library.store, self.monitor)
        };
        // Small runs side by side, large ones each on all threads.
        let (large, small): (Vec<_>, Vec<_>) =
            to_pack.iter().copied().partition(|(_, look)| look.raw_bytes() > FRAME_BYTES);
        let mut note = |run: &Run, look: &Look, packed: &Packed| -> Result<(), CommandError> {
            let content = Content { hash: packed.content, raw_bytes: packed.raw_bytes, n_files: packed.n_files };
            let blob = (packed.blob, packed.size_bytes);
            seen.learn(&format!("{name}/{}", run.path), look, &content, Some(blob));
            stored.insert(run.path.clone(), (content, packed.blob, packed.size_bytes));
            Ok(())
        };
        for (run, look) in &large {
            let packed = pack_one(run, look).map_err(pack_error)?;
            note(run, look, &packed)?;
        }
        // What is packed is packed, also if another fails.
        let packed: Vec<_> = small.par_iter().map(|(run, look)| pack_one(run, look)).collect();
        let mut failure = None;
        for ((run, look), packed) in small.iter().zip(packed) {
            match packed {
                Ok(packed) => note(run, look, &packed)?,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        drop(progress);
        seen.save()?;
        failure.map_or(Ok(()), |error| Err(pack_error(error)))
    }

    /// Sends what the remote does not have. Returns the bytes sent.
    fn send(&self, blobs: Vec<(BlobId, u64, String)>, ui: &mut Ui) -> Result<u64, CommandError> {
        let mut distinct = BTreeSet::new();
        let mut absent = Vec::new();
        for (blob, size, what) in blobs {
            if !distinct.insert(blob) {
                continue;
            }
            match self.library.store.has(&blob) {
                Some(_) => absent.push(ToSend {
                    key: blob,
                    path: self.library.store.path_of(&blob),
                    size_bytes: size,
                    what: what.clone(),
                }),
                // It was pushed before and its blob freed; the remote must still have it.
                None => match self.remote.remote.size_of(&blob).map_err(|error| work::remote_error(&error))? {
                    Some(found) if found == size => {}
                    _ => {
                        return Err(CommandError::environment(format!(
                            "{what}: its blob is neither here nor in {}",
                            self.remote.shown()
                        ))
                        .hint("`data verify` tells what is damaged or lost"));
                    }
                },
            }
        }
        let total = absent.iter().map(|blob| blob.size_bytes).sum();
        let progress = work::progress(ui, "sending", total, self.monitor);
        let results = transfer::send_all(self.remote.remote.as_ref(), &absent, &Options::default(), self.monitor);
        drop(progress);
        let mut sent_bytes = 0;
        let mut failures = Vec::new();
        for (blob, result) in absent.iter().zip(results) {
            match result {
                Ok(Sent::Stored { .. }) => sent_bytes += blob.size_bytes,
                Ok(Sent::AlreadyThere) => {}
                Err(error) => failures.push(error),
            }
        }
        work::fail_if_any(failures, absent.len(), "sent", ui)?;
        Ok(sent_bytes)
    }

    fn database(&self, dataset: &Dataset, seen: &mut Seen, ui: &mut Ui) -> Result<(Row, DatabaseBlob), CommandError> {
        if !dataset.db.is_file() {
            return Err(CommandError::input(format!("no database `{}`", paths::show(&dataset.db)))
                .hint(format!("evaluate --dataset {}", paths::show(&dataset.file))));
        }
        let look = Look::at(vec![pack::list_file(&dataset.db).map_err(pack_error)?]);
        let name = shown_database(&dataset.name);
        let mut row = Row { kind: "database", name: dataset.name.clone(), runs: 1, ..Row::default() };
        row.raw_bytes = look.raw_bytes();
        let known = seen.content(&name, &look).and_then(|content| {
            let blob = seen.blob_of(&content.hash)?;
            self.library.store.has(&blob.0).map(|_| (content, blob.0, blob.1))
        });
        let (content, blob, size) = match known {
            Some(known) => known,
            None => {
                require_room(self.library.store.folder(), look.raw_bytes(), "the packed database")?;
                let progress = work::progress(ui, "packing", look.raw_bytes(), self.monitor);
                let mut temporary = self.library.store.temporary()?;
                let packed = pack::pack_file(&dataset.db, &mut temporary.file, self.monitor).map_err(pack_error)?;
                self.library.store.adopt(temporary.path(), &packed.blob)?;
                drop(progress);
                row.packed = 1;
                let content = Content { hash: packed.content, raw_bytes: packed.raw_bytes, n_files: 1 };
                seen.learn(&name, &look, &content, Some((packed.blob, packed.size_bytes)));
                seen.save()?;
                (content, packed.blob, packed.size_bytes)
            }
        };
        row.stored_bytes = size;
        row.sent_bytes = self.send(vec![(blob, size, name)], ui)?;
        let database = DatabaseBlob {
            blob,
            size,
            raw_size: content.raw_bytes,
            content: Some(content.hash),
            dataset: dataset_hash(&dataset.file)?,
            others: self
                .library
                .manifest
                .databases
                .get(&dataset.name)
                .map(|old| old.others.clone())
                .unwrap_or_default(),
        };
        Ok((row, database))
    }
}

/// BLAKE3 of the dataset's file.
pub(crate) fn dataset_hash(file: &Path) -> Result<ContentHash, CommandError> {
    Ok(ContentHash::of(document::read_text(file)?.as_bytes()))
}

/// The manifest's entries of a cohort. Runs whose folder is not here stay as they were.
fn entries(library: &Library, name: &str, cohort: &Cohort, stored: &Stored) -> BTreeMap<String, EvalBlobs> {
    let here = runs_of(cohort).unwrap_or_default();
    let mut entries = BTreeMap::new();
    for (position, evaluation) in cohort.evaluations.iter().enumerate() {
        let id = evaluation.entry.eval_id().to_string();
        let old = library.manifest.evals.get(&id);
        let mut runs: BTreeMap<String, RunBlob> =
            old.into_iter().flat_map(|eval| &eval.runs).map(|run| (run.path.clone(), run.clone())).collect();
        for run in here.iter().filter(|run| run.evaluations.contains(&position)) {
            let Some((content, blob, size)) = stored.get(&run.path) else { continue };
            // What other versions have noted stays.
            let others = runs.remove(&run.path).map(|run| run.others).unwrap_or_default();
            runs.insert(
                run.path.clone(),
                RunBlob {
                    path: run.path.clone(),
                    blob: *blob,
                    size: *size,
                    raw_size: content.raw_bytes,
                    n_files: content.n_files,
                    content: content.hash,
                    others,
                },
            );
        }
        // A run folder that is here, and none of this evaluation's any more, is of others.
        runs.retain(|path, _| {
            here.iter().find(|run| run.path == *path).is_none_or(|run| run.evaluations.contains(&position))
        });
        if runs.is_empty() {
            continue;
        }
        let eval = EvalBlobs {
            identity: identity_text(&evaluation.entry.filters, evaluation.entry.context),
            cohort: name.to_owned(),
            runs: runs.into_values().collect(),
            others: old.map(|eval| eval.others.clone()).unwrap_or_default(),
        };
        entries.insert(id, eval);
    }
    entries
}

/// Runs that the manifest has and that are not here were not looked at.
fn tell_of_absent(library: &Library, name: &str, runs: &[Run], ui: &mut Ui) {
    let here: BTreeSet<&str> = runs.iter().map(|run| run.path.as_str()).collect();
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

impl Report for PushReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic("pushed", 20),
            Column::fixed("runs"),
            Column::fixed("packed"),
            Column::fixed("raw"),
            Column::fixed("stored"),
            Column::fixed("sent"),
        ])
        .titled(format!("to {}", self.remote));
        for row in &self.items {
            table.rows.push(vec![
                Cell::Text(format!("{} {}", row.kind, row.name)),
                Cell::Count(row.runs),
                Cell::Count(row.packed),
                Cell::Bytes(row.raw_bytes),
                Cell::Bytes(row.stored_bytes),
                Cell::Bytes(row.sent_bytes),
            ]);
        }
        vec![table]
    }
}
