//! Counting things of some categories.

use super::enumerate_words;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::words::{CATEGORIES, COUNTS};

const CHOICES: [&str; 4] = ["A", "B", "C", "D"];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let order = random.sample(CATEGORIES.len(), CATEGORIES.len());
    let (asked, others) = order.split_at(at.count("categories").min(CATEGORIES.len() - 1));
    let mut mentions = Vec::new();
    let mut steps = Vec::new();
    let mut count = 0;
    for _ in 0..at.count("length") {
        let distracts = random.chance(at.number("distractors"));
        let among = if distracts { others } else { asked };
        let (category, things) = CATEGORIES[among[random.below(among.len())]];
        let thing = random.pick(things);
        let n = 1 + random.below(COUNTS.len());
        let mention = match n {
            1 if thing.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {thing}"),
            1 => format!("a {thing}"),
            _ => format!("{} {}", COUNTS[n - 1], plural(thing)),
        };
        if distracts {
            steps.push(format!("{mention}: {category} are not asked for, still {count}"));
        } else {
            steps.push(format!("{mention}: {category}, {count} + {n} = {}", count + n as i64));
            count += n as i64;
        }
        mentions.push(mention);
    }
    let names: Vec<String> = asked.iter().map(|category| CATEGORIES[*category].0.to_owned()).collect();
    let right = random.below(CHOICES.len());
    // Four different counts that are not negative, the right one in a random place.
    let lowest = (count - right as i64 * 2).max(count % 2);
    let right = ((count - lowest) / 2) as usize;
    let mut text = format!("I have {}. How many {} do I have?", enumerate_words(&mentions), enumerate_words(&names));
    for (choice, letter) in CHOICES.iter().enumerate() {
        text.push_str(&format!("\n({letter}) {}", lowest + 2 * choice as i64));
    }
    let wrong = (right + 1 + random.below(CHOICES.len() - 1)) % CHOICES.len();
    steps.push(format!("{count} is choice ({})", CHOICES[right]));
    Question {
        text,
        reference: Answer::Text(CHOICES[right].to_owned()),
        wrong: Answer::Text(CHOICES[wrong].to_owned()),
        steps,
    }
}

fn plural(thing: &str) -> String {
    match thing {
        "peach" | "couch" | "radish" | "bus" | "wrench" => format!("{thing}es"),
        "mango" => "mangoes".to_owned(),
        _ => format!("{thing}s"),
    }
}
