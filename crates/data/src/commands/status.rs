//! `data status`: what is here of each cohort and dataset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, CohortError, EVALS_FILE, find_cohorts};
use rs_core::dataset::Dataset;
use rs_core::library::Libraries;
use rs_core::presence::{Presence, presence};
use rs_core::{document, paths};
use serde::Serialize;

/// Tell what is here of each cohort and dataset.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A folder, a cohort or a dataset file.
    #[arg(default_value = "data")]
    target: PathBuf,
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
    cohorts: u64,
    /// Cohorts whose raw data is here, whole.
    cohorts_here: u64,
    /// Paths of cohorts that are not there at all, or wrong.
    missing_cohorts: Vec<String>,
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
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    // Shells complete folders with a slash at the end; nobody wants to read it.
    let target: &Path = &args.target.components().collect::<PathBuf>();
    let is_json = target.extension().is_some_and(|extension| extension == "json");
    let mut status = Status::default();
    if is_json && !target.ends_with(EVALS_FILE) {
        let dataset = Dataset::open(target)?;
        status.add_dataset(&dataset, ui)?;
        for (path, _) in &dataset.cohorts {
            status.add_cohort(path, ui)?;
        }
    } else if is_json || target.join(EVALS_FILE).is_file() {
        let cohort = Cohort::open(target)?;
        let row = Status::row(&cohort);
        status.report.cohorts.push(row);
    } else if target.is_dir() {
        for folder in [target, &target.join("data")] {
            status.add_datasets(folder, ui)?;
        }
        for folder in find_cohorts(target)? {
            status.add_cohort(folder.strip_prefix(".").unwrap_or(&folder), ui)?;
        }
        if status.report.datasets.is_empty() && status.report.cohorts.is_empty() {
            ui.note(&format!("no dataset in `{}` and no cohort below it", target.display()));
        }
    } else {
        return Err(CommandError::input(format!("no folder, cohort or dataset `{}`", target.display()))
            .hint("data status [DIR|FILE]"));
    }
    args.output.print(ui, &status.report)?;
    Ok(if status.has_wrong { Exit::Negative } else { Exit::Done })
}

impl Default for StatusReport {
    fn default() -> Self {
        Self { schema: "data.status/1", datasets: Vec::new(), cohorts: Vec::new() }
    }
}

/// What has been found so far.
#[derive(Default)]
struct Status {
    report: StatusReport,
    libraries: Libraries,
    /// The cohorts by folder, each looked at once; `None` for one that is not there or wrong.
    cohorts: BTreeMap<PathBuf, Option<CohortRow>>,
    has_wrong: bool,
}

impl Status {
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
                Some(row) => cohorts_here += u64::from(row.raw == Presence::Here),
                None => {
                    let path = paths::show(folder_of(path));
                    let file = dataset.file.display();
                    self.tell(&format!("{file}: cohorts[{position}]: no usable cohort at `{path}`"), ui);
                    missing_cohorts.push(path);
                }
            }
        }
        self.report.datasets.push(DatasetRow {
            path: paths::show(&dataset.file),
            name: dataset.name.clone(),
            db: paths::show(&dataset.db),
            db_bytes: dataset.db.metadata().ok().map(|metadata| metadata.len()),
            cohorts: dataset.cohorts.len() as u64,
            cohorts_here,
            missing_cohorts,
        });
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
        let row = match Cohort::open_among(folder, &mut self.libraries) {
            Ok(cohort) => Some(Self::row(&cohort)),
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

    fn row(cohort: &Cohort) -> CohortRow {
        let here = cohort.evaluations.iter().filter(|evaluation| !evaluation.files.is_empty());
        CohortRow {
            path: paths::show(&cohort.folder),
            evaluations: cohort.evaluations.len() as u64,
            evaluations_here: here.count() as u64,
            runs: cohort.runs().len() as u64,
            files: cohort.files.len() as u64,
            bytes: cohort.size_bytes(),
            raw: presence(cohort),
        }
    }

    fn tell(&mut self, what: &str, ui: &mut Ui) {
        ui.warn(what);
        self.has_wrong = true;
    }
}

/// The folder of a cohort that is named by it or by its `evals.json`.
fn folder_of(path: &Path) -> &Path {
    if path.ends_with(EVALS_FILE) { path.parent().unwrap_or(path) } else { path }
}

impl Report for StatusReport {
    fn tables(&self) -> Vec<Table> {
        let mut datasets = Table::new(vec![
            Column::elastic("dataset", 20),
            Column::elastic("database", 20),
            Column::fixed("bytes"),
            Column::fixed("cohorts here"),
        ]);
        for row in &self.datasets {
            datasets.rows.push(vec![
                Cell::Text(row.path.clone()),
                Cell::Text(row.db.clone()),
                row.db_bytes.map_or_else(|| Cell::Text("missing".into()), Cell::Bytes),
                Cell::Text(format!("{} of {}", row.cohorts_here, row.cohorts)),
            ]);
        }
        let mut cohorts = Table::new(vec![
            Column::elastic("cohort", 20),
            Column::fixed("evals here"),
            Column::fixed("runs"),
            Column::fixed("files"),
            Column::fixed("bytes"),
            Column::fixed("raw data"),
        ]);
        for row in &self.cohorts {
            cohorts.rows.push(vec![
                Cell::Text(row.path.clone()),
                Cell::Text(format!("{} of {}", row.evaluations_here, row.evaluations)),
                Cell::Count(row.runs),
                Cell::Count(row.files),
                Cell::Bytes(row.bytes),
                Cell::Text(row.raw.to_string()),
            ]);
        }
        [datasets, cohorts].into_iter().filter(|table| !table.rows.is_empty()).collect()
    }
}
