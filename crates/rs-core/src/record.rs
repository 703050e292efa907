//! One raw record: a line of a run's NDJSON file, borrowed from it, with only what points are made of read out.
//!
//! Unknown keys are checked to be JSON and skipped. Of a key that stands twice the last counts, as everywhere in JSON.
//! `null` for an optional key is the same as its absence.

use serde::{Deserialize, Serialize};

use crate::lexer::{LexError, Lexer, RawString};
use crate::shape::{Key, Progress, Shape};
use crate::timestamp;

/// A raw record (formats.md, section 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// Model of the identity.
    pub model: RawString<'a>,
    /// Template of the identity.
    pub template: RawString<'a>,
    /// Sampler of the identity.
    pub sampler: RawString<'a>,
    /// The task that made the question.
    pub base_task: RawString<'a>,
    /// The point's coordinates: the text of a JSON object.
    pub params: &'a [u8],
    /// Scored right.
    pub correct: bool,
    /// Ran into the token or context limit before an answer.
    pub truncated: bool,
    /// No answer could be read out.
    pub invalid: bool,
    /// Stopped from outside.
    pub hard_terminated: bool,
    /// Why the request failed. Such a record is no trial.
    pub error: Option<RawString<'a>>,
    /// Chance that a blind guess is right, 0 to 1.
    pub guess_chance: f64,
    /// Partial credit, 0 to 1.
    pub score: Option<f64>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens the model wrote.
    pub completion_tokens: Option<u32>,
    /// What the model wrote before its answer: the first part of the trace.
    pub reasoning: Option<RawString<'a>>,
    /// What it wrote as its answer: the second part.
    pub response: Option<RawString<'a>>,
    /// What the model saw: the text of a JSON string or list.
    pub prompt: Option<&'a [u8]>,
    /// Seed of the test generator.
    pub seed: Option<i64>,
    /// Which test at this coordinate.
    pub index: Option<i64>,
    /// Which repetition of the test.
    pub repeat: i32,
    /// The record's own name.
    pub id: Option<RawString<'a>>,
    /// The step's name.
    pub task: Option<RawString<'a>>,
    /// Free class of the task.
    pub category: Option<RawString<'a>>,
    /// Microseconds since 1970, UTC.
    pub timestamp: Option<i64>,
    /// Which named grid entry made the point: the text of a JSON object.
    pub manifold: Option<&'a [u8]>,
    /// Whether its identity, `base_task`, `params`, `task`, `category` and `manifold` are written as in the record that
    /// was read before it with the same [`Shape`].
    pub is_like_last: bool,
}

/// What became of a record; the first that applies, in this order after [`Outcome::Error`] and `Truncated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Outcome {
    /// An answered trial, right.
    Correct = 0,
    /// An answered trial, wrong.
    Incorrect = 1,
    /// A lost trial: no room for an answer.
    Truncated = 2,
    /// An answered trial without a readable answer.
    Invalid = 3,
    /// The request failed: no trial.
    Error = 4,
}

impl Outcome {
    /// Whether the trial was answered: neither truncated nor an error.
    #[must_use]
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Correct | Self::Incorrect | Self::Invalid)
    }
}

impl Record<'_> {
    /// Bytes of the decoded trace: `reasoning`, then `response` (UTF-8).
    #[must_use]
    pub fn trace_bytes(&self) -> usize {
        [self.reasoning, self.response].into_iter().flatten().map(|text| text.decoded_bytes).sum()
    }

    /// The record's outcome under an evaluation's context (tokens), if it has one: more completion tokens than that
    /// count as truncated.
    #[must_use]
    pub fn outcome(&self, context_tokens: Option<u32>) -> Outcome {
        let clipped = matches!((self.completion_tokens, context_tokens), (Some(used), Some(limit)) if used > limit);
        if self.error.is_some() {
            Outcome::Error
        } else if self.truncated || clipped {
            Outcome::Truncated
        } else if self.invalid {
            Outcome::Invalid
        } else if self.correct {
            Outcome::Correct
        } else {
            Outcome::Incorrect
        }
    }
}

