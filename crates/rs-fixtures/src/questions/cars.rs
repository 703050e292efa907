//! A race, told overtake by overtake.

use super::ordinal;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;
use crate::words::COLOURS;

const ASIDES: &[&str] = &[
    "flashes its headlights",
    "is cheered by the crowd",
    "was washed this morning",
    "has a new set of tyres",
    "nearly skids in the long bend",
    "is the loudest of them all",
];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let n_cars = at.count("cars");
    let mut order: Vec<&str> = random.sample(COLOURS.len(), n_cars).into_iter().map(|car| COLOURS[car]).collect();
    let mut sentences = vec![format!("{n_cars} cars are racing; from first to last they are {}.", order.join(", "))];
    let mut steps = vec![format!("at the start the order is {}", order.join(", "))];
    let n_overtakes = at.count("overtakes");
    for event in 1..=n_overtakes {
        let behind = 1 + random.below(n_cars - 1);
        let (passing, passed) = (order[behind], order[behind - 1]);
        order.swap(behind, behind - 1);
        sentences.push(match random.below(3) {
            0 => format!("The {passing} car overtakes the {passed} one."),
            1 => format!("The {passed} car is passed by the {passing} one."),
            _ => format!("Then the {passing} car gets past the {passed} one."),
        });
        steps.push(format!("event {event}: {passing} passes {passed}, so the order is {}", order.join(", ")));
    }
    for _ in 0..at.count("distractors") {
        let place = 1 + random.below(sentences.len());
        let car = order[random.below(n_cars)];
        sentences.insert(place, format!("The {car} car {}.", random.pick(ASIDES)));
    }
    let asked = random.below(n_cars);
    let other = (asked + 1 + random.below(n_cars - 1)) % n_cars;
    sentences.push(format!("Which car is {} now? Answer with its colour.", ordinal(asked + 1)));
    Question {
        text: sentences.join(" "),
        reference: Answer::Text(order[asked].to_owned()),
        wrong: Answer::Text(order[other].to_owned()),
        steps,
    }
}
