//! Questions that two evaluations were asked, and what each made of them.

use duckdb::Connection;
use rs_core::filters::{Filters, Key};
use rs_core::record::Outcome;
use serde_json::Value;

use super::groups::{key_sql, read_value};
use crate::conditions::{literal, points_condition};

/// Right answers to one question, of so many trials; truncated trials are among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Right answers.
    pub correct: u64,
    /// Answered and truncated trials.
    pub trials: u64,
}

/// Questions of one task (and group) that went the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct PairCount {
    /// The task.
    pub base_task: String,
    /// The value of the key that makes the groups; null without a key.
    pub group: Value,
    /// What the first evaluation made of each; `None` if it was not asked.
    pub first: Option<Tally>,
    /// What the second made of it.
    pub second: Option<Tally>,
    /// Whether the samples say which question they are about.
    pub is_indexed: bool,
    /// How many questions.
    pub n_questions: u64,
}

/// Questions are the same where task, params, seed and index are; samples without an index are nobody else's. By task, then
/// group.
///
/// # Errors
/// DuckDB refuses.
pub fn pairs(
    connection: &Connection,
    filters: &Filters,
    by: Option<&Key>,
    (first, second): (&str, &str),
) -> duckdb::Result<Vec<PairCount>> {
    let of_eval = |id: &str| {
        format!(
            "SELECT place, seed, index, CASE WHEN index IS NULL THEN {id} || number END AS alone,
                count(*) FILTER (status = {correct})::INTEGER AS correct, count(*)::INTEGER AS trials
            FROM (SELECT s.place, unnest(p.sample_seed_list) AS seed, unnest(p.sample_index_list) AS index,
                    unnest(p.answer_status_list) AS status, generate_subscripts(p.answer_status_list, 1) AS number
                FROM points p JOIN places s ON p.base_task = s.base_task AND p.params = s.params
                WHERE p.eval_id = {id} AND {condition})
            GROUP BY ALL",
            id = literal(id),
            correct = Outcome::Correct as u8,
            condition = points_condition(filters),
        )
    };
    // Coordinates are numbered first: numbers are joined faster than texts.
    let sql = format!(
        "WITH places AS MATERIALIZED (
            SELECT p.base_task, p.params, min({group}) AS g0, row_number() OVER () AS place
            FROM points p WHERE p.eval_id IN ({first_id}, {second_id}) AND {condition} GROUP BY p.base_task, p.params),
        a AS ({a}), b AS ({b}),
        pairs AS (
            SELECT coalesce(a.place, b.place) AS place, a.correct AS a_correct, a.trials AS a_trials,
                b.correct AS b_correct, b.trials AS b_trials, coalesce(a.alone, b.alone) IS NULL AS is_indexed,
                count(*) AS n
            FROM a FULL JOIN b ON a.place = b.place AND a.seed IS NOT DISTINCT FROM b.seed
                AND a.index IS NOT DISTINCT FROM b.index AND a.alone IS NOT DISTINCT FROM b.alone
            GROUP BY ALL)
        SELECT s.base_task, s.g0, a_correct, a_trials, b_correct, b_trials, is_indexed, sum(n)::BIGINT
        FROM pairs JOIN places s USING (place) GROUP BY ALL ORDER BY ALL",
        group = by.map_or_else(|| "NULL::VARCHAR".to_owned(), key_sql),
        first_id = literal(first),
        second_id = literal(second),
        condition = points_condition(filters),
        a = of_eval(first),
        b = of_eval(second),
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let tally = |at: usize| -> duckdb::Result<Option<Tally>> {
            let (correct, trials): (Option<u64>, Option<u64>) = (row.get(at)?, row.get(at + 1)?);
            Ok(correct.zip(trials).map(|(correct, trials)| Tally { correct, trials }))
        };
        Ok(PairCount {
            base_task: row.get(0)?,
            group: by.map_or(Ok(Value::Null), |key| read_value(row, 1, key))?,
            first: tally(2)?,
            second: tally(4)?,
            is_indexed: row.get(6)?,
            n_questions: row.get(7)?,
        })
    })?;
    rows.collect()
}
