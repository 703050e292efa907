//! How an evaluation does on a question: right, wrong, cut off, and after how many tokens.
//!
//! The log-odds of knowing an answer fall with the difficulty of the point; who does not know may still guess. The tokens
//! that a model wants grow exponentially with difficulty, and where they exceed its limit the record is truncated.

use crate::evaluation::Subject;
use crate::plan::RecordPlan;
use crate::portable::{exp, logistic};
use crate::random::{Random, Stream};
use crate::task::{Point, Task};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The request failed.
    Error,
    /// The model ran into its token limit.
    Truncated,
    /// Something stopped the model from outside, before an answer.
    Killed,
    /// The model finished, and no answer can be read out.
    Invalid,
    Correct,
    Incorrect,
}

/// What became of a request, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    pub(crate) outcome: Outcome,
    /// 0 for an error.
    pub(crate) completion_tokens: u64,
    /// Credit between 0 and 1.
    pub(crate) score: f64,
}

/// How steeply log-odds fall from the easiest to the hardest point.
const SLOPE: f64 = 7.0;
/// How much some questions of a point are harder than others, in log-odds.
const QUESTION_SPREAD: f64 = 0.8;

pub(crate) fn behaviour(seed: u64, record: &RecordPlan, subject: &Subject, task: &Task, point: &Point) -> Behaviour {
    let mut random = Random::keyed(seed, Stream::Behaviour, &record.key(point));
    if record.forced_error || random.chance(subject.error_rate) {
        return Behaviour { outcome: Outcome::Error, completion_tokens: 0, score: 0.0 };
    }
    let difficulty = task.difficulty(point);
    let question_key = [record.task as u64, point.number as u64, record.seed, record.index, u64::MAX];
    let question_ease = QUESTION_SPREAD * Random::keyed(seed, Stream::Question, &question_key).bell();
    let knows = random.chance(logistic(subject.skill + task.ease + question_ease - SLOPE * difficulty));
    let guesses_right = random.chance(task.guess_chance(point));
    let mut outcome = if random.chance(subject.invalid_rate * (0.4 + 1.2 * difficulty)) {
        Outcome::Invalid
    } else if knows || guesses_right {
        Outcome::Correct
    } else {
        Outcome::Incorrect
    };

    let growth = if subject.thinks { 2.3 } else { 1.9 };
    let at_a_loss = if knows { 1.0 } else { 1.3 };
    let noise = exp(0.42 * random.bell() - 0.15 * question_ease);
    let mut tokens = subject.tokens * task.wordiness * at_a_loss * noise * exp(growth * difficulty);
    // Some traces never end, more of them where the question is hard.
    if random.chance(0.03 * difficulty * difficulty) {
        tokens = 1e9;
    }
    let limit = subject.limit as f64;
    if tokens >= limit {
        outcome = Outcome::Truncated;
        tokens = limit;
    } else if random.chance(subject.killed_rate) {
        outcome = Outcome::Killed;
        tokens *= 0.6;
    }
    let score = match outcome {
        Outcome::Correct => 1.0,
        Outcome::Incorrect => random.below(17) as f64 / 20.0,
        _ => 0.0,
    };
    Behaviour { outcome, completion_tokens: (tokens as u64).max(8), score }
}
