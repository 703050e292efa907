//! `analyze scores`: who is ahead, and by how much.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;
use rs_charts::{Align, Caption, Chart, HeatCell, HeatColumn, HeatRow, HeatTable, LeadingColumn};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::statistics::{
    self, Confidence, Interval, ReasonScore, SCORE_DRAWS, SCORE_SEED, rank_tiers, reason_score, reason_score_m12x,
};
use rs_core::suggest;
use rs_pointsdb::queries::groups::{self, EvalName};
use serde::Serialize;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::figures::{self, Figures, FiguresRow, SHOWN_TRUNCATED_RATIO};
use crate::matrix::Matrix;
use crate::pictures::{Colours, Drawn, PictureArgs};
use crate::selection::{self, SelectionArgs};
use crate::source::Source;

/// Missing tasks that a note names.
const SHOWN_TASKS: usize = 5;

/// Rank evaluations by ReasonScore, with intervals and ties, and show each one's accuracy on every task.
///
/// Ranks inside a tier are not an order: the intervals overlap the tier leader's. A cell like `.62 ±.05 t19` is the
/// chance-corrected accuracy over answered trials with its interval, and 19 % of trials truncated (shown above 2 %).
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// What the columns are: base_task, none, params.X, manifold.X or facets.X. ReasonScore is over tasks all the same.
    #[arg(long, value_name = "KEY", default_value = "base_task")]
    group_by: Dimension,
    /// How ReasonScore is made of tasks.
    #[arg(long, value_enum, value_name = "FORMULA", default_value = "r12")]
    formula: Formula,
    /// Confidence level of intervals.
    #[arg(long, value_name = "LEVEL", default_value = "0.95")]
    confidence: Confidence,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: PictureArgs,
}

/// How ReasonScore is made of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Formula {
    /// Geometric mean of the chance of success, a truncation being a failure; with an interval.
    R12,
    /// Geometric mean of the upper end of the accuracy's interval less the truncated share.
    M12x,
}

/// The document `analyze.scores/1`.
#[derive(Debug, Serialize)]
struct ScoresReport {
    schema: &'static str,
    formula: Formula,
    confidence: f64,
    /// Draws that the scores' intervals are made of, and their seed.
    draws: usize,
    seed: u64,
    group_by: String,
    /// The groups, in the order of the columns.
    groups: Vec<Value>,
    /// The best first.
    evals: Vec<ScoreRow>,
    #[serde(skip)]
    level: Confidence,
}

#[derive(Debug, Serialize)]
struct ScoreRow {
    eval_id: String,
    label: String,
    /// 1 for the leader and all that cannot be told from it; null without an interval.
    tier: Option<usize>,
    /// Null where a task has no trial to speak of.
    score: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    /// Tasks that others have and this one has not: the score is over the tasks present.
    missing_tasks: Vec<String>,
    /// Tasks of which no trial is left, for which there is no score: none but sure guesses, or none at all.
    tasks_without_trials: Vec<String>,
    /// Score over mean completion tokens.
    score_per_token: Option<f64>,
    mean_tokens: Option<f64>,
    truncated_ratio: Option<f64>,
    points: u64,
    /// Answered and truncated trials.
    samples: u64,
    /// A cell for each group that the evaluation has.
    cells: Vec<CellRow>,
    #[serde(skip)]
    figures: Vec<Option<Figures>>,
}

#[derive(Debug, Serialize)]
struct CellRow {
    group: Value,
    #[serde(flatten)]
    figures: FiguresRow,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    args.group_by.check(&source)?;
    let tasks = figures::load(&source, &filters, &Dimension::base_task().keys())?;
    let cells = if args.group_by == Dimension::base_task() {
        tasks.clone()
    } else {
        figures::load(&source, &filters, &args.group_by.keys())?
    };
    let names = groups::eval_names(&source.connection, &filters).map_err(|error| source.error(error))?;
    let report = report(args, &names, &tasks, cells);
    if report.evals.is_empty() {
        ui.note(if filters.is_empty() { "there are no points" } else { "no point matches" });
    }
    tell(&report, ui);
    args.output.print(ui, &source, &report)?;
    Ok(Exit::Done)
}

