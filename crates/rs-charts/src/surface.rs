//! A value over two parameters.

use crate::caption::Caption;
use crate::chart::Chart;
use crate::page::{Body, compose};
use crate::picture::Picture;

/// A value over two parameters as a heat map, a panel for each evaluation, one colour scale for all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surface {
    /// Title and foot.
    pub caption: Caption,
    /// The parameter from left to right.
    pub x: CategoryAxis,
    /// The parameter from bottom to top.
    pub y: CategoryAxis,
    /// What the colours mean: `accuracy`. Values are shares of one.
    pub value_label: String,
    /// One for each evaluation.
    pub panels: Vec<SurfacePanel>,
    /// The truncated ratio over which a cell is hatched.
    pub truncation_mark: Option<f64>,
}

/// An axis of values that stand one after the other, numbers or names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CategoryAxis {
    /// What it is called.
    pub label: String,
    /// Its values, in order.
    pub values: Vec<String>,
}

/// One evaluation's surface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SurfacePanel {
    /// What it is called.
    pub label: String,
    /// The cells that have trials, in any order; the others are blank. Those outside of the axes are left out, and of two
    /// in one place the later one is drawn.
    pub cells: Vec<SurfaceCell>,
}

/// The trials at one place of a surface.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SurfaceCell {
    /// Which of `x.values`.
    pub x: usize,
    /// Which of `y.values`.
    pub y: usize,
    /// What is coloured, 0 to 1 (clamped).
    pub value: f64,
    /// How many trials it rests on, written small under the value.
    pub trials: Option<u64>,
    /// The share of trials that were cut off, 0 to 1.
    pub truncated_ratio: Option<f64>,
}

impl Chart for Surface {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
