//! A project in a temporary folder, `evaluate` run in it, and its database read back.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::process::Command;

use duckdb::Connection;
use rs_pointsdb::connection::{Limits, open_to_read};
use serde::Deserialize;

/// The database of [`Project::new`]'s dataset.
pub(crate) const DB: &str = "data/d.db";

/// A folder with a dataset, that is removed at the end.
pub(crate) struct Project(rs_testkit::Project);

impl Deref for Project {
    type Target = rs_testkit::Project;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self(rs_testkit::Project::empty())
    }

    /// One dataset, `data/d.json`, of one cohort, `data/set/M`, with one evaluation, [`IDENTITY`]; its raw files are
    /// `data/set/M/run/*`, and there is none yet.
    pub(crate) fn new() -> Self {
        let project = Self::empty();
        project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
        project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", "")));
        project
    }

    /// [`Self::new`] with one raw file, `data/set/M/run/a.ndjson`.
    pub(crate) fn with_raw(bytes: impl AsRef<[u8]>) -> Self {
        let project = Self::new();
        project.write("data/set/M/run/a.ndjson", bytes);
        project
    }

    /// `evaluate` in the project's folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_evaluate"), arguments)
    }

    /// A program in the same folder and environment.
    pub(crate) fn command_of<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        self.0.command_with_libraries(program, arguments)
    }

    /// Runs `evaluate` with arguments parted by blanks.
    pub(crate) fn evaluate(&self, arguments: &str) -> Run {
        Run(rs_testkit::Run::of(&mut self.command(arguments.split_whitespace())))
    }

    /// Runs `evaluate --dataset data/d.json`, with more arguments.
    pub(crate) fn evaluate_d(&self, arguments: &str) -> Run {
        self.evaluate(&format!("--dataset data/d.json {arguments}"))
    }

    /// A database of the project, opened to be read.
    pub(crate) fn open(&self, db: &str) -> Connection {
        open_to_read(&self.path(db), Limits { threads: 1 }).unwrap()
    }

    /// Everything that a query on [`DB`] gives, as texts.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        texts(&self.open(DB), sql)
    }

    /// The files directly in a folder, hidden ones too, sorted.
    pub(crate) fn files_in(&self, folder: &str) -> Vec<String> {
        let items = fs_err::read_dir(self.path(folder)).unwrap().map(Result::unwrap);
        let files = items.filter(|item| item.file_type().unwrap().is_file());
        let mut names: Vec<String> = files.map(|item| item.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The identity of [`record`] and of [`entry`] for the model `m`.
pub(crate) const IDENTITY: &str = "m+t+s";

/// An entry of an `evals.json`; `more` are members, each after a comma.
pub(crate) fn entry(model: &str, glob: &str, more: &str) -> String {
    rs_testkit::entry(model, glob, &format!("L {model}"), more)
}

/// A record of the model `m`, a right answer, with `more` members, each after a comma; no line end.
pub(crate) fn record(index: u32, more: &str) -> String {
    format!(
        r#"{{"model":"m","template":"t","sampler":"s","base_task":"b","params":{{"n":1}},"correct":true,"index":{index}{more}}}"#
    )
}

/// As many different records, a line each.
pub(crate) fn records(indexes: std::ops::Range<u32>) -> String {
    indexes.map(|index| record(index, "") + "\n").collect()
}

/// What a run of `evaluate` left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run(rs_testkit::Run);

impl Deref for Run {
    type Target = rs_testkit::Run;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Run {
    /// The run, if it ended well.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        Self(self.0.succeeds())
    }

    /// The summary document of a run with `--format json`.
    #[track_caller]
    pub(crate) fn summary(&self) -> Summary {
        self.document()
    }

    /// Where the rows of each evaluation came from, in the summary's order: `files` or `db`.
    pub(crate) fn sources(&self) -> Vec<&'static str> {
        self.summary().evaluations.iter().map(|row| if row.reused { "db" } else { "files" }).collect()
    }
}

/// For snapshots: without times and speeds, which differ from run to run.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stderr = without_times(&self.stderr);
        write!(f, "{}", rs_testkit::Run { stderr, ..self.0.clone() })
    }
}

