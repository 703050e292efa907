//! Points with interval bars, row by row, coloured by what they cannot be told apart from.
//!
//! Markers have the evaluation's colour, as in all charts; intervals and brackets that of the clique, out of a palette of
//! its own. An interval in several cliques is striped.

use crate::axis::{Axis, Scale};
use crate::caption::Caption;
use crate::chart::Chart;
use crate::estimate::{Estimate, Interval};
use crate::number;
use crate::page::{Body, SMALL_TEXT, TEXT, compose, compose_nothing};
use crate::palette::{Colour, FRAME, INK, PAPER, SOFT_INK, STRIPE, clique_colour};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::plot::{Across, LABEL_BELOW, TICKS_BELOW};
use crate::scale::Domain;
use crate::series::Series;

/// Points with interval bars: a panel for each facet, a row for each evaluation, one plot beside the other for each axis
/// (accuracy, tokens).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intervals {
    /// Title and foot.
    pub caption: Caption,
    /// The quantities, left to right; shared by all panels. The second plot may be tokens.
    pub axes: Vec<Axis>,
    /// The facets, top to bottom; very many stand in several columns, one after the other.
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
    /// The evaluation's looks, which its markers have; its intervals have the colours of its cliques, if it is in any.
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
    /// Its place in the palette of cliques, which is not that of evaluations: parts of one clique have the same.
    pub colour: usize,
}

const LABEL_WIDTH: f64 = 260.0;
const ROW: f64 = 20.0;
const PANEL_LABEL: f64 = 22.0;
const PANEL_GAP: f64 = 14.0;
/// How wide a plot is: the only one, each of several, and each where panels stand beside each other.
const PLOTS: [f64; 3] = [480.0, 320.0, 170.0];
/// Labels and rows where panels stand beside each other, the labels in a few columns and in many.
const NARROW_LABEL: f64 = 220.0;
const NARROWEST_LABEL: f64 = 150.0;
const LOW_ROW: f64 = 16.0;
const COLUMN_GAP: f64 = 26.0;
/// Panels stand in as many columns as make a picture not much higher than wide, but in no more than these.
const MOST_COLUMNS: usize = 6;
const HIGHEST_RATIO: f64 = 1.3;
/// Panels that are together no higher stand in one column.
const HIGHEST_ALONE: f64 = 900.0;
/// How far brackets are apart, and the least when there are many.
const BRACKET: f64 = 12.0;
const NARROW_BRACKET: f64 = 6.0;
/// Room for the brackets of one plot before they stand closer.
const BRACKETS: f64 = 160.0;
const BRACKET_LABEL: f64 = 16.0;
/// Room left of a label for the evaluation's marker.
const SWATCH: f64 = 14.0;
const MARKER: f64 = 3.2;
/// How thick an interval is, and how far its caps reach: beyond its marker, or a short interval would not be seen.
const BAR: f64 = 2.4;
const CAP: f64 = 5.0;
/// With more colours than these stripes would be too thin.
const MOST_STRIPES: usize = 3;

impl Chart for Intervals {
    fn picture(&self) -> Picture {
        let panels: Vec<&IntervalPanel> = self.panels.iter().filter(|panel| !panel.rows.is_empty()).collect();
        let Some(layout) = Layout::of(self, &panels) else {
            return compose_nothing(&self.caption);
        };
        let mut canvas = Canvas::default();
        let mut height: f64 = 0.0;
        for (column, panels) in layout.columns(&panels).into_iter().enumerate() {
            let mut of_column = Canvas::default();
            let bottom = self.draw_column(&mut of_column, &layout, panels);
            height = height.max(bottom);
            canvas.place("column", ((layout.width + COLUMN_GAP) * column as f64, 0.0), of_column);
        }
        let columns = layout.columns(&panels).len() as f64;
        let width = layout.width * columns + COLUMN_GAP * (columns - 1.0);

        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let mut notes = Vec::new();
        let mut all = panels.iter().flat_map(|panel| &panel.rows);
        if all.any(|row| row.truncated_ratio.is_some_and(|ratio| ratio > mark)) {
            notes.push(format!("hollow: over {} truncated, share beside the label", number::percent(mark)));
        }
        if panels.iter().any(|panel| !panel.cliques.is_empty()) {
            notes.push("markers have the evaluation's colour, intervals that of its clique".to_owned());
            let colours = || panels.iter().flat_map(|panel| (0..panel.rows.len()).map(|row| panel.colours(row).len()));
            if colours().any(|colours| colours > 1) {
                notes.push("stripes: in several cliques".to_owned());
            }
            if colours().any(|colours| colours > MOST_STRIPES) {
                notes.push(format!("grey: in more than {MOST_STRIPES}"));
            }
            notes.push("dots on one line right of a plot cannot be told apart".to_owned());
        }
        compose(&self.caption, &[], Body { canvas, width, height }, &notes)
    }
}

