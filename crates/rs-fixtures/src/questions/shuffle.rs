//! Things that change hands.

use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::words::{NAMES, TREASURES};

const ASIDES: &[&str] = &[
    "tells a story about the sea",
    "leaves the room and comes back with tea",
    "asks what time it is",
    "laughs at an old joke",
    "opens a window",
    "looks for a pencil",
];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let n_people = at.count("people").min(NAMES.len());
    let people: Vec<&str> = random.sample(NAMES.len(), n_people).into_iter().map(|name| NAMES[name]).collect();
    let mut held = random.sample(TREASURES.len(), n_people);
    let mut sentences: Vec<String> =
        people.iter().zip(&held).map(|(person, thing)| format!("{person} has the {}.", TREASURES[*thing])).collect();
    let n_opening = sentences.len();
    let mut steps = Vec::new();
    for swap in 1..=at.count("swaps") {
        let pair = random.sample(n_people, 2);
        let (one, two) = (pair[0], pair[1]);
        held.swap(one, two);
        sentences.push(match random.below(3) {
            0 => format!("{} and {} swap what they have.", people[one], people[two]),
            1 => format!("Then {} trades with {}.", people[one], people[two]),
            _ => format!("{} and {} make an exchange.", people[one], people[two]),
        });
        steps.push(format!(
            "swap {swap}: {} now has the {}, {} the {}",
            people[one], TREASURES[held[one]], people[two], TREASURES[held[two]]
        ));
    }
    for _ in 0..at.count("distractors") {
        let place = n_opening + random.below(sentences.len() - n_opening + 1);
        sentences.insert(place, format!("{} {}.", people[random.below(n_people)], random.pick(ASIDES)));
    }
    let asked = random.below(n_people);
    let other = (asked + 1 + random.below(n_people - 1)) % n_people;
    sentences.push(format!("Who has the {} at the end?", TREASURES[held[asked]]));
    Question {
        text: sentences.join(" "),
        reference: Answer::Text(people[asked].to_owned()),
        wrong: Answer::Text(people[other].to_owned()),
        steps,
    }
}
