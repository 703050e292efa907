//! ReasonScore: one number over tasks (statistics.md, section 2).

/// Least value of a task in the geometric mean: one failed task must not make the whole 0.
const FLOOR: f64 = 0.01;

/// What ReasonScore m12x takes of one task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskInterval {
    /// Upper end of the adjusted accuracy's interval: centre + margin.
    pub upper: f64,
    /// Truncated ratio, 0 to 1.
    pub truncated_ratio: f64,
}

/// ReasonScore m12x, 10 to 1000: 1000 × the geometric mean over tasks of max(0.01, min(1, upper − truncated ratio)).
/// `None` without a task.
#[must_use]
pub fn reason_score_m12x(tasks: &[TaskInterval]) -> Option<f64> {
    if tasks.is_empty() {
        return None;
    }
    let logs: f64 = tasks.iter().map(|task| (task.upper - task.truncated_ratio).clamp(FLOOR, 1.0).ln()).sum();
    Some(1000.0 * (logs / tasks.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published interval tables give two digits a cell, so the score is known to ±5.
    #[track_caller]
    fn check(score: f64, tasks: [(f64, f64); 12]) {
        let tasks = tasks.map(|(upper, truncated_ratio)| TaskInterval { upper, truncated_ratio });
        let found = reason_score_m12x(&tasks).expect("has tasks");
        assert!((found - score).abs() <= 5.0, "{found} {score}");
    }

    #[test]
    fn published_rows() {
        check(
            424.0,
            [
                (0.39, 0.0),
                (0.85, 0.0),
                (0.02, 0.06),
                (0.71, 0.0),
                (0.85, 0.0),
                (0.16, 0.0),
                (0.79, 0.0),
                (0.85, 0.0),
                (0.55, 0.0),
                (0.67, 0.0),
                (0.93, 0.0),
                (0.44, 0.0),
            ],
        );
        check(
            330.0,
            [
                (0.31, 0.0),
                (0.75, 0.0),
                (0.01, 0.31),
                (0.60, 0.0),
                (0.82, 0.0),
                (0.08, 0.0),
                (0.69, 0.0),
                (0.68, 0.0),
                (0.33, 0.0),
                (0.56, 0.0),
                (0.68, 0.0),
                (0.36, 0.0),
            ],
        );
        check(
            497.0,
            [
                (0.62, 0.05),
                (0.78, 0.19),
                (0.54, 0.80),
                (0.84, 0.20),
                (0.89, 0.03),
                (0.75, 0.04),
                (0.78, 0.0),
                (0.91, 0.06),
                (0.93, 0.12),
                (0.82, 0.09),
                (0.95, 0.03),
                (0.61, 0.13),
            ],
        );
    }

    #[test]
    fn floor_ceiling_and_nothing() {
        assert_eq!(reason_score_m12x(&[]), None);
        let one =
            |upper, truncated_ratio| reason_score_m12x(&[TaskInterval { upper, truncated_ratio }]).expect("a task");
        assert!((one(0.0, 0.5) - 10.0).abs() < 1e-9);
        assert!((one(1.2, 0.0) - 1000.0).abs() < 1e-9);
    }
}
