//! Evaluations by tasks, coloured by value.

mod layout;

use self::layout::{COLUMN_GAP, Form, Layout, PANEL_GAP, SLANT, SLANTED};
use crate::caption::Caption;
use crate::chart::Chart;
use crate::colour_scale;
use crate::number;
use crate::page::{Body, SMALL_TEXT, TEXT, compose, compose_nothing};
use crate::palette::{BLANK, FRAME, INK, SOFT_INK, sequential};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::series::Series;

/// A table of rows (evaluations) and columns (tasks or groups) whose cells are coloured by a share of one, dark to
/// bright. Columns that do not fit side by side go on in further panels below, with the row labels repeated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatTable {
    /// Title and foot.
    pub caption: Caption,
    /// What the rows are: `evaluation`.
    pub row_header: String,
    /// Text columns between the row label and the cells: score, tier, tokens.
    pub leading: Vec<LeadingColumn>,
    /// The coloured columns.
    pub columns: Vec<HeatColumn>,
    /// The rows, in the order shown.
    pub rows: Vec<HeatRow>,
    /// What the colours mean: `accuracy beyond chance`.
    pub value_label: String,
    /// The truncated ratio over which a cell is marked.
    pub truncation_mark: Option<f64>,
}

/// A column of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeadingColumn {
    /// Its header.
    pub header: String,
    /// How its cells are aligned.
    pub align: Align,
}

/// How text is aligned in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// A coloured column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeatColumn {
    /// Its header, drawn at a slant.
    pub label: String,
    /// Columns that follow each other and have the same group stand under one bracket with its name.
    pub group: Option<String>,
}

impl HeatColumn {
    /// A column of no group.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), group: None }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatRow {
    /// What the row is called.
    pub label: String,
    /// Draws the series' colour before the label.
    pub series: Option<Series>,
    /// The leading columns' texts; missing ones are empty.
    pub leading: Vec<String>,
    /// The cells, one for each column; missing ones and `None` are drawn as "no data".
    pub cells: Vec<Option<HeatCell>>,
    /// A line is drawn between rows whose tiers differ.
    pub tier: Option<u32>,
}

/// One coloured cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatCell {
    /// What is coloured, 0 to 1 (clamped). A cell of no value is grey and shows its text.
    pub value: Option<f64>,
    /// Half the interval's width, shown as `±.02` where there is room.
    pub margin: Option<f64>,
    /// The share of trials that were cut off, 0 to 1.
    pub truncated_ratio: Option<f64>,
    /// What is written in place of the value.
    pub text: Option<String>,
}

impl Chart for HeatTable {
    fn picture(&self) -> Picture {
        if self.rows.is_empty() || self.columns.is_empty() {
            return compose_nothing(&self.caption);
        }
        let layout = Layout::of(self);
        let mut canvas = Canvas::default();
        colour_scale::draw(&mut canvas, (0.0, 0.0), &self.value_label);
        let mut y = colour_scale::HEIGHT + 4.0;
        let mut width: f64 = 0.0;
        for first in (0..self.columns.len()).step_by(layout.columns_of_panel) {
            if first > 0 {
                y += PANEL_GAP;
            }
            let columns = first..self.columns.len().min(first + layout.columns_of_panel);
            let (right, bottom) = self.draw_panel(&mut canvas, &layout, columns, y);
            width = width.max(right);
            y = bottom;
        }

        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let cells = || self.rows.iter().flat_map(|row| row.cells.iter().flatten());
        let mut notes = Vec::new();
        if cells().any(|cell| cell.truncated_ratio.is_some_and(|ratio| ratio > mark)) {
            notes.push(format!("t: percent truncated, where over {}", number::percent(mark)));
        }
        match layout.form {
            Form::Tall => notes.push("second line: half the interval's width".to_owned()),
            Form::Flat if cells().any(|cell| cell.margin.is_some()) => {
                notes.push("intervals are left out for want of room".to_owned());
            }
            Form::Flat => {}
        }
        if self.rows.windows(2).any(|rows| rows[0].tier != rows[1].tier) {
            notes.push("lines divide tiers".to_owned());
        }
        compose(&self.caption, &[], Body { canvas, width, height: y }, &notes)
    }
}

