//! Comparisons of two groups of trials (statistics.md, section 4).

use super::proportion::{Interval, wilson};
use super::quantile::{Confidence, Z_POWER_80, student_p, student_t};

/// Exact two-sided McNemar test: the chance, if both were equally good, of discordant pairs split at least as unevenly
/// as `only_first` against `only_second`; twice the binomial tail at one half, at most 1 (Q. McNemar, Psychometrika
/// 12, 1947; exact form: Fay, The R Journal 2, 2010). 1 if there is no discordant pair. A chance too small for a number is
/// the smallest there is, 2.2e-308: never 0.
#[must_use]
pub fn mcnemar_exact(only_first: u64, only_second: u64) -> f64 {
    let pairs = only_first + only_second;
    let fewer = only_first.min(only_second);
    let log_half = 0.5_f64.ln() * pairs as f64;
    // ln C(n, k) grows with k up to n/2, so the sum is dominated by its last terms; log space keeps it exact for any n.
    let mut log_choose = 0.0;
    let mut tail = 0.0;
    for k in 0..=fewer {
        if k > 0 {
            log_choose += ((pairs - k + 1) as f64).ln() - (k as f64).ln();
        }
        tail += (log_choose + log_half).exp();
    }
    (2.0 * tail).clamp(f64::MIN_POSITIVE, 1.0)
}

/// Newcombe's score interval of the difference p₁ − p₂ of two proportions, each (successes, trials), which are correlated
/// by φ, 0 if they are independent: the formula of [`newcombe_paired`]. The ends lie within −1..=1. `None` unless both have
/// trials.
fn newcombe(first: (f64, f64), second: (f64, f64), correlation: f64, z: f64) -> Option<Interval> {
    let ends = |(successes, trials): (f64, f64)| {
        let interval = wilson(successes, trials, z)?.interval();
        Some((successes / trials, interval))
    };
    let ((p1, first), (p2, second)) = (ends(first)?, ends(second)?);
    // Rounding may leave a little less than nothing under the root.
    let side = |x: f64, y: f64| (x * x - 2.0 * correlation * x * y + y * y).max(0.0).sqrt();
    Some(Interval {
        lower: p1 - p2 - side(p1 - first.lower, second.upper - p2),
        upper: p1 - p2 + side(first.upper - p1, p2 - second.lower),
    })
}

/// How two evaluations did on the same questions: shares of questions, which need not be whole numbers where repetitions
/// were averaged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairTable {
    /// Both right.
    pub both: f64,
    /// Only the first right.
    pub only_first: f64,
    /// Only the second right.
    pub only_second: f64,
    /// Both wrong.
    pub neither: f64,
}

/// Newcombe's score interval of the difference p₁ − p₂ of paired proportions: with Wilson ends l, u of each, and the
/// correlation φ of the pairs, d − √((p₁−l₁)² − 2φ(p₁−l₁)(u₂−p₂) + (u₂−p₂)²) .. d + √((u₁−p₁)² − 2φ(u₁−p₁)(p₂−l₂) +
/// (p₂−l₂)²). In φ = (ad − bc) / √((a+b)(c+d)(a+c)(b+d)) a positive numerator is lessened by n/2, at most to 0; φ is 0 where
/// the root is (R. G. Newcombe, Statistics in Medicine 17, 1998, 2635–2650, method 10). `None` without a pair.
#[must_use]
pub fn newcombe_paired(table: &PairTable, z: f64) -> Option<Interval> {
    let PairTable { both: a, only_first: b, only_second: c, neither: d } = *table;
    let n = a + b + c + d;
    let root = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
    let excess = a * d - b * c;
    let excess = if excess > 0.0 { (excess - n / 2.0).max(0.0) } else { excess };
    let correlation = if root > 0.0 { excess / root } else { 0.0 };
    newcombe((a + b, n), (a + c, n), correlation, z)
}

/// Whether each question was asked once of each evaluation, or several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Once: the pairs are right or wrong.
    Once,
    /// Several times: the pairs are shares of right answers.
    Repeatedly {
        /// The fewest times that one of them was asked one of the questions: 1/times is the least difference that a
        /// question can show.
        times: u64,
    },
}

/// Two evaluations on the questions that both were asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedComparison {
    /// Questions m.
    pub n_questions: usize,
    /// Mean of the first.
    pub first: f64,
    /// Mean of the second.
    pub second: f64,
    /// Mean of the differences, first − second.
    pub difference: f64,
    /// Its interval.
    pub interval: Interval,
    /// p of no difference; `None` where it is not defined.
    pub p: Option<f64>,
    /// How many questions were answered right by whom.
    pub table: PairTable,
    /// The true difference that would be found significant with 80 % chance; `None` where it is not defined, or where no
    /// difference would be: shares differ by 1 at most.
    pub least_detectable: Option<f64>,
}

