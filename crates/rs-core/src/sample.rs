//! One sample of a point: what is kept of a raw record, how samples are told apart, and which of several
//! records of one sample counts.

use std::cmp::Ordering;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::record::{Outcome, Record};

/// What tells the samples of one point apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SampleKey {
    /// The record's index, which with its seed and repetition tells it.
    Indexed(i64),
    /// The first 128 bits of BLAKE3 of the record's `id`: it has no index.
    Named([u64; 2]),
    /// Neither: every record is a sample of its own.
    Single,
}

/// What a point needs of one record.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// With `seed` and `repeat`, which sample of the point this record is.
    pub key: SampleKey,
    /// Seed of the test generator.
    pub seed: Option<i64>,
    /// Repetition of the test.
    pub repeat: i32,
    /// Microseconds since 1970, UTC.
    pub timestamp: Option<i64>,
    /// The outcome before any context is applied.
    pub outcome: Outcome,
    /// Stopped from outside.
    pub hard_terminated: bool,
    /// Chance that a blind guess is right, 0 to 1.
    pub guess_chance: f64,
    /// Partial credit, 0 to 1.
    pub score: Option<f64>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens the model wrote.
    pub completion_tokens: Option<u32>,
    /// Bytes of the decoded trace, at most `i32::MAX` (lines are shorter than that).
    pub trace_bytes: u32,
    /// The same once compressed, if somebody looked.
    pub compressed_bytes: Option<u32>,
    /// Which of the spectra found beside it, counted from 1, is that of its prompt; given by who collects.
    pub spectrum: Option<NonZeroU32>,
    /// Which of the point's `task`, `category`, `manifold` the record carries; given by who collects.
    pub attributes: u32,
    /// Line of the record, from 1, counted by who collects; `None` where its file is damaged before it, or beyond
    /// 2^32 lines.
    pub line: Option<NonZeroU32>,
}

impl Sample {
    /// What is kept of `record`.
    #[must_use]
    pub fn new(record: &Record<'_>, attributes: u32, line: Option<NonZeroU32>) -> Self {
        let key = match (record.index, &record.id) {
            (Some(index), _) => SampleKey::Indexed(index),
            (None, Some(id)) => SampleKey::Named(name_hash(id.decode().as_bytes())),
            (None, None) => SampleKey::Single,
        };
        Self {
            key,
            seed: record.seed,
            repeat: record.repeat,
            timestamp: record.timestamp,
            outcome: record.outcome(None),
            hard_terminated: record.hard_terminated,
            guess_chance: record.guess_chance,
            score: record.score,
            prompt_tokens: record.prompt_tokens,
            completion_tokens: record.completion_tokens,
            trace_bytes: u32::try_from(record.trace_bytes()).unwrap_or(u32::MAX),
            compressed_bytes: None,
            spectrum: None,
            attributes,
            line,
        }
    }

    /// Whether both are records of one sample.
    fn is_same_sample(&self, other: &Self) -> bool {
        match (self.key, other.key) {
            (SampleKey::Indexed(_), _) => (self.key, self.seed, self.repeat) == (other.key, other.seed, other.repeat),
            (SampleKey::Named(_), _) => self.key == other.key,
            (SampleKey::Single, _) => false,
        }
    }

    /// An order in which the records of one sample stand together.
    fn sample_order(&self, other: &Self) -> Ordering {
        let by_key = self.key.cmp(&other.key);
        match self.key {
            SampleKey::Indexed(_) => by_key.then(self.seed.cmp(&other.seed)).then(self.repeat.cmp(&other.repeat)),
            SampleKey::Named(_) | SampleKey::Single => by_key,
        }
    }

    /// The test's index at its coordinate.
    #[must_use]
    pub fn index(&self) -> Option<i64> {
        match self.key {
            SampleKey::Indexed(index) => Some(index),
            SampleKey::Named(_) | SampleKey::Single => None,
        }
    }