impl HeatTable {
    /// Draws some of the columns from `top` on; says how far it reaches to the right and down.
    fn draw_panel(
        &self,
        canvas: &mut Canvas,
        layout: &Layout,
        columns: std::ops::Range<usize>,
        top: f64,
    ) -> (f64, f64) {
        let (cell_width, cell_height) = layout.cell;
        let first_row = top + layout.header;
        let right = layout.left + cell_width * columns.len() as f64;
        let mut reach = right;

        canvas.group("header", None, |canvas| {
            let style = TextStyle::new(TEXT).bold();
            let baseline = first_row - 7.0;
            canvas.text(&style.shortened(&self.row_header, layout.label), (layout.swatch, baseline), style);
            for (x, width, column) in self.leading_columns(layout) {
                draw_aligned(canvas, &column.header, (x, baseline), width, column.align, style);
            }
            let style = TextStyle::new(TEXT).angle(-SLANT);
            for (place, column) in self.columns[columns.clone()].iter().enumerate() {
                let x = layout.left + cell_width * (place as f64 + 0.5);
                let text = style.shortened(&column.label, SLANTED);
                reach = reach.max(x + style.width(&text) * SLANT.to_radians().cos() + TEXT);
                canvas.text(&text, (x + style.drop(), first_row - 7.0), style);
            }
        });

        let labels: Vec<&str> = self.rows.iter().map(|row| row.label.as_str()).collect();
        let labels = TextStyle::new(TEXT).shortened_apart(&labels, layout.label);
        for (index, row) in self.rows.iter().enumerate() {
            let y = first_row + cell_height * index as f64;
            canvas.group("row", None, |canvas| {
                let style = TextStyle::new(TEXT);
                let middle = y + cell_height / 2.0;
                if let Some(series) = row.series {
                    canvas.marker(series.marker(), (5.0, middle), 4.5, Paint::fill(series.colour()));
                }
                canvas.centred(&labels[index], (layout.swatch, middle), style);
                for ((x, width, column), text) in self.leading_columns(layout).zip(&row.leading) {
                    draw_aligned(canvas, text, (x, middle + style.drop()), width, column.align, style);
                }
                for (place, column) in columns.clone().enumerate() {
                    let rect =
                        Rect::new(layout.left + cell_width * place as f64, y, cell_width - 1.0, cell_height - 1.0);
                    let cell = row.cells.get(column).and_then(Option::as_ref);
                    let tooltip = self.describe(row, &self.columns[column].label, cell);
                    canvas.group("cell", Some(tooltip), |canvas| self.draw_cell(canvas, layout.form, rect, cell));
                }
            });
            if index > 0 && self.rows[index - 1].tier != row.tier {
                canvas.line((0.0, y - 0.5), (right - 1.0, y - 0.5), Paint::stroke(INK, 1.2));
            }
        }

        let bottom = first_row + cell_height * self.rows.len() as f64;
        (reach, self.draw_groups(canvas, layout, columns, bottom))
    }

    /// The leading columns with where they begin and how wide they are.
    fn leading_columns<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = (f64, f64, &'a LeadingColumn)> {
        let mut x = layout.swatch + layout.label + COLUMN_GAP;
        self.leading.iter().zip(&layout.leading).map(move |(column, width)| {
            let left = x;
            x += width + COLUMN_GAP;
            (left, *width, column)
        })
    }

