//! Which points a question is about: one JSON object, or conditions given one at a time (cli.md, `analyze`).

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::suggest;

/// Keys that are a point's or evaluation's own.
pub const KEYS: [&str; 7] = ["eval_id", "base_task", "model", "template", "sampler", "tags", "groups"];

/// Prefixes of keys that reach into a JSON column.
pub const PREFIXES: [&str; 3] = ["params", "manifold", "facets"];

/// What a condition is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A text column: `eval_id`, `base_task`, `model`, `template` or `sampler`.
    Column(&'static str),
    /// `tags` or `groups`: a list of marks.
    Marks(&'static str),
    /// A member of `params`, `manifold` or `facets`.
    Member(&'static str, String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) | Self::Marks(name) => f.write_str(name),
            Self::Member(column, name) => write!(f, "{column}.{name}"),
        }
    }
}

/// What must hold of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It equals any of these values (strings, numbers, booleans, null).
    AnyOf(Vec<Value>),
    /// It is none of these values.
    NoneOf(Vec<Value>),
    /// It holds all marks of any of these lists.
    AnyOfAll(Vec<Vec<String>>),
    /// It is a number within all of these bounds.
    Bounds(Vec<(Comparison, f64)>),
}

/// A comparison with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// The sign, as in SQL.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    fn from_sign(sign: &str) -> Option<Self> {
        [Self::Less, Self::AtMost, Self::Greater, Self::AtLeast]
            .into_iter()
            .find(|comparison| comparison.sign() == sign)
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What it is about.
    pub key: Key,
    /// What must hold.
    pub test: Test,
}

/// Conditions, all of which must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filters {
    /// In the order given.
    pub conditions: Vec<Condition>,
}

/// A filter that cannot be understood.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// The text is no JSON.
    #[error("--filters: column {column}: {what}")]
    Json {
        /// Column in bytes, from 1.
        column: usize,
        /// A lower-case fragment.
        what: String,
    },
    /// It is JSON, but no object.
    #[error("--filters: expected one JSON object, like {{\"base_task\": \"arithmetic\"}}")]
    NotAnObject,
    /// A key that no point has.
    #[error("unknown filter key `{key}`")]
    UnknownKey {
        /// What was typed.
        key: String,
        /// What would be right.
        hint: String,
    },
    /// A value that this key cannot have.
    #[error("filter `{key}`: {what}")]
    Value {
        /// The key.
        key: String,
        /// A lower-case fragment.
        what: String,
    },
    /// A condition without a sign.
    #[error("--where `{text}`: expected KEY=VALUE (or !=, <, <=, >, >=)")]
    NoSign {
        /// What was typed.
        text: String,
    },
}

