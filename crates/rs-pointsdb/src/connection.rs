//! The one place that opens DuckDB files.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use duckdb::{AccessMode, Config, Connection};

use crate::schema::SCHEMA_VERSION;

/// Why a PointsDB cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PointsDbError {
    /// There is no such file.
    #[error("no PointsDB at `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("`{}` is not a PointsDB: {why}", path.display())]
    NotAPointsDb {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The file has another schema.
    #[error("`{}` has schema version {found}; this program reads version {SCHEMA_VERSION}", path.display())]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// Another process is writing it.
    #[error("`{}` is locked by another process{}", path.display(), holder.as_ref().map_or_else(String::new, |pid| format!(" (pid {pid})")))]
    Locked {
        /// The file.
        path: PathBuf,
        /// The other process, where it is known.
        holder: Option<u32>,
    },
    /// There is no folder for the file.
    #[error("no folder `{}` for the database", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The file may not be written.
    #[error("`{}` is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file system refuses; the error names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// DuckDB refuses.
    #[error("`{}`: {}", path.display(), first_line(source))]
    DuckDb {
        /// The file.
        path: PathBuf,
        /// Its words.
        source: duckdb::Error,
    },
}

/// DuckDB's messages go on for lines.
fn first_line(error: &duckdb::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// What DuckDB may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Threads; 0 leaves the choice to DuckDB.
    pub threads: usize,
}

/// Memory that DuckDB may use before it spills.
const MAX_MEMORY: &str = "2GB";

fn config(limits: Limits) -> duckdb::Result<Config> {
    let config = Config::default().enable_autoload_extension(false)?.max_memory(MAX_MEMORY)?;
    if limits.threads == 0 { Ok(config) } else { config.threads(i64::try_from(limits.threads).unwrap_or(1)) }
}

/// Rows that DuckDB writes and reads as one piece. Its own choice, 122,880, makes one piece or two of most databases, which
/// are gathered whole before they are written: 160,500 points of 100 samples took 1.4 times as much memory and 1.1 to 1.4
/// times as long.
const ROW_GROUP_SIZE: u32 = 16_384;

/// How much a new database is to hold: what suits a large one wastes space and time in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Blocks of 64 KiB: most columns of few points fill less, so that files are a tenth to two fifths smaller, and written
    /// faster.
    Usual,
    /// Blocks of 256 KiB, DuckDB's own choice, without which it packs no floats: of 160,500 points with spectra the file is
    /// a tenth smaller. Two threads insert, because what one has inserted DuckDB packs on that one; in which order is chance.
    Large,
}

/// Decoded bytes of raw data from which a database is large: about 50,000 points of 100 samples.
const MANY_RAW_BYTES: u64 = 32 << 30;

impl Size {
    /// That of a database that is made of so many bytes of decoded raw data.
    #[must_use]
    pub fn for_raw_bytes(raw_bytes: u64) -> Self {
        if raw_bytes < MANY_RAW_BYTES { Self::Usual } else { Self::Large }
    }

    /// Readers (DuckDB from 1.1 on) take either.
    fn block_bytes(self) -> u32 {
        match self {
            Self::Usual => 64 << 10,
            Self::Large => 256 << 10,
        }
    }

    /// Raw data is read on all threads meanwhile: more of DuckDB's own would only be in their way.
    fn threads(self) -> usize {
        match self {
            Self::Usual => 1,
            Self::Large => 2,
        }
    }
}

/// Opens a new file for writing. It must not be open in this process.
pub(crate) fn open_new(path: &Path, size: Size) -> Result<Connection, PointsDbError> {
    let quoted = path.to_string_lossy().replace('\'', "''");
    let block_bytes = size.block_bytes();
    let limits = Limits { threads: size.threads() };
    let open = || {
        // Only what is attached can be told its row groups and blocks.
        let connection = Connection::open_in_memory_with_flags(config(limits)?)?;
        connection.execute_batch(&format!(
            "SET temp_directory = '{quoted}.tmp';
            -- Rows are looked for, not counted off; in order, only one thread would insert.
            SET preserve_insertion_order = false;
            ATTACH '{quoted}' AS \"{NEW}\" (ROW_GROUP_SIZE {ROW_GROUP_SIZE}, BLOCK_SIZE {block_bytes}); USE \"{NEW}\""
        ))?;
        Ok(connection)
    };
    open().map_err(|source| PointsDbError::DuckDb { path: path.to_owned(), source })
}

