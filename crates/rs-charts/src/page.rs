//! What stands around every chart: title, subtitle, legend, foot.

use crate::caption::Caption;
use crate::palette::{BLANK, SOFT_INK};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::series::Series;

/// Size of the text in charts, in pixels; on A4 across, 900 pixels wide, about 8 points.
pub(crate) const TEXT: f64 = 12.0;
/// Size of text in narrow places.
pub(crate) const SMALL_TEXT: f64 = 10.0;

/// White space around the picture.
const MARGIN: f64 = 18.0;
/// No picture is narrower, so that titles have room.
const NARROWEST: f64 = 520.0;

const LEGEND_ROW: f64 = 20.0;
const LEGEND_KEY: f64 = 26.0;

/// What a chart draws, and how large that is.
pub(crate) struct Body {
    pub(crate) canvas: Canvas,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Body {
    /// What stands in place of a chart of nothing.
    fn no_data() -> Self {
        let (width, height) = (NARROWEST, 120.0);
        let mut canvas = Canvas::default();
        canvas.group("no-data", None, |canvas| {
            canvas.rect(Rect::new(0.0, 0.0, width, height), Paint::fill(BLANK));
            canvas.centred("no data", (width / 2.0, height / 2.0), TextStyle::new(16.0).colour(SOFT_INK).middle());
        });
        Self { canvas, width, height }
    }
}

/// One entry of a legend: how it looks and what it means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LegendEntry<'a> {
    pub(crate) label: &'a str,
    pub(crate) series: Series,
    pub(crate) key: LegendKey,
}

/// What a legend shows of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LegendKey {
    /// Its line and marker.
    Line,
    /// Its marker.
    Point,
    /// Its colour.
    Area,
}

impl LegendEntry<'_> {
    fn draw(self, canvas: &mut Canvas, (x, y): (f64, f64)) {
        let colour = self.series.colour();
        match self.key {
            LegendKey::Line => {
                let half = LEGEND_KEY / 2.0;
                let paint = Paint::stroke(colour, 2.0).dash(self.series.dash());
                canvas.line((x - half, y), (x + half, y), paint);
                canvas.marker(self.series.marker(), (x, y), 3.6, Paint::fill(colour));
            }
            LegendKey::Point => canvas.marker(self.series.marker(), (x, y), 4.2, Paint::fill(colour)),
            LegendKey::Area => {
                canvas.rect(Rect::new(x - 9.0, y - 5.0, 18.0, 10.0), Paint::fill(self.series.area_colour()));
            }
        }
    }
}

/// The entries of these names and looks, each once; those without a name have none.
pub(crate) fn legend_of<'a>(series: impl Iterator<Item = (&'a str, Series)>, key: LegendKey) -> Vec<LegendEntry<'a>> {
    let mut entries: Vec<LegendEntry<'a>> = Vec::new();
    for (label, series) in series.filter(|(label, _)| !label.is_empty()) {
        if !entries.iter().any(|entry| entry.label == label && entry.series == series) {
            entries.push(LegendEntry { label, series, key });
        }
    }
    entries
}

/// The picture of a chart of nothing, which says so.
pub(crate) fn compose_nothing(caption: &Caption) -> Picture {
    compose(caption, &[], Body::no_data(), &[]).without_data()
}

/// Puts title and legend above the body, and the notes below it.
pub(crate) fn compose(caption: &Caption, legend: &[LegendEntry<'_>], body: Body, own_notes: &[String]) -> Picture {
    let width = body.width.max(NARROWEST);
    let mut canvas = Canvas::default();
    let mut y = MARGIN;

    let paragraph = |canvas: &mut Canvas, class, text: &str, style: TextStyle, y: &mut f64| {
        let lines = style.wrapped(text, width);
        if lines.is_empty() {
            return;
        }
        canvas.group(class, None, |canvas| {
            for line in lines {
                *y += style.size;
                canvas.text(&line, (MARGIN, *y), style);
                *y += style.size * 0.4;
            }
        });
    };
    paragraph(&mut canvas, "title", &caption.title, TextStyle::new(16.0).bold(), &mut y);
    paragraph(&mut canvas, "subtitle", &caption.subtitle, TextStyle::new(TEXT).colour(SOFT_INK), &mut y);
    y += 6.0;

    if !legend.is_empty() {
        canvas.group("legend", None, |canvas| y = draw_legend(canvas, legend, width, y));
        y += 8.0;
    }

    canvas.place("body", (MARGIN, y), body.canvas);
    y += body.height + 6.0;

    let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK);
    canvas.group("foot", None, |canvas| {
        for line in foot_lines(caption.notes.iter().chain(own_notes), style, width) {
            y += style.size;
            canvas.text(&line, (MARGIN, y), style);
            y += style.size * 0.4;
        }
    });

    Picture::new(width + 2.0 * MARGIN, y + MARGIN * 0.7, &caption.title, canvas)
}

/// The notes with dots between them, broken where one ends if that is possible.
fn foot_lines<'a>(notes: impl Iterator<Item = &'a String>, style: TextStyle, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for note in notes.filter(|note| !note.trim().is_empty()) {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line}  ·  {note}");
            if style.width(&longer) <= width {
                *line = longer;
                continue;
            }
        }
        lines.extend(style.wrapped(note, width));
    }
    lines
}

/// Draws the entries in rows from `y` on; says where they end.
fn draw_legend(canvas: &mut Canvas, legend: &[LegendEntry<'_>], width: f64, y: f64) -> f64 {
    let style = TextStyle::new(TEXT);
    let labels: Vec<&str> = legend.iter().map(|entry| entry.label).collect();
    let labels = style.shortened_apart(&labels, width - LEGEND_KEY - 5.0);
    let entry_width = |label: &str| LEGEND_KEY + 5.0 + style.width(label);
    let total: f64 = labels.iter().map(|label| entry_width(label) + 18.0).sum();
    // In one row they follow each other; in several they stand in columns.
    let column =
        (total > width + 18.0).then(|| labels.iter().map(|label| entry_width(label)).fold(0.0, f64::max) + 18.0);
    let columns = column.map_or(legend.len(), |column| ((width + 18.0) / column).floor().max(1.0) as usize);
    let mut x = 0.0;
    for (index, (entry, label)) in legend.iter().zip(&labels).enumerate() {
        if index % columns == 0 {
            x = 0.0;
        }
        let middle = y + LEGEND_ROW * ((index / columns) as f64 + 0.5);
        canvas.group("legend-entry", Some(entry.label.to_owned()), |canvas| {
            entry.draw(canvas, (MARGIN + x + LEGEND_KEY / 2.0, middle));
            canvas.centred(label, (MARGIN + x + LEGEND_KEY + 5.0, middle), style);
        });
        x += column.unwrap_or_else(|| entry_width(label) + 18.0);
    }
    y + LEGEND_ROW * legend.len().div_ceil(columns) as f64
}
