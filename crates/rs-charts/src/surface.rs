//! A value over two parameters.

use crate::caption::Caption;
use crate::chart::Chart;
use crate::colour_scale;
use crate::number;
use crate::page::{Body, SMALL_TEXT, TEXT, compose, compose_nothing};
use crate::palette::{BLANK, FRAME, INK, SOFT_INK, sequential};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};

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

/// How wide all panels together may be.
const WIDEST: f64 = 1000.0;
/// Cells have no text when they would be higher together.
const HIGHEST: f64 = 1400.0;
const PANEL_GAP: (f64, f64) = (22.0, 16.0);
const PANEL_LABEL: f64 = 22.0;
/// Room that a panel's label gets, however narrow its cells are together: labels often differ at their end.
const LONGEST_LABEL: f64 = 300.0;
/// The largest and the smallest cell; in those narrower than `WITH_TEXT` there is no text.
const LARGEST: (f64, f64) = (48.0, 34.0);
const SMALLEST: (f64, f64) = (9.0, 9.0);
const WITH_TEXT: (f64, f64) = (27.0, 17.0);
const WITH_TRIALS: (f64, f64) = (30.0, 28.0);
/// The longest value below a panel, and left of it, where it may be the name of an evaluation.
const VALUE_WIDTH: f64 = 110.0;
const ROW_WIDTH: f64 = 300.0;
const SEAM: f64 = 0.5;

impl Chart for Surface {
    fn picture(&self) -> Picture {
        let known = |panel: &&SurfacePanel| panel.cells.iter().any(|cell| cell.value.is_finite());
        let panels: Vec<&SurfacePanel> = self.panels.iter().filter(known).collect();
        if panels.is_empty() || self.x.values.is_empty() || self.y.values.is_empty() {
            return compose_nothing(&self.caption);
        }
        let layout = Layout::of(self, &panels);
        let mut canvas = Canvas::default();
        colour_scale::draw(&mut canvas, (0.0, 0.0), &self.value_label);
        let top = colour_scale::HEIGHT + 6.0;
        for (index, panel) in panels.iter().enumerate() {
            let (column, row) = (index % layout.columns, index / layout.columns);
            let x = layout.left + (layout.slot + PANEL_GAP.0) * column as f64;
            let y = top + (layout.panel.1 + layout.above_below() + PANEL_GAP.1) * row as f64;
            // The lowest panel of each column and the first of each row have axes that all share.
            let first = column == 0;
            canvas.group("panel", Some(panel.label.clone()), |canvas| {
                self.draw_panel(canvas, &layout, panel, (x, y + PANEL_LABEL), first);
            });
        }
        let rows = panels.len().div_ceil(layout.columns);
        let width = layout.left + (layout.slot + PANEL_GAP.0) * layout.columns as f64 - PANEL_GAP.0;
        let height = top + (layout.panel.1 + layout.above_below() + PANEL_GAP.1) * rows as f64 - PANEL_GAP.1;

        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let cells = || panels.iter().flat_map(|panel| &panel.cells);
        let mut notes = Vec::new();
        if cells().any(|cell| cell.truncated_ratio.is_some_and(|ratio| ratio > mark)) {
            let amount = if layout.writes_trials() { ", t: percent" } else { "" };
            notes.push(format!("hatched: over {} truncated{amount}", number::percent(mark)));
        }
        let trials = || cells().filter_map(|cell| cell.trials);
        if let (Some(fewest), Some(most)) = (trials().min(), trials().max()) {
            let written = if layout.writes_trials() { "small numbers: trials in a cell; " } else { "" };
            let range = if fewest == most {
                number::grouped(most)
            } else {
                format!("{} to {}", number::grouped(fewest), number::grouped(most))
            };
            notes.push(format!("{written}{range} trials a cell"));
        }
        notes.push("grey: no trials".to_owned());
        compose(&self.caption, &[], Body { canvas, width, height }, &notes)
    }
}

struct Layout {
    columns: usize,
    cell: (f64, f64),
    /// The size of a panel's cells together.
    panel: (f64, f64),
    /// The width of a panel's cells or of its label, whichever is wider.
    slot: f64,
    /// Room for the y axis, left of the first panel of a row.
    left: f64,
    /// The axes' values, shortened.
    texts: (Vec<String>, Vec<String>),
    /// Room for the x axis below each panel, without its label.
    below: f64,
    /// Whether the values below a panel are turned, and which of them are written.
    turned: bool,
    stride: (usize, usize),
}

