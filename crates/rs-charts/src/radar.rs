//! Fingerprints over tasks as a spiderweb.

use std::f64::consts::TAU;

use crate::bars::Bars;
use crate::caption::Caption;
use crate::chart::Chart;
use crate::fingerprint::{Fingerprint, FingerprintValue};
use crate::number;
use crate::page::{Body, LegendKey, SMALL_TEXT, TEXT, compose, compose_nothing, legend_of};
use crate::palette::{FRAME, GRID, PAPER, SOFT_INK};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};

/// Fingerprints over tasks as a spiderweb, several overlaid; from 0 in the middle to 1 at the rim. Fewer than three tasks
/// make no web and are drawn as [`Bars`]; more than [`MOST_SPOKES`] make one that nobody can read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Radar {
    /// Title and foot.
    pub caption: Caption,
    /// The spokes' names, clockwise from the top.
    pub tasks: Vec<String>,
    /// What the distance from the middle means: `accuracy`.
    pub value_label: String,
    /// The evaluations, drawn in this order.
    pub fingerprints: Vec<Fingerprint>,
    /// The truncated ratio over which a corner is marked.
    pub truncation_mark: Option<f64>,
}

const LABEL_WIDTH: f64 = 170.0;
/// How far labels are from the rim.
const LABEL_GAP: f64 = 12.0;
/// With more spokes their labels are turned, or they would stand on each other.
const UPRIGHT_SPOKES: usize = 20;
/// Bands and hatchings of more evaluations would hide each other: their intervals are strokes.
const SHADED: usize = 2;
/// The strokes of two evaluations on one spoke are so far apart, and those of all on one spoke at most.
const STROKE_GAP: f64 = 3.0;
const STROKES: f64 = 36.0;

/// The most spokes that can be told apart in a [`Radar`]: more are better drawn as [`Bars`].
pub const MOST_SPOKES: usize = 24;

impl Chart for Radar {
    fn picture(&self) -> Picture {
        let known = self
            .fingerprints
            .iter()
            .any(|fingerprint| fingerprint.values.iter().flatten().any(|value| value.value.is_finite()));
        if !known {
            return compose_nothing(&self.caption);
        }
        if self.tasks.len() < 3 {
            let Self { caption, tasks, value_label, fingerprints, .. } = self.clone();
            return Bars { caption, tasks, value_label, fingerprints }.picture();
        }
        let web = Web::of(&self.tasks);
        let mut canvas = Canvas::default();
        web.draw(&mut canvas, &self.tasks);
        for (index, fingerprint) in self.fingerprints.iter().enumerate() {
            canvas.group("fingerprint", Some(fingerprint.label.clone()), |canvas| {
                self.draw(canvas, &web, fingerprint, self.beside(index));
            });
        }
        web.draw_rings(&mut canvas);

        let series = self.fingerprints.iter().map(|fingerprint| (fingerprint.label.as_str(), fingerprint.series));
        let legend = legend_of(series, LegendKey::Line);
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let mut notes = Vec::new();
        if !self.value_label.is_empty() {
            notes.push(format!("distance from the middle: {}", self.value_label));
        }
        let values = || self.fingerprints.iter().flat_map(|fingerprint| fingerprint.values.iter().flatten());
        if values().any(|value| value.interval.is_some()) {
            let shape = if self.fingerprints.len() <= SHADED { "bands" } else { "strokes along the spokes" };
            notes.push(format!("{shape}: intervals"));
        }
        if values().any(|value| value.truncated_ratio.is_some_and(|ratio| ratio > mark)) {
            let hatched = if self.fingerprints.len() <= SHADED { ", hatched: the truncated share" } else { "" };
            notes.push(format!("hollow: over {} truncated{hatched}", number::percent(mark)));
        }
        compose(&self.caption, &legend, Body { canvas, width: web.width, height: web.height }, &notes)
    }
}

/// Where the spokes are.
struct Web {
    spokes: usize,
    centre: (f64, f64),
    radius: f64,
    width: f64,
    height: f64,
}

