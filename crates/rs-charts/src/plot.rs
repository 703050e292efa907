//! Axes around a rectangle of data.

use crate::axis::Axis;
use crate::page::{SMALL_TEXT, TEXT};
use crate::palette::{FRAME, GRID, SOFT_INK};
use crate::picture::{Canvas, Paint, Rect, TextStyle};
use crate::scale::{Domain, Tick};

/// Room below a plot for tick labels.
pub(crate) const TICKS_BELOW: f64 = 18.0;
/// Room below the tick labels for the axis' label.
pub(crate) const LABEL_BELOW: f64 = 18.0;
/// Room left of the tick labels for the axis' label.
pub(crate) const LABEL_LEFT: f64 = 20.0;

/// Blanks between two tick labels.
const TICK_GAP: f64 = 10.0;
/// How far tick labels may stand out at the ends.
const SPILL: f64 = 13.0;

/// An axis from left to right.
pub(crate) struct Across {
    pub(crate) domain: Domain,
    pub(crate) left: f64,
    pub(crate) width: f64,
    ticks: Vec<Tick>,
}

impl Across {
    /// The axis between these places, with as many ticks as have room.
    pub(crate) fn new(axis: &Axis, domain: Domain, left: f64, width: f64) -> Self {
        let fits = |ticks: &[Tick]| {
            let mut end = f64::NEG_INFINITY;
            ticks.iter().filter_map(|tick| label_span(domain, left, width, tick)).all(|(low, high)| {
                let fits = low >= end + TICK_GAP;
                end = high;
                fits
            })
        };
        let most = (width / 40.0).clamp(2.0, 12.0) as usize;
        let ticks = (2..=most).rev().map(|target| domain.ticks(target, axis.percent)).find(|ticks| fits(ticks));
        Self { domain, left, width, ticks: ticks.unwrap_or_default() }
    }

    /// Where a value is; none when it has no place.
    pub(crate) fn place(&self, value: f64) -> Option<f64> {
        self.domain.share(value).map(|share| self.left + share * self.width)
    }

    /// Where a value is, or the end beyond which it is.
    pub(crate) fn clamped(&self, value: f64) -> Option<f64> {
        self.domain.share(value).map(|share| self.left + share.clamp(0.0, 1.0) * self.width)
    }

    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Lines behind the data.
    pub(crate) fn draw_grid(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        let places = self.ticks.iter().filter_map(|tick| self.place(tick.value));
        canvas.lines(places.map(|x| vec![(x, top), (x, bottom)]).collect(), Paint::stroke(GRID, 1.0));
    }

    /// Tick marks and their labels below `bottom`.
    pub(crate) fn draw_ticks(&self, canvas: &mut Canvas, bottom: f64) {
        self.draw_ticks_at(canvas, bottom, (4.0, 14.0));
    }

    /// Tick marks and their labels above `top`.
    pub(crate) fn draw_ticks_above(&self, canvas: &mut Canvas, top: f64) {
        self.draw_ticks_at(canvas, top, (-4.0, -7.0));
    }

    /// Tick marks from `y` on, and their labels; how far these go downwards.
    fn draw_ticks_at(&self, canvas: &mut Canvas, y: f64, (mark, baseline): (f64, f64)) {
        canvas.group("ticks", None, |canvas| {
            for tick in &self.ticks {
                let Some(x) = self.place(tick.value) else { continue };
                canvas.line((x, y), (x, y + mark), Paint::stroke(FRAME, 1.0));
                let Some((start, _)) = label_span(self.domain, self.left, self.width, tick) else { continue };
                let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK);
                canvas.text(&tick.label, (start, y + baseline), style);
            }
        });
    }

    /// The axis' label, its baseline in the room below the tick labels that begins at `top`.
    pub(crate) fn draw_label(&self, canvas: &mut Canvas, label: &str, top: f64) {
        let style = TextStyle::new(TEXT).middle();
        // Not into the label of the plot beside it.
        let room = self.width + 16.0;
        canvas.text(&style.shortened(label, room), (self.left + self.width / 2.0, top + TEXT + 1.0), style);
    }
}

