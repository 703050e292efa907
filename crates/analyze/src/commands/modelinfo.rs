//! `analyze modelinfo`: all that is known of one evaluation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, Entry, RUN_METADATA_FILE};
use rs_core::eval_id::Identity;
use rs_core::filters::{Condition, Key, Test};
use rs_core::{document, paths, timestamp};
use rs_pointsdb::queries::{self, EvalSummary, TaskSums};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::matrix::Matrix;
use crate::selection::{self, SelectionArgs};
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

/// Characters of a value in one line, where evaluations stand side by side on a screen.
const VALUE_WIDTH: usize = 26;

/// Different values of a metadata key that are shown one by one.
const SHOWN_METADATA: usize = 3;

/// Tell all that is known of one evaluation: identity, runs and their metadata, tokens, tasks, dates, architecture.
///
/// Without --eval-id all evaluations that the filters leave stand side by side.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// The evaluation: id, longer hash prefix or identity [default: all, side by side].
    #[arg(long, value_name = "ID")]
    eval_id: Option<String>,
    /// Where <hf_id>/config.json may lie [default: `tokenizers` beside the dataset file or database].
    #[arg(long, value_name = "DIR")]
    tokenizers: Option<PathBuf>,
    #[command(flatten)]
    selection: SelectionArgs,
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
    /// The cohort's folder: as the user would type it, or as the database has it if a bare database was named.
    cohort: Option<String>,
    /// RFC 3339.
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    files: u64,
    /// Records of its identity in these files, those included that count for nothing below.
    records: u64,
    /// Records that lost to another of the same sample.
    duplicates: u64,
    /// Lines that are no record.
    malformed: u64,
    /// Records of other identities in these files.
    foreign: u64,
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

/// The document `analyze.modelinfos/1`.
#[derive(Debug, Serialize)]
struct ModelsReport {
    schema: &'static str,
    /// By label.
    models: Vec<ModelReport>,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut filters = args.selection.parse()?;
    if let Some(eval_id) = &args.eval_id {
        filters.conditions.insert(0, of_eval(eval_id));
    }
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    let evals = queries::evals(&source.connection, &filters).map_err(|error| source.error(error))?;
    let sums = queries::tasks_of_evals(&source.connection, &filters).map_err(|error| source.error(error))?;
    let Some(eval_id) = &args.eval_id else {
        if evals.is_empty() {
            ui.note(if filters.is_empty() { "there are no evaluations" } else { "no evaluation matches" });
        }
        let models: Result<_, _> = evals.into_iter().map(|eval| model(args, &source, &sums, eval, ui)).collect();
        args.output.print(ui, &ModelsReport { schema: "analyze.modelinfos/1", models: models? })?;
        return Ok(Exit::Done);
    };
    let Some(eval) = evals.into_iter().next() else {
        return Err(CommandError::input(format!("no point of evaluation `{eval_id}` matches")));
    };
    if let (None, Some(relative)) = (&source.dataset, &eval.cohort) {
        ui.note(&format!("the runs of `{relative}` are shown if its dataset file is named instead of the database"));
    }
    let report = model(args, &source, &sums, eval, ui)?;
    args.output.print(ui, &report)?;
    Ok(Exit::Done)
}

fn of_eval(eval_id: &str) -> Condition {
    Condition { key: Key::Column("eval_id"), test: Test::AnyOf(vec![Value::from(eval_id)]) }
}

