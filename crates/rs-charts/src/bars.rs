//! Fingerprints over tasks as bars.

use crate::axis::{Axis, Bounds};
use crate::caption::Caption;
use crate::chart::Chart;
use crate::fingerprint::{Fingerprint, FingerprintValue};
use crate::page::{Body, LegendKey, TEXT, compose, compose_nothing, legend_of};
use crate::palette::{BLANK, FRAME, INK, STRIPE};
use crate::picture::{Canvas, Paint, Picture, Rect, TextStyle};
use crate::plot::{Across, LABEL_BELOW, TICKS_BELOW};
use crate::scale::Domain;

/// Fingerprints over tasks as bars: what was right filled, what was cut off hatched after it, and mean tokens in a second
/// plot where any are known. Many tasks stand in several columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Title and foot.
    pub caption: Caption,
    /// The tasks, top to bottom, column by column.
    pub tasks: Vec<String>,
    /// What the bars' length means: `accuracy`.
    pub value_label: String,
    /// The evaluations, a bar each in every task.
    pub fingerprints: Vec<Fingerprint>,
}

const LABEL_WIDTH: f64 = 220.0;
/// The plots' widths, of values and of tokens: where all tasks stand in one column, and where they stand in several.
const PLOTS: (f64, f64) = (420.0, 220.0);
const NARROW_PLOTS: (f64, f64) = (240.0, 136.0);
const PLOT_GAP: f64 = 34.0;
const COLUMN_GAP: f64 = 30.0;
/// A bar's height, when few and when many stand in one task.
const BAR: (f64, f64) = (13.0, 8.0);
const TASK_GAP: f64 = 8.0;
/// Tasks go on in a further column beside when they would be higher together, in at most so many.
const HIGHEST: f64 = 1400.0;
const MOST_COLUMNS: usize = 4;
/// Columns that are higher have their axes at the top as well.
const OUT_OF_SIGHT: f64 = 500.0;
const AXIS_ABOVE: f64 = LABEL_BELOW + TICKS_BELOW;

impl Chart for Bars {
    fn picture(&self) -> Picture {
        let Some(layout) = self.layout() else {
            return compose_nothing(&self.caption);
        };
        let mut canvas = Canvas::default();
        let top = if layout.task_height * layout.tasks_of_column as f64 > OUT_OF_SIGHT { AXIS_ABOVE } else { 0.0 };
        for column in 0..self.tasks.len().div_ceil(layout.tasks_of_column) {
            self.draw_column(&mut canvas, &layout, column, top);
        }

        let mut notes = Vec::new();
        if self.values().any(|value| value.truncated_ratio.is_some_and(|ratio| ratio > 0.0)) {
            notes.push("hatched: truncated".to_owned());
        }
        let series = self.fingerprints.iter().map(|fingerprint| (fingerprint.label.as_str(), fingerprint.series));
        let legend = legend_of(series, LegendKey::Area);
        let columns = self.tasks.len().div_ceil(layout.tasks_of_column) as f64;
        let body = Body {
            canvas,
            width: layout.width * columns + COLUMN_GAP * (columns - 1.0),
            height: top + layout.task_height * layout.tasks_of_column as f64 + TICKS_BELOW + LABEL_BELOW,
        };
        compose(&self.caption, &legend, body, &notes)
    }
}

/// What all columns of tasks have in common.
struct Layout {
    tasks_of_column: usize,
    task_height: f64,
    bar: f64,
    label: f64,
    plots: (f64, f64),
    axis: (Axis, Domain),
    /// None where no tokens are known.
    tokens_axis: Option<(Axis, Domain)>,
    /// Of one column.
    width: f64,
}

impl Bars {
    fn values(&self) -> impl Iterator<Item = &FingerprintValue> {
        self.fingerprints.iter().flat_map(|fingerprint| fingerprint.values.iter().flatten())
    }