/// Compares two evaluations on the same questions; each pair is the share of right answers of the first and the second.
///
/// Asked once: [`newcombe_paired`], [`mcnemar_exact`], and for the least detectable difference (z + Φ⁻¹(0.8)) SE with the
/// standard error of Bonett and Price (Journal of Educational and Behavioral Statistics 37, 2012), which adds one to both
/// kinds of discordant pairs and so is never 0.
///
/// Asked repeatedly: differences d_i have the mean d and SE = sd/√m; the interval d ± t SE with Student's quantile of m − 1
/// degrees of freedom, within −1..=1, its t test, and (z + Φ⁻¹(0.8)) SE (Miller, arXiv 2411.00640, section 4). All three
/// take the same SE, so that the interval leaves out 0 where p is below 1 − level. Where nothing or next to nothing differs,
/// sd is 0 by luck and would promise certainty. So SE is at least √2 s/(m + 2), with the least difference s = 1/times that
/// a question can show: what Bonett and Price's standard error, in units of s, is without a discordant pair. No differences
/// then give no wider interval than a few do. One question alone has no deviation: the interval is Newcombe's of the averaged
/// table, and the two others are not defined.
///
/// `None` without a pair.
#[must_use]
pub fn compare_paired(pairs: &[(f64, f64)], asked: Asked, confidence: Confidence) -> Option<PairedComparison> {
    let z = confidence.z();
    let m = pairs.len() as f64;
    let mut table = PairTable::default();
    for (first, second) in pairs {
        table.both += first * second;
        table.only_first += first * (1.0 - second);
        table.only_second += (1.0 - first) * second;
        table.neither += (1.0 - first) * (1.0 - second);
    }
    let newcombe = newcombe_paired(&table, z)?;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / m;
    let (first, second) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let difference = mean(|pair| pair.0 - pair.1);
    let (interval, p, least_detectable) = match asked {
        Asked::Once => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
            let p = mcnemar_exact(table.only_first.round() as u64, table.only_second.round() as u64);
            let (b, c) = ((table.only_first + 1.0) / (m + 2.0), (table.only_second + 1.0) / (m + 2.0));
            let error = ((b + c - (b - c).powi(2)) / (m + 2.0)).sqrt();
            (newcombe, Some(p), Some((z + Z_POWER_80) * error))
        }
        Asked::Repeatedly { times } => {
            let squares: f64 = pairs.iter().map(|pair| (pair.0 - pair.1 - difference).powi(2)).sum();
            let least_error = std::f64::consts::SQRT_2 / times.max(1) as f64 / (m + 2.0);
            let error = (squares / (m - 1.0) / m).sqrt().max(least_error);
            match student_t(confidence, pairs.len()) {
                Some(t) => {
                    let (lower, upper) = (difference - t * error, difference + t * error);
                    let interval = Interval { lower: lower.max(-1.0), upper: upper.min(1.0) };
                    (interval, student_p(difference / error, pairs.len()), Some((z + Z_POWER_80) * error))
                }
                None => (newcombe, None, None),
            }
        }
    };
    let least_detectable = least_detectable.filter(|least| *least <= 1.0);
    Some(PairedComparison { n_questions: pairs.len(), first, second, difference, interval, p, table, least_detectable })
}

