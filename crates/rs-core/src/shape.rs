//! What the lines of a file have in common: most records have the keys of the record before, in its order, and many of
//! its values. Expecting them is much cheaper than reading them anew; the result is the same either way.

use crate::lexer::{LexError, Lexer, RawString};

/// Longest text before a value that is expected: `, "completion_tokens": ` and some.
const MAX_LEAD_BYTES: usize = 32;
/// Most members that are expected of a record; a file whose lines differ more than that is not worth it.
const MAX_MEMBERS: usize = 64;
/// How many expected members may be missing one after another.
const MAX_ABSENT: usize = 3;
/// Longest text around the last text of a list of messages that is expected: who reads many files may keep a shape of each.
const MAX_AROUND_BYTES: usize = 8 << 10;

/// A key of a record that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Model,
    Template,
    Sampler,
    BaseTask,
    Params,
    Correct,
    Truncated,
    Invalid,
    HardTerminated,
    Error,
    GuessChance,
    Score,
    PromptTokens,
    CompletionTokens,
    Reasoning,
    Response,
    Seed,
    Index,
    Repeat,
    Id,
    Task,
    Category,
    Timestamp,
    FinishReason,
    Prompt,
    Manifold,
    /// Any other: its value is checked and skipped.
    Unknown,
}

impl Key {
    fn new(name: &[u8]) -> Self {
        match name {
            b"model" => Self::Model,
            b"template" => Self::Template,
            b"sampler" => Self::Sampler,
            b"base_task" => Self::BaseTask,
            b"params" => Self::Params,
            b"correct" => Self::Correct,
            b"truncated" => Self::Truncated,
            b"invalid" => Self::Invalid,
            b"hard_terminated" => Self::HardTerminated,
            b"error" => Self::Error,
            b"guess_chance" => Self::GuessChance,
            b"score" => Self::Score,
            b"prompt_tokens" => Self::PromptTokens,
            b"completion_tokens" => Self::CompletionTokens,
            b"reasoning" => Self::Reasoning,
            b"response" => Self::Response,
            b"seed" => Self::Seed,
            b"index" => Self::Index,
            b"repeat" => Self::Repeat,
            b"id" => Self::Id,
            b"task" => Self::Task,
            b"category" => Self::Category,
            b"timestamp" => Self::Timestamp,
            b"finish_reason" => Self::FinishReason,
            b"prompt" => Self::Prompt,
            b"manifold" => Self::Manifold,
            _ => Self::Unknown,
        }
    }
}

/// The text from the end of one value to the beginning of the next: `, "model": `.
#[derive(Debug)]
struct Lead {
    halves: [u128; 2],
    /// Ones where bytes count.
    masks: [u128; 2],
    length: usize,
    /// Whether it opens the object: what goes on with one must not be taken for the other.
    position: Position,
    key: Key,
}

/// Which member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The first: `{` stands before it.
    First,
    /// A later one: `,` stands before it.
    Later,
}

impl Lead {
    /// `None` if the text is too long to be expected.
    fn new(text: &[u8], position: Position, key: Key) -> Option<Self> {
        let mut bytes = [0; MAX_LEAD_BYTES];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let mut mask = [0; MAX_LEAD_BYTES];
        mask[..text.len()].fill(u8::MAX);
        Some(Self { halves: halves(&bytes), masks: halves(&mask), length: text.len(), position, key })
    }

    /// Whether a line goes on with it. `window` is the line's next bytes.
    #[inline]
    fn is_at(&self, window: [u128; 2], position: Position) -> bool {
        let differing = |half: usize| (self.halves[half] ^ window[half]) & self.masks[half];
        differing(0) | differing(1) == 0 && self.position == position
    }
}

#[inline]
fn halves(bytes: &[u8; MAX_LEAD_BYTES]) -> [u128; 2] {
    let (parts, _) = bytes.as_chunks::<16>();
    [u128::from_ne_bytes(parts[0]), u128::from_ne_bytes(parts[1])]
}

/// Texts that a record shares with all others of its point and identity, in no particular order.
const CONSTANTS: [Key; 8] =
    [Key::Model, Key::Template, Key::Sampler, Key::BaseTask, Key::Params, Key::Task, Key::Category, Key::Manifold];

/// A value as the record before wrote it: a whole string or object, which nothing can follow unnoticed.
#[derive(Debug, Default)]
struct Constant {
    text: Vec<u8>,
    /// Of a string, once decoded.
    decoded_bytes: usize,
}

/// A list of messages as the record before wrote it, without the last text in it: often nothing else differs.
#[derive(Debug, Default)]
struct Messages {
    /// Empty if there is nothing to expect.
    before: Vec<u8>,
    after: Vec<u8>,
}

