//! `data status`: what is here of each cohort and dataset.

use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, EVALS_FILE, find_cohorts};
use rs_core::dataset::{Dataset, DatasetError, list_datasets};
use rs_core::manifest::Manifest;
use rs_core::paths;
use rs_core::presence::{Presence, presence};
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
#[derive(Debug, Default, Serialize)]
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
    /// Paths of cohorts that are not there at all.
    missing_cohorts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CohortRow {
    path: String,
    evaluations: u64,
    /// Evaluations that have raw files.
    evaluations_here: u64,
    runs: u64,
    files: u64,
    bytes: u64,
    raw: Presence,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let target = &args.target;
    let mut report = StatusReport { schema: "data.status/1", ..StatusReport::default() };
    if target.is_file() && target.file_name().is_some_and(|name| name != EVALS_FILE) || is_dataset_name(target) {
        let dataset = Dataset::open(target)?;
        let manifest = manifest_beside(target)?;
        for (path, _) in &dataset.cohorts {
            if let Ok(cohort) = open(path, ui) {
                report.cohorts.push(cohort_row(&cohort, &manifest));
            }
        }
        report.datasets.push(dataset_row(&dataset, &manifest)?);
    } else if target.join(EVALS_FILE).is_file() || target.is_file() {
        let cohort = Cohort::open(target)?;
        let manifest = manifest_above(&cohort.folder)?;
        report.cohorts.push(cohort_row(&cohort, &manifest));
    } else if target.is_dir() {
        let manifest = manifest_above(target)?;
        for path in list_datasets(target) {
            report.datasets.push(dataset_row(&Dataset::open(&path)?, &manifest)?);
        }
        for folder in find_cohorts(target)? {
            if let Ok(cohort) = open(&folder, ui) {
                report.cohorts.push(cohort_row(&cohort, &manifest));
            }
        }
    } else {
        return Err(CommandError::input(format!("no folder, cohort or dataset `{}`", target.display()))
            .hint("data status [DIR|FILE]"));
    }
    args.output.print(ui, &report)?;
    Ok(Exit::Done)
}

fn is_dataset_name(path: &Path) -> bool {
    !path.exists() && path.extension().is_some_and(|extension| extension == "json")
}

/// Opens a cohort; one that is wrong is told and does not hide the others.
fn open(path: &Path, ui: &mut Ui) -> Result<Cohort, ()> {
    Cohort::open(path).map_err(|error| ui.warn(&error.to_string()))
}

fn manifest_beside(path: &Path) -> Result<Manifest, CommandError> {
    Ok(Manifest::read(&path.with_file_name("manifest.json"))?)
}

/// The manifest of the nearest folder that has one, from `folder` upwards.
fn manifest_above(folder: &Path) -> Result<Manifest, CommandError> {
    let found = folder.ancestors().map(|folder| folder.join("manifest.json")).find(|path| path.is_file());
    Ok(found.map(|path| Manifest::read(&path)).transpose()?.unwrap_or_default())
}

fn cohort_row(cohort: &Cohort, manifest: &Manifest) -> CohortRow {
    CohortRow {
        path: paths::show(&cohort.folder),
        evaluations: cohort.evaluations.len() as u64,
        evaluations_here: cohort.evaluations.iter().filter(|evaluation| !evaluation.files.is_empty()).count() as u64,
        runs: cohort.runs().len() as u64,
        files: cohort.files.len() as u64,
        bytes: cohort.size_bytes(),
        raw: presence(cohort, manifest),
    }
}

fn dataset_row(dataset: &Dataset, manifest: &Manifest) -> Result<DatasetRow, DatasetError> {
    let (mut cohorts_here, mut missing_cohorts) = (0, Vec::new());
    for (path, _) in &dataset.cohorts {
        match Cohort::open(path) {
            Ok(cohort) => cohorts_here += u64::from(presence(&cohort, manifest) == Presence::Here),
            Err(_) => missing_cohorts.push(paths::show(path)),
        }
    }
    Ok(DatasetRow {
        path: paths::show(&dataset.file),
        name: dataset.name.clone(),
        db: paths::show(&dataset.db),
        db_bytes: dataset.db.metadata().ok().map(|metadata| metadata.len()),
        cohorts: dataset.cohorts.len() as u64,
        cohorts_here,
        missing_cohorts,
    })
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
