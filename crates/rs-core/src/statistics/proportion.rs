//! One group of trials: chance-corrected accuracy, its Wilson interval, truncation (statistics.md, section 1).

/// Confidence level of every interval that is stored.
pub const CONFIDENCE_LEVEL: f64 = 0.95;

/// Two-sided 95 % quantile of the standard normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// An interval. One of a proportion has both ends within 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// Centre and half-width of a Wilson score interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wilson {
    /// Centre: the observed proportion, drawn towards one half.
    pub center: f64,
    /// Half-width.
    pub margin: f64,
}

impl Wilson {
    /// Centre ± margin, clamped to 0..=1. An end that is as near to 0 or 1 as rounding leaves it is 0 or 1: for no success
    /// centre and margin are the same but for their last digits.
    #[must_use]
    pub fn interval(self) -> Interval {
        let noise = 8.0 * f64::EPSILON;
        let (lower, upper) = (self.center - self.margin, self.center + self.margin);
        Interval {
            lower: if lower <= noise * self.center { 0.0 } else { lower.min(1.0) },
            upper: if upper >= 1.0 - noise { 1.0 } else { upper.max(0.0) },
        }
    }
}

/// Wilson score interval of `successes` (clamped to 0..=`trials`) in `trials`; both may be fractions.
///
/// With p = s/n: centre = (p + z²/2n) / (1 + z²/n), margin = z √(p(1−p)/n + z²/4n²) / (1 + z²/n)
/// (E. B. Wilson, Probable Inference, JASA 22, 1927). `None` unless `trials` > 0.
///
/// ```
/// use rs_core::statistics::{Z_95, wilson};
///
/// let interval = wilson(1.0, 10.0, Z_95).map(|wilson| wilson.interval());
/// assert!(interval.is_some_and(|interval| (interval.upper - 0.4041500268).abs() < 1e-10));
/// assert_eq!(wilson(0.0, 0.0, Z_95), None);
/// ```
#[must_use]
pub fn wilson(successes: f64, trials: f64, z: f64) -> Option<Wilson> {
    if trials.is_nan() || trials <= 0.0 {
        return None;
    }
    let p = successes.clamp(0.0, trials) / trials;
    let z_squared = z * z;
    let scale = 1.0 + z_squared / trials;
    Some(Wilson {
        center: (p + z_squared / (2.0 * trials)) / scale,
        margin: z * (p * (1.0 - p) / trials + z_squared / (4.0 * trials * trials)).sqrt() / scale,
    })
}

/// Raw counters of a group of trials; everything else follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counters {
    /// Answered right.
    pub correct: u64,
    /// Answered without a readable answer.
    pub invalid: u64,
    /// Answered trials: truncated ones and errors are not among them.
    pub answered: u64,
    /// Trials lost to the token or context limit.
    pub truncated: u64,
    /// Sum of the chances of a blind guess over the answered trials.
    pub guess_sum: f64,
}

impl Counters {
    /// Adjusted successes S = correct − G: what was right beyond what guessing gives. May be negative.
    #[must_use]
    pub fn adjusted_successes(&self) -> f64 {
        self.correct as f64 - self.guess_sum
    }

    /// Adjusted trials N = answered − G.
    #[must_use]
    pub fn adjusted_trials(&self) -> f64 {
        self.answered as f64 - self.guess_sum
    }

    /// Adjusted (excess) accuracy S / N: 0 at chance, 1 if all is right, negative below chance. `None` for N ≤ 0.
    #[must_use]
    pub fn adjusted_accuracy(&self) -> Option<f64> {
        let trials = self.adjusted_trials();
        (trials > 0.0).then(|| self.adjusted_successes() / trials)
    }

    /// Wilson interval of (S, N) at 95 %. `None` for N ≤ 0.
    #[must_use]
    pub fn adjusted_wilson(&self) -> Option<Wilson> {
        wilson(self.adjusted_successes(), self.adjusted_trials(), Z_95)
    }

    /// Truncated trials over answered and truncated ones. `None` if there are none of either.
    #[must_use]
    pub fn truncated_ratio(&self) -> Option<f64> {
        let trials = self.answered + self.truncated;
        (trials > 0).then(|| self.truncated as f64 / trials as f64)
    }

