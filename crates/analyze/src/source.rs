//! DATASET: a dataset file with its database, or a database alone.

use std::path::{Path, PathBuf};

use rs_cli::{CommandError, CommonArgs, Ui};
use rs_core::config::Config;
use rs_core::dataset::Dataset;
use rs_pointsdb::PointsDbError;
use rs_pointsdb::connection::{Limits, open_to_read};
use rs_pointsdb::{Connection, DuckDbError};

/// What the questions are asked of.
pub(crate) struct Source {
    /// The database, open for reading.
    pub connection: Connection,
    /// Its path.
    pub db: PathBuf,
    /// The dataset, unless a bare database was named.
    pub dataset: Option<Dataset>,
    /// The dataset's config, if it names one.
    pub config: Option<Config>,
}

impl Source {
    pub(crate) fn open(path: &Path, common: &CommonArgs, ui: &mut Ui) -> Result<Self, CommandError> {
        let is_database = path.extension().is_some_and(|extension| extension == "db" || extension == "duckdb");
        let dataset = if is_database { None } else { Some(Dataset::open(path)?) };
        let mut config = None;
        if let Some(dataset) = &dataset {
            dataset.warnings.iter().for_each(|warning| ui.warn(warning));
            config = dataset.config.as_deref().map(Config::read).transpose()?;
        }
        config.iter().flat_map(|config| &config.warnings).for_each(|warning| ui.warn(warning));
        let db = dataset.as_ref().map_or_else(|| path.to_owned(), |dataset| dataset.db.clone());
        let limits = Limits { threads: common.threads.map_or(0, usize::from) };
        let connection = open_to_read(&db, limits).map_err(|error| open_error(error, dataset.as_ref()))?;
        Ok(Self { connection, db, dataset, config })
    }

    /// DuckDB's refusal of one of our own questions.
    pub(crate) fn error(&self, source: DuckDbError) -> CommandError {
        CommandError::environment(PointsDbError::DuckDb { path: self.db.clone(), source })
    }
}

fn open_error(error: PointsDbError, dataset: Option<&Dataset>) -> CommandError {
    let evaluate = dataset.map(|dataset| format!("evaluate --dataset {}", dataset.file.display()));
    match error {
        PointsDbError::Missing { .. } => CommandError::input(error).maybe_hint(evaluate),
        PointsDbError::SchemaVersion { .. } => CommandError::input(error).maybe_hint(evaluate),
        PointsDbError::NotAPointsDb { .. } => CommandError::input(error),
        other => CommandError::environment(other),
    }
}
