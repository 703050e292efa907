//! What `evaluate` found in the texts, taken together over groups of points.

use std::collections::{BTreeMap, BinaryHeap};

use duckdb::Connection;
use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::{Float32Type, Int32Type, UInt8Type, UInt32Type, UInt64Type};
use rs_core::filters::{Filters, Key};
use rs_core::forensics::SPECTRUM_BINS;
use rs_core::record::Outcome;
use rs_core::statistics::Events;
use serde_json::Value;

use super::lists::{self, Lists, Moments, Question, Sums};
use crate::conditions::points_condition;

/// Traces of one outcome in one group.
#[derive(Debug, Clone, PartialEq)]
pub struct CompressionSums {
    /// The values of the keys that make the groups.
    pub group: Vec<Value>,
    /// What came of the trials.
    pub outcome: Outcome,
    /// Traces that were compressed.
    pub n: u64,
    /// Mean completion tokens of those that tell them.
    pub tokens_mean: Option<f64>,
    /// Mean bytes.
    pub bytes_mean: f64,
    /// Mean bytes once compressed.
    pub compressed_mean: f64,
    /// Traces that are not empty: the others have no ratio.
    pub n_with_ratio: u64,
    /// Mean of compressed over plain bytes.
    pub ratio_mean: Option<f64>,
    /// Standard deviation of these ratios (of the sample).
    pub ratio_deviation: Option<f64>,
}

/// Events of one group by bin of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct HazardSums {
    /// The values of the keys that make the groups.
    pub group: Vec<Value>,
    /// Width of a bin.
    pub bin_tokens: u32,
    /// From 0 tokens on.
    pub bins: Vec<Events>,
}

/// Spectra of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumSums {
    /// The values of the keys that make the groups.
    pub group: Vec<Value>,
    /// Points that have a spectrum.
    pub n_points: u64,
    /// Mean magnitudes over the points, at equally spaced frequencies from 0 to 0.5.
    pub mean: Vec<f64>,
    /// Standard deviation over all prompts: within the points and between them.
    pub deviation: Vec<f64>,
}

/// Outcomes of trials, in the order of their numbers.
const OUTCOMES: [Outcome; 4] = [Outcome::Correct, Outcome::Incorrect, Outcome::Truncated, Outcome::Invalid];

/// Sums over traces of one outcome.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    n: u64,
    tokens: Moments,
    bytes: u64,
    compressed: u64,
    ratio: Moments,
}

impl Sums for Sizes {
    fn merge(&mut self, other: Self) {
        self.n += other.n;
        self.tokens.merge(other.tokens);
        self.bytes += other.bytes;
        self.compressed += other.compressed;
        self.ratio.merge(other.ratio);
    }
}

/// Sizes of traces by outcome, in each group, by group. Points whose traces were not compressed are left out.
///
/// # Errors
/// DuckDB refuses.
pub fn compression(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<CompressionSums>> {
    let question = Question {
        by,
        columns: "p.answer_status_list::UTINYINT[], p.completion_tokens_list::INTEGER[], \
            p.response_bytes_list::INTEGER[], p.compressed_sizes_list::INTEGER[]",
        condition: format!("p.compressed_sizes_list IS NOT NULL AND {}", points_condition(filters)),
    };
    let sums = lists::sum_by_group(connection, &question, |columns, groups, sums: &mut [[Sizes; OUTCOMES.len()]]| {
        let statuses = Lists::<UInt8Type>::new(&columns[0]);
        let [tokens, bytes, compressed] = [1, 2, 3].map(|at| Lists::<Int32Type>::new(&columns[at]));
        for (row, group) in groups.iter().enumerate() {
            let sizes = bytes.plain(row).iter().zip(compressed.plain(row));
            for ((status, tokens), (bytes, compressed)) in statuses.plain(row).iter().zip(tokens.of(row)).zip(sizes) {
                let Some(sums) = sums[*group].get_mut(usize::from(*status)) else { continue };
                sums.n += 1;
                sums.bytes += u64::from(bytes.cast_unsigned());
                sums.compressed += u64::from(compressed.cast_unsigned());
                if let Some(tokens) = tokens {
                    sums.tokens.add(f64::from(tokens));
                }
                if *bytes > 0 {
                    sums.ratio.add(f64::from(*compressed) / f64::from(*bytes));
                }
            }
        }
    })?;
    let sums = sums.into_iter().flat_map(|(group, sums)| {
        let of_outcomes = OUTCOMES.into_iter().zip(sums).filter(|(_, sums)| sums.n > 0);
        of_outcomes.map(move |(outcome, sums)| CompressionSums {
            group: group.clone(),
            outcome,
            n: sums.n,
            tokens_mean: sums.tokens.mean(),
            bytes_mean: sums.bytes as f64 / sums.n as f64,
            compressed_mean: sums.compressed as f64 / sums.n as f64,
            n_with_ratio: sums.ratio.n,
            ratio_mean: sums.ratio.mean(),
            ratio_deviation: sums.ratio.sample_deviation(),
        })
    });
    Ok(sums.collect())
}

/// A trace as a dot of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The values of the keys that make the groups.
    pub group: Vec<Value>,
    /// What came of the trial.
    pub outcome: Outcome,
    /// Completion tokens.
    pub tokens: u32,
    /// Bytes once compressed.
    pub compressed_bytes: u32,
}

