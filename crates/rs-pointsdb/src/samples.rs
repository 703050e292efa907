//! Single samples: which there are of a kind, and where their raw records are.

use std::collections::BTreeMap;

use duckdb::Connection;
use duckdb::types::Value;
use rs_core::collect::Mark;
use rs_core::filters::Filters;
use rs_core::record::Outcome;

use crate::conditions::{literal, points_condition};

/// A sample of a point.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRow {
    /// The evaluation's id.
    pub eval_id: String,
    /// The evaluation's name for people.
    pub label: String,
    /// Model of the identity.
    pub model: String,
    /// Template of the identity.
    pub template: String,
    /// Sampler of the identity.
    pub sampler: String,
    /// The cohort's folder, relative to the dataset file's; `None` for loose files.
    pub cohort: Option<String>,
    /// The task.
    pub base_task: String,
    /// Canonical JSON of the coordinates.
    pub params: String,
    /// Seed of the test generator.
    pub seed: Option<i64>,
    /// Which test at this coordinate.
    pub index: Option<i64>,
    /// Which repetition of the test.
    pub repeat: i32,
    /// What became of it; never [`Outcome::Error`].
    pub outcome: Outcome,
    /// Tokens the model wrote.
    pub completion_tokens: Option<u32>,
    /// Bytes of the decoded trace.
    pub trace_bytes: u32,
    /// The same once compressed; `None` where not computed.
    pub compressed_bytes: Option<u32>,
    /// Where its record is; `None` if that is not known.
    pub place: Option<SamplePlace>,
}

impl SampleRow {
    /// Compressed bytes over bytes of the trace: small where it repeats itself. `None` where not computed, and for an empty
    /// trace.
    #[must_use]
    pub fn compression_ratio(&self) -> Option<f64> {
        let compressed = self.compressed_bytes.filter(|_| self.trace_bytes > 0)?;
        Some(f64::from(compressed) / f64::from(self.trace_bytes))
    }
}

/// Where a sample's record is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SamplePlace {
    /// What the evaluation calls the raw file.
    pub file: u32,
    /// The file's path without a compression suffix, relative to the cohort's folder.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By evaluation, task, coordinates, and sample.
    #[default]
    Place,
    /// Most completion tokens.
    Tokens,
    /// Smallest compression ratio: most repetition.
    Ratio,
}

/// Which samples are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// The points they are of.
    pub filters: Filters,
    /// What became of them; empty for whatever did.
    pub outcomes: &'a [Outcome],
    /// Only those with at most this compression ratio, and at least so many bytes of trace.
    pub repetitive: Option<(f64, u32)>,
    /// Which come first; ties in the order of [`Order::Place`].
    pub order: Order,
    /// At most so many.
    pub limit: usize,
}

/// Some of the samples asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// In the order asked for.
    pub rows: Vec<SampleRow>,
    /// How many there are in all.
    pub n_all: u64,
}

/// A point's row and a position in its lists, from 1.
type Position = (i64, i64);

/// Whether the database tells where samples are: those made before it did so do not.
///
/// # Errors
/// DuckDB refuses.
pub fn have_places(connection: &Connection) -> duckdb::Result<bool> {
    let sql =
        "SELECT count(*) > 0 FROM duckdb_columns() WHERE table_name = 'points' AND column_name = 'sample_line_list'";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Whether any sample has a compressed size: without forensics none has.
///
/// # Errors
/// DuckDB refuses.
pub fn have_sizes(connection: &Connection) -> duckdb::Result<bool> {
    let sql = "SELECT count(*) > 0 FROM points WHERE compressed_sizes_list IS NOT NULL";
    connection.query_row(sql, [], |row| row.get(0))
}

/// The samples asked for. The database must tell where they are.
///
/// # Errors
/// DuckDB refuses.
pub fn samples(connection: &Connection, wanted: &Wanted<'_>) -> duckdb::Result<Found> {
    let mut conditions = vec!["TRUE".to_owned()];
    if !wanted.outcomes.is_empty() {
        let outcomes: Vec<String> = wanted.outcomes.iter().map(|outcome| (*outcome as u8).to_string()).collect();
        conditions.push(format!("status IN ({})", outcomes.join(", ")));
    }
    if let Some((ratio, bytes)) = wanted.repetitive {
        conditions.push(format!("bytes >= {} AND compressed <= {ratio:?} * bytes", bytes.max(1)));
    }
    let order = match wanted.order {
        Order::Place => "",
        Order::Tokens => "tokens DESC NULLS LAST, ",
        Order::Ratio => "compressed / nullif(bytes, 0) NULLS LAST, ",
    };
    // Lists are taken apart without what names their points, which is long and looked up for the few rows that stay.
    let samples = format!(
        "WITH places AS (
            SELECT p.rowid AS point, row_number() OVER (ORDER BY p.eval_id, p.base_task, p.params::VARCHAR) AS place
            FROM points p WHERE {points}),
        samples AS (
            SELECT p.rowid AS point, generate_subscripts(p.answer_status_list, 1) AS item,
                unnest(p.answer_status_list) AS status, unnest(p.completion_tokens_list) AS tokens,
                unnest(p.response_bytes_list) AS bytes, unnest(p.compressed_sizes_list) AS compressed
            FROM points p WHERE {points})",
        points = points_condition(&wanted.filters)
    );
    let conditions = conditions.join(" AND ");
    let sql = format!("{samples} SELECT count(*) FROM samples WHERE {conditions}");
    let n_all = connection.query_row(&sql, [], |row| row.get(0))?;
    let sql = format!(
        "{samples} SELECT point, item FROM samples JOIN places USING (point) WHERE {conditions}
        ORDER BY {order} place, item LIMIT {}",
        wanted.limit
    );
    let mut statement = connection.prepare(&sql)?;
    let positions: duckdb::Result<Vec<Position>> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect();
    Ok(Found { rows: rows(connection, &positions?)?, n_all })
}

