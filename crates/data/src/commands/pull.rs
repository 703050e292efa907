//! `data pull`: fetches blobs that are not here, and unpacks them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, Exit, Kind, OutputArgs, Report, Table, Ui};
use rs_core::dataset::{Dataset, Selection};
use rs_core::manifest::{DatabaseBlob, EvalBlobs, RunBlob};
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content, ContentHash, Existing, Expected, PackError};
use rs_core::store::Store;
use rs_core::{paths, suggest};
use serde::Serialize;

use crate::commands::push::dataset_hash;
use crate::disk::require_room;
use crate::key::Key;
use crate::library::{Library, folder_of, shown_database, shown_run};
use crate::remote::Options;
use crate::seen::{Look, Seen};
use crate::transfer::{self, Destination, TransferError, Wanted};
use crate::work;

/// Fetch run folders and databases from a remote.
///
/// What is here already is not fetched again. What is not whole or not what the manifest says is refused. Interrupted,
/// the same command goes on where it stopped.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Pull the database of a dataset.
    Dataset {
        /// The dataset file.
        file: PathBuf,
        /// Pull the raw data of its evaluations too.
        #[arg(long)]
        raw: bool,
        /// Replace a database that is here and is another one.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Pull the raw data of cohorts.
    Cohort {
        /// Their folders.
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Pull the raw data of evaluations.
    Eval {
        /// Their eval ids, or prefixes or identities.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// The folder of the manifest.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// The remote to pull from [default: origin, or the only one].
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// Tell what would be fetched, and fetch nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leave run folders packed: `evaluate` reads them out of their blobs.
    #[arg(long)]
    no_extract: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.pull/1`.
#[derive(Debug, Serialize)]
struct PullReport {
    schema: &'static str,
    /// Null if nothing had to be fetched.
    remote: Option<String>,
    dry_run: bool,
    items: Vec<Row>,
}

/// What became, or would become, of a cohort or database.
#[derive(Debug, Clone, Default, Serialize)]
struct Row {
    /// `cohort` or `database`.
    kind: &'static str,
    name: String,
    /// Runs wanted; 1 for a database.
    runs: u64,
    /// Those that were here as they should be.
    here: u64,
    /// Blobs to fetch, and their stored bytes.
    fetch: u64,
    fetch_bytes: u64,
    /// Runs to unpack, and the bytes of their files.
    extract: u64,
    extract_bytes: u64,
    /// Left as they are here, where they differ from the manifest.
    kept: u64,
    /// Refused or not fetched.
    failed: u64,
}

/// A run folder or database that is wanted.
struct Item {
    /// Position in the report.
    row: usize,
    /// For people.
    what: String,
    /// What the memory of what was seen calls it.
    seen_as: String,
    place: PathBuf,
    blob: Key,
    size_bytes: u64,
    contents: Contents,
}

enum Contents {
    Run(Expected),
    Database {
        raw_bytes: u64,
        /// Where the manifest tells.
        content: Option<ContentHash>,
    },
}

impl Item {
    fn raw_bytes(&self) -> u64 {
        match &self.contents {
            Contents::Run(expected) => expected.raw_bytes,
            Contents::Database { raw_bytes, .. } => *raw_bytes,
        }
    }
}

/// What an item is like here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    /// As it should be.
    Same,
    /// Not at all.
    Absent,
    /// Something else is in its place.
    Different,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let monitor = work::stoppable()?;
    let (library, common, items, rows, may_replace) = plan(&args.what, ui)?;
    common.output.check()?;
    let mut seen = Seen::read(library.store.folder());
    let mut report = PullReport { schema: "data.pull/1", remote: None, dry_run: common.dry_run, items: rows };
    let here = look(&items, &mut seen, &monitor, ui)?;
    let mut wanted = Vec::new();
    for (item, here) in items.iter().zip(here) {
        let row = &mut report.items[item.row];
        row.runs += 1;
        let is_database = matches!(item.contents, Contents::Database { .. });
        match here {
            Here::Same => row.here += 1,
            Here::Different if !(is_database && may_replace) => {
                row.kept += 1;
                let hint = if is_database { "`--force` replaces it" } else { "move it away to pull it" };
                ui.warn(&format!("{}: what is here differs and stays as it is; {hint}", paths::show(&item.place)));
            }
            Here::Absent | Here::Different => wanted.push(item),
        }
    }
    let to_extract: Vec<&Item> = wanted
        .iter()
        .copied()
        .filter(|item| !common.no_extract || matches!(item.contents, Contents::Database { .. }))
        .collect();
    let to_fetch = to_fetch(&library.store, &wanted, &mut report.items);
    for item in &to_extract {
        let row = &mut report.items[item.row];
        row.extract += 1;
        row.extract_bytes += item.raw_bytes();
    }
    let kept: u64 = report.items.iter().map(|row| row.kept).sum();
    if !to_fetch.is_empty() {
        let remote = library.remote(common.remote.as_deref(), &Options::default())?;
        report.remote = Some(remote.shown());
        if !common.dry_run {
            check_room(&library, &to_fetch, &to_extract)?;
            fetch(&library, remote.remote.as_ref(), &to_fetch, &items, &mut report.items, &monitor, ui)?;
        }
    }
    if !common.dry_run {
        extract(&library, &to_extract, &mut seen, &mut report.items, &monitor, ui)?;
        seen.save()?;
    }
    common.output.print(ui, &report)?;
    let failed: u64 = report.items.iter().map(|row| row.failed).sum();
    Ok(if failed + kept > 0 { Exit::Negative } else { Exit::Done })
}

type Plan<'a> = (Library, &'a Common, Vec<Item>, Vec<Row>, bool);

/// What is wanted, before anybody looks what is here.
fn plan<'a>(what: &'a What, ui: &mut Ui) -> Result<Plan<'a>, CommandError> {
    let mut planned = Planned::default();
    match what {
        What::Dataset { file, raw, force, common } => {
            let dataset = Dataset::open(file)?;
            let library = Library::of_dataset(file)?;
            match library.manifest.databases.get(&dataset.name) {
                Some(database) => planned.add_database(&dataset, database, ui)?,
                None if *raw => {
                    ui.note(&format!("{} has no database of `{}`", paths::show(&library.file), dataset.name))
                }
                None => {
                    let names: Vec<&str> = library.manifest.databases.keys().map(String::as_str).collect();
                    return Err(CommandError::input(format!(
                        "{} has no database of dataset `{}`",
                        paths::show(&library.file),
                        dataset.name
                    ))
                    .maybe_hint(suggest::hint(&dataset.name, &names).or(Some("data push dataset FILE".into()))));
                }
            }
            if *raw {
                planned.add_selection(&library, &dataset.select()?, ui)?;
            }
            Ok((library, common, planned.items, planned.rows, *force))
        }
        What::Cohort { folders, common } => {
            let library = Library::of_cohort(folder_of(&folders[0]))?;
            for folder in folders {
                let name = library.name_of(folder)?;
                let evals: Vec<&EvalBlobs> = library.evals_of(&name).map(|(_, eval)| eval).collect();
                if evals.is_empty() {
                    return Err(unknown_cohort(&library, &name));
                }
                planned.add_evals(&library, &name, &evals);
            }
            Ok((library, common, planned.items, planned.rows, false))
        }
        What::Eval { ids, data, common } => {
            let library = Library::open_named(data)?;
            let mut chosen: BTreeMap<&str, Vec<&EvalBlobs>> = BTreeMap::new();
            for typed in ids {
                let eval = find_eval(&library, typed)?;
                chosen.entry(&eval.cohort).or_default().push(eval);
            }
            for (cohort, evals) in chosen {
                planned.add_evals(&library, cohort, &evals);
            }
            Ok((library, common, planned.items, planned.rows, false))
        }
    }
}

/// The evaluation of the manifest that a user names by its id, a longer piece of its hash, or its identity.
fn find_eval<'a>(library: &'a Library, typed: &str) -> Result<&'a EvalBlobs, CommandError> {
    let is_named = |id: &str, eval: &EvalBlobs| {
        let hash = blake3::hash(eval.identity.as_bytes()).to_hex();
        eval.identity == typed || id == typed || typed.len() > id.len() && hash.as_str().starts_with(typed)
    };
    let evals = &library.manifest.evals;
    evals.iter().find(|(id, eval)| is_named(id, eval)).map(|(_, eval)| eval).ok_or_else(|| {
        let known: Vec<&str> = evals.iter().flat_map(|(id, eval)| [id.as_str(), eval.identity.as_str()]).collect();
        CommandError::input(format!("no evaluation `{typed}` in {}", paths::show(&library.file)))
            .maybe_hint(suggest::hint(typed, &known))
    })
}

fn unknown_cohort(library: &Library, name: &str) -> CommandError {
    let cohorts: BTreeSet<&str> = library.manifest.evals.values().map(|eval| eval.cohort.as_str()).collect();
    let cohorts: Vec<&str> = cohorts.into_iter().collect();
    CommandError::input(format!("{} has no blobs of cohort `{name}`", paths::show(&library.file)))
        .maybe_hint(suggest::hint(name, &cohorts))
}

#[derive(Default)]
struct Planned {
    items: Vec<Item>,
    rows: Vec<Row>,
}

impl Planned {
    fn add_database(&mut self, dataset: &Dataset, database: &DatabaseBlob, ui: &mut Ui) -> Result<(), CommandError> {
        if database.dataset != dataset_hash(&dataset.file)? {
            ui.note(&format!("{} has changed since its database was pushed", paths::show(&dataset.file)));
        }
        let seen_as = shown_database(&dataset.name);
        self.items.push(Item {
            row: self.rows.len(),
            what: seen_as.clone(),
            seen_as,
            place: dataset.db.clone(),
            blob: database.blob,
            size_bytes: database.size,
            contents: Contents::Database { raw_bytes: database.raw_size, content: database.content },
        });
        self.rows.push(Row { kind: "database", name: dataset.name.clone(), ..Row::default() });
        Ok(())
    }

    /// The evaluations that a dataset selects.
    fn add_selection(&mut self, library: &Library, selection: &Selection, ui: &mut Ui) -> Result<(), CommandError> {
        let mut chosen: BTreeMap<String, Vec<&EvalBlobs>> = BTreeMap::new();
        for &(cohort, evaluation) in &selection.evaluations {
            let name = library.name_of(&selection.cohorts[cohort].folder)?;
            let entry = &selection.cohorts[cohort].evaluations[evaluation].entry;
            match library.manifest.evals.get(entry.eval_id().as_str()) {
                Some(eval) => chosen.entry(name).or_default().push(eval),
                None => ui.warn(&format!("cohort {name}: evaluation {} was never pushed", entry.eval_id())),
            }
        }
        for (cohort, evals) in &chosen {
            self.add_evals(library, cohort, evals);
        }
        Ok(())
    }

    fn add_evals(&mut self, library: &Library, cohort: &str, evals: &[&EvalBlobs]) {
        let runs: BTreeMap<&str, &RunBlob> =
            evals.iter().flat_map(|eval| &eval.runs).map(|run| (run.path.as_str(), run)).collect();
        let folder = library.cohort_folder(cohort);
        for run in runs.into_values() {
            let expected = Expected { content: run.content, raw_bytes: run.raw_size, n_files: run.n_files };
            self.items.push(Item {
                row: self.rows.len(),
                what: shown_run(cohort, &run.path),
                seen_as: format!("{cohort}/{}", run.path),
                place: paths::join(&folder, Path::new(&run.path)),
                blob: run.blob,
                size_bytes: run.size,
                contents: Contents::Run(expected),
            });
        }
        self.rows.push(Row { kind: "cohort", name: cohort.to_owned(), ..Row::default() });
    }
}

/// What is here of each item; what is not known is hashed.
fn look(items: &[Item], seen: &mut Seen, monitor: &Arc<Monitor>, ui: &mut Ui) -> Result<Vec<Here>, CommandError> {
    let looks: Vec<Option<Look>> = items
        .par_iter()
        .map(|item| match &item.contents {
            Contents::Run(_) if item.place.is_dir() => Look::at_run(&item.place).map(Some),
            Contents::Database { .. } if item.place.is_file() => {
                pack::list_file(&item.place).map(|file| Some(Look::at(vec![file])))
            }
            _ => Ok(None),
        })
        .collect::<Result<_, _>>()
        .map_err(work::pack_error)?;
    let sized = |item: &Item, look: &Look| match &item.contents {
        Contents::Run(expected) => {
            look.raw_bytes() == expected.raw_bytes && look.files.len() as u64 == expected.n_files
        }
        Contents::Database { raw_bytes, .. } => look.raw_bytes() == *raw_bytes,
    };
    let unknown = |item: &Item, look: &Look| sized(item, look) && seen.content(&item.seen_as, look).is_none();
    let unknown_bytes = items
        .iter()
        .zip(&looks)
        .filter_map(|(item, look)| look.as_ref().filter(|look| unknown(item, look)))
        .map(Look::raw_bytes)
        .sum();
    let _progress = work::progress(ui, "looking", unknown_bytes, monitor);
    let mut here = Vec::new();
    for (item, look) in items.iter().zip(&looks) {
        here.push(match look {
            None => Here::Absent,
            Some(look) if look.files.is_empty() => Here::Absent,
            Some(look) if !sized(item, look) => Here::Different,
            Some(look) => {
                let content = seen.content_or_hash(&item.seen_as, look, monitor).map_err(work::pack_error)?;
                let is_same = match &item.contents {
                    Contents::Run(expected) => content.hash == expected.content,
                    Contents::Database { content: Some(expected), .. } => content.hash == *expected,
                    Contents::Database { content: None, .. } => {
                        seen.blob_of(&content.hash).is_some_and(|(blob, _)| blob == item.blob)
                    }
                };
                if is_same { Here::Same } else { Here::Different }
            }
        });
    }
    Ok(here)
}

/// The blobs that are not in the store, each once.
fn to_fetch(store: &Store, wanted: &[&Item], rows: &mut [Row]) -> Vec<Wanted> {
    let mut blobs = BTreeMap::new();
    for item in wanted {
        if store.has(&item.blob) == Some(item.size_bytes) || blobs.contains_key(&item.blob) {
            continue;
        }
        rows[item.row].fetch += 1;
        rows[item.row].fetch_bytes += item.size_bytes;
        blobs.insert(item.blob, Wanted { key: item.blob, size_bytes: item.size_bytes, what: item.what.clone() });
    }
    blobs.into_values().collect()
}

fn check_room(library: &Library, to_fetch: &[Wanted], to_extract: &[&Item]) -> Result<(), CommandError> {
    let partial = |blob: &Wanted| fs_err::metadata(library.store.partial_of(&blob.key)).map_or(0, |file| file.len());
    let fetched: u64 = to_fetch.iter().map(|blob| blob.size_bytes.saturating_sub(partial(blob))).sum();
    let extracted: u64 = to_extract.iter().map(|item| item.raw_bytes()).sum();
    require_room(&library.folder, fetched + extracted, "what is fetched and unpacked")
        .map_err(|error| if extracted > 0 { error.hint("with --no-extract run folders stay packed") } else { error })
}

/// The local store as a place for fetched blobs.
struct Local<'a>(&'a Store);

impl Destination for Local<'_> {
    fn partial_of(&self, key: &Key) -> PathBuf {
        self.0.partial_of(key)
    }

    fn adopt(&self, key: &Key, partial: &Path) -> std::io::Result<()> {
        self.0.adopt(partial, key)
    }
}

fn fetch(
    library: &Library,
    remote: &dyn crate::remote::Remote,
    to_fetch: &[Wanted],
    items: &[Item],
    rows: &mut [Row],
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    library.store.make_partial_folder()?;
    let total = to_fetch.iter().map(|blob| blob.size_bytes).sum();
    let progress = work::progress(ui, "fetching", total, monitor);
    let results = transfer::fetch_all(remote, to_fetch, &Local(&library.store), &Options::default(), monitor);
    drop(progress);
    let mut failures = Vec::new();
    for (blob, result) in to_fetch.iter().zip(results) {
        let Err(error) = result else { continue };
        for item in items.iter().filter(|item| item.blob == blob.key) {
            rows[item.row].failed += 1;
        }
        failures.push(error);
    }
    let is_answer = failures.iter().all(|failure| matches!(failure, TransferError::Refused { .. }));
    match work::fail_if_any(failures, to_fetch.len(), "fetched", ui) {
        // What was fetched is unpacked all the same; the report tells the rest.
        Err(_) if is_answer => Ok(()),
        result => result,
    }
}

/// Unpacks what is in the store. A blob that cannot be unpacked does not hinder the others.
fn extract(
    library: &Library,
    to_extract: &[&Item],
    seen: &mut Seen,
    rows: &mut [Row],
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let ready: Vec<&&Item> = to_extract.iter().filter(|item| library.store.has(&item.blob).is_some()).collect();
    let progress = work::progress(ui, "unpacking", ready.iter().map(|item| item.raw_bytes()).sum(), monitor);
    let (large, small): (Vec<&&Item>, Vec<&&Item>) =
        ready.iter().copied().partition(|item| item.raw_bytes() > pack::FRAME_BYTES);
    let unpack = |item: &Item| unpack(&library.store, item, monitor);
    let mut results: Vec<(&&Item, Result<(), PackError>)> =
        large.into_iter().map(|item| (item, unpack(item))).collect();
    results.extend(small.into_par_iter().map(|item| (item, unpack(item))).collect::<Vec<_>>());
    drop(progress);
    let mut is_stopped = false;
    for (item, result) in results {
        match result {
            Ok(()) => learn(item, seen).map_err(work::pack_error)?,
            Err(PackError::Cancelled) => is_stopped = true,
            Err(error @ PackError::Io(_)) => {
                seen.save()?;
                return Err(CommandError::new(Kind::Environment, error).hint("make room, then run the same again"));
            }
            Err(error) => {
                rows[item.row].failed += 1;
                ui.problem(&format!("{}: {error}", item.what));
            }
        }
    }
    if is_stopped { Err(work::stopped()) } else { Ok(()) }
}

fn unpack(store: &Store, item: &Item, monitor: &Monitor) -> Result<(), PackError> {
    let blob = store.path_of(&item.blob);
    if let Some(folder) = item.place.parent() {
        fs_err::create_dir_all(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    }
    match &item.contents {
        Contents::Run(expected) => pack::extract_run(&blob, &item.place, expected, monitor),
        Contents::Database { raw_bytes, .. } => {
            pack::unpack_file(&blob, &item.place, *raw_bytes, Existing::Replace, monitor)
        }
    }
}

/// Notes what was unpacked, so that nobody hashes it again.
fn learn(item: &Item, seen: &mut Seen) -> Result<(), PackError> {
    let (look, content) = match &item.contents {
        Contents::Run(expected) => {
            let content = Content { hash: expected.content, raw_bytes: expected.raw_bytes, n_files: expected.n_files };
            (Look::at_run(&item.place)?, content)
        }
        Contents::Database { .. } => {
            let look = Look::at(vec![pack::list_file(&item.place)?]);
            let content = pack::content_of(&look.files, &Monitor::default())?;
            (look, content)
        }
    };
    seen.learn(&item.seen_as, &look, &content, Some((item.blob, item.size_bytes)));
    Ok(())
}

impl Report for PullReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic(if self.dry_run { "would pull" } else { "pulled" }, 20),
            Column::fixed("runs"),
            Column::fixed("here"),
            Column::fixed("fetched").rank(1),
            Column::fixed("bytes"),
            Column::fixed("unpacked").rank(1),
            Column::fixed("raw"),
            Column::fixed("kept").rank(2),
            Column::fixed("failed"),
        ]);
        if let Some(remote) = &self.remote {
            table = table.titled(format!("from {remote}"));
        }
        for row in &self.items {
            table.rows.push(vec![
                Cell::Text(format!("{} {}", row.kind, row.name)),
                Cell::Count(row.runs),
                Cell::Count(row.here),
                Cell::Count(row.fetch),
                Cell::Bytes(row.fetch_bytes),
                Cell::Count(row.extract),
                Cell::Bytes(row.extract_bytes),
                Cell::Count(row.kept),
                Cell::Count(row.failed),
            ]);
        }
        vec![table]
    }
}
