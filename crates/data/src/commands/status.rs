//! `data status`: what is here of each cohort and dataset.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, CohortError, EVALS_FILE, find_cohorts};
use rs_core::dataset::Dataset;
use rs_core::digest::BlobId;
use rs_core::library::Libraries;
use rs_core::manifest::MANIFEST_FILE;
use rs_core::monitor::Monitor;
use rs_core::presence::{Presence, presence};
use rs_core::{document, paths};
use serde::Serialize;

use crate::contents::Contents;
use crate::library::{Library, folder_of, shown_database};
use crate::remote::Options;
use crate::seen::{Look, Seen};
use crate::states::{States, known_runs, states};
use crate::{transfer, work};

/// Tell what is here of each cohort and dataset, and what of it was pushed.
///
/// Answers from the manifest and from what is on this disk; `--remote` asks a remote too.
///
/// Exit code 1 if anything has changed since it was pushed, is here in part or is wrong, if the remote lacks something,
/// or if the database of a dataset that was named is missing. What was not fetched yet is no fault.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A folder, a cohort or a dataset file.
    #[arg(default_value = "data")]
    target: PathBuf,
    /// Ask a remote too what it has [a name may follow; default: origin, or the only one].
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    remote: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.status/1`.
#[derive(Debug, Serialize)]
struct StatusReport {
    schema: &'static str,
    datasets: Vec<DatasetRow>,
    cohorts: Vec<CohortRow>,
}

#[derive(Debug, Serialize)]
struct DatasetRow {
    path: String,
    name: String,
    db: String,
    /// Stored bytes of the database; null if it is not here.
    db_bytes: Option<u64>,
    /// Null if it is neither here nor in the manifest.
    db_state: Option<DbState>,
    cohorts: u64,
    /// Cohorts whose raw data can be read as a whole, extracted or out of blobs.
    cohorts_here: u64,
    /// Paths of cohorts that are not there at all, or wrong.
    missing_cohorts: Vec<String>,
    /// With `--remote`: 1 if the remote does not have the manifest's database whole.
    missing_in_remote: Option<u64>,
}

/// What became of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum DbState {
    /// Here, as pushed.
    Pushed,
    /// Here, and not what was pushed.
    Changed,
    /// Here, and never pushed.
    NotPushed,
    /// In the manifest only.
    Absent,
}

#[derive(Debug, Clone, Serialize)]
struct CohortRow {
    path: String,
    evaluations: u64,
    /// Evaluations whose raw data can be read, extracted or out of blobs.
    evaluations_here: u64,
    runs: u64,
    files: u64,
    bytes: u64,
    raw: Presence,
    /// How many run folders are in which state.
    states: States,
    /// With `--remote`: blobs of the manifest that the remote does not have whole.
    missing_in_remote: Option<u64>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    // Shells complete folders with a slash at the end; nobody wants to read it.
    let target: &Path = &args.target.components().collect::<PathBuf>();
    let is_json = target.extension().is_some_and(|extension| extension == "json");
    args.output.check()?;
    let mut status = Status { remote: args.remote.clone(), ..Status::new(rs_cli::stoppable()?) };
    let is_dataset = is_json && !target.ends_with(EVALS_FILE);
    if is_dataset {
        let dataset = Dataset::open(target)?;
        status.wanted = dataset.cohorts.iter().map(|(path, _)| folder_of(path).to_owned()).collect();
        status.add_dataset(&dataset, ui)?;
        for (path, _) in &dataset.cohorts {
            status.add_cohort(path, ui)?;
        }
    } else if is_json || target.join(EVALS_FILE).is_file() {
        let cohort = Cohort::open(target)?;
        let row = status.row(&cohort, ui)?;
        status.report.cohorts.push(row);
    } else if target.is_dir() {
        let folders = find_cohorts(target)?;
        let folders: Vec<&Path> = folders.iter().map(|folder| folder.strip_prefix(".").unwrap_or(folder)).collect();
        status.wanted = folders.iter().map(|folder| folder.to_path_buf()).collect();
        for folder in [target, &target.join("data")] {
            status.add_datasets(folder, ui)?;
        }
        for folder in folders {
            status.add_cohort(folder, ui)?;
        }
        status.tell_of_unlisted(target, ui)?;
        if status.report.datasets.is_empty() && status.report.cohorts.is_empty() {
            ui.note(&format!("no dataset in `{}` and no cohort below it", target.display()));
        }
    } else {
        return Err(CommandError::input(format!("no folder, cohort or dataset `{}`", target.display()))
            .hint("data status [DIR|FILE]"));
    }
    for (library, seen) in status.libraries.values_mut() {
        seen.save(library, None);
    }
    args.output.print(ui, &status.report)?;
    let is_good = !status.has_wrong && status.report.is_good() && !(is_dataset && status.report.lacks_database());
    Ok(if is_good { Exit::Done } else { Exit::Negative })
}

impl Default for StatusReport {
    fn default() -> Self {
        Self { schema: "data.status/1", datasets: Vec::new(), cohorts: Vec::new() }
    }
}

impl StatusReport {
    /// Whether nothing has changed since it was pushed or is here in part, and a remote that was asked lacks nothing.
    fn is_good(&self) -> bool {
        let is_whole_there = |missing: Option<u64>| missing.is_none_or(|missing| missing == 0);
        let is_good_database =
            |row: &DatasetRow| row.db_state != Some(DbState::Changed) && is_whole_there(row.missing_in_remote);
        let is_good_cohort =
            |row: &CohortRow| row.states.changed + row.states.incomplete == 0 && is_whole_there(row.missing_in_remote);
        self.datasets.iter().all(is_good_database) && self.cohorts.iter().all(is_good_cohort)
    }

    /// Whether a database that was pushed is not here.
    fn lacks_database(&self) -> bool {
        self.datasets.iter().any(|row| row.db_state == Some(DbState::Absent))
    }
}

impl CohortRow {
    fn is_readable(&self) -> bool {
        self.evaluations_here == self.evaluations && matches!(self.raw, Presence::Here | Presence::Blobs)
    }
}

/// Cohorts that are opened at a time: what they list is kept until it is looked at.
const SIDE_BY_SIDE: usize = 8;

/// What has been found so far.
struct Status {
    report: StatusReport,
    /// What cohorts have in common.
    shared: Libraries,
    /// The folders of cohorts that will be looked at.
    wanted: Vec<PathBuf>,
    /// Cohorts that were opened and not looked at yet, by folder.
    opened: BTreeMap<PathBuf, Result<Cohort, CohortError>>,
    /// The cohorts by folder, each looked at once; `None` for one that is not there or wrong.
    cohorts: BTreeMap<PathBuf, Option<CohortRow>>,
    has_wrong: bool,
    monitor: Arc<Monitor>,
    /// The remote to ask; an empty name is the usual one.
    remote: Option<String>,
    /// By folder.
    libraries: BTreeMap<PathBuf, (Library, Seen)>,
}

impl Status {
    fn new(monitor: Arc<Monitor>) -> Self {
        Self {
            report: StatusReport::default(),
            shared: Libraries::default(),
            wanted: Vec::new(),
            opened: BTreeMap::new(),
            cohorts: BTreeMap::new(),
            has_wrong: false,
            monitor,
            remote: None,
            libraries: BTreeMap::new(),
        }
    }

    /// Opens a cohort, and some of those that will be wanted next side by side with it.
    fn open(&mut self, folder: &Path) -> Result<Cohort, CohortError> {
        if let Some(opened) = self.opened.remove(folder) {
            return opened;
        }
        // Not by all of them at once: a manifest may be long. Whoever needs it tells what is wrong with it.
        let _ = self.shared.of_cohort(folder);
        let others = self.wanted.iter().filter(|wanted| *wanted != folder && !self.cohorts.contains_key(*wanted));
        let others = others.filter(|wanted| !self.opened.contains_key(*wanted)).take(SIDE_BY_SIDE - 1);
        let folders: Vec<PathBuf> =
            std::iter::once(folder).chain(others.map(PathBuf::as_path)).map(Path::to_owned).collect();
        let open = |folder: PathBuf| {
            let opened = Cohort::open_among(&folder, &mut self.shared.clone());
            (folder, opened)
        };
        let opened: Vec<_> = folders.into_par_iter().map(open).collect();
        self.opened.extend(opened);
        self.opened.remove(folder).unwrap_or_else(|| Cohort::open_among(folder, &mut self.shared))
    }

    /// The library in a folder; its manifest is read once.
    fn library(&mut self, folder: &Path) -> Result<&mut (Library, Seen), CommandError> {
        Ok(match self.libraries.entry(folder.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let library = Library::open(folder)?;
                let seen = Seen::read(&library);
                new.insert((library, seen))
            }
        })
    }

    /// What became of a dataset's database.
    fn db_state(&mut self, dataset: &Dataset) -> Result<Option<DbState>, CommandError> {
        let monitor = Arc::clone(&self.monitor);
        let (library, seen) = self.library(dataset.file.parent().unwrap_or(Path::new("")))?;
        let known = library.manifest.databases.get(&dataset.name);
        if !dataset.db.is_file() {
            return Ok(known.map(|_| DbState::Absent));
        }
        let Some(known) = known else { return Ok(Some(DbState::NotPushed)) };
        let look = Look::at_database(&dataset.db).map_err(work::pack_error)?;
        let seen_as = shown_database(&dataset.name);
        let is_here = Contents::from(known).is_here(&seen_as, &look, seen, &monitor).map_err(work::pack_error)?;
        Ok(Some(if is_here { DbState::Pushed } else { DbState::Changed }))
    }

    /// How many of these blobs the remote does not have whole; `None` if it is not to be asked, or nothing was pushed:
    /// that is missed nowhere.
    fn missing_in_remote(
        &self,
        library: &Path,
        blobs: impl FnOnce(&Library) -> Vec<(BlobId, u64)>,
    ) -> Result<Option<u64>, CommandError> {
        let (Some(remote), Some((library, _))) = (&self.remote, self.libraries.get(library)) else { return Ok(None) };
        let remote = library.remote(Some(remote.as_str()).filter(|name| !name.is_empty()), &Options::default())?;
        let blobs = blobs(library);
        if blobs.is_empty() {
            return Ok(None);
        }
        let keys: Vec<BlobId> = blobs.iter().map(|(blob, _)| *blob).collect();
        let sizes = transfer::sizes_of(remote.remote.as_ref(), &keys, &Options::default(), &self.monitor);
        let mut missing = 0;
        for ((_, expected), size) in blobs.iter().zip(sizes) {
            missing += u64::from(size.map_err(|error| work::remote_error(&error))? != Some(*expected));
        }
        Ok(Some(missing))
    }

    /// The datasets directly in a folder. One that is wrong is told and does not hide the others.
    fn add_datasets(&mut self, folder: &Path, ui: &mut Ui) -> Result<(), CommandError> {
        let Ok(items) = fs_err::read_dir(folder) else { return Ok(()) };
        let mut files: Vec<PathBuf> = items
            .flatten()
            .map(|item| item.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        for file in files {
            let file = file.strip_prefix(".").unwrap_or(&file);
            match Dataset::open(file) {
                Ok(dataset) => self.add_dataset(&dataset, ui)?,
                // Other JSON files may lie beside the datasets.
                Err(_) if !document::read_text(file).is_ok_and(|text| text.contains("\"cohorts\"")) => {}
                Err(error) => self.tell(&error.to_string(), ui),
            }
        }
        Ok(())
    }

    fn add_dataset(&mut self, dataset: &Dataset, ui: &mut Ui) -> Result<(), CommandError> {
        dataset.warnings.iter().for_each(|warning| ui.warn(warning));
        let (mut cohorts_here, mut missing_cohorts) = (0, Vec::new());
        for (position, (path, _)) in dataset.cohorts.iter().enumerate() {
            match self.cohort(path, ui)? {
                Some(row) => cohorts_here += u64::from(row.is_readable()),
                None => {
                    let path = paths::show(folder_of(path));
                    let file = dataset.file.display();
                    self.tell(&format!("{file}: cohorts[{position}]: no usable cohort at `{path}`"), ui);
                    missing_cohorts.push(path);
                }
            }
        }
        let db_state = self.db_state(dataset)?;
        let missing_in_remote = self.missing_in_remote(dataset.file.parent().unwrap_or(Path::new("")), |library| {
            library.manifest.databases.get(&dataset.name).map(|known| (known.blob, known.size)).into_iter().collect()
        })?;
        self.report.datasets.push(DatasetRow {
            db_state,
            path: paths::show(&dataset.file),
            name: dataset.name.clone(),
            db: paths::show(&dataset.db),
            db_bytes: dataset.db.metadata().ok().map(|metadata| metadata.len()),
            cohorts: dataset.cohorts.len() as u64,
            cohorts_here,
            missing_cohorts,
            missing_in_remote,
        });
        Ok(())
    }

    /// Tells of cohorts of the manifest in or below a folder that have no `evals.json`, and so no row.
    fn tell_of_unlisted(&mut self, target: &Path, ui: &mut Ui) -> Result<(), CommandError> {
        let folders = [rs_core::library::find(target), target.join("data")];
        let absolute = paths::absolute(target)?;
        for folder in folders.iter().filter(|folder| folder.join(MANIFEST_FILE).is_file()) {
            let (library, _) = self.library(folder)?;
            let cohorts: BTreeSet<&str> = library.manifest.evals.values().map(|eval| eval.cohort.as_str()).collect();
            let mut unlisted = Vec::new();
            for name in cohorts {
                let place = library.cohort_folder(name);
                if !place.join(EVALS_FILE).is_file() && paths::absolute(&place)?.starts_with(&absolute) {
                    unlisted.push(place);
                }
            }
            for place in unlisted {
                // The dataset that names it has told.
                if !self.cohorts.contains_key(&place) {
                    let place = place.strip_prefix(".").unwrap_or(&place);
                    let (place, file) = (paths::show(place), paths::show(&folder.join(MANIFEST_FILE)));
                    self.tell(
                        &format!("cohort `{place}` is missing: {file} has blobs of it, but {EVALS_FILE} is not there"),
                        ui,
                    );
                }
            }
        }
        Ok(())
    }

    fn add_cohort(&mut self, path: &Path, ui: &mut Ui) -> Result<(), CommandError> {
        let row = self.cohort(path, ui)?;
        self.report.cohorts.extend(row);
        Ok(())
    }

    /// A cohort's row; `None` if it is not there or wrong, which is told once and does not hide the others.
    fn cohort(&mut self, path: &Path, ui: &mut Ui) -> Result<Option<CohortRow>, CommandError> {
        let folder = folder_of(path);
        if let Some(known) = self.cohorts.get(folder) {
            return Ok(known.clone());
        }
        let row = match self.open(folder) {
            Ok(cohort) => Some(self.row(&cohort, ui)?),
            // It is wrong for all of them.
            Err(error @ CohortError::Library(_)) => return Err(error.into()),
            // The dataset that names it tells.
            Err(CohortError::Missing { .. }) => None,
            Err(error) => {
                self.tell(&error.to_string(), ui);
                None
            }
        };
        self.cohorts.insert(folder.to_owned(), row.clone());
        Ok(row)
    }

    fn row(&mut self, cohort: &Cohort, ui: &mut Ui) -> Result<CohortRow, CommandError> {
        let monitor = Arc::clone(&self.monitor);
        let (library, seen) = self.library(&rs_core::library::find(&cohort.folder))?;
        let folder = library.folder.clone();
        let name = library.name_of(&cohort.folder)?;
        let states = states(library, &name, cohort, seen, &monitor, ui)?;
        let missing_in_remote = self.missing_in_remote(&folder, |library| {
            known_runs(library, &name).into_values().map(|run| (run.blob, run.size)).collect()
        })?;
        for incomplete in &cohort.incomplete {
            let (run, cohort) = (incomplete, paths::show(&cohort.folder));
            ui.warn(&format!("{cohort}: partly here: {run}; `data pull cohort {cohort}` brings the others back"));
        }
        let here = cohort.evaluations.iter().filter(|evaluation| !evaluation.files.is_empty());
        Ok(CohortRow {
            path: paths::show(&cohort.folder),
            evaluations: cohort.evaluations.len() as u64,
            evaluations_here: here.count() as u64,
            runs: states.all().max(cohort.runs().len() as u64),
            files: cohort.files.len() as u64,
            bytes: cohort.size_bytes(),
            raw: match presence(cohort) {
                // Runs whose blob is not whole here are absent, whatever is left of it.
                Presence::Here | Presence::Blobs if states.absent > 0 => Presence::Partly,
                presence => presence,
            },
            states,
            missing_in_remote,
        })
    }

    fn tell(&mut self, what: &str, ui: &mut Ui) {
        ui.warn(what);
        self.has_wrong = true;
    }
}

/// What a remote has of what was pushed.
fn in_remote(missing: Option<u64>) -> Cell {
    Cell::Text(match missing {
        None => "-".into(),
        Some(0) => "whole".into(),
        Some(missing) => format!("{missing} missing"),
    })
}

impl Report for StatusReport {
    fn tables(&self) -> Vec<Table> {
        let mut datasets = Table::new(vec![
            Column::elastic("dataset", 20),
            Column::elastic("database", 20),
            Column::fixed("bytes"),
            Column::fixed("pushed").left(),
            Column::fixed("cohorts here"),
        ]);
        let has_remote = self.datasets.iter().any(|row| row.missing_in_remote.is_some());
        if has_remote {
            datasets.columns.push(Column::fixed("remote").left());
        }
        for row in &self.datasets {
            let in_remote = has_remote.then(|| in_remote(row.missing_in_remote));
            let cells = vec![
                Cell::Text(row.path.clone()),
                Cell::Text(row.db.clone()),
                row.db_bytes.map_or_else(|| Cell::Text("missing".into()), Cell::Bytes),
                Cell::Text(match row.db_state {
                    None => "-".into(),
                    Some(DbState::Pushed | DbState::Absent) => "yes".into(),
                    Some(DbState::NotPushed) => "no".into(),
                    Some(DbState::Changed) => "changed".into(),
                }),
                Cell::Text(format!("{} of {}", row.cohorts_here, row.cohorts)),
            ];
            datasets.rows.push(cells.into_iter().chain(in_remote).collect());
        }
        let mut cohorts = Table::new(vec![
            Column::elastic("cohort", 20),
            Column::fixed("evals here"),
            Column::fixed("runs"),
            Column::fixed("files").rank(1),
            Column::fixed("bytes"),
            Column::fixed("raw data").left(),
            Column::fixed("pushed").left(),
        ]);
        let has_remote = self.cohorts.iter().any(|row| row.missing_in_remote.is_some());
        if has_remote {
            cohorts.columns.push(Column::fixed("remote").left());
        }
        for row in &self.cohorts {
            let in_remote = has_remote.then(|| in_remote(row.missing_in_remote));
            let cells = vec![
                Cell::Text(row.path.clone()),
                Cell::Text(format!("{} of {}", row.evaluations_here, row.evaluations)),
                Cell::Count(row.runs),
                Cell::Count(row.files),
                Cell::Bytes(row.bytes),
                Cell::Text(row.raw.to_string()),
                Cell::Text(row.states.shown()),
            ];
            cohorts.rows.push(cells.into_iter().chain(in_remote).collect());
        }
        [datasets, cohorts].into_iter().filter(|table| !table.rows.is_empty()).collect()
    }
}