/// The traces of the least lots, the greatest of them on top: lot, tokens, compressed bytes.
type Drawn = BinaryHeap<(u64, i32, i32)>;

impl Sums for Drawn {
    /// Those that are too many are left out at the end.
    fn merge(&mut self, mut other: Self) {
        self.append(&mut other);
    }
}

/// Traces that tell their tokens, in each group and outcome at most so many: those of the least hashes, which are as good
/// as drawn by lot, and always the same. By group, outcome, tokens and size.
///
/// # Errors
/// DuckDB refuses.
pub fn traces(connection: &Connection, filters: &Filters, by: &[Key], most: usize) -> duckdb::Result<Vec<Trace>> {
    let question = Question {
        by,
        columns: "p.answer_status_list::UTINYINT[], p.completion_tokens_list::INTEGER[], \
            p.compressed_sizes_list::INTEGER[], hash(p.eval_id, p.base_task, p.params)::UBIGINT",
        condition: format!("p.compressed_sizes_list IS NOT NULL AND {}", points_condition(filters)),
    };
    let drawn =
        lists::sum_by_group(connection, &question, |columns, groups, drawn: &mut [[Drawn; OUTCOMES.len()]]| {
            let statuses = Lists::<UInt8Type>::new(&columns[0]);
            let [tokens, compressed] = [1, 2].map(|at| Lists::<Int32Type>::new(&columns[at]));
            let hashes = columns[3].as_primitive::<UInt64Type>();
            for (row, group) in groups.iter().enumerate() {
                let mut lots = fastrand::Rng::with_seed(hashes.value(row));
                let traces = statuses.plain(row).iter().zip(tokens.of(row)).zip(compressed.plain(row));
                for ((status, tokens), compressed) in traces {
                    let lot = lots.u64(..);
                    let Some((drawn, tokens)) = drawn[*group].get_mut(usize::from(*status)).zip(tokens) else {
                        continue;
                    };
                    if drawn.len() < most {
                        drawn.push((lot, tokens, *compressed));
                    } else if let Some(mut greatest) = drawn.peek_mut().filter(|greatest| lot < greatest.0) {
                        *greatest = (lot, tokens, *compressed);
                    }
                }
            }
        })?;
    let mut traces = Vec::new();
    for (group, drawn) in drawn {
        for (outcome, drawn) in OUTCOMES.into_iter().zip(drawn) {
            let drawn = drawn.into_sorted_vec().into_iter().take(most);
            let mut places: Vec<(i32, i32)> = drawn.map(|(_, tokens, bytes)| (tokens, bytes)).collect();
            places.sort_unstable();
            traces.extend(places.into_iter().map(|(tokens, bytes)| Trace {
                group: group.clone(),
                outcome,
                tokens: tokens.cast_unsigned(),
                compressed_bytes: bytes.cast_unsigned(),
            }));
        }
    }
    Ok(traces)
}

/// Events by bin, by width of the bins.
type Bins = BTreeMap<u32, Vec<Events>>;

impl Sums for Bins {
    fn merge(&mut self, other: Self) {
        for (width, events) in other {
            let own = self.entry(width).or_default();
            own.resize(own.len().max(events.len()), Events::default());
            for (own, other) in own.iter_mut().zip(events) {
                own.correct += other.correct;
                own.incorrect += other.incorrect;
                own.truncated += other.truncated;
            }
        }
    }
}

