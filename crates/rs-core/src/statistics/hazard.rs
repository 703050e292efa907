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
    /// Its interval by Greenwood's variance, σ² = S² Σ d/(n (n − d)) over the bins so far with d events of n at risk
    /// (Reports on Public Health and Medical Subjects 33, 1926), taken of log(−log S) and so within 0..=1:
    /// S^exp(∓z σ/(S log S)) (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 1980, section 1.4).
    /// `None` where S is 0 or 1, which have no such logarithm.
    pub survival_interval: Option<Interval>,
    /// Share that has answered right by the bin's end: CIF_k(b) = Σ S_(b−1) h_k,b (Aalen and Johansen, Scandinavian
    /// Journal of Statistics 5, 1978).
    pub incidence_correct: f64,
    /// Its interval by the variance that the delta method gives the Aalen-Johansen estimate F of an event k, with d events
    /// (d_k of them k) of n at risk in each bin i up to this one:
    /// σ² = Σ (F − F_i)² d/(n (n − d)) + Σ S_(i−1)² d_k (n − d_k)/n³ − 2 Σ (F − F_i) S_(i−1) d_k/n²
    /// (Dinse and Larson, Biometrika 73, 1986; Marubini and Valsecchi, Analysing Survival Data from Clinical Trials, 1995),
    /// taken of log(−log F): F^exp(±z σ/(F log F)). `None` where F is 0 or 1, which have no such logarithm.
    pub incidence_correct_interval: Option<Interval>,
    /// Share that has answered wrong by the bin's end; with the two others it makes 1.
    pub incidence_incorrect: f64,
    /// Its interval, as that of the right.
    pub incidence_incorrect_interval: Option<Interval>,
}

/// Interval of a share whose standard deviation is known, by way of log(−log share): share^exp(±z σ/(share log share)).
/// `None` where the share is 0 or 1, but for rounding.
fn log_log_interval(share: f64, variance: f64, z: f64) -> Option<Interval> {
    let noise = 1e-12;
    if !(noise..=1.0 - noise).contains(&share) {
        return None;
    }
    // Above 0, as the logarithm is below it.
    let width = z * variance.max(0.0).sqrt() / (share * -share.ln());
    Some(Interval { lower: share.powf(width.exp()), upper: share.powf((-width).exp()) })
}

/// Cumulative incidence of one of the events, and what its variance is summed up of, bin after bin.
#[derive(Debug, Clone, Copy, Default)]
struct Incidence {
    value: f64,
    /// Sums of a, a F_i and a F_i² with a = d/(n (n − d)).
    greenwood: [f64; 3],
    /// Sum of S² d_k (n − d_k)/n³.
    own: f64,
    /// Sums of c and c F_i with c = S d_k/n².
    shared: [f64; 2],
}

impl Incidence {
    /// Adds a bin with `of_kind` events of the kind among `all` events of `at_risk`; `survival` is that before it.
    fn add(&mut self, of_kind: u64, all: u64, at_risk: u64, survival: f64) {
        let (d_k, d, n) = (of_kind as f64, all as f64, at_risk as f64);
        self.value += survival * d_k / n;
        // Where nobody is left, no later bin asks for this one's part, and in its own (F − F_i) is 0.
        if at_risk > all {
            let a = d / (n * (n - d));
            self.greenwood[0] += a;
            self.greenwood[1] += a * self.value;
            self.greenwood[2] += a * self.value * self.value;
        }
        self.own += survival.powi(2) * d_k * (n - d_k) / n.powi(3);
        let c = survival * d_k / (n * n);
        self.shared[0] += c;
        self.shared[1] += c * self.value;
    }

    /// By the bins so far.
    fn variance(&self) -> f64 {
        let (f, [a, a_f, a_ff], [c, c_f]) = (self.value, self.greenwood, self.shared);
        (f * f * a - 2.0 * f * a_f + a_ff) + self.own - 2.0 * (f * c - c_f)
    }

    fn interval(&self, z: f64) -> Option<Interval> {
        log_log_interval(self.value, self.variance(), z)
    }
}

