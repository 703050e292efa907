//! Builds a PointsDB beside the old one and puts it in its place: readers see the old file or the new one, never half.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use duckdb::Connection;
use rs_core::atomic_file::{beside, folder_of, resolve_link, sync_folder};
use rs_core::collect::Mark;
use rs_core::eval_id::{EvalId, Identity};
use rs_core::lock::{Lock, LockError};
use rs_core::monitor::Monitor;
use rs_core::point::Point;
use serde_json::{Map, Value};

use crate::append;
use crate::arriving;
use crate::connection::{self, OLD, PointsDbError, Size};
use crate::schema::{INDEXES, tables_sql};

/// How often it is asked whether the work is to stop.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);

/// A row of `raw_files`, less the evaluation; see the comments of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFileRow {
    /// What samples call it.
    pub file: u32,
    /// Relative to the cohort's folder, without a compression suffix.
    pub path: String,
    /// Where lines of it begin.
    pub marks: Vec<Mark>,
}

/// A row of `evals`, and those of its raw files; see the comments of the columns.
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
    /// The raw files that hold its samples, in order.
    pub files: Vec<RawFileRow>,
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
    /// The database as the user would type it.
    target: PathBuf,
    /// Where it really lies.
    place: PathBuf,
    building: PathBuf,
    old: Old,
    /// Of [`Builder::stop_with`].
    watch: Option<Watch>,
    _lock: Lock,
}

/// Whether rows are to be taken over from the database that stands at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// They are.
    Attached,
    /// They are not: there is none, or none that can be used.
    Ignored,
    /// They are not, but nobody has looked yet whether what stands there is a PointsDB, which alone may be replaced.
    Unchecked,
}

/// Extensions by which DuckDB takes a file for a table.
const OTHER_FORMATS: [&str; 7] = ["csv", "json", "jsonl", "ndjson", "parquet", "tsv", "xlsx"];

/// Finds out whether a database could stand at `target`, before any work. What is no database there is left alone.
///
/// # Errors
/// There is no folder for it, or something else is in its place.
pub fn check_place(target: &Path) -> Result<(), PointsDbError> {
    let folder = folder_of(target);
    if !folder.is_dir() {
        return Err(PointsDbError::NoFolder { path: folder.to_owned() });
    }
    let extension = target.extension().unwrap_or_default().to_ascii_lowercase();
    if OTHER_FORMATS.iter().any(|other| extension == *other) {
        let why = format!("DuckDB reads what is called `.{}` as something else", extension.display());
        return Err(PointsDbError::NotAPointsDb { path: target.to_owned(), why });
    }
    let Ok(metadata) = fs_err::metadata(target) else { return Ok(()) };
    if !metadata.is_file() {
        let why = if metadata.is_dir() { "it is a folder" } else { "it is no regular file" };
        return Err(PointsDbError::NotAPointsDb { path: target.to_owned(), why: why.into() });
    }
    if metadata.permissions().readonly() {
        return Err(PointsDbError::ReadOnly { path: target.to_owned() });
    }
    Ok(())
}

impl Builder {
    /// Begins a new database that is to stand at `target`, whose folder must exist. Whether that place can be written
    /// is found here, before any work. With [`Old::Attached`] rows can be taken over from the database that stands
    /// there, known to be a PointsDB of this schema version and not open in this process.
    ///
    /// # Errors
    /// The folder cannot be written, another process is at it, or what stands there cannot be replaced.
    pub fn create(target: &Path, old: Old, size: Size) -> Result<Self, PointsDbError> {
        let _span = tracing::info_span!("create").entered();
        check_place(target)?;
        // A link stays one: the database lies where it leads.
        let place = resolve_link(target)?;
        let lock = Lock::take(&beside(&place, ".lock")).map_err(|error| match error {
            // The user knows the database, not its lock file.
            LockError::Locked { holder, .. } => PointsDbError::Locked { path: target.to_owned(), holder },
            LockError::Io(error) => error.into(),
        })?;
        let building = beside(&place, ".building");
        remove_database(&building)?;
        let connection = Some(connection::open_new(&building, size)?);
        let builder = Self { connection, target: target.to_owned(), place, building, old, watch: None, _lock: lock };
        if old == Old::Attached || old == Old::Unchecked && builder.place.exists() {
            connection::check_is_duckdb(&builder.place)?;
            let path = builder.place.to_string_lossy().replace('\'', "''");
            connection::attach_to_read(builder.connection(), &path, target)?;
        }
        if old == Old::Unchecked {
            builder.run(&format!("DETACH DATABASE IF EXISTS \"{OLD}\""))?;
        }
        // A transaction larger than the threshold is written to its place at once, without a log before it; so are the row
        // groups that several have filled, of which a log names only the places.
        // Trying these codecs on every column is a third of the commit's time; on medium fixtures they save no byte.
        // Row groups go to the disk one by one: five at a time, DuckDB's own choice, are a third of a gigabyte.
        builder.run(
            "SET checkpoint_threshold = '1KB'; SET write_buffer_row_group_count = 1;
            SET disabled_compression_methods = 'fsst,dict_fsst,zstd'",
        )?;
        // Eighty comments, none of which gets better by being optimised.
        builder.run(&format!("PRAGMA disable_optimizer; BEGIN; {} PRAGMA enable_optimizer;", tables_sql()))?;
        arriving::register(builder.connection()).map_err(|source| builder.error(source))?;
        Ok(builder)
    }

