//! Curves with bands.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::number;
use crate::page::{Body, LegendKey, TEXT, compose, compose_nothing, legend_of};
use crate::palette::{Colour, PAPER};
use crate::picture::{Canvas, Paint, Picture, TextStyle};
use crate::plot::{self, Across, LABEL_BELOW, LABEL_LEFT, Plot, TICKS_BELOW, Upwards};
use crate::scale::Domain;
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
    /// The truncated ratio over which a marked point is hollow.
    pub truncation_mark: Option<f64>,
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
    /// By straight lines, each point marked: for few points. Many such curves have strokes for bands, side by side.
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
    /// The share of trials that were cut off, 0 to 1.
    pub truncated_ratio: Option<f64>,
}

const PANEL_LABEL: f64 = 22.0;
const PANEL_GAP: (f64, f64) = (24.0, 14.0);
const BAND_OPACITY: f64 = 0.16;
/// More bands than these on each other are one grey mass: they become paler, and those of marked curves strokes.
const MOST_BANDS: usize = 4;
/// How far marked curves are apart beside each other then, and all of them together at most, as a share of the width.
const STROKE_GAP: f64 = 4.0;
const STROKES: f64 = 0.06;
const CAP: f64 = 2.0;
const LINE: f64 = 1.8;

impl Chart for Lines {
    fn picture(&self) -> Picture {
        let known = |panel: &&LinePanel| panel.points().any(|point| point.y.is_some_and(f64::is_finite));
        let panels: Vec<&LinePanel> = self.panels.iter().filter(known).collect();
        let x_values = panels.iter().flat_map(|panel| panel.points()).filter(|point| point.y.is_some());
        let Some(x_domain) = Domain::of(&self.x, x_values.map(|point| point.x)) else {
            return compose_nothing(&self.caption);
        };
        let crowded = panels.iter().any(|panel| panel.marked() > MOST_BANDS);
        // Room for the strokes of the first and the last points.
        let x_domain = if crowded { x_domain.widened(STROKES / 2.0) } else { x_domain };
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let columns = plot::columns(panels.len());
        let (width, height) = match columns {
            1 => (760.0, 400.0),
            2 => (420.0, 290.0),
            _ => (290.0, 230.0),
        };
        let below = TICKS_BELOW + LABEL_BELOW;
        let mut canvas = Canvas::default();
        let mut size = (0.0_f64, 0.0);
        let mut top = 0.0;
        for row in panels.chunks(columns) {
            let mut left = 0.0;
            let plot_top = top + if row.iter().any(|panel| !panel.label.is_empty()) { PANEL_LABEL } else { 4.0 };
            for panel in row {
                // Panels with equal axes are compared with each other.
                let values = panels.iter().filter(|other| other.y == panel.y).flat_map(|panel| panel.values());
                let Some(y_domain) = Domain::of(&panel.y, values) else { continue };
                let y = Upwards::new(&panel.y, y_domain, plot_top, height);
                let label = if panel.y.label.is_empty() { 0.0 } else { LABEL_LEFT };
                let x = Across::new(&self.x, x_domain, left + label + y.ticks_width(), width);
                canvas.group("panel", Some(panel.label.clone()), |canvas| {
                    let style = TextStyle::new(TEXT).bold();
                    canvas.text(&style.shortened(&panel.label, width), (x.left, plot_top - 8.0), style);
                    let plot = Plot { x: &x, y: &y };
                    plot.draw_frame(canvas);
                    x.draw_ticks(canvas, y.bottom());
                    x.draw_label(canvas, &self.x.label, y.bottom() + TICKS_BELOW);
                    y.draw_ticks(canvas, x.left);
                    y.draw_label(canvas, &panel.y.label, left + TEXT);
                    // Bands under all lines: a line is never hidden by its neighbour's band.
                    canvas.clipped(plot.rect(), |canvas| {
                        let opacity = BAND_OPACITY * (MOST_BANDS as f64 / panel.curves.len() as f64).min(1.0);
                        for curve in panel.curves.iter().filter(|curve| !panel.has_strokes(curve)) {
                            curve.draw_band(canvas, &plot, opacity);
                        }
                    });
                    for (place, curve) in panel.curves.iter().enumerate() {
                        let beside = if panel.has_strokes(curve) { panel.beside(place, width) } else { 0.0 };
                        canvas.group("curve", Some(curve.label.clone()), |canvas| {
                            curve.draw_line(canvas, &plot, curve.series.colour(), beside);
                            if panel.has_strokes(curve) {
                                curve.draw_strokes(canvas, &plot, beside);
                            }
                            curve.draw_markers(canvas, &plot, mark, beside);
                        });
                    }
                });
                left = x.right() + PANEL_GAP.0;
            }
            // The last tick label may stand out.
            size.0 = size.0.max(left - PANEL_GAP.0 + 14.0);
            size.1 = plot_top + height + below;
            top = size.1 + PANEL_GAP.1;
        }
        let curves = panels.iter().flat_map(|panel| &panel.curves);
        let legend = legend_of(curves.map(|curve| (curve.label.as_str(), curve.series)), LegendKey::Line);
        let mut notes = Vec::new();
        let marked = panels.iter().flat_map(|panel| &panel.curves).filter(|curve| curve.shape == CurveShape::Marked);
        if marked.flat_map(|curve| &curve.points).any(|point| point.truncated_ratio.is_some_and(|ratio| ratio > mark)) {
            notes.push(format!("hollow: over {} truncated", number::percent(mark)));
        }
        if crowded {
            notes.push("curves are drawn a little beside each other".to_owned());
        }
        compose(&self.caption, &legend, Body { canvas, width: size.0, height: size.1 }, &notes)
    }
}

