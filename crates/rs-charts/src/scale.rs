//! From values to positions, and where the ticks are.

use crate::axis::{Axis, Bounds, Scale};
use crate::number;

/// Larger values are taken for mistakes: their differences would overflow.
const LARGEST: f64 = 1e100;

/// The values that an axis shows: both finite, the first the smaller, above zero on a logarithmic axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Domain {
    scale: Scale,
    low: f64,
    high: f64,
}

/// Where a tick is, and what stands there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

impl Domain {
    /// What an axis spans for these values; none when no value has a place on it and its bounds are not fixed.
    pub(crate) fn of(axis: &Axis, values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let scale = axis.scale;
        if let Bounds::Fixed(low, high) = axis.bounds
            && has_place(scale, low)
            && has_place(scale, high)
            && low < high
        {
            return Some(Self { scale, low, high });
        }
        let (low, high) = values
            .into_iter()
            .filter(|value| has_place(scale, *value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return None;
        }
        let (low, high) = match axis.bounds {
            Bounds::DataAndZero if scale == Scale::Linear => (low.min(0.0), high.max(0.0)),
            _ => (low, high),
        };
        Some(match scale {
            Scale::Linear => {
                let room = if high > low {
                    0.0
                } else if low == 0.0 {
                    0.5
                } else {
                    low.abs() * 0.1
                };
                let (low, high) = (low - room, high + room);
                let step = nice_step((high - low) / 10.0);
                Self { scale, low: (low / step + 1e-9).floor() * step, high: (high / step - 1e-9).ceil() * step }
            }
            Scale::Logarithmic => {
                let (low, high) = if high > low { (low, high) } else { (low / 2.0, high * 2.0) };
                Self { scale, low: round_down_logarithmic(low), high: round_up_logarithmic(high) }
            }
        })
    }

    /// The same domain, widened to be symmetric about zero.
    pub(crate) fn symmetric(self) -> Self {
        let size = self.low.abs().max(self.high.abs());
        Self { low: -size, high: size, ..self }
    }

    /// The same domain with so much more at either end, as a share of its width.
    pub(crate) fn widened(self, share: f64) -> Self {
        match self.scale {
            Scale::Linear => {
                let room = (self.high - self.low) * share;
                Self { low: self.low - room, high: self.high + room, ..self }
            }
            Scale::Logarithmic => {
                let factor = (self.high / self.low).powf(share);
                Self { low: self.low / factor, high: self.high * factor, ..self }
            }
        }
    }

    /// Where a value is between the ends, 0 to 1 inside; none when it has no place on the axis.
    pub(crate) fn share(self, value: f64) -> Option<f64> {
        let place = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        };
        has_place(self.scale, value).then(|| (place(value) - place(self.low)) / (place(self.high) - place(self.low)))
    }

    /// About so many ticks.
    pub(crate) fn ticks(self, target: usize, percent: bool) -> Vec<Tick> {
        let span = self.high / self.low;
        match self.scale {
            // Less than half a decade: nothing to gain from powers.
            Scale::Logarithmic if span >= 3.2 => self.logarithmic_ticks(target),
            _ => self.linear_ticks(target, percent),
        }
    }

    fn linear_ticks(self, target: usize, percent: bool) -> Vec<Tick> {
        let step = nice_step((self.high - self.low) / target.max(1) as f64);
        let first = (self.low / step - 1e-6).ceil();
        let last = (self.high / step + 1e-6).floor();
        let count = (last - first).clamp(0.0, 100.0) as usize;
        (0..=count)
            .map(|index| {
                let value = (first + index as f64) * step;
                let label = if percent {
                    format!("{} %", number::tick(value * 100.0, step * 100.0))
                } else {
                    number::tick(value, step)
                };
                Tick { value, label }
            })
            .collect()
    }

    fn logarithmic_ticks(self, target: usize) -> Vec<Tick> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let within = |value: &f64| *value >= self.low * (1.0 - 1e-9) && *value <= self.high * (1.0 + 1e-9);
        let every = |factors: &[f64]| -> Vec<f64> {
            (first..=last)
                .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
                .filter(within)
                .collect()
        };
        let mut values = [&[1.0, 2.0, 3.0, 5.0, 7.0][..], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]]
            .into_iter()
            .map(every)
            .find(|values| values.len() <= target)
            .unwrap_or_else(|| every(&[1.0]));
        if values.len() > target.max(2) {
            let stride = values.len().div_ceil(target.max(2));
            values = values.into_iter().step_by(stride).collect();
        }
        if values.len() < 2 {
            return self.linear_ticks(target, false);
        }
        values.into_iter().map(|value| Tick { value, label: number::power_tick(value) }).collect()
    }
}

impl Axis {
    /// Whether a value has a place on the axis, inside of its bounds or not.
    pub(crate) fn holds(&self, value: f64) -> bool {
        has_place(self.scale, value)
    }
}

fn has_place(scale: Scale, value: f64) -> bool {
    value.is_finite() && value.abs() < LARGEST && (scale == Scale::Linear || value > 1.0 / LARGEST)
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not smaller.
fn nice_step(step: f64) -> f64 {
    let power = 10f64.powf(step.max(1e-300).log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// The largest of 1, 2, 5 times a power of ten that is not larger.
fn round_down_logarithmic(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let factor = [5.0, 2.0, 1.0].into_iter().find(|factor| factor * power <= value * (1.0 + 1e-9));
    factor.unwrap_or(1.0) * power
}

fn round_up_logarithmic(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= value * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64], target: usize) -> Vec<String> {
        let domain = Domain::of(axis, values.iter().copied()).expect("a domain");
        domain.ticks(target, axis.percent).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&Axis::ratio("accuracy"), &[], 5), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels(&Axis::new("tokens"), &[130.0, 1_900.0], 5), ["0", "500", "1,000", "1,500", "2,000"]);
        let logarithmic = Axis::new("tokens").logarithmic();
        assert_eq!(
            labels(&logarithmic, &[130.0, 19_000.0], 10),
            ["100", "200", "500", "1,000", "2,000", "5,000", "10k", "20k"]
        );
        assert_eq!(labels(&logarithmic, &[0.001, 1e6], 5), ["0.001", "0.1", "10", "1,000", "100k"]);
        assert_eq!(labels(&logarithmic, &[100.0, 150.0], 5), ["100", "120", "140", "160", "180", "200"]);
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let values = [f64::NAN, f64::INFINITY, f64::MAX, 0.0, -1.0];
        assert_eq!(Domain::of(&Axis::default().logarithmic(), values), None);
        let domain = Domain::of(&Axis::default(), values).expect("zero and minus one");
        assert_eq!((domain.low, domain.high), (-1.0, 0.0));
        assert_eq!(domain.share(f64::NAN), None);
    }

    #[test]
    fn one_value_has_room() {
        for value in [0.0, 5.0, -3.0, 1e-12] {
            let domain = Domain::of(&Axis::default(), [value]).expect("a domain");
            assert!(domain.low < value && value < domain.high, "{domain:?}");
        }
    }

    #[test]
    fn bad_bounds_are_those_of_the_data() {
        let axis = Axis::default().bounds(Bounds::Fixed(1.0, f64::NAN));
        let domain = Domain::of(&axis, [0.0, 6.0]).expect("a domain");
        assert_eq!((domain.low, domain.high), (0.0, 6.0));
    }
}
