//! `analyze evals`: which evaluations there are.

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, OutputArgs, Report, Table, Ui};
use rs_core::filters::{Condition, Key, Test};
use rs_pointsdb::queries::{self, EvalSummary};
use serde::Serialize;

use crate::selection::{self, SelectionArgs};
use crate::source::Source;

/// List evaluations: who they are, how much there is of them, how often they were cut off.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// Only evaluations that hold all of these words (in any case) in id, label, identity, groups, tags or hf_id.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only evaluations with all of these groups, like arch:moe,size:large. Can be repeated: any of them.
    #[arg(long, value_name = "GROUPS")]
    groups: Vec<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `analyze.evals/1`.
#[derive(Debug, Serialize)]
struct EvalsReport {
    schema: &'static str,
    evals: Vec<EvalRow>,
}

#[derive(Debug, Serialize)]
struct EvalRow {
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u32>,
    hf_id: Option<String>,
    groups: Vec<String>,
    tags: Vec<String>,
    points: u64,
    /// Answered and truncated trials.
    samples: u64,
    /// Truncated trials over samples; null without samples.
    truncated_ratio: Option<f64>,
    /// Mean completion tokens of answered trials.
    mean_tokens: Option<f64>,
    errors: u64,
}

impl From<EvalSummary> for EvalRow {
    fn from(eval: EvalSummary) -> Self {
        Self {
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
            points: eval.n_points,
            samples: eval.n_samples,
            mean_tokens: eval.mean_tokens,
            errors: eval.n_errors,
        }
    }
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut filters = args.selection.parse()?;
    if !args.groups.is_empty() {
        let all_of = |text: &String| text.split(',').map(|group| group.trim().to_owned()).collect();
        let test = Test::AnyOfAll(args.groups.iter().map(all_of).collect());
        filters.conditions.push(Condition { key: Key::Marks("groups"), test });
    }
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    let mut evals = queries::evals(&source.connection, &filters).map_err(|error| source.error(error))?;
    if let Some(search) = &args.search {
        let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
        evals.retain(|eval| is_found(eval, &words));
    }
    if evals.is_empty() {
        let is_narrowed = args.search.is_some() || !filters.is_empty();
        ui.note(if is_narrowed { "no evaluation matches" } else { "there are no evaluations" });
    }
    let report = EvalsReport { schema: "analyze.evals/1", evals: evals.into_iter().map(EvalRow::from).collect() };
    args.output.print(ui, &report)?;
    Ok(Exit::Done)
}

fn is_found(eval: &EvalSummary, words: &[String]) -> bool {
    let mut text =
        [&eval.eval_id, &eval.label, &eval.model, &eval.template, &eval.sampler].map(String::as_str).join("\n");
    for part in eval.groups.iter().chain(&eval.tags).chain(&eval.hf_id) {
        text.push('\n');
        text.push_str(part);
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

impl Report for EvalsReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::fixed("eval_id"),
            Column::elastic("label", 24),
            Column::elastic("model", 12).rank(4),
            Column::elastic("template", 10).rank(5),
            Column::elastic("sampler", 10).rank(6),
            Column::elastic("groups", 16).rank(7),
            Column::elastic("tags", 8).rank(8),
            Column::fixed("points"),
            Column::fixed("samples"),
            Column::fixed("truncated"),
            Column::fixed("mean tokens"),
        ]);
        for eval in &self.evals {
            table.rows.push(vec![
                Cell::Text(eval.eval_id.clone()),
                Cell::Text(eval.label.clone()),
                Cell::Text(eval.model.clone()),
                Cell::Text(eval.template.clone()),
                Cell::Text(eval.sampler.clone()),
                Cell::List(eval.groups.clone()),
                Cell::List(eval.tags.clone()),
                Cell::Count(eval.points),
                Cell::Count(eval.samples),
                Cell::option(eval.truncated_ratio, Cell::Ratio),
                Cell::option(eval.mean_tokens, |tokens| Cell::Number(tokens, 0)),
            ]);
        }
        vec![table]
    }
}