/// The samples at these positions, in this order.
fn rows(connection: &Connection, positions: &[Position]) -> duckdb::Result<Vec<SampleRow>> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<String> =
        positions.iter().enumerate().map(|(number, (point, at))| format!("({number}, {point}, {at})")).collect();
    let sql = format!(
        "SELECT e.eval_id, e.label, e.model, e.template, e.sampler, e.cohort, p.base_task, p.params::VARCHAR,
            p.sample_seed_list[k.item], p.sample_index_list[k.item], p.sample_repeat_list[k.item],
            p.answer_status_list[k.item], p.completion_tokens_list[k.item], p.response_bytes_list[k.item],
            p.compressed_sizes_list[k.item], f.file, f.path, p.sample_line_list[k.item]
        FROM (VALUES {}) k(number, point, item) JOIN points p ON p.rowid = k.point JOIN evals e USING (eval_id)
            LEFT JOIN raw_files f ON f.eval_id = p.eval_id AND f.file = p.sample_file_list[k.item]
        ORDER BY k.number",
        values.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let place: (Option<u32>, Option<String>, Option<u32>) = (row.get(15)?, row.get(16)?, row.get(17)?);
        Ok(SampleRow {
            eval_id: row.get(0)?,
            label: row.get(1)?,
            model: row.get(2)?,
            template: row.get(3)?,
            sampler: row.get(4)?,
            cohort: row.get(5)?,
            base_task: row.get(6)?,
            params: row.get(7)?,
            seed: row.get(8)?,
            index: row.get(9)?,
            repeat: row.get(10)?,
            outcome: outcome(row.get(11)?),
            completion_tokens: row.get(12)?,
            trace_bytes: row.get(13)?,
            compressed_bytes: row.get(14)?,
            place: match place {
                (Some(file), Some(path), Some(line)) => Some(SamplePlace { file, path, line }),
                _ => None,
            },
        })
    })?;
    rows.collect()
}

fn outcome(status: u8) -> Outcome {
    let all = [Outcome::Correct, Outcome::Incorrect, Outcome::Truncated, Outcome::Invalid];
    all.into_iter().find(|outcome| *outcome as u8 == status).unwrap_or(Outcome::Error)
}

/// Where lines of raw files begin, by evaluation and file.
///
/// # Errors
/// DuckDB refuses.
pub fn marks(
    connection: &Connection,
    files: impl IntoIterator<Item = (String, u32)>,
) -> duckdb::Result<BTreeMap<(String, u32), Vec<Mark>>> {
    let keys: Vec<String> = files.into_iter().map(|(eval, file)| format!("({}, {file})", literal(&eval))).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT eval_id, file, mark_line_list, mark_offset_list FROM raw_files WHERE (eval_id, file) IN ({})",
        keys.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let (lines, offsets) = (numbers(&row.get(2)?), numbers(&row.get(3)?));
        let marks = lines.into_iter().zip(offsets).map(|(line, offset)| Mark { line, offset }).collect();
        Ok(((row.get(0)?, row.get(1)?), marks))
    })?;
    rows.collect()
}

fn numbers(list: &Value) -> Vec<u64> {
    let Value::List(items) = list else { return Vec::new() };
    let number = |item: &Value| match *item {
        Value::Int(number) => u64::try_from(number).ok(),
        Value::BigInt(number) => u64::try_from(number).ok(),
        _ => None,
    };
    items.iter().filter_map(number).collect()
}