/// One axis, where it lies, and where what belongs to it ends.
struct AxisPlot<'a> {
    index: usize,
    axis: &'a Axis,
    across: Across,
    bracket: f64,
    end: f64,
}

/// What all columns of panels have in common.
struct Layout<'a> {
    plots: Vec<AxisPlot<'a>>,
    panels_of_column: usize,
    label: f64,
    row: f64,
    /// Of one column.
    width: f64,
}

impl<'a> Layout<'a> {
    /// None when no value has a place on any axis.
    fn of(chart: &'a Intervals, panels: &[&IntervalPanel]) -> Option<Self> {
        let alone = Self::with_columns(chart, panels, 1);
        if alone.plots.is_empty() || panels.is_empty() {
            return None;
        }
        if panels.len() == 1 || alone.height(panels) <= HIGHEST_ALONE {
            return Some(alone);
        }
        let layouts = (2..=MOST_COLUMNS.min(panels.len())).map(|columns| Self::with_columns(chart, panels, columns));
        let fits = |layout: &Self| {
            let columns = layout.columns(panels);
            let width = (layout.width + COLUMN_GAP) * columns.len() as f64;
            columns.iter().all(|panels| layout.height(panels) <= width * HIGHEST_RATIO)
        };
        let mut last = alone;
        for layout in layouts {
            let fits = fits(&layout);
            last = layout;
            if fits {
                break;
            }
        }
        Some(last)
    }

    fn with_columns(chart: &'a Intervals, panels: &[&IntervalPanel], columns: usize) -> Self {
        let rows = || panels.iter().flat_map(|panel| &panel.rows);
        let style = TextStyle::new(TEXT);
        let widest = match columns {
            1 => LABEL_WIDTH,
            2 | 3 => NARROW_LABEL,
            _ => NARROWEST_LABEL,
        };
        let label = rows().map(|row| style.width(&row.label)).fold(0.0, f64::max).min(widest);
        let mark = chart.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let truncated = rows().any(|row| row.truncated_ratio.is_some_and(|ratio| ratio > mark));
        let mut x = SWATCH + label + if truncated { 50.0 } else { 16.0 };
        let width = match (columns, chart.axes.len()) {
            (1, 0 | 1) => PLOTS[0],
            (1, _) => PLOTS[1],
            _ => PLOTS[2],
        };
        let mut plots = Vec::new();
        for (index, axis) in chart.axes.iter().enumerate() {
            let estimates = || rows().filter_map(|row| row.estimates.get(index).copied().flatten());
            // On a logarithmic axis an interval that goes down to almost nothing would leave the others no room.
            let smallest = estimates().map(|estimate| estimate.value).filter(|value| axis.holds(*value));
            let least = if axis.scale == Scale::Logarithmic {
                smallest.fold(f64::INFINITY, f64::min) / 2.0
            } else {
                f64::NEG_INFINITY
            };
            let values = estimates().flat_map(|estimate| {
                let interval = estimate.interval.map(|interval| [interval.low, interval.high]);
                [estimate.value].into_iter().chain(interval.into_iter().flatten().filter(move |end| *end >= least))
            });
            let Some(domain) = Domain::of(axis, values) else { continue };
            let cliques = |panel: &&IntervalPanel| panel.cliques.iter().filter(|clique| clique.axis == index).count();
            let cliques = panels.iter().map(cliques).max().unwrap_or(0);
            let bracket = (BRACKETS / cliques.max(1) as f64).clamp(NARROW_BRACKET, BRACKET);
            let end = x + width + if cliques > 0 { 8.0 + bracket * cliques as f64 } else { 0.0 };
            plots.push(AxisPlot { index, axis, across: Across::new(axis, domain, x, width), bracket, end });
            x = end + 30.0;
        }
        let width = plots.last().map_or(0.0, |plot| plot.end);
        let row = if columns > 1 { LOW_ROW } else { ROW };
        Self { plots, panels_of_column: panels.len().div_ceil(columns).max(1), label, row, width }
    }

    /// Where the first plot ends.
    fn first_end(&self) -> f64 {
        self.plots.first().map_or(0.0, |plot| plot.across.right())
    }

