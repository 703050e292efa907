//! A raw record: its text, its JSON line, and the facts that a tool should read from it.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::behaviour::{Outcome, behaviour};
use crate::evaluation::{Clock, KeyOrder, ParamsOrder, SUBJECTS, Subject, Syntax, Writer};
use crate::plan::{Naming, Plan, RecordPlan, sample_id, step_name};
use crate::portable::exp;
use crate::question::{Answer, Question, question};
use crate::random::{Random, Stream};
use crate::task::{Mode, Point, TASKS, Task, Value, push_display};
use crate::trace::{Brief, Ending, write_evasion, write_reply, write_trace};

/// What a tool should find in a record: the same that its line says, without a detour over JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    pub(crate) subject: usize,
    pub(crate) task: usize,
    pub(crate) point: usize,
    pub(crate) sample: SampleName,
    /// Microseconds since 1970, UTC.
    pub(crate) timestamp: Option<i64>,
    pub(crate) is_error: bool,
    pub(crate) is_truncated: bool,
    pub(crate) is_invalid: bool,
    pub(crate) is_correct: bool,
    pub(crate) is_hard_terminated: bool,
    pub(crate) guess_chance: f64,
    pub(crate) score: Option<f64>,
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) completion_tokens: Option<u64>,
    /// Bytes of reasoning and response, decoded.
    pub(crate) trace_bytes: u64,
}

/// Which sample of its point a record is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SampleName {
    Indexed { seed: u64, index: u64, repeat: u32 },
    Id(String),
    Own,
}

/// Writes records. Holds what can be used again from one record to the next.
#[derive(Debug, Default)]
pub(crate) struct RecordWriter {
    reasoning: String,
    response: String,
}

/// The parts of a record that its keys are written from.
struct Parts<'a> {
    plan: &'a RecordPlan,
    subject: &'a Subject,
    task: &'a Task,
    point: &'a Point,
    question: &'a Question,
    fact: &'a Fact,
    outcome: Outcome,
    reasoning: Option<&'a str>,
    response: Option<&'a str>,
    answer: Option<&'a Answer>,
    request_id: Option<u64>,
}

impl RecordWriter {
    /// Appends the line of `record` to `line`, without a line end, and says what it holds.
    pub(crate) fn write(&mut self, plan: &Plan, record: &RecordPlan, line: &mut String) -> Fact {
        let subject = &SUBJECTS[record.subject];
        let task = &TASKS[record.task];
        let point = &plan.points[record.task][record.point];
        let question = question(plan.seed, task, point, record);
        let behaviour = behaviour(plan.seed, record, subject, task, point);
        let outcome = behaviour.outcome;
        let key = record.key(point);

        self.reasoning.clear();
        self.response.clear();
        let text_bytes = text_bytes(plan, behaviour.completion_tokens);
        let mut random = Random::keyed(plan.seed, Stream::Text, &key);
        let answer = match outcome {
            Outcome::Correct => Some(&question.reference),
            Outcome::Incorrect => Some(&question.wrong),
            Outcome::Error | Outcome::Truncated | Outcome::Killed | Outcome::Invalid => None,
        };
        if outcome != Outcome::Error {
            self.write_text(subject, &question, outcome, answer, text_bytes, &mut random);
        }
        let says_something = outcome != Outcome::Error;
        let stops_short = matches!(outcome, Outcome::Truncated | Outcome::Killed);
        let reasoning = (says_something && subject.thinks).then_some(self.reasoning.as_str());
        let response = (says_something && !(subject.thinks && stops_short)).then_some(self.response.as_str());

        let fact = Fact {
            subject: record.subject,
            task: record.task,
            point: record.point,
            sample: match record.naming {
                Naming::Index => SampleName::Indexed { seed: record.seed, index: record.index, repeat: record.repeat },
                Naming::Id => SampleName::Id(sample_id(record, point)),
                Naming::Nothing => SampleName::Own,
            },
            timestamp: record.timestamp,
            is_error: outcome == Outcome::Error,
            is_truncated: stops_short,
            is_invalid: outcome == Outcome::Invalid,
            is_correct: outcome == Outcome::Correct,
            is_hard_terminated: outcome == Outcome::Killed,
            guess_chance: task.guess_chance(point),
            score: (subject.writer.score && says_something).then_some(behaviour.score),
            prompt_tokens: (subject.writer.prompt_tokens && says_something)
                .then(|| prompt_tokens(task, subject, &question)),
            completion_tokens: says_something.then_some(behaviour.completion_tokens),
            trace_bytes: reasoning.map_or(0, str::len) as u64 + response.map_or(0, str::len) as u64,
        };
        let request_id = subject.writer.request_id.then(|| Random::keyed(plan.seed, Stream::Identifier, &key).bits());
        let parts = Parts {
            plan: record,
            subject,
            task,
            point,
            question: &question,
            fact: &fact,
            outcome,
            reasoning,
            response,
            answer,
            request_id,
        };
        LineWriter { out: line, writer: &subject.writer }.record(&parts);
        fact
    }

