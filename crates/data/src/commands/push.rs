//! `data push`: packs what is not packed, sends what the remote does not have, then says so in the manifest.

mod entries;
mod pushing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, EVALS_FILE, find_cohorts_within};
use rs_core::dataset::Dataset;
use rs_core::{paths, suggest};
use serde::Serialize;

use self::entries::{entries, tell_of_absent};
use self::pushing::{Opened, Pushing};
use crate::library::{Library, folder_of};
use crate::remote::Options;
use crate::runs::{check_runs, runs_of};
use crate::seen::{Look, Seen};
use crate::work;

/// Store run folders and databases in a remote, and note them in the manifest.
///
/// What the remote has already is not sent again, and what has not changed is not read again. Interrupted, the same
/// command goes on where it stopped.
#[derive(Debug, Clone, clap::Args)]
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

/// Cohorts are pushed together up to so many raw bytes; then the manifest says so.
const GROUP_BYTES: u64 = 1 << 30;

/// Levels from the folder of the manifest to that of a cohort.
const LEVELS_TO_COHORT: usize = 2;

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
    let monitor = rs_cli::stoppable()?;
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
        (None, Some(first)) => Library::of_cohort(folder_of(first))?,
        (None, None) => return Err(CommandError::input("nothing to push")),
    };
    // Whatever is wrong with what was typed is found before any work.
    cohorts.iter().try_for_each(|cohort| check_cohort(&library, cohort))?;
    let remote = library.remote(common.remote.as_deref(), &Options::default())?;
    let mut opened = Vec::new();
    let mut named = BTreeSet::new();
    for folder in &cohorts {
        let name = library.name_of(folder)?;
        if !named.insert(name.clone()) {
            continue;
        }
        let cohort = Cohort::open(folder)?;
        cohort.warnings.iter().for_each(|warning| ui.warn(warning));
        let runs = runs_of(&cohort);
        check_runs(&cohort, &runs)?;
        let unmatched = cohort.unmatched_runs();
        if !unmatched.is_empty() {
            ui.warn(&format!("cohort {name}: in no evaluation, and not pushed: {}", suggest::list(&unmatched, 5)));
        }
        let looks = runs.par_iter().map(|run| Look::at_run_of(&cohort, &run.path)).collect::<Result<_, _>>();
        opened.push(Opened { name, cohort, runs, looks: looks.map_err(work::pack_error)? });
    }
    let lock = library.lock()?;
    check_cohorts(&library, &opened)?;
    remote.remote.prepare().map_err(|error| work::remote_error(&error))?;
    let mut seen = Seen::read(&library);
    let mut report = PushReport { schema: "data.push/1", remote: remote.shown(), items: Vec::new() };
    let mut rest = opened.as_slice();
    while !rest.is_empty() {
        let (group, others) = rest.split_at(length_of_group(rest));
        rest = others;
        let pushing = Pushing { library: &library, lock: &lock, remote: &remote, monitor: &monitor };
        let done = pushing.cohorts(group, &mut seen, ui)?;
        let evals: Vec<_> =
            group.iter().zip(&done).map(|(opened, (_, stored))| entries(&library, opened, stored)).collect();
        library.update(&lock, |manifest| manifest.evals.extend(evals.into_iter().flatten()))?;
        group.iter().for_each(|opened| tell_of_absent(&library, opened, ui));
        report.items.extend(done.into_iter().map(|(row, _)| row));
    }
    if let Some(dataset) = &dataset {
        let pushing = Pushing { library: &library, lock: &lock, remote: &remote, monitor: &monitor };
        let (row, database) = pushing.database(dataset, &mut seen, ui)?;
        library.update(&lock, |manifest| drop(manifest.databases.insert(dataset.name.clone(), database)))?;
        report.items.push(row);
    }
    common.output.print(ui, &report)?;
    Ok(Exit::Done)
}

/// Refuses what is no cohort, and names those that are near.
fn check_cohort(library: &Library, path: &Path) -> Result<(), CommandError> {
    let folder = folder_of(path);
    if folder.join(EVALS_FILE).is_file() {
        return Ok(());
    }
    let error = CommandError::input(format!("no cohort at `{}`: {EVALS_FILE} is not there", paths::show(path)));
    let cohorts: Vec<String> = find_cohorts_within(&library.folder, LEVELS_TO_COHORT)
        .unwrap_or_default()
        .iter()
        .map(|cohort| paths::show(cohort))
        .collect();
    let names: Vec<&str> = cohorts.iter().map(String::as_str).collect();
    let hint = suggest::hint(&paths::show(folder), &names);
    Err(error.maybe_hint(hint.or(Some("`cohort list` shows the cohorts there are".into()))))
}

/// How many of the first cohorts are pushed together before the manifest says so: at least one.
fn length_of_group(cohorts: &[Opened]) -> usize {
    let mut bytes = 0;
    let is_below = |opened: &&Opened| {
        bytes += opened.raw_bytes();
        bytes < GROUP_BYTES
    };
    (cohorts.iter().take_while(is_below).count() + 1).min(cohorts.len())
}

/// An evaluation has one entry in a manifest, which is of one cohort: another one's blobs would be forgotten.
fn check_cohorts(library: &Library, cohorts: &[Opened]) -> Result<(), CommandError> {
    let mut cohort_of: BTreeMap<String, &str> =
        library.manifest.evals.iter().map(|(id, eval)| (id.clone(), eval.cohort.as_str())).collect();
    for opened in cohorts {
        for evaluation in &opened.cohort.evaluations {
            let id = evaluation.entry.eval_id().to_string();
            let Some(other) = cohort_of.insert(id.clone(), &opened.name).filter(|other| *other != opened.name) else {
                continue;
            };
            // One that is not there any more has moved here.
            if library.cohort_folder(other).join(EVALS_FILE).is_file() {
                return Err(CommandError::input(format!(
                    "evaluation {id} of cohort {} is in {} as one of cohort {other}",
                    opened.name,
                    paths::show(&library.file)
                ))
                .hint(format!(
                    "a manifest has each evaluation once; `data remote add origin URL --data {}` gives the set its own",
                    paths::show(opened.cohort.folder.parent().unwrap_or(&opened.cohort.folder))
                )));
            }
        }
    }
    Ok(())
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