/// What the next line is expected to be like.
#[derive(Debug, Default)]
pub struct Shape {
    leads: Vec<Lead>,
    constants: [Constant; CONSTANTS.len()],
    messages: Messages,
    /// Which constants the record before had, a bit for each; `None` if it was none.
    before: Option<u8>,
}

/// How far a record has been read against a shape.
#[derive(Debug)]
pub(crate) struct Progress {
    position: Position,
    /// The lead expected next.
    lead: usize,
    /// Which constants the record before had.
    before: Option<u8>,
    /// Which constants this one has.
    present: u8,
    has_changed: bool,
}

impl Shape {
    /// Begins a record.
    pub(crate) fn begin(&mut self) -> Progress {
        // Until the record is known to be one, there is nothing to be like.
        let before = self.before.take();
        Progress { position: Position::First, lead: 0, before, present: 0, has_changed: false }
    }

    /// Ends a record that is one. Returns whether its constants are those of the record before.
    pub(crate) fn end(&mut self, progress: &Progress) -> bool {
        self.before = Some(progress.present);
        !progress.has_changed && progress.before == Some(progress.present)
    }

    /// Takes what stands before the next value of the record; `None` at its end.
    #[inline]
    pub(crate) fn next_key(&mut self, progress: &mut Progress, lexer: &mut Lexer<'_>) -> Result<Option<Key>, LexError> {
        if let Some(window) = lexer.rest().first_chunk::<MAX_LEAD_BYTES>() {
            let window = halves(window);
            for (ahead, lead) in self.leads.iter().skip(progress.lead).take(MAX_ABSENT + 1).enumerate() {
                if lead.is_at(window, progress.position) {
                    lexer.advance(lead.length);
                    progress.lead += ahead + 1;
                    progress.position = Position::Later;
                    return Ok(Some(lead.key));
                }
            }
        }
        self.learn_key(progress, lexer)
    }

    fn learn_key(&mut self, progress: &mut Progress, lexer: &mut Lexer<'_>) -> Result<Option<Key>, LexError> {
        let start = lexer.position();
        let Some(name) = lexer.next_key(progress.position)? else { return Ok(None) };
        let key = if name.has_escapes() { Key::new(name.decode().as_bytes()) } else { Key::new(name.raw) };
        if let Some(lead) = Lead::new(lexer.since(start), progress.position, key) {
            if self.leads.len() == MAX_MEMBERS {
                self.leads.clear();
                progress.lead = 0;
            }
            self.leads.insert(progress.lead, lead);
            progress.lead += 1;
        }
        progress.position = Position::Later;
        Ok(Some(key))
    }

    /// Takes the value of a constant that is a string.
    #[inline]
    pub(crate) fn string<'a>(
        &mut self,
        key: Key,
        progress: &mut Progress,
        lexer: &mut Lexer<'a>,
        read: impl FnOnce(&mut Lexer<'a>) -> Result<Option<RawString<'a>>, LexError>,
    ) -> Result<Option<RawString<'a>>, LexError> {
        let slot = slot(key);
        let constant = &mut self.constants[slot];
        if let Some(text) = lexer.take_same(&constant.text) {
            progress.present |= 1 << slot;
            return Ok(Some(RawString { raw: &text[1..text.len() - 1], decoded_bytes: constant.decoded_bytes }));
        }
        lexer.peek();
        let start = lexer.position();
        let value = read(lexer)?;
        constant.decoded_bytes = value.map_or(0, |value| value.decoded_bytes);
        self.change(slot, progress, value.map(|_| lexer.since(start)));
        Ok(value)
    }

    /// Takes the value of a constant that is an object; `read` takes its text.
    #[inline]
    pub(crate) fn object<'a>(
        &mut self,
        key: Key,
        progress: &mut Progress,
        lexer: &mut Lexer<'a>,
        read: impl FnOnce(&mut Lexer<'a>) -> Result<Option<&'a [u8]>, LexError>,
    ) -> Result<Option<&'a [u8]>, LexError> {
        let slot = slot(key);
        if let Some(text) = lexer.take_same(&self.constants[slot].text) {
            progress.present |= 1 << slot;
            return Ok(Some(text));
        }
        let value = read(lexer)?;
        self.change(slot, progress, value);
        Ok(value)
    }

    /// Takes a list of messages, which comes next, and returns its text.
    pub(crate) fn messages<'a>(&mut self, lexer: &mut Lexer<'a>) -> Result<&'a [u8], LexError> {
        let start = lexer.position();
        let mut ahead = lexer.clone();
        if ahead.take_same(&self.messages.before).is_some()
            && ahead.string().is_ok()
            && ahead.take_same(&self.messages.after).is_some()
        {
            *lexer = ahead;
            return Ok(lexer.since(start));
        }
        let text = lexer.value()?;
        let is_short = |(before, after): &(&[u8], &[u8])| before.len() + after.len() <= MAX_AROUND_BYTES;
        let (before, after) = lexer.around_last_text(start).filter(is_short).unwrap_or_default();
        let Messages { before: expected_before, after: expected_after } = &mut self.messages;
        for (expected, text) in [(expected_before, before), (expected_after, after)] {
            expected.clear();
            expected.extend_from_slice(text);
        }
        Ok(text)
    }

    fn change(&mut self, slot: usize, progress: &mut Progress, text: Option<&[u8]>) {
        progress.has_changed = true;
        let constant = &mut self.constants[slot].text;
        constant.clear();
        constant.extend_from_slice(text.unwrap_or_default());
        let bit = 1 << slot;
        progress.present = if text.is_some() { progress.present | bit } else { progress.present & !bit };
    }
}

