//! Builds a PointsDB beside the old one and puts it in its place: readers see the old file or the new one, never half.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use duckdb::Connection;
use rs_core::eval_id::{EvalId, Identity};
use rs_core::point::Point;
use serde_json::{Map, Value};

use crate::columns;
use crate::connection::{self, Limits, PointsDbError};
use crate::schema::{finish_sql, tables_sql};

/// Points in one Arrow batch: DuckDB takes vectors of 2,048 rows.
const BATCH_POINTS: usize = 2048;

/// A row of `evals`; see the comments of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalRow {
    /// The evaluation's id.
    pub eval_id: EvalId,
    /// Whose records.
    pub identity: Identity,
    /// Context in tokens, if set.
    pub context_tokens: Option<u32>,
    /// Name for people.
    pub label: String,
    /// Hugging Face id of the model.
    pub hf_id: Option<String>,
    /// Groups as `key:value`.
    pub groups: Vec<String>,
    /// Free marks.
    pub tags: Vec<String>,
    /// The cohort's folder, relative to the dataset file's.
    pub cohort: Option<String>,
    /// Raw files matched.
    pub n_files: u64,
    /// Their stored bytes.
    pub source_bytes: u64,
    /// Records of this evaluation.
    pub n_records: u64,
    /// Records that lost to another of the same sample.
    pub n_duplicates: u64,
    /// Samples whose request failed.
    pub n_errors: u64,
    /// Lines that are no record.
    pub n_malformed: u64,
    /// Records of other identities.
    pub n_foreign: u64,
    /// Earliest record: microseconds since 1970, UTC.
    pub first_timestamp: Option<i64>,
    /// Latest record.
    pub last_timestamp: Option<i64>,
    /// Hash of all that the evaluation's rows depend on.
    pub fingerprint: String,
}

impl EvalRow {
    /// The groups as a JSON object.
    #[must_use]
    pub(crate) fn facets(&self) -> String {
        let facets: Map<String, Value> = self
            .groups
            .iter()
            .filter_map(|group| group.split_once(':'))
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect();
        Value::Object(facets).to_string()
    }
}

/// A database in the making. Dropped before [`Builder::finish`] it leaves the old database as it was, and no file.
pub struct Builder {
    /// Only `None` while finishing.
    connection: Option<Connection>,
    target: PathBuf,
    building: PathBuf,
    lock: Lock,
    has_old: bool,
}

/// A lock file that names its holder. The lock goes with the process, whatever ends it; the file is removed with it
/// where the process ends in order.
struct Lock {
    path: PathBuf,
    _file: fs_err::File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever waits has the file open and tries again; a leftover is harmless.
        let _ = fs_err::remove_file(&self.path);
    }
}