/// Reads the line that a lexer stands at the start of; `shape` is what the lines before it were like.
///
/// # Errors
/// The line is not a JSON object, lacks a required key, or a key has the wrong type: where, and what would be right.
pub fn parse<'a>(mut lexer: Lexer<'a>, shape: &mut Shape) -> Result<Record<'a>, LexError> {
    if lexer.peek() != Some(b'{') {
        return Err(lexer.unexpected("a JSON object"));
    }
    let mut fields = Fields::default();
    let mut progress = shape.begin();
    while let Some(key) = shape.next_key(&mut progress, &mut lexer)? {
        fields.read(key, shape, &mut progress, &mut lexer)?;
    }
    let end = lexer.position();
    lexer.end()?;
    let mut record = fields.finish(end)?;
    record.is_like_last = shape.end(&progress);
    Ok(record)
}

/// What has been read of a record so far.
#[derive(Default)]
struct Fields<'a> {
    model: Option<RawString<'a>>,
    template: Option<RawString<'a>>,
    sampler: Option<RawString<'a>>,
    base_task: Option<RawString<'a>>,
    params: Option<&'a [u8]>,
    correct: Option<bool>,
    truncated: bool,
    invalid: bool,
    hard_terminated: bool,
    error: Option<RawString<'a>>,
    guess_chance: Option<f64>,
    score: Option<f64>,
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    reasoning: Option<RawString<'a>>,
    response: Option<RawString<'a>>,
    prompt: Option<&'a [u8]>,
    seed: Option<i64>,
    index: Option<i64>,
    repeat: Option<i32>,
    id: Option<RawString<'a>>,
    task: Option<RawString<'a>>,
    category: Option<RawString<'a>>,
    timestamp: Option<i64>,
    manifold: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    #[inline]
    fn read(
        &mut self,
        key: Key,
        shape: &mut Shape,
        progress: &mut Progress,
        lexer: &mut Lexer<'a>,
    ) -> Result<(), LexError> {
        let mut constant = |name: &str, lexer: &mut Lexer<'a>| {
            shape.string(key, progress, lexer, |lexer| required_string(lexer, name).map(Some))
        };
        match key {
            Key::Model => self.model = constant("model", lexer)?,
            Key::Template => self.template = constant("template", lexer)?,
            Key::Sampler => self.sampler = constant("sampler", lexer)?,
            Key::BaseTask => self.base_task = constant("base_task", lexer)?,
            Key::Params => {
                self.params = shape.object(key, progress, lexer, |lexer| match lexer.peek() {
                    Some(b'{') => lexer.value().map(Some),
                    _ => Err(wrong_type(lexer, "params", "an object")),
                })?;
            }
            Key::Correct => match boolean(lexer, "correct")? {
                Some(value) => self.correct = Some(value),
                None => return Err(LexError::new(lexer.position(), "`correct`: expected true or false, found null")),
            },
            Key::Truncated => self.truncated = boolean(lexer, "truncated")?.unwrap_or(false),
            Key::Invalid => self.invalid = boolean(lexer, "invalid")?.unwrap_or(false),
            Key::HardTerminated => self.hard_terminated = boolean(lexer, "hard_terminated")?.unwrap_or(false),
            Key::Error => self.error = string(lexer, "error")?,
            Key::GuessChance => self.guess_chance = fraction(lexer, "guess_chance")?,
            Key::Score => self.score = fraction(lexer, "score")?,
            Key::PromptTokens => self.prompt_tokens = tokens(lexer, "prompt_tokens")?,
            Key::CompletionTokens => self.completion_tokens = tokens(lexer, "completion_tokens")?,
            Key::Reasoning => self.reasoning = string(lexer, "reasoning")?,
            Key::Response => self.response = string(lexer, "response")?,
            Key::Seed => self.seed = integer(lexer, "seed", i64::MIN..=i64::MAX)?,
            Key::Index => self.index = integer(lexer, "index", i64::MIN..=i64::MAX)?,
            Key::Repeat => {
                let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
                self.repeat = integer(lexer, "repeat", range)?.and_then(|value| i32::try_from(value).ok());
            }
            Key::Id => self.id = string(lexer, "id")?,
            Key::Task => self.task = shape.string(key, progress, lexer, |lexer| string(lexer, "task"))?,
            Key::Category => self.category = shape.string(key, progress, lexer, |lexer| string(lexer, "category"))?,
            Key::Timestamp => self.timestamp = timestamp(lexer)?,
            Key::FinishReason => drop(string(lexer, "finish_reason")?),
            Key::Prompt => match lexer.peek() {
                Some(b'[') => self.prompt = Some(shape.messages(lexer)?),
                Some(b'"') => self.prompt = Some(lexer.value()?),
                Some(b'n') => {
                    lexer.literal("null")?;
                    self.prompt = None;
                }
                _ => return Err(wrong_type(lexer, "prompt", "a string or a list of messages")),
            },
            Key::Manifold => {
                self.manifold = shape.object(key, progress, lexer, |lexer| match lexer.peek() {
                    Some(b'{') => lexer.value().map(Some),
                    Some(b'n') => lexer.literal("null").map(|()| None),
                    _ => Err(wrong_type(lexer, "manifold", "an object")),
                })?;
            }
            Key::Unknown => drop(lexer.value()?),
        }
        Ok(())
    }

    fn finish(self, end: usize) -> Result<Record<'a>, LexError> {
        let missing = |key: &str| LexError::new(end, format!("missing key `{key}`"));
        Ok(Record {
            model: self.model.ok_or_else(|| missing("model"))?,
            template: self.template.ok_or_else(|| missing("template"))?,
            sampler: self.sampler.ok_or_else(|| missing("sampler"))?,
            base_task: self.base_task.ok_or_else(|| missing("base_task"))?,
            params: self.params.ok_or_else(|| missing("params"))?,
            correct: self.correct.ok_or_else(|| missing("correct"))?,
            truncated: self.truncated,
            invalid: self.invalid,
            hard_terminated: self.hard_terminated,
            error: self.error,
            guess_chance: self.guess_chance.unwrap_or(0.0),
            score: self.score,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            reasoning: self.reasoning,
            response: self.response,
            prompt: self.prompt,
            seed: self.seed,
            index: self.index,
            repeat: self.repeat.unwrap_or(0),
            id: self.id,
            task: self.task,
            category: self.category,
            timestamp: self.timestamp,
            manifold: self.manifold,
            is_like_last: false,
        })
    }
}

