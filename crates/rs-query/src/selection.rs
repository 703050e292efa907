//! `--filters` and `--where`: which points a command is about.

use clap::Args;
use rs_cli::CommandError;
use rs_core::eval_id::{self, EVAL_ID_DIGITS, Identity};
use rs_core::filters::{Filters, Key, Test};
use rs_core::suggest;
use rs_pointsdb::queries::{self, EvalSummary, UnknownValue};
use serde_json::Value;

use crate::source::Source;

/// Known values that a hint lists.
const SHOWN_VALUES: usize = 12;

/// Which points the command is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which points")]
pub struct SelectionArgs {
    /// Conditions as one JSON object, like '{"base_task": "arithmetic", "params.length": {">=": 16}}'.
    #[arg(long, value_name = "JSON")]
    filters: Option<String>,
    /// One condition, like base_task=arithmetic or params.length>=16; `|` parts alternatives. Can be repeated: all must hold.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
}

impl SelectionArgs {
    /// The conditions as typed, before anybody has looked whether the database knows their values.
    ///
    /// # Errors
    /// One of them is no condition.
    pub fn parse(&self) -> Result<Filters, CommandError> {
        let mut filters = self.filters.as_deref().map(Filters::parse).transpose()?.unwrap_or_default();
        for condition in &self.conditions {
            filters.add_where(condition)?;
        }
        Ok(filters)
    }
}

/// Refuses conditions on values that nothing in the database has: most are misspelt.
///
/// # Errors
/// There is such a condition: what could have been meant is a hint.
pub fn check(source: &Source, filters: &Filters) -> Result<(), CommandError> {
    let unknown = queries::unknown_value(&source.connection, filters).map_err(|error| source.error(error))?;
    let Some(unknown) = unknown else { return check_hashes(source, filters) };
    let message = match &unknown.value {
        Some(value) => format!("nothing here has `{}` = `{value}`", unknown.key),
        None => format!("nothing here has `{}`", unknown.key),
    };
    Err(CommandError::input(message).maybe_hint(hint(&unknown)))
}

/// Refuses prefixes of hashes that go wrong behind the digits of the id, which is all that the database knows of them.
fn check_hashes(source: &Source, filters: &Filters) -> Result<(), CommandError> {
    let of_ids = filters.conditions.iter().filter(|condition| condition.key == Key::Column("eval_id"));
    let typed: Vec<&str> = of_ids
        .flat_map(|condition| match &condition.test {
            Test::AnyOf(values) | Test::NoneOf(values) => values.as_slice(),
            Test::AnyOfAll(_) | Test::Bounds(_) => &[],
        })
        .filter_map(Value::as_str)
        .collect();
    if typed.iter().all(|typed| typed.len() <= EVAL_ID_DIGITS) {
        return Ok(());
    }
    let evals = queries::evals(&source.connection, &Filters::default()).map_err(|error| source.error(error))?;
    let is_named = |typed: &str, eval: &EvalSummary| {
        let (model, template, sampler) = (eval.model.clone(), eval.template.clone(), eval.sampler.clone());
        eval_id::names(typed, &Identity { model, template, sampler }, eval.context_tokens)
    };
    match typed.into_iter().find(|typed| !evals.iter().any(|eval| is_named(typed, eval))) {
        Some(typed) => {
            let id = typed.get(..EVAL_ID_DIGITS).map(|id| format!("did you mean `{}`?", id.to_ascii_lowercase()));
            Err(CommandError::input(format!("nothing here has `eval_id` = `{typed}`")).maybe_hint(id))
        }
        None => Ok(()),
    }
}

/// What could have been meant.
fn hint(unknown: &UnknownValue) -> Option<String> {
    let mut known: Vec<&str> = unknown.known.iter().map(String::as_str).collect();
    let Some(typed) = unknown.value.as_deref() else { return key_hint(&unknown.key, &known) };
    if known.contains(&typed) {
        return Some(format!("there is a `{typed}` of another kind: numbers are typed like 4, texts like \"4\""));
    }
    let numbers: Option<Vec<f64>> = known.iter().map(|text| text.parse().ok()).collect();
    match numbers.filter(|_| unknown.key != "eval_id") {
        // Names can be misspelt; of numbers, none is more likely than another.
        Some(numbers) => {
            let mut pairs: Vec<(f64, &str)> = numbers.into_iter().zip(known).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            known = pairs.into_iter().map(|(_, text)| text).collect();
        }
        None if !suggest::nearest(typed, known.iter().copied()).is_empty() => return suggest::hint(typed, &known),
        // Identities would do for an id, too, but make a long list.
        None if unknown.key == "eval_id" => known.retain(|name| !name.contains('+')),
        None => {}
    }
    (!known.is_empty()).then(|| format!("known: {}", suggest::list(&known, SHOWN_VALUES)))
}

/// What could have been meant by `params.X`: what all keys share says nothing.
fn key_hint(typed: &str, known: &[&str]) -> Option<String> {
    let (column, typed) = typed.split_once('.')?;
    let names: Vec<&str> = known.iter().filter_map(|key| key.split_once('.')).map(|(_, name)| name).collect();
    let near: Vec<String> =
        suggest::nearest(typed, names.iter().copied()).iter().map(|name| format!("`{column}.{name}`")).collect();
    if near.is_empty() {
        return (!known.is_empty()).then(|| format!("known: {}", suggest::list(known, SHOWN_VALUES)));
    }
    Some(format!("did you mean {}?", near.join(" or ")))
}