    /// The outcome under an evaluation's context (tokens), if it has one.
    #[must_use]
    pub fn outcome_within(&self, context_tokens: Option<u32>) -> Outcome {
        match (self.outcome, self.completion_tokens, context_tokens) {
            (Outcome::Error, ..) => Outcome::Error,
            (_, Some(used), Some(limit)) if used > limit => Outcome::Truncated,
            (outcome, ..) => outcome,
        }
    }

    /// The order of the sample lists: (seed, index, repeat), absent last; samples without an index after those by all
    /// else that they carry, so that the order does not depend on the files they came from.
    fn list_order(&self, other: &Self) -> Ordering {
        let absent_last = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        absent_last(self.seed, other.seed)
            .then_with(|| absent_last(self.index(), other.index()))
            .then_with(|| self.repeat.cmp(&other.repeat))
            .then_with(|| self.key.cmp(&other.key))
            .then_with(|| self.timestamp.cmp(&other.timestamp))
            .then_with(|| self.outcome.cmp(&other.outcome))
            .then_with(|| self.completion_tokens.cmp(&other.completion_tokens))
            .then_with(|| self.prompt_tokens.cmp(&other.prompt_tokens))
            .then_with(|| self.trace_bytes.cmp(&other.trace_bytes))
            .then_with(|| self.compressed_bytes.cmp(&other.compressed_bytes))
            .then_with(|| self.hard_terminated.cmp(&other.hard_terminated))
            .then_with(|| self.guess_chance.total_cmp(&other.guess_chance))
            .then_with(|| self.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal))
    }
}

