//! Questions that the tools ask a PointsDB.

pub mod forensics;
pub mod groups;
mod lists;
pub mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;
use rs_core::filters::{Condition, Filters, Key, Test};
use serde_json::Value;

use crate::conditions::{evals_condition, points_condition};

/// An evaluation and the sums over those of its points that the filters select.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalSummary {
    /// The evaluation's id.
    pub eval_id: String,
    /// Name for people.
    pub label: String,
    /// Model of the identity.
    pub model: String,
    /// Template of the identity.
    pub template: String,
    /// Sampler of the identity.
    pub sampler: String,
    /// Context in tokens, if set.
    pub context_tokens: Option<u32>,
    /// Hugging Face id of the model.
    pub hf_id: Option<String>,
    /// Groups as `key:value`.
    pub groups: Vec<String>,
    /// Free marks.
    pub tags: Vec<String>,
    /// The cohort's folder, relative to the dataset file's.
    pub cohort: Option<String>,
    /// Raw files matched, whatever the filters.
    pub n_files: u64,
    /// Records read, whatever the filters.
    pub n_records: u64,
    /// Records that lost to another of the same sample, whatever the filters.
    pub n_duplicates: u64,
    /// Lines that are no record, whatever the filters.
    pub n_malformed: u64,
    /// Records of other identities, whatever the filters.
    pub n_foreign: u64,
    /// Hash of all that the evaluation's rows depend on.
    pub fingerprint: String,
    /// Earliest record: microseconds since 1970, UTC.
    pub first_timestamp: Option<i64>,
    /// Latest record.
    pub last_timestamp: Option<i64>,
    /// Points.
    pub n_points: u64,
    /// Answered and truncated trials.
    pub n_samples: u64,
    /// Truncated trials.
    pub n_truncated: u64,
    /// Samples whose request failed.
    pub n_errors: u64,
    /// Mean completion tokens of answered trials; `None` if none tells them.
    pub mean_tokens: Option<f64>,
    /// Prompt and completion tokens of all samples; `None` if none tells any.
    pub total_tokens: Option<u64>,
}

impl EvalSummary {
    /// Truncated trials over samples. `None` without samples.
    #[must_use]
    pub fn truncated_ratio(&self) -> Option<f64> {
        (self.n_samples > 0).then(|| self.n_truncated as f64 / self.n_samples as f64)
    }
}

/// A coordinate of a task, over all evaluations that the filters select.
#[derive(Debug, Clone, PartialEq)]
pub struct Coordinate {
    /// The task.
    pub base_task: String,
    /// Canonical JSON.
    pub params: String,
    /// Canonical JSON.
    pub manifold: Option<String>,
    /// Rows of `points`.
    pub n_rows: u64,
    /// Answered and truncated trials.
    pub n_samples: u64,
    /// Truncated trials.
    pub n_truncated: u64,
    /// Prompt and completion tokens.
    pub total_tokens: Option<u64>,
}

/// A filter value that nothing in the database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue {
    /// The key.
    pub key: String,
    /// What was asked for; `None` if the key itself is unknown here.
    pub value: Option<String>,
    /// What there is, in order.
    pub known: Vec<String>,
}

