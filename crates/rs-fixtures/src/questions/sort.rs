//! Lists to be sorted.

use std::collections::BTreeSet;

use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::words::SYLLABLES;

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let length = at.count("length");
    let prefix = at.count("shared_prefix");
    let shared: String = (0..prefix).map(|_| random.pick(SYLLABLES)).collect::<String>().chars().take(prefix).collect();
    let mut distinct = BTreeSet::new();
    while distinct.len() < length {
        let n_syllables = 2 + random.below(2);
        let mut word = shared.clone();
        for _ in 0..n_syllables {
            word.push_str(random.pick(SYLLABLES));
        }
        distinct.insert(word);
    }
    let mut sorted: Vec<String> = distinct.into_iter().collect();
    if at.flag("reverse") {
        sorted.reverse();
    }
    let mut shown = sorted.clone();
    random.shuffle(&mut shown);
    let mut placed: Vec<&str> = Vec::new();
    let mut steps = Vec::new();
    for word in &shown {
        let rank = sorted.iter().position(|sorted_word| sorted_word == word).unwrap_or_default();
        let after = sorted[..rank].iter().rev().find(|earlier| placed.contains(&earlier.as_str()));
        steps.push(match after {
            Some(earlier) => format!("\"{word}\" goes right after \"{earlier}\""),
            None => format!("\"{word}\" goes to the front for now"),
        });
        placed.push(word);
    }
    let mut wrong = sorted.clone();
    let swapped = random.below(length - 1);
    wrong.swap(swapped, swapped + 1);
    let direction = if at.flag("reverse") { "descending" } else { "ascending" };
    Question {
        text: format!("Sort these words in {direction} alphabetical order.\n{}", shown.join(", ")),
        reference: Answer::List(sorted),
        wrong: Answer::List(wrong),
        steps,
    }
}
