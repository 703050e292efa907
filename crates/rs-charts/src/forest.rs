//! Differences with intervals around a zero line.

use crate::axis::{Axis, Bounds};
use crate::caption::Caption;
use crate::chart::Chart;
use crate::estimate::Estimate;
use crate::number;
use crate::page::{Body, SMALL_TEXT, TEXT, compose, compose_nothing};
use crate::palette::{Colour, FRAME, INK, PAPER, SOFT_INK, STRIPE};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::plot::{Across, LABEL_BELOW, TICKS_BELOW};
use crate::scale::Domain;
use crate::series::Series;

/// Differences with intervals around a zero line, with p values and trials in columns: `compare`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest {
    /// Title and foot.
    pub caption: Caption,
    /// The difference; its bounds are made symmetric about zero unless fixed. When it is in percent, so is the column of
    /// differences.
    pub axis: Axis,
    /// What a difference below zero means: `Phi 4 is better`.
    pub below_zero: String,
    /// What a difference above zero means.
    pub above_zero: String,
    /// What [`ForestRow::p`] is: `p (McNemar, Holm)`.
    pub p_header: String,
    /// What [`ForestRow::trials`] counts: `shared`.
    pub trials_header: String,
    /// One for each pair that is compared, top to bottom, sharing the axis.
    pub panels: Vec<ForestPanel>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForestPanel {
    /// Its name, drawn above the rows; none when empty.
    pub label: String,
    /// The colour of its marks.
    pub series: Series,
    /// The rows, in the order shown.
    pub rows: Vec<ForestRow>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForestRow {
    /// What the row is called.
    pub label: String,
    /// One of many, or what they come to.
    pub kind: ForestRowKind,
    /// The difference; `None` leaves the plot empty.
    pub difference: Option<Estimate>,
    /// The p value.
    pub p: Option<f64>,
    /// How many trials both have.
    pub trials: Option<u64>,
}

/// What a row of a forest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForestRowKind {
    /// One of many: a square, larger with more trials.
    #[default]
    Part,
    /// What they come to: a diamond as wide as the interval, its label bold.
    Overall,
}

const LABEL_WIDTH: f64 = 240.0;
const PLOT: f64 = 400.0;
const COLUMN_GAP: f64 = 18.0;
const ROW: f64 = 21.0;
const HEADER: f64 = 24.0;
const PANEL_LABEL: f64 = 26.0;
/// Half a square's edge, for the fewest and the most trials.
const SQUARE: (f64, f64) = (2.5, 5.0);
/// How far an interval's caps reach: beyond all squares.
const CAP: f64 = 6.5;

impl Chart for Forest {
    fn picture(&self) -> Picture {
        let Some(layout) = self.layout() else {
            return compose_nothing(&self.caption);
        };
        let mut canvas = Canvas::default();
        canvas.group("header", None, |canvas| {
            let style = TextStyle::new(TEXT).bold();
            for (column, header) in
                layout.columns.iter().zip([self.difference_header(), &self.p_header, &self.trials_header])
            {
                if column.width > 0.0 {
                    canvas.text(&style.shortened(header, column.width), (column.right, HEADER - 9.0), style.end());
                }
            }
        });
        let mut y = HEADER;
        for panel in self.panels.iter().filter(|panel| !panel.rows.is_empty()) {
            if !panel.label.is_empty() {
                let style = TextStyle::new(TEXT).bold();
                let label = style.shortened(&panel.label, layout.across.left - 10.0);
                canvas.text(&label, (0.0, y + PANEL_LABEL - 8.0), style);
                y += PANEL_LABEL;
            }
            canvas.group("panel", Some(panel.label.clone()), |canvas| self.draw_panel(canvas, &layout, panel, y));
            y += ROW * panel.rows.len() as f64;
        }
        canvas.line((layout.across.left, y), (layout.across.right(), y), Paint::stroke(FRAME, 1.0));
        layout.across.draw_ticks(&mut canvas, y);
        y += TICKS_BELOW;
        y = self.draw_sides(&mut canvas, &layout.across, layout.width, y);
        layout.across.draw_label(&mut canvas, &self.axis.label, y);
        y += LABEL_BELOW;

        let rows = || self.panels.iter().flat_map(|panel| &panel.rows);
        let mut notes = Vec::new();
        if rows().any(|row| row.kind == ForestRowKind::Part && row.trials.is_some()) {
            notes.push("squares grow with the number of trials".to_owned());
        }
        if rows().any(|row| row.kind == ForestRowKind::Overall) {
            notes.push("diamonds: overall, as wide as the interval".to_owned());
        }
        if rows().any(|row| row.difference.is_some_and(|difference| layout.exceeds(difference))) {
            notes.push("arrows: the interval goes on".to_owned());
        }
        compose(&self.caption, &[], Body { canvas, width: layout.width, height: y }, &notes)
    }
}

