//! Whether the data behaves as real data does.

use rs_fixtures::{DEFAULT_SEED, Expected, ExpectedPoint, FixtureModel, Scale};
use serde_json::Value;

/// One test, because each runs by itself and what is expected takes seconds to work out.
#[test]
fn medium_data_behaves_as_real_data_does() {
    let expected = FixtureModel::new(Scale::Medium, DEFAULT_SEED).expected();
    harder_points_go_worse(&expected);
    the_hardest_guessable_points_are_near_chance(&expected);
    better_subjects_do_better(&expected);
}

/// Correct, answered, truncated and guessed over some points.
#[derive(Debug, Default)]
struct Sums {
    correct: f64,
    total: f64,
    truncated: f64,
    guesses: f64,
}

impl Sums {
    fn of<'a>(points: impl Iterator<Item = &'a ExpectedPoint>) -> Self {
        let mut sums = Self::default();
        for point in points {
            sums.correct += point.counts.correct as f64;
            sums.total += point.counts.total as f64;
            sums.truncated += point.counts.truncated as f64;
            sums.guesses += point.counts.guess_sum;
        }
        sums
    }

    fn adjusted_accuracy(&self) -> f64 {
        (self.correct - self.guesses) / (self.total - self.guesses)
    }

    fn truncated_ratio(&self) -> f64 {
        self.truncated / (self.total + self.truncated)
    }
}

fn parameter(point: &ExpectedPoint, name: &str) -> f64 {
    let params: Value = serde_json::from_str(&point.params).unwrap();
    params[name].as_f64().unwrap()
}

/// Sums over all evaluations at each value of the parameter that makes a task hard.
fn by_parameter(expected: &Expected, task: &str, name: &str, values: &[i32]) -> Vec<Sums> {
    let at = |value: &i32| {
        Sums::of(
            expected
                .evaluations()
                .flat_map(|evaluation| &evaluation.points)
                .filter(|point| point.base_task == task && parameter(point, name) == f64::from(*value)),
        )
    };
    values.iter().map(at).collect()
}

/// On the leaderboard an evaluation has a thousand points, and harder ones go worse.
fn harder_points_go_worse(expected: &Expected) {
    let bytes: u64 = expected.cohorts.iter().flat_map(|cohort| &cohort.runs).map(|run| run.bytes).sum();
    assert!((300_000_000..420_000_000).contains(&bytes), "{bytes}");
    for evaluation in expected.evaluations().filter(|evaluation| evaluation.tags.contains(&"leaderboard".to_owned())) {
        assert_eq!(evaluation.n_points, 1_004, "{}", evaluation.label);
    }
    for (task, name, values) in [
        ("arithmetic", "length", &[4, 8, 12, 16, 24, 32][..]),
        ("boolean", "length", &[6, 12, 20, 32, 48, 64]),
        ("cars", "overtakes", &[3, 6, 12, 18, 24]),
        ("sort", "length", &[4, 8, 16, 32, 48]),
        ("letters", "words", &[2, 8, 16, 24]),
        ("tables", "num_rows", &[62, 261, 1062]),
    ] {
        let sums = by_parameter(expected, task, name, values);
        assert!(
            sums.windows(2).all(|pair| pair[0].adjusted_accuracy() > pair[1].adjusted_accuracy()),
            "{task}: {sums:?}"
        );
        let (first, last) = (&sums[0], &sums[sums.len() - 1]);
        assert!(first.adjusted_accuracy() - last.adjusted_accuracy() > 0.25, "{task}: {sums:?}");
        assert!(
            first.truncated_ratio() < 0.05 && last.truncated_ratio() > 2.0 * first.truncated_ratio(),
            "{task}: {sums:?}"
        );
    }
}

fn the_hardest_guessable_points_are_near_chance(expected: &Expected) {
    for task in ["boolean", "cars", "shapes", "shuffle"] {
        // The weakest evaluation at its hardest points: those with the last value of every numeric parameter.
        let hardest = expected
            .evaluations()
            .filter(|evaluation| evaluation.label.contains("no thinking"))
            .flat_map(|evaluation| &evaluation.points)
            .filter(|point| {
                point.base_task == task
                    && [("length", 48.0), ("cars", 8.0), ("overtakes", 18.0), ("options", 8.0), ("rotation", 30.0)]
                        .iter()
                        .chain(&[("people", 9.0), ("swaps", 24.0), ("max_depth", 4.0)])
                        .all(|(name, least)| {
                            let params: Value = serde_json::from_str(&point.params).unwrap();
                            params.get(*name).is_none_or(|value| value.as_f64().unwrap() >= *least)
                        })
            });
        let sums = Sums::of(hardest);
        assert!(sums.total > 100.0, "{task}: {sums:?}");
        assert!(sums.correct > 0.0, "{task}: {sums:?}");
        assert!(sums.adjusted_accuracy().abs() < 0.15, "{task}: {}", sums.adjusted_accuracy());
    }
}

fn better_subjects_do_better(expected: &Expected) {
    let accuracy = |label: &str| expected.evaluation(label).unwrap().totals.adjusted_accuracy.unwrap();
    assert!(accuracy("GPT-OSS-120B (high effort)") > accuracy("GPT-OSS-120B (low effort)"));
    assert!(accuracy("Qwen3-32B (fp16, thinking)") > accuracy("Qwen3-32B (AWQ int4, thinking)"));
    let truncated = |label: &str| expected.evaluation(label).unwrap().totals.truncated_ratio.unwrap();
    assert!(truncated("Qwen3-32B (fp16, thinking, 8k)") > truncated("Qwen3-32B (fp16, thinking)") + 0.03);
}