/// What stands at this place of every DuckDB file.
const MAGIC: (u64, &[u8; 4]) = (8, b"DUCK");

/// DuckDB goes by names, too: it would take `x.json` for a table of JSON, whatever is in it.
pub(crate) fn check_is_duckdb(path: &Path) -> Result<(), PointsDbError> {
    let mut file = fs_err::File::open(path)?;
    let mut bytes = [0; MAGIC.1.len()];
    file.seek(SeekFrom::Start(MAGIC.0))?;
    match file.read_exact(&mut bytes) {
        Ok(()) if bytes == *MAGIC.1 => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error.into()),
        _ => Err(PointsDbError::NotAPointsDb { path: path.to_owned(), why: "it is no DuckDB file".into() }),
    }
}

/// What a new database is attached as: no schema has such a name.
const NEW: &str = "/new";

/// Opens a PointsDB for reading.
///
/// # Errors
/// It is missing, locked, no PointsDB, or of another schema version.
pub fn open_to_read(path: &Path, limits: Limits) -> Result<Connection, PointsDbError> {
    if !path.is_file() {
        return Err(PointsDbError::Missing { path: path.to_owned() });
    }
    check_is_duckdb(path)?;
    let open = || Connection::open_with_flags(path, config(limits)?.access_mode(AccessMode::ReadOnly)?);
    let connection = open().map_err(|source| open_error(path, source))?;
    let version = connection
        .query_row("SELECT value FROM meta WHERE key = 'schema_version'", [], |row| row.get::<_, String>(0))
        .map_err(|source| version_error(path, source))?;
    if version != SCHEMA_VERSION.to_string() {
        return Err(PointsDbError::SchemaVersion { path: path.to_owned(), found: version });
    }
    Ok(connection)
}

/// What an old database is attached as.
pub(crate) const OLD: &str = "/old";

/// Attaches a PointsDB of any schema version for reading, under the name [`OLD`]; the user calls it `target`.
pub(crate) fn attach_to_read(connection: &Connection, quoted_path: &str, target: &Path) -> Result<(), PointsDbError> {
    connection
        .execute_batch(&format!("ATTACH '{quoted_path}' AS \"{OLD}\" (READ_ONLY)"))
        .map_err(|source| open_error(target, source))?;
    connection
        .query_row(&format!("SELECT value FROM \"{OLD}\".meta WHERE key = 'schema_version'"), [], |_| Ok(()))
        .map_err(|source| version_error(target, source))
}

/// No such table, column or row: the file is of somebody else. Anything else is damage.
fn version_error(path: &Path, source: duckdb::Error) -> PointsDbError {
    let text = source.to_string();
    let is_of_others = matches!(source, duckdb::Error::QueryReturnedNoRows)
        || ["Catalog Error", "Binder Error"].iter().any(|kind| text.starts_with(kind));
    if is_of_others {
        PointsDbError::NotAPointsDb { path: path.to_owned(), why: "it has no `schema_version` in `meta`".into() }
    } else {
        PointsDbError::DuckDb { path: path.to_owned(), source }
    }
}

fn open_error(path: &Path, source: duckdb::Error) -> PointsDbError {
    let text = source.to_string();
    if text.contains("Could not set lock") || text.contains("Conflicting lock") {
        let holder = text
            .split("PID ")
            .nth(1)
            .and_then(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok());
        return PointsDbError::Locked { path: path.to_owned(), holder };
    }
    if text.contains("not a valid DuckDB database file") {
        return PointsDbError::NotAPointsDb { path: path.to_owned(), why: "it is no DuckDB file".into() };
    }
    PointsDbError::DuckDb { path: path.to_owned(), source }
}
