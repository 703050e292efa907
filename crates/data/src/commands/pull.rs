//! `data pull`: fetches blobs that are not here, and unpacks them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, Exit, Kind, OutputArgs, Report, Table, Ui};
use rs_core::dataset::Dataset;
use rs_core::manifest::EvalBlobs;
use rs_core::monitor::Monitor;
use rs_core::pack::{self, PackError};
use rs_core::store::Store;
use rs_core::{paths, suggest};
use serde::Serialize;

use crate::disk::require_room;
use crate::items::{self, Contents, Group, Here, Item, Items};
use crate::library::{Library, folder_of};
use crate::remote::Options;
use crate::seen::Seen;
use crate::transfer::{self, TransferError, Wanted};
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

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let monitor = work::stoppable()?;
    let (library, common, Items { items, groups }, may_replace) = plan(&args.what, ui)?;
    let row = |group: Group| Row { kind: group.kind, name: group.name, ..Row::default() };
    let rows = groups.into_iter().map(row).collect();
    common.output.check()?;
    let mut seen = Seen::read(library.store.folder());
    let mut report = PullReport { schema: "data.pull/1", remote: None, dry_run: common.dry_run, items: rows };
    let here = items::look(&items, &mut seen, &monitor, ui)?;
    let mut wanted = Vec::new();
    for (item, here) in items.iter().zip(here) {
        let row = &mut report.items[item.group];
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
        let row = &mut report.items[item.group];
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

type Plan<'a> = (Library, &'a Common, Items, bool);

/// What is wanted, before anybody looks what is here.
fn plan<'a>(what: &'a What, ui: &mut Ui) -> Result<Plan<'a>, CommandError> {
    let mut planned = Items::default();
    match what {
        What::Dataset { file, raw, force, common } => {
            let dataset = Dataset::open(file)?;
            let library = Library::of_dataset(file)?;
            match library.manifest.databases.get(&dataset.name) {
                Some(database) => planned.add_database(&dataset, database, ui)?,
                None if *raw => {
                    ui.note(&format!("{} has no database of `{}`", paths::show(&library.file), dataset.name));
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
            Ok((library, common, planned, *force))
        }
        What::Cohort { folders, common } => {
            let library = Library::of_cohort(folder_of(&folders[0]))?;
            for folder in folders {
                let name = library.name_of(folder)?;
                let evals: Vec<&EvalBlobs> = library.evals_of(&name).map(|(_, eval)| eval).collect();
                if evals.is_empty() {
                    return Err(library.unknown_cohort(&name));
                }
                planned.add_evals(&library, &name, &evals);
            }
            Ok((library, common, planned, false))
        }
        What::Eval { ids, data, common } => {
            let library = Library::open_named(data)?;
            let mut chosen: BTreeMap<&str, Vec<&EvalBlobs>> = BTreeMap::new();
            for typed in ids {
                let eval = library.eval(typed)?;
                chosen.entry(&eval.cohort).or_default().push(eval);
            }
            for (cohort, evals) in chosen {
                planned.add_evals(&library, cohort, &evals);
            }
            Ok((library, common, planned, false))
        }
    }
}

/// The blobs that are not in the store, each once.
fn to_fetch(store: &Store, wanted: &[&Item], rows: &mut [Row]) -> Vec<Wanted> {
    let mut blobs = BTreeMap::new();
    for item in wanted {
        if store.has(&item.blob) == Some(item.size_bytes) || blobs.contains_key(&item.blob) {
            continue;
        }
        rows[item.group].fetch += 1;
        rows[item.group].fetch_bytes += item.size_bytes;
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
    let results = transfer::fetch_all(remote, to_fetch, &items::Local(&library.store), &Options::default(), monitor);
    drop(progress);
    let mut failures = Vec::new();
    for (blob, result) in to_fetch.iter().zip(results) {
        let Err(error) = result else { continue };
        for item in items.iter().filter(|item| item.blob == blob.key) {
            rows[item.group].failed += 1;
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
    let unpack = |item: &Item| items::unpack(&library.store, item, monitor);
    let mut results: Vec<(&&Item, Result<(), PackError>)> =
        large.into_iter().map(|item| (item, unpack(item))).collect();
    results.extend(small.into_par_iter().map(|item| (item, unpack(item))).collect::<Vec<_>>());
    drop(progress);
    let mut is_stopped = false;
    for (item, result) in results {
        match result {
            Ok(()) => items::learn(item, seen).map_err(work::pack_error)?,
            Err(PackError::Cancelled) => is_stopped = true,
            Err(error @ PackError::Io(_)) => {
                seen.save()?;
                return Err(CommandError::new(Kind::Environment, error).hint("make room, then run the same again"));
            }
            Err(error) => {
                rows[item.group].failed += 1;
                ui.problem(&format!("{}: {error}", item.what));
            }
        }
    }
    if is_stopped { Err(work::stopped()) } else { Ok(()) }
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