impl Filters {
    /// Reads a `--filters` object.
    ///
    /// ```
    /// use rs_core::filters::Filters;
    ///
    /// let filters = Filters::parse(r#"{"base_task": "arithmetic", "params.length": {">=": 16}}"#)?;
    /// assert_eq!(filters.conditions.len(), 2);
    /// # Ok::<(), rs_core::filters::FilterError>(())
    /// ```
    ///
    /// # Errors
    /// It is no JSON object, or has a key or value that means nothing.
    pub fn parse(json: &str) -> Result<Self, FilterError> {
        let value: Value = serde_json::from_str(json).map_err(|error| FilterError::Json {
            column: error.column(),
            what: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        })?;
        let Value::Object(members) = value else { return Err(FilterError::NotAnObject) };
        if let Some(key) = key_given_twice(json) {
            return Err(FilterError::Value { key, what: "given twice; a list says any of several".to_owned() });
        }
        let conditions = members
            .iter()
            .map(|(key, value)| {
                let key = parse_key(key)?;
                let test = parse_test(&key, value)?;
                Ok(Condition { key, test })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { conditions })
    }

    /// Adds a `--where` condition: `base_task=arithmetic`, `params.length>=16`, `tags=a,b`, `eval_id=a1b2c3|d4e5f6`.
    ///
    /// After `=` the value is text for columns, and JSON where it reads as a number, boolean or null for members;
    /// `|` parts alternatives.
    ///
    /// # Errors
    /// There is no sign, or a key or value that means nothing.
    pub fn add_where(&mut self, text: &str) -> Result<(), FilterError> {
        let no_sign = || FilterError::NoSign { text: text.to_owned() };
        let at = text.find(['=', '<', '>', '!']).ok_or_else(no_sign)?;
        let (key, rest) = text.split_at(at);
        let sign = ["<=", ">=", "!=", "==", "<", ">", "="]
            .into_iter()
            .find(|sign| rest.starts_with(sign))
            .ok_or_else(no_sign)?;
        let value = rest[sign.len()..].trim();
        let key = parse_key(key.trim())?;
        let alternatives = || value.split('|').map(|part| typed_value(&key, part.trim())).collect::<Vec<Value>>();
        let test = match (Comparison::from_sign(sign), sign) {
            (Some(_), _) => {
                parse_test(&key, &Value::Object(Map::from_iter([(sign.to_owned(), number(&key, value)?)])))?
            }
            (None, "!=") => match &key {
                Key::Marks(_) => return Err(value_error(&key, "`!=` works on single values, not on lists")),
                _ => Test::NoneOf(alternatives()),
            },
            (None, _) => parse_test(&key, &Value::Array(alternatives()))?,
        };
        self.conditions.push(Condition { key, test });
        Ok(())
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }
}

/// A key that stands twice in a JSON object: of two values serde_json would keep the last without a word.
fn key_given_twice(json: &str) -> Option<String> {
    struct Keys;
    impl<'de> Visitor<'de> for Keys {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<String>, A::Error> {
            let (mut seen, mut twice) = (BTreeSet::new(), None);
            while let Some((key, IgnoredAny)) = members.next_entry::<String, _>()? {
                if !seen.insert(key.clone()) {
                    twice.get_or_insert(key);
                }
            }
            Ok(twice)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Keys).ok().flatten()
}

fn parse_key(typed: &str) -> Result<Key, FilterError> {
    if let Some((prefix, name)) = typed.split_once('.')
        && let Some(prefix) = PREFIXES.into_iter().find(|known| *known == prefix)
        && !name.is_empty()
    {
        return Ok(Key::Member(prefix, name.to_owned()));
    }
    match KEYS.into_iter().find(|known| *known == typed) {
        Some(key @ ("tags" | "groups")) => Ok(Key::Marks(key)),
        Some(key) => Ok(Key::Column(key)),
        None => {
            let near = suggest::nearest(typed, KEYS);
            let known = format!("known: {}, {}.X", KEYS.join(", "), PREFIXES.join(".X, "));
            let hint = near.first().map_or(known.clone(), |near| format!("did you mean `{near}`? {known}"));
            Err(FilterError::UnknownKey { key: typed.to_owned(), hint })
        }
    }
}

fn value_error(key: &Key, what: impl Into<String>) -> FilterError {
    FilterError::Value { key: key.to_string(), what: what.into() }
}

fn parse_test(key: &Key, value: &Value) -> Result<Test, FilterError> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::Object(bounds) => return parse_bounds(key, bounds),
        single => vec![single.clone()],
    };
    match key {
        Key::Marks(_) => items.iter().map(|item| marks(key, item)).collect::<Result<_, _>>().map(Test::AnyOfAll),
        Key::Column(_) => match items.iter().find(|item| !item.is_string()) {
            Some(other) => Err(value_error(key, format!("expected a string or a list of strings, found {other}"))),
            None => Ok(Test::AnyOf(items)),
        },
        Key::Member(..) => match items.iter().find(|item| item.is_object()) {
            Some(other) => Err(value_error(key, format!("expected single values in the list, found {other}"))),
            None => Ok(Test::AnyOf(items)),
        },
    }
}

