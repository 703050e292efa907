//! Points with interval bars, row by row, and brackets around those that cannot be told apart.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::estimate::Estimate;
use crate::page::{Body, compose};
use crate::picture::Picture;
use crate::series::Series;

/// Points with interval bars: a panel for each facet, a row for each evaluation, one plot beside the other for each axis
/// (accuracy, tokens).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intervals {
    /// Title and foot.
    pub caption: Caption,
    /// The quantities, left to right; shared by all panels. The second plot may be tokens.
    pub axes: Vec<Axis>,
    /// The facets, top to bottom.
    pub panels: Vec<IntervalPanel>,
    /// The truncated ratio over which a row is marked.
    pub truncation_mark: Option<f64>,
}

/// One facet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntervalPanel {
    /// The facet's name, drawn above the panel; none when empty.
    pub label: String,
    /// The rows, in the order shown: sort them.
    pub rows: Vec<IntervalRow>,
    /// Rows that cannot be told apart, drawn as brackets right of their axis' plot.
    pub cliques: Vec<Clique>,
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntervalRow {
    /// What the row is called.
    pub label: String,
    /// Its colour: the evaluation's, or the clique's.
    pub series: Series,
    /// One for each axis; missing ones and `None` are left empty.
    pub estimates: Vec<Option<Estimate>>,
    /// The share of trials that were cut off, 0 to 1.
    pub truncated_ratio: Option<f64>,
}

/// Rows of a panel that cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clique {
    /// Which of [`Intervals::axes`] it is about.
    pub axis: usize,
    /// The rows, by index; need not follow each other.
    pub members: Vec<usize>,
    /// Its name: `1`, `A`.
    pub label: String,
}

impl Chart for Intervals {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
