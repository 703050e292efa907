//! What must be reported, as a table for people.

use crate::expected::{Expected, ExpectedEvaluation};

const HEADINGS: [&str; 11] = [
    "eval_id",
    "label",
    "files",
    "records",
    "points",
    "samples",
    "accuracy",
    "truncated",
    "duplicates",
    "errors",
    "foreign",
];

impl Expected {
    /// One line for each evaluation: what every tool must report. Accuracy is corrected for guessing, over all points.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.evaluations().map(row));
        let mut widths = [0; HEADINGS.len()];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        for row in &rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let blanks = " ".repeat(width - cell.chars().count());
                // Text is aligned to the left, numbers to the right.
                if column < 2 {
                    line.push_str(&format!("{cell}{blanks}  "));
                } else {
                    line.push_str(&format!("{blanks}{cell}  "));
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn row(evaluation: &ExpectedEvaluation) -> [String; HEADINGS.len()] {
    [
        evaluation.eval_id.clone(),
        evaluation.label.clone(),
        evaluation.n_files.to_string(),
        evaluation.n_records.to_string(),
        evaluation.n_points.to_string(),
        evaluation.n_samples.to_string(),
        percent(evaluation.totals.adjusted_accuracy),
        percent(evaluation.totals.truncated_ratio),
        evaluation.n_duplicates.to_string(),
        evaluation.n_errors.to_string(),
        evaluation.n_foreign.to_string(),
    ]
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{:.1} %", ratio * 100.0))
}
