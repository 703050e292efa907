//! Sums of counters over groups of points: what every statistic is made of.

use duckdb::Connection;
use duckdb::arrow::datatypes::{Int32Type, UInt8Type};
use rs_core::eval_id::Identity;
use rs_core::filters::{Filters, Key};
use rs_core::record::Outcome;
use rs_core::statistics::Counters;
use serde_json::Value;

use super::lists::{self, Lists, Moments, Question};
use crate::conditions::{evals_condition, literal, member_json, points_condition};

/// Who an evaluation is, without any sum.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalName {
    /// The evaluation's id.
    pub eval_id: String,
    /// Name for people.
    pub label: String,
    /// Whose records.
    pub identity: Identity,
    /// Context in tokens, if set.
    pub context_tokens: Option<u32>,
}

/// The sums over the points of one evaluation in one group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSums {
    /// The evaluation.
    pub eval_id: String,
    /// The values of the keys that make the groups; null where a point has none.
    pub group: Vec<Value>,
    /// Points.
    pub n_points: u64,
    /// Trials by outcome.
    pub counters: Counters,
    /// Completion tokens of the answered trials that tell them.
    pub tokens_sum: f64,
    /// How many tell them.
    pub n_with_tokens: u64,
    /// Whether some question was asked more than once.
    pub has_repetitions: bool,
}

/// Questions that were answered as often as each other, by one evaluation in one group.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionSums {
    /// The evaluation.
    pub eval_id: String,
    /// The values of the keys that make the groups.
    pub group: Vec<Value>,
    /// Right answers.
    pub correct: u64,
    /// Answered trials.
    pub answered: u64,
    /// Answered and truncated trials.
    pub trials: u64,
    /// Questions of which all that is true.
    pub n_questions: u64,
}

/// Completion tokens of the answered trials of one evaluation in one group.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenMoments {
    /// The evaluation.
    pub eval_id: String,
    /// The values of the keys that make the groups.
    pub group: Vec<Value>,
    /// Trials that tell them.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance (of the population).
    pub variance: f64,
}

/// The SQL of a point's value of a key: text of a column, JSON of a member.
pub(super) fn key_sql(key: &Key) -> String {
    match key {
        Key::Column(name) | Key::Marks(name) => format!("p.\"{name}\"::VARCHAR"),
        Key::Member(column, name) => member_json(&format!("p.{column}"), name),
    }
}

/// `, key AS g0, key AS g1`, to stand in a SELECT.
fn select_keys(by: &[Key]) -> String {
    by.iter().enumerate().map(|(at, key)| format!(", {} AS g{at}", key_sql(key))).collect()
}

/// Points of one task and how they are grouped: a part of the question [`sums_of_parts`].
#[derive(Debug, Clone, PartialEq)]
pub struct TaskPart {
    /// The task.
    pub base_task: String,
    /// Which of its points are meant.
    pub filters: Filters,
    /// What the groups are made by.
    pub by: Vec<Key>,
}

/// `, g0, g1`, of such a SELECT.
fn names_of_keys(by: &[Key]) -> String {
    (0..by.len()).map(|at| format!(", g{at}")).collect()
}

/// The value of a key that stands as text at this place of a row.
pub(super) fn read_value(row: &duckdb::Row<'_>, at: usize, key: &Key) -> duckdb::Result<Value> {
    Ok(value_of(row.get(at)?, key))
}

