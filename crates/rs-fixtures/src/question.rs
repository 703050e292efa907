//! A question: what the model is asked, the right answer, a wrong one, and the working in between.

use crate::plan::RecordPlan;
use crate::questions;
use crate::random::{Random, Stream};
use crate::task::{Point, Task, Value};

/// An answer, as the scorer reads it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Integer(i64),
    Text(String),
    List(Vec<String>),
    Flag(bool),
}

impl Answer {
    /// The answer as a model writes it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(items) => items.join(", "),
            Self::Flag(true) => "True".to_owned(),
            Self::Flag(false) => "False".to_owned(),
        }
    }
}

/// A question with everything that a trace about it needs.
#[derive(Debug)]
pub(crate) struct Question {
    /// The problem, without the words around it that a template adds.
    pub(crate) text: String,
    pub(crate) reference: Answer,
    /// A plausible wrong answer, different from the reference.
    pub(crate) wrong: Answer,
    /// The working, one true statement each, without a closing full stop.
    pub(crate) steps: Vec<String>,
}

/// What a question generator needs to know about the point.
#[derive(Debug)]
pub(crate) struct Coordinates<'a> {
    task: &'a Task,
    point: &'a Point,
}

impl Coordinates<'_> {
    pub(crate) fn integer(&self, name: &str) -> i64 {
        self.task.integer(self.point, name)
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.integer(name).max(0) as usize
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        match self.task.value(self.point, name) {
            Value::Number(value) => value,
            other => other_number(other),
        }
    }

    pub(crate) fn text(&self, name: &str) -> &'static str {
        match self.task.value(self.point, name) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.task.value(self.point, name) == Value::Flag(true)
    }
}

fn other_number(value: Value) -> f64 {
    match value {
        Value::Integer(value) => value as f64,
        Value::Number(value) => value,
        Value::Flag(_) | Value::Text(_) => 0.0,
    }
}

/// The question of a record: the same for every evaluation and at every scale, by seed and index.
pub(crate) fn question(seed: u64, task: &Task, point: &Point, record: &RecordPlan) -> Question {
    let key = [record.task as u64, point.number as u64, record.seed, record.index];
    generate(seed, task, point, &key)
}

/// The question of this key.
pub(crate) fn generate(seed: u64, task: &Task, point: &Point, key: &[u64]) -> Question {
    let mut random = Random::keyed(seed, Stream::Question, key);
    questions::generate(task.name, &Coordinates { task, point }, &mut random)
}
