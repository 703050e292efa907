//! Counting letters.

use super::{enumerate_words, near_miss};
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::words::WORDS;

const LETTERS: &[&str] = &["e", "a", "r", "t", "n", "l", "o", "i", "s", "b"];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let targets: Vec<&str> =
        random.sample(LETTERS.len(), at.count("targets")).into_iter().map(|letter| LETTERS[letter]).collect();
    let mut shown = Vec::new();
    let mut steps = Vec::new();
    let mut count = 0;
    for _ in 0..at.count("words") {
        let word = random.pick(WORDS);
        let hits: Vec<String> = word
            .char_indices()
            .filter(|(_, letter)| targets.iter().any(|target| target.starts_with(*letter)))
            .map(|(position, letter)| format!("{letter} at {}", position + 1))
            .collect();
        count += hits.len() as i64;
        steps.push(if hits.is_empty() {
            format!("\"{word}\" ({}) has none, still {count}", spelled(word))
        } else {
            format!("\"{word}\" ({}) has {}: {}, which makes {count}", spelled(word), hits.len(), hits.join(", "))
        });
        shown.push(word.to_owned());
    }
    for _ in 0..at.count("confounders") {
        let place = random.below(shown.len() + 1);
        shown.insert(place, format!("[{}]", random.pick(WORDS)));
    }
    let miss = near_miss(count, random).abs();
    let quoted: Vec<String> = targets.iter().map(|letter| format!("\"{letter}\"")).collect();
    let letters = if quoted.len() == 1 { "letter" } else { "letters" };
    Question {
        text: format!(
            "How many times in all do the {letters} {} appear in these words? Words in brackets do not count:\n{}",
            enumerate_words(&quoted),
            shown.join(" ")
        ),
        reference: Answer::Integer(count),
        wrong: Answer::Integer(if miss == count { count + 1 } else { miss }),
        steps,
    }
}

fn spelled(word: &str) -> String {
    let mut out = String::with_capacity(word.len() * 2);
    for letter in word.chars() {
        if !out.is_empty() {
            out.push('-');
        }
        out.push(letter);
    }
    out
}