/// A column of numbers, aligned to the right.
struct Column {
    right: f64,
    width: f64,
}

struct Layout {
    across: Across,
    /// Difference, p value, trials; of no width where nothing is known.
    columns: [Column; 3],
    width: f64,
    /// The fewest and the most trials of a part.
    trials: (f64, f64),
}

impl Layout {
    fn exceeds(&self, difference: Estimate) -> bool {
        let outside =
            |value| self.across.domain.share(value).is_some_and(|share| !(-1e-9..=1.0 + 1e-9).contains(&share));
        difference.interval.is_some_and(|interval| outside(interval.low) || outside(interval.high))
    }
}

impl Forest {
    fn layout(&self) -> Option<Layout> {
        let rows = || self.panels.iter().flat_map(|panel| &panel.rows);
        let values = rows().filter_map(|row| row.difference).flat_map(|difference| {
            let interval = difference.interval.map(|interval| [interval.low, interval.high]);
            [difference.value].into_iter().chain(interval.into_iter().flatten())
        });
        let domain = Domain::of(&self.axis, values)?;
        let domain = if matches!(self.axis.bounds, Bounds::Fixed(..)) { domain } else { domain.symmetric() };

        let style = TextStyle::new(TEXT).bold();
        let label = rows().map(|row| style.width(&row.label)).fold(0.0, f64::max).min(LABEL_WIDTH);
        let across = Across::new(&self.axis, domain, label + COLUMN_GAP, PLOT);
        let mut right = across.right();
        let columns = [(self.difference_header(), 0), (self.p_header.as_str(), 1), (self.trials_header.as_str(), 2)];
        let columns = columns.map(|(header, index)| {
            let cells = rows().map(|row| style.width(&self.cells_of(row)[index])).fold(0.0, f64::max);
            let width = if cells > 0.0 { cells.max(style.width(header)).min(LABEL_WIDTH) } else { 0.0 };
            right += if width > 0.0 { width + COLUMN_GAP } else { 0.0 };
            Column { right, width }
        });
        let parts = rows().filter(|row| row.kind == ForestRowKind::Part).filter_map(|row| row.trials);
        let trials = parts
            .map(|trials| trials as f64)
            .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), trials| (low.min(trials), high.max(trials)));
        Some(Layout { across, columns, width: right, trials })
    }

    fn draw_panel(&self, canvas: &mut Canvas, layout: &Layout, panel: &ForestPanel, top: f64) {
        let bottom = top + ROW * panel.rows.len() as f64;
        for row in (0..panel.rows.len()).step_by(2) {
            canvas.rect(Rect::new(0.0, top + ROW * row as f64, layout.width, ROW), Paint::fill(STRIPE));
        }
        layout.across.draw_grid(canvas, top, bottom);
        if let Some(zero) = layout.across.place(0.0) {
            canvas.group("zero", None, |canvas| canvas.line((zero, top), (zero, bottom), Paint::stroke(INK, 1.2)));
        }
        for (index, row) in panel.rows.iter().enumerate() {
            let y = top + ROW * (index as f64 + 0.5);
            let [difference, p, trials] = self.cells_of(row);
            let tooltip = [row.label.as_str(), &difference, &p, &trials].join(" · ");
            canvas.group("forest-row", Some(tooltip), |canvas| {
                let style = match row.kind {
                    ForestRowKind::Part => TextStyle::new(TEXT),
                    ForestRowKind::Overall => TextStyle::new(TEXT).bold(),
                };
                let room = layout.across.left - COLUMN_GAP;
                canvas.centred(&style.shortened(&row.label, room), (0.0, y), style);
                for (column, text) in layout.columns.iter().zip([difference, p, trials]) {
                    canvas.centred(&text, (column.right, y), style.end());
                }
                if let Some(difference) = row.difference {
                    draw_mark(canvas, layout, row, difference, y, panel.series.colour());
                }
            });
        }
    }

    fn difference_header(&self) -> &'static str {
        if self.axis.percent { "difference [%]" } else { "difference" }
    }

    /// The texts of a row's columns, empty where nothing is known.
    fn cells_of(&self, row: &ForestRow) -> [String; 3] {
        let difference = row.difference.filter(|difference| difference.value.is_finite());
        let difference = difference.map(|difference| {
            if self.axis.percent { number::estimate_in_percent(difference) } else { number::estimate(difference) }
        });
        [
            difference.unwrap_or_default(),
            row.p.filter(|p| p.is_finite()).map_or_else(String::new, number::p_value),
            row.trials.map_or_else(String::new, number::grouped),
        ]
    }

    /// Draws what lies on either side of zero; says where that ends.
    fn draw_sides(&self, canvas: &mut Canvas, across: &Across, width: f64, y: f64) -> f64 {
        if self.below_zero.is_empty() && self.above_zero.is_empty() {
            return y;
        }
        let Some(zero) = across.clamped(0.0) else { return y };
        let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK);
        if !self.below_zero.is_empty() {
            let text = style.shortened(&format!("← {}", self.below_zero), zero - 10.0);
            canvas.text(&text, (zero - 10.0, y + SMALL_TEXT + 1.0), style.end());
        }
        if !self.above_zero.is_empty() {
            let text = style.shortened(&format!("{} →", self.above_zero), width - zero - 10.0);
            canvas.text(&text, (zero + 10.0, y + SMALL_TEXT + 1.0), style);
        }
        y + SMALL_TEXT + 6.0
    }
}

