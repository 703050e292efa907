//! A point: all samples of one evaluation at one coordinate of one task, counted.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::forensics::{Average, Spectrum};
use crate::record::Outcome;
use crate::sample::{Sample, settle};
use crate::statistics::Counters;

/// Width of a hazard bin in completion tokens (statistics.md, section 5).
pub const HAZARD_BIN_TOKENS: u32 = 256;

/// Most hazard bins of a point: a million tokens. One wrong record must not cost a list of millions of bins; what lies
/// beyond is counted in the last bin.
pub const MAX_HAZARD_BINS: u32 = 4096;

/// What a sample carries besides its result; a point shows that of its first sample that is no error.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attributes {
    /// The step's name.
    pub task: Option<String>,
    /// Free class of the task.
    pub category: Option<String>,
    /// Canonical JSON of the manifold.
    pub manifold: Option<String>,
}

/// One row of PointsDB's `points`, less what it repeats of its evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The task that made the questions.
    pub base_task: String,
    /// Canonical JSON of the coordinates.
    pub params: String,
    /// What the first sample carries.
    pub attributes: Attributes,
    /// The counters that statistics are made of.
    pub counters: Counters,
    /// Samples stopped from outside, errors excluded.
    pub hard_terminated: u64,
    /// Samples whose request failed.
    pub errors: u64,
    /// Sum of the scores of the answered trials that carry one; `None` if none does.
    pub score_sum: Option<f64>,
    /// Mean tokens of the prompt over the answered trials that tell them.
    pub prompt_tokens_mean: Option<f64>,
    /// Mean completion tokens over the answered trials that tell them.
    pub completion_tokens_mean: Option<f64>,
    /// The same over the correct ones.
    pub completion_tokens_correct_mean: Option<f64>,
    /// The same over the incorrect and invalid ones.
    pub completion_tokens_incorrect_mean: Option<f64>,
    /// Prompt and completion tokens of all samples but errors; `None` if no sample tells any.
    pub total_tokens: Option<u64>,
    /// Mean spectrum of the prompts of the first samples; `None` without a tokenizer.
    pub fft_power_mean: Option<Vec<f32>>,
    /// Its standard deviation.
    pub fft_power_std: Option<Vec<f32>>,
    /// Events by bin of completion tokens; `None` if no sample tells its tokens.
    pub hazard: Option<Hazard>,
    /// The samples but errors, in list order, with the outcome they have here.
    pub samples: Vec<PointSample>,
}

/// One entry of a point's parallel sample lists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointSample {
    /// Seed of the test generator.
    pub seed: Option<i64>,
    /// Which test at this coordinate.
    pub index: Option<i64>,
    /// Which repetition of the test.
    pub repeat: i32,
    /// Never [`Outcome::Error`].
    pub outcome: Outcome,
    /// Tokens the model wrote.
    pub completion_tokens: Option<u32>,
    /// Bytes of the decoded trace.
    pub trace_bytes: u32,
    /// The same once compressed, if somebody looked.
    pub compressed_bytes: Option<u32>,
    /// Chance that a blind guess is right.
    pub guess_chance: f64,
    /// Its file: position among those that the evaluation's glob matches.
    pub file: u32,
    /// Line of its record in that file, from 1; `None` where the file is damaged before it.
    pub line: Option<NonZeroU32>,
}

/// Events by bin of [`HAZARD_BIN_TOKENS`] completion tokens; all three lists are as long as the last event needs, at most
/// [`MAX_HAZARD_BINS`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hazard {
    /// Right answers.
    pub correct: Vec<u32>,
    /// Wrong and invalid answers.
    pub incorrect: Vec<u32>,
    /// Truncations: censored.
    pub truncated: Vec<u32>,
}

/// A mean in the making.
#[derive(Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<u32>) {
        if let Some(value) = value {
            self.sum += u64::from(value);
            self.count += 1;
        }
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

/// What samples say by positions in lists beside them.
pub struct Beside<A, F, S> {
    /// What a sample carries, by [`Sample::attributes`].
    pub attributes: A,
    /// The file that it is in, by the same.
    pub file: F,
    /// What was found of its prompt, by [`Sample::spectrum`] but counted from 0.
    pub spectrum: S,
}