/// p values adjusted so that, of those called significant, at most the share `p` is expected to be false: of n sorted
/// values the i-th becomes min over j ≥ i of p_j n/j, at most 1 (Benjamini and Hochberg, JRSS B 57, 1995). In the order
/// given.
#[must_use]
pub fn benjamini_hochberg(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let (mut adjusted, mut least) = (vec![1.0; n], 1.0_f64);
    for (position, at) in order.into_iter().enumerate() {
        least = least.min(values[at] * n as f64 / (n - position) as f64);
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::super::proportion::Z_95;
    use super::*;

    fn table(both: f64, only_first: f64, only_second: f64, neither: f64) -> PairTable {
        PairTable { both, only_first, only_second, neither }
    }

    #[track_caller]
    fn check_paired(table: PairTable, lower: f64, upper: f64) {
        let interval = newcombe_paired(&table, Z_95).expect("defined");
        assert!((interval.lower - lower).abs() < 5e-4 && (interval.upper - upper).abs() < 5e-4, "{interval:?}");
    }

    /// Published: airway hyper-responsiveness before and after stem cell transplantation (Fagerland, Lydersen and Laake,
    /// Statistics in Medicine 33, 2014).
    #[test]
    fn newcombe_paired_vectors() {
        check_paired(table(1.0, 1.0, 7.0, 12.0), -0.507, -0.026);
        assert_eq!(newcombe_paired(&PairTable::default(), Z_95), None);
        // Without pairs that differ there still is no certainty.
        let same = newcombe_paired(&table(10.0, 0.0, 0.0, 0.0), Z_95).expect("defined");
        assert!(same.lower < -0.2 && same.upper > 0.2, "{same:?}");
    }

    /// statsmodels: `multipletests([0.01, 0.04, 0.03, 0.005, 0.8], method="fdr_bh")`.
    #[test]
    fn adjusted_p() {
        let adjusted = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.8]);
        for (found, expected) in adjusted.iter().zip([0.025, 0.05, 0.05, 0.025, 0.8]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(benjamini_hochberg(&[]), Vec::<f64>::new());
    }

    #[test]
    fn asked_once() {
        let pairs: Vec<(f64, f64)> = [(1.0, 1.0, 30), (1.0, 0.0, 5), (0.0, 1.0, 15), (0.0, 0.0, 50)]
            .into_iter()
            .flat_map(|(first, second, n)| std::iter::repeat_n((first, second), n))
            .collect();
        let found = compare_paired(&pairs, Asked::Once, Confidence::default()).expect("defined");
        assert!((found.difference + 0.1).abs() < 1e-12 && (found.first - 0.35).abs() < 1e-12);
        assert!((found.p.expect("defined") - 0.041_389_465_3).abs() < 1e-10);
        assert_eq!(Some(found.interval), newcombe_paired(&table(30.0, 5.0, 15.0, 50.0), Z_95));
        let least = found.least_detectable.expect("defined");
        assert!((0.11..0.14).contains(&least), "2.8 standard errors of about 0.045: {least}");
        assert_eq!(compare_paired(&[], Asked::Once, Confidence::default()), None);
    }

    #[test]
    fn asked_repeatedly() {
        let pairs = [(0.5, 0.25), (1.0, 0.5), (0.25, 0.5), (0.75, 0.25)];
        let four_times = Asked::Repeatedly { times: 4 };
        let found = compare_paired(&pairs, four_times, Confidence::default()).expect("defined");
        // Differences 0.25, 0.5, −0.25, 0.5: mean 0.25, sd² = 0.125, SE = √(0.125/4).
        assert!((found.difference - 0.25).abs() < 1e-12);
        let error = 0.125_f64.sqrt() / 2.0;
        // scipy: `stats.t.ppf(0.975, 3)` and `stats.ttest_1samp([0.25, 0.5, -0.25, 0.5], 0).pvalue`.
        assert!((found.interval.upper - (0.25 + 3.182_446_305_284 * error)).abs() < 1e-9, "{found:?}");
        assert!((found.p.expect("defined") - 0.252_215_496_4).abs() < 1e-9, "{found:?}");
        let one = compare_paired(&[(0.5, 0.5)], four_times, Confidence::default()).expect("defined");
        assert_eq!((one.p, one.least_detectable, one.difference), (None, None, 0.0));
        assert!(one.interval.lower < -0.3 && one.interval.upper > 0.3, "{one:?}");
    }

    /// The width of the interval where the first `n_better` of 100 questions differ by the least that four repetitions can
    /// show.
    fn width(n_better: usize) -> f64 {
        let pairs: Vec<(f64, f64)> = (0..100).map(|at| (1.0, if at < n_better { 0.75 } else { 1.0 })).collect();
        let four_times = Asked::Repeatedly { times: 4 };
        let found = compare_paired(&pairs, four_times, Confidence::default()).expect("defined");
        let Interval { lower, upper } = found.interval;
        let is_told = found.p.expect("defined") < 0.05;
        assert_eq!(is_told, lower > 0.0 || upper < 0.0, "{n_better}: p and the interval say the same: {found:?}");
        upper - lower
    }

    #[test]
    fn no_difference_is_not_less_certain_than_a_few() {
        let widths: Vec<f64> = [0, 1, 2, 5, 10, 20].map(width).into();
        assert!(widths.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{widths:?}");
        assert!(widths[0] > 0.01, "nor is it certain: {widths:?}");
    }

    #[test]
    fn what_cannot_be() {
        let one = compare_paired(&[(1.0, 0.0)], Asked::Once, Confidence::default()).expect("defined");
        assert_eq!(one.least_detectable, None, "shares differ by 1 at most");
        let sure = mcnemar_exact(0, 100_000);
        assert!(sure > 0.0 && sure < 1e-300, "{sure}");
        let always: Vec<(f64, f64)> = vec![(1.0, 0.0); 3];
        let found = compare_paired(&always, Asked::Repeatedly { times: 2 }, Confidence::default()).expect("defined");
        assert!(found.interval.upper <= 1.0 && found.interval.lower < 1.0, "{found:?}");
    }

    #[test]
    fn mcnemar_vectors() {
        assert!((mcnemar_exact(5, 15) - 0.041_389_465_3).abs() < 1e-10);
        assert!((mcnemar_exact(15, 5) - 0.041_389_465_3).abs() < 1e-10);
        assert_eq!(mcnemar_exact(0, 0), 1.0);
        assert_eq!(mcnemar_exact(7, 7), 1.0);
        assert_eq!(mcnemar_exact(0, 1), 1.0);
        assert!((mcnemar_exact(0, 10) - 2.0 / 1024.0).abs() < 1e-12);
        let many = mcnemar_exact(50_000, 51_000);
        assert!((0.0016..0.0017).contains(&many), "normal approximation: 0.00166; {many}");
    }

    #[test]
    fn newcombe_vector() {
        let interval = newcombe((56.0, 70.0), (48.0, 80.0), 0.0, Z_95).expect("defined");
        assert!((interval.lower - 0.052_431_472_5).abs() < 1e-10, "{interval:?}");
        assert!((interval.upper - 0.333_872_654_0).abs() < 1e-10, "{interval:?}");
        assert_eq!(newcombe((0.0, 0.0), (1.0, 2.0), 0.0, Z_95), None);
    }
}