/// From where to where a tick's label goes: around its tick, but not far beyond the plot's ends.
fn label_span(domain: Domain, left: f64, width: f64, tick: &Tick) -> Option<(f64, f64)> {
    let label = TextStyle::new(SMALL_TEXT).width(&tick.label);
    let centred = left + domain.share(tick.value)? * width - label / 2.0;
    // The first end counts for labels that are wider than the plot.
    let start = centred.min(left + width + SPILL - label).max(left - SPILL);
    Some((start, start + label))
}

/// An axis from bottom to top.
pub(crate) struct Upwards {
    pub(crate) domain: Domain,
    pub(crate) top: f64,
    pub(crate) height: f64,
    ticks: Vec<Tick>,
}

impl Upwards {
    pub(crate) fn new(axis: &Axis, domain: Domain, top: f64, height: f64) -> Self {
        let target = (height / 45.0).clamp(2.0, 8.0) as usize;
        Self { domain, top, height, ticks: domain.ticks(target, axis.percent) }
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(crate) fn place(&self, value: f64) -> Option<f64> {
        self.domain.share(value).map(|share| self.bottom() - share * self.height)
    }

    /// The width that the tick labels take, with their marks.
    pub(crate) fn ticks_width(&self) -> f64 {
        let style = TextStyle::new(SMALL_TEXT);
        self.ticks.iter().map(|tick| style.width(&tick.label)).fold(0.0, f64::max) + 8.0
    }

    pub(crate) fn draw_grid(&self, canvas: &mut Canvas, left: f64, right: f64) {
        let places = self.ticks.iter().filter_map(|tick| self.place(tick.value));
        canvas.lines(places.map(|y| vec![(left, y), (right, y)]).collect(), Paint::stroke(GRID, 1.0));
    }

    /// Tick marks and their labels left of `left`.
    pub(crate) fn draw_ticks(&self, canvas: &mut Canvas, left: f64) {
        canvas.group("ticks", None, |canvas| {
            for tick in &self.ticks {
                let Some(y) = self.place(tick.value) else { continue };
                canvas.line((left - 4.0, y), (left, y), Paint::stroke(FRAME, 1.0));
                let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK).end();
                canvas.centred(&tick.label, (left - 7.0, y), style);
            }
        });
    }

    /// The axis' label, turned, its baseline at `x`.
    pub(crate) fn draw_label(&self, canvas: &mut Canvas, label: &str, x: f64) {
        let style = TextStyle::new(TEXT).middle().angle(-90.0);
        let label = style.shortened(label, self.height + 40.0);
        canvas.text(&label, (x, self.top + self.height / 2.0), style);
    }
}

/// Two axes and the data between them.
pub(crate) struct Plot<'a> {
    pub(crate) x: &'a Across,
    pub(crate) y: &'a Upwards,
}

impl Plot<'_> {
    pub(crate) fn rect(&self) -> Rect {
        Rect::new(self.x.left, self.y.top, self.x.width, self.y.height)
    }

    /// The same with room for lines that lie on the frame.
    pub(crate) fn rect_with_frame(&self) -> Rect {
        Rect::new(self.x.left - 1.0, self.y.top - 1.0, self.x.width + 2.0, self.y.height + 2.0)
    }

    /// Where a point is; none when it has no place.
    pub(crate) fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }

    /// Frame and grid.
    pub(crate) fn draw_frame(&self, canvas: &mut Canvas) {
        self.x.draw_grid(canvas, self.y.top, self.y.bottom());
        self.y.draw_grid(canvas, self.x.left, self.x.right());
        canvas.rect(self.rect(), Paint::stroke(FRAME, 1.0));
    }
}

/// How many panels stand beside each other.
pub(crate) fn columns(panels: usize) -> usize {
    match panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}