    /// Stops DuckDB, whatever it does, once the monitor is cancelled: the call that it was at fails.
    pub fn stop_with(&mut self, monitor: &Arc<Monitor>) {
        self.end_watch();
        let handle = self.connection().interrupt_handle();
        let (monitor, is_over) = (Arc::clone(monitor), Arc::new(AtomicBool::new(false)));
        let is_watched = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            while !is_watched.load(Ordering::Relaxed) {
                // What begins after one request needs another.
                if monitor.is_cancelled() {
                    handle.interrupt();
                }
                std::thread::park_timeout(WATCH_INTERVAL);
            }
        });
        self.watch = Some(Watch { is_over, thread });
    }

    /// Waits until nobody stops a connection any more: none must be while it is closed.
    fn end_watch(&mut self) {
        let Some(Watch { is_over, thread }) = self.watch.take() else { return };
        is_over.store(true, Ordering::Relaxed);
        thread.thread().unpark();
        // It only watches, and has nothing to panic about.
        let _ = thread.join();
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
        for table in ["evals", "points", "raw_files"] {
            // Files made before a table or column was added lack it.
            if self.old_has(table)? {
                let sql = format!("INSERT INTO {table} BY NAME FROM \"{OLD}\".{table} WHERE eval_id IN ({list})");
                self.run(&sql)?;
            }
        }
        Ok(())
    }

    fn old_has(&self, table: &str) -> Result<bool, PointsDbError> {
        let sql = "SELECT count(*) > 0 FROM duckdb_tables() WHERE database_name = ? AND table_name = ?";
        self.connection().query_row(sql, [OLD, table], |row| row.get(0)).map_err(|source| self.error(source))
    }

    /// Adds evaluations and their points as they arrive, taken on another thread, until there are no more. A call costs
    /// DuckDB several plans: one with all is the fastest. `on_failure` is called as soon as no more points are taken, so that
    /// whoever makes them can end: this waits until they have.
    ///
    /// # Errors
    /// DuckDB refuses, for example because the disk is full.
    pub fn append<P: AsRef<[Point]>>(
        &mut self,
        evaluated: impl IntoIterator<Item = (EvalRow, P), IntoIter: Send>,
        on_failure: impl FnOnce(),
    ) -> Result<(), PointsDbError> {
        let _span = tracing::info_span!("append").entered();
        append::evaluated(self.connection(), evaluated.into_iter(), on_failure).map_err(|source| self.error(source))
    }

    /// Completes the database and puts it in the place of the old one.
    ///
    /// # Errors
    /// DuckDB or the file system refuses; the old database stays.
    pub fn finish(mut self, meta: &[(&str, String)]) -> Result<(), PointsDbError> {
        let _span = tracing::info_span!("finish").entered();
        let rows: Vec<String> =
            meta.iter().map(|(key, value)| format!("('{key}', '{}')", value.replace('\'', "''"))).collect();
        let detach = if self.old == Old::Attached { format!("DETACH \"{OLD}\";") } else { String::new() };
        self.run(&format!("INSERT INTO meta VALUES {}; {INDEXES} COMMIT; {detach}", rows.join(", ")))?;
        self.end_watch();
        if let Some(connection) = self.connection.take() {
            connection.close().map_err(|(_, source)| self.error(source))?;
        }
        fs_err::File::open(&self.building)?.sync_all()?;
        fs_err::rename(&self.building, &self.place)?;
        sync_folder(folder_of(&self.place))?;
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

/// Who stops the connection, and until when.
struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.end_watch();
        drop(self.connection.take());
        // After `finish` there is nothing left to remove.
        let _ = remove_database(&self.building);
    }
}

/// Removes a database that was being built, its write-ahead log, and what DuckDB put on disk for want of memory.
fn remove_database(path: &Path) -> std::io::Result<()> {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    for result in
        [fs_err::remove_file(path), fs_err::remove_file(beside(".wal")), fs_err::remove_dir_all(beside(".tmp"))]
    {
        match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
