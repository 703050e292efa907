//! Answers: read out of a response with a task's regular expressions, and compared with the right one.

use regex::Regex;
use serde_json::Value;

/// A regular expression that finds an answer: its group `answer`, else its first group, else all that it matches.
#[derive(Debug, Clone)]
pub struct AnswerRegex(Regex);

impl PartialEq for AnswerRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl AnswerRegex {
    /// Makes one of its text.
    ///
    /// # Errors
    /// It is no regular expression, or too large: what is wrong, on one line.
    pub fn new(text: &str) -> Result<Self, String> {
        Regex::new(text).map(Self).map_err(|error| {
            // The last line says what, those before draw where.
            let text = error.to_string();
            let what = text.lines().last().unwrap_or_default();
            what.strip_prefix("error: ").unwrap_or(what).to_owned()
        })
    }

    /// The text it was made of.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    /// The answer of its last match in `text`, without blanks around it; `None` if it matches nowhere.
    fn read_out<'a>(&self, text: &'a str) -> Option<&'a str> {
        // Finding is cheaper than capturing: only the last match need be taken apart.
        let last = self.0.find_iter(text).last()?;
        let groups = self.0.captures_at(text, last.start())?;
        let answer = groups.name("answer").or_else(|| groups.get(1)).unwrap_or(last);
        Some(answer.as_str().trim())
    }
}

/// The answer that the first of `regexes` which matches at all finds in a response; `None` if none matches.
#[must_use]
pub fn read_out<'a>(regexes: &[AnswerRegex], response: &'a str) -> Option<&'a str> {
    regexes.iter().find_map(|regex| regex.read_out(response))
}

/// Whether an answer that was read out says what `value` does: the same text but for blanks around it, the same number,
/// or as JSON the same value.
///
/// ```
/// use rs_core::answer::says;
/// use serde_json::json;
///
/// assert!(says("042.0", &json!("42")) && says("[1, 2]", &json!([1, 2.0])));
/// assert!(!says("[1, 2]", &json!("[1,2]")));
/// ```
#[must_use]
pub fn says(answer: &str, value: &Value) -> bool {
    let answer = answer.trim();
    let is_same_number = |text: &str| number(answer).zip(number(text)).is_some_and(|(a, b)| a.equals(b));
    match value {
        Value::String(text) if text.trim() == answer || is_same_number(text.trim()) => return true,
        Value::Number(number) if is_same_number(&number.to_string()) => return true,
        Value::Bool(truth) if answer.eq_ignore_ascii_case(if *truth { "true" } else { "false" }) => return true,
        Value::Array(items) if is_list_of(answer, items) => return true,
        _ => {}
    }
    serde_json::from_str::<Value>(answer).is_ok_and(|parsed| is_same(&parsed, value))
}

/// Whether a text names these values, none of them a list or object, in their order and parted by commas.
fn is_list_of(answer: &str, items: &[Value]) -> bool {
    let is_plain = |item: &Value| !item.is_array() && !item.is_object();
    let told: Vec<&str> = answer.split(',').map(str::trim).collect();
    told.len() == items.len() && told.iter().zip(items).all(|(told, item)| is_plain(item) && says(told, item))
}

/// Whether two values are the same; `1` and `1.0` are.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            number(&a.to_string()).zip(number(&b.to_string())).is_some_and(|(a, b)| a.equals(b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// A number: whole ones of any use are compared exactly.
#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a == b,
            (a, b) => a.real() == b.real(),
        }
    }

    fn real(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// The finite number that a text is; words like `inf` are none.
fn number(text: &str) -> Option<Number> {
    let is_number_like = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(is_number_like) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(Number::Whole(whole));
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Number::Real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check_read(regexes: &[&str], response: &str, answer: Option<&str>) {
        let regexes: Vec<AnswerRegex> =
            regexes.iter().map(|text| AnswerRegex::new(text).expect("is a regular expression")).collect();
        assert_eq!(read_out(&regexes, response), answer, "{response}");
    }

    #[test]
    fn the_last_match_of_the_first_that_matches() {
        check_read(&[r"answer: (\w+)", r"(\d+)"], "answer: a 1, answer: b 2", Some("b"));
        check_read(&[r"answer: (\w+)", r"(\d+)"], "1, then 2", Some("2"));
        check_read(&[r"(\d) (?<answer>\d)"], "1 2 3 4", Some("4"));
        check_read(&[r"(?s)<a>(.*?)</a>"], "<a>1</a><a>\n 2 \n</a>", Some("2"));
        check_read(&[r"[a-z]+"], "one two!", Some("two"));
        check_read(&[r"\bx\b"], "ax xa", None);
        check_read(&[], "1", None);
        // A group that took no part is none.
        check_read(&[r"a(b)?"], "ab a", Some("a"));
        check_read(&[r"x*"], "axxa ", Some(""));
    }

    #[test]
    fn a_wrong_regular_expression_says_what_is_wrong() {
        let wrong = |text: &str| AnswerRegex::new(text).expect_err("is wrong");
        assert_eq!(wrong("a("), "unclosed group");
        assert!(wrong(r"\w{1000}{1000}").contains("size limit"), "{}", wrong(r"\w{1000}{1000}"));
    }

    #[track_caller]
    fn check_says(answer: &str, value: &Value, expected: bool) {
        assert_eq!(says(answer, value), expected, "{answer} {value}");
    }

    #[test]
    fn texts_numbers_and_json() {
        check_says("Paris", &json!(" Paris\n"), true);
        check_says("paris", &json!("Paris"), false);
        check_says("42", &json!(42), true);
        check_says("42.0", &json!("42"), true);
        check_says("4.2e1", &json!(42), true);
        check_says("+42", &json!(42.0), true);
        check_says("9007199254740993", &json!("9007199254740992"), false);
        check_says("inf", &json!("infinity"), false);
        check_says("", &json!(""), true);
        check_says("", &json!("0"), false);
        check_says("true", &json!(true), true);
        check_says("True", &json!(true), true);
        check_says("TRUE", &json!(false), false);
        check_says("a, b,1.0", &json!(["a", "b", 1]), true);
        check_says("b, a", &json!(["a", "b"]), false);
        check_says("a", &json!(["a", "a"]), false);
        check_says("", &json!([]), false);
        check_says("1, 2", &json!([1, [2]]), false);
        check_says("[ 1, \"a\", {\"b\": 2.0} ]", &json!([1, "a", {"b": 2}]), true);
        check_says("[1]", &json!([1, 2]), false);
        check_says("{\"a\":1}", &json!({"b": 1}), false);
        check_says("\"a\"", &json!("a"), true);
        check_says("null", &json!("null"), true);
    }
}
