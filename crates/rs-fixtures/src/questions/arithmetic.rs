//! Expressions of whole numbers.

use super::near_miss;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::task::push_display;

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let mut steps = Vec::new();
    let limits = Limits { max_value: at.integer("max_value") };
    let (expression, value) = limits.group(random, at.count("length"), at.integer("max_depth"), &mut steps);
    Question {
        text: format!("Work out the value of this expression.\n{expression}"),
        reference: Answer::Integer(value),
        wrong: Answer::Integer(near_miss(value, random)),
        steps,
    }
}

struct Limits {
    max_value: i64,
}

impl Limits {
    /// An expression of `n_numbers` numbers, parentheses at most `depth` deep, and its value.
    fn group(&self, random: &mut Random, n_numbers: usize, depth: i64, steps: &mut Vec<String>) -> (String, i64) {
        let mut text = String::new();
        let mut total = 0;
        let mut rest = n_numbers;
        while rest > 0 {
            let (mut term, mut value) = if depth > 0 && rest > 2 && random.chance(0.6) {
                let size = 2 + random.below((rest - 2).min(n_numbers / 2).max(1));
                rest -= size;
                let (inner, value) = self.group(random, size, depth - 1, steps);
                (format!("({inner})"), value)
            } else {
                rest -= 1;
                let number = random.between(1, self.max_value);
                (number.to_string(), number)
            };
            if rest > 0 && random.chance(0.3) {
                rest -= 1;
                let factor = random.between(2, 9);
                steps.push(format!("{value} * {factor} = {}", value * factor));
                term.push_str(" * ");
                push_display(&mut term, factor);
                value *= factor;
            }
            let before = total;
            if text.is_empty() {
                total = value;
            } else if random.chance(0.5) {
                text.push_str(" + ");
                total += value;
                steps.push(format!("{before} + {value} = {total}"));
            } else {
                text.push_str(" - ");
                total -= value;
                steps.push(format!("{before} - {value} = {total}"));
            }
            text.push_str(&term);
        }
        (text, total)
    }
}