impl Layout {
    fn of(surface: &Surface, panels: &[&SurfacePanel]) -> Self {
        let style = TextStyle::new(SMALL_TEXT);
        let texts = |axis: &CategoryAxis, room: f64| {
            let values: Vec<&str> = axis.values.iter().map(String::as_str).collect();
            style.shortened_apart(&values, room)
        };
        let (x_texts, y_texts) = (texts(&surface.x, VALUE_WIDTH), texts(&surface.y, ROW_WIDTH));
        let widest = |texts: &[String]| texts.iter().map(|text| style.width(text)).fold(0.0, f64::max);
        let left = widest(&y_texts) + 12.0 + if surface.y.label.is_empty() { 0.0 } else { TEXT + 8.0 };
        let (across, up) = (surface.x.values.len() as f64, surface.y.values.len() as f64);

        let bold = TextStyle::new(TEXT).bold();
        let label = panels.iter().map(|panel| bold.width(&panel.label)).fold(0.0, f64::max).min(LONGEST_LABEL);
        let panels = panels.len();
        // As many panels beside each other as leave cells with text and labels whole, unless the picture would be a ribbon.
        let width_of = |columns: usize, cell: f64| {
            left + ((cell * across).max(label) + PANEL_GAP.0) * columns as f64 - PANEL_GAP.0
        };
        let columns_of = |cell: f64| (1..=panels.min(4)).rev().find(|columns| width_of(*columns, cell) <= WIDEST);
        let with_text = columns_of(WITH_TRIALS.0 + 4.0).unwrap_or(1);
        let height = panels.div_ceil(with_text) as f64 * up * WITH_TEXT.1;
        let columns = if height > HIGHEST { columns_of(SMALLEST.0 + 1.0).unwrap_or(1) } else { with_text };
        let room = (WIDEST - left + PANEL_GAP.0) / columns as f64 - PANEL_GAP.0;
        // At least as wide as a label under it needs.
        let cell_width = (room / across).clamp(SMALLEST.0, LARGEST.0).max(90.0 / across);
        let cell_height =
            (cell_width * 0.7).clamp(SMALLEST.1, LARGEST.1).min((520.0 / up).max(SMALLEST.1)).max(90.0 / up);
        let x_values = widest(&x_texts);
        let turned = x_values > cell_width - 3.0;
        let stride = |extent: f64, needed: f64| (needed / extent).ceil().max(1.0) as usize;
        Self {
            columns,
            cell: (cell_width, cell_height),
            panel: (cell_width * across, cell_height * up),
            slot: (cell_width * across).max(label),
            left,
            texts: (x_texts, y_texts),
            below: if turned { x_values + 8.0 } else { SMALL_TEXT + 8.0 },
            turned,
            stride: (
                stride(cell_width, if turned { SMALL_TEXT + 2.0 } else { 0.0 }),
                stride(cell_height, SMALL_TEXT + 1.0),
            ),
        }
    }

    /// Room for what stands above and below a panel's cells.
    fn above_below(&self) -> f64 {
        PANEL_LABEL + self.below + TEXT + 6.0
    }

    fn writes_trials(&self) -> bool {
        self.cell.0 >= WITH_TRIALS.0 && self.cell.1 >= WITH_TRIALS.1
    }

    fn writes_values(&self) -> bool {
        self.cell.0 >= WITH_TEXT.0 && self.cell.1 >= WITH_TEXT.1
    }

    fn rect(&self, (x, y): (f64, f64), cell: (usize, usize)) -> Rect {
        let (width, height) = self.cell;
        let top = y + self.panel.1 - height * (cell.1 as f64 + 1.0);
        Rect::new(x + width * cell.0 as f64, top, width, height)
    }
}

impl Surface {
    fn draw_panel(&self, canvas: &mut Canvas, layout: &Layout, panel: &SurfacePanel, at: (f64, f64), first: bool) {
        let (x, y) = at;
        let style = TextStyle::new(TEXT).bold();
        canvas.text(&style.shortened(&panel.label, layout.slot), (x, y - 7.0), style);
        canvas.rect(Rect::new(x, y, layout.panel.0, layout.panel.1), Paint::fill(BLANK));

        let mut cells: Vec<&SurfaceCell> = panel
            .cells
            .iter()
            .filter(|cell| cell.x < self.x.values.len() && cell.y < self.y.values.len() && cell.value.is_finite())
            .collect();
        // Of two in one place the later one is kept: reversed, stably sorted, the first of equals.
        cells.reverse();
        cells.sort_by_key(|cell| (cell.y, cell.x));
        cells.dedup_by_key(|cell| (cell.y, cell.x));
        for cell in cells {
            let tooltip = self.describe(panel, cell);
            canvas.group("cell", Some(tooltip), |canvas| {
                self.draw_cell(canvas, layout, layout.rect(at, (cell.x, cell.y)), cell);
            });
        }
        canvas.rect(Rect::new(x, y, layout.panel.0, layout.panel.1), Paint::stroke(FRAME, 1.0));
        self.draw_axes(canvas, layout, at, first);
    }