fn wrong_type(lexer: &Lexer<'_>, key: &str, expected: &str) -> LexError {
    let mut error = lexer.unexpected(expected);
    error.what = format!("`{key}`: {}", error.what);
    error
}

#[inline]
fn required_string<'a>(lexer: &mut Lexer<'a>, key: &str) -> Result<RawString<'a>, LexError> {
    match lexer.peek() {
        Some(b'"') => lexer.string(),
        _ => Err(wrong_type(lexer, key, "a string")),
    }
}

#[inline]
fn string<'a>(lexer: &mut Lexer<'a>, key: &str) -> Result<Option<RawString<'a>>, LexError> {
    match lexer.peek() {
        Some(b'"') => lexer.string().map(Some),
        Some(b'n') => lexer.literal("null").map(|()| None),
        _ => Err(wrong_type(lexer, key, "a string")),
    }
}

#[inline]
fn boolean(lexer: &mut Lexer<'_>, key: &str) -> Result<Option<bool>, LexError> {
    match lexer.peek() {
        Some(b't') => lexer.literal("true").map(|()| Some(true)),
        Some(b'f') => lexer.literal("false").map(|()| Some(false)),
        Some(b'n') => lexer.literal("null").map(|()| None),
        _ => Err(wrong_type(lexer, key, "true or false")),
    }
}

/// A number's text, or `None` for null.
#[inline]
fn number<'a>(lexer: &mut Lexer<'a>, key: &str, expected: &str) -> Result<Option<(usize, &'a [u8])>, LexError> {
    match lexer.peek() {
        Some(b'-' | b'0'..=b'9') => {
            let at = lexer.position();
            lexer.number().map(|text| Some((at, text)))
        }
        Some(b'n') => lexer.literal("null").map(|()| None),
        _ => Err(wrong_type(lexer, key, expected)),
    }
}

/// Scores that were added up may miss 0 or 1 by this much; they count as 0 and 1.
const ROUNDING: f64 = 1e-9;

#[inline]
fn fraction(lexer: &mut Lexer<'_>, key: &str) -> Result<Option<f64>, LexError> {
    if let Some((value @ (0 | 1), n_digits)) = lexer.peek_digits() {
        lexer.advance(n_digits);
        return Ok(Some(if value == 0 { 0.0 } else { 1.0 }));
    }
    let Some((at, text)) = number(lexer, key, "a number from 0 to 1")? else { return Ok(None) };
    let text = std::str::from_utf8(text).unwrap_or_default();
    match text.parse::<f64>() {
        Ok(value) if (-ROUNDING..=1.0 + ROUNDING).contains(&value) => Ok(Some(value.clamp(0.0, 1.0))),
        _ => Err(LexError::new(at, format!("`{key}`: expected a number from 0 to 1, found {text}"))),
    }
}