    fn write_text(
        &mut self,
        subject: &Subject,
        question: &Question,
        outcome: Outcome,
        answer: Option<&Answer>,
        text_bytes: usize,
        random: &mut Random,
    ) {
        let written = answer.map(Answer::written).unwrap_or_default();
        let ending = match outcome {
            Outcome::Truncated => Ending::Circles,
            Outcome::Killed => Ending::BreaksOff,
            Outcome::Invalid => Ending::GivesUp,
            Outcome::Correct | Outcome::Incorrect | Outcome::Error => Ending::Concludes(&written),
        };
        let brief = Brief { question, voice: subject.voice, ending, target_bytes: text_bytes };
        if !subject.thinks {
            write_trace(&mut self.response, &brief, random);
            if answer.is_some() {
                self.response.push_str("\n\n");
                write_reply(&mut self.response, &written, random);
            }
            return;
        }
        write_trace(&mut self.reasoning, &brief, random);
        match outcome {
            Outcome::Truncated | Outcome::Killed | Outcome::Error => {}
            Outcome::Invalid => write_evasion(&mut self.response, random),
            Outcome::Correct | Outcome::Incorrect => write_reply(&mut self.response, &written, random),
        }
    }
}

/// The length of a trace of so many tokens: 3.8 bytes each, and less and less as it nears the most that the scale allows.
fn text_bytes(plan: &Plan, tokens: u64) -> usize {
    let most = plan.scale.trace_bytes();
    (most * (1.0 - exp(-(tokens as f64) * 3.8 / most))) as usize
}

/// Tables are made of numbers, which cost more tokens than words.
fn prompt_tokens(task: &Task, subject: &Subject, question: &Question) -> u64 {
    let bytes = question.text.len() as u64 + system_prompt(subject).len() as u64;
    match task.mode {
        Mode::Calibrate { .. } => bytes * 43 / 100 + 10,
        Mode::Grid => bytes * 28 / 100 + 14,
    }
}

fn system_prompt(subject: &Subject) -> &'static str {
    match subject.identity.template {
        "zerocot-nothink" | "detailed-think-off" => {
            "Solve the problem step by step. Give the final answer on the last line. /no_think"
        }
        "harmony-low" => "Reasoning: low\n\nAnswer the question. End with the final answer.",
        "harmony-high" => "Reasoning: high\n\nAnswer the question. End with the final answer.",
        "detailed-think-on" => "detailed thinking on\n\nSolve the problem, then give the final answer.",
        _ => "Think about the problem, then give the final answer in one line.",
    }
}

/// The keys of a record, in several orders.
#[derive(Debug, Clone, Copy)]
enum Key {
    Model,
    Template,
    Sampler,
    BaseTask,
    Task,
    Params,
    Manifold,
    Category,
    Seed,
    Index,
    Repeat,
    Prompt,
    Reasoning,
    Response,
    Answer,
    Reference,
    Score,
    Correct,
    Truncated,
    Invalid,
    HardTerminated,
    GuessChance,
    PromptTokens,
    CompletionTokens,
    Timestamp,
    FinishReason,
    Id,
    Error,
}

