//! What groups are made by: `--group-by`, `--facet-by`, `--by`, `--x`, `--y`.

use std::cmp::Ordering;
use std::str::FromStr;

use rs_cli::CommandError;
use rs_core::filters::{Comparison, Condition, Filters, Key, PREFIXES, Test};
use rs_core::suggest;
use serde_json::Value;

use crate::selection;
use crate::source::Source;

/// A property of points that groups can be made by; `none` makes one group of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dimension(Option<Key>);

impl Dimension {
    /// The tasks.
    pub(crate) fn base_task() -> Self {
        Self(Some(Key::Column("base_task")))
    }

    /// The keys to group by: none or one.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.0.iter().cloned().collect()
    }

    /// Its name, as typed.
    pub(crate) fn name(&self) -> String {
        self.0.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    }

    /// Refuses one that no point has.
    pub(crate) fn check(&self, source: &Source) -> Result<(), CommandError> {
        let Some(key @ Key::Member(..)) = &self.0 else { return Ok(()) };
        // A bound is on the name alone, whatever its values.
        let test = Test::Bounds(vec![(Comparison::AtLeast, 0.0)]);
        let filters = Filters { conditions: vec![Condition { key: key.clone(), test }] };
        selection::check(source, &filters)
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((prefix, name)) = text.split_once('.')
            && let Some(prefix) = PREFIXES.into_iter().find(|known| *known == prefix)
            && !name.is_empty()
        {
            return Ok(Self(Some(Key::Member(prefix, name.to_owned()))));
        }
        match text {
            "base_task" => Ok(Self::base_task()),
            "eval_id" => Ok(Self(Some(Key::Column("eval_id")))),
            "none" => Ok(Self(None)),
            _ => {
                let near = suggest::nearest(text, ["base_task", "none"]);
                let hint = near.first().map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                Err(format!("{hint}expected base_task, none, params.X, manifold.X or facets.X"))
            }
        }
    }
}

/// A group's value as people write it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Numbers in their order, then texts in theirs, what is missing last.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    let kind = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Null => 2,
        _ => 1,
    };
    let numbers = a.as_f64().zip(b.as_f64()).map(|(a, b)| a.total_cmp(&b));
    kind(a).cmp(&kind(b)).then_with(|| numbers.unwrap_or_else(|| plain(a).cmp(&plain(b))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names() {
        assert_eq!("params.length".parse(), Ok(Dimension(Some(Key::Member("params", "length".into())))));
        assert_eq!("base_task".parse(), Ok(Dimension::base_task()));
        assert_eq!("none".parse(), Ok(Dimension(None)));
        assert_eq!(
            "base_tsk".parse::<Dimension>().unwrap_err(),
            "did you mean `base_task`? expected base_task, none, params.X, manifold.X or facets.X"
        );
        assert!("params.".parse::<Dimension>().is_err());
    }

    #[test]
    fn order() {
        let mut values = [json!("b"), Value::Null, json!(10), json!("a"), json!(9.5)];
        values.sort_by(compare);
        assert_eq!(values, [json!(9.5), json!(10), json!("a"), json!("b"), Value::Null]);
    }
}
