//! `analyze modelinfo`: all that is known of one evaluation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, RUN_METADATA_FILE};
use rs_core::filters::{Condition, Filters, Key, Test};
use rs_core::{document, paths, timestamp};
use rs_pointsdb::queries::{self, EvalSummary};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::selection;
use crate::source::Source;

/// Keys of a Hugging Face `config.json` that say what a model is, in the order they are shown.
const ARCHITECTURE_KEYS: [&str; 12] = [
    "architectures",
    "model_type",
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "num_local_experts",
    "num_experts_per_tok",
    "vocab_size",
    "max_position_embeddings",
    "torch_dtype",
];

/// Tell all that is known of one evaluation: identity, runs and their metadata, tokens, tasks, dates, architecture.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// The evaluation: id, longer hash prefix or identity.
    #[arg(long, value_name = "ID")]
    eval_id: String,
    /// Where <hf_id>/config.json may lie [default: `tokenizers` beside the dataset file or database].
    #[arg(long, value_name = "DIR")]
    tokenizers: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `analyze.modelinfo/1`.
#[derive(Debug, Serialize)]
struct ModelReport {
    schema: &'static str,
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u32>,
    hf_id: Option<String>,
    groups: Vec<String>,
    tags: Vec<String>,
    cohort: Option<String>,
    /// RFC 3339.
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    files: u64,
    records: u64,
    points: u64,
    samples: u64,
    truncated_ratio: Option<f64>,
    errors: u64,
    /// Prompt and completion tokens of all samples.
    total_tokens: Option<u64>,
    /// Completion tokens of answered trials.
    mean_tokens: Option<f64>,
    tasks: Vec<TaskRow>,
    /// Null where the raw data is not known: the question was asked of a bare database.
    runs: Option<Vec<RunRow>>,
    /// Of a local `config.json`; null without one.
    architecture: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize)]