fn draw_mark(canvas: &mut Canvas, layout: &Layout, row: &ForestRow, difference: Estimate, y: f64, colour: Colour) {
    let across = &layout.across;
    let Some(x) = across.clamped(difference.value) else { return };
    let ends =
        difference.interval.and_then(|interval| Some((across.clamped(interval.low)?, across.clamped(interval.high)?)));
    if row.kind == ForestRowKind::Overall {
        let (low, high) = ends.unwrap_or((x - 5.0, x + 5.0));
        canvas.polygon(vec![(low, y), (x, y - 7.0), (high, y), (x, y + 7.0)], Paint::fill(colour).outlined(INK, 1.0));
        return;
    }
    let (fewest, most) = layout.trials;
    let share = match row.trials {
        Some(trials) if most > fewest => ((trials as f64 - fewest) / (most - fewest)).clamp(0.0, 1.0).sqrt(),
        _ => 0.5,
    };
    let half = SQUARE.0 + (SQUARE.1 - SQUARE.0) * share;
    let square = Rect::new(x - half, y - half, 2.0 * half, 2.0 * half);
    let Some((low, high)) = ends else { return canvas.rect(square, Paint::fill(colour)) };
    // Pale, and under the interval, which may be shorter.
    canvas.rect(square, Paint::fill(colour.mixed(PAPER, 0.5)));
    let dark = colour.mixed(INK, 0.4);
    canvas.group("interval", None, |canvas| {
        canvas.line((low, y), (high, y), Paint::stroke(dark, 1.8));
        let share = |value| across.domain.share(value).unwrap_or(0.5);
        let interval = difference.interval.map(|interval| (share(interval.low), share(interval.high)));
        let beyond = interval.map_or((false, false), |(low, high)| (low < -1e-9, high > 1.0 + 1e-9));
        for (x, direction, goes_on) in [(low, -1.0, beyond.0), (high, 1.0, beyond.1)] {
            if goes_on {
                let back = x - direction * 7.0;
                canvas.polygon(vec![(x, y), (back, y - 4.0), (back, y + 4.0)], Paint::fill(dark));
            } else {
                canvas.line((x, y - CAP), (x, y + CAP), Paint::stroke(dark, 1.4));
            }
        }
    });
}