impl Web {
    fn of(tasks: &[String]) -> Self {
        let style = TextStyle::new(TEXT);
        let label = tasks.iter().map(|task| style.width(task)).fold(0.0, f64::max).min(LABEL_WIDTH);
        let radius = if tasks.len() > UPRIGHT_SPOKES { 250.0 } else { 210.0 };
        let above = if tasks.len() > UPRIGHT_SPOKES { label } else { TEXT * 1.5 };
        let half = (radius + LABEL_GAP + label).max(260.0);
        let height = 2.0 * (radius + LABEL_GAP + above);
        Self { spokes: tasks.len(), centre: (half, height / 2.0), radius, width: 2.0 * half, height }
    }

    /// Clockwise from the top.
    fn angle(&self, spoke: usize) -> f64 {
        TAU * spoke as f64 / self.spokes as f64
    }

    fn at(&self, spoke: usize, share: f64) -> (f64, f64) {
        let (sine, cosine) = self.angle(spoke).sin_cos();
        let distance = self.radius * share.clamp(0.0, 1.0);
        (self.centre.0 + sine * distance, self.centre.1 - cosine * distance)
    }

    /// The place beside a spoke, clockwise, at the same distance along it.
    fn beside(&self, spoke: usize, share: f64, beside: f64) -> (f64, f64) {
        let (x, y) = self.at(spoke, share);
        let (sine, cosine) = self.angle(spoke).sin_cos();
        (x + cosine * beside, y + sine * beside)
    }

    fn draw(&self, canvas: &mut Canvas, tasks: &[String]) {
        for share in [0.25, 0.5, 0.75, 1.0] {
            let ring = (0..self.spokes).map(|spoke| self.at(spoke, share)).collect();
            let paint = if share < 1.0 { Paint::stroke(GRID, 1.0) } else { Paint::stroke(FRAME, 1.0) };
            canvas.polygon(ring, paint);
        }
        let spokes = (0..self.spokes).map(|spoke| vec![self.centre, self.at(spoke, 1.0)]);
        canvas.lines(spokes.collect(), Paint::stroke(GRID, 1.0));
        canvas.group("spokes", None, |canvas| {
            for (spoke, task) in tasks.iter().enumerate() {
                self.draw_label(canvas, spoke, task);
            }
        });
    }

    fn draw_label(&self, canvas: &mut Canvas, spoke: usize, task: &str) {
        let style = TextStyle::new(TEXT);
        let text = style.shortened(task, LABEL_WIDTH);
        let (sine, cosine) = self.angle(spoke).sin_cos();
        let distance = self.radius + LABEL_GAP;
        let (x, y) = (self.centre.0 + sine * distance, self.centre.1 - cosine * distance);
        if self.spokes > UPRIGHT_SPOKES {
            // Along the spoke, and never upside down.
            let degrees = self.angle(spoke).to_degrees() - 90.0;
            // The baseline is half a capital's height off the spoke, clockwise on the right and against it on the left.
            let (dx, dy) = (cosine * style.drop(), sine * style.drop());
            if sine >= -1e-9 {
                canvas.text(&text, (x + dx, y + dy), style.angle(degrees));
            } else {
                canvas.text(&text, (x - dx, y - dy), style.end().angle(degrees + 180.0));
            }
            return;
        }
        let style = match sine {
            sine if sine > 0.15 => style,
            sine if sine < -0.15 => style.end(),
            _ => style.middle(),
        };
        // At the top the text stands on its place, at the bottom it hangs from it.
        canvas.centred(&text, (x, y - cosine * TEXT * 0.4), style);
    }

    /// The rings' values, over the data so that they can be read.
    fn draw_rings(&self, canvas: &mut Canvas) {
        let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK).middle();
        for share in [0.25, 0.5, 0.75, 1.0] {
            // Between two spokes, where there are no corners.
            let ((x1, y1), (x2, y2)) = (self.at(0, share), self.at(1, share));
            let (text, x, y) = (number::share(share), x1.midpoint(x2), y1.midpoint(y2));
            let width = style.width(&text) + 4.0;
            canvas.rect(Rect::new(x - width / 2.0, y - 6.0, width, 12.0), Paint::fill(PAPER).opacity(0.8));
            canvas.centred(&text, (x, y), style);
        }
    }
}

