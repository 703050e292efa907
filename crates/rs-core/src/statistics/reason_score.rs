//! ReasonScore: one number over tasks (statistics.md, section 2).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Gamma};

use super::proportion::Interval;
use super::quantile::Confidence;

/// Draws that a ReasonScore's interval is made of.
pub const SCORE_DRAWS: usize = 2000;

/// Seed of these draws: the same trials give the same interval.
pub const SCORE_SEED: u64 = 12;

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

/// What ReasonScore takes of one task: S and N of its `p_success`, over the design effect where questions are repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskTrials {
    /// Successes beyond guessing, S; below chance it counts as 0.
    pub successes: f64,
    /// Trials N, above 0.
    pub trials: f64,
}

/// A score and what it could as well have been.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReasonScore {
    /// 10 to 1000.
    pub score: f64,
    /// Its interval, which holds it.
    pub interval: Interval,
}

/// ReasonScore, 10 to 1000: 1000 × the geometric mean over tasks of max(0.01, S/N). Its interval: [`SCORE_DRAWS`] draws of
/// the same with each task's share from Beta(S + ½, N − S + ½), what Jeffreys' prior makes of S in N; the percentiles
/// (1 ∓ level)/2 of them (percentile bootstrap: Efron and Tibshirani 1993; the prior: Brown, Cai and DasGupta, Statistical
/// Science 16, 2001). The seed is [`SCORE_SEED`]. `None` without a task, or where a task has no trial.
///
/// The draws lie around the prior's means, a little nearer to one half than S/N. Where all or nothing is right all of them
/// can lie on one side of the score: then the interval is widened as far as the score.
#[must_use]
pub fn reason_score(tasks: &[TaskTrials], confidence: Confidence) -> Option<ReasonScore> {
    if tasks.is_empty() {
        return None;
    }
    let shares: Vec<(f64, f64)> = tasks
        .iter()
        .map(|task| (task.trials > 0.0).then(|| (task.successes.clamp(0.0, task.trials), task.trials)))
        .collect::<Option<_>>()?;
    let score = geometric_mean(shares.iter().map(|(successes, trials)| successes / trials));
    // X / (X + Y) of X ~ Gamma(a), Y ~ Gamma(b) is Beta(a, b).
    let gammas: Vec<(Gamma<f64>, Gamma<f64>)> = shares
        .iter()
        .map(|(successes, trials)| {
            Some((Gamma::new(successes + 0.5, 1.0).ok()?, Gamma::new(trials - successes + 0.5, 1.0).ok()?))
        })
        .collect::<Option<_>>()?;
    let mut random = ChaCha8Rng::seed_from_u64(SCORE_SEED);
    let mut draws: Vec<f64> = (0..SCORE_DRAWS)
        .map(|_| {
            geometric_mean(gammas.iter().map(|(right, wrong)| {
                let (right, wrong) = (right.sample(&mut random), wrong.sample(&mut random));
                right / (right + wrong)
            }))
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence.level()) / 2.0;
    let interval =
        Interval { lower: percentile(&draws, tail).min(score), upper: percentile(&draws, 1.0 - tail).max(score) };
    Some(ReasonScore { score, interval })
}

/// 1000 × the geometric mean of the shares, none of them below [`FLOOR`] or above 1.
fn geometric_mean(shares: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = shares.len() as f64;
    // One logarithm for as many factors as keep far from the smallest number there is.
    let (mut logs, mut product) = (0.0, 1.0_f64);
    for share in shares {
        product *= share.clamp(FLOOR, 1.0);
        if product < 1e-200 {
            logs += product.ln();
            product = 1.0;
        }
    }
    1000.0 * ((logs + product.ln()) / n).exp()
}

/// The value at a share of sorted numbers, between two of them linearly (Hyndman and Fan 1996, type 7).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list")]
    let at = place.floor() as usize;
    let next = sorted[(at + 1).min(sorted.len() - 1)];
    sorted[at] + (next - sorted[at]) * (place - at as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::Binomial;
    use rayon::prelude::*;

    fn tasks(counts: &[(f64, f64)]) -> Vec<TaskTrials> {
        counts.iter().map(|(successes, trials)| TaskTrials { successes: *successes, trials: *trials }).collect()
    }

    #[test]
    fn scores() {
        let score = |counts: &[(f64, f64)]| reason_score(&tasks(counts), Confidence::default());
        assert_eq!(score(&[]), None);
        assert_eq!(score(&[(1.0, 2.0), (0.0, 0.0)]), None, "a task without trials has no share");
        let known = score(&[(50.0, 100.0), (20.0, 25.0)]).expect("defined");
        assert!((known.score - 1000.0 * 0.4_f64.sqrt()).abs() < 1e-9);
        assert!(known.interval.lower < known.score && known.score < known.interval.upper);
        assert_eq!(score(&[(50.0, 100.0), (20.0, 25.0)]), Some(known), "the seed is fixed");
        let below_chance = score(&[(-3.0, 100.0)]).expect("defined");
        assert!((below_chance.score - 10.0).abs() < 1e-9 && (below_chance.interval.lower - 10.0).abs() < 1e-9);
        let all_right = score(&[(8.0, 8.0)]).expect("defined");
        assert!((all_right.score - 1000.0).abs() < 1e-9 && all_right.interval.lower < 900.0);
        assert_eq!(all_right.interval.upper, all_right.score, "the interval holds the score");
        let many = score(&[(0.0, 100.0); 400]).expect("defined");
        assert!((many.score - 10.0).abs() < 1e-9, "400 factors do not underflow: {many:?}");
        let wide = reason_score(&tasks(&[(50.0, 100.0)]), Confidence::new(0.99).expect("a level")).expect("defined");
        let narrow = reason_score(&tasks(&[(50.0, 100.0)]), Confidence::new(0.5).expect("a level")).expect("defined");
        assert!(wide.interval.lower < narrow.interval.lower && narrow.interval.upper < wide.interval.upper);
    }

    /// Of 2,000 evaluations drawn from known shares, intervals of 95 % hold the true score in 93 to 97 %.
    #[test]
    fn intervals_cover_what_they_promise() {
        let shares = [0.06, 0.15, 0.3, 0.45, 0.5, 0.62, 0.7, 0.78, 0.85, 0.9, 0.95, 0.97];
        let truth = geometric_mean(shares.into_iter());
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for n_trials in [60_u32, 400] {
            let mut counts = || -> Vec<(f64, f64)> {
                let draw = |share: &f64| {
                    let right = Binomial::new(u64::from(n_trials), *share).expect("a share").sample(&mut random);
                    (right as f64, f64::from(n_trials))
                };
                shares.iter().map(draw).collect()
            };
            let evaluations: Vec<Vec<(f64, f64)>> = (0..2000).map(|_| counts()).collect();
            let is_covered = |counts: &&Vec<(f64, f64)>| {
                let interval = reason_score(&tasks(counts), Confidence::default()).expect("defined").interval;
                interval.lower <= truth && truth <= interval.upper
            };
            let n_covered = evaluations.par_iter().filter(is_covered).count();
            let coverage = n_covered as f64 / 2000.0;
            assert!((0.93..=0.97).contains(&coverage), "{n_trials} trials a task: {coverage}");
        }
    }

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