fn report(args: &Args, names: &[EvalName], tasks: &[Figures], cells: Vec<Figures>) -> ScoresReport {
    let mut groups: Vec<Value> = Vec::new();
    let mut of_evals: BTreeMap<String, Vec<Figures>> = BTreeMap::new();
    for cell in cells {
        let group = group_of(&cell);
        if !groups.contains(&group) {
            groups.push(group);
        }
        of_evals.entry(cell.sums.eval_id.clone()).or_default().push(cell);
    }
    groups.sort_by(dimension::compare);
    let all_tasks: Vec<Value> = {
        let mut all: Vec<Value> = tasks.iter().map(group_of).collect();
        all.sort_by(dimension::compare);
        all.dedup();
        all
    };
    of_evals.values_mut().for_each(|cells| cells.sort_by(|a, b| dimension::compare(&group_of(a), &group_of(b))));
    // The draws of an evaluation take longer than all else about it.
    let of_tasks: Vec<&[Figures]> = tasks.chunk_by(|a, b| a.sums.eval_id == b.sums.eval_id).collect();
    let mut evals: Vec<(ScoreRow, Option<Interval>)> = of_tasks
        .par_iter()
        .filter_map(|tasks| {
            let name = names.iter().find(|name| name.eval_id == tasks[0].sums.eval_id)?;
            let cells = of_evals.get(&name.eval_id).map(Vec::as_slice).unwrap_or_default();
            Some(score_row(args, name, tasks, &all_tasks, cells, &groups))
        })
        .collect();
    // Ties in the score are broken by name, so that the order is always the same.
    evals.sort_by(|(a, _), (b, _)| {
        let score = |row: &ScoreRow| row.score.unwrap_or(f64::NEG_INFINITY);
        score(b).total_cmp(&score(a)).then_with(|| (&a.label, &a.eval_id).cmp(&(&b.label, &b.eval_id)))
    });
    let intervals: Vec<Option<Interval>> = evals.iter().map(|(_, interval)| *interval).collect();
    let tiers = rank_tiers(&intervals);
    let evals = evals.into_iter().zip(tiers).map(|((row, _), tier)| ScoreRow { tier, ..row }).collect();
    ScoresReport {
        schema: "analyze.scores/1",
        formula: args.formula,
        confidence: args.confidence.level(),
        draws: SCORE_DRAWS,
        seed: SCORE_SEED,
        group_by: args.group_by.name(),
        groups,
        evals,
        level: args.confidence,
    }
}

fn group_of(figures: &Figures) -> Value {
    figures.sums.group.first().cloned().unwrap_or(Value::String("all".to_owned()))
}

fn score_row(
    args: &Args,
    name: &EvalName,
    tasks: &[Figures],
    all_tasks: &[Value],
    cells: &[Figures],
    groups: &[Value],
) -> (ScoreRow, Option<Interval>) {
    let has_trials = |task: &&Figures| match args.formula {
        Formula::R12 => task.trials().is_some(),
        Formula::M12x => task.task_interval(args.confidence).is_some(),
    };
    let without_trials = tasks.iter().filter(|task| !has_trials(task));
    let tasks_without_trials: Vec<String> = without_trials.map(|task| dimension::plain(&group_of(task))).collect();
    let (score, interval) = match args.formula {
        _ if !tasks_without_trials.is_empty() => (None, None),
        Formula::R12 => {
            let trials: Vec<_> = tasks.iter().filter_map(Figures::trials).collect();
            let score = reason_score(&trials, args.confidence);
            (score.map(|score| score.score), score.map(|ReasonScore { interval, .. }| interval))
        }
        Formula::M12x => {
            let intervals: Vec<_> = tasks.iter().filter_map(|task| task.task_interval(args.confidence)).collect();
            (reason_score_m12x(&intervals), None)
        }
    };
    let present: Vec<Value> = tasks.iter().map(group_of).collect();
    let missing = all_tasks.iter().filter(|task| !present.contains(task)).map(dimension::plain);
    let mean_tokens = figures::total_mean_tokens(tasks.iter());
    let mut all = statistics::Counters::default();
    tasks.iter().for_each(|task| all += task.sums.counters);
    let figures: Vec<Option<Figures>> =
        groups.iter().map(|group| cells.iter().find(|cell| group_of(cell) == *group).cloned()).collect();
    let row = ScoreRow {
        eval_id: name.eval_id.clone(),
        label: name.label.clone(),
        tier: None,
        score,
        lower: interval.map(|interval| interval.lower),
        upper: interval.map(|interval| interval.upper),
        missing_tasks: missing.collect(),
        tasks_without_trials,
        score_per_token: score.zip(mean_tokens).filter(|(_, tokens)| *tokens > 0.0).map(|(score, mean)| score / mean),
        mean_tokens,
        truncated_ratio: all.truncated_ratio(),
        points: tasks.iter().map(|task| task.sums.n_points).sum(),
        samples: all.answered + all.truncated,
        cells: cells.iter().map(|cell| CellRow { group: group_of(cell), figures: cell.row(args.confidence) }).collect(),
        figures,
    };
    (row, interval)
}