/// Makes the point of the records of one coordinate, in (path, line) order, under the evaluation's context (tokens).
/// Returns the number of duplicates dropped too.
pub fn count(
    base_task: String,
    params: String,
    mut samples: Vec<Sample>,
    context_tokens: Option<u32>,
    beside: Beside<impl FnOnce(u32) -> Attributes, impl Fn(u32) -> u32, impl Fn(u32) -> Option<Spectrum>>,
) -> (Point, u64) {
    let n_duplicates = settle(&mut samples);
    let mut counters = Counters::default();
    let (mut hard_terminated, mut errors) = (0, 0);
    let (mut score_sum, mut total_tokens): (Option<f64>, Option<u64>) = (None, None);
    let (mut prompt, mut completion, mut correct, mut incorrect) =
        (Mean::default(), Mean::default(), Mean::default(), Mean::default());
    let mut kept = Vec::with_capacity(samples.len());
    let mut spectrum = Average::new();
    for sample in &samples {
        let outcome = sample.outcome_within(context_tokens);
        if outcome == Outcome::Error {
            errors += 1;
            continue;
        }
        hard_terminated += u64::from(sample.hard_terminated);
        let number = sample.spectrum.filter(|_| !spectrum.is_full());
        if let Some(found) = number.and_then(|number| (beside.spectrum)(number.get() - 1)) {
            spectrum.add(&found);
        }
        for tokens in [sample.prompt_tokens, sample.completion_tokens].into_iter().flatten() {
            *total_tokens.get_or_insert(0) += u64::from(tokens);
        }
        if outcome.is_answered() {
            counters.answered += 1;
            counters.guess_sum += sample.guess_chance;
            if let Some(score) = sample.score {
                *score_sum.get_or_insert(0.0) += score;
            }
            prompt.add(sample.prompt_tokens);
            completion.add(sample.completion_tokens);
        }
        match outcome {
            Outcome::Correct => {
                counters.correct += 1;
                correct.add(sample.completion_tokens);
            }
            Outcome::Incorrect => incorrect.add(sample.completion_tokens),
            Outcome::Invalid => {
                counters.invalid += 1;
                incorrect.add(sample.completion_tokens);
            }
            Outcome::Truncated => counters.truncated += 1,
            Outcome::Error => {}
        }
        kept.push(PointSample {
            seed: sample.seed,
            index: sample.index(),
            repeat: sample.repeat,
            outcome,
            completion_tokens: sample.completion_tokens,
            trace_bytes: sample.trace_bytes,
            compressed_bytes: sample.compressed_bytes,
            guess_chance: sample.guess_chance,
            file: (beside.file)(sample.attributes),
            line: sample.line,
        });
    }
    let (fft_power_mean, fft_power_std) = spectrum.finish().unzip();
    let first = samples.iter().find(|sample| sample.outcome != Outcome::Error).or(samples.first());
    let point = Point {
        base_task,
        params,
        attributes: first.map(|sample| (beside.attributes)(sample.attributes)).unwrap_or_default(),
        counters,
        hard_terminated,
        errors,
        score_sum,
        prompt_tokens_mean: prompt.value(),
        completion_tokens_mean: completion.value(),
        completion_tokens_correct_mean: correct.value(),
        completion_tokens_incorrect_mean: incorrect.value(),
        total_tokens,
        fft_power_mean,
        fft_power_std,
        hazard: hazard(&kept, context_tokens),
        samples: kept,
    };
    (point, n_duplicates)
}