fn tokens(lexer: &mut Lexer<'_>, key: &str) -> Result<Option<u32>, LexError> {
    // The lists of PointsDB hold 32-bit signed integers.
    let value = integer(lexer, key, 0..=i64::from(i32::MAX))?;
    Ok(value.and_then(|value| u32::try_from(value).ok()))
}

#[inline]
fn integer(lexer: &mut Lexer<'_>, key: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, LexError> {
    if let Some((value, n_digits)) = lexer.peek_digits()
        && range.contains(&value)
    {
        lexer.advance(n_digits);
        return Ok(Some(value));
    }
    let Some((at, text)) = number(lexer, key, "an integer")? else { return Ok(None) };
    match whole_number(text) {
        Some(value) if range.contains(&value) => Ok(Some(value)),
        _ => {
            let text = String::from_utf8_lossy(text);
            let expected = match (*range.start(), *range.end()) {
                (i64::MIN, i64::MAX) => "an integer of 64 bits".to_owned(),
                (least, most) => format!("an integer from {least} to {most}"),
            };
            Err(LexError::new(at, format!("`{key}`: expected {expected}, found {text}")))
        }
    }
}

/// The value of a number that is whole; some writers put `105.0` for 105.
#[inline]
fn whole_number(text: &[u8]) -> Option<i64> {
    if text.len() <= 18 && text.iter().all(u8::is_ascii_digit) {
        return Some(text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')));
    }
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<i64>().ok().or_else(|| {
        let value = text.parse::<f64>().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
        (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64)
    })
}

fn timestamp(lexer: &mut Lexer<'_>) -> Result<Option<i64>, LexError> {
    lexer.peek();
    let at = lexer.position();
    let Some(text) = string(lexer, "timestamp")? else { return Ok(None) };
    match timestamp::parse(text.raw) {
        Some(micros) => Ok(Some(micros)),
        None => Err(LexError::new(
            at,
            format!("`timestamp`: expected an RFC 3339 date and time, found {:?}", text.decode()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_lines::for_each_line;
    use proptest::prelude::*;

    const MINIMAL: &str = r#"{"model":"m","template":"t","sampler":"s","base_task":"b","params":{},"correct":true}"#;

    /// [`MINIMAL`] with more members at its end.
    fn with(members: &str) -> String {
        format!("{},{members}}}", &MINIMAL[..MINIMAL.len() - 1])
    }

    /// A line read as the first of its file.
    fn parse_one(line: &str) -> Result<Record<'_>, LexError> {
        parse(Lexer::new(line.as_bytes()), &mut Shape::default())
    }

    #[track_caller]
    fn check_error(line: &str, what: &str) {
        let error = parse_one(line).expect_err("is malformed");
        assert_eq!(error.what, what);
    }

    #[test]
    fn defaults() {
        let record = parse_one(MINIMAL).expect("is valid");
        assert_eq!((record.guess_chance, record.repeat, record.trace_bytes()), (0.0, 0, 0));
        assert_eq!(record.outcome(None), Outcome::Correct);
        assert_eq!(record.index, None);
    }

    #[test]
    fn null_is_absence() {
        let line = with(
            r#""seed":null,"index":null,"repeat":null,"response":null,"reasoning":null,"error":null,
            "score":null,"guess_chance":null,"manifold":null,"prompt":null,"truncated":null,"timestamp":null,"id":null"#,
        );
        let minimal = parse_one(MINIMAL);
        assert_eq!(parse_one(&line), minimal);
    }

    #[test]
    fn every_wrong_type_is_named() {
        check_error("[]", "expected a JSON object, found an array");
        check_error("3", "expected a JSON object, found a number");
        check_error(&MINIMAL.replace("\"m\"", "1"), "`model`: expected a string, found a number");
        check_error(&MINIMAL.replace("{}", "[]"), "`params`: expected an object, found an array");
        check_error(&MINIMAL.replace("true", "1"), "`correct`: expected true or false, found a number");
        check_error(&MINIMAL.replace("true", "null"), "`correct`: expected true or false, found null");
        check_error(&MINIMAL.replace("\"sampler\":\"s\",", ""), "missing key `sampler`");
        check_error(&with(r#""truncated":"no""#), "`truncated`: expected true or false, found a string");
        check_error(&with(r#""guess_chance":1.5"#), "`guess_chance`: expected a number from 0 to 1, found 1.5");
        check_error(&with(r#""score":"1""#), "`score`: expected a number from 0 to 1, found a string");
        check_error(
            &with(r#""completion_tokens":-1"#),
            "`completion_tokens`: expected an integer from 0 to 2147483647, found -1",
        );
        check_error(
            &with(r#""prompt_tokens":1.5"#),
            "`prompt_tokens`: expected an integer from 0 to 2147483647, found 1.5",
        );
        check_error(
            &with(r#""seed":99999999999999999999"#),
            "`seed`: expected an integer of 64 bits, found 99999999999999999999",
        );
        check_error(&with(r#""timestamp":"now""#), "`timestamp`: expected an RFC 3339 date and time, found \"now\"");
        check_error(&with(r#""response":["a"]"#), "`response`: expected a string, found an array");
        check_error(&with(r#""prompt":7"#), "`prompt`: expected a string or a list of messages, found a number");
        check_error(&with(r#""manifold":"x""#), "`manifold`: expected an object, found a string");
        check_error(&with(r#""error":false"#), "`error`: expected a string, found `false`");
    }

    #[track_caller]
    fn check_outcome(members: &str, context_tokens: Option<u32>, outcome: Outcome) {
        let line = with(members);
        let record = parse_one(&line).expect("is valid");
        assert_eq!(record.outcome(context_tokens), outcome, "{members}");
    }

    #[test]
    fn the_first_outcome_that_applies() {
        check_outcome(r#""error":"HTTP 503","truncated":true"#, None, Outcome::Error);
        check_outcome(r#""error":"","truncated":true"#, None, Outcome::Error);
        check_outcome(r#""truncated":true,"invalid":true"#, None, Outcome::Truncated);
        check_outcome(r#""invalid":true"#, None, Outcome::Invalid);
        check_outcome(r#""completion_tokens":100"#, Some(100), Outcome::Correct);
        check_outcome(r#""completion_tokens":101"#, Some(100), Outcome::Truncated);
        check_outcome(r#""correct":false"#, None, Outcome::Incorrect);
    }

    #[test]
    fn trace_bytes_are_decoded() {
        let line = with(r#""reasoning":"a\n\u00e9","response":"\ud83d\ude00""#);
        assert_eq!(parse_one(&line).expect("is valid").trace_bytes(), "a\né😀".len());
    }

    #[test]
    fn rounding_errors_are_no_errors() {
        let line = with(r#""score":1.0000000000000002,"guess_chance":-1e-17"#);
        let record = parse_one(&line).expect("is valid");
        assert_eq!((record.score, record.guess_chance), (Some(1.0), 0.0));
        check_error(&with(r#""score":1.001"#), "`score`: expected a number from 0 to 1, found 1.001");
    }

    #[test]
    fn escaped_keys_and_whole_floats() {
        let line = with(r#""\u0069ndex":3.0,"seed":1e3"#);
        let record = parse_one(&line).expect("is valid");
        assert_eq!((record.index, record.seed), (Some(3), Some(1000)));
    }

    proptest! {
        /// What is known of a block changes nothing, not even what is said of errors.
        #[test]
        fn lines_of_a_block_are_read_as_they_are_alone(
            lines in prop::collection::vec(
                (
                    prop::collection::vec(
                        prop::sample::select(vec![
                            "a", "long enough for another word of the index, or nearly", "\\n", "\\\\", "\\\"", "\\u00e9", "\\ud83d",
                            "\\ude00", "\\u12", "\\x", "\\", "\"", "é", "\t", "{", ":", ",",
                        ]),
                        0..8,
                    ),
                    any::<bool>(),
                ),
                1..6,
            ),
        ) {
            let line = |(pieces, is_whole): &(Vec<&str>, bool)| {
                let text = pieces.concat();
                if *is_whole { with(&format!("\"response\":\"{text}\",\"{text}\":1")) } else { text }
            };
            let block: Vec<String> = lines.iter().map(line).collect();
            let mut alone = block.iter();
            for_each_line(block.join("\n").as_bytes(), |line| {
                let alone = alone.next().expect("no more lines than there are");
                let lexer = line.lexer().expect("is UTF-8");
                assert_eq!(parse(lexer, &mut Shape::default()), parse_one(alone), "{alone}");
            });
        }

        #[test]
        fn never_panics(line in "\\PC{0,80}", members in "[\\x20-\\x7e]{0,60}") {
            let _ = parse_one(&line);
            let _ = parse_one(&with(&members));
        }

        #[test]
        fn accepts_no_line_that_is_not_json(members in "[\\x00-\\x7f]{0,30}") {
            let line = with(&members);
            if parse_one(&line).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{}", line);
            }
        }
    }
}
