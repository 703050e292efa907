//! Charts: plain data in, SVG text or PNG bytes out.
//!
//! Every chart is a struct of public fields; [`Chart::to_svg`] and [`Chart::to_png`] draw it. Nothing is read from the
//! machine: the font is shipped with the crate and text is drawn as paths, so that the same data gives the same bytes
//! everywhere. What cannot be drawn (NaN, infinities, zero on a logarithmic axis) is left out, and a chart with nothing
//! to draw says so.
//!
//! | chart | answers |
//! |---|---|
//! | [`HeatTable`] | how every evaluation does in every task |
//! | [`Intervals`] | which evaluations differ, and which are tied |
//! | [`Forest`] | where two evaluations part, task by task |
//! | [`Radar`], [`Bars`] | the fingerprint of an evaluation over tasks |
//! | [`Surface`] | accuracy over two parameters |
//! | [`Lines`] | curves with bands: projections, hazards, survival, spectra |
//! | [`Scatter`] | one quantity against another, sample by sample |
//!
//! ```
//! use rs_charts::{Caption, Chart, Forest, ForestPanel, ForestRow, Estimate};
//!
//! let row = |label: &str, value, low, high| ForestRow {
//!     label: label.to_owned(),
//!     difference: Some(Estimate::with_interval(value, low, high)),
//!     ..ForestRow::default()
//! };
//! let chart = Forest {
//!     caption: Caption::new("Qwen 30B against Phi 4").interval(0.95).trials(2_140),
//!     panels: vec![ForestPanel {
//!         rows: vec![row("arithmetic", 0.04, 0.01, 0.07), row("shuffle", -0.02, -0.05, 0.01)],
//!         ..ForestPanel::default()
//!     }],
//!     ..Forest::default()
//! };
//! assert!(chart.to_svg().starts_with("<svg"));
//! ```

// The samples are written as a user of the crate writes charts.
#[cfg(test)]
extern crate self as rs_charts;

mod axis;
mod bars;
mod caption;
mod chart;
mod colour_scale;
mod estimate;
mod fingerprint;
mod font;
mod forest;
mod heat_table;
mod intervals;
mod lines;
mod number;
mod page;
mod palette;
mod picture;
mod plot;
mod radar;
mod scale;
mod scatter;
mod series;
mod surface;

#[cfg(test)]
mod legibility;
#[cfg(test)]
#[path = "../examples/gallery/samples.rs"]
mod samples;

pub use axis::{Axis, Bounds, Scale};
pub use bars::Bars;
pub use caption::Caption;
pub use chart::Chart;
pub use estimate::{Estimate, Interval};
pub use fingerprint::{Fingerprint, FingerprintValue};
pub use forest::{Forest, ForestPanel, ForestRow, ForestRowKind};
pub use heat_table::{Align, HeatCell, HeatColumn, HeatRow, HeatTable, LeadingColumn};
pub use intervals::{Clique, IntervalPanel, IntervalRow, Intervals};
pub use lines::{Curve, CurveShape, LinePanel, LinePoint, Lines};
pub use picture::{Picture, PngError};
pub use radar::{MOST_SPOKES, Radar};
pub use scatter::{PointGroup, Scatter, ScatterPanel};
pub use series::Series;
pub use surface::{CategoryAxis, Surface, SurfaceCell, SurfacePanel};

/// The truncated ratio over which truncation is marked, unless a chart is told another: 2 %.
pub const TRUNCATION_MARK: f64 = 0.02;