struct TaskRow {
    base_task: String,
    points: u64,
    samples: u64,
    truncated_ratio: Option<f64>,
    total_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RunRow {
    run: String,
    files: u64,
    bytes: u64,
    /// `metadata.json`; null without one.
    metadata: Option<Map<String, Value>>,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let source = Source::open(&args.dataset, common, ui)?;
    let test = Test::AnyOf(vec![Value::from(args.eval_id.as_str())]);
    let filters = Filters { conditions: vec![Condition { key: Key::Column("eval_id"), test }] };
    selection::check(&source, &filters)?;
    let evals = queries::evals(&source.connection, &filters).map_err(|error| source.error(error))?;
    let Some(eval) = evals.into_iter().next() else {
        return Err(CommandError::input(format!("evaluation `{}` has no points", args.eval_id)));
    };
    let tasks = tasks(&source, &filters)?;
    let runs = runs(&source, &eval, ui)?;
    let folder = args.dataset.parent().unwrap_or(Path::new(""));
    let tokenizers = args.tokenizers.clone().unwrap_or_else(|| folder.join("tokenizers"));
    let architecture = architecture(&tokenizers, eval.hf_id.as_deref())?;
    args.output.print(ui, &report(eval, tasks, runs, architecture))?;
    Ok(Exit::Done)
}

fn report(
    eval: EvalSummary,
    tasks: Vec<TaskRow>,
    runs: Option<Vec<RunRow>>,
    architecture: Option<Map<String, Value>>,
) -> ModelReport {
    ModelReport {
        schema: "analyze.modelinfo/1",
        truncated_ratio: eval.truncated_ratio(),
        eval_id: eval.eval_id,
        label: eval.label,
        model: eval.model,
        template: eval.template,
        sampler: eval.sampler,
        context: eval.context_tokens,
        hf_id: eval.hf_id,
        groups: eval.groups,
        tags: eval.tags,
        cohort: eval.cohort,
        first_timestamp: eval.first_timestamp.map(timestamp::to_rfc3339),
        last_timestamp: eval.last_timestamp.map(timestamp::to_rfc3339),
        files: eval.n_files,
        records: eval.n_records,
        points: eval.n_points,
        samples: eval.n_samples,
        errors: eval.n_errors,
        total_tokens: eval.total_tokens,
        mean_tokens: eval.mean_tokens,
        tasks,
        runs,
        architecture,
    }
}

fn tasks(source: &Source, filters: &Filters) -> Result<Vec<TaskRow>, CommandError> {
    let coordinates = queries::coordinates(&source.connection, filters).map_err(|error| source.error(error))?;
    let mut tasks: BTreeMap<String, (TaskRow, u64)> = BTreeMap::new();
    for point in coordinates {
        let empty = || {
            let base_task = point.base_task.clone();
            (TaskRow { base_task, points: 0, samples: 0, truncated_ratio: None, total_tokens: None }, 0)
        };
        let (task, truncated) = tasks.entry(point.base_task.clone()).or_insert_with(empty);
        task.points += 1;
        task.samples += point.n_samples;
        *truncated += point.n_truncated;
        task.truncated_ratio = (task.samples > 0).then(|| *truncated as f64 / task.samples as f64);
        task.total_tokens = match (task.total_tokens, point.total_tokens) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
    }
    Ok(tasks.into_values().map(|(task, _)| task).collect())
}

/// The run folders of the evaluation, where its cohort is at hand.
fn runs(source: &Source, eval: &EvalSummary, ui: &mut Ui) -> Result<Option<Vec<RunRow>>, CommandError> {
    let (Some(dataset), Some(cohort)) = (&source.dataset, &eval.cohort) else { return Ok(None) };
    let folder = paths::join(dataset.file.parent().unwrap_or(Path::new("")), Path::new(cohort));
    let cohort = match Cohort::open(&folder) {
        Ok(cohort) => cohort,
        Err(error) => {
            ui.warn(&format!("the runs are not known: {error}"));
            return Ok(None);
        }
    };
    let evaluation = cohort.evaluations.iter().find(|candidate| {
        let entry = &candidate.entry;
        (&entry.filters.model, &entry.filters.template, &entry.filters.sampler)
            == (&eval.model, &eval.template, &eval.sampler)
    });
    let mut runs: BTreeMap<&str, RunRow> = BTreeMap::new();
    for &at in evaluation.map_or(&[][..], |evaluation| &evaluation.files) {
        let file = &cohort.files[at];
        let empty = || RunRow { run: file.run.clone(), files: 0, bytes: 0, metadata: None };
        let run = runs.entry(&file.run).or_insert_with(empty);
        run.files += 1;
        run.bytes += file.size_bytes;
    }
    for run in runs.values_mut() {
        let path = folder.join(&run.run).join(RUN_METADATA_FILE);
        if path.is_file() {
            match document::read_json(&path) {
                Ok(document) => run.metadata = Some(document.value),
                Err(error) => ui.warn(&error.to_string()),
            }
        }
    }
    Ok(Some(runs.into_values().collect()))
}

fn architecture(tokenizers: &Path, hf_id: Option<&str>) -> Result<Option<Map<String, Value>>, CommandError> {
    let Some(hf_id) = hf_id else { return Ok(None) };
    let Ok(relative) = paths::check_relative(hf_id, paths::Climb::Never) else { return Ok(None) };
    let path = tokenizers.join(relative).join("config.json");
    if !path.is_file() {
        return Ok(None);
    }
    Ok(Some(document::read_json(&path)?.value))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

impl ModelReport {
    fn facts(&self) -> Table {
        let mut facts = Table::new(vec![Column::fixed("what"), Column::elastic("is", 20)]);
        let mut add = |what: &str, cell: Cell| {
            if cell != Cell::Empty {
                facts.rows.push(vec![Cell::Text(what.to_owned()), cell.as_text()]);
            }
        };
        let text = |value: &Option<String>| Cell::option(value.clone(), Cell::Text);
        add("eval_id", Cell::Text(self.eval_id.clone()));
        add("label", Cell::Text(self.label.clone()));
        add("model", Cell::Text(self.model.clone()));
        add("template", Cell::Text(self.template.clone()));
        add("sampler", Cell::Text(self.sampler.clone()));
        add("context", Cell::option(self.context, |tokens| Cell::Count(u64::from(tokens))));
        add("hf_id", text(&self.hf_id));
        add("groups", Cell::List(self.groups.clone()));
        add("tags", Cell::List(self.tags.clone()));
        add("cohort", text(&self.cohort));
        add("first record", text(&self.first_timestamp));
        add("last record", text(&self.last_timestamp));
        add("files", Cell::Count(self.files));
        add("records", Cell::Count(self.records));
        add("points", Cell::Count(self.points));
        add("samples", Cell::Count(self.samples));
        add("truncated", Cell::option(self.truncated_ratio, Cell::Ratio));
        add("errors", Cell::Count(self.errors));
        add("tokens spent", Cell::option(self.total_tokens, Cell::Count));
        add("mean tokens", Cell::option(self.mean_tokens, |tokens| Cell::Number(tokens, 0)));
        for key in ARCHITECTURE_KEYS {
            if let Some(value) = self.architecture.as_ref().and_then(|architecture| architecture.get(key)) {
                add(key, Cell::Text(text_of(value)));
            }
        }
        facts
    }
}

impl Report for ModelReport {
    fn tables(&self) -> Vec<Table> {
        let mut tables = vec![self.facts()];
        let mut tasks = Table::new(vec![
            Column::fixed("base_task"),
            Column::fixed("points"),
            Column::fixed("samples"),
            Column::fixed("truncated"),
            Column::fixed("tokens spent"),
        ])
        .titled("Tasks");
        for task in &self.tasks {
            tasks.rows.push(vec![
                Cell::Text(task.base_task.clone()),
                Cell::Count(task.points),
                Cell::Count(task.samples),
                Cell::option(task.truncated_ratio, Cell::Ratio),
                Cell::option(task.total_tokens, Cell::Count),
            ]);
        }
        tables.push(tasks);
        let mut runs = Table::new(vec![
            Column::elastic("run", 30),
            Column::fixed("files"),
            Column::fixed("bytes"),
            Column::elastic("metadata", 20).rank(1),
        ])
        .titled("Runs");
        for run in self.runs.iter().flatten() {
            let metadata =
                run.metadata.iter().flatten().map(|(key, value)| format!("{key}={}", text_of(value))).collect();
            let run =
                vec![Cell::Text(run.run.clone()), Cell::Count(run.files), Cell::Bytes(run.bytes), Cell::List(metadata)];
            runs.rows.push(run);
        }
        if !runs.rows.is_empty() {
            tables.push(runs);
        }
        tables
    }
}
