//! Comparisons of two groups of trials (statistics.md, section 4).

use super::proportion::{Interval, wilson};

/// Exact two-sided McNemar test: the chance, if both were equally good, of discordant pairs split at least as unevenly
/// as `only_first` against `only_second`; twice the binomial tail at one half, at most 1 (Q. McNemar, Psychometrika
/// 12, 1947; exact form: Fay, The R Journal 2, 2010). 1 if there is no discordant pair.
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
    (2.0 * tail).min(1.0)
}

/// Newcombe's score interval of the difference p₁ − p₂ of two independent proportions, each (successes, trials):
/// d − √((p₁−l₁)² + (u₂−p₂)²) .. d + √((u₁−p₁)² + (p₂−l₂)²) with the Wilson ends l, u (R. G. Newcombe, Statistics in
/// Medicine 17, 1998, method 10). The ends lie within −1..=1. `None` unless both have trials.
#[must_use]
pub fn newcombe_difference(first: (f64, f64), second: (f64, f64), z: f64) -> Option<Interval> {
    let ends = |(successes, trials): (f64, f64)| {
        let interval = wilson(successes, trials, z)?.interval();
        Some((successes / trials, interval))
    };
    let ((p1, first), (p2, second)) = (ends(first)?, ends(second)?);
    let difference = p1 - p2;
    Some(Interval {
        lower: difference - (p1 - first.lower).hypot(second.upper - p2),
        upper: difference + (first.upper - p1).hypot(p2 - second.lower),
    })
}

#[cfg(test)]
mod tests {
    use super::super::proportion::Z_95;
    use super::*;

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
        let interval = newcombe_difference((56.0, 70.0), (48.0, 80.0), Z_95).expect("defined");
        assert!((interval.lower - 0.052_431_472_5).abs() < 1e-10, "{interval:?}");
        assert!((interval.upper - 0.333_872_654_0).abs() < 1e-10, "{interval:?}");
        assert_eq!(newcombe_difference((0.0, 0.0), (1.0, 2.0), Z_95), None);
    }
}