fn name_hash(id: &[u8]) -> [u64; 2] {
    let hash = blake3::hash(id);
    let (low, high) = hash.as_bytes()[..16].split_at(8);
    [low, high].map(|half| half.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Keeps one record of each sample and puts the rest in list order; returns how many were dropped.
///
/// Of duplicates the latest timestamp wins (none is earliest), then the last in the order given, which is that of
/// (path, line).
pub fn settle(samples: &mut Vec<Sample>) -> u64 {
    let n_records = samples.len();
    // A stable sort keeps (path, line) order inside a key and timestamp, so the winner is the last of its run.
    samples.sort_by(|a, b| a.sample_order(b).then(a.timestamp.cmp(&b.timestamp)));
    samples.dedup_by(|next, kept| {
        let duplicate = next.is_same_sample(kept);
        if duplicate {
            *kept = *next;
        }
        duplicate
    });
    samples.sort_by(Sample::list_order);
    (n_records - samples.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::Lexer;
    use crate::record::parse;
    use crate::shape::Shape;
    use proptest::prelude::*;

    fn sample(members: &str) -> Sample {
        let line = format!(
            r#"{{"model":"m","template":"t","sampler":"s","base_task":"b","params":{{}},"correct":true,{members}}}"#
        );
        Sample::new(&parse(Lexer::new(line.as_bytes()), &mut Shape::default()).expect("is valid"), 0, None)
    }

    /// The completion tokens of what is left, as a name for each record.
    #[track_caller]
    fn check(records: &[&str], kept: &[u32], n_duplicates: u64) {
        let mut samples: Vec<Sample> = records.iter().map(|members| sample(members)).collect();
        assert_eq!(settle(&mut samples), n_duplicates);
        let names: Vec<u32> = samples.iter().filter_map(|sample| sample.completion_tokens).collect();
        assert_eq!(names, kept);
    }

    #[test]
    fn the_latest_record_of_a_sample_counts() {
        check(
            &[
                r#""seed":1,"index":0,"timestamp":"2026-01-02T00:00:00","completion_tokens":1"#,
                r#""seed":1,"index":0,"timestamp":"2026-01-01T00:00:00","completion_tokens":2"#,
            ],
            &[1],
            1,
        );
        check(&[r#""index":0,"completion_tokens":1"#, r#""index":0,"completion_tokens":2"#], &[2], 1);
        check(
            &[
                r#""index":0,"timestamp":"1990-01-02T00:00:00","completion_tokens":1"#,
                r#""index":0,"completion_tokens":2"#,
            ],
            &[1],
            1,
        );
        // Even if the latest request failed.
        check(
            &[
                r#""index":0,"timestamp":"2026-01-01T00:00:00","completion_tokens":1"#,
                r#""index":0,"timestamp":"2026-01-02T00:00:00","error":"HTTP 503","completion_tokens":2"#,
            ],
            &[2],
            1,
        );
    }

    #[test]
    fn samples_are_told_apart_by_index_then_id_then_not_at_all() {
        check(
            &[
                r#""seed":2,"index":0,"completion_tokens":1"#,
                r#""seed":1,"index":0,"completion_tokens":2"#,
                r#""seed":1,"index":0,"repeat":1,"completion_tokens":3"#,
            ],
            &[2, 3, 1],
            0,
        );
        check(
            &[r#""index":0,"id":"a","completion_tokens":1"#, r#""index":1,"id":"a","completion_tokens":2"#],
            &[1, 2],
            0,
        );
        check(&[r#""id":"a","completion_tokens":1"#, r#""id":"a","completion_tokens":2"#], &[2], 1);
        check(&[r#""completion_tokens":1"#, r#""completion_tokens":1"#], &[1, 1], 0);
    }

    fn any_sample() -> impl Strategy<Value = Sample> {
        (0_i64..3, prop::option::of(0_i64..3), prop::option::of(0_i64..4), 0_u32..50, any::<bool>()).prop_map(
            |(seed, index, timestamp, tokens, correct)| Sample {
                seed: Some(seed),
                timestamp,
                completion_tokens: Some(tokens),
                key: index.map_or(SampleKey::Single, SampleKey::Indexed),
                outcome: if correct { Outcome::Correct } else { Outcome::Incorrect },
                ..sample("\"index\":0")
            },
        )
    }

    /// A run holds hundreds of thousands of them.
    #[test]
    fn a_sample_is_small() {
        assert_eq!(size_of::<Sample>(), 128);
    }

    proptest! {
        #[test]
        fn settling_again_changes_nothing(mut samples in proptest::collection::vec(any_sample(), 0..40)) {
            settle(&mut samples);
            let once = samples.clone();
            prop_assert_eq!(settle(&mut samples), 0);
            prop_assert_eq!(samples, once);
        }

        #[test]
        fn order_matters_only_between_equal_timestamps(mut samples in proptest::collection::vec(any_sample(), 0..40)) {
            for (position, sample) in samples.iter_mut().enumerate() {
                sample.timestamp = Some(i64::try_from(position).expect("small"));
            }
            let mut reversed: Vec<Sample> = samples.iter().rev().copied().collect();
            prop_assert_eq!(settle(&mut samples), settle(&mut reversed));
            prop_assert_eq!(samples, reversed);
        }

        /// What was settled in parts, in whatever groups, is what is settled at once; in any order of the parts, too, as
        /// far as dates tell which record is the latest.
        #[test]
        fn merging_is_associative_and_commutative(
            mut parts in proptest::collection::vec(proptest::collection::vec(any_sample(), 0..20), 3),
            are_dated in any::<bool>(),
        ) {
            if are_dated {
                for (position, sample) in parts.iter_mut().flatten().enumerate() {
                    sample.timestamp = Some(i64::try_from(position).expect("small"));
                }
            }
            let merged = |parts: &[&(Vec<Sample>, u64)]| {
                let mut samples: Vec<Sample> = parts.iter().flat_map(|(samples, _)| samples).copied().collect();
                let n_duplicates = settle(&mut samples) + parts.iter().map(|(_, n_duplicates)| n_duplicates).sum::<u64>();
                (samples, n_duplicates)
            };
            let parts: Vec<(Vec<Sample>, u64)> = parts.into_iter().map(|part| (part, 0)).collect();
            let [a, b, c] = parts.as_slice() else { unreachable!("there are three") };
            let at_once = merged(&[a, b, c]);
            prop_assert_eq!(&merged(&[&merged(&[a, b]), c]), &at_once);
            prop_assert_eq!(&merged(&[a, &merged(&[b, c])]), &at_once);
            if are_dated {
                prop_assert_eq!(&merged(&[c, &merged(&[b, a])]), &at_once);
            }
        }
    }
}