/// What the table alone would not tell.
fn tell(report: &ScoresReport, ui: &mut Ui) {
    for eval in report.evals.iter().filter(|eval| !eval.missing_tasks.is_empty()) {
        let missing: Vec<&str> = eval.missing_tasks.iter().map(String::as_str).collect();
        let (id, list) = (&eval.eval_id, suggest::list(&missing, SHOWN_TASKS));
        ui.note(&format!("* {id} has no {list}: its score is over the tasks it has"));
    }
    for eval in report.evals.iter().filter(|eval| !eval.tasks_without_trials.is_empty()) {
        ui.note(&format!("{} has {}", eval.eval_id, eval.why_no_score(SHOWN_TASKS)));
    }
    let points = report.evals.iter().map(|eval| eval.points);
    if points.clone().min() != points.max() {
        ui.note("not all were asked at the same points; `analyze compare` compares on shared questions only");
    }
    if report.evals.iter().any(|eval| eval.cells.iter().any(|cell| cell.figures.design_effect > 1.0)) {
        ui.note("questions were asked repeatedly: intervals are as wide as their number asks for, not that of trials");
    }
}

impl ScoreRow {
    fn name(&self) -> String {
        format!("{}{}", self.label, if self.missing_tasks.is_empty() { "" } else { " *" })
    }

    fn why_no_score(&self, shown: usize) -> String {
        let tasks: Vec<&str> = self.tasks_without_trials.iter().map(String::as_str).collect();
        let list = suggest::list(&tasks, shown);
        format!("no score: of its trials of {list} none is left once expected guesses are taken off")
    }
}

impl ScoresReport {
    fn level(&self) -> String {
        format!("{} %", (self.confidence * 1000.0).round() / 10.0)
    }

    fn ranking(&self) -> Table {
        let title = match self.formula {
            Formula::R12 => format!(
                "ReasonScore, {} intervals ({} draws, seed {}). Ranks inside a tier are no order",
                self.level(),
                self.draws,
                self.seed
            ),
            Formula::M12x => "ReasonScore m12x: it has no interval, and so no tiers".to_owned(),
        };
        let mut table = Table::new(vec![
            Column::fixed("tier"),
            Column::fixed("eval_id"),
            Column::elastic("evaluation", 16),
            Column::fixed("ReasonScore"),
            Column::fixed("truncated"),
            Column::fixed("tokens").rank(1),
            Column::fixed("per token").rank(2),
            Column::fixed("samples").rank(3),
        ])
        .titled(title);
        for eval in &self.evals {
            let score = match (eval.score, eval.lower.zip(eval.upper)) {
                (Some(score), Some(ends)) => Cell::Between(score, ends, 0),
                (score, _) => Cell::option(score, |score| Cell::Number(score, 0)),
            };
            table.rows.push(vec![
                Cell::option(eval.tier, |tier| Cell::Count(tier as u64)),
                Cell::Text(eval.eval_id.clone()),
                Cell::Text(eval.name()),
                score,
                Cell::option(eval.truncated_ratio, Cell::Ratio),
                Cell::option(eval.mean_tokens, |tokens| Cell::Number(tokens, 0)),
                Cell::option(eval.score_per_token, |score| Cell::Number(score, 3)),
                Cell::Count(eval.samples),
            ]);
        }
        table
    }

    /// What marks and blanks mean; `None` where there are none.
    fn incomplete(&self) -> Option<Table> {
        let mut table = Table::new(vec![Column::fixed("eval_id"), Column::elastic("why", 30)])
            .titled("Incomplete: * the score is over the tasks present");
        for eval in &self.evals {
            let missing =
                (!eval.missing_tasks.is_empty()).then(|| format!("* has no {}", eval.missing_tasks.join(", ")));
            let no_trials =
                (!eval.tasks_without_trials.is_empty()).then(|| eval.why_no_score(eval.tasks_without_trials.len()));
            for why in missing.into_iter().chain(no_trials) {
                table.rows.push(vec![Cell::Text(eval.eval_id.clone()), Cell::Text(why)]);
            }
        }
        (!table.rows.is_empty()).then_some(table)
    }

