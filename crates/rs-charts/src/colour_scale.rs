//! The colours that stand for shares of one, and their legend.

use crate::number;
use crate::page::{SMALL_TEXT, TEXT};
use crate::palette::{FRAME, SOFT_INK, sequential};
use crate::picture::{Canvas, Paint, Rect, TextStyle};

/// The height that [`draw`] takes.
pub(crate) const HEIGHT: f64 = 34.0;

const STEPS: usize = 64;
const WIDTH: f64 = 220.0;
const BAR: f64 = 11.0;

/// Draws the scale from 0 to 1 with its label before it.
pub(crate) fn draw(canvas: &mut Canvas, (x, y): (f64, f64), label: &str) {
    canvas.group("colour-scale", None, |canvas| {
        let style = TextStyle::new(TEXT);
        let label = style.shortened(label, 240.0);
        canvas.centred(&label, (x, y + BAR / 2.0), style);
        let x = x + style.width(&label) + if label.is_empty() { 0.0 } else { 10.0 };
        let step = WIDTH / STEPS as f64;
        for index in 0..STEPS {
            let share = (index as f64 + 0.5) / STEPS as f64;
            // One pixel wider, so that no gap shows between two.
            let width = if index + 1 == STEPS { step } else { step + 1.0 };
            canvas.rect(Rect::new(x + step * index as f64, y, width, BAR), Paint::fill(sequential(share)));
        }
        canvas.rect(Rect::new(x, y, WIDTH, BAR), Paint::stroke(FRAME, 0.6));
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            let at = x + WIDTH * share;
            canvas.line((at, y + BAR), (at, y + BAR + 3.0), Paint::stroke(FRAME, 0.8));
            let style = TextStyle::new(SMALL_TEXT).colour(SOFT_INK).middle();
            canvas.text(&number::share(share), (at, y + BAR + 13.0), style);
        }
    });
}
