//! Repetitions of one question are not independent trials: cluster-robust intervals (statistics.md, section 1).

use super::proportion::{Counters, Wilson, wilson};

/// Design effect of trials that come in clusters, one for each question: by how much the variance of the mean exceeds
/// that of as many independent trials. Each question is given as (right answers, trials).
///
/// SE² = (1/n²) Σ_i (Σ_j (x_ij − x̄))² over m questions with n trials, d = SE² / (x̄(1 − x̄)/n), clipped to 1..=n/m;
/// d = n/m where x̄ is 0 or 1 (E. Miller, Adding Error Bars to Evals, arXiv 2411.00640, section 2.2).
/// `None` if there is no trial.
pub fn design_effect(questions: impl IntoIterator<Item = (u64, u64)> + Clone) -> Option<f64> {
    let (mut n_questions, mut n_right, mut n_trials) = (0_u64, 0_u64, 0_u64);
    for (right, trials) in questions.clone() {
        n_questions += u64::from(trials > 0);
        n_right += right;
        n_trials += trials;
    }
    if n_trials == 0 {
        return None;
    }
    let most = n_trials as f64 / n_questions as f64;
    let mean = n_right as f64 / n_trials as f64;
    if n_right == 0 || n_right == n_trials {
        return Some(most);
    }
    let sum_of_squares: f64 =
        questions.into_iter().map(|(right, trials)| (right as f64 - mean * trials as f64).powi(2)).sum();
    let independent = mean * (1.0 - mean) * n_trials as f64;
    Some((sum_of_squares / independent).clamp(1.0, most))
}

/// Wilson interval of a group's adjusted accuracy with its effective number of trials: (S/d, N/d) for a design effect
/// d ≥ 1 (statistics.md, section 1; Miller, arXiv 2411.00640). `None` for N ≤ 0.
#[must_use]
pub fn wilson_clustered(counters: &Counters, design_effect: f64, z: f64) -> Option<Wilson> {
    wilson(counters.adjusted_successes() / design_effect, counters.adjusted_trials() / design_effect, z)
}

#[cfg(test)]
mod tests {
    use super::super::proportion::Z_95;
    use super::*;

    #[track_caller]
    fn check(questions: &[(u64, u64)], effect: Option<f64>) {
        let found = design_effect(questions.iter().copied());
        match (found, effect) {
            (Some(found), Some(effect)) => assert!((found - effect).abs() < 1e-12, "{found} {effect}"),
            _ => assert_eq!(found, effect),
        }
    }

    #[test]
    fn effects() {
        check(&[], None);
        // One trial a question: independent.
        check(&[(1, 1), (0, 1), (1, 1)], Some(1.0));
        // Repetitions that always agree: as many trials as questions.
        check(&[(4, 4), (0, 4)], Some(4.0));
        // All right or all wrong: the most there can be.
        check(&[(4, 4), (4, 4)], Some(4.0));
        check(&[(0, 2), (0, 4)], Some(3.0));
        // Repetitions that differ more than chance are still no less than independent.
        check(&[(2, 4), (2, 4)], Some(1.0));
        // Between: x̄ = 1/2, cluster sums ±1, SE²·n² = 2, independent = 8/4.
        check(&[(3, 4), (1, 4)], Some(1.0));
        check(&[(4, 4), (1, 4)], Some((1.5_f64.powi(2) * 2.0) / (0.625 * 0.375 * 8.0)));
    }

    #[test]
    fn repetitions_widen_the_interval() {
        let counters = Counters { correct: 4, answered: 8, ..Counters::default() };
        let clustered = wilson_clustered(&counters, 4.0, Z_95).expect("defined");
        assert_eq!(Some(clustered), wilson(1.0, 2.0, Z_95));
        assert!(clustered.margin > counters.adjusted_wilson().expect("defined").margin);
    }
}
