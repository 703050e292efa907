//! Boolean expressions in several notations.

use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let notation = Notation::of(at.text("notation"));
    let mut steps = Vec::new();
    let (expression, value) = group(&notation, random, at.count("length"), at.integer("max_depth"), &mut steps);
    Question {
        text: format!(
            "Evaluate this boolean expression ({} is true, {} is false). Answer True or False.\n{expression}",
            notation.yes, notation.no
        ),
        reference: Answer::Flag(value),
        wrong: Answer::Flag(!value),
        steps,
    }
}

struct Notation {
    yes: &'static str,
    no: &'static str,
    and: &'static str,
    or: &'static str,
    not: &'static str,
}

impl Notation {
    fn of(name: &str) -> Self {
        match name {
            "words" => Self { yes: "yes", no: "no", and: " as well as ", or: " or else ", not: "the opposite of " },
            "symbols" => Self { yes: "1", no: "0", and: " & ", or: " | ", not: "!" },
            "letters" => Self { yes: "⊤", no: "⊥", and: " ∧ ", or: " ∨ ", not: "¬" },
            _ => Self { yes: "True", no: "False", and: " and ", or: " or ", not: "not " },
        }
    }

    fn value(&self, value: bool) -> &'static str {
        if value { self.yes } else { self.no }
    }
}

/// An expression of `n_values` values joined by one kind of operator a level, and its value.
fn group(
    notation: &Notation,
    random: &mut Random,
    n_values: usize,
    depth: i64,
    steps: &mut Vec<String>,
) -> (String, bool) {
    let conjunction = random.chance(0.5);
    let operator = if conjunction { notation.and } else { notation.or };
    let mut text = String::new();
    let mut values = Vec::new();
    let mut rest = n_values;
    while rest > 0 {
        if !text.is_empty() {
            text.push_str(operator);
        }
        let negated = random.chance(0.3);
        if negated {
            text.push_str(notation.not);
        }
        let value = if depth > 0 && rest > 2 && n_values > 3 && random.chance(0.7) {
            let size = 2 + random.below((rest - 2).min(n_values / 2).max(1));
            rest -= size;
            let (inner, value) = group(notation, random, size, depth - 1, steps);
            text.push('(');
            text.push_str(&inner);
            text.push(')');
            value
        } else {
            rest -= 1;
            // Long chains would nearly always come to one value, so they lean against their operator.
            let value = random.chance(if conjunction { 0.8 } else { 0.2 }) != negated;
            text.push_str(notation.value(value));
            value
        };
        values.push(value != negated);
    }
    let value = if conjunction { values.iter().all(|value| *value) } else { values.iter().any(|value| *value) };
    let shown: Vec<&str> = values.iter().take(6).map(|value| notation.value(*value)).collect();
    let more = if values.len() > 6 { " ..." } else { "" };
    steps.push(format!("({}{more}) comes to {}", shown.join(operator), notation.value(value)));
    (text, value)
}