fn key_order(order: KeyOrder) -> [Key; 28] {
    use Key::{
        Answer, BaseTask, Category, CompletionTokens, Correct, Error, FinishReason, GuessChance, HardTerminated, Id,
        Index, Invalid, Manifold, Model, Params, Prompt, PromptTokens, Reasoning, Reference, Repeat, Response, Sampler,
        Score, Seed, Task, Template, Timestamp, Truncated,
    };
    match order {
        KeyOrder::Identity => [
            Timestamp,
            Id,
            Model,
            Template,
            Sampler,
            BaseTask,
            Task,
            Params,
            Manifold,
            Category,
            Seed,
            Index,
            Repeat,
            Prompt,
            Reasoning,
            Response,
            Answer,
            Reference,
            Score,
            Correct,
            Truncated,
            Invalid,
            HardTerminated,
            GuessChance,
            PromptTokens,
            CompletionTokens,
            FinishReason,
            Error,
        ],
        KeyOrder::Text => [
            Id,
            Seed,
            Index,
            Repeat,
            Prompt,
            Reasoning,
            Response,
            FinishReason,
            Error,
            PromptTokens,
            CompletionTokens,
            BaseTask,
            Task,
            Category,
            Params,
            Manifold,
            Reference,
            Answer,
            GuessChance,
            Correct,
            Score,
            Invalid,
            Truncated,
            HardTerminated,
            Model,
            Template,
            Sampler,
            Timestamp,
        ],
        KeyOrder::Outcome => [
            Correct,
            Truncated,
            Invalid,
            HardTerminated,
            Score,
            GuessChance,
            Answer,
            Reference,
            Error,
            FinishReason,
            BaseTask,
            Params,
            Model,
            Sampler,
            Template,
            Timestamp,
            Task,
            Category,
            Manifold,
            Seed,
            Index,
            Repeat,
            CompletionTokens,
            PromptTokens,
            Response,
            Reasoning,
            Prompt,
            Id,
        ],
    }
}

/// Writes one line.
struct LineWriter<'a> {
    out: &'a mut String,
    writer: &'a Writer,
}

