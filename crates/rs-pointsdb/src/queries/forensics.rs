//! What `evaluate` found in the texts, taken together over groups of points.

use duckdb::Connection;
use duckdb::types::Value as Cell;
use rs_core::filters::{Filters, Key};
use rs_core::forensics::SPECTRUM_BINS;
use rs_core::record::Outcome;
use rs_core::statistics::Events;
use serde_json::Value;

use super::groups::{key_sql, read_value};
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

/// `key AS g0, key AS g1, `, to stand first in a SELECT.
fn select(by: &[Key]) -> String {
    by.iter().enumerate().map(|(at, key)| format!("{} AS g{at}, ", key_sql(key))).collect()
}

/// `g0, g1, `.
fn names(by: &[Key]) -> String {
    (0..by.len()).map(|at| format!("g{at}, ")).collect()
}

fn group(row: &duckdb::Row<'_>, by: &[Key]) -> duckdb::Result<Vec<Value>> {
    by.iter().enumerate().map(|(at, key)| read_value(row, at, key)).collect()
}

/// Sizes of traces by outcome, in each group, by group. Points whose traces were not compressed are left out.
///
/// # Errors
/// DuckDB refuses.
pub fn compression(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<CompressionSums>> {
    let sql = format!(
        "SELECT {names}status, count(*), avg(tokens), avg(bytes), avg(compressed), count(ratio), avg(ratio),
            stddev_samp(ratio)
        FROM (SELECT *, compressed / nullif(bytes, 0) AS ratio FROM (
            SELECT {select}unnest(p.answer_status_list) AS status, unnest(p.completion_tokens_list) AS tokens,
                unnest(p.response_bytes_list) AS bytes, unnest(p.compressed_sizes_list) AS compressed
            FROM points p WHERE p.compressed_sizes_list IS NOT NULL AND {condition}))
        GROUP BY ALL ORDER BY ALL",
        names = names(by),
        select = select(by),
        condition = points_condition(filters),
    );
    let mut statement = connection.prepare(&sql)?;
    let n = by.len();
    let rows = statement.query_map([], |row| {
        let status: u8 = row.get(n)?;
        Ok(CompressionSums {
            group: group(row, by)?,
            outcome: OUTCOMES.into_iter().find(|outcome| *outcome as u8 == status).unwrap_or(Outcome::Error),
            n: row.get(n + 1)?,
            tokens_mean: row.get(n + 2)?,
            bytes_mean: row.get(n + 3)?,
            compressed_mean: row.get(n + 4)?,
            n_with_ratio: row.get(n + 5)?,
            ratio_mean: row.get(n + 6)?,
            ratio_deviation: row.get(n + 7)?,
        })
    })?;
    rows.collect()
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

/// Outcomes of trials, in the order of their numbers.
const OUTCOMES: [Outcome; 4] = [Outcome::Correct, Outcome::Incorrect, Outcome::Truncated, Outcome::Invalid];

/// Traces that tell their tokens, in each group and outcome at most so many: those of the least hashes, which are as good
/// as drawn by lot, and always the same.
///
/// # Errors
/// DuckDB refuses.
pub fn traces(connection: &Connection, filters: &Filters, by: &[Key], most: usize) -> duckdb::Result<Vec<Trace>> {
    let sql = format!(
        "SELECT {names}status, tokens, compressed FROM (
            SELECT {select}unnest(p.answer_status_list) AS status, unnest(p.completion_tokens_list) AS tokens,
                unnest(p.compressed_sizes_list) AS compressed, p.base_task, p.params, p.eval_id AS e,
                generate_subscripts(p.answer_status_list, 1) AS number
            FROM points p WHERE p.compressed_sizes_list IS NOT NULL AND {condition})
        WHERE tokens IS NOT NULL
        QUALIFY row_number() OVER (
            PARTITION BY {names}status ORDER BY hash(e, base_task, params, number), e, base_task, params, number) <= {most}
        ORDER BY ALL",
        names = names(by),
        select = select(by),
        condition = points_condition(filters),
    );
    let mut statement = connection.prepare(&sql)?;
    let n = by.len();
    let rows = statement.query_map([], |row| {
        let status: u8 = row.get(n)?;
        Ok(Trace {
            group: group(row, by)?,
            outcome: OUTCOMES.into_iter().find(|outcome| *outcome as u8 == status).unwrap_or(Outcome::Error),
            tokens: row.get(n + 1)?,
            compressed_bytes: row.get(n + 2)?,
        })
    })?;
    rows.collect()
}

/// Events by bin of tokens in each group, by group. Points that tell no tokens are left out.
///
/// # Errors
/// DuckDB refuses.
pub fn hazard(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<HazardSums>> {
    let sql = format!(
        "SELECT {names}width, bin, sum(correct)::BIGINT, sum(incorrect)::BIGINT, sum(truncated)::BIGINT
        FROM (SELECT {select}p.hazard_bin_tokens AS width, unnest(p.hazard_correct) AS correct,
                unnest(p.hazard_incorrect) AS incorrect, unnest(p.hazard_truncated) AS truncated,
                generate_subscripts(p.hazard_correct, 1) - 1 AS bin
            FROM points p WHERE p.hazard_bin_tokens IS NOT NULL AND {condition})
        GROUP BY ALL ORDER BY ALL",
        names = names(by),
        select = select(by),
        condition = points_condition(filters),
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (n, mut sums) = (by.len(), Vec::<HazardSums>::new());
    while let Some(row) = rows.next()? {
        let (group, bin_tokens, bin) = (group(row, by)?, row.get(n)?, row.get::<_, usize>(n + 1)?);
        if !sums.last().is_some_and(|last| (&last.group, last.bin_tokens) == (&group, bin_tokens)) {
            sums.push(HazardSums { group, bin_tokens, bins: Vec::new() });
        }
        if let Some(last) = sums.last_mut() {
            last.bins.resize(bin + 1, Events::default());
            last.bins[bin] =
                Events { correct: row.get(n + 2)?, incorrect: row.get(n + 3)?, truncated: row.get(n + 4)? };
        }
    }
    Ok(sums)
}

/// Mean spectra in each group, every point counting the same, by group. Points without a spectrum are left out.
///
/// # Errors
/// DuckDB refuses.
pub fn spectra(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<SpectrumSums>> {
    let bins = |sql: &dyn Fn(usize) -> String| (1..=SPECTRUM_BINS).map(sql).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {names}count(*), [{means}], [{squares}]
        FROM (SELECT {select}p.fft_power_mean AS m, p.fft_power_std AS s FROM points p
            WHERE p.fft_power_mean IS NOT NULL AND {condition})
        GROUP BY ALL ORDER BY ALL",
        names = names(by),
        means = bins(&|bin| format!("avg(m[{bin}])")),
        squares = bins(&|bin| format!("avg(s[{bin}]::DOUBLE ** 2 + m[{bin}]::DOUBLE ** 2)")),
        select = select(by),
        condition = points_condition(filters),
    );
    let doubles = |cell: &Cell| match cell {
        Cell::List(items) => {
            items.iter().map(|item| if let Cell::Double(value) = item { *value } else { 0.0 }).collect()
        }
        _ => Vec::<f64>::new(),
    };
    let mut statement = connection.prepare(&sql)?;
    let n = by.len();
    let rows = statement.query_map([], |row| {
        let (mean, squares) = (doubles(&row.get(n + 1)?), doubles(&row.get(n + 2)?));
        let deviation =
            mean.iter().zip(&squares).map(|(mean, square)| (square - mean * mean).max(0.0).sqrt()).collect();
        Ok(SpectrumSums { group: group(row, by)?, n_points: row.get(n)?, mean, deviation })
    })?;
    rows.collect()
}
