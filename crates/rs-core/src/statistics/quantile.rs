//! Quantiles: from a confidence level to the z of intervals, and back from a test statistic to its p.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::proportion::{CONFIDENCE_LEVEL, Z_95};

/// A confidence level that no interval can have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("expected a confidence level above 0 and below 1, like 0.95; found `{0}`")]
pub struct ConfidenceError(pub String);

/// Confidence level of intervals: above 0, below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    level: f64,
    z: f64,
}

impl Default for Confidence {
    /// 95 %, as in everything that is stored.
    fn default() -> Self {
        Self { level: CONFIDENCE_LEVEL, z: Z_95 }
    }
}

impl Confidence {
    /// A level, like 0.95.
    ///
    /// # Errors
    /// It is not above 0 and below 1.
    pub fn new(level: f64) -> Result<Self, ConfidenceError> {
        if !(level > 0.0 && level < 1.0) {
            return Err(ConfidenceError(level.to_string()));
        }
        if level == CONFIDENCE_LEVEL {
            return Ok(Self::default());
        }
        Ok(Self { level, z: standard_normal().inverse_cdf(f64::midpoint(1.0, level)) })
    }

    /// The level.
    #[must_use]
    pub fn level(self) -> f64 {
        self.level
    }

    /// The two-sided quantile of the standard normal distribution: Φ⁻¹((1 + level) / 2).
    #[must_use]
    pub fn z(self) -> f64 {
        self.z
    }
}

impl std::str::FromStr for Confidence {
    type Err = ConfidenceError;

    fn from_str(text: &str) -> Result<Self, ConfidenceError> {
        text.parse().ok().and_then(|level| Self::new(level).ok()).ok_or_else(|| ConfidenceError(text.to_owned()))
    }
}

fn standard_normal() -> Normal {
    Normal::new(0.0, 1.0).expect("a standard deviation of 1 is positive")
}

/// Φ⁻¹(0.8): a study of 80 % power.
pub(super) const Z_POWER_80: f64 = 0.841_621_233_572_914_3;

/// Two-sided p of a mean that lies `t` standard errors from 0, over `n` independent differences (Student's t test with
/// n − 1 degrees of freedom). One too small for a number is the smallest there is: never 0. `None` for fewer than two.
#[must_use]
pub(super) fn student_p(t: f64, n: usize) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let student = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some((2.0 * student.sf(t.abs())).clamp(f64::MIN_POSITIVE, 1.0))
}

/// The two-sided quantile of Student's t distribution with n − 1 degrees of freedom, for the mean of `n` independent
/// differences. `None` for fewer than two.
#[must_use]
pub(super) fn student_t(confidence: Confidence, n: usize) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let student = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(student.inverse_cdf(f64::midpoint(1.0, confidence.level())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z_of_levels() {
        for (level, z) in [(0.8, 1.281_551_565_545), (0.9, 1.644_853_626_951), (0.95, Z_95), (0.99, 2.575_829_303_549)]
        {
            assert!((Confidence::new(level).expect("is a level").z() - z).abs() < 1e-9, "{level}");
        }
        assert!((standard_normal().inverse_cdf(0.8) - Z_POWER_80).abs() < 1e-9);
        assert!((standard_normal().inverse_cdf(0.975) - Z_95).abs() < 1e-9);
        for wrong in ["0", "1", "95", "x", "NaN", "-0.5"] {
            assert!(wrong.parse::<Confidence>().is_err(), "{wrong}");
        }
    }

    /// scipy: `2 * stats.t.sf(2.5, 9)`.
    #[test]
    fn p_of_t() {
        assert!((student_p(2.5, 10).expect("defined") - 0.033_861_827_683).abs() < 1e-9);
        assert_eq!(student_p(1.0, 1), None);
        let surest = student_p(1e12, 2000).expect("defined");
        assert!(surest > 0.0 && surest < 1e-300, "{surest}");
    }

    /// scipy: `stats.t.ppf(0.975, n - 1)`.
    #[test]
    fn quantiles_of_t() {
        for (n, t) in [(4, 3.182_446_305_284), (100, 1.984_216_951_586), (12_346, 1.960_156_167_600)] {
            assert!((student_t(Confidence::default(), n).expect("defined") - t).abs() < 1e-8, "{n}");
        }
        assert_eq!(student_t(Confidence::default(), 1), None);
    }
}