impl LineWriter<'_> {
    fn record(&mut self, parts: &Parts<'_>) {
        self.out.push('{');
        for key in key_order(self.writer.order) {
            self.entry(key, parts);
        }
        self.out.push('}');
    }

    fn entry(&mut self, key: Key, parts: &Parts<'_>) {
        let fact = parts.fact;
        let identity = parts.subject.identity;
        let defaults = self.writer.defaults;
        match key {
            Key::Model => self.text("model", identity.model),
            Key::Template => self.text("template", identity.template),
            Key::Sampler => self.text("sampler", identity.sampler),
            Key::BaseTask => self.text("base_task", parts.task.name),
            Key::Task => self.text("task", &step_name(parts.plan.task)),
            Key::Category => self.text("category", parts.task.category),
            Key::Params => self.params(parts),
            Key::Manifold => self.manifold(parts),
            Key::Seed | Key::Index | Key::Repeat => self.sample_number(key, parts),
            Key::Prompt => self.prompt(parts),
            Key::Reasoning => self.optional_text("reasoning", parts.reasoning),
            Key::Response => self.optional_text("response", parts.response),
            Key::Answer => match parts.answer {
                Some(answer) => self.answer("answer", answer),
                None if defaults => self.raw("answer", "null"),
                None => {}
            },
            Key::Reference => self.answer("reference", &parts.question.reference),
            Key::Score => {
                if let Some(score) = fact.score {
                    self.number("score", score);
                }
            }
            Key::Correct => self.raw("correct", if fact.is_correct { "true" } else { "false" }),
            Key::Truncated => self.flag("truncated", fact.is_truncated),
            Key::Invalid => self.flag("invalid", fact.is_invalid),
            Key::HardTerminated => self.flag("hard_terminated", fact.is_hard_terminated),
            Key::GuessChance => {
                if fact.guess_chance > 0.0 || defaults {
                    self.number("guess_chance", fact.guess_chance);
                }
            }
            Key::PromptTokens => {
                if let Some(tokens) = fact.prompt_tokens {
                    self.number("prompt_tokens", tokens);
                }
            }
            Key::CompletionTokens => {
                if let Some(tokens) = fact.completion_tokens {
                    self.number("completion_tokens", tokens);
                }
            }
            Key::Timestamp => {
                if let Some(timestamp) = fact.timestamp {
                    let written = written_time(timestamp, self.writer.clock);
                    self.text("timestamp", &written);
                }
            }
            Key::FinishReason => match parts.outcome {
                Outcome::Error => {}
                Outcome::Truncated => self.text("finish_reason", "length"),
                Outcome::Killed => self.text("finish_reason", "abort"),
                Outcome::Invalid | Outcome::Correct | Outcome::Incorrect => self.text("finish_reason", "stop"),
            },
            Key::Id => match (&fact.sample, parts.request_id) {
                (SampleName::Id(id), _) => self.text("id", id),
                (_, Some(id)) => self.text("id", &format!("chatcmpl-{id:016x}")),
                (_, None) => {}
            },
            Key::Error => {
                if fact.is_error {
                    let status = ["HTTP 503: Service Unavailable", "HTTP 500: \"engine dead\"", "timeout after 600 s"];
                    self.text("error", status[parts.plan.index as usize % status.len()]);
                } else if defaults {
                    self.raw("error", "null");
                }
            }
        }
    }

    fn sample_number(&mut self, key: Key, parts: &Parts<'_>) {
        let SampleName::Indexed { seed, index, repeat } = parts.fact.sample else { return };
        match key {
            Key::Seed => self.number("seed", seed),
            Key::Index => self.number("index", index),
            _ if repeat > 0 || self.writer.defaults => self.number("repeat", repeat),
            _ => {}
        }
    }

    fn params(&mut self, parts: &Parts<'_>) {
        let mut entries: Vec<(&str, Value)> = parts
            .task
            .dimensions
            .iter()
            .zip(&parts.point.positions)
            .map(|(axis, &position)| (axis.name, axis.values[position]))
            .collect();
        let count = ("count", Value::Integer(i64::from(parts.plan.count)));
        match self.writer.params {
            ParamsOrder::CountFirst => entries.insert(0, count),
            ParamsOrder::CountLast => entries.push(count),
            ParamsOrder::ReversedWithoutCount => entries.reverse(),
            ParamsOrder::CountAfterFirst => entries.insert(1, count),
        }
        self.key("params");
        self.out.push('{');
        for (name, value) in entries {
            self.key(name);
            value.push_json(self.out);
        }
        self.out.push('}');
    }

    fn manifold(&mut self, parts: &Parts<'_>) {
        let Some(id) = manifold_id(parts.subject, parts.task, parts.point) else { return };
        self.key("manifold");
        self.out.push('{');
        self.text("id", &id);
        match parts.task.target_tokens(parts.point) {
            Some(tokens) => self.number("target_tokens", tokens),
            None => self.raw("target_tokens", "null"),
        }
        self.out.push('}');
    }

    fn prompt(&mut self, parts: &Parts<'_>) {
        let system = system_prompt(parts.subject);
        let text = &parts.question.text;
        self.key("prompt");
        if !self.writer.chat {
            self.out.push('"');
            self.escaped(system);
            self.out.push_str("\\n\\n");
            self.escaped(text);
            self.out.push('"');
            return;
        }
        self.out.push_str("[{");
        self.text("role", "system");
        self.text("content", system);
        self.out.push_str(if self.writer.syntax == Syntax::Python { "}, {" } else { "},{" });
        self.text("role", "user");
        self.text("content", text);
        self.out.push_str("}]");
    }

    fn answer(&mut self, key: &str, answer: &Answer) {
        match answer {
            Answer::Integer(value) => self.number(key, value),
            Answer::Text(text) => self.text(key, text),
            Answer::Flag(value) => self.raw(key, if *value { "true" } else { "false" }),
            Answer::List(items) => {
                self.key(key);
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(if self.writer.syntax == Syntax::Python { ", " } else { "," });
                    }
                    self.out.push('"');
                    self.escaped(item);
                    self.out.push('"');
                }
                self.out.push(']');
            }
        }
    }

    /// A text, or nothing: as `null`, or by leaving the key out.
    fn optional_text(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None if self.writer.defaults => self.raw(key, "null"),
            None => {}
        }
    }

    /// A flag that is false by default.
    fn flag(&mut self, key: &str, value: bool) {
        if value || self.writer.defaults {
            self.raw(key, if value { "true" } else { "false" });
        }
    }

    fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        push_display(self.out, value);
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.out.push_str(json);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.out.push('"');
        self.escaped(text);
        self.out.push('"');
    }

    fn key(&mut self, key: &str) {
        let python = self.writer.syntax == Syntax::Python;
        if !self.out.ends_with('{') {
            self.out.push_str(if python { ", " } else { "," });
        }
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str(if python { "\": " } else { "\":" });
    }

    fn escaped(&mut self, text: &str) {
        push_escaped(self.out, text, self.writer.syntax);
    }
}