/// The value of a key of its text.
pub(super) fn value_of(text: Option<String>, key: &Key) -> Value {
    match (text, key) {
        (None, _) => Value::Null,
        (Some(text), Key::Member(..)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        (Some(text), _) => Value::String(text),
    }
}

/// The group of a row whose keys stand after its first column.
fn read_group(row: &duckdb::Row<'_>, by: &[Key]) -> duckdb::Result<Vec<Value>> {
    by.iter().enumerate().map(|(at, key)| read_value(row, 1 + at, key)).collect()
}

/// Answered trials of a point that tell their tokens. Where all samples do, which is nearly always, no list is opened but
/// for its length.
pub(super) fn n_with_tokens_sql() -> String {
    format!(
        "CASE WHEN p.completion_tokens_mean IS NULL THEN 0
            WHEN list_count(p.completion_tokens_list) = p.total + p.truncated THEN p.total
            ELSE len(list_filter(list_zip(p.completion_tokens_list, p.answer_status_list),
                lambda pair: pair[1] IS NOT NULL AND pair[2] <> {})) END",
        Outcome::Truncated as u8
    )
}

/// The evaluations that the filters leave, by label, then id.
///
/// # Errors
/// DuckDB refuses.
pub fn eval_names(connection: &Connection, filters: &Filters) -> duckdb::Result<Vec<EvalName>> {
    let sql = format!(
        "SELECT e.eval_id, e.label, e.model, e.template, e.sampler, e.context FROM evals e WHERE {}
        ORDER BY e.label, e.eval_id",
        evals_condition(filters)
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(EvalName {
            eval_id: row.get(0)?,
            label: row.get(1)?,
            identity: Identity { model: row.get(2)?, template: row.get(3)?, sampler: row.get(4)? },
            context_tokens: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// The sums over the points that the filters leave, of each evaluation in each group, by evaluation, then group as text.
/// Without a key all points of an evaluation are one group.
///
/// # Errors
/// DuckDB refuses.
pub fn sums(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<GroupSums>> {
    let sql = format!(
        "SELECT p.eval_id{keys}, count(*), sum(p.correct)::BIGINT, sum(p.invalid)::BIGINT, sum(p.total)::BIGINT,
            sum(p.truncated)::BIGINT, sum(p.guess_sum), sum(coalesce(p.completion_tokens_mean, 0) * n_with_tokens),
            sum(n_with_tokens)::BIGINT, coalesce(bool_or(list_max(p.sample_repeat_list) > 0), FALSE)
        FROM (SELECT p.*, {n_with_tokens} AS n_with_tokens FROM points p WHERE {condition}) p
        GROUP BY p.eval_id{names} ORDER BY p.eval_id{names}",
        keys = select_keys(by),
        names = names_of_keys(by),
        n_with_tokens = n_with_tokens_sql(),
        condition = points_condition(filters),
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| read_sums(row, by, by.len()))?;
    rows.collect()
}

/// SQL that makes a row of each part that a point `p` is in: the part's number and the values of its `n` keys at most.
fn unnest_parts(parts: &[TaskPart], n: usize) -> String {
    let mut tasks: Vec<&str> = parts.iter().map(|part| part.base_task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let part = |(at, part): (usize, &TaskPart)| {
        let key = |key: usize| {
            let value = part.by.get(key).map_or_else(|| "NULL::VARCHAR".to_owned(), key_sql);
            format!(", g{key}: {value}")
        };
        let keys: String = (0..n).map(key).collect();
        format!("CASE WHEN {} THEN {{part: {at}{keys}}} END", points_condition(&part.filters))
    };
    let of_task = |task: &&str| {
        let of_task = parts.iter().enumerate().filter(|(_, part)| part.base_task == **task);
        let parts: Vec<String> = of_task.map(part).collect();
        format!(" WHEN {} THEN [{}]", literal(task), parts.join(", "))
    };
    format!("unnest(CASE p.base_task{} ELSE [] END)", tasks.iter().map(of_task).collect::<String>())
}

/// `, part.g0 AS g0`, of such a row.
fn keys_of_parts(n: usize) -> String {
    (0..n).map(|at| format!(", part.g{at} AS g{at}")).collect()
}

/// `, g0`, of it.
fn names_of_parts(n: usize) -> String {
    (0..n).map(|at| format!(", g{at}")).collect()
}

/// What [`sums`] says of each of these parts of the points that the filters leave. The points are read once, however many
/// parts there are: asking for each part costs some milliseconds of planning.
///
/// # Errors
/// DuckDB refuses.
pub fn sums_of_parts(
    connection: &Connection,
    filters: &Filters,
    parts: &[TaskPart],
) -> duckdb::Result<Vec<Vec<GroupSums>>> {
    let mut found: Vec<Vec<GroupSums>> = parts.iter().map(|_| Vec::new()).collect();
    let Some(n) = parts.iter().map(|part| part.by.len()).max() else { return Ok(found) };
    let sql = format!(
        "WITH meant AS (
            SELECT p.eval_id, p.correct, p.invalid, p.total, p.truncated, p.guess_sum, p.completion_tokens_mean,
                {n_with_tokens} AS n_with_tokens, list_max(p.sample_repeat_list) > 0 AS is_repeated,
                {parts} AS part
            FROM points p WHERE {condition})
        SELECT eval_id{keys}, count(*), sum(correct)::BIGINT, sum(invalid)::BIGINT, sum(total)::BIGINT,
            sum(truncated)::BIGINT, sum(guess_sum), sum(coalesce(completion_tokens_mean, 0) * n_with_tokens),
            sum(n_with_tokens)::BIGINT, coalesce(bool_or(is_repeated), FALSE), part.part AS part_number
        FROM meant WHERE part IS NOT NULL GROUP BY eval_id, part_number{names} ORDER BY eval_id, part_number{names}",
        n_with_tokens = n_with_tokens_sql(),
        parts = unnest_parts(parts, n),
        condition = points_condition(filters),
        keys = keys_of_parts(n),
        names = names_of_parts(n),
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let part: usize = row.get(n + 10)?;
        found[part].push(read_sums(row, &parts[part].by, n)?);
    }
    Ok(found)
}

/// The sums of a row: evaluation, `n` columns for the keys, then the counters.
fn read_sums(row: &duckdb::Row<'_>, by: &[Key], n: usize) -> duckdb::Result<GroupSums> {
    Ok(GroupSums {
        eval_id: row.get(0)?,
        group: read_group(row, by)?,
        n_points: row.get(n + 1)?,
        counters: Counters {
            correct: row.get(n + 2)?,
            invalid: row.get(n + 3)?,
            answered: row.get(n + 4)?,
            truncated: row.get(n + 5)?,
            guess_sum: row.get(n + 6)?,
        },
        tokens_sum: row.get(n + 7)?,
        n_with_tokens: row.get(n + 8)?,
        has_repetitions: row.get(n + 9)?,
    })
}

/// How often questions were answered by these evaluations, in the order of [`sums`]. It opens all their lists: to be
/// asked of those only that have repetitions. Samples without an index are questions of their own.
///
/// # Errors
/// DuckDB refuses.
pub fn questions(
    connection: &Connection,
    filters: &Filters,
    by: &[Key],
    eval_ids: &[String],
) -> duckdb::Result<Vec<QuestionSums>> {
    let sql = format!(
        "WITH meant AS (SELECT p.rowid AS point, p.eval_id{keys} FROM points p WHERE {condition}), {questions}
        SELECT eval_id{names}, correct, answered, trials, count(*)
        FROM meant JOIN questions USING (point) GROUP BY eval_id{names}, correct, answered, trials
        ORDER BY eval_id{names}, correct, answered, trials",
        keys = select_keys(by),
        names = names_of_keys(by),
        condition = of_evals(filters, eval_ids),
        questions = questions_sql(),
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| read_questions(row, by, by.len()))?;
    rows.collect()
}

/// What [`questions`] says of each of these parts of the points that the filters leave.
///
/// # Errors
/// DuckDB refuses.
pub fn questions_of_parts(
    connection: &Connection,
    filters: &Filters,
    parts: &[TaskPart],
    eval_ids: &[String],
) -> duckdb::Result<Vec<Vec<QuestionSums>>> {
    let mut found: Vec<Vec<QuestionSums>> = parts.iter().map(|_| Vec::new()).collect();
    let Some(n) = parts.iter().map(|part| part.by.len()).max() else { return Ok(found) };
    let sql = format!(
        "WITH meant AS (SELECT p.rowid AS point, p.eval_id, {parts} AS part FROM points p WHERE {condition}), {questions}
        SELECT eval_id{keys}, correct, answered, trials, count(*), part.part AS part_number
        FROM meant JOIN questions USING (point) WHERE part IS NOT NULL
        GROUP BY eval_id, part_number{names}, correct, answered, trials
        ORDER BY eval_id, part_number{names}, correct, answered, trials",
        parts = unnest_parts(parts, n),
        condition = of_evals(filters, eval_ids),
        questions = questions_sql(),
        keys = keys_of_parts(n),
        names = names_of_parts(n),
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let part: usize = row.get(n + 5)?;
        found[part].push(read_questions(row, &parts[part].by, n)?);
    }
    Ok(found)
}

/// The condition on the points that the filters leave of these evaluations.
fn of_evals(filters: &Filters, eval_ids: &[String]) -> String {
    let ids: Vec<String> = eval_ids.iter().map(|id| literal(id)).collect();
    format!("{} AND p.eval_id IN ({})", points_condition(filters), ids.join(", "))
}

/// A table expression `questions` of the questions of the points in `meant`: no two points share one.
fn questions_sql() -> String {
    format!(
        "samples AS (
            SELECT p.rowid AS point, unnest(p.sample_seed_list) AS seed, unnest(p.sample_index_list) AS index,
                unnest(p.answer_status_list) AS status, generate_subscripts(p.answer_status_list, 1) AS place
            FROM points p WHERE p.rowid IN (SELECT point FROM meant)),
        questions AS (
            SELECT point, count(*) FILTER (status = {correct}) AS correct,
                count(*) FILTER (status <> {truncated}) AS answered, count(*) AS trials
            FROM samples GROUP BY point, seed, index, CASE WHEN index IS NULL THEN place END)",
        correct = Outcome::Correct as u8,
        truncated = Outcome::Truncated as u8,
    )
}

/// The questions of a row: evaluation, `n` columns for the keys, then the counts.
fn read_questions(row: &duckdb::Row<'_>, by: &[Key], n: usize) -> duckdb::Result<QuestionSums> {
    Ok(QuestionSums {
        eval_id: row.get(0)?,
        group: read_group(row, by)?,
        correct: row.get(n + 1)?,
        answered: row.get(n + 2)?,
        trials: row.get(n + 3)?,
        n_questions: row.get(n + 4)?,
    })
}

/// Mean and variance of the tokens of answered trials, in the order of [`sums`]; groups in which nobody tells them are left
/// out.
///
/// # Errors
/// DuckDB refuses.
pub fn token_moments(connection: &Connection, filters: &Filters, by: &[Key]) -> duckdb::Result<Vec<TokenMoments>> {
    let by: Vec<Key> = std::iter::once(Key::Column("eval_id")).chain(by.iter().cloned()).collect();
    let question = Question {
        by: &by,
        columns: "p.completion_tokens_list::INTEGER[], p.answer_status_list::UTINYINT[]",
        condition: points_condition(filters),
    };
    let sums = lists::sum_by_group(connection, &question, |columns, groups, sums: &mut [Moments]| {
        let tokens = Lists::<Int32Type>::new(&columns[0]);
        let statuses = Lists::<UInt8Type>::new(&columns[1]);
        for (row, group) in groups.iter().enumerate() {
            for (tokens, status) in tokens.of(row).zip(statuses.plain(row)) {
                if let Some(tokens) = tokens.filter(|_| *status != Outcome::Truncated as u8) {
                    sums[*group].add(f64::from(tokens));
                }
            }
        }
    })?;
    let moments = |(mut group, moments): (Vec<Value>, Moments)| {
        let eval_id = group.remove(0).as_str().unwrap_or_default().to_owned();
        let (mean, variance) = moments.mean().zip(moments.variance())?;
        Some(TokenMoments { eval_id, group, n: moments.n, mean, variance })
    };
    Ok(sums.into_iter().filter_map(moments).collect())
}
