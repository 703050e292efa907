//! Differences with intervals around a zero line.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::estimate::Estimate;
use crate::page::{Body, compose};
use crate::picture::Picture;
use crate::series::Series;

/// Differences with intervals around a zero line, with p values and trials in columns: `compare`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest {
    /// Title and foot.
    pub caption: Caption,
    /// The difference; its bounds are made symmetric about zero unless fixed.
    pub axis: Axis,
    /// What a difference below zero means: `Phi 4 is better`.
    pub below_zero: String,
    /// What a difference above zero means.
    pub above_zero: String,
    /// What [`ForestRow::p`] is: `p (McNemar, Holm)`.
    pub p_header: String,
    /// What [`ForestRow::trials`] counts: `shared`.
    pub trials_header: String,
    /// One for each pair that is compared, top to bottom, sharing the axis.
    pub panels: Vec<ForestPanel>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForestPanel {
    /// Its name, drawn above the rows; none when empty.
    pub label: String,
    /// The colour of its marks.
    pub series: Series,
    /// The rows, in the order shown.
    pub rows: Vec<ForestRow>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForestRow {
    /// What the row is called.
    pub label: String,
    /// One of many, or what they come to.
    pub kind: ForestRowKind,
    /// The difference; `None` leaves the plot empty.
    pub difference: Option<Estimate>,
    /// The p value.
    pub p: Option<f64>,
    /// How many trials both have.
    pub trials: Option<u64>,
}

/// What a row of a forest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForestRowKind {
    /// One of many: a square, larger with more trials.
    #[default]
    Part,
    /// What they come to: a diamond as wide as the interval, its label bold.
    Overall,
}

impl Chart for Forest {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
