//! How records are printed: pages for people, documents for machines, and the raw lines as they are.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rs_cli::{CommandError, Ui, check_output, print_text};
use rs_core::record::Outcome;
use rs_pointsdb::samples::SampleRow;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::records::Found;

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Pages for people.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// One versioned document, with everything.
    Json,
    /// The raw records, byte for byte.
    Ndjson,
}

/// How and where records are printed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct RecordOutputArgs {
    /// How to print the records.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
    /// Show texts in full, however long.
    #[arg(long)]
    full: bool,
    /// Write the result to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How much of a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Full,
    /// Of a long text its beginning and its end.
    Ends,
}

impl RecordOutputArgs {
    /// Checks that there is a place for the result.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        self.output.as_deref().map_or(Ok(()), check_output)
    }

    pub(crate) fn extent(&self) -> Extent {
        if self.full { Extent::Full } else { Extent::Ends }
    }

    pub(crate) fn print(&self, ui: &mut Ui, text: &str) -> Result<(), CommandError> {
        print_text(ui, self.output.as_deref(), text)
    }

    /// Prints a document.
    pub(crate) fn print_document(&self, ui: &mut Ui, document: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(document).map_err(std::io::Error::from)?;
        self.print(ui, &(text + "\n"))
    }
}

/// Lines as they stand in their files.
pub(crate) fn raw_lines<'a>(found: impl IntoIterator<Item = &'a Found>) -> String {
    let mut text = String::new();
    for raw in found.into_iter().filter_map(|found| found.raw.as_ref().ok()) {
        text.push_str(raw);
        text.push('\n');
    }
    text
}

/// A sample in a document. What is not known is null.
#[derive(Debug, Serialize)]
pub(crate) struct SampleDocument {
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    base_task: String,
    params: Option<Box<RawValue>>,
    seed: Option<i64>,
    index: Option<i64>,
    repeat: i32,
    /// `correct`, `incorrect`, `truncated` or `invalid`, under the evaluation's context.
    pub(crate) status: &'static str,
    path: String,
    line: Option<u32>,
    prompt_tokens: Option<u32>,
    pub(crate) completion_tokens: Option<u32>,
    pub(crate) trace_bytes: u32,
    pub(crate) compressed_bytes: Option<u32>,
    /// Compressed bytes over bytes of the trace.
    compression_ratio: Option<f64>,
    pub(crate) prompt: Option<Box<RawValue>>,
    pub(crate) reasoning: Option<String>,
    pub(crate) response: Option<String>,
    pub(crate) answer: Option<Box<RawValue>>,
    pub(crate) reference: Option<Box<RawValue>>,
    /// Why its record could not be read.
    pub(crate) problem: Option<String>,
}

/// A member of a record that points are not made of.
fn member(line: &str, name: &str) -> Option<Box<RawValue>> {
    let mut lexer = rs_core::lexer::Lexer::new(line.as_bytes());
    let mut found = None;
    lexer.peek();
    let read = lexer.members(|lexer, key| {
        let value = lexer.value()?;
        if key.decode() == name {
            found = Some(value);
        }
        Ok(())
    });
    let value = found.filter(|value| read.is_ok() && *value != b"null")?;
    RawValue::from_string(String::from_utf8(value.to_vec()).ok()?).ok()
}

/// The name of what became of a sample.
pub(crate) fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Correct => "correct",
        Outcome::Incorrect => "incorrect",
        Outcome::Truncated => "truncated",
        Outcome::Invalid => "invalid",
        Outcome::Error => "error",
    }
}

impl From<&Found> for SampleDocument {
    fn from(found: &Found) -> Self {
        let SampleRow { eval_id, label, model, template, sampler, base_task, params, .. } = &found.row;
        let row = &found.row;
        let record = found.record();
        let record = record.as_ref();
        let line = found.raw.as_deref().unwrap_or_default().trim_ascii_end();
        let prompt = record.and_then(|record| record.prompt);
        Self {
            eval_id: eval_id.clone(),
            label: label.clone(),
            model: model.clone(),
            template: template.clone(),
            sampler: sampler.clone(),
            base_task: base_task.clone(),
            params: RawValue::from_string(params.clone()).ok(),
            seed: row.seed,
            index: row.index,
            repeat: row.repeat,
            status: status(row.outcome),
            path: found.path.clone(),
            line: row.place.as_ref().map(|place| place.line),
            prompt_tokens: record.and_then(|record| record.prompt_tokens),
            completion_tokens: row.completion_tokens,
            trace_bytes: row.trace_bytes,
            compressed_bytes: row.compressed_bytes,
            compression_ratio: row.compression_ratio(),
            prompt: prompt.and_then(|prompt| RawValue::from_string(String::from_utf8_lossy(prompt).into_owned()).ok()),
            reasoning: record.and_then(|record| Some(record.reasoning?.decode().into_owned())),
            response: record.and_then(|record| Some(record.response?.decode().into_owned())),
            answer: member(line, "answer"),
            reference: member(line, "reference"),
            problem: found.raw.as_ref().err().map(ToString::to_string),
        }
    }
}

/// A JSON value as people read it: a string as its text, the rest as it is written.
pub(crate) fn plain(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// A prompt as people read it: of a list of messages, each with its role before it.
pub(crate) fn prompt_text(prompt: &RawValue) -> String {
    let Ok(serde_json::Value::Array(messages)) = serde_json::from_str(prompt.get()) else { return plain(prompt) };
    let message = |message: &serde_json::Value| {
        let role = message.get("role").and_then(serde_json::Value::as_str).unwrap_or("message");
        let content = rs_core::forensics::prompt_text(format!("[{message}]").as_bytes()).unwrap_or_default();
        format!("[{role}]\n{content}")
    };
    messages.iter().map(message).collect::<Vec<_>>().join("\n\n")
}