    /// The panels of each column.
    fn columns<'p>(&self, panels: &'p [&'p IntervalPanel]) -> Vec<&'p [&'p IntervalPanel]> {
        panels.chunks(self.panels_of_column).collect()
    }

    /// Of a column of these panels.
    fn height(&self, panels: &[&IntervalPanel]) -> f64 {
        let panel =
            |panel: &&IntervalPanel| above(panel) + self.row * panel.rows.len() as f64 + TICKS_BELOW + PANEL_GAP;
        panels.iter().map(panel).sum::<f64>() + LABEL_BELOW
    }
}

/// Room above a panel's rows.
fn above(panel: &IntervalPanel) -> f64 {
    match (panel.label.is_empty(), panel.cliques.is_empty()) {
        (false, _) => PANEL_LABEL,
        (true, false) => BRACKET_LABEL,
        (true, true) => 0.0,
    }
}

impl IntervalPanel {
    /// The colours of a row's cliques, each once.
    fn colours(&self, row: usize) -> Vec<usize> {
        let cliques = self.cliques.iter().filter(|clique| clique.members.contains(&row));
        let mut colours: Vec<usize> = cliques.map(|clique| clique.colour).collect();
        colours.sort_unstable();
        colours.dedup();
        colours
    }
}

impl Intervals {
    /// Draws panels one below the other, with the axes' labels above and below them; says where they end.
    fn draw_column(&self, canvas: &mut Canvas, layout: &Layout<'_>, panels: &[&IntervalPanel]) -> f64 {
        let mut y = 0.0;
        let draw_labels = |canvas: &mut Canvas, y: f64| {
            for plot in &layout.plots {
                plot.across.draw_label(canvas, &plot.axis.label, y);
            }
        };
        // The one below would be out of sight.
        if layout.height(panels) > HIGHEST_ALONE {
            draw_labels(canvas, y);
            y += LABEL_BELOW;
        }
        for panel in panels {
            if !panel.label.is_empty() {
                let style = TextStyle::new(TEXT).bold();
                // The names of cliques stand in the same line, right of the first plot.
                let room = if panel.cliques.is_empty() { layout.width } else { layout.first_end() - 6.0 };
                canvas.text(&style.shortened(&panel.label, room), (0.0, y + TEXT + 4.0), style);
            }
            y += above(panel);
            canvas.group("panel", Some(panel.label.clone()), |canvas| self.draw_panel(canvas, panel, layout, y));
            y += layout.row * panel.rows.len() as f64 + TICKS_BELOW + PANEL_GAP;
        }
        y -= PANEL_GAP;
        draw_labels(canvas, y);
        y + LABEL_BELOW
    }

    fn draw_panel(&self, canvas: &mut Canvas, panel: &IntervalPanel, layout: &Layout<'_>, top: f64) {
        let bottom = top + layout.row * panel.rows.len() as f64;
        let middle = |row: usize| top + layout.row * (row as f64 + 0.5);
        for row in (1..panel.rows.len()).step_by(2) {
            let y = middle(row) - layout.row / 2.0;
            canvas.rect(Rect::new(0.0, y, layout.width, layout.row), Paint::fill(STRIPE));
        }
        for plot in &layout.plots {
            plot.across.draw_grid(canvas, top, bottom);
            plot.across.draw_ticks(canvas, bottom);
            canvas.line((plot.across.left, bottom), (plot.across.right(), bottom), Paint::stroke(FRAME, 1.0));
        }
        let labels: Vec<&str> = panel.rows.iter().map(|row| row.label.as_str()).collect();
        let labels = TextStyle::new(TEXT).shortened_apart(&labels, layout.label);
        for (index, (row, label)) in panel.rows.iter().zip(&labels).enumerate() {
            canvas.group("interval-row", Some(describe(row, &layout.plots)), |canvas| {
                canvas.centred(label, (SWATCH, middle(index)), TextStyle::new(TEXT));
                self.draw_row(canvas, row, &panel.colours(index), layout, middle(index));
            });
        }
        for plot in &layout.plots {
            let cliques: Vec<&Clique> = panel.cliques.iter().filter(|clique| clique.axis == plot.index).collect();
            draw_cliques(canvas, plot, &cliques, panel.rows.len(), (top, layout.row));
        }
    }

