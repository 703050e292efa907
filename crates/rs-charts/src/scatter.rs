//! One quantity against another, sample by sample.

use std::collections::BTreeMap;

use crate::axis::{Axis, Scale};
use crate::caption::Caption;
use crate::chart::Chart;
use crate::lines::{Curve, CurveShape, LinePoint};
use crate::number;
use crate::page::{Body, LegendKey, TEXT, compose, compose_nothing, legend_of};
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
/// In so many turns the clouds of a panel are drawn.
const ROUNDS: usize = 16;

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
            return compose_nothing(&self.caption);
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
            let why = self.why_left_out();
            notes.push(format!("{} {what} no place on the axes{why}", number::grouped(left_out as u64)));
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

impl Scatter {
    /// Which values have no place on a logarithmic axis, if there are such.
    fn why_left_out(&self) -> String {
        let points = || self.panels.iter().flat_map(|panel| &panel.groups).flat_map(|group| &group.points);
        let lacks = |axis: &Axis, at: usize| axis.scale == Scale::Logarithmic && points().any(|point| point[at] <= 0.0);
        let axes = [(&self.x, 0), (&self.y, 1)].into_iter().filter(|(axis, at)| lacks(axis, *at));
        let names: Vec<&str> = axes.map(|(axis, _)| axis.label.as_str()).filter(|label| !label.is_empty()).collect();
        if names.is_empty() {
            return String::new();
        }
        format!(": 0 {}, which a logarithmic axis cannot show", names.join(" or "))
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
            if binned {
                let colours: Vec<Colour> = self.groups.iter().map(|group| group.series.colour()).collect();
                canvas.group("points", None, |canvas| draw_bins(canvas, rect, &placed, &colours));
            } else {
                let opacity = (60.0 / (points.max(1) as f64).sqrt()).clamp(0.25, 0.8);
                // By turns, so that the last cloud does not hide the others.
                let rounds = if placed.iter().filter(|places| !places.is_empty()).count() > 1 { ROUNDS } else { 1 };
                for round in 0..rounds {
                    for (group, places) in self.groups.iter().zip(&placed) {
                        let places = || places.iter().skip(round).step_by(rounds);
                        if places().next().is_none() {
                            continue;
                        }
                        let paint = Paint::fill(group.series.colour()).opacity(opacity);
                        canvas.group("points", Some(group.label.clone()), |canvas| {
                            places().for_each(|place| canvas.marker(group.series.marker(), *place, 2.0, paint));
                        });
                    }
                }
            }
            for group in &self.groups {
                let points = group.trend.clone();
                let curve =
                    Curve { label: group.label.clone(), series: group.series, shape: CurveShape::Straight, points };
                // Darker than its points, or it would not be seen among them.
                let colour = group.series.colour().mixed(Colour(0, 0, 0), 0.6);
                canvas.group("trend", None, |canvas| {
                    curve.draw_band(canvas, plot, 0.16);
                    curve.draw_line(canvas, plot, colour, 0.0);
                });
            }
        });
        Drawn { points: all, left_out: all - points, binned }
    }
}

/// Squares whose opacity grows with the logarithm of the points in them, divided from left to right by the clouds they
/// belong to.
fn draw_bins(canvas: &mut Canvas, rect: Rect, clouds: &[Vec<(f64, f64)>], colours: &[Colour]) {
    let mut bins: BTreeMap<(i64, i64), Vec<u32>> = BTreeMap::new();
    for (cloud, places) in clouds.iter().enumerate() {
        for (x, y) in places {
            let bin = (((x - rect.x) / BIN).floor() as i64, ((y - rect.y) / BIN).floor() as i64);
            bins.entry(bin).or_insert_with(|| vec![0; clouds.len()])[cloud] += 1;
        }
    }
    let total = |counts: &[u32]| f64::from(counts.iter().sum::<u32>());
    let most = bins.values().map(|counts| total(counts)).fold(1.0, f64::max);
    for ((column, row), counts) in bins {
        let all = total(&counts);
        let opacity = 0.12 + 0.88 * all.ln_1p() / most.ln_1p();
        let mut x = rect.x + column as f64 * BIN;
        for (count, colour) in counts.iter().zip(colours).filter(|(count, _)| **count > 0) {
            let width = BIN * f64::from(*count) / all;
            let part = Rect::new(x, rect.y + row as f64 * BIN, width, BIN);
            canvas.rect(part, Paint::fill(*colour).opacity(opacity));
            x += width;
        }
    }
}
