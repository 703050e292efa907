//! The document `cohort.postprocess/1`.

use rs_cli::{Cell, Column, Report, Table};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
pub(crate) struct PostprocessReport {
    pub(crate) schema: &'static str,
    pub(crate) path: String,
    /// Whether nothing was written.
    pub(crate) dry_run: bool,
    /// In the order they were done.
    pub(crate) steps: Vec<StepRow>,
    /// What the step `rescore` has found, by evaluation and task.
    pub(crate) rescored: Vec<RescoredRow>,
    /// Some of the records that it changed.
    pub(crate) examples: Vec<Example>,
    /// Files that a step could not do.
    pub(crate) problems: Vec<Problem>,
    /// Files that are left alone by all steps.
    pub(crate) left: Vec<Problem>,
    /// Files in blobs only, which no step touches.
    pub(crate) in_blobs: u64,
}

/// What a step did.
#[derive(Debug, Serialize)]
pub(crate) struct StepRow {
    /// `rescore`, `dedupe` or `compress`.
    pub(crate) step: &'static str,
    /// Files it looked at.
    pub(crate) files: u64,
    /// Those of them that it replaced.
    pub(crate) changed: u64,
    /// Stored bytes of all files it looked at.
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
    /// Well-formed records in them; null where they are not read.
    pub(crate) records_before: Option<u64>,
    pub(crate) records_after: Option<u64>,
}

/// A file, and why it stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) what: String,
}

/// Records of one task of one evaluation; the task has an `answer_regex`.
#[derive(Debug, Serialize)]
pub(crate) struct RescoredRow {
    pub(crate) eval_id: String,
    pub(crate) label: String,
    pub(crate) base_task: String,
    /// All, those left alone included.
    pub(crate) records: u64,
    pub(crate) now_correct: u64,
    pub(crate) no_longer_correct: u64,
    pub(crate) now_invalid: u64,
    pub(crate) no_longer_invalid: u64,
    /// Those of the same verdict with another answer.
    pub(crate) other_answers: u64,
    pub(crate) left_alone: LeftAloneRow,
}

/// Records that are left alone, by why.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct LeftAloneRow {
    pub(crate) errors: u64,
    pub(crate) truncated: u64,
    pub(crate) without_response: u64,
    pub(crate) without_reference: u64,
}

impl LeftAloneRow {
    fn total(self) -> u64 {
        self.errors + self.truncated + self.without_response + self.without_reference
    }
}

/// A record that was changed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Example {
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: u64,
    pub(crate) was: ExampleVerdict,
    pub(crate) is: ExampleVerdict,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ExampleVerdict {
    pub(crate) answer: Value,
    pub(crate) correct: bool,
    pub(crate) invalid: bool,
}

impl std::fmt::Display for ExampleVerdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = match (self.correct, self.invalid) {
            (true, false) => "correct",
            (false, false) => "incorrect",
            (false, true) => "invalid",
            (true, true) => "correct and invalid",
        };
        write!(f, "{} {verdict}", self.answer)
    }
}

impl std::fmt::Display for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {} → {}", self.path, self.line, self.was, self.is)
    }
}

impl Report for PostprocessReport {
    fn tables(&self) -> Vec<Table> {
        let mut steps = Table::new(vec![
            Column::fixed("step"),
            Column::fixed("files"),
            Column::fixed("changed"),
            Column::fixed("bytes before"),
            Column::fixed("bytes after"),
            Column::fixed("records before"),
            Column::fixed("records after"),
        ]);
        for row in &self.steps {
            steps.rows.push(vec![
                Cell::Text(row.step.to_owned()),
                Cell::Count(row.files),
                Cell::Count(row.changed),
                Cell::Bytes(row.bytes_before),
                Cell::Bytes(row.bytes_after),
                Cell::option(row.records_before, Cell::Count),
                Cell::option(row.records_after, Cell::Count),
            ]);
        }
        let mut rescored = Table::new(vec![
            Column::fixed("eval_id"),
            Column::elastic("task", 12),
            Column::fixed("records"),
            Column::fixed("now correct"),
            Column::fixed("no longer correct"),
            Column::fixed("now invalid"),
            Column::fixed("no longer invalid").rank(1),
            Column::fixed("other answers").rank(2),
            Column::fixed("left alone").rank(3),
        ])
        .titled("Scored again");
        for row in &self.rescored {
            rescored.rows.push(vec![
                Cell::Text(row.eval_id.clone()),
                Cell::Text(row.base_task.clone()),
                Cell::Count(row.records),
                Cell::Count(row.now_correct),
                Cell::Count(row.no_longer_correct),
                Cell::Count(row.now_invalid),
                Cell::Count(row.no_longer_invalid),
                Cell::Count(row.other_answers),
                Cell::Count(row.left_alone.total()),
            ]);
        }
        let mut tables = vec![steps];
        tables.extend(Some(rescored).filter(|table| !table.rows.is_empty()));
        tables
    }
}
