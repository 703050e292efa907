//! Points with interval bars, row by row, and brackets around those that cannot be told apart.

use crate::axis::Axis;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::estimate::Estimate;
use crate::number;
use crate::page::{Body, SMALL_TEXT, TEXT, compose};
use crate::palette::{FRAME, INK, PAPER, SOFT_INK, STRIPE};
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

const LABEL_WIDTH: f64 = 260.0;
const ROW: f64 = 20.0;
const PANEL_LABEL: f64 = 22.0;
const PANEL_GAP: f64 = 14.0;
/// How far brackets are apart, and the least when there are many.
const BRACKET: f64 = 12.0;
const NARROW_BRACKET: f64 = 6.0;
/// Room for the brackets of one plot before they stand closer.
const BRACKETS: f64 = 160.0;
const BRACKET_LABEL: f64 = 16.0;

impl Chart for Intervals {
    fn picture(&self) -> Picture {
        let plots = self.plots();
        let rows: usize = self.panels.iter().map(|panel| panel.rows.len()).sum();
        if plots.is_empty() || rows == 0 {
            return compose(&self.caption, &[], Body::no_data(), &[]);
        }
        let mut canvas = Canvas::default();
        let mut y = 0.0;
        for (index, panel) in self.panels.iter().enumerate().filter(|(_, panel)| !panel.rows.is_empty()) {
            if !panel.label.is_empty() {
                let style = TextStyle::new(TEXT).bold();
                let room = plots.last().map_or(0.0, |plot| plot.end);
                canvas.text(&style.shortened(&panel.label, room), (0.0, y + TEXT + 2.0), style);
                y += PANEL_LABEL;
            }
            if !panel.cliques.is_empty() {
                y += BRACKET_LABEL;
            }
            canvas.group("panel", Some(self.panels[index].label.clone()), |canvas| {
                self.draw_panel(canvas, panel, &plots, y);
            });
            y += ROW * panel.rows.len() as f64 + TICKS_BELOW + PANEL_GAP;
        }
        y -= PANEL_GAP;
        for plot in &plots {
            plot.across.draw_label(&mut canvas, &plot.axis.label, y);
        }

        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let mut notes = Vec::new();
        let mut all = self.panels.iter().flat_map(|panel| &panel.rows);
        if all.any(|row| row.truncated_ratio.is_some_and(|ratio| ratio > mark)) {
            notes.push(format!("hollow: over {} truncated, share beside the label", number::percent(mark)));
        }
        if self.panels.iter().any(|panel| !panel.cliques.is_empty()) {
            notes.push("dots on one line right of a plot cannot be told apart".to_owned());
        }
        let width = plots.last().map_or(0.0, |plot| plot.end);
        compose(&self.caption, &[], Body { canvas, width, height: y + LABEL_BELOW }, &notes)
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

impl Intervals {
    /// The axes that any value has a place on, from left to right.
    fn plots(&self) -> Vec<AxisPlot<'_>> {
        let rows = || self.panels.iter().flat_map(|panel| &panel.rows);
        let style = TextStyle::new(TEXT);
        let label = rows().map(|row| style.width(&row.label)).fold(0.0, f64::max).min(LABEL_WIDTH);
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let truncated = rows().any(|row| row.truncated_ratio.is_some_and(|ratio| ratio > mark));
        let mut x = label + if truncated { 60.0 } else { 16.0 };
        let width = if self.axes.len() > 1 { 320.0 } else { 480.0 };
        let mut plots = Vec::new();
        for (index, axis) in self.axes.iter().enumerate() {
            let estimates = rows().filter_map(|row| row.estimates.get(index).copied().flatten());
            let values = estimates.flat_map(|estimate| {
                let interval = estimate.interval.map(|interval| [interval.low, interval.high]);
                [estimate.value].into_iter().chain(interval.into_iter().flatten())
            });
            let Some(domain) = Domain::of(axis, values) else { continue };
            let cliques = |panel: &IntervalPanel| panel.cliques.iter().filter(|clique| clique.axis == index).count();
            let cliques = self.panels.iter().map(cliques).max().unwrap_or(0);
            let bracket = (BRACKETS / cliques.max(1) as f64).clamp(NARROW_BRACKET, BRACKET);
            let end = x + width + if cliques > 0 { 8.0 + bracket * cliques as f64 } else { 0.0 };
            plots.push(AxisPlot { index, axis, across: Across::new(axis, domain, x, width), bracket, end });
            x = end + 30.0;
        }
        plots
    }

    fn draw_panel(&self, canvas: &mut Canvas, panel: &IntervalPanel, plots: &[AxisPlot<'_>], top: f64) {
        let bottom = top + ROW * panel.rows.len() as f64;
        let middle = |row: usize| top + ROW * (row as f64 + 0.5);
        let end = plots.last().map_or(0.0, |plot| plot.end);
        for row in (1..panel.rows.len()).step_by(2) {
            canvas.rect(Rect::new(0.0, middle(row) - ROW / 2.0, end, ROW), Paint::fill(STRIPE));
        }
        for plot in plots {
            plot.across.draw_grid(canvas, top, bottom);
            plot.across.draw_ticks(canvas, bottom);
            canvas.line((plot.across.left, bottom), (plot.across.right(), bottom), Paint::stroke(FRAME, 1.0));
        }
        let label_end = plots.first().map_or(0.0, |plot| plot.across.left);
        for (index, row) in panel.rows.iter().enumerate() {
            canvas.group("interval-row", Some(describe(row, plots)), |canvas| {
                self.draw_row(canvas, row, plots, middle(index), label_end);
            });
        }
        for plot in plots {
            let cliques: Vec<&Clique> = panel.cliques.iter().filter(|clique| clique.axis == plot.index).collect();
            draw_cliques(canvas, plot, &cliques, panel.rows.len(), top);
        }
    }

    fn draw_row(&self, canvas: &mut Canvas, row: &IntervalRow, plots: &[AxisPlot<'_>], y: f64, label_end: f64) {
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let truncated = row.truncated_ratio.filter(|ratio| *ratio > mark);
        let style = TextStyle::new(TEXT);
        canvas.centred(&style.shortened(&row.label, LABEL_WIDTH), (0.0, y), style);
        if let Some(ratio) = truncated {
            let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK).end();
            canvas.centred(&number::percent(ratio), (label_end - 14.0, y), style);
        }
        let colour = row.series.colour();
        for plot in plots {
            let Some(estimate) = row.estimates.get(plot.index).copied().flatten() else { continue };
            let ends = estimate
                .interval
                .and_then(|interval| Some((plot.across.clamped(interval.low)?, plot.across.clamped(interval.high)?)));
            if let Some((low, high)) = ends {
                canvas.line((low, y), (high, y), Paint::stroke(colour, 2.4));
                let cap = |x: f64| vec![(x, y - 3.5), (x, y + 3.5)];
                canvas.lines(vec![cap(low), cap(high)], Paint::stroke(colour, 1.4));
            }
            if let Some(x) = plot.across.clamped(estimate.value) {
                let paint =
                    if truncated.is_some() { Paint::fill(PAPER).outlined(colour, 1.8) } else { Paint::fill(colour) };
                canvas.marker(row.series.marker(), (x, y), 4.6, paint);
            }
        }
    }
}

/// Draws the brackets of one axis, right of its plot.
fn draw_cliques(canvas: &mut Canvas, plot: &AxisPlot<'_>, cliques: &[&Clique], rows: usize, top: f64) {
    let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK).middle();
    // Names stand in one line, or, when they would run into each other, each above its own first dot.
    let in_line = cliques.iter().all(|clique| style.width(&clique.label) <= plot.bracket - 1.0);
    let mut before = f64::NAN;
    for (place, clique) in cliques.iter().enumerate() {
        let x = plot.across.right() + 8.0 + plot.bracket * (place as f64 + 0.5);
        let members = clique.members.iter().filter(|row| **row < rows);
        let places: Vec<f64> = members.map(|row| top + ROW * (*row as f64 + 0.5)).collect();
        let Some(first) = places.iter().copied().reduce(f64::min) else { continue };
        let last = places.iter().copied().fold(first, f64::max);
        canvas.group("clique", Some(format!("clique {}", clique.label)), |canvas| {
            canvas.line((x, first), (x, last), Paint::stroke(SOFT_INK, 1.2));
            for y in places {
                canvas.circle((x, y), 2.6, Paint::fill(INK));
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
