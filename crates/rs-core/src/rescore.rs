//! A record scored again: its answer read out of its response anew, and compared with the right one.

use serde_json::Value;

use crate::answer::{self, AnswerRegex};
use crate::json_text::{self, Edit, ObjectText};
use crate::lexer::LexError;
use crate::record::Record;

/// Why a record is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftAlone {
    /// Its request failed.
    Error,
    /// It was truncated: there is no answer.
    Truncated,
    /// It carries no `response`.
    NoResponse,
    /// It carries no `reference`.
    NoReference,
}

/// What a record says of its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The answer that was read out; null if none was.
    pub answer: Value,
    /// Scored right.
    pub correct: bool,
    /// No answer could be read out.
    pub invalid: bool,
}

/// A record that was scored again.
#[derive(Debug, Clone, PartialEq)]
pub struct Rescored {
    /// What it says.
    pub was: Verdict,
    /// What it is to say. An answer that says the same stays as it is.
    pub is: Verdict,
    /// What makes it say so; all other bytes of the line stay.
    pub edits: Vec<Edit>,
}

/// Scores a record again: `line` is its text, `record` what was read of it, `regexes` its task's.
///
/// The answer is what the first expression that matches finds last; without a match the record is invalid. `score`, where
/// the record carries one, follows `correct` where that changes.
///
/// # Errors
/// The line is no JSON object, or one of its values no JSON that can be held.
pub fn rescore(
    line: &str,
    record: &Record<'_>,
    regexes: &[AnswerRegex],
) -> Result<Result<Rescored, LeftAlone>, LexError> {
    if record.error.is_some() {
        return Ok(Err(LeftAlone::Error));
    }
    if record.truncated {
        return Ok(Err(LeftAlone::Truncated));
    }
    let Some(response) = record.response else { return Ok(Err(LeftAlone::NoResponse)) };
    let mut object = ObjectText::parse(line)?;
    let reference = value(object.get("reference"))?;
    if reference.is_null() {
        return Ok(Err(LeftAlone::NoReference));
    }
    let response = response.decode();
    let found = answer::read_out(regexes, &response);
    let was = Verdict { answer: value(object.get("answer"))?, correct: record.correct, invalid: record.invalid };
    let mut is = Verdict {
        answer: was.answer.clone(),
        correct: found.is_some_and(|found| answer::says(found, &reference)),
        invalid: found.is_none(),
    };
    match found {
        Some(found) if is.answer.is_null() || !answer::says(found, &is.answer) => {
            let text = written(found, &reference);
            is.answer = value(Some(&text))?;
            object.set("answer", text);
        }
        None if !is.answer.is_null() => {
            is.answer = Value::Null;
            object.set("answer", "null");
        }
        _ => {}
    }
    if is.correct != was.correct {
        object.set("correct", is.correct.to_string());
        if record.score.is_some() {
            object.set("score", if is.correct { "1" } else { "0" });
        }
    }
    if is.invalid != was.invalid {
        object.set("invalid", is.invalid.to_string());
    }
    Ok(Ok(Rescored { was, is, edits: object.edits() }))
}

/// An answer as JSON: of the kind of the reference where it can be read so, else a string.
fn written(answer: &str, reference: &Value) -> String {
    let is_of_kind = |parsed: Value| std::mem::discriminant(&parsed) == std::mem::discriminant(reference);
    // A line must stay one.
    let is_one_line = !answer.contains(['\n', '\r']);
    if !reference.is_string() && is_one_line && serde_json::from_str(answer).is_ok_and(is_of_kind) {
        return answer.to_owned();
    }
    json_text::string(answer)
}

/// The value that a member's text is; null if there is none.
fn value(text: Option<&str>) -> Result<Value, LexError> {
    let Some(text) = text else { return Ok(Value::Null) };
    serde_json::from_str(text).map_err(|error| LexError::new(0, format!("`{text}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::Lexer;
    use crate::record::parse;
    use crate::shape::Shape;

    const START: &str = r#"{"model":"m","template":"t","sampler":"s","base_task":"b","params":{},"#;

    fn rescored(members: &str) -> Result<Rescored, LeftAlone> {
        let line = format!("{START}{members}}}");
        let record = parse(Lexer::new(line.as_bytes()), &mut Shape::default()).expect("is a record");
        let regexes = [AnswerRegex::new(r"(?s)<a>(.*?)</a>").expect("is right")];
        rescore(&line, &record, &regexes).expect("is JSON")
    }

    /// The members that a record has after it was scored again; and that the next time nothing changes.
    #[track_caller]
    fn check(members: &str, expected: &str) {
        let line = format!("{START}{members}}}");
        let new = json_text::apply(&line, &rescored(members).expect("is scored").edits);
        let new = new.strip_prefix(START).and_then(|new| new.strip_suffix('}')).expect("the rest stays");
        assert_eq!(new, expected);
        assert_eq!(rescored(new).expect("is scored").edits, []);
    }

    #[test]
    fn verdicts_follow_the_answer() {
        check(
            r#""correct":false,"invalid":true,"answer":null,"response":"<a>1</a> <a> 42 </a>","reference":"42","score":0.0"#,
            r#""correct":true,"invalid":false,"answer":"42","response":"<a>1</a> <a> 42 </a>","reference":"42","score":1"#,
        );
        check(
            r#""correct":true,"response":"no idea","answer":"42","reference":42"#,
            r#""correct":false,"response":"no idea","answer":null,"reference":42,"invalid":true"#,
        );
        check(
            r#""correct":true,"invalid":false,"response":"<a>41</a>","reference":42,"score":null"#,
            r#""correct":false,"invalid":false,"response":"<a>41</a>","reference":42,"score":null,"answer":41"#,
        );
        check(
            r#""correct":false,"response":"<a>41</a>","reference":42,"score":0.5,"answer":7"#,
            r#""correct":false,"response":"<a>41</a>","reference":42,"score":0.5,"answer":41"#,
        );
        check(
            r#""correct":false,"response":"<a>[1,\n\"b\"]</a>","reference":[1,"b"]"#,
            r#""correct":true,"response":"<a>[1,\n\"b\"]</a>","reference":[1,"b"],"answer":"[1,\n\"b\"]""#,
        );
    }

    #[test]
    fn what_says_the_same_stays_as_it_is_written() {
        let members =
            r#""correct" : true, "answer": 42.0, "response": "<a>42</a>", "reference": "42", "invalid": null"#;
        check(members, members);
        let members = r#""correct":false,"response":"?","reference":1,"invalid":true,"score":0.25"#;
        check(members, members);
    }

    #[test]
    fn records_without_an_answer_to_score_are_left_alone() {
        let left = |members: &str| rescored(&format!("\"correct\":false,{members}")).expect_err("is left alone");
        assert_eq!(left(r#""error":"HTTP 503","response":"<a>1</a>","reference":1"#), LeftAlone::Error);
        assert_eq!(left(r#""truncated":true,"response":"<a>1</a>","reference":1"#), LeftAlone::Truncated);
        assert_eq!(left(r#""response":null,"reference":1"#), LeftAlone::NoResponse);
        assert_eq!(left(r#""response":"<a>1</a>","reference":null"#), LeftAlone::NoReference);
    }
}