/// How two evaluations answered the questions that both were asked, by (task, coordinates, seed, index). A truncation is
/// no right answer; repetitions of a question are averaged.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    /// Questions of both.
    pub n_shared: u64,
    /// Of these, answered as well by both.
    pub n_same: u64,
    /// Questions that the first answered better.
    pub n_first_better: u64,
    /// Questions that the second answered better.
    pub n_second_better: u64,
    /// Questions of the first only.
    pub n_only_first: u64,
    /// Questions of the second only.
    pub n_only_second: u64,
    /// Samples without an index: nobody knows which question they are of.
    pub n_without_index: u64,
    /// Some of the questions that the first answered better: a right sample of the first, a wrong one of the second.
    pub first_better: Vec<(SampleRow, SampleRow)>,
    /// Some that the second answered better: a wrong sample of the first, a right one of the second.
    pub second_better: Vec<(SampleRow, SampleRow)>,
}

/// Compares two evaluations question by question, and gives at most `limit` questions either way. The database must tell
/// where samples are.
///
/// # Errors
/// DuckDB refuses.
pub fn differences(
    connection: &Connection,
    filters: &Filters,
    [first, second]: [&str; 2],
    limit: usize,
) -> duckdb::Result<Differences> {
    let questions = format!(
        "WITH samples AS (
            SELECT p.eval_id = {first} AS is_first, p.base_task, p.params::VARCHAR AS params, p.rowid AS point,
                generate_subscripts(p.answer_status_list, 1) AS item, unnest(p.sample_seed_list) AS seed,
                unnest(p.sample_index_list) AS index, unnest(p.sample_repeat_list) AS repeat,
                unnest(p.answer_status_list) = {correct} AS is_right
            FROM points p WHERE {points} AND p.eval_id IN ({first}, {second})),
        questions AS (
            SELECT base_task, params, seed, index,
                avg(is_right::INTEGER) FILTER (is_first) AS first, avg(is_right::INTEGER) FILTER (NOT is_first) AS second,
                min(point) FILTER (is_first) AS first_point, min(point) FILTER (NOT is_first) AS second_point,
                arg_min(item, repeat) FILTER (is_first AND is_right) AS first_right,
                arg_min(item, repeat) FILTER (is_first AND NOT is_right) AS first_wrong,
                arg_min(item, repeat) FILTER (NOT is_first AND is_right) AS second_right,
                arg_min(item, repeat) FILTER (NOT is_first AND NOT is_right) AS second_wrong
            FROM samples WHERE index IS NOT NULL GROUP BY base_task, params, seed, index)",
        first = literal(first),
        second = literal(second),
        correct = Outcome::Correct as u8,
        points = points_condition(filters),
    );
    let counts = format!(
        "{questions} SELECT count(*) FILTER (first IS NOT NULL AND second IS NOT NULL),
            count(*) FILTER (first = second), count(*) FILTER (first > second), count(*) FILTER (first < second),
            count(*) FILTER (second IS NULL), count(*) FILTER (first IS NULL),
            (SELECT count(*) FROM samples WHERE index IS NULL) FROM questions"
    );
    let mut found = connection.query_row(&counts, [], |row| {
        Ok(Differences {
            n_shared: row.get(0)?,
            n_same: row.get(1)?,
            n_first_better: row.get(2)?,
            n_second_better: row.get(3)?,
            n_only_first: row.get(4)?,
            n_only_second: row.get(5)?,
            n_without_index: row.get(6)?,
            first_better: Vec::new(),
            second_better: Vec::new(),
        })
    })?;
    let pairs = |columns: &str, condition: &str| -> duckdb::Result<Vec<(SampleRow, SampleRow)>> {
        let sql = format!(
            "{questions} SELECT {columns} FROM questions WHERE {condition}
            ORDER BY base_task, params, seed, index LIMIT {limit}"
        );
        let mut statement = connection.prepare(&sql)?;
        let pairs: Vec<[Position; 2]> = statement
            .query_map([], |row| Ok([(row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)]))?
            .collect::<duckdb::Result<_>>()?;
        let mut rows = rows(connection, pairs.as_flattened())?.into_iter();
        Ok(std::iter::from_fn(|| rows.next().zip(rows.next())).collect())
    };
    found.first_better = pairs("first_point, first_right, second_point, second_wrong", "first > second")?;
    found.second_better = pairs("first_point, first_wrong, second_point, second_right", "first < second")?;
    Ok(found)
}