fn strings(value: &duckdb::types::Value) -> Vec<String> {
    let duckdb::types::Value::List(items) = value else { return Vec::new() };
    items
        .iter()
        .filter_map(|item| match item {
            duckdb::types::Value::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// The evaluations that the filters select, by label, then id. One whose points all fall to the filters is left out.
///
/// # Errors
/// DuckDB refuses.
pub fn evals(connection: &Connection, filters: &Filters) -> duckdb::Result<Vec<EvalSummary>> {
    let sql = format!(
        "WITH sums AS (
            SELECT p.eval_id, count(*) AS n_points, sum(p.total + p.truncated)::BIGINT AS n_samples,
                sum(p.truncated)::BIGINT AS n_truncated, sum(p.errors)::BIGINT AS n_errors,
                sum(p.total_tokens)::BIGINT AS total_tokens,
                sum(p.completion_tokens_mean * n_with_tokens) / nullif(sum(n_with_tokens), 0) AS mean_tokens
            FROM (SELECT p.*, {3} AS n_with_tokens FROM points p WHERE {0}) p GROUP BY p.eval_id)
        SELECT e.eval_id, e.label, e.model, e.template, e.sampler, e.context, e.hf_id, e.\"groups\", e.tags, e.cohort,
            e.n_files, e.n_records, epoch_us(e.first_timestamp), epoch_us(e.last_timestamp),
            coalesce(s.n_points, 0), coalesce(s.n_samples, 0), coalesce(s.n_truncated, 0), coalesce(s.n_errors, 0),
            s.mean_tokens, s.total_tokens, e.n_duplicates, e.n_malformed, e.n_foreign, e.fingerprint
        FROM evals e LEFT JOIN sums s USING (eval_id)
        WHERE {1} AND (s.n_points > 0 OR {2})
        ORDER BY e.label, e.eval_id",
        points_condition(filters),
        evals_condition(filters),
        // Without filters an evaluation without points is shown too: that is worth knowing.
        filters.is_empty(),
        groups::n_with_tokens_sql(),
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(EvalSummary {
            eval_id: row.get(0)?,
            label: row.get(1)?,
            model: row.get(2)?,
            template: row.get(3)?,
            sampler: row.get(4)?,
            context_tokens: row.get(5)?,
            hf_id: row.get(6)?,
            groups: strings(&row.get(7)?),
            tags: strings(&row.get(8)?),
            cohort: row.get(9)?,
            n_files: row.get(10)?,
            n_records: row.get(11)?,
            first_timestamp: row.get(12)?,
            last_timestamp: row.get(13)?,
            n_points: row.get(14)?,
            n_samples: row.get(15)?,
            n_truncated: row.get(16)?,
            n_errors: row.get(17)?,
            mean_tokens: row.get(18)?,
            total_tokens: row.get(19)?,
            n_duplicates: row.get(20)?,
            n_malformed: row.get(21)?,
            n_foreign: row.get(22)?,
            fingerprint: row.get(23)?,
        })
    })?;
    rows.collect()
}

/// The coordinates that the filters select, by task and params.
///
/// # Errors
/// DuckDB refuses.
pub fn coordinates(connection: &Connection, filters: &Filters) -> duckdb::Result<Vec<Coordinate>> {
    let sql = format!(
        "SELECT p.base_task, p.params, min(p.manifold), count(*), sum(p.total + p.truncated)::BIGINT,
            sum(p.truncated)::BIGINT, sum(p.total_tokens)::BIGINT
        FROM points p WHERE {} GROUP BY p.base_task, p.params ORDER BY p.base_task, p.params",
        points_condition(filters)
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Coordinate {
            base_task: row.get(0)?,
            params: row.get(1)?,
            manifold: row.get(2)?,
            n_rows: row.get(3)?,
            n_samples: row.get(4)?,
            n_truncated: row.get(5)?,
            total_tokens: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// The value of a key of `meta`.
///
/// # Errors
/// DuckDB refuses.
pub fn meta(connection: &Connection, key: &str) -> duckdb::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT value FROM meta WHERE key = ?")?;
    let mut rows = statement.query_map([key], |row| row.get(0))?;
    rows.next().transpose()
}

/// The first filter value that nothing in the database has, with what there is.
///
/// # Errors
/// DuckDB refuses.
pub fn unknown_value(connection: &Connection, filters: &Filters) -> duckdb::Result<Option<UnknownValue>> {
    for condition in &filters.conditions {
        let known = known_values(connection, &condition.key)?;
        if let Some(unknown) = unknown_in(condition, known) {
            return Ok(Some(unknown));
        }
    }
    Ok(None)
}

/// All values of a key: texts for columns and marks, canonical JSON for members.
fn known_values(connection: &Connection, key: &Key) -> duckdb::Result<BTreeSet<String>> {
    let texts = |sql: &str| -> duckdb::Result<BTreeSet<String>> {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0))?;
        rows.filter_map(Result::transpose).collect()
    };
    match key {
        Key::Column("eval_id") => texts(
            "SELECT unnest([eval_id, model || '+' || template || '+' || sampler || coalesce('+ctx' || context, '')]) FROM evals",
        ),
        Key::Column("base_task") => texts("SELECT DISTINCT base_task FROM points"),
        Key::Column(name) => texts(&format!("SELECT DISTINCT {name} FROM evals")),
        Key::Marks(name) => texts(&format!("SELECT DISTINCT unnest(\"{name}\") FROM evals")),
        Key::Member(column, _) => texts(&format!("SELECT DISTINCT {column}::VARCHAR FROM points")),
    }
}

fn unknown_in(condition: &Condition, known: BTreeSet<String>) -> Option<UnknownValue> {
    let unknown = |value: Option<String>, known: BTreeSet<String>| {
        Some(UnknownValue { key: condition.key.to_string(), value, known: known.into_iter().collect() })
    };
    match (&condition.key, &condition.test) {
        (Key::Column(name), Test::AnyOf(values) | Test::NoneOf(values)) => {
            let is_known = |typed: &str| {
                let is_hash =
                    *name == "eval_id" && typed.len() > 6 && typed.bytes().all(|byte| byte.is_ascii_hexdigit());
                let id = if is_hash { typed[..6].to_ascii_lowercase() } else { typed.to_owned() };
                known.contains(&id) || *name == "eval_id" && known.contains(&typed.to_ascii_lowercase())
            };
            let missing = values.iter().filter_map(Value::as_str).find(|typed| !is_known(typed))?;
            unknown(Some(missing.to_owned()), known)
        }
        (Key::Marks(_), Test::AnyOfAll(lists)) => {
            let missing = lists.iter().flatten().find(|mark| !known.contains(*mark))?.clone();
            unknown(Some(missing), known)
        }
        (Key::Member(column, name), test) => {
            let members = members(&known);
            let Some(values) = members.get(name) else {
                let known = members.keys().map(|name| format!("{column}.{name}")).collect();
                return unknown(None, known);
            };
            let Test::AnyOf(wanted) = test else { return None };
            let is_known = |value: &Value| {
                let equals = |known: &&Value| {
                    *known == value || known.as_f64().is_some_and(|number| value.as_f64() == Some(number))
                };
                value.is_null() || values.iter().any(|known| equals(&known))
            };
            let missing = wanted.iter().find(|value| !is_known(value))?;
            unknown(Some(plain(missing)), values.iter().map(plain).collect())
        }
        _ => None,
    }
}

/// All members of some JSON objects, with their values in order.
fn members(objects: &BTreeSet<String>) -> BTreeMap<String, Vec<Value>> {
    let mut members: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        let Ok(Value::Object(object)) = serde_json::from_str::<Value>(object) else { continue };
        for (name, value) in object {
            let values = members.entry(name).or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    members
}

/// A JSON value as a person would type it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