/// Curves over bins of tokens, of competing events right and wrong, where truncation censors. The bins end with the last
/// that anybody reaches: beyond, nothing is known.
///
/// Time is in bins, so ties within one bin are events of one time, and those truncated in a bin count as at risk for
/// all of it.
#[must_use]
pub fn hazard_curves(bins: &[Events], z: f64) -> Vec<HazardBin> {
    let mut at_risk: u64 = bins.iter().map(|events| events.all()).sum();
    let (mut survival, mut greenwood) = (1.0, 0.0);
    let (mut right, mut wrong) = (Incidence::default(), Incidence::default());
    let mut curves = Vec::with_capacity(bins.len());
    for events in bins {
        let hazard = |count: u64| {
            let interval = wilson(count as f64, at_risk as f64, z)?.interval();
            Some(Hazard { value: count as f64 / at_risk as f64, interval })
        };
        let (Some(correct), Some(incorrect)) = (hazard(events.correct), hazard(events.incorrect)) else { break };
        let answered = events.correct + events.incorrect;
        right.add(events.correct, answered, at_risk, survival);
        wrong.add(events.incorrect, answered, at_risk, survival);
        survival *= 1.0 - answered as f64 / at_risk as f64;
        if at_risk > answered {
            greenwood += answered as f64 / (at_risk as f64 * (at_risk - answered) as f64);
        }
        curves.push(HazardBin {
            at_risk,
            events: *events,
            correct,
            incorrect,
            survival,
            survival_interval: log_log_interval(survival, survival * survival * greenwood, z),
            incidence_correct: right.value,
            incidence_correct_interval: right.interval(z),
            incidence_incorrect: wrong.value,
            incidence_incorrect_interval: wrong.interval(z),
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

    /// lifelines 0.30.3: `KaplanMeierFitter().fit(time, event > 0).confidence_interval_survival_function_`, and
    /// `AalenJohansenFitter().fit(time, event, k)`'s `confidence_interval_` for the events 1 and 2 with its jitter of ties
    /// taken out; a program of its own that sums the formula as it stands agrees to 1e-15.
    #[test]
    fn intervals_are_those_of_a_known_library() {
        let counts = [(2, 1, 0), (5, 2, 1), (4, 3, 0), (0, 0, 2), (3, 4, 1), (1, 2, 0), (0, 1, 3)];
        #[rustfmt::skip]
        let expected = [
            [0.757_331_705_152_3, 0.971_522_453_300_0, 0.010_251_939_159_8, 0.167_198_091_454_9, 0.002_195_356_172_2, 0.126_822_720_724_7],
            [0.534_094_172_068_5, 0.834_843_341_839_2, 0.088_104_603_256_1, 0.344_279_728_327_5, 0.022_011_169_638_7, 0.205_654_399_802_3],
            [0.330_186_680_642_2, 0.657_766_907_614_2, 0.173_408_194_127_5, 0.474_790_621_882_0, 0.070_959_611_495_4, 0.317_181_682_011_8],
            [0.330_186_680_642_2, 0.657_766_907_614_2, 0.173_408_194_127_5, 0.474_790_621_882_0, 0.070_959_611_495_4, 0.317_181_682_011_8],
            [0.130_522_502_259_3, 0.430_550_670_656_2, 0.251_613_560_300_2, 0.580_030_867_629_6, 0.161_779_198_479_1, 0.470_780_267_916_9],
            [0.051_461_827_103_4, 0.307_879_030_023_7, 0.281_802_312_177_6, 0.619_193_205_387_4, 0.219_185_427_396_1, 0.552_280_203_067_9],
            [0.030_774_080_735_6, 0.262_678_592_909_4, 0.281_802_312_177_6, 0.619_193_205_387_4, 0.250_481_726_447_6, 0.590_235_930_663_2],
        ];
        let curves = hazard_curves(&bins(&counts), Z_95);
        assert_eq!(curves.len(), expected.len());
        for (bin, expected) in curves.iter().zip(expected) {
            let intervals = [bin.survival_interval, bin.incidence_correct_interval, bin.incidence_incorrect_interval];
            let ends =
                intervals.map(|interval| interval.expect("defined")).map(|Interval { lower, upper }| [lower, upper]);
            for (found, expected) in ends.concat().into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-10, "{found} {expected}: {bin:?}");
            }
        }
    }

    #[test]
    fn what_is_0_or_1_has_no_interval() {
        let curves = hazard_curves(&bins(&[(0, 0, 2), (3, 0, 0), (5, 0, 0)]), Z_95);
        let intervals = |bin: &HazardBin| {
            [bin.survival_interval, bin.incidence_correct_interval, bin.incidence_incorrect_interval]
                .map(|interval| interval.is_some())
        };
        assert_eq!(intervals(&curves[0]), [false, false, false], "nobody has answered");
        assert_eq!(intervals(&curves[1]), [true, true, false], "nobody was wrong");
        assert_eq!(intervals(&curves[2]), [false, false, false], "all have answered, right");
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
                for (value, interval) in [
                    (bin.survival, bin.survival_interval),
                    (bin.incidence_correct, bin.incidence_correct_interval),
                    (bin.incidence_incorrect, bin.incidence_incorrect_interval),
                ] {
                    let Some(Interval { lower, upper }) = interval else {
                        prop_assert!(!(1e-9..=1.0 - 1e-9).contains(&value), "{value}");
                        continue;
                    };
                    prop_assert!(0.0 <= lower && lower <= value && value <= upper && upper <= 1.0, "{bin:?}");
                }
            }
        }

        /// Without truncation a share is a plain proportion of all n, whose variance is p (1 − p)/n.
        #[test]
        fn uncensored_variances_are_binomial(counts in proptest::collection::vec((0_u64..9, 0_u64..9), 1..40)) {
            let n: u64 = counts.iter().map(|(right, wrong)| right + wrong).sum();
            let counts: Vec<(u64, u64, u64)> = counts.into_iter().map(|(right, wrong)| (right, wrong, 0)).collect();
            for bin in hazard_curves(&bins(&counts), Z_95) {
                for (value, interval) in [
                    (bin.survival, bin.survival_interval),
                    (bin.incidence_correct, bin.incidence_correct_interval),
                    (bin.incidence_incorrect, bin.incidence_incorrect_interval),
                ] {
                    let Some(found) = interval else { continue };
                    let variance = value * (1.0 - value) / n as f64;
                    let expected = log_log_interval(value, variance, Z_95).expect("defined");
                    prop_assert!((found.lower - expected.lower).abs() < 1e-9, "{bin:?} {expected:?}");
                    prop_assert!((found.upper - expected.upper).abs() < 1e-9, "{bin:?} {expected:?}");
                }
            }
        }
    }
}
