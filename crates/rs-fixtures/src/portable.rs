//! Floating-point functions made of exactly rounded operations only. The ones of the standard library may differ in the
//! last bit between platforms, and the fixtures must not.

const LN_2: f64 = std::f64::consts::LN_2;

/// e to the `x`, to about 1e-15, for |x| < 700.
pub(crate) fn exp(x: f64) -> f64 {
    let halvings = (x / LN_2).round();
    let rest = x - halvings * LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..=16 {
        term *= rest / f64::from(n);
        sum += term;
    }
    let factor = if halvings < 0.0 { 0.5 } else { 2.0 };
    for _ in 0..halvings.abs() as u32 {
        sum *= factor;
    }
    sum
}

/// 1 / (1 + e to the `-x`).
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// Sine and cosine of an angle in degrees, to about 1e-12.
pub(crate) fn sine_cosine(degrees: f64) -> (f64, f64) {
    let turned = degrees - 360.0 * (degrees / 360.0).round();
    let angle = turned * (std::f64::consts::PI / 180.0);
    let mut sine = 0.0;
    let mut cosine = 0.0;
    let mut term = 1.0;
    for n in 0..30_u32 {
        match n % 4 {
            0 => cosine += term,
            1 => sine += term,
            2 => cosine -= term,
            _ => sine -= term,
        }
        term *= angle / f64::from(n + 1);
    }
    (sine, cosine)
}

#[cfg(test)]
mod tests {
    use super::{exp, logistic, sine_cosine};

    #[test]
    fn they_agree_with_the_standard_library() {
        for step in -40..=40 {
            let x = f64::from(step) * 0.37;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "{x}");
            let (sine, cosine) = sine_cosine(x * 40.0);
            let (expected_sine, expected_cosine) = (x * 40.0).to_radians().sin_cos();
            assert!((sine - expected_sine).abs() < 1e-9, "{x}");
            assert!((cosine - expected_cosine).abs() < 1e-9, "{x}");
        }
        assert!((logistic(0.0) - 0.5).abs() < 1e-15);
    }
}
