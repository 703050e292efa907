//! Filters as SQL conditions on `points` or `evals`.

use rs_core::filters::{Condition, Filters, Key, Test};
use serde_json::Value;

/// The table that a condition is for: `tags` is a column of `evals` only, coordinates of `points` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// `points`, under the name `p`.
    Points,
    /// `evals`, under the name `e`.
    Evals,
}

/// A text as an SQL literal.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The SQL condition on `points p` that holds where all filters hold; `TRUE` without filters.
#[must_use]
pub fn points_condition(filters: &Filters) -> String {
    join(filters.conditions.iter().map(|condition| match condition.key {
        Key::Marks("tags") => {
            format!("p.eval_id IN (SELECT e.eval_id FROM evals e WHERE {})", sql(condition, Table::Evals))
        }
        _ => sql(condition, Table::Points),
    }))
}

/// The SQL condition on `evals e` that holds for evaluations which can have points that satisfy the filters:
/// conditions on a point's own coordinates are not asked here.
#[must_use]
pub fn evals_condition(filters: &Filters) -> String {
    let of_evals = |condition: &&Condition| match &condition.key {
        Key::Column(name) => *name != "base_task",
        Key::Marks(_) => true,
        Key::Member(column, _) => *column == "facets",
    };
    join(filters.conditions.iter().filter(of_evals).map(|condition| sql(condition, Table::Evals)))
}

fn join(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.map(|condition| format!("({condition})")).collect();
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}

fn sql(condition: &Condition, table: Table) -> String {
    let table = match table {
        Table::Points => "p",
        Table::Evals => "e",
    };
    match (&condition.key, &condition.test) {
        (Key::Column("eval_id"), Test::AnyOf(values)) => {
            any(values.iter().map(|value| names_eval(table, text_of(value))))
        }
        (Key::Column("eval_id"), Test::NoneOf(values)) => {
            format!("NOT ({})", any(values.iter().map(|value| names_eval(table, text_of(value)))))
        }
        (Key::Column(name), Test::AnyOf(values)) => {
            any(values.iter().map(|value| format!("{table}.{name} = {}", literal(text_of(value)))))
        }
        (Key::Column(name), Test::NoneOf(values)) => {
            format!("NOT ({})", any(values.iter().map(|value| format!("{table}.{name} = {}", literal(text_of(value))))))
        }
        (Key::Marks(name), Test::AnyOfAll(lists)) => any(lists.iter().map(|all| {
            let marks: Vec<String> = all.iter().map(|mark| literal(mark)).collect();
            format!("list_has_all({table}.\"{name}\", [{}]::VARCHAR[])", marks.join(", "))
        })),
        (Key::Member(column, name), test) => member(&format!("{table}.{column}"), name, test),
        // The filter reader makes no other pairs.
        _ => "FALSE".to_owned(),
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.collect();
    if conditions.is_empty() { "FALSE".to_owned() } else { conditions.join(" OR ") }
}

/// An id, a longer prefix of the full hash (told by its first digits), or the identity text.
fn names_eval(table: &str, typed: &str) -> String {
    let is_hash = typed.len() > 6 && typed.len() <= 64 && typed.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = if is_hash { &typed[..6] } else { typed };
    format!(
        "{table}.eval_id = {} OR {table}.eval_id IN (SELECT n.eval_id FROM evals n WHERE
            n.model || '+' || n.template || '+' || n.sampler || coalesce('+ctx' || n.context, '') = {})",
        literal(&id.to_ascii_lowercase()),
        literal(typed)
    )
}

/// The SQL of a member of a JSON column as JSON text; NULL where there is none.
pub(crate) fn member_json(column: &str, name: &str) -> String {
    format!("json_extract({column}, {})::VARCHAR", member_path(name))
}

/// A JSON pointer: the name is one step, whatever is in it. In a JSON path, even a quoted `*` means all members.
fn member_path(name: &str) -> String {
    literal(&format!("/{}", name.replace('~', "~0").replace('/', "~1")))
}

/// A condition on a member of a JSON column. Numbers compare as numbers (8 equals 8.0), the rest as text.
fn member(column: &str, name: &str, test: &Test) -> String {
    let path = member_path(name);
    let number = format!(
        "CASE WHEN json_type({column}, {path}) IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT') THEN
        TRY_CAST(({column} ->> {path}) AS DOUBLE) END"
    );
    let equals = |value: &Value| match value {
        Value::Number(value) => format!("{number} = {value}"),
        Value::Null => format!("coalesce(json_type({column}, {path}), 'NULL') = 'NULL'"),
        Value::String(text) => format!("({column} ->> {path}) = {}", literal(text)),
        other => format!("json_extract({column}, {path}) = {}::JSON", literal(&other.to_string())),
    };
    match test {
        Test::AnyOf(values) => any(values.iter().map(equals)),
        Test::NoneOf(values) => format!("NOT coalesce({}, FALSE)", any(values.iter().map(equals))),
        Test::Bounds(bounds) => bounds
            .iter()
            .map(|(comparison, limit)| format!("{number} {} {limit:?}", comparison.sign()))
            .collect::<Vec<_>>()
            .join(" AND "),
        Test::AnyOfAll(_) => "FALSE".to_owned(),
    }
}