    fn draw_cell(&self, canvas: &mut Canvas, form: Form, rect: Rect, cell: Option<&HeatCell>) {
        let (x, middle) = rect.centre();
        let value = cell.and_then(|cell| cell.value).filter(|value| value.is_finite());
        let colour = value.map_or(BLANK, sequential);
        let ink = if value.is_some() { colour.contrast() } else { SOFT_INK };
        canvas.rect(rect, Paint::fill(colour));
        let Some(cell) = cell else {
            return canvas.centred("–", (x, middle), TextStyle::new(TEXT).colour(ink).middle());
        };
        let style = TextStyle::new(TEXT).colour(ink).middle();
        let text = cell.text.clone().or_else(|| value.map(number::share)).unwrap_or_else(|| "–".to_owned());
        let text = style.shortened(&text, rect.width - 2.0);
        let small = TextStyle::new(SMALL_TEXT).colour(ink).middle();
        let margin = cell.margin.filter(|margin| is_margin(*margin) && form == Form::Tall);
        let margin = margin.map(|margin| format!("±{}", number::share(margin)));
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let truncated = cell.truncated_ratio.filter(|ratio| *ratio > mark);
        let middle = middle - if truncated.is_some() { layout::MARK / 2.0 } else { 0.0 };
        if let Some(margin) = margin.filter(|margin| small.width(margin) <= rect.width) {
            canvas.centred(&text, (x, middle - 7.0), style);
            canvas.centred(&margin, (x, middle + 6.0), small);
        } else {
            canvas.centred(&text, (x, middle - 1.0), style);
        }
        if let Some(ratio) = truncated {
            canvas.group("truncated", None, |canvas| {
                canvas.centred(&number::truncated(ratio), (x, rect.bottom() - 8.0), small.bold());
            });
        }
    }

    /// Draws the brackets under groups of columns; says where they end.
    fn draw_groups(&self, canvas: &mut Canvas, layout: &Layout, columns: std::ops::Range<usize>, bottom: f64) -> f64 {
        let columns = &self.columns[columns];
        if columns.iter().all(|column| column.group.is_none()) {
            return bottom;
        }
        let style = TextStyle::new(TEXT).middle();
        let mut first = 0;
        for run in columns.chunk_by(|a, b| a.group == b.group) {
            if let Some(name) = &run[0].group {
                let left = layout.left + layout.cell.0 * first as f64 + 1.0;
                let right = layout.left + layout.cell.0 * (first + run.len()) as f64 - 2.0;
                canvas.group("column-group", Some(name.clone()), |canvas| {
                    let (y, paint) = (bottom + 7.0, Paint::stroke(FRAME, 1.2));
                    canvas.polyline(vec![(left, y - 4.0), (left, y), (right, y), (right, y - 4.0)], paint);
                    canvas.text(&style.shortened(name, right - left), ((left + right) / 2.0, y + 14.0), style);
                });
            }
            first += run.len();
        }
        bottom + 26.0
    }

    fn describe(&self, row: &HeatRow, column: &str, cell: Option<&HeatCell>) -> String {
        let mut text = format!("{} · {column}: ", row.label);
        match cell.and_then(|cell| cell.value).filter(|value| value.is_finite()) {
            Some(value) => text.push_str(&number::fixed(value, 3)),
            None => text.push_str("no data"),
        }
        if let Some(margin) = cell.and_then(|cell| cell.margin).filter(|margin| is_margin(*margin)) {
            text.push_str(&format!(" ± {}", number::fixed(margin, 3)));
        }
        if let Some(ratio) = cell.and_then(|cell| cell.truncated_ratio).filter(|ratio| ratio.is_finite()) {
            text.push_str(&format!(", {} truncated", number::percent(ratio)));
        }
        text
    }
}

fn is_margin(margin: f64) -> bool {
    margin.is_finite() && margin >= 0.0
}

/// Draws text in a column that begins at `x` and is so wide.
fn draw_aligned(
    canvas: &mut Canvas,
    text: &str,
    (x, baseline): (f64, f64),
    width: f64,
    align: Align,
    style: TextStyle,
) {
    let text = style.shortened(text, width);
    match align {
        Align::Left => canvas.text(&text, (x, baseline), style),
        Align::Right => canvas.text(&text, (x + width, baseline), style.end()),
    }
}