/// Marks that must all be there: `a`, `a,b` or `["a", "b"]`.
fn marks(key: &Key, item: &Value) -> Result<Vec<String>, FilterError> {
    let wrong = || value_error(key, format!("expected strings, or lists of strings for all of them, found {item}"));
    match item {
        Value::String(text) => Ok(text.split(',').map(|mark| mark.trim().to_owned()).collect()),
        Value::Array(all) => all.iter().map(|mark| mark.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

fn parse_bounds(key: &Key, bounds: &Map<String, Value>) -> Result<Test, FilterError> {
    if !matches!(key, Key::Member(..)) {
        return Err(value_error(key, "comparisons work on params.X, manifold.X and facets.X only"));
    }
    let bounds = bounds
        .iter()
        .map(|(sign, limit)| {
            let comparison = Comparison::from_sign(sign)
                .ok_or_else(|| value_error(key, format!("unknown comparison `{sign}`; known: <, <=, >, >=")))?;
            let limit =
                limit.as_f64().ok_or_else(|| value_error(key, format!("`{sign}` needs a number, found {limit}")))?;
            Ok((comparison, limit))
        })
        .collect::<Result<Vec<_>, FilterError>>()?;
    if bounds.is_empty() {
        return Err(value_error(key, "an empty object says nothing; expected like {\">=\": 8, \"<\": 32}"));
    }
    Ok(Test::Bounds(bounds))
}

fn number(key: &Key, text: &str) -> Result<Value, FilterError> {
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    number.map(Value::Number).ok_or_else(|| value_error(key, format!("expected a number, found `{text}`")))
}

/// What was typed after `=`: JSON where the key's values can be numbers, text elsewhere.
fn typed_value(key: &Key, text: &str) -> Value {
    match (key, serde_json::from_str::<Value>(text)) {
        (Key::Member(..), Ok(value)) if !value.is_object() => value,
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(json: &str, key: Key, test: Test) {
        assert_eq!(Filters::parse(json).map(|filters| filters.conditions), Ok(vec![Condition { key, test }]), "{json}");
    }

    #[track_caller]
    fn check_where(text: &str, json: &str) {
        let mut filters = Filters::default();
        filters.add_where(text).expect("is understood");
        assert_eq!(filters, Filters::parse(json).expect("is understood"), "{text}");
    }

    #[track_caller]
    fn check_error(result: Result<Filters, FilterError>, message: &str) {
        assert_eq!(result.expect_err("is refused").to_string(), message);
    }

    #[test]
    fn every_form() {
        check(r#"{"model":"a"}"#, Key::Column("model"), Test::AnyOf(vec![json!("a")]));
        check(r#"{"eval_id":["a","b"]}"#, Key::Column("eval_id"), Test::AnyOf(vec![json!("a"), json!("b")]));
        check(r#"{"params.length":8}"#, Key::Member("params", "length".into()), Test::AnyOf(vec![json!(8)]));
        check(
            r#"{"groups":["a:b,c:d","e:f",["g:h","i:j"]]}"#,
            Key::Marks("groups"),
            Test::AnyOfAll(vec![
                vec!["a:b".into(), "c:d".into()],
                vec!["e:f".into()],
                vec!["g:h".into(), "i:j".into()],
            ]),
        );
        check(
            r#"{"params.n":{">=":8,"<":32}}"#,
            Key::Member("params", "n".into()),
            Test::Bounds(vec![(Comparison::Less, 32.0), (Comparison::AtLeast, 8.0)]),
        );
        check(r#"{"facets.arch":"moe"}"#, Key::Member("facets", "arch".into()), Test::AnyOf(vec![json!("moe")]));
    }

    #[test]
    fn one_at_a_time() {
        check_where("base_task=arithmetic", r#"{"base_task":"arithmetic"}"#);
        check_where("base_task = a|b", r#"{"base_task":["a","b"]}"#);
        check_where("params.length>=16", r#"{"params.length":{">=":16}}"#);
        check_where("params.length=16", r#"{"params.length":16}"#);
        check_where("params.config=easy", r#"{"params.config":"easy"}"#);
        check_where("model=8", r#"{"model":"8"}"#);
        check_where("groups=arch:moe,size:small", r#"{"groups":"arch:moe,size:small"}"#);
        let mut filters = Filters::default();
        filters.add_where("params.length!=16").expect("is understood");
        assert_eq!(filters.conditions[0].test, Test::NoneOf(vec![json!(16)]));
    }

    #[test]
    fn what_is_wrong() {
        check_error(Filters::parse("{"), "--filters: column 1: EOF while parsing an object");
        check_error(Filters::parse("[]"), "--filters: expected one JSON object, like {\"base_task\": \"arithmetic\"}");
        check_error(Filters::parse(r#"{"modle":"a"}"#), "unknown filter key `modle`");
        check_error(Filters::parse(r#"{"params.":"a"}"#), "unknown filter key `params.`");
        check_error(
            Filters::parse(r#"{"model":3}"#),
            "filter `model`: expected a string or a list of strings, found 3",
        );
        check_error(
            Filters::parse(r#"{"tags":3}"#),
            "filter `tags`: expected strings, or lists of strings for all of them, found 3",
        );
        check_error(
            Filters::parse(r#"{"params.n":{"=>":3}}"#),
            "filter `params.n`: unknown comparison `=>`; known: <, <=, >, >=",
        );
        check_error(
            Filters::parse(r#"{"model":{">":3}}"#),
            "filter `model`: comparisons work on params.X, manifold.X and facets.X only",
        );
        let one = |text: &str| {
            let mut filters = Filters::default();
            filters.add_where(text).map(|()| filters)
        };
        check_error(one("base_task"), "--where `base_task`: expected KEY=VALUE (or !=, <, <=, >, >=)");
        check_error(one("params.n>x"), "filter `params.n`: expected a number, found `x`");
    }
}
