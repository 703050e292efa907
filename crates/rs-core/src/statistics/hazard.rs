//! When answers come: hazard, survival and cumulative incidence over bins of completion tokens (statistics.md,
//! section 5).

use super::proportion::{Interval, wilson};

/// Samples that ended in one bin of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// Right answers.
    pub correct: u64,
    /// Wrong and invalid answers.
    pub incorrect: u64,
    /// Truncations: censored, after the events of their bin.
    pub truncated: u64,
}

impl Events {
    fn all(self) -> u64 {
        self.correct + self.incorrect + self.truncated
    }
}

/// The chance of an event in a bin, of those at risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hazard {
    /// events / at risk.
    pub value: f64,
    /// Its Wilson interval.
    pub interval: Interval,
}

/// What is known of one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HazardBin {
    /// Samples whose tokens reach the bin's start.
    pub at_risk: u64,
    /// Those that end in it.
    pub events: Events,
    /// Hazard of a right answer.
    pub correct: Hazard,
    /// Hazard of a wrong or invalid answer.
    pub incorrect: Hazard,
    /// Share that has not answered by the bin's end: S_b = Π (1 − h_b) over the bins so far (Kaplan and Meier, JASA 53,
    /// 1958).
    pub survival: f64,
    /// Share that has answered right by the bin's end: CIF_k(b) = Σ S_(b−1) h_k,b (Aalen and Johansen, Scandinavian
    /// Journal of Statistics 5, 1978).
    pub incidence_correct: f64,
    /// Share that has answered wrong by the bin's end; with the two others it makes 1.
    pub incidence_incorrect: f64,
}

/// Curves over bins of tokens, of competing events right and wrong, where truncation censors. The bins end with the last
/// that anybody reaches: beyond, nothing is known.
///
/// Time is in bins, so ties within one bin are events of one time, and those truncated in a bin count as at risk for
/// all of it.
#[must_use]
pub fn hazard_curves(bins: &[Events], z: f64) -> Vec<HazardBin> {
    let mut at_risk: u64 = bins.iter().map(|events| events.all()).sum();
    let (mut survival, mut incidence_correct, mut incidence_incorrect) = (1.0, 0.0, 0.0);
    let mut curves = Vec::with_capacity(bins.len());
    for events in bins {
        let hazard = |count: u64| {
            let interval = wilson(count as f64, at_risk as f64, z)?.interval();
            Some(Hazard { value: count as f64 / at_risk as f64, interval })
        };
        let (Some(correct), Some(incorrect)) = (hazard(events.correct), hazard(events.incorrect)) else { break };
        incidence_correct += survival * correct.value;
        incidence_incorrect += survival * incorrect.value;
        survival *= 1.0 - (events.correct + events.incorrect) as f64 / at_risk as f64;
        curves.push(HazardBin {
            at_risk,
            events: *events,
            correct,
            incorrect,
            survival,
            incidence_correct,
            incidence_incorrect,
        });
        at_risk -= events.all();
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::super::proportion::Z_95;
    use super::*;
    use proptest::prelude::*;

    fn bins(counts: &[(u64, u64, u64)]) -> Vec<Events> {
        counts
            .iter()
            .map(|(correct, incorrect, truncated)| Events {
                correct: *correct,
                incorrect: *incorrect,
                truncated: *truncated,
            })
            .collect()
    }

    /// scikit-survival: each sample of bin b as one of time b + 1, event 1 correct, 2 incorrect, 0 censored, given to
    /// `cumulative_incidence_competing_risks(event, time)` and `kaplan_meier_estimator(event > 0, time)`; lifelines'
    /// `KaplanMeierFitter` agrees on the survival.
    #[test]
    fn curves_are_those_of_a_known_library() {
        let counts = [(2, 1, 0), (5, 2, 1), (4, 3, 0), (0, 0, 2), (3, 4, 1), (1, 2, 0), (0, 1, 3)];
        let expected = [
            (0.914_285_714_285_7, 0.057_142_857_142_9, 0.028_571_428_571_4),
            (0.714_285_714_285_7, 0.2, 0.085_714_285_714_3),
            (0.505_952_380_952_4, 0.319_047_619_047_6, 0.175),
            (0.505_952_380_952_4, 0.319_047_619_047_6, 0.175),
            (0.269_841_269_841_3, 0.420_238_095_238_1, 0.309_920_634_920_6),
            (0.154_195_011_337_9, 0.458_786_848_072_6, 0.387_018_140_589_6),
            (0.115_646_258_503_4, 0.458_786_848_072_6, 0.425_566_893_424_0),
        ];
        let curves = hazard_curves(&bins(&counts), Z_95);
        assert_eq!(curves.len(), expected.len());
        for (bin, (survival, correct, incorrect)) in curves.iter().zip(expected) {
            assert!((bin.survival - survival).abs() < 1e-10, "{bin:?}");
            assert!((bin.incidence_correct - correct).abs() < 1e-10, "{bin:?}");
            assert!((bin.incidence_incorrect - incorrect).abs() < 1e-10, "{bin:?}");
        }
    }

    #[test]
    fn nobody_and_one() {
        assert_eq!(hazard_curves(&[], Z_95), []);
        assert_eq!(hazard_curves(&bins(&[(0, 0, 0)]), Z_95), []);
        let one = hazard_curves(&bins(&[(0, 0, 0), (1, 0, 0), (0, 0, 0)]), Z_95);
        assert_eq!(one.len(), 2, "nobody reaches the third bin");
        assert_eq!((one[0].survival, one[1].survival, one[1].incidence_correct), (1.0, 0.0, 1.0));
    }

    #[test]
    fn all_truncated_is_no_event() {
        let curves = hazard_curves(&bins(&[(0, 0, 2), (0, 0, 3)]), Z_95);
        assert_eq!((curves[1].at_risk, curves[1].survival, curves[1].incidence_correct), (3, 1.0, 0.0));
    }

    proptest! {
        #[test]
        fn the_shares_make_one(counts in proptest::collection::vec((0_u64..9, 0_u64..9, 0_u64..9), 0..40)) {
            for bin in hazard_curves(&bins(&counts), Z_95) {
                prop_assert!((bin.survival + bin.incidence_correct + bin.incidence_incorrect - 1.0).abs() < 1e-12);
                prop_assert!(bin.correct.interval.lower <= bin.correct.value + 1e-12);
                prop_assert!(bin.correct.value <= bin.correct.interval.upper + 1e-12);
            }
        }
    }
}
