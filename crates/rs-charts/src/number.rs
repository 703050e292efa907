//! Numbers as people read them. Here alone they are rounded for text.

use crate::estimate::Estimate;

/// The minus sign, as wide as the plus.
const MINUS: &str = "\u{2212}";

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With so many digits after the point, and a real minus sign; never `−0`. In powers of ten from a billion on.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    // Nobody counts that many digits, and no column has room for them.
    let text = if value.abs() < 1e9 { format!("{value:.digits$}") } else { format!("{value:.1e}") };
    match text.strip_prefix('-') {
        Some(positive) if positive.bytes().all(|byte| matches!(byte, b'0' | b'.')) => positive.to_owned(),
        Some(positive) => format!("{MINUS}{positive}"),
        None => text,
    }
}

/// A share of one as table cells have it: `.87`, `1.0`, `−.03`.
pub(crate) fn share(value: f64) -> String {
    let text = fixed(value, 2);
    match text.as_str() {
        "1.00" => "1.0".to_owned(),
        _ => text.replacen("0.", ".", 1),
    }
}

/// A share of one in whole percent, or `<1 %` and `>99 %` where rounding would say none or all.
pub(crate) fn percent(ratio: f64) -> String {
    match ratio.clamp(0.0, 1.0) * 100.0 {
        percent if percent > 0.0 && percent < 1.0 => "<1 %".to_owned(),
        percent if percent > 99.0 && percent < 100.0 => ">99 %".to_owned(),
        percent => format!("{} %", fixed(percent, 0)),
    }
}

/// How much was cut off, in percent, as tables write it: `t7`.
pub(crate) fn truncated(ratio: f64) -> String {
    format!("t{:.0}", ratio.clamp(0.0, 1.0) * 100.0)
}

/// A p value: two digits, three when small, `<.001` below.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "<.001".to_owned(),
        p if p < 0.0995 => fixed(p, 3).replacen("0.", ".", 1),
        p => share(p),
    }
}

/// A value with its interval, with as many digits as its size needs: `−.041 [−.080, .012]`, `4,310 [4,200, 4,420]`.
pub(crate) fn estimate(estimate: Estimate) -> String {
    let ends = estimate.interval.map_or([0.0, 0.0], |interval| [interval.low, interval.high]);
    let largest = ends.into_iter().chain([estimate.value]).fold(0.0, |size: f64, value| size.max(value.abs()));
    written(estimate, |value| match largest {
        largest if largest < 1.5 => fixed(value, 3).replacen("0.", ".", 1),
        largest if largest < 100.0 => fixed(value, 1),
        _ => tick(value.round(), 1.0),
    })
}

/// Shares of one, in percent: `−4.1 [−8.0, 1.2]`.
pub(crate) fn estimate_in_percent(estimate: Estimate) -> String {
    written(estimate, |value| fixed(value * 100.0, 1))
}

fn written(estimate: Estimate, text: impl Fn(f64) -> String) -> String {
    match estimate.interval {
        Some(interval) if interval.low.is_finite() && interval.high.is_finite() => {
            format!("{} [{}, {}]", text(estimate.value), text(interval.low), text(interval.high))
        }
        _ => text(estimate.value),
    }
}

/// A count in little room: `950`, `12k`, `1.5k`, `3M`.
pub(crate) fn compact(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 999_950_000.0 => (value / 1e9, "G"),
        size if size >= 999_950.0 => (value / 1e6, "M"),
        size if size >= 1_000.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = usize::from(scaled.abs() < 99.95 && (scaled - scaled.round()).abs() >= 0.05 && !unit.is_empty());
    format!("{}{unit}", fixed(scaled, digits))
}

/// A tick label, exact to the distance of the ticks.
pub(crate) fn tick(value: f64, step: f64) -> String {
    let size = value.abs();
    if size >= 1e12 {
        return format!("{value:.2e}").replace('-', MINUS);
    }
    // Compact only when nothing is lost: steps of 500 are `1.5k`, of 250 `1,250`.
    if size >= 10_000.0 && step >= 100.0 {
        return compact_exact(value);
    }
    let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil().clamp(0.0, 9.0) as usize };
    // A step of 2.5 needs its digit too.
    let digits = if (step * 10f64.powi(digits as i32)).fract() > 1e-6 { digits + 1 } else { digits };
    if size >= 1_000.0 && digits == 0 {
        let sign = if value < 0.0 { MINUS } else { "" };
        return format!("{sign}{}", grouped(size.round() as u64));
    }
    fixed(value, digits)
}

/// A tick label on a logarithmic axis: exact to its own first digit.
pub(crate) fn power_tick(value: f64) -> String {
    if value < 0.000_95 {
        return format!("{value:.0e}").replace('-', MINUS);
    }
    tick(value, 10f64.powf((value.log10() + 1e-9).floor()))
}

fn compact_exact(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        _ => (value / 1e3, "k"),
    };
    let digits = (0..=3).find(|digits| {
        let scaled = scaled * 10f64.powi(*digits);
        (scaled - scaled.round()).abs() < 1e-6
    });
    format!("{}{unit}", fixed(scaled, digits.unwrap_or(3) as usize))
}

/// A coordinate of the SVG: hundredths of a pixel.
pub(crate) fn coordinate(into: &mut String, value: f64) {
    use std::fmt::Write;
    let hundredths = (value * 100.0).round() as i64;
    if hundredths < 0 {
        into.push('-');
    }
    let (whole, fraction) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    // Writing to a string cannot fail.
    let _ = match fraction {
        0 => write!(into, "{whole}"),
        fraction if fraction % 10 == 0 => write!(into, "{whole}.{}", fraction / 10),
        fraction => write!(into, "{whole}.{fraction:02}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!([0.874, 1.0, 0.0, -0.03, 0.999].map(share), [".87", "1.0", ".00", "−.03", "1.0"]);
        assert_eq!([0.0, 0.004, 0.5, 0.996, 1.0].map(percent), ["0 %", "<1 %", "50 %", ">99 %", "100 %"]);
        assert_eq!([0.0, 0.0104, 0.0996, 0.5, 1.0].map(p_value), ["<.001", ".010", ".10", ".50", "1.0"]);
        assert_eq!([950.0, 1_000.0, 1_500.0, 12_340.0, 999_999.0].map(compact), ["950", "1k", "1.5k", "12.3k", "1M"]);
    }

    #[test]
    fn ticks_are_exact_to_their_distance() {
        let check = |value, step, expected: &str| assert_eq!(tick(value, step), expected, "{value} by {step}");
        check(0.25, 0.25, "0.25");
        check(0.5, 0.25, "0.50");
        check(2.5, 2.5, "2.5");
        check(2_000.0, 500.0, "2,000");
        check(10_500.0, 500.0, "10.5k");
        check(-0.1, 0.1, "−0.1");
        check(20_000.0, 5_000.0, "20k");
        check(2_500_000.0, 500_000.0, "2.5M");
    }

    #[test]
    fn coordinates_are_short() {
        let text = |value| {
            let mut text = String::new();
            coordinate(&mut text, value);
            text
        };
        assert_eq!([0.0, -0.001, 1.5, 2.345, -3.05, 100.0].map(text), ["0", "0", "1.5", "2.35", "-3.05", "100"]);
    }
}
