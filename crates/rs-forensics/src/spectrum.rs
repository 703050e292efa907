//! The spectrum of a prompt's token ids: regular patterns in the input show as peaks.

use std::cell::RefCell;
use std::collections::HashSet;
use std::f64::consts::PI;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};
use rs_core::forensics::{SPECTRUM_BINS, Spectrum};

/// Values of all lengths that plans are kept for: these take up to 100 bytes for each, and prompts may have any length. Making
/// a plan takes six times as long as following it: 17 µs for 700 values.
const MAX_PLANNED_VALUES: usize = 1 << 18;

thread_local! {
    static PLANS: RefCell<Plans> = RefCell::new(Plans::default());
}

/// Plans for lengths met before.
#[derive(Default)]
struct Plans {
    planner: RealFftPlanner<f64>,
    /// Those that there are plans for.
    lengths: HashSet<usize>,
    n_values: usize,
}

impl Plans {
    fn of(&mut self, length: usize) -> Arc<dyn RealToComplex<f64>> {
        if !self.lengths.contains(&length) {
            if self.n_values + length > MAX_PLANNED_VALUES {
                *self = Self::default();
            }
            self.lengths.insert(length);
            self.n_values += length;
        }
        self.planner.plan_fft_forward(length)
    }
}

/// The spectrum of a sequence of token ids (statistics.md, section 5): less their mean, under a symmetric Hann window
/// `w_i = (1 - cos(2 pi i / (n - 1))) / 2`, the magnitudes of the real Fourier transform divided by the length, at
/// frequencies `k / n`; in between interpolated linearly.
///
/// `None` for fewer than three tokens: the window leaves nothing of them.
#[must_use]
pub fn spectrum(ids: &[u32]) -> Option<Spectrum> {
    let length = ids.len();
    if length < 3 {
        return None;
    }
    let mean = ids.iter().map(|id| f64::from(*id)).sum::<f64>() / length as f64;
    let step = 2.0 * PI / (length - 1) as f64;
    let mut signal: Vec<f64> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| (f64::from(*id) - mean) * 0.5 * (1.0 - (step * at as f64).cos()))
        .collect();
    let transform = PLANS.with_borrow_mut(|plans| plans.of(length));
    let mut output = transform.make_output_vec();
    transform.process(&mut signal, &mut output).ok()?;
    let magnitudes: Vec<f64> = output.iter().map(|value| value.norm() / length as f64).collect();
    let mut spectrum = [0.0; SPECTRUM_BINS];
    for (bin, value) in spectrum.iter_mut().enumerate() {
        // The last magnitude of an odd length lies below 0.5; beyond it there is nothing to interpolate with.
        let place = (0.5 * bin as f64 / (SPECTRUM_BINS - 1) as f64 * length as f64).min((magnitudes.len() - 1) as f64);
        let (below, share) = (place.floor(), place.fract());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in `magnitudes`")]
        let below = below as usize;
        let above = (below + 1).min(magnitudes.len() - 1);
        #[expect(clippy::cast_possible_truncation, reason = "the column is FLOAT")]
        {
            *value = (magnitudes[below] * (1.0 - share) + magnitudes[above] * share) as f32;
        }
    }
    Some(spectrum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn too_short_is_undefined() {
        assert_eq!(spectrum(&[]), None);
        assert_eq!(spectrum(&[5, 6]), None);
        assert!(spectrum(&[5, 6, 7]).is_some());
    }

    #[test]
    fn a_constant_has_no_spectrum() {
        assert!(spectrum(&[1000; 64]).expect("is defined").iter().all(|value| value.abs() < 1e-6));
    }

    #[test]
    fn a_period_of_four_peaks_at_a_quarter() {
        let ids: Vec<u32> = (0..256).map(|at| [10, 20, 30, 20][at % 4]).collect();
        let spectrum = spectrum(&ids).expect("is defined");
        let peak = (0..SPECTRUM_BINS).max_by(|a, b| spectrum[*a].total_cmp(&spectrum[*b])).expect("has values");
        assert!((peak as f64 / (SPECTRUM_BINS - 1) as f64 * 0.5 - 0.25).abs() < 0.005, "{peak}");
    }

    #[test]
    fn plans_of_many_lengths_do_not_pile_up() {
        let mut plans = Plans::default();
        for length in (3..2000).step_by(4) {
            assert_eq!(plans.of(length).len(), length);
            assert!(plans.n_values <= MAX_PLANNED_VALUES, "{length}");
            assert_eq!(plans.lengths.iter().sum::<usize>(), plans.n_values);
        }
        let kept = plans.lengths.len();
        let plan = plans.of(1999);
        assert!(Arc::ptr_eq(&plan, &plans.of(1999)), "a plan is kept");
        assert_eq!(plans.lengths.len(), kept);
        // One that is longer than all that is kept is made all the same.
        assert_eq!(plans.of(MAX_PLANNED_VALUES + 1).len(), MAX_PLANNED_VALUES + 1);
    }

    /// Values at some bins, as numpy and scipy give them: `hann(n, sym=True)`, `rfft`, `interp` at `linspace(0, 0.5, 128)`.
    #[track_caller]
    fn check(length: u64, expected: [f64; 9]) {
        let ids: Vec<u32> = (0..length).map(|at| ((at * at * 7919 + 13 * at) % 50_021) as u32).collect();
        let found = spectrum(&ids).expect("is defined");
        for (bin, expected) in [0, 1, 2, 17, 63, 64, 100, 126, 127].into_iter().zip(expected) {
            let difference = (f64::from(found[bin]) - expected).abs();
            assert!(difference <= 1e-6 * expected, "{length} tokens, bin {bin}: {} for {expected}", found[bin]);
        }
    }

    #[test]
    fn vectors() {
        check(
            61,
            [
                1027.42637, 1117.08088, 1206.73539, 1625.48852, 717.251401, 767.955439, 2400.64677, 2754.59283,
                2754.59283,
            ],
        );
        check(
            400,
            [
                206.265551, 299.383054, 814.890262, 358.315709, 546.554073, 681.035233, 529.085585, 126.182798,
                19.4674841,
            ],
        );
    }

    proptest! {
        #[test]
        fn the_level_of_the_ids_does_not_matter(ids in proptest::collection::vec(0_u32..1000, 3..200), level in 0_u32..1000) {
            let moved: Vec<u32> = ids.iter().map(|id| id + level).collect();
            let (a, b) = (spectrum(&ids).expect("is defined"), spectrum(&moved).expect("is defined"));
            for (a, b) in a.iter().zip(&b) {
                prop_assert!((a - b).abs() <= 1e-3 * a.abs().max(1e-3));
            }
        }
    }
}