    fn draw_cell(&self, canvas: &mut Canvas, layout: &Layout, rect: Rect, cell: &SurfaceCell) {
        let colour = sequential(cell.value);
        let ink = colour.contrast();
        // Into the cells that are drawn after it, so that no gap shows between two.
        let wider = Rect::new(rect.x, rect.y - SEAM, rect.width + SEAM, rect.height + SEAM);
        canvas.rect(wider, Paint::fill(colour));
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let truncated = cell.truncated_ratio.is_some_and(|ratio| ratio > mark);
        if truncated {
            canvas.group("truncated", None, |canvas| canvas.hatch(rect, Paint::stroke(colour.mixed(ink, 0.6), 0.9)));
        }
        if !layout.writes_values() {
            return;
        }
        let (x, middle) = rect.centre();
        let style = TextStyle::new(11.0).colour(ink).middle();
        let small = TextStyle::new(9.0).colour(ink).middle();
        let value = style.shortened(&number::share(cell.value), rect.width);
        let trials = cell.trials.map(|trials| number::compact(trials as f64));
        let amount = cell.truncated_ratio.filter(|_| truncated).map(number::truncated);
        let both = trials.as_ref().zip(amount.as_ref()).map(|(trials, amount)| format!("{trials} {amount}"));
        // How much was cut off is more than how many were tried.
        let mut second = [both, amount, trials].into_iter().flatten().filter(|_| layout.writes_trials());
        let trials = second.find(|text| small.width(text) <= rect.width - 2.0);
        if truncated {
            // Text on hatching cannot be read.
            let wide = style.width(&value).max(trials.as_deref().map_or(0.0, |text| small.width(text))) + 4.0;
            let high = if trials.is_some() { 22.0 } else { 11.0 };
            canvas.rect(Rect::new(x - wide / 2.0, middle - high / 2.0, wide, high), Paint::fill(colour));
        }
        match trials {
            Some(trials) => {
                canvas.centred(&value, (x, middle - 5.0), style);
                canvas.centred(&trials, (x, middle + 6.5), small);
            }
            None => canvas.centred(&value, (x, middle), style),
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas, layout: &Layout, (x, y): (f64, f64), first: bool) {
        let bottom = y + layout.panel.1;
        let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK);
        canvas.group("ticks", None, |canvas| {
            for (index, value) in layout.texts.0.iter().enumerate().step_by(layout.stride.0) {
                let centre = x + layout.cell.0 * (index as f64 + 0.5);
                if layout.turned {
                    canvas.text(value, (centre + style.drop(), bottom + 5.0), style.end().angle(-90.0));
                } else {
                    canvas.text(value, (centre, bottom + SMALL_TEXT + 3.0), style.middle());
                }
            }
            for (index, value) in layout.texts.1.iter().enumerate().step_by(layout.stride.1).filter(|_| first) {
                let (_, middle) = layout.rect((x, y), (0, index)).centre();
                canvas.centred(value, (x - 6.0, middle), style.end());
            }
        });
        let style = TextStyle::new(TEXT).colour(INK).middle();
        let label = style.shortened(&self.x.label, layout.slot + PANEL_GAP.0 / 2.0);
        canvas.text(&label, (x + layout.panel.0 / 2.0, bottom + layout.below + TEXT), style);
        if first {
            let label = style.shortened(&self.y.label, layout.panel.1 + 2.0 * PANEL_LABEL - 14.0);
            canvas.text(&label, (x - layout.left + TEXT, y + layout.panel.1 / 2.0), style.angle(-90.0));
        }
    }

    fn describe(&self, panel: &SurfacePanel, cell: &SurfaceCell) -> String {
        let mut text = format!(
            "{} · {} {}, {} {}: {}",
            panel.label,
            self.x.label,
            self.x.values[cell.x],
            self.y.label,
            self.y.values[cell.y],
            number::fixed(cell.value, 3)
        );
        if let Some(trials) = cell.trials {
            text.push_str(&format!(", n = {}", number::grouped(trials)));
        }
        if let Some(ratio) = cell.truncated_ratio.filter(|ratio| ratio.is_finite()) {
            text.push_str(&format!(", {} truncated", number::percent(ratio)));
        }
        text
    }
}
