//! Curves with bands.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::page::{Body, compose};
use crate::picture::Picture;
use crate::series::Series;

/// Curves with interval bands, in several panels; one legend for all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lines {
    /// Title and foot.
    pub caption: Caption,
    /// The axis from left to right, the same in all panels.
    pub x: Axis,
    /// The panels, in reading order.
    pub panels: Vec<LinePanel>,
}

/// One panel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinePanel {
    /// Its name, drawn above; none when empty.
    pub label: String,
    /// Its axis from bottom to top. Panels with equal axes of data bounds span the same.
    pub y: Axis,
    /// The curves, drawn in this order.
    pub curves: Vec<Curve>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// What the legend calls it; the same label and series in several panels stands there once.
    pub label: String,
    /// Its looks.
    pub series: Series,
    /// How its points are joined.
    pub shape: CurveShape,
    /// Its points; sorted by x when drawn. A point without `y` is a gap.
    pub points: Vec<LinePoint>,
}

/// How the points of a curve are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CurveShape {
    /// By straight lines.
    #[default]
    Straight,
    /// By straight lines, each point marked: for few points.
    Marked,
    /// By steps: a value holds until the next point. For survival and incidence.
    Steps,
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinePoint {
    /// Where it is.
    pub x: f64,
    /// Its value; `None` interrupts the curve.
    pub y: Option<f64>,
    /// Lower and upper edge of the band.
    pub interval: Option<crate::Interval>,
}

impl Chart for Lines {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