    fn cells(&self) -> Matrix {
        let cells = |eval: &ScoreRow| {
            let cell = |figures: &Option<Figures>| Cell::option(figures.as_ref(), |figures| figures.cell(self.level));
            eval.figures.iter().map(cell).collect()
        };
        Matrix {
            corner: "eval_id",
            rows: self.evals.iter().map(|eval| eval.eval_id.clone()).collect(),
            columns: self.groups.iter().map(dimension::plain).collect(),
            cells: self.evals.iter().map(cells).collect(),
        }
    }
}

impl Report for ScoresReport {
    fn tables(&self) -> Vec<Table> {
        self.tables_within(None)
    }

    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        let mut tables = vec![self.ranking()];
        if self.evals.is_empty() {
            return tables;
        }
        // The longer side goes down the page.
        let cells = self.cells();
        let cells = if self.groups.len() > self.evals.len() { cells.transposed("group") } else { cells };
        tables.extend(cells.tables(figures::CELL_HEADING, width));
        // On a terminal the notes beside say it; a file or a pipe leaves without them.
        tables.extend(self.incomplete().filter(|_| width.is_none()));
        tables
    }

    fn facts(&self) -> Option<Table> {
        let of_eval = ["tier", "score", "score_lower", "score_upper", "missing_tasks"];
        let of_all = ["score_per_token", "eval_mean_tokens", "eval_truncated_ratio", "eval_samples"];
        let columns = of_eval.into_iter().chain(figures::FACTS).chain(of_all).map(Column::fixed);
        let mut table = Table::new(columns.collect());
        for eval in &self.evals {
            let number = |value: Option<f64>| Cell::option(value, |value| Cell::Number(value, 4));
            for CellRow { group, figures } in &eval.cells {
                let of_eval = [
                    Cell::option(eval.tier, |tier| Cell::Count(tier as u64)),
                    number(eval.score),
                    number(eval.lower),
                    number(eval.upper),
                    Cell::Count(eval.missing_tasks.len() as u64),
                ];
                let facts = figures.facts(&eval.eval_id, &eval.label, &dimension::plain(group));
                let of_all = [
                    number(eval.score_per_token),
                    number(eval.mean_tokens),
                    number(eval.truncated_ratio),
                    Cell::Count(eval.samples),
                ];
                table.rows.push(of_eval.into_iter().chain(facts).chain(of_all).collect());
            }
        }
        Some(table)
    }
}

impl Drawn for ScoresReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let row = |eval: &ScoreRow| {
            let cell = |group: &Value| {
                let cell = eval.cells.iter().find(|cell| cell.group == *group)?;
                let CellRow { figures: FiguresRow { center, margin, truncated_ratio, .. }, .. } = cell;
                Some(HeatCell { value: *center, margin: *margin, truncated_ratio: *truncated_ratio, text: None })
            };
            let text = |cell: Option<Cell>| cell.map_or_else(String::new, |cell| cell.for_people());
            let ends = eval.lower.zip(eval.upper);
            let score = eval.score.map(|score| match ends {
                Some(ends) => Cell::Between(score, ends, 0),
                None => Cell::Number(score, 0),
            });
            HeatRow {
                label: eval.name(),
                series: Some(colours.of(&eval.eval_id)),
                leading: vec![
                    text(eval.tier.map(|tier| Cell::Count(tier as u64))),
                    text(score),
                    text(eval.truncated_ratio.map(Cell::Ratio)),
                    text(eval.mean_tokens.map(|tokens| Cell::Number(tokens, 0))),
                ],
                cells: self.groups.iter().map(cell).collect(),
                tier: eval.tier.and_then(|tier| u32::try_from(tier).ok()),
            }
        };
        let caption = Caption::new("ReasonScore and accuracy")
            .subtitle(format!("by {}; ranks inside a tier are not an order", self.group_by))
            .interval(self.confidence)
            .trials(self.evals.iter().map(|eval| eval.samples).sum())
            .note(format!("{} draws, seed {}", self.draws, self.seed));
        let missing = self.evals.iter().any(|eval| !eval.missing_tasks.is_empty());
        let chart = HeatTable {
            caption: if missing { caption.note("* lacks tasks that others have") } else { caption },
            row_header: "evaluation".to_owned(),
            leading: ["tier", "ReasonScore", "truncated", "tokens"]
                .map(|header| LeadingColumn { header: header.to_owned(), align: Align::Right })
                .into(),
            columns: self.groups.iter().map(|group| HeatColumn::new(dimension::plain(group))).collect(),
            rows: self.evals.iter().map(row).collect(),
            value_label: "accuracy of answered trials, less guesses".to_owned(),
            truncation_mark: Some(SHOWN_TRUNCATED_RATIO),
        };
        vec![("scores".to_owned(), Box::new(chart))]
    }
}
