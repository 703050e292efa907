//! The generators of questions, one module a task.

mod arithmetic;
mod boolean;
mod brackets;
mod cars;
mod dates;
mod letters;
mod objects;
mod sequence;
mod shapes;
mod shuffle;
mod sort;
mod tables;

use crate::question::{Coordinates, Question};
use crate::random::Random;

/// Makes a question of the task called `name`.
pub(crate) fn generate(name: &str, at: &Coordinates<'_>, random: &mut Random) -> Question {
    match name {
        "arithmetic" => arithmetic::generate(at, random),
        "boolean" => boolean::generate(at, random),
        "brackets" => brackets::generate(at, random),
        "cars" => cars::generate(at, random),
        "dates" => dates::generate(at, random),
        "letters" => letters::generate(at, random),
        "objects" => objects::generate(at, random),
        "sequence" => sequence::generate(at, random),
        "shapes" => shapes::generate(at, random),
        "shuffle" => shuffle::generate(at, random),
        "sort" => sort::generate(at, random),
        _ => tables::generate(at, random),
    }
}

/// `1st`, `2nd`, `3rd`, ...
fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// A whole number near `right`, and not `right`.
fn near_miss(right: i64, random: &mut Random) -> i64 {
    let reach = (right.abs() / 20).clamp(2, 500);
    let off = random.between(1, reach);
    if random.chance(0.5) { right + off } else { right - off }
}

/// `a, b and c`.
fn enumerate_words(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::question::{Answer, generate};
    use crate::scale::Scale;
    use crate::task::TASKS;

    fn each_question(mut check: impl FnMut(&str, &crate::question::Question)) {
        for (number, task) in TASKS.iter().enumerate() {
            for point in task.points(Scale::Medium) {
                for sample in 0..3 {
                    check(task.name, &generate(1, task, &point, &[number as u64, point.number as u64, sample]));
                }
            }
        }
    }

    #[test]
    fn every_question_has_working_and_a_wrong_answer_that_is_wrong() {
        each_question(|name, question| {
            assert!(!question.text.is_empty(), "{name}");
            assert!(!question.steps.is_empty(), "{name}: {}", question.text);
            assert_ne!(question.reference, question.wrong, "{name}: {}", question.text);
        });
    }

    #[test]
    fn brackets_close() {
        each_question(|name, question| {
            if name != "brackets" {
                return;
            }
            let Some(open) = question.text.lines().last() else { panic!("{}", question.text) };
            assert!(closes(&format!("{open}{}", question.reference.written())), "{open}");
            assert!(!closes(&format!("{open}{}", question.wrong.written())), "{open}");
        });
    }

    fn closes(sequence: &str) -> bool {
        let mut stack = Vec::new();
        for bracket in sequence.chars().filter(|bracket| *bracket != ' ') {
            match bracket {
                '(' => stack.push(')'),
                '[' => stack.push(']'),
                '{' => stack.push('}'),
                '<' => stack.push('>'),
                closing => {
                    if stack.pop() != Some(closing) {
                        return false;
                    }
                }
            }
        }
        stack.is_empty()
    }

    #[test]
    fn sums_are_right() {
        each_question(|name, question| {
            if name != "arithmetic" {
                return;
            }
            let expression = question.text.lines().last().unwrap_or_default();
            let tokens: Vec<char> = expression.chars().filter(|symbol| *symbol != ' ').collect();
            let mut at = 0;
            let value = sum(&tokens, &mut at);
            assert_eq!(Answer::Integer(value), question.reference, "{expression}");
            assert_eq!(at, tokens.len());
        });
    }

    fn sum(tokens: &[char], at: &mut usize) -> i64 {
        let mut total = product(tokens, at);
        while let Some(sign @ ('+' | '-')) = tokens.get(*at) {
            *at += 1;
            let term = product(tokens, at);
            total += if *sign == '+' { term } else { -term };
        }
        total
    }

    fn product(tokens: &[char], at: &mut usize) -> i64 {
        let mut value = factor(tokens, at);
        while tokens.get(*at) == Some(&'*') {
            *at += 1;
            value *= factor(tokens, at);
        }
        value
    }

    fn factor(tokens: &[char], at: &mut usize) -> i64 {
        if tokens[*at] == '(' {
            *at += 1;
            let value = sum(tokens, at);
            *at += 1;
            return value;
        }
        let mut value = 0;
        while let Some(digit) = tokens.get(*at).and_then(|symbol| symbol.to_digit(10)) {
            value = value * 10 + i64::from(digit);
            *at += 1;
        }
        value
    }

    #[test]
    fn letters_are_counted() {
        each_question(|name, question| {
            if name != "letters" {
                return;
            }
            let (ask, words) = question.text.split_once(":\n").unwrap_or_default();
            let targets: Vec<char> =
                ask.split('"').skip(1).step_by(2).filter_map(|quoted| quoted.chars().next()).collect();
            let mut inside = false;
            let mut count = 0;
            for letter in words.chars() {
                match letter {
                    '[' => inside = true,
                    ']' => inside = false,
                    letter if !inside && targets.contains(&letter) => count += 1,
                    _ => {}
                }
            }
            assert_eq!(question.reference, Answer::Integer(count), "{}", question.text);
        });
    }

    #[test]
    fn sorted_lists_are_sorted() {
        each_question(|name, question| {
            if name != "sort" {
                return;
            }
            let Answer::List(words) = &question.reference else { panic!("{:?}", question.reference) };
            let mut sorted = words.clone();
            sorted.sort();
            if question.text.contains("descending") {
                sorted.reverse();
            }
            assert_eq!(words, &sorted);
        });
    }

    #[test]
    fn guessable_questions_list_their_choices() {
        each_question(|name, question| {
            if name == "shapes" || name == "objects" {
                let Answer::Text(letter) = &question.reference else { panic!("{:?}", question.reference) };
                assert!(question.text.contains(&format!("\n({letter}) ")), "{}", question.text);
            }
        });
    }
}