    fn draw_row(&self, canvas: &mut Canvas, row: &IntervalRow, cliques: &[usize], layout: &Layout<'_>, y: f64) {
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let truncated = row.truncated_ratio.filter(|ratio| *ratio > mark);
        let own = row.series.colour();
        let marker = if truncated.is_some() { Paint::fill(PAPER).outlined(own, 1.6) } else { Paint::fill(own) };
        canvas.marker(row.series.marker(), (SWATCH / 2.0 - 2.0, y), MARKER, marker);
        if let (Some(ratio), Some(plot)) = (truncated, layout.plots.first()) {
            let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK).end();
            canvas.centred(&number::percent(ratio), (plot.across.left - 10.0, y), style);
        }
        let stripes = match cliques {
            [] => vec![own],
            cliques if cliques.len() > MOST_STRIPES => vec![SOFT_INK],
            cliques => cliques.iter().map(|clique| clique_colour(*clique)).collect(),
        };
        for plot in &layout.plots {
            let Some(estimate) = row.estimates.get(plot.index).copied().flatten() else { continue };
            if let Some(x) = plot.across.clamped(estimate.value) {
                canvas.marker(row.series.marker(), (x, y), MARKER, marker);
            }
            if let Some(interval) = estimate.interval {
                canvas.group("interval", None, |canvas| draw_interval(canvas, &plot.across, interval, y, &stripes));
            }
        }
    }
}

/// Draws an interval over its marker, striped in these colours. An end beyond the axis, also zero on a logarithmic one, has
/// no cap.
fn draw_interval(canvas: &mut Canvas, across: &Across, interval: Interval, y: f64, stripes: &[Colour]) {
    let Some(high) = across.clamped(interval.high) else { return };
    let inside = |end: f64| across.place(end).filter(|x| (across.left - 1e-6..=across.right() + 1e-6).contains(x));
    let low = across.clamped(interval.low);
    let Some(start) = low.or(interval.low.is_finite().then_some(across.left)) else { return };
    let whole = (BAR * stripes.len() as f64).min(2.0 * BAR);
    let width = whole / stripes.len() as f64;
    for (place, colour) in stripes.iter().enumerate() {
        let y = y - whole / 2.0 + width * (place as f64 + 0.5);
        canvas.line((start, y), (high, y), Paint::stroke(*colour, width));
    }
    let cap = |x: f64| vec![(x, y - CAP), (x, y + CAP)];
    let colour = if let [colour] = stripes { *colour } else { SOFT_INK };
    let caps = [interval.low, interval.high].into_iter().filter_map(inside).map(cap);
    canvas.lines(caps.collect(), Paint::stroke(colour, 1.4));
}

/// Draws the brackets of one axis, right of its plot.
fn draw_cliques(canvas: &mut Canvas, plot: &AxisPlot<'_>, cliques: &[&Clique], rows: usize, (top, row): (f64, f64)) {
    let style = TextStyle::new(SMALL_TEXT).middle();
    // Names stand in one line, or, when they would run into each other, each above its own first dot.
    let in_line = cliques.iter().all(|clique| style.width(&clique.label) <= plot.bracket - 1.0);
    let mut before = f64::NAN;
    for (place, clique) in cliques.iter().enumerate() {
        let x = plot.across.right() + 8.0 + plot.bracket * (place as f64 + 0.5);
        let members = clique.members.iter().filter(|row| **row < rows);
        let places: Vec<f64> = members.map(|place| top + row * (*place as f64 + 0.5)).collect();
        let Some(first) = places.iter().copied().reduce(f64::min) else { continue };
        let last = places.iter().copied().fold(first, f64::max);
        let colour = clique_colour(clique.colour);
        let style = style.colour(colour.mixed(INK, 0.4)).bold();
        canvas.group("clique", Some(format!("clique {}", clique.label)), |canvas| {
            canvas.line((x, first), (x, last), Paint::stroke(colour, 2.2));
            for y in places {
                canvas.circle((x, y), 3.2, Paint::fill(colour));
            }
            let room = style.width(&clique.label) <= 2.0 * plot.bracket - 3.0;
            if in_line {
                canvas.text(&clique.label, (x, top - 4.0), style);
            } else if room && first != before {
                canvas.text(&clique.label, (x, first - 5.0), style);
            }
        });
        before = first;
    }
}

fn describe(row: &IntervalRow, plots: &[AxisPlot<'_>]) -> String {
    let mut text = row.label.clone();
    for plot in plots {
        let estimate = row.estimates.get(plot.index).copied().flatten();
        let Some(estimate) = estimate.filter(|estimate| estimate.value.is_finite()) else { continue };
        text.push_str(&format!(" · {}: {}", plot.axis.label, number::estimate(estimate)));
    }
    text
}