/// Events by bin of tokens in each group, by group. Points that tell no tokens are left out.
///
/// # Errors
/// DuckDB refuses.
pub fn hazard(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<HazardSums>> {
    let question = Question {
        by,
        columns: "p.hazard_bin_tokens::UINTEGER, p.hazard_correct::INTEGER[], p.hazard_incorrect::INTEGER[], \
            p.hazard_truncated::INTEGER[]",
        condition: format!("p.hazard_bin_tokens IS NOT NULL AND {}", points_condition(filters)),
    };
    let sums = lists::sum_by_group(connection, &question, |columns, groups, sums: &mut [Bins]| {
        let widths = columns[0].as_primitive::<UInt32Type>();
        let lists = [1, 2, 3].map(|at| Lists::<Int32Type>::new(&columns[at]));
        for (row, group) in groups.iter().enumerate() {
            let [correct, incorrect, truncated] = lists.each_ref().map(|lists| lists.plain(row));
            let bins = sums[*group].entry(widths.value(row)).or_default();
            bins.resize(bins.len().max(correct.len()), Events::default());
            let counts = correct.iter().zip(incorrect).zip(truncated);
            for (bin, ((correct, incorrect), truncated)) in bins.iter_mut().zip(counts) {
                bin.correct += u64::from(correct.cast_unsigned());
                bin.incorrect += u64::from(incorrect.cast_unsigned());
                bin.truncated += u64::from(truncated.cast_unsigned());
            }
        }
    })?;
    let sums = sums.into_iter().flat_map(|(group, of_widths)| {
        of_widths.into_iter().map(move |(bin_tokens, bins)| HazardSums { group: group.clone(), bin_tokens, bins })
    });
    Ok(sums.filter(|sums| !sums.bins.is_empty()).collect())
}

/// Sums over spectra, bin by bin.
#[derive(Debug, Clone, Default)]
struct Spectra {
    n: u64,
    means: Vec<f64>,
    /// Of squared deviations and squared means.
    squares: Vec<f64>,
}

impl Sums for Spectra {
    fn merge(&mut self, other: Self) {
        if self.n == 0 {
            *self = other;
            return;
        }
        self.n += other.n;
        self.means.iter_mut().zip(other.means).for_each(|(own, other)| *own += other);
        self.squares.iter_mut().zip(other.squares).for_each(|(own, other)| *own += other);
    }
}

/// Mean spectra in each group, every point counting the same, by group. Points without a spectrum are left out.
///
/// # Errors
/// DuckDB refuses.
pub fn spectra(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<SpectrumSums>> {
    let question = Question {
        by,
        columns: "p.fft_power_mean::FLOAT[], p.fft_power_std::FLOAT[]",
        condition: format!("p.fft_power_mean IS NOT NULL AND {}", points_condition(filters)),
    };
    let sums = lists::sum_by_group(connection, &question, |columns, groups, sums: &mut [Spectra]| {
        let [means, deviations] = [0, 1].map(|at| Lists::<Float32Type>::new(&columns[at]));
        for (row, group) in groups.iter().enumerate() {
            let sums = &mut sums[*group];
            sums.n += 1;
            sums.means.resize(SPECTRUM_BINS, 0.0);
            sums.squares.resize(SPECTRUM_BINS, 0.0);
            let bins = sums.means.iter_mut().zip(&mut sums.squares);
            for ((sum, squares), (mean, deviation)) in bins.zip(means.plain(row).iter().zip(deviations.plain(row))) {
                let (mean, deviation) = (f64::from(*mean), f64::from(*deviation));
                *sum += mean;
                *squares += deviation * deviation + mean * mean;
            }
        }
    })?;
    let spectrum = |(group, sums): (Vec<Value>, Spectra)| {
        let over_points = |sum: &f64| sum / sums.n as f64;
        let mean: Vec<f64> = sums.means.iter().map(over_points).collect();
        let squares = sums.squares.iter().map(over_points);
        let deviation = mean.iter().zip(squares).map(|(mean, square)| (square - mean * mean).max(0.0).sqrt()).collect();
        SpectrumSums { group, n_points: sums.n, mean, deviation }
    };
    Ok(sums.into_iter().map(spectrum).collect())
}
