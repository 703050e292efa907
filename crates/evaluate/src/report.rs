//! What was done: the summary that `evaluate` ends with.

use std::borrow::Cow;

use rs_cli::{Cell, Column, Report, Table};
use rs_pointsdb::builder::EvalRow;
use rs_pointsdb::queries::EvalSummary;
use serde::Serialize;

/// The summary document, `evaluate.summary/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub schema: &'static str,
    pub dataset: String,
    pub db: String,
    /// Stored bytes read in this run.
    pub read_bytes: u64,
    /// Wall time of reading and writing.
    pub seconds: f64,
    /// Bytes of memory that samples took before they were points, duplicates and errors included. Evaluations
    /// are read in batches: this is of the one that took most. 0 if nothing was read.
    pub sample_memory_bytes: u64,
    pub evaluations: Vec<SummaryRow>,
}

/// One evaluation of the summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SummaryRow {
    pub eval_id: String,
    pub label: String,
    pub files: u64,
    pub records: u64,
    pub points: u64,
    pub samples: u64,
    pub truncated: u64,
    pub duplicates: u64,
    pub errors: u64,
    pub malformed: u64,
    pub foreign: u64,
    /// Files whose results came from the cache.
    pub cached_files: u64,
    /// Whether its rows were taken over from the old database.
    pub reused: bool,
}

/// The document `evaluate.explain/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Explanation {
    pub schema: &'static str,
    pub dataset: String,
    pub evaluations: Vec<ExplanationRow>,
}

/// What would become of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ExplanationRow {
    pub eval_id: String,
    pub label: String,
    /// `made anew`, `taken over` or `left out`.
    pub rows: &'static str,
    pub reason: Cow<'static, str>,
    pub files: u64,
    /// Those whose results are known by their sizes and times, where rows are made anew; other files are hashed, and may
    /// be known then.
    pub files_in_cache: Option<u64>,
}

impl Report for Explanation {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::fixed("eval_id"),
            Column::elastic("label", 8),
            Column::fixed("rows").left(),
            Column::fixed("because").left(),
            Column::fixed("files"),
            Column::fixed("in cache"),
        ]);
        for row in &self.evaluations {
            table.rows.push(vec![
                Cell::Text(row.eval_id.clone()),
                Cell::Text(row.label.clone()),
                Cell::Text(row.rows.into()),
                Cell::Text(row.reason.to_string()),
                Cell::Count(row.files),
                Cell::option(row.files_in_cache, Cell::Count),
            ]);
        }
        vec![table]
    }
}

impl SummaryRow {
    pub(crate) fn new(row: &EvalRow, points: u64, samples: u64, truncated: u64, cached_files: u64) -> Self {
        Self {
            eval_id: row.eval_id.to_string(),
            label: row.label.clone(),
            files: row.n_files,
            records: row.n_records,
            points,
            samples,
            truncated,
            duplicates: row.n_duplicates,
            errors: row.n_errors,
            malformed: row.n_malformed,
            foreign: row.n_foreign,
            cached_files,
            reused: false,
        }
    }

    /// Where its rows came from.
    fn source(&self) -> &'static str {
        match self.cached_files {
            _ if self.reused => "db",
            0 => "files",
            all if all == self.files => "cache",
            _ => "both",
        }
    }

    pub(crate) fn reused(summary: &EvalSummary) -> Self {
        Self {
            eval_id: summary.eval_id.clone(),
            label: summary.label.clone(),
            files: summary.n_files,
            records: summary.n_records,
            points: summary.n_points,
            samples: summary.n_samples,
            truncated: summary.n_truncated,
            duplicates: summary.n_duplicates,
            errors: summary.n_errors,
            malformed: summary.n_malformed,
            foreign: summary.n_foreign,
            cached_files: 0,
            reused: true,
        }
    }
}

impl Report for Summary {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::fixed("eval_id"),
            Column::elastic("label", 14),
            Column::fixed("files").rank(2),
            Column::fixed("records"),
            Column::fixed("points"),
            Column::fixed("truncated"),
            Column::fixed("duplicates"),
            Column::fixed("malformed"),
            Column::fixed("errors").rank(3),
            Column::fixed("foreign").rank(4),
            Column::fixed("from").rank(1),
        ]);
        for row in &self.evaluations {
            table.rows.push(vec![
                Cell::Text(row.eval_id.clone()),
                Cell::Text(row.label.clone()),
                Cell::Count(row.files),
                Cell::Count(row.records),
                Cell::Count(row.points),
                Cell::Count(row.truncated),
                Cell::Count(row.duplicates),
                Cell::Count(row.malformed),
                Cell::Count(row.errors),
                Cell::Count(row.foreign),
                Cell::Text(row.source().into()),
            ]);
        }
        vec![table]
    }
}
