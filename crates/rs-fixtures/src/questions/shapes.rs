//! Polygons drawn by SVG paths.

use crate::portable::sine_cosine;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::words::POLYGONS;

const CHOICES: [&str; 10] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let n_options = at.count("options").clamp(2, CHOICES.len());
    let options = random.sample(POLYGONS.len(), n_options);
    let right = random.below(n_options);
    let n_sides = options[right] + 3;
    let radius = random.between(20, 60) as f64;
    let turn = random.between(0, at.integer("rotation").max(1)) as f64;
    let offset = at.integer("offset");
    let (shift_x, shift_y) = (random.between(-offset, offset), random.between(-offset, offset));
    let corners: Vec<(i64, i64)> = (0..n_sides)
        .map(|corner| {
            let (sine, cosine) = sine_cosine(turn + 360.0 * corner as f64 / n_sides as f64);
            // Hundredths, so that no rounding is left to the formatter.
            (hundredths(radius * cosine) + shift_x * 100, hundredths(radius * sine) + shift_y * 100)
        })
        .collect();
    let mut path = String::new();
    let mut steps = Vec::new();
    for (index, &(x, y)) in corners.iter().enumerate() {
        let command = if index == 0 { "M" } else { " L" };
        path.push_str(&format!("{command} {},{}", decimal(x), decimal(y)));
        let (next_x, next_y) = corners[(index + 1) % n_sides];
        steps.push(format!(
            "edge {} goes from ({}, {}) by ({}, {})",
            index + 1,
            decimal(x),
            decimal(y),
            decimal(next_x - x),
            decimal(next_y - y)
        ));
    }
    path.push_str(" Z");
    steps.push(format!("the path closes after {n_sides} edges, so it is a {}", POLYGONS[options[right]]));
    let mut text = format!("This SVG path draws a closed shape:\n<path d=\"{path}\"/>\nWhich of these is it?");
    for (letter, option) in CHOICES.iter().zip(&options) {
        text.push_str(&format!("\n({letter}) {}", POLYGONS[*option]));
    }
    let wrong = (right + 1 + random.below(n_options - 1)) % n_options;
    Question {
        text,
        reference: Answer::Text(CHOICES[right].to_owned()),
        wrong: Answer::Text(CHOICES[wrong].to_owned()),
        steps,
    }
}

fn hundredths(value: f64) -> i64 {
    // A hair off the middle keeps exact halves from being decided by the last bit of a sine.
    (value * 100.0 + 0.003).round() as i64
}

fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let absolute = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", absolute / 100, absolute % 100)
}
