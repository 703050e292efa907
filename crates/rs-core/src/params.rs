//! Canonical JSON of a point's coordinates: keys sorted, no blanks, so that one point has one text.

use std::borrow::Cow;

use crate::lexer::{LexError, Lexer};

/// Keys of `params` that are no coordinates: how many samples a point gets does not move it.
const NOT_COORDINATES: [&str; 1] = ["count"];

/// The canonical text of a record's `params` object.
///
/// Keys are sorted by their bytes, blanks are removed, `count` is dropped at the top level; strings keep only the
/// escapes JSON demands. Integers stand as written; other numbers take the shortest form that reads back as the same
/// double (`1e2` and `100.0` are one coordinate, `100` is another, as JSON writers keep the two apart).
///
/// # Errors
/// `raw` is not one JSON object.
pub fn canonical_params(raw: &[u8]) -> Result<String, LexError> {
    canonical(raw, &NOT_COORDINATES)
}

/// The canonical text of any JSON value: as [`canonical_params`], with no key dropped.
///
/// # Errors
/// `raw` is not one JSON value.
pub fn canonical_json(raw: &[u8]) -> Result<String, LexError> {
    canonical(raw, &[])
}

fn canonical(raw: &[u8], dropped: &[&str]) -> Result<String, LexError> {
    let mut out = String::with_capacity(raw.len());
    let mut lexer = Lexer::new(raw);
    write_value(&mut lexer, dropped, &mut out)?;
    lexer.end()?;
    Ok(out)
}

fn write_value(lexer: &mut Lexer<'_>, dropped: &[&str], out: &mut String) -> Result<(), LexError> {
    match lexer.peek() {
        Some(b'{') => write_object(lexer, dropped, out),
        Some(b'[') => {
            out.push('[');
            let raw = lexer.value()?;
            let mut inner = Lexer::new(&raw[1..raw.len() - 1]);
            while inner.peek().is_some() {
                write_value(&mut inner, &[], out)?;
                if inner.take(b',') {
                    out.push(',');
                }
            }
            out.push(']');
            Ok(())
        }
        Some(b'"') => {
            write_string(&lexer.string()?.decode(), out);
            Ok(())
        }
        Some(b'-' | b'0'..=b'9') => {
            write_number(&String::from_utf8_lossy(lexer.number()?), out);
            Ok(())
        }
        _ => {
            out.push_str(&String::from_utf8_lossy(lexer.value()?));
            Ok(())
        }
    }
}

fn write_object(lexer: &mut Lexer<'_>, dropped: &[&str], out: &mut String) -> Result<(), LexError> {
    let mut members: Vec<(Cow<'_, str>, &[u8])> = Vec::new();
    lexer.members(|lexer, key| {
        let key = key.decode();
        let raw = lexer.value()?;
        members.push((key, raw));
        Ok(())
    })?;
    // Of a key that stands twice the last counts: it comes first of its like.
    members.reverse();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    members.dedup_by(|(a, _), (b, _)| a == b);
    members.retain(|(key, _)| !dropped.contains(&key.as_ref()));
    out.push('{');
    for (position, (key, raw)) in members.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_string(&key, out);
        out.push(':');
        write_value(&mut Lexer::new(raw), &[], out)?;
    }
    out.push('}');
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // Serialising a string cannot fail.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn write_number(text: &str, out: &mut String) {
    let is_integer = !text.contains(['.', 'e', 'E']);
    let shortest = || text.parse::<f64>().ok().filter(|number| number.is_finite());
    match if is_integer { None } else { shortest() } {
        Some(number) => out.push_str(&serde_json::to_string(&number).unwrap_or_default()),
        None => out.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[track_caller]
    fn check(raw: &str, canonical: &str) {
        assert_eq!(canonical_params(raw.as_bytes()).as_deref(), Ok(canonical));
    }

    #[test]
    fn one_point_has_one_text() {
        check(r#"{ "b" : 1 , "a" : [ 1 , { "y":2, "x":null } ], "count": 32 }"#, r#"{"a":[1,{"x":null,"y":2}],"b":1}"#);
        check(r#"{"\u0061":"\u00e9\n","count":1}"#, r#"{"a":"é\n"}"#);
        check(
            r#"{"a":1.50,"b":1e2,"c":100,"d":12345678901234567890123}"#,
            r#"{"a":1.5,"b":100.0,"c":100,"d":12345678901234567890123}"#,
        );
        check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#);
        check(r#"{"count":1,"b":1,"a":2,"b":3,"\u0062":4,"count":2}"#, r#"{"a":2,"b":4}"#);
        check(
            "{\"a\":\"\u{7f}\",\"b\":1e400,\"c\":-0.0,\"d\":-0}",
            "{\"a\":\"\u{7f}\",\"b\":1e400,\"c\":-0.0,\"d\":-0}",
        );
        check(r#"{"inner":{"count":3},"e":[],"o":{}}"#, r#"{"e":[],"inner":{"count":3},"o":{}}"#);
        assert!(canonical_params(b"{").is_err());
    }

    #[test]
    fn many_keys_take_no_more_than_sorting_them() {
        let raw: Vec<String> = (0..200_000).rev().map(|key| format!("\"{key:06}\":1")).collect();
        let text = canonical_params(format!("{{{}}}", raw.join(",")).as_bytes()).expect("is an object");
        assert!(text.starts_with("{\"000000\":1,\"000001\":1,"));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Exact in few digits: serde_json reads the last bit of long ones inexactly.
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 64.0)),
            "\\PC{0,4}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn keeps_the_value_and_is_a_fixed_point(value in json()) {
            let pretty = serde_json::to_string_pretty(&value).expect("serialises");
            let text = canonical_json(pretty.as_bytes()).expect("is JSON");
            prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("is JSON"), value);
            prop_assert_eq!(canonical_json(text.as_bytes()).expect("is JSON"), text);
        }
    }
}
