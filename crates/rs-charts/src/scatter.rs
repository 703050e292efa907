//! One quantity against another, sample by sample.

use std::collections::BTreeMap;

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::lines::{Curve, CurveShape, LinePoint};
use crate::number;
use crate::page::{Body, LegendKey, TEXT, compose, legend_of};
use crate::palette::Colour;
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::plot::{self, Across, LABEL_BELOW, LABEL_LEFT, Plot, TICKS_BELOW, Upwards};
use crate::scale::Domain;
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

/// A panel with more points is drawn as counts in squares.
const MOST_POINTS: usize = 20_000;
/// The edge of those squares.
const BIN: f64 = 5.0;

const PANEL_LABEL: f64 = 22.0;
const PANEL_GAP: (f64, f64) = (32.0, 14.0);

impl Chart for Scatter {
    fn picture(&self) -> Picture {
        let panels: Vec<&ScatterPanel> = self.panels.iter().collect();
        let groups = || panels.iter().flat_map(|panel| &panel.groups);
        // What has no place on one axis does not widen the other.
        let points = || groups().flat_map(|group| &group.points).filter(|[x, y]| self.x.holds(*x) && self.y.holds(*y));
        let trend = || groups().flat_map(|group| &group.trend);
        let x_domain = Domain::of(&self.x, points().map(|[x, _]| *x));
        let y_domain = Domain::of(&self.y, points().map(|[_, y]| *y).chain(trend().filter_map(|point| point.y)));
        let (Some(x_domain), Some(y_domain)) = (x_domain, y_domain) else {
            return compose(&self.caption, &[], Body::no_data(), &[]);
        };
        let columns = plot::columns(panels.len());
        let (width, height) = match columns {
            1 => (640.0, 460.0),
            2 => (420.0, 360.0),
            _ => (300.0, 300.0),
        };
        let mut canvas = Canvas::default();
        let mut left_out = 0;
        let mut binned = false;
        let below = TICKS_BELOW + if columns < panels.len() { 6.0 } else { 0.0 };
        let rows = panels.len().div_ceil(columns);
        let mut right: f64 = 0.0;
        for (index, panel) in panels.iter().enumerate() {
            let (column, row) = (index % columns, index / columns);
            let top = PANEL_LABEL + (height + below + PANEL_LABEL + PANEL_GAP.1) * row as f64;
            let y = Upwards::new(&self.y, y_domain, top, height);
            let label = if self.y.label.is_empty() { 0.0 } else { LABEL_LEFT };
            let axis = label + y.ticks_width();
            let x = Across::new(&self.x, x_domain, axis + (width + PANEL_GAP.0) * column as f64, width);
            right = right.max(x.right());
            canvas.group("panel", Some(panel.label.clone()), |canvas| {
                let plot = Plot { x: &x, y: &y };
                plot.draw_frame(canvas);
                x.draw_ticks(canvas, y.bottom());
                if column == 0 {
                    y.draw_ticks(canvas, x.left);
                    y.draw_label(canvas, &self.y.label, TEXT);
                }
                if index + columns >= panels.len() {
                    x.draw_label(canvas, &self.x.label, y.bottom() + TICKS_BELOW);
                }
                let drawn = panel.draw(canvas, &plot);
                left_out += drawn.left_out;
                binned |= drawn.binned;
                let style = TextStyle::new(TEXT).bold();
                let count = format!("  n = {}", number::grouped(drawn.points as u64));
                let title = style.shortened(&panel.label, width - style.width(&count));
                canvas.text(&title, (x.left, top - 8.0), style);
                canvas.text(&count, (x.left + style.width(&title), top - 8.0), TextStyle::new(TEXT));
            });
        }
        let mut notes = Vec::new();
        if left_out > 0 {
            let what = if left_out == 1 { "point has" } else { "points have" };
            notes.push(format!("{} {what} no place on the axes", number::grouped(left_out as u64)));
        }
        if binned {
            notes
                .push(format!("over {} points: squares, darker with more points", number::grouped(MOST_POINTS as u64)));
        }
        let height =
            PANEL_LABEL + (height + below + PANEL_LABEL + PANEL_GAP.1) * rows as f64 - PANEL_LABEL - PANEL_GAP.1
                + LABEL_BELOW;
        let legend = legend_of(groups().map(|group| (group.label.as_str(), group.series)), LegendKey::Point);
        compose(&self.caption, &legend, Body { canvas, width: right + 14.0, height }, &notes)
    }
}

/// What came of a panel's points.
struct Drawn {
    points: usize,
    left_out: usize,
    binned: bool,
}

impl ScatterPanel {
    fn draw(&self, canvas: &mut Canvas, plot: &Plot<'_>) -> Drawn {
        let rect = plot.rect();
        let frame = plot.rect_with_frame();
        let placed: Vec<Vec<(f64, f64)>> = self
            .groups
            .iter()
            .map(|group| {
                group
                    .points
                    .iter()
                    .filter_map(|[x, y]| plot.place(*x, *y))
                    .filter(|place| frame.contains(*place))
                    .collect()
            })
            .collect();
        let all: usize = self.groups.iter().map(|group| group.points.len()).sum();
        let points: usize = placed.iter().map(Vec::len).sum();
        let binned = points > MOST_POINTS;
        canvas.clipped(rect, |canvas| {
            for (group, places) in self.groups.iter().zip(&placed) {
                let colour = group.series.colour();
                canvas.group("points", Some(group.label.clone()), |canvas| {
                    if binned {
                        draw_bins(canvas, rect, places, colour);
                    } else {
                        let opacity = (60.0 / (points.max(1) as f64).sqrt()).clamp(0.25, 0.8);
                        for place in places {
                            canvas.marker(group.series.marker(), *place, 2.0, Paint::fill(colour).opacity(opacity));
                        }
                    }
                });
            }
            for group in &self.groups {
                let points = group.trend.clone();
                let curve =
                    Curve { label: group.label.clone(), series: group.series, shape: CurveShape::Straight, points };
                // Darker than its points, or it would not be seen among them.
                let colour = group.series.colour().mixed(Colour(0, 0, 0), 0.6);
                canvas.group("trend", None, |canvas| {
                    curve.draw_band(canvas, plot);
                    curve.draw_line(canvas, plot, colour);
                });
            }
        });
        Drawn { points: all, left_out: all - points, binned }
    }
}

/// Squares whose opacity grows with the logarithm of the points in them.
fn draw_bins(canvas: &mut Canvas, rect: Rect, places: &[(f64, f64)], colour: Colour) {
    let mut bins: BTreeMap<(i64, i64), u32> = BTreeMap::new();
    for (x, y) in places {
        let bin = (((x - rect.x) / BIN).floor() as i64, ((y - rect.y) / BIN).floor() as i64);
        *bins.entry(bin).or_default() += 1;
    }
    let most = f64::from(bins.values().copied().max().unwrap_or(1));
    for ((column, row), count) in bins {
        let square = Rect::new(rect.x + column as f64 * BIN, rect.y + row as f64 * BIN, BIN, BIN);
        let opacity = 0.12 + 0.88 * (f64::from(count)).ln_1p() / most.ln_1p();
        canvas.rect(square, Paint::fill(colour).opacity(opacity));
    }
}