impl LinePanel {
    /// How many curves have marked points.
    fn marked(&self) -> usize {
        self.curves.iter().filter(|curve| curve.shape == CurveShape::Marked).count()
    }

    /// Whether a curve's intervals are strokes.
    fn has_strokes(&self, curve: &Curve) -> bool {
        curve.shape == CurveShape::Marked && self.marked() > MOST_BANDS
    }

    /// How far from its place the curve of this index is drawn, to the right.
    fn beside(&self, place: usize, width: f64) -> f64 {
        let others = self.curves.len().saturating_sub(1).max(1) as f64;
        (place as f64 - others / 2.0) * STROKE_GAP.min(STROKES * width / (others + 1.0))
    }

    fn points(&self) -> impl Iterator<Item = &LinePoint> {
        self.curves.iter().flat_map(|curve| &curve.points)
    }

    /// All that has to be inside of the y axis.
    fn values(&self) -> impl Iterator<Item = f64> {
        self.points().filter(|point| point.y.is_some()).flat_map(|point| {
            let interval = point.interval.map(|interval| [interval.low, interval.high]);
            point.y.into_iter().chain(interval.into_iter().flatten())
        })
    }
}

impl Curve {
    /// The points that have a place, in runs without gaps: x, value, and the band's edges.
    fn runs(&self, plot: &Plot<'_>) -> Vec<Vec<Placed>> {
        let mut points: Vec<&LinePoint> = self.points.iter().collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let placed = points.iter().map(|point| {
            let (x, y) = plot.place(point.x, point.y?)?;
            let band = point.interval.and_then(|interval| {
                let high = plot.y.place(interval.high)?;
                // What is not above zero lies below the end of a logarithmic axis.
                let low = plot.y.place(interval.low).or(interval.low.is_finite().then(|| plot.y.bottom()))?;
                Some((low, high))
            });
            Some(Placed { x, y, band, truncated_ratio: point.truncated_ratio })
        });
        let mut runs = vec![Vec::new()];
        for point in placed {
            match (point, runs.last_mut()) {
                (Some(point), Some(run)) => run.push(point),
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    pub(crate) fn draw_band(&self, canvas: &mut Canvas, plot: &Plot<'_>, opacity: f64) {
        for run in self.runs(plot) {
            for part in run.chunk_by(|a, b| a.band.is_some() == b.band.is_some()) {
                let edge = |edge: fn((f64, f64)) -> f64| -> Vec<(f64, f64)> {
                    part.iter().filter_map(|point| Some((point.x, edge(point.band?)))).collect()
                };
                let mut outline = self.joined(&edge(|(low, _)| low));
                let upper = self.joined(&edge(|(_, high)| high));
                outline.extend(upper.into_iter().rev());
                if outline.len() > 2 {
                    canvas.group("band", None, |canvas| {
                        canvas.polygon(outline, Paint::fill(self.series.colour()).opacity(opacity));
                    });
                }
            }
        }
    }

    /// Draws the curve without its markers.
    pub(crate) fn draw_line(&self, canvas: &mut Canvas, plot: &Plot<'_>, colour: Colour, beside: f64) {
        let places = |run: &Vec<Placed>| run.iter().map(|point| (point.x + beside, point.y)).collect::<Vec<_>>();
        let lines = self.runs(plot).iter().map(|run| self.joined(&places(run))).collect();
        canvas.clipped(plot.rect_with_frame(), |canvas| {
            canvas.lines(lines, Paint::stroke(colour, LINE).dash(self.series.dash()));
        });
    }

    /// Marks the points, or those that no line is seen of; whole, also on the frame.
    fn draw_markers(&self, canvas: &mut Canvas, plot: &Plot<'_>, mark: f64, beside: f64) {
        let colour = self.series.colour();
        let frame = plot.rect_with_frame();
        for run in self.runs(plot).iter().filter(|run| run.len() == 1 || self.shape == CurveShape::Marked) {
            for point in run.iter().filter(|point| frame.contains((point.x, point.y))) {
                let hollow =
                    point.truncated_ratio.is_some_and(|ratio| ratio > mark) && self.shape == CurveShape::Marked;
                let paint = if hollow { Paint::fill(PAPER).outlined(colour, 1.6) } else { Paint::fill(colour) };
                let class = if hollow { "truncated" } else { "point" };
                canvas.group(class, None, |canvas| {
                    canvas.marker(self.series.marker(), (point.x + beside, point.y), 3.4, paint);
                });
            }
        }
    }

    /// Draws the intervals of all points as strokes with caps.
    fn draw_strokes(&self, canvas: &mut Canvas, plot: &Plot<'_>, beside: f64) {
        let mut runs = Vec::new();
        for point in self.runs(plot).into_iter().flatten() {
            let Some((low, high)) = point.band else { continue };
            let x = point.x + beside;
            runs.extend([
                vec![(x, low), (x, high)],
                vec![(x - CAP, low), (x + CAP, low)],
                vec![(x - CAP, high), (x + CAP, high)],
            ]);
        }
        canvas.clipped(plot.rect_with_frame(), |canvas| {
            canvas.group("strokes", None, |canvas| canvas.lines(runs, Paint::stroke(self.series.colour(), 1.0)));
        });
    }

    /// The line through these places.
    fn joined(&self, places: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let places = thinned(places);
        if self.shape != CurveShape::Steps {
            return places;
        }
        let mut steps = Vec::with_capacity(places.len() * 2);
        for (index, (x, y)) in places.iter().enumerate() {
            if index > 0 {
                steps.push((*x, places[index - 1].1));
            }
            steps.push((*x, *y));
        }
        steps
    }
}

/// One point of a curve, in the picture.
#[derive(Debug, Clone, Copy)]
struct Placed {
    x: f64,
    y: f64,
    band: Option<(f64, f64)>,
    truncated_ratio: Option<f64>,
}

/// At most four places for each half pixel from left to right: the first, the lowest, the highest and the last. The line
/// through them looks the same.
fn thinned(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let bin = |place: &(f64, f64)| (place.0 * 2.0).floor() as i64;
    let mut thinned = Vec::with_capacity(places.len().min(4_096));
    for run in places.chunk_by(|a, b| bin(a) == bin(b)) {
        if run.len() <= 4 {
            thinned.extend_from_slice(run);
            continue;
        }
        let extremes = run.iter().enumerate().fold((0, 0), |(low, high), (index, place)| {
            (if place.1 < run[low].1 { index } else { low }, if place.1 > run[high].1 { index } else { high })
        });
        let mut kept = [0, extremes.0, extremes.1, run.len() - 1].to_vec();
        kept.sort_unstable();
        kept.dedup();
        thinned.extend(kept.into_iter().map(|index| run[index]));
    }
    thinned
}