/// The text with `[TIME] s` for seconds and `[SPEED] MB/s` for speeds.
fn without_times(text: &str) -> String {
    let masked = |word: &str, next: &str| {
        let number = word.trim_start_matches('(');
        let is_number = number.starts_with(|c: char| c.is_ascii_digit()) || ["NaN", "inf"].contains(&number);
        let unit = next.trim_end().trim_end_matches([')', ';']);
        let mask = match unit {
            "s" => "[TIME]",
            "MB/s" => "[SPEED]",
            _ => return None,
        };
        is_number.then(|| word.replace(number, mask))
    };
    let lines = text.split('\n').map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let shown = words.iter().enumerate().map(|(at, word)| {
            let next = words.get(at + 1).copied().unwrap_or_default();
            masked(word, next).unwrap_or_else(|| (*word).to_owned())
        });
        shown.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The document `evaluate.summary/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    pub(crate) schema: String,
    pub(crate) dataset: String,
    pub(crate) db: String,
    pub(crate) read_bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) sample_memory_bytes: u64,
    pub(crate) evaluations: Vec<SummaryRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SummaryRow {
    pub(crate) eval_id: String,
    pub(crate) label: String,
    pub(crate) files: u64,
    pub(crate) records: u64,
    pub(crate) points: u64,
    pub(crate) samples: u64,
    pub(crate) truncated: u64,
    pub(crate) duplicates: u64,
    pub(crate) errors: u64,
    pub(crate) malformed: u64,
    pub(crate) foreign: u64,
    pub(crate) cached_files: u64,
    pub(crate) reused: bool,
}

/// Everything that a query gives, as texts; `NULL` for what is none.
#[track_caller]
pub(crate) fn texts(connection: &Connection, sql: &str) -> Vec<Vec<String>> {
    let sql = format!("SELECT COLUMNS(*)::VARCHAR FROM ({sql})");
    let mut statement = connection.prepare(&sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let n_columns = row.as_ref().column_count();
        let text = |at| row.get::<_, Option<String>>(at).unwrap().unwrap_or_else(|| "NULL".to_owned());
        found.push((0..n_columns).map(text).collect());
    }
    found
}

/// All columns of all points, in order.
pub(crate) fn points(connection: &Connection) -> Vec<Vec<String>> {
    texts(connection, "SELECT * FROM points ORDER BY eval_id, base_task, params::VARCHAR")
}

/// All columns of all points but those that depend on how records are spread over files and lines, in order.
pub(crate) fn points_without_places(connection: &Connection) -> Vec<Vec<String>> {
    texts(
        connection,
        "SELECT * EXCLUDE (sample_file_list, sample_line_list) FROM points
        ORDER BY eval_id, base_task, params::VARCHAR",
    )
}

/// All raw files in order.
pub(crate) fn raw_files(connection: &Connection) -> Vec<Vec<String>> {
    texts(connection, "FROM raw_files ORDER BY eval_id, file")
}

/// All evaluations in order, less what depends on how their files are packed and when they were written.
pub(crate) fn evals(connection: &Connection) -> Vec<Vec<String>> {
    texts(connection, "SELECT * EXCLUDE (source_bytes, fingerprint) FROM evals ORDER BY eval_id")
}

/// That two tables are equal; says in which cell they first differ.
#[track_caller]
pub(crate) fn check_same(what: &str, found: &[Vec<String>], expected: &[Vec<String>]) {
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (column, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "{what}: row {row}, column {column}");
        }
        assert_eq!(found.len(), expected.len(), "{what}: columns of row {row}");
    }
    assert_eq!(found.len(), expected.len(), "{what}: rows");
}

/// What `evaluate --dataset data/d.json` says where no file may have more than so many blocks of 512 bytes, as if the disk were
/// full: it must fail.
#[track_caller]
pub(crate) fn evaluate_with_disk_of(project: &Project, blocks: u32, arguments: &str) -> String {
    let program = env!("CARGO_BIN_EXE_evaluate");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} --dataset data/d.json {arguments}");
    let output = Command::new("sh").args(["-c", &script]).current_dir(project.path("")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{blocks}: {stderr}");
    stderr
}
