//! Sequences whose differences of some order are constant.

use super::near_miss;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let order = at.count("order");
    let length = at.count("length");
    let largest = at.integer("max_coefficient");
    // The first term and its differences, up to the constant one, which is not 0.
    let mut row: Vec<i64> = (0..order).map(|_| random.between(-largest, largest)).collect();
    row.push(random.between(1, largest));
    let mut terms = Vec::with_capacity(length + 1);
    for _ in 0..=length {
        terms.push(row[0]);
        for index in 0..order {
            row[index] += row[index + 1];
        }
    }
    let next = terms.pop().unwrap_or_default();
    let mut steps = Vec::new();
    let mut rows = vec![terms.clone()];
    for level in 1..=order {
        let above = &rows[level - 1];
        let mut below = Vec::with_capacity(above.len());
        for pair in above.windows(2) {
            let difference = pair[1] - pair[0];
            steps.push(format!("{} - {} = {difference}", pair[1], bracketed(pair[0])));
            below.push(difference);
        }
        steps.push(format!("the differences of order {level} are {}", joined(&below)));
        rows.push(below);
    }
    let mut carried = rows.last().and_then(|constant| constant.last()).copied().unwrap_or_default();
    for level in (0..order).rev() {
        let last = rows[level].last().copied().unwrap_or_default();
        steps.push(format!("{last} + {} = {}", bracketed(carried), last + carried));
        carried += last;
    }
    Question {
        text: format!("What is the next number of this sequence?\n{}, ...", joined(&terms)),
        reference: Answer::Integer(next),
        wrong: Answer::Integer(near_miss(next, random)),
        steps,
    }
}

fn bracketed(value: i64) -> String {
    if value < 0 { format!("({value})") } else { value.to_string() }
}

fn joined(values: &[i64]) -> String {
    values.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