    /// Answered trials without a readable answer, over the answered. `None` if none was answered.
    #[must_use]
    pub fn invalid_ratio(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.invalid as f64 / self.answered as f64)
    }

    /// Trials of [`Counters::p_success`]: answered + truncated − G.
    #[must_use]
    pub fn success_trials(&self) -> f64 {
        (self.answered + self.truncated) as f64 - self.guess_sum
    }

    /// (correct − G) / (answered + truncated − G): a truncation is a lost trial that cannot be a lucky guess.
    /// `None` where the denominator is not positive.
    #[must_use]
    pub fn p_success(&self) -> Option<f64> {
        let trials = self.success_trials();
        (trials > 0.0).then(|| self.adjusted_successes() / trials)
    }

    /// Wilson interval of [`Counters::p_success`] at 95 %. `None` where that is.
    #[must_use]
    pub fn success_wilson(&self) -> Option<Wilson> {
        wilson(self.adjusted_successes(), self.success_trials(), Z_95)
    }
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.correct += other.correct;
        self.invalid += other.invalid;
        self.answered += other.answered;
        self.truncated += other.truncated;
        self.guess_sum += other.guess_sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_ends(successes: f64, trials: f64, lower: f64, upper: f64) {
        let interval = wilson(successes, trials, Z_95).expect("trials > 0").interval();
        assert!((interval.lower - lower).abs() < 1e-10, "{interval:?}");
        assert!((interval.upper - upper).abs() < 1e-10, "{interval:?}");
    }

    /// statsmodels and scipy agree on these to 1e-10.
    #[test]
    fn wilson_vectors() {
        check_ends(0.0, 1.0, 0.0, 0.793_450_685_6);
        check_ends(1.0, 1.0, 0.206_549_314_4, 1.0);
        check_ends(0.0, 10.0, 0.0, 0.277_532_799_9);
        check_ends(1.0, 10.0, 0.017_876_213_1, 0.404_150_026_8);
        check_ends(5.0, 10.0, 0.236_593_090_5, 0.763_406_909_5);
        check_ends(3.0, 100.0, 0.010_254_524_0, 0.084_519_364_3);
        check_ends(81.0, 263.0, 0.255_288_519_9, 0.366_209_577_0);
        check_ends(640.0, 1000.0, 0.609_766_237_4, 0.669_162_270_2);
        check_ends(999.0, 1000.0, 0.994_357_441_4, 0.999_823_453_6);
    }

    /// Of no success and of nothing else, at any number of trials.
    #[test]
    fn ends_at_0_and_1_are_0_and_1() {
        for trials in 1..2000 {
            for trials in [f64::from(trials), f64::from(trials) + 1.0 / 3.0] {
                let ends = |successes: f64| wilson(successes, trials, Z_95).expect("trials > 0").interval();
                assert_eq!((ends(0.0).lower, ends(trials).upper), (0.0, 1.0), "{trials}");
                assert!(ends(0.01).lower > 0.0 && ends(trials - 0.01).upper < 1.0, "{trials}");
            }
        }
    }

    #[test]
    fn published_point() {
        let point = Counters { correct: 337, answered: 888, truncated: 8, guess_sum: 74.0, invalid: 0 };
        assert_eq!((point.adjusted_successes(), point.adjusted_trials()), (263.0, 814.0));
        assert!((point.adjusted_accuracy().expect("defined") - 0.323_096).abs() < 5e-7);
        let wilson = wilson(263.0, 814.0, 1.96).expect("defined");
        assert!((wilson.center - 0.323_927).abs() < 5e-7, "{wilson:?}");
        assert!((wilson.margin - 0.032_062_4).abs() < 5e-8, "{wilson:?}");
        assert!((point.truncated_ratio().expect("defined") - 0.008_928_6).abs() < 5e-8);
    }

    #[test]
    fn truncated_ratio_vectors() {
        for (truncated, answered, percent) in [(103, 2201, 4.47), (339, 2061, 14.1), (182, 4746, 3.69)] {
            let ratio = Counters { truncated, answered, ..Counters::default() }.truncated_ratio().expect("defined");
            assert!((ratio * 100.0 - percent).abs() < 0.05, "{ratio}");
        }
    }

    #[test]
    fn undefined_is_none() {
        let nothing = Counters::default();
        assert_eq!(nothing.adjusted_accuracy(), None);
        assert_eq!(nothing.adjusted_wilson(), None);
        assert_eq!(nothing.truncated_ratio(), None);
        assert_eq!(nothing.invalid_ratio(), None);
        assert_eq!(nothing.p_success(), None);
        let all_truncated = Counters { truncated: 4, ..nothing };
        assert_eq!(all_truncated.adjusted_accuracy(), None);
        assert_eq!(all_truncated.p_success(), Some(0.0));
        let sure_guess = Counters { correct: 2, answered: 2, guess_sum: 2.0, ..nothing };
        assert_eq!(sure_guess.adjusted_accuracy(), None);
        assert_eq!(wilson(1.0, f64::NAN, Z_95), None);
    }

    #[test]
    fn below_chance_stays_negative() {
        let point = Counters { correct: 1, answered: 10, guess_sum: 5.0, ..Counters::default() };
        assert_eq!(point.adjusted_accuracy(), Some(-0.8));
        assert_eq!(point.adjusted_wilson(), wilson(0.0, 5.0, Z_95));
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_proportion(trials in 1_u32..100_000, share in 0.0_f64..=1.0) {
            let trials = f64::from(trials);
            let interval = wilson(share * trials, trials, Z_95).expect("trials > 0").interval();
            prop_assert!(interval.lower <= share + 1e-12 && share <= interval.upper + 1e-12);
            prop_assert!(interval.lower >= 0.0 && interval.upper <= 1.0);
        }
    }
}