/// Counts events by bin. A sample truncated by the evaluation's context is censored there, not where it really ended.
fn hazard(samples: &[PointSample], context_tokens: Option<u32>) -> Option<Hazard> {
    let bin = |sample: &PointSample| {
        let tokens = sample.completion_tokens?.min(context_tokens.unwrap_or(u32::MAX));
        usize::try_from((tokens / HAZARD_BIN_TOKENS).min(MAX_HAZARD_BINS - 1)).ok()
    };
    let n_bins = samples.iter().filter_map(bin).max()? + 1;
    let mut hazard = Hazard { correct: vec![0; n_bins], incorrect: vec![0; n_bins], truncated: vec![0; n_bins] };
    for sample in samples {
        let Some(bin) = bin(sample) else { continue };
        match sample.outcome {
            Outcome::Correct => hazard.correct[bin] += 1,
            Outcome::Incorrect | Outcome::Invalid => hazard.incorrect[bin] += 1,
            Outcome::Truncated => hazard.truncated[bin] += 1,
            Outcome::Error => {}
        }
    }
    Some(hazard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::Lexer;
    use crate::record::parse;
    use crate::shape::Shape;

    fn point(records: &[&str], context_tokens: Option<u32>) -> (Point, u64) {
        let samples = records
            .iter()
            .enumerate()
            .map(|(position, members)| {
                let line =
                    format!(r#"{{"model":"m","template":"t","sampler":"s","base_task":"b","params":{{}},{members}}}"#);
                let attributes = u32::try_from(position).expect("small");
                Sample::new(
                    &parse(Lexer::new(line.as_bytes()), &mut Shape::default()).expect("is valid"),
                    attributes,
                    NonZeroU32::new(attributes + 1),
                )
            })
            .collect();
        let attributes = |position: u32| Attributes { task: Some(format!("task-{position}")), ..Attributes::default() };
        let beside = Beside { attributes, file: |position| position / 2, spectrum: |_| None };
        count("b".into(), "{}".into(), samples, context_tokens, beside)
    }

    const RECORDS: [&str; 6] = [
        r#""correct":true,"index":4,"completion_tokens":100,"prompt_tokens":10,"guess_chance":0.25,"score":1"#,
        r#""correct":false,"index":3,"completion_tokens":300,"prompt_tokens":10,"guess_chance":0.25,"score":0.5"#,
        r#""correct":false,"index":2,"completion_tokens":600,"prompt_tokens":10,"invalid":true,"guess_chance":0.25"#,
        r#""correct":false,"index":1,"completion_tokens":1000,"prompt_tokens":10,"truncated":true,"guess_chance":0.25"#,
        r#""correct":false,"index":0,"error":"HTTP 503","completion_tokens":7"#,
        r#""correct":true,"index":5,"completion_tokens":255,"hard_terminated":true"#,
    ];

    #[test]
    fn counts_every_outcome_apart() {
        let (point, n_duplicates) = point(&RECORDS, None);
        assert_eq!(n_duplicates, 0);
        assert_eq!(point.counters, Counters { correct: 2, invalid: 1, answered: 4, truncated: 1, guess_sum: 0.75 });
        assert_eq!((point.hard_terminated, point.errors, point.score_sum), (1, 1, Some(1.5)));
        assert_eq!(point.total_tokens, Some(100 + 300 + 600 + 1000 + 255 + 40));
        assert_eq!(point.prompt_tokens_mean, Some(10.0));
        assert_eq!(point.completion_tokens_mean, Some(1255.0 / 4.0));
        assert_eq!(point.completion_tokens_correct_mean, Some(177.5));
        assert_eq!(point.completion_tokens_incorrect_mean, Some(450.0));
        assert_eq!(point.samples.iter().map(|sample| sample.index).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(Some));
        let places: Vec<(u32, Option<u32>)> =
            point.samples.iter().map(|sample| (sample.file, sample.line.map(NonZeroU32::get))).collect();
        assert_eq!(places, [(1, Some(4)), (1, Some(3)), (0, Some(2)), (0, Some(1)), (2, Some(6))]);
        let hazard = point.hazard.expect("tokens are told");
        assert_eq!(
            (hazard.correct, hazard.incorrect, hazard.truncated),
            (vec![2, 0, 0, 0], vec![0, 1, 1, 0], vec![0, 0, 0, 1])
        );
        assert_eq!(point.attributes.task.as_deref(), Some("task-3"), "of the first sample that is no error");
    }

    #[test]
    fn a_context_truncates_and_censors_there() {
        let (point, _) = point(&RECORDS, Some(256));
        assert_eq!(point.counters, Counters { correct: 2, invalid: 0, answered: 2, truncated: 3, guess_sum: 0.25 });
        assert_eq!(point.total_tokens, Some(100 + 300 + 600 + 1000 + 255 + 40), "the tokens were spent");
        assert_eq!(point.hazard.expect("tokens are told").truncated, [0, 3]);
    }

    #[test]
    fn tokens_beyond_all_bounds_are_in_the_last_bin() {
        let (point, _) = point(&[r#""correct":true,"completion_tokens":2147483647"#], None);
        let correct = point.hazard.expect("tokens are told").correct;
        assert_eq!((correct.len(), correct.last()), (MAX_HAZARD_BINS as usize, Some(&1)));
        assert_eq!(point.completion_tokens_mean, Some(2_147_483_647.0));
    }

    #[test]
    fn nothing_told_is_nothing_known() {
        let (point, _) = point(&[r#""correct":true"#], None);
        assert_eq!((point.total_tokens, point.completion_tokens_mean, point.score_sum), (None, None, None));
        assert_eq!(point.hazard, None);
    }
}