impl Radar {
    /// How far beside the spokes the evaluation of this index is drawn: strokes on one place would hide each other.
    fn beside(&self, index: usize) -> f64 {
        let others = self.fingerprints.len().saturating_sub(1) as f64;
        if self.fingerprints.len() <= SHADED {
            return 0.0;
        }
        (index as f64 - others / 2.0) * STROKE_GAP.min(STROKES / others)
    }

    fn draw(&self, canvas: &mut Canvas, web: &Web, fingerprint: &Fingerprint, beside: f64) {
        let colour = fingerprint.series.colour();
        let values: Vec<Option<FingerprintValue>> = (0..web.spokes)
            .map(|spoke| fingerprint.values.get(spoke).copied().flatten().filter(|value| value.value.is_finite()))
            .collect();
        let sectors = (0..web.spokes)
            .map(|spoke| (spoke, (spoke + 1) % web.spokes))
            .filter_map(|(spoke, next)| Some(((spoke, values[spoke]?), (next, values[next]?))));
        let shaded = self.fingerprints.len() <= SHADED;
        let mut edges = Vec::new();
        for ((spoke, value), (next, next_value)) in sectors {
            let ends = |spoke: usize, low: f64, high: f64| (web.at(spoke, low), web.at(spoke, high));
            let (from, to) = (web.beside(spoke, value.value, beside), web.beside(next, next_value.value, beside));
            if shaded {
                canvas.polygon(vec![web.centre, from, to], Paint::fill(colour).opacity(0.08));
            }
            if let (true, Some(interval), Some(next_interval)) = (shaded, value.interval, next_value.interval) {
                let (a, b) = ends(spoke, interval.low, interval.high);
                let (d, c) = ends(next, next_interval.low, next_interval.high);
                canvas.polygon(vec![a, b, c, d], Paint::fill(colour).opacity(0.2));
            }
            let truncated =
                |value: FingerprintValue| value.truncated_ratio.filter(|ratio| ratio.is_finite()).unwrap_or(0.0);
            if shaded && truncated(value).max(truncated(next_value)) > 0.0 {
                let (a, b) = ends(spoke, value.value, value.value + truncated(value));
                let (d, c) = ends(next, next_value.value, next_value.value + truncated(next_value));
                canvas.group("truncated", None, |canvas| {
                    canvas.hatch_polygon(&[a, b, c, d], Paint::stroke(colour, 1.0));
                    canvas.line(b, c, Paint::stroke(colour, 1.0));
                });
            }
            edges.push(vec![from, to]);
        }
        canvas.lines(edges, Paint::stroke(colour, 1.8).dash(fingerprint.series.dash()));
        let mark = self.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        for (spoke, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let hollow = value.truncated_ratio.is_some_and(|ratio| ratio > mark);
            let paint = if hollow { Paint::fill(PAPER).outlined(colour, 1.6) } else { Paint::fill(colour) };
            let tooltip = format!("{} · {}: {}", fingerprint.label, self.tasks[spoke], value.describe());
            canvas.group("corner", Some(tooltip), |canvas| {
                let at = web.beside(spoke, value.value, beside);
                canvas.marker(fingerprint.series.marker(), at, if shaded { 3.6 } else { 2.8 }, paint);
                if let Some(interval) = value.interval.filter(|_| !shaded)
                    && interval.low.is_finite()
                    && interval.high.is_finite()
                {
                    let ends = [interval.low, interval.high].map(|end| web.beside(spoke, end, beside));
                    canvas.group("interval", None, |canvas| {
                        canvas.line(ends[0], ends[1], Paint::stroke(colour, 1.2));
                    });
                }
            });
        }
    }
}
