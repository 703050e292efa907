//! Tables to search and add up.

use super::near_miss;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::task::push_display;
use crate::words::{CITIES, METALS};

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let n_rows = at.count("num_rows");
    let city = random.pick(CITIES);
    let metal = random.pick(METALS);
    let mut text = String::with_capacity(n_rows * 36 + 200);
    text.push_str("| no | city | year | metal | tons |\n|---|---|---|---|---|\n");
    let mut sum = 0;
    let mut steps = Vec::new();
    // One row matches for certain, so that there is always something to add.
    let certain = random.below(n_rows);
    for row in 0..n_rows {
        let (row_city, row_metal) =
            if row == certain { (city, metal) } else { (random.pick(CITIES), random.pick(METALS)) };
        let year = random.between(1990, 2025);
        let tons = random.between(10, 9_999);
        text.push_str("| ");
        push_display(&mut text, row + 1);
        text.push_str(" | ");
        text.push_str(row_city);
        text.push_str(" | ");
        push_display(&mut text, year);
        text.push_str(" | ");
        text.push_str(row_metal);
        text.push_str(" | ");
        push_display(&mut text, tons);
        text.push_str(" |\n");
        if row_city == city && row_metal == metal {
            steps.push(format!("row {} is {city}, {metal}: {sum} + {tons} = {}", row + 1, sum + tons));
            sum += tons;
        } else if row_city == city && random.chance(0.5) {
            steps.push(format!("row {} is {city} but {row_metal}, so it does not count", row + 1));
        }
    }
    text.push_str(&format!("\nHow many tons of {metal} does the table have for {city}, over all years?"));
    Question { text, reference: Answer::Integer(sum), wrong: Answer::Integer(near_miss(sum, random)), steps }
}