/// The id of the manifold that a record of this point names.
pub(crate) fn manifold_id(subject: &Subject, task: &Task, point: &Point) -> Option<String> {
    match task.target_tokens(point) {
        Some(tokens) => Some(format!("{}-{tokens}", task.name)),
        None => subject.writer.manifold.then(|| format!("{}-grid", task.name)),
    }
}

fn written_time(microseconds: i64, clock: Clock) -> String {
    // Every planned time is within the calendar.
    let time = Timestamp::from_microsecond(microseconds).unwrap_or_default();
    let (offset, format) = match clock {
        Clock::Bare => (Offset::UTC, "%Y-%m-%dT%H:%M:%S%.6f"),
        Clock::Zulu => (Offset::UTC, "%Y-%m-%dT%H:%M:%S%.6fZ"),
        Clock::OneHourAhead => (Offset::constant(1), "%Y-%m-%dT%H:%M:%S%.6f+01:00"),
        Clock::Pacific => (Offset::constant(-8), "%Y-%m-%dT%H:%M:%S%.6f-08:00"),
    };
    offset.to_datetime(time).strftime(format).to_string()
}

/// Bytes that cannot stand in a JSON string as they are, and `/`, which need not be escaped but may.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] = byte < 0x20 || byte == b'"' as usize || byte == b'\\' as usize || byte == b'/' as usize;
        byte += 1;
    }
    special
};

fn push_escaped(out: &mut String, text: &str, syntax: Syntax) {
    if syntax == Syntax::Python && !text.is_ascii() {
        push_escaped_ascii(out, text);
        return;
    }
    let mut start = 0;
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        if !SPECIAL[byte as usize] {
            continue;
        }
        if byte == b'/' && syntax != Syntax::EscapedSlash {
            continue;
        }
        out.push_str(&text[start..at]);
        push_escape(out, byte);
        start = at + 1;
    }
    out.push_str(&text[start..]);
}

fn push_escaped_ascii(out: &mut String, text: &str) {
    let mut units = [0; 2];
    for letter in text.chars() {
        match u8::try_from(letter) {
            Ok(b'/') => out.push('/'),
            Ok(byte) if byte.is_ascii() && !SPECIAL[byte as usize] => out.push(letter),
            Ok(byte) if byte.is_ascii() => push_escape(out, byte),
            _ => {
                for unit in letter.encode_utf16(&mut units) {
                    push_display(out, format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
}

fn push_escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'/' => out.push_str("\\/"),
        b'\n' => out.push_str("\\n"),
        b'\t' => out.push_str("\\t"),
        b'\r' => out.push_str("\\r"),
        other => push_display(out, format_args!("\\u{other:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::push_escaped;
    use crate::evaluation::Syntax;

    #[track_caller]
    fn check(syntax: Syntax, text: &str, expected: &str) {
        let mut out = String::new();
        push_escaped(&mut out, text, syntax);
        assert_eq!(out, expected);
        let read_back: String = serde_json::from_str(&format!("\"{out}\"")).expect("valid JSON");
        assert_eq!(read_back, text);
    }

    #[test]
    fn strings_are_escaped_as_each_writer_does() {
        check(Syntax::Compact, "a/b \"c\"\n\\ Zürich 🤔", "a/b \\\"c\\\"\\n\\\\ Zürich 🤔");
        check(Syntax::EscapedSlash, "a/b", "a\\/b");
        check(Syntax::Python, "é 🤔 /\t", "\\u00e9 \\ud83e\\udd14 /\\t");
        check(Syntax::Compact, "\u{1}", "\\u0001");
    }
}