/// All that is known of an evaluation.
fn model(
    args: &Args,
    source: &Source,
    sums: &[TaskSums],
    mut eval: EvalSummary,
    ui: &mut Ui,
) -> Result<ModelReport, CommandError> {
    let tasks = tasks(&eval.eval_id, sums);
    let folder = args.dataset.parent().unwrap_or(Path::new(""));
    let cohort = eval.cohort.as_deref().filter(|_| source.dataset.is_some());
    let cohort = cohort.map(|relative| paths::join(folder, Path::new(relative)));
    let runs = cohort.as_deref().and_then(|cohort| runs(cohort, &eval, ui));
    let tokenizers = args.tokenizers.clone().unwrap_or_else(|| folder.join("tokenizers"));
    let architecture = architecture(&tokenizers, eval.hf_id.as_deref())?;
    eval.cohort = cohort.map(|cohort| paths::show(&cohort)).or(eval.cohort);
    Ok(report(eval, tasks, runs, architecture))
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
        duplicates: eval.n_duplicates,
        malformed: eval.n_malformed,
        foreign: eval.n_foreign,
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

/// Of an evaluation.
fn tasks(eval_id: &str, sums: &[TaskSums]) -> Vec<TaskRow> {
    let row = |sums: &TaskSums| TaskRow {
        base_task: sums.base_task.clone(),
        points: sums.n_points,
        samples: sums.n_samples,
        truncated_ratio: (sums.n_samples > 0).then(|| sums.n_truncated as f64 / sums.n_samples as f64),
        total_tokens: sums.total_tokens,
    };
    sums.iter().filter(|sums| sums.eval_id == eval_id).map(row).collect()
}

/// The run folders of the evaluation, where its cohort is at hand.
fn runs(folder: &Path, eval: &EvalSummary, ui: &mut Ui) -> Option<Vec<RunRow>> {
    let cohort = match Cohort::open(folder) {
        Ok(cohort) => cohort,
        Err(error) => {
            ui.warn(&format!("the runs are not known: {error}"));
            return None;
        }
    };
    let is_identity = |entry: &Entry| {
        let Identity { model, template, sampler } = &entry.filters;
        (model, template, sampler) == (&eval.model, &eval.template, &eval.sampler)
    };
    let entries = || cohort.evaluations.iter().filter(|evaluation| is_identity(&evaluation.entry));
    // A context that was given to `evaluate` is in no entry.
    let evaluation = entries().find(|evaluation| evaluation.entry.context == eval.context_tokens);
    let evaluation = evaluation.or_else(|| entries().next());
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
        let text = cohort.run_text(&run.run, RUN_METADATA_FILE).transpose();
        match text.map(|text| document::parse_json(&text?, &path)).transpose() {
            Ok(document) => run.metadata = document.map(|document| document.value),
            Err(error) => ui.warn(&error.to_string()),
        }
    }
    Some(runs.into_values().collect())
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
        let mut facts = Table::new(vec![Column::fixed("field"), Column::elastic("value", 20).left()]);
        let mut add = |field: &str, cell: Cell| {
            if !matches!(&cell, Cell::Empty) && cell != Cell::List(Vec::new()) {
                facts.rows.push(vec![Cell::Text(field.to_owned()), cell]);
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
        add("duplicates", Cell::Count(self.duplicates));
        add("malformed", Cell::Count(self.malformed));
        add("foreign", Cell::Count(self.foreign));
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

    /// What the runs' metadata say, key by key: most say the same of all runs.
    fn run_metadata(&self) -> Table {
        let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let runs = || self.runs.iter().flatten();
        for (key, value) in runs().flat_map(|run| run.metadata.iter().flatten()) {
            values.entry(key).or_default().push(text_of(value));
        }
        let columns = vec![Column::elastic("key", 12), Column::elastic("value", 30)];
        let mut table = Table::new(columns).titled("Run metadata");
        for (key, mut values) in values {
            let (n_with, n_runs) = (values.len(), runs().count());
            values.sort();
            values.dedup();
            let mut value = match values.len() {
                ..=SHOWN_METADATA => values.join(" | "),
                n => format!("{n} values"),
            };
            if n_with < n_runs {
                value += &format!(" ({n_with} of {n_runs} runs)");
            }
            table.rows.push(vec![Cell::Text(key.to_owned()), Cell::Text(value)]);
        }
        table
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
        let mut runs =
            Table::new(vec![Column::elastic("run", 30), Column::fixed("files"), Column::fixed("bytes")]).titled("Runs");
        for run in self.runs.iter().flatten() {
            runs.rows.push(vec![Cell::Text(run.run.clone()), Cell::Count(run.files), Cell::Bytes(run.bytes)]);
        }
        tables.extend([runs, self.run_metadata()].into_iter().filter(|table| !table.rows.is_empty()));
        tables
    }
}

impl Report for ModelsReport {
    fn tables(&self) -> Vec<Table> {
        self.tables_within(None)
    }

    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        let facts: Vec<BTreeMap<String, Cell>> = self.models.iter().map(|model| pairs(&model.facts())).collect();
        // In the order in which one evaluation tells them.
        let mut fields: Vec<String> = Vec::new();
        for model in &self.models {
            let mut place = 0;
            for field in model.facts().rows.iter().map(|row| row[0].for_people()) {
                match fields.iter().position(|known| *known == field) {
                    Some(at) => place = at + 1,
                    None => {
                        fields.insert(place, field);
                        place += 1;
                    }
                }
            }
        }
        fields.retain(|field| field != "eval_id");
        let mut matrix = Matrix {
            corner: "field",
            columns: self.models.iter().map(|model| model.eval_id.clone()).collect(),
            cells: Vec::new(),
            rows: Vec::new(),
        };
        for field in fields {
            let cells = facts
                .iter()
                .map(|facts| facts.get(&field).map_or_else(|| vec![Cell::Empty], |cell| lines(cell, width)));
            let cells: Vec<Vec<Cell>> = cells.collect();
            for at in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                matrix.rows.push(if at == 0 { field.clone() } else { String::new() });
                matrix.cells.push(cells.iter().map(|lines| lines.get(at).cloned().unwrap_or(Cell::Empty)).collect());
            }
        }
        let mut tables = matrix.tables("", width);
        for table in &mut tables {
            // Lines that others alone have.
            table.rows.retain(|row| row.iter().skip(1).any(|cell| !cell.for_people().is_empty()));
            table.columns.iter_mut().for_each(|column| column.is_left = true);
        }
        tables
    }
}

/// A cell as lines that leave room for others beside it on a screen: a list in lines of its items, a text broken where it
/// must be.
fn lines(cell: &Cell, width: Option<usize>) -> Vec<Cell> {
    let words: Vec<&str> = match cell {
        Cell::List(items) if width.is_some() => items.iter().map(String::as_str).collect(),
        Cell::Text(text) if width.is_some() && text.ends_with('Z') => text.split_inclusive('T').collect(),
        Cell::Text(text) if width.is_some() => text.split_inclusive([' ', '/', '-', '_']).collect(),
        other => return vec![other.clone()],
    };
    let gap = if matches!(cell, Cell::List(_)) { " " } else { "" };
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + gap.len() + word.trim_end().chars().count() <= VALUE_WIDTH => {
                line.push_str(gap);
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| Cell::Text(line.trim_end().to_owned())).collect()
}

/// A table of two columns as a map.
fn pairs(table: &Table) -> BTreeMap<String, Cell> {
    table.rows.iter().map(|row| (row[0].for_people(), row[1].clone())).collect()
}