    fn layout(&self) -> Option<Layout> {
        if self.tasks.is_empty() || !self.values().any(|value| value.value.is_finite()) {
            return None;
        }
        let style = TextStyle::new(TEXT);
        let label = self.tasks.iter().map(|task| style.width(task)).fold(0.0, f64::max).min(LABEL_WIDTH) + 6.0;
        let axis = Axis::ratio(self.value_label.clone());
        let domain = Domain::of(&axis, [])?;
        let tokens_axis = Axis::new("mean completion tokens").bounds(Bounds::DataAndZero);
        let tokens = self.values().filter_map(|value| value.tokens).filter(|tokens| *tokens >= 0.0);
        let tokens_axis = Domain::of(&tokens_axis, tokens).map(|domain| (tokens_axis, domain));

        let bar = if self.fingerprints.len() > 4 { BAR.1 } else { BAR.0 };
        let task_height = bar * self.fingerprints.len() as f64 + TASK_GAP;
        let tasks_of = |columns: usize| self.tasks.len().div_ceil(columns);
        let columns = (1..MOST_COLUMNS).find(|columns| task_height * tasks_of(*columns) as f64 <= HIGHEST);
        let columns = columns.unwrap_or(MOST_COLUMNS);
        let plots = if columns > 1 { NARROW_PLOTS } else { PLOTS };
        let right = label + 12.0 + plots.0 + if tokens_axis.is_some() { PLOT_GAP + plots.1 } else { 0.0 };
        Some(Layout {
            tasks_of_column: tasks_of(columns),
            task_height,
            bar,
            label,
            plots,
            axis: (axis, domain),
            tokens_axis,
            width: right + 16.0,
        })
    }

    /// Draws a column of tasks below `top`, with its axes.
    fn draw_column(&self, canvas: &mut Canvas, layout: &Layout, column: usize, top: f64) {
        let left = (layout.width + COLUMN_GAP) * column as f64;
        let first = layout.tasks_of_column * column;
        let tasks = &self.tasks[first..self.tasks.len().min(first + layout.tasks_of_column)];
        let accuracy = Across::new(&layout.axis.0, layout.axis.1, left + layout.label + 12.0, layout.plots.0);
        let tokens = layout
            .tokens_axis
            .as_ref()
            .map(|(axis, domain)| (axis, Across::new(axis, *domain, accuracy.right() + PLOT_GAP, layout.plots.1)));
        let plots = [Some((&layout.axis.0, &accuracy)), tokens.as_ref().map(|(axis, across)| (*axis, across))];
        let plots = || plots.into_iter().flatten();
        let bottom = top + layout.task_height * tasks.len() as f64;
        for task in (0..tasks.len()).step_by(2) {
            let y = top + layout.task_height * task as f64;
            canvas.rect(Rect::new(left, y, layout.width, layout.task_height), Paint::fill(STRIPE));
        }
        for (axis, across) in plots() {
            across.draw_grid(canvas, top, bottom);
            across.draw_ticks(canvas, bottom);
            across.draw_label(canvas, &axis.label, bottom + TICKS_BELOW);
            if top > 0.0 {
                across.draw_ticks_above(canvas, top);
                across.draw_label(canvas, &axis.label, top - AXIS_ABOVE);
            }
        }
        let style = TextStyle::new(TEXT);
        for (place, name) in tasks.iter().enumerate() {
            let y = top + layout.task_height * place as f64;
            let label = style.shortened(name, LABEL_WIDTH);
            canvas.centred(&label, (left + layout.label, y + layout.task_height / 2.0), style.end());
            for (index, fingerprint) in self.fingerprints.iter().enumerate() {
                let y = y + TASK_GAP / 2.0 + layout.bar * index as f64;
                let value = fingerprint.values.get(first + place).copied().flatten();
                let Some(value) = value.filter(|value| value.value.is_finite()) else { continue };
                let tooltip = format!("{} · {name}: {}", fingerprint.label, value.describe());
                let tokens = tokens.as_ref().map(|(_, across)| across);
                canvas.group("bar", Some(tooltip), |canvas| {
                    draw_bar(canvas, &accuracy, tokens, fingerprint, value, (y + 0.5, layout.bar - 1.0));
                });
            }
        }
        for (_, across) in plots() {
            canvas.line((across.left, top), (across.left, bottom), Paint::stroke(FRAME, 1.0));
        }
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
