//! What the model of the fixtures says of any selection of points, by plain loops over it.

use std::collections::{BTreeMap, BTreeSet};

use rs_fixtures::{Expected, ExpectedEvaluation, ExpectedPoint};
use serde_json::{Map, Value};

/// Truncated among the model's answer states.
const TRUNCATED: u8 = 2;

/// Whether a point of an evaluation is meant.
pub(crate) type IsMeant<'a> = &'a dyn Fn(&ExpectedEvaluation, &ExpectedPoint) -> bool;

/// Sums over points.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    pub(crate) points: u64,
    pub(crate) samples: u64,
    pub(crate) truncated: u64,
    pub(crate) errors: u64,
    pub(crate) total_tokens: u64,
    answered_tokens: u64,
    answered_with_tokens: u64,
}

impl Sums {
    pub(crate) fn of<'a>(points: impl IntoIterator<Item = &'a ExpectedPoint>) -> Self {
        let mut sums = Self::default();
        for point in points {
            sums.points += 1;
            sums.samples += point.samples.len() as u64;
            sums.errors += point.counts.errors;
            sums.total_tokens += point.counts.total_tokens;
            for sample in &point.samples {
                if sample.answer_status == TRUNCATED {
                    sums.truncated += 1;
                } else if let Some(tokens) = sample.completion_tokens {
                    sums.answered_tokens += tokens;
                    sums.answered_with_tokens += 1;
                }
            }
        }
        sums
    }

    pub(crate) fn truncated_ratio(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.truncated as f64 / self.samples as f64)
    }

    pub(crate) fn mean_tokens(&self) -> Option<f64> {
        (self.answered_with_tokens > 0).then(|| self.answered_tokens as f64 / self.answered_with_tokens as f64)
    }
}

/// The evaluations that have points which are meant, in the order of `analyze evals`.
pub(crate) fn evals<'a>(expected: &'a Expected, is_meant: IsMeant<'_>) -> Vec<(&'a ExpectedEvaluation, Sums)> {
    let sums = |evaluation: &'a ExpectedEvaluation| {
        Sums::of(evaluation.points.iter().filter(|point| is_meant(evaluation, point)))
    };
    let all = expected.evaluations().map(|evaluation| (evaluation, sums(evaluation)));
    let mut evals: Vec<_> = all.filter(|(_, sums)| sums.points > 0).collect();
    evals.sort_by(|(a, _), (b, _)| (&a.label, &a.eval_id).cmp(&(&b.label, &b.eval_id)));
    evals
}

/// A task over all evaluations.
#[derive(Debug, Default)]
pub(crate) struct Task {
    pub(crate) coordinates: BTreeSet<String>,
    pub(crate) sums: Sums,
    /// The values of each parameter, as JSON.
    pub(crate) params: BTreeMap<String, BTreeSet<String>>,
}

/// The tasks that have points which are meant.
pub(crate) fn tasks(expected: &Expected, is_meant: IsMeant<'_>) -> BTreeMap<String, Task> {
    let mut points: BTreeMap<&str, Vec<&ExpectedPoint>> = BTreeMap::new();
    for evaluation in expected.evaluations() {
        for point in evaluation.points.iter().filter(|point| is_meant(evaluation, point)) {
            points.entry(&point.base_task).or_default().push(point);
        }
    }
    let task = |points: Vec<&ExpectedPoint>| {
        let mut task = Task { sums: Sums::of(points.iter().copied()), ..Task::default() };
        for point in points {
            task.coordinates.insert(point.params.clone());
            for (name, value) in params(point) {
                task.params.entry(name).or_default().insert(value.to_string());
            }
        }
        task
    };
    points.into_iter().map(|(name, points)| (name.to_owned(), task(points))).collect()
}

/// The coordinates of a point.
pub(crate) fn params(point: &ExpectedPoint) -> Map<String, Value> {
    serde_json::from_str(&point.params).unwrap()
}

/// A coordinate of a point; null if it has none of this name.
pub(crate) fn param(point: &ExpectedPoint, name: &str) -> Value {
    params(point).remove(name).unwrap_or_default()
}

/// A coordinate that is a number.
pub(crate) fn number(point: &ExpectedPoint, name: &str) -> Option<f64> {
    param(point, name).as_f64()
}

pub(crate) fn has_group(evaluation: &ExpectedEvaluation, group: &str) -> bool {
    evaluation.groups.iter().any(|known| known == group)
}

pub(crate) fn has_tag(evaluation: &ExpectedEvaluation, tag: &str) -> bool {
    evaluation.tags.iter().any(|known| known == tag)
}

/// That a number is what is expected, within a relative error.
#[track_caller]
pub(crate) fn check_near(what: &str, found: Option<f64>, expected: Option<f64>, tolerance: f64) {
    let is_near = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        (found, expected) => found == expected,
    };
    assert!(is_near, "{what}: {found:?}, expected {expected:?}");
}
