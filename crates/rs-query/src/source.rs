//! DATASET: a dataset file with its database, or a database alone.

use std::path::{Path, PathBuf};

use rs_cli::{CommandError, CommonArgs, Ui};
use rs_config::Config;
use rs_core::cohort::EVALS_FILE;
use rs_core::dataset::{Dataset, list_datasets};
use rs_core::{paths, suggest};
use rs_pointsdb::PointsDbError;
use rs_pointsdb::connection::{Limits, open_to_read};
use rs_pointsdb::{Connection, DuckDbError};

/// Extensions that a database's file may have.
const DB_EXTENSIONS: [&str; 2] = ["db", "duckdb"];

/// What the questions are asked of.
pub struct Source {
    /// The database, open for reading.
    pub connection: Connection,
    /// Its path.
    pub db: PathBuf,
    /// The dataset, unless a bare database was named.
    pub dataset: Option<Dataset>,
}

impl Source {
    /// Opens what a DATASET argument names.
    ///
    /// # Errors
    /// There is no such dataset or database, or it cannot be read.
    pub fn open(path: &Path, common: &CommonArgs, ui: &mut Ui) -> Result<Self, CommandError> {
        let dataset = if is_db(path) { None } else { Some(open_dataset(path)?) };
        dataset.iter().flat_map(|dataset| &dataset.warnings).for_each(|warning| ui.warn(warning));
        let db = dataset.as_ref().map_or_else(|| path.to_owned(), |dataset| dataset.db.clone());
        let limits = Limits { threads: common.threads.map_or(0, usize::from) };
        let connection = open_to_read(&db, limits).map_err(|error| open_error(error, dataset.as_ref()))?;
        Ok(Self { connection, db, dataset })
    }

    /// The dataset's config, if it names one.
    ///
    /// # Errors
    /// It is not there, or wrong.
    pub fn config(&self, ui: &mut Ui) -> Result<Option<Config>, CommandError> {
        let Some((dataset, path)) = self.dataset.as_ref().and_then(|dataset| Some((dataset, dataset.config.as_ref()?)))
        else {
            return Ok(None);
        };
        if !path.is_file() {
            let (dataset, config) = (dataset.file.display(), path.display());
            return Err(CommandError::input(format!("{dataset}: config: no file `{config}`")));
        }
        let config = Config::read(path)?;
        config.warnings.iter().for_each(|warning| ui.warn(warning));
        Ok(Some(config))
    }

    /// DuckDB's refusal of one of our own questions.
    #[must_use]
    pub fn error(&self, source: DuckDbError) -> CommandError {
        // As text: what DuckDB's error names as its own cause is but a number.
        CommandError::environment(PointsDbError::DuckDb { path: self.db.clone(), source }.to_string())
    }
}

fn is_db(path: &Path) -> bool {
    path.extension().is_some_and(|extension| DB_EXTENSIONS.iter().any(|known| extension == *known))
}

fn open_dataset(path: &Path) -> Result<Dataset, CommandError> {
    let shown = paths::show(path);
    if path.is_dir() {
        let known: Vec<String> = list_datasets(path).iter().map(|path| format!("`{}`", paths::show(path))).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let hint = (!known.is_empty()).then(|| format!("there are {}", suggest::list(&known, 5)));
        let error = format!("`{shown}` is a folder; expected a dataset file or a database");
        return Err(CommandError::input(error).maybe_hint(hint));
    }
    if path.is_file() && path.ends_with(EVALS_FILE) {
        return Err(CommandError::input(format!("`{shown}` is a cohort; expected a dataset file or a database"))
            .hint(format!("`cohort info {shown}` tells what is in it")));
    }
    Ok(Dataset::open(path)?)
}

fn open_error(error: PointsDbError, dataset: Option<&Dataset>) -> CommandError {
    let evaluate = dataset.map(|dataset| format!("evaluate --dataset {}", dataset.file.display()));
    match error {
        PointsDbError::Missing { ref path } => {
            let hint = evaluate.or_else(|| near_db(path));
            CommandError::input(error).maybe_hint(hint)
        }
        PointsDbError::SchemaVersion { .. } => CommandError::input(error).maybe_hint(evaluate),
        PointsDbError::NotAPointsDb { .. } => CommandError::input(error),
        PointsDbError::Locked { .. } => CommandError::environment(error).hint("try again once it is done"),
        other => CommandError::environment(other),
    }
}

/// Databases beside one that is not there.
fn near_db(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let items = fs_err::read_dir(folder).ok()?;
    let files = items.flatten().map(|item| item.path()).filter(|path| is_db(path));
    let mut known: Vec<String> = files.map(|path| paths::show(path.strip_prefix(".").unwrap_or(&path))).collect();
    known.sort();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    suggest::hint(&paths::show(path), &known)
}
