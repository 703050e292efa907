//! Fingerprints over tasks as bars.

use crate::axis::{Axis, Bounds};
use crate::caption::Caption;
use crate::chart::Chart;
use crate::fingerprint::{Fingerprint, FingerprintValue};
use crate::page::{Body, LegendKey, TEXT, compose, legend_of};
use crate::palette::{BLANK, FRAME, INK, STRIPE};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::plot::{Across, LABEL_BELOW, TICKS_BELOW};
use crate::scale::Domain;

/// Fingerprints over tasks as bars: what was right filled, what was cut off hatched after it, and mean tokens in a second
/// plot where any are known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Title and foot.
    pub caption: Caption,
    /// The tasks, top to bottom.
    pub tasks: Vec<String>,
    /// What the bars' length means: `accuracy`.
    pub value_label: String,
    /// The evaluations, a bar each in every task.
    pub fingerprints: Vec<Fingerprint>,
}

const LABEL_WIDTH: f64 = 220.0;
const VALUES: f64 = 420.0;
const TOKENS: f64 = 220.0;
const PLOT_GAP: f64 = 34.0;
/// A bar's height, when few and when many stand in one task.
const BAR: (f64, f64) = (13.0, 8.0);
const TASK_GAP: f64 = 8.0;

impl Chart for Bars {
    fn picture(&self) -> Picture {
        let values = || self.fingerprints.iter().flat_map(|fingerprint| fingerprint.values.iter().flatten());
        if self.tasks.is_empty() || !values().any(|value| value.value.is_finite()) {
            return compose(&self.caption, &[], Body::no_data(), &[]);
        }
        let style = TextStyle::new(TEXT);
        let label = self.tasks.iter().map(|task| style.width(task)).fold(0.0, f64::max).min(LABEL_WIDTH);
        let axis = Axis::ratio(self.value_label.clone());
        let tokens_axis = Axis::new("mean completion tokens").bounds(Bounds::DataAndZero);
        let Some(domain) = Domain::of(&axis, []) else {
            return compose(&self.caption, &[], Body::no_data(), &[]);
        };
        let label = label + 6.0;
        let accuracy = Across::new(&axis, domain, label + 12.0, VALUES);
        let tokens =
            Domain::of(&tokens_axis, values().filter_map(|value| value.tokens).filter(|tokens| *tokens >= 0.0))
                .map(|domain| Across::new(&tokens_axis, domain, accuracy.right() + PLOT_GAP, TOKENS));
        let width = tokens.as_ref().unwrap_or(&accuracy).right() + 16.0;

        let bar = if self.fingerprints.len() > 4 { BAR.1 } else { BAR.0 };
        let task_height = bar * self.fingerprints.len() as f64 + TASK_GAP;
        let bottom = task_height * self.tasks.len() as f64;
        let mut canvas = Canvas::default();
        for task in (0..self.tasks.len()).step_by(2) {
            canvas.rect(Rect::new(0.0, task_height * task as f64, width, task_height), Paint::fill(STRIPE));
        }
        for across in [Some(&accuracy), tokens.as_ref()].into_iter().flatten() {
            across.draw_grid(&mut canvas, 0.0, bottom);
            across.draw_ticks(&mut canvas, bottom);
        }
        for (task, name) in self.tasks.iter().enumerate() {
            let top = task_height * task as f64;
            canvas.centred(&style.shortened(name, LABEL_WIDTH), (label, top + task_height / 2.0), style.end());
            for (place, fingerprint) in self.fingerprints.iter().enumerate() {
                let y = top + TASK_GAP / 2.0 + bar * place as f64;
                let value = fingerprint.values.get(task).copied().flatten().filter(|value| value.value.is_finite());
                let Some(value) = value else { continue };
                let tooltip = format!("{} · {name}: {}", fingerprint.label, value.describe());
                canvas.group("bar", Some(tooltip), |canvas| {
                    draw_bar(canvas, &accuracy, tokens.as_ref(), fingerprint, value, (y + 0.5, bar - 1.0));
                });
            }
        }
        for across in [Some(&accuracy), tokens.as_ref()].into_iter().flatten() {
            canvas.line((across.left, 0.0), (across.left, bottom), Paint::stroke(FRAME, 1.0));
        }
        accuracy.draw_label(&mut canvas, &self.value_label, bottom + TICKS_BELOW);
        if let Some(tokens) = &tokens {
            tokens.draw_label(&mut canvas, &tokens_axis.label, bottom + TICKS_BELOW);
        }

        let mut notes = Vec::new();
        if values().any(|value| value.truncated_ratio.is_some_and(|ratio| ratio > 0.0)) {
            notes.push("hatched: truncated".to_owned());
        }
        let series = self.fingerprints.iter().map(|fingerprint| (fingerprint.label.as_str(), fingerprint.series));
        let legend = legend_of(series, LegendKey::Area);
        let body = Body { canvas, width, height: bottom + TICKS_BELOW + LABEL_BELOW };
        compose(&self.caption, &legend, body, &notes)
    }
}

fn draw_bar(
    canvas: &mut Canvas,
    accuracy: &Across,
    tokens: Option<&Across>,
    fingerprint: &Fingerprint,
    value: FingerprintValue,
    (y, height): (f64, f64),
) {
    let colour = fingerprint.series.area_colour();
    let Some(end) = accuracy.clamped(value.value) else { return };
    canvas.rect(Rect::new(accuracy.left, y, end - accuracy.left, height), Paint::fill(colour));
    if let Some(ratio) = value.truncated_ratio.filter(|ratio| *ratio > 0.0)
        && let Some(truncated) = accuracy.clamped(value.value.clamp(0.0, 1.0) + ratio)
    {
        let rect = Rect::new(end, y, truncated - end, height);
        canvas.group("truncated", None, |canvas| {
            canvas.rect(rect, Paint::fill(BLANK).outlined(colour, 0.8));
            canvas.hatch(rect, Paint::stroke(colour, 1.2));
        });
    }
    if let Some(interval) = value.interval
        && let (Some(low), Some(high)) = (accuracy.clamped(interval.low), accuracy.clamped(interval.high))
    {
        let (middle, cap) = (y + height / 2.0, height * 0.25);
        let paint = Paint::stroke(INK, 1.1);
        let ends = [low, high].map(|x| vec![(x, middle - cap), (x, middle + cap)]);
        canvas.lines([vec![(low, middle), (high, middle)]].into_iter().chain(ends).collect(), paint);
    }
    if let Some(tokens) = tokens
        && let Some(end) = value.tokens.and_then(|count| tokens.clamped(count))
    {
        canvas.rect(Rect::new(tokens.left, y, end - tokens.left, height), Paint::fill(colour));
    }
}