impl Lock {
    fn take(target: &Path) -> Result<Self, PointsDbError> {
        let path = beside(target, ".lock");
        let mut file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.file().try_lock() {
            Ok(()) if is_still_at(&file, &path) => {}
            // The holder before has just removed it.
            Ok(()) => return Self::take(target),
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                return Err(PointsDbError::Locked { path: target.to_owned(), holder: text.trim().parse().ok() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        file.file().set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { path, _file: file })
    }
}

/// Whether the open file is the one that stands at `path` now.
fn is_still_at(file: &fs_err::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(open), Ok(there)) = (file.file().metadata(), fs_err::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// The path of a file that belongs to `target` and lies in the same folder.
fn beside(target: &Path, suffix: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}{suffix}"))
}

impl Builder {
    /// Begins a new database that is to stand at `target`. Whether that place can be written is found here, before any
    /// work. The folder must exist.
    ///
    /// # Errors
    /// The folder cannot be written, another process is at it, or what stands there is no PointsDB.
    pub fn create(target: &Path, limits: Limits) -> Result<Self, PointsDbError> {
        if target.is_dir() {
            return Err(PointsDbError::NotAPointsDb { path: target.to_owned(), why: "it is a folder".into() });
        }
        if let Ok(metadata) = fs_err::metadata(target)
            && metadata.permissions().readonly()
        {
            let error = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "file is read-only");
            return Err(std::io::Error::new(error.kind(), format!("`{}`: {error}", target.display())).into());
        }
        let lock = Lock::take(target)?;
        let building = beside(target, ".building");
        remove_database(&building)?;
        let connection = connection::open_new(&building, limits)?;
        let builder = Self { connection: Some(connection), target: target.to_owned(), building, lock, has_old: false };
        builder.run(&format!("BEGIN; {} COMMIT;", tables_sql()))?;
        Ok(builder)
    }

    /// Opens the old database, known to be a PointsDB of this schema version, so that [`Builder::reuse`] can copy from
    /// it. It must not be open in this process.
    ///
    /// # Errors
    /// DuckDB refuses.
    pub fn attach_old(&mut self) -> Result<(), PointsDbError> {
        let path = self.target.to_string_lossy().replace('\'', "''");
        self.run(&format!("ATTACH '{path}' AS old (READ_ONLY)"))?;
        self.has_old = true;
        Ok(())
    }

    /// Copies the rows of evaluations from the old database.
    ///
    /// # Errors
    /// DuckDB refuses.
    pub fn reuse(&mut self, eval_ids: &[EvalId]) -> Result<(), PointsDbError> {
        if eval_ids.is_empty() {
            return Ok(());
        }
        // Ids are hex digits.
        let list: Vec<String> = eval_ids.iter().map(|id| format!("'{id}'")).collect();
        let list = list.join(", ");
        self.run(&format!(
            "INSERT INTO evals SELECT * FROM old.evals WHERE eval_id IN ({list});
             INSERT INTO points SELECT * FROM old.points WHERE eval_id IN ({list});"
        ))
    }

    /// Adds an evaluation and its points.
    ///
    /// # Errors
    /// DuckDB refuses, for example because the disk is full.
    pub fn append(&mut self, evaluation: &EvalRow, points: &[Point]) -> Result<(), PointsDbError> {
        let append = || -> duckdb::Result<()> {
            let arrow =
                |error: duckdb::arrow::error::ArrowError| duckdb::Error::ToSqlConversionFailure(Box::new(error));
            let mut appender = self.connection().appender("points")?;
            for points in points.chunks(BATCH_POINTS) {
                appender.append_record_batch(columns::points(evaluation, points).map_err(arrow)?)?;
            }
            appender.flush()?;
            let mut appender = self.connection().appender("evals")?;
            appender.append_record_batch(columns::evals(std::slice::from_ref(evaluation)).map_err(arrow)?)?;
            appender.flush()
        };
        append().map_err(|source| self.error(source))
    }

    /// Completes the database and puts it in the place of the old one.
    ///
    /// # Errors
    /// DuckDB or the file system refuses; the old database stays.
    pub fn finish(mut self, meta: &[(&str, String)]) -> Result<(), PointsDbError> {
        let rows: Vec<String> =
            meta.iter().map(|(key, value)| format!("('{key}', '{}')", value.replace('\'', "''"))).collect();
        let detach = if self.has_old { "DETACH old;" } else { "" };
        let insert = format!("INSERT INTO meta VALUES {};", rows.join(", "));
        self.run(&format!("BEGIN; {insert} {} COMMIT; {detach} CHECKPOINT;", finish_sql()))?;
        if let Some(connection) = self.connection.take() {
            connection.close().map_err(|(_, source)| self.error(source))?;
        }
        fs_err::File::open(&self.building)?.sync_all()?;
        fs_err::rename(&self.building, &self.target)?;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs_err::File::open(folder)?.sync_all()?;
        let _ = &self.lock;
        Ok(())
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("the connection is there until `finish` takes it")
    }

    fn run(&self, sql: &str) -> Result<(), PointsDbError> {
        self.connection().execute_batch(sql).map_err(|source| self.error(source))
    }

    fn error(&self, source: duckdb::Error) -> PointsDbError {
        PointsDbError::DuckDb { path: self.target.clone(), source }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        drop(self.connection.take());
        // After `finish` there is nothing left to remove.
        let _ = remove_database(&self.building);
    }
}

/// Removes a database that was being built, and its write-ahead log.
fn remove_database(path: &Path) -> std::io::Result<()> {
    for path in [path.to_owned(), PathBuf::from(format!("{}.wal", path.display()))] {
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
