//! Curves with bands.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::page::{Body, LegendKey, TEXT, compose, legend_of};
use crate::palette::Colour;
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

const PANEL_LABEL: f64 = 22.0;
const PANEL_GAP: (f64, f64) = (24.0, 14.0);
const BAND_OPACITY: f64 = 0.16;
const LINE: f64 = 1.8;

impl Chart for Lines {
    fn picture(&self) -> Picture {
        let known = |panel: &&LinePanel| panel.points().any(|point| point.y.is_some_and(f64::is_finite));
        let panels: Vec<&LinePanel> = self.panels.iter().filter(known).collect();
        let x_values = panels.iter().flat_map(|panel| panel.points()).filter(|point| point.y.is_some());
        let Some(x_domain) = Domain::of(&self.x, x_values.map(|point| point.x)) else {
            return compose(&self.caption, &[], Body::no_data(), &[]);
        };
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
                        for curve in &panel.curves {
                            curve.draw_band(canvas, &plot);
                        }
                    });
                    for curve in &panel.curves {
                        canvas.group("curve", Some(curve.label.clone()), |canvas| {
                            curve.draw_line(canvas, &plot, curve.series.colour());
                            curve.draw_markers(canvas, &plot);
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
        compose(&self.caption, &legend, Body { canvas, width: size.0, height: size.1 }, &[])
    }
}

impl LinePanel {
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
            Some(Placed { x, y, band })
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

    pub(crate) fn draw_band(&self, canvas: &mut Canvas, plot: &Plot<'_>) {
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
                        canvas.polygon(outline, Paint::fill(self.series.colour()).opacity(BAND_OPACITY));
                    });
                }
            }
        }
    }

    /// Draws the curve without its markers.
    pub(crate) fn draw_line(&self, canvas: &mut Canvas, plot: &Plot<'_>, colour: Colour) {
        let places = |run: &Vec<Placed>| run.iter().map(|point| (point.x, point.y)).collect::<Vec<_>>();
        let lines = self.runs(plot).iter().map(|run| self.joined(&places(run))).collect();
        canvas.clipped(plot.rect_with_frame(), |canvas| {
            canvas.lines(lines, Paint::stroke(colour, LINE).dash(self.series.dash()));
        });
    }

    /// Marks the points, or those that no line is seen of; whole, also on the frame.
    fn draw_markers(&self, canvas: &mut Canvas, plot: &Plot<'_>) {
        let frame = plot.rect_with_frame();
        for run in self.runs(plot).iter().filter(|run| run.len() == 1 || self.shape == CurveShape::Marked) {
            for point in run.iter().filter(|point| frame.contains((point.x, point.y))) {
                canvas.marker(self.series.marker(), (point.x, point.y), 3.4, Paint::fill(self.series.colour()));
            }
        }
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
