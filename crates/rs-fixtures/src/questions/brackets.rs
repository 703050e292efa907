//! Bracket sequences that stop in the middle.

use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;

const PAIRS: [(char, char); 4] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let length = at.count("length");
    let max_depth = at.count("max_depth");
    let kinds = at.count("kinds").clamp(1, PAIRS.len());
    let mut open: Vec<usize> = Vec::new();
    let mut sequence = String::new();
    let mut steps = Vec::new();
    for position in 1..=length {
        let must_open = open.is_empty();
        let must_close = open.len() >= max_depth;
        // The end stays open, or there would be nothing to close.
        let last = position == length && open.len() == 1;
        if must_open || last && !must_close || !must_close && random.chance(0.58) {
            let kind = random.below(kinds);
            open.push(kind);
            sequence.push(PAIRS[kind].0);
            steps.push(format!("position {position}: {} opens, the stack is {}", PAIRS[kind].0, stack(&open)));
        } else if let Some(kind) = open.pop() {
            sequence.push(PAIRS[kind].1);
            steps.push(format!("position {position}: {} closes, the stack is {}", PAIRS[kind].1, stack(&open)));
        }
        sequence.push(' ');
    }
    if open.is_empty() {
        // Only a depth of one ends here: open one more.
        open.push(0);
        sequence.push(PAIRS[0].0);
        steps.push(format!("at the end {} opens, the stack is {}", PAIRS[0].0, stack(&open)));
    }
    let closing: Vec<char> = open.iter().rev().map(|kind| PAIRS[*kind].1).collect();
    let mut wrong = closing.clone();
    let distinct = wrong.windows(2).position(|pair| pair[0] != pair[1]);
    match distinct {
        Some(first) if random.chance(0.6) => wrong.swap(first, first + 1),
        _ if random.chance(0.5) && wrong.len() > 1 => {
            wrong.pop();
        }
        _ => wrong.push(PAIRS[random.below(kinds)].1),
    }
    Question {
        text: format!("Write the brackets that close this sequence.\n{}", sequence.trim_end()),
        reference: Answer::Text(spaced(&closing)),
        wrong: Answer::Text(spaced(&wrong)),
        steps,
    }
}

fn stack(open: &[usize]) -> String {
    if open.is_empty() {
        return "empty".to_owned();
    }
    spaced(&open.iter().map(|kind| PAIRS[*kind].0).collect::<Vec<_>>())
}

fn spaced(brackets: &[char]) -> String {
    let mut out = String::with_capacity(brackets.len() * 2);
    for (index, bracket) in brackets.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push(*bracket);
    }
    out
}