/// Position of a constant's text.
#[inline]
fn slot(key: Key) -> usize {
    CONSTANTS.iter().position(|constant| *constant == key).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, parse};
    use proptest::prelude::*;

    const START: &str = r#""model":"m","template":"t","sampler":"s","base_task":"b","params":{"n":1}"#;

    /// The record in a line whatever stands before it, or what is wrong with it.
    fn alone(line: &str) -> Result<Record<'_>, LexError> {
        parse(Lexer::new(line.as_bytes()), &mut Shape::default())
    }

    /// Every line gives the same record or error after the lines before it as alone. Returns which were like the one before.
    #[track_caller]
    fn check(lines: &[String]) -> Vec<bool> {
        let mut shape = Shape::default();
        let mut likeness = Vec::new();
        let mut before: Option<Record<'_>> = None;
        for line in lines {
            let found = parse(Lexer::new(line.as_bytes()), &mut shape);
            let is_like_last = found.as_ref().is_ok_and(|record| record.is_like_last);
            let plain = found.map(|record| Record { is_like_last: false, ..record });
            assert_eq!(plain, alone(line), "{line}\nafter {lines:?}");
            let plain = plain.ok();
            if is_like_last {
                let constants = |record: &Option<Record<'_>>| {
                    let texts = |record: &Record<'_>| {
                        [Some(record.model), Some(record.template), Some(record.sampler), Some(record.base_task)]
                            .into_iter()
                            .chain([record.task, record.category])
                            .map(|text| text.map(|text| text.raw.to_vec()))
                            .chain([Some(record.params.to_vec()), record.manifold.map(<[u8]>::to_vec)])
                            .collect::<Vec<_>>()
                    };
                    record.as_ref().map(texts)
                };
                assert_eq!(constants(&plain), constants(&before), "{line}\nafter {lines:?}");
            }
            likeness.push(is_like_last);
            before = plain.or(before);
        }
        likeness
    }

    fn records(members: &[&str]) -> Vec<String> {
        members.iter().map(|members| format!("{{{START},{members}}}")).collect()
    }

    #[test]
    fn a_record_like_the_one_before_is_known() {
        let lines = records(&[r#""correct":true,"index":1"#, r#""correct":false,"index":2"#, r#""correct":false"#]);
        assert_eq!(check(&lines), [false, true, true]);
        let lines = records(&[r#""correct":true,"task":"a""#, r#""correct":true"#, r#""correct":true,"task":null"#]);
        assert_eq!(check(&lines), [false, false, false]);
        let lines = records(&[r#""correct":true"#, r#""correct":1"#, r#""correct":true"#]);
        assert_eq!(check(&lines), [false, false, false], "there is no record before the last");
    }

    #[test]
    fn messages_are_known_around_their_last_text() {
        let system = r#"{"role":"system","content":"s"}"#;
        let prompts = [
            format!(r#"[{system}, {{"role":"user","content":"a"}}]"#),
            format!(r#"[{system}, {{"role":"user","content":"\"b\u00e9\n"}}]"#),
            format!(r#"[{system}, {{"role":"user","content":  "a"}}]"#),
            format!(r#"[{system}, {{"role":"user","content":"a"}}"#),
            format!(r#"[{system}, {{"role":"user","content":"a"}}]]"#),
            format!(r#"[{system}, {{"role":"user","content":"a"}}, {{"role":"assistant","content":"b"}}]"#),
            format!(r#"[{system}, {{"role":"user","content":1}}]"#),
            format!("[{system}, {{\"role\":\"user\",\"content\":\"\t\"}}]"),
            format!(r#"[{system}, {{"role":"user","content":"\x"}}]"#),
            format!(r#"[{system}, {{"role":"user","content":"a","n":[1]}}]"#),
            system.to_owned(),
            "[]".to_owned(),
            "[1, [2]]".to_owned(),
            "\"a\"".to_owned(),
        ];
        let line = |prompt: &String| format!("{{{START},\"prompt\":{prompt},\"correct\":true}}");
        for first in &prompts {
            for second in &prompts {
                check(&[line(first), line(second), line(first), line(second)]);
            }
        }
    }

    #[test]
    fn what_only_looks_expected_is_still_an_error() {
        let first = format!("{{{START},\"correct\":true}}");
        for line in [
            format!("{{{START}{{\"correct\":true}}"),
            format!(",{START},\"correct\":true}}"),
            format!("{{,{START},\"correct\":true}}"),
            format!("{{{START},\"correct\":true,}}"),
            format!("{{{START},\"correct\":true,\"model\":\"m\"\"}}"),
            first.replace("{\"n\":1}", "{\"n\":1}}"),
        ] {
            assert!(alone(&line).is_err(), "{line}");
            check(&[first.clone(), line.clone(), first.clone(), line, first.clone()]);
        }
    }

    #[test]
    fn errors_stand_at_the_value_however_it_is_found() {
        for value in ["\"x\"", "1", "true", "01", "null"] {
            for key in ["timestamp", "score", "index", "params", "correct", "prompt", "model"] {
                // Long enough for the key to be expected.
                let line = |colon: &str| format!("{{{START},\"{key}\"{colon}{value},\"x\":\"{:32}\"}}", "");
                check(&[line(":"), line(": "), line(":  ")]);
            }
        }
    }

    #[test]
    fn lines_that_differ_without_end_cost_no_memory() {
        let mut shape = Shape::default();
        for number in 0..1000 {
            let line = format!("{{{START},\"correct\":true,\"x{number}\":1}}");
            assert!(parse(Lexer::new(line.as_bytes()), &mut shape).is_ok());
            assert!(shape.leads.len() <= MAX_MEMBERS);
        }
        for n_bytes in [100, MAX_AROUND_BYTES + 1] {
            let line = format!("{{{START},\"correct\":true,\"prompt\":[\"{:n_bytes$}\",\"\"]}}", "");
            assert!(parse(Lexer::new(line.as_bytes()), &mut shape).is_ok());
            assert_eq!(shape.messages.before.is_empty(), n_bytes > MAX_AROUND_BYTES);
            assert!(shape.messages.before.capacity() <= MAX_AROUND_BYTES);
        }
    }

    proptest! {
        #[test]
        fn expecting_changes_nothing(
            lines in proptest::collection::vec(
                proptest::collection::vec(
                    (
                        prop::sample::select(vec![
                            "model", "template", "sampler", "base_task", "params", "correct", "task", "category",
                            "manifold", "timestamp", "index", "seed", "score", "response", "prompt", "x", "a_key_that_is_too_long_to_expect_it",
                        ]),
                        prop::sample::select(vec![
                            "\"a\"", "\"b\"", "\"a\\\"\"", "{}", "{\"a\":1}", "{\"a\":1.0}", "true", "false", "null", "0", "1",
                            "0.5", "12", "[]", "[1]", "[\"a\"]", "[\"b\"]", "[\"b\",]", "[{\"a\":\"b\"}]", "[{\"a\":\"c\",\"d\":[]}]",
                            "[{\"a\":\"b\",\"d\":[]}]", "[{\"a\":\"\"},{}]", "[{\"a\":\"b\"},1]", "[{\"a\":\"b\"}",
                            "\"\\u00e9\"", "1e2", "01", "1.", "\"", "}",
                        ]),
                        prop::sample::select(vec![",", ", ", ",", "{", ""]),
                        prop::sample::select(vec![":", ":", ": "]),
                    ),
                    0..9,
                ),
                1..7,
            ),
            start in any::<bool>(),
        ) {
            let lines: Vec<String> = lines
                .iter()
                .map(|members| {
                    let mut line = if start { format!("{{{START},\"correct\":true") } else { "{".to_owned() };
                    for (position, (key, value, separator, colon)) in members.iter().enumerate() {
                        let separator = if position == 0 && !start { "" } else { separator };
                        line.push_str(&format!("{separator}\"{key}\"{colon}{value}"));
                    }
                    line.push('}');
                    line
                })
                .collect();
            check(&lines);
        }
    }
}
