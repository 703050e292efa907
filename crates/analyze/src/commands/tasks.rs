//! `analyze tasks`: which tasks there are, over which parameters, and what can be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, OutputArgs, Report, Table, Ui};
use rs_config::{Config, View};
use rs_pointsdb::queries::{self, Coordinate};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::selection::{self, SelectionArgs};
use crate::source::Source;

/// Values of a parameter shown one by one; more are shown as a range.
const SHOWN_VALUES: usize = 8;

/// List tasks: their points and samples, the parameters with their values, and the config's views.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `analyze.tasks/1`.
#[derive(Debug, Serialize)]
struct TasksReport {
    schema: &'static str,
    tasks: Vec<TaskRow>,
}

#[derive(Debug, Serialize)]
struct TaskRow {
    base_task: String,
    label: String,
    /// Coordinates, whichever evaluation has them.
    points: u64,
    /// Points of all evaluations.
    rows: u64,
    /// Answered and truncated trials of all evaluations.
    samples: u64,
    /// Truncated trials over samples; null without samples.
    truncated_ratio: Option<f64>,
    params: Vec<ParamRow>,
    views: Vec<ViewRow>,
}

#[derive(Debug, Serialize)]
struct ParamRow {
    name: String,
    values: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct ViewRow {
    id: String,
    label: String,
    kind: String,
    x: String,
    y: Option<String>,
    /// Coordinates that have its dimensions and satisfy its filters.
    points: u64,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    let source = Source::open(&args.dataset, common, ui)?;
    let config = source.config(ui)?;
    selection::check(&source, &filters)?;
    let coordinates = queries::coordinates(&source.connection, &filters).map_err(|error| source.error(error))?;
    let of_one_task = coordinates.chunk_by(|a, b| a.base_task == b.base_task);
    let tasks: Vec<TaskRow> = of_one_task.map(|points| task_row(config.as_ref(), points)).collect();
    if tasks.is_empty() {
        ui.note(if filters.is_empty() { "there are no points" } else { "no point matches" });
    } else if let (Some(config), true) = (&config, filters.is_empty()) {
        tell_missing_tasks(config, &tasks, ui);
    }
    args.output.print(ui, &TasksReport { schema: "analyze.tasks/1", tasks })?;
    Ok(Exit::Done)
}

fn tell_missing_tasks(config: &Config, tasks: &[TaskRow], ui: &mut Ui) {
    let present: BTreeSet<&str> = tasks.iter().map(|task| task.base_task.as_str()).collect();
    let missing: Vec<&str> =
        config.tasks.iter().map(|task| task.name.as_str()).filter(|name| !present.contains(name)).collect();
    if !missing.is_empty() {
        ui.note(&format!("the config also has, without a point: {}", rs_core::suggest::list(&missing, 10)));
    }
}

fn task_row(config: Option<&Config>, coordinates: &[Coordinate]) -> TaskRow {
    let base_task = coordinates[0].base_task.clone();
    let task = config.and_then(|config| config.task(&base_task));
    let sum = |of: fn(&Coordinate) -> u64| coordinates.iter().map(of).sum::<u64>();
    let samples = sum(|point| point.n_samples);
    let members: Vec<Members> = coordinates.iter().map(Members::new).collect();
    TaskRow {
        label: task.map_or_else(|| base_task.clone(), |task| task.label.clone()),
        base_task,
        points: coordinates.len() as u64,
        rows: sum(|point| point.n_rows),
        samples,
        truncated_ratio: (samples > 0).then(|| sum(|point| point.n_truncated) as f64 / samples as f64),
        params: params(&members),
        views: task.map_or_else(Vec::new, |task| task.views.iter().map(|view| view_row(view, &members)).collect()),
    }
}

/// The JSON objects of a coordinate.
struct Members {
    params: Map<String, Value>,
    manifold: Map<String, Value>,
}

impl Members {
    fn new(coordinate: &Coordinate) -> Self {
        let object = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Self {
            params: object(&coordinate.params),
            manifold: coordinate.manifold.as_deref().map(object).unwrap_or_default(),
        }
    }

    /// The value of `params.X` or `manifold.X`.
    fn get(&self, dimension: &str) -> Option<&Value> {
        let value = match dimension.split_once('.')? {
            ("params", name) => self.params.get(name),
            ("manifold", name) => self.manifold.get(name),
            _ => None,
        };
        value.filter(|value| !value.is_null())
    }
}

fn params(members: &[Members]) -> Vec<ParamRow> {
    let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, value) in members.iter().flat_map(|point| &point.params) {
        let known = values.entry(name).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }
    values
        .into_iter()
        .map(|(name, mut values)| {
            values.sort_by(|a, b| match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            });
            ParamRow { name: name.to_owned(), values: values.into_iter().cloned().collect() }
        })
        .collect()
}

fn view_row(view: &View, members: &[Members]) -> ViewRow {
    let equals = |a: &Value, b: &Value| a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a));
    let conditions = view.conditions();
    let is_in_view = |point: &&Members| {
        view.dimensions().all(|dimension| point.get(dimension).is_some())
            && conditions.iter().all(|(key, allowed)| {
                point.get(key).is_some_and(|value| allowed.iter().any(|allowed| equals(value, allowed)))
            })
    };
    ViewRow {
        id: view.id.clone(),
        label: view.label.clone(),
        kind: view.kind.to_string(),
        x: view.x.clone(),
        y: view.y.clone(),
        points: members.iter().filter(is_in_view).count() as u64,
    }
}

/// `8 16 24`, or `8..64 (12 values)` where there are many.
fn values_text(values: &[Value]) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match values {
        [first, .., last] if values.len() > SHOWN_VALUES && first.is_number() && last.is_number() => {
            format!("{}..{} ({} values)", plain(first), plain(last), values.len())
        }
        values if values.len() > SHOWN_VALUES => format!("{} values", values.len()),
        values => values.iter().map(plain).collect::<Vec<_>>().join(" "),
    }
}

impl Report for TasksReport {
    fn tables(&self) -> Vec<Table> {
        let mut tasks = Table::new(vec![
            Column::fixed("base_task"),
            Column::elastic("label", 10).rank(2),
            Column::fixed("points"),
            Column::fixed("samples"),
            Column::fixed("truncated"),
            Column::elastic("params", 20).rank(1),
            Column::elastic("views", 20).rank(3),
        ]);
        let mut params =
            Table::new(vec![Column::fixed("base_task"), Column::fixed("param"), Column::elastic("values", 20)])
                .titled("Parameters");
        let mut views = Table::new(vec![
            Column::fixed("base_task"),
            Column::fixed("view"),
            Column::fixed("kind").rank(1),
            Column::fixed("points"),
            Column::elastic("x", 16),
            Column::elastic("y", 16),
            Column::elastic("label", 10).rank(2),
        ])
        .titled("Views");
        for task in &self.tasks {
            tasks.rows.push(vec![
                Cell::Text(task.base_task.clone()),
                Cell::Text(task.label.clone()),
                Cell::Count(task.points),
                Cell::Count(task.samples),
                Cell::option(task.truncated_ratio, Cell::Ratio),
                Cell::List(task.params.iter().map(|param| param.name.clone()).collect()),
                Cell::List(task.views.iter().map(|view| view.id.clone()).collect()),
            ]);
            for param in &task.params {
                params.rows.push(vec![
                    Cell::Text(task.base_task.clone()),
                    Cell::Text(param.name.clone()),
                    Cell::Text(values_text(&param.values)),
                ]);
            }
            for view in &task.views {
                views.rows.push(vec![
                    Cell::Text(task.base_task.clone()),
                    Cell::Text(view.id.clone()),
                    Cell::Text(view.kind.clone()),
                    Cell::Count(view.points),
                    Cell::Text(view.x.clone()),
                    Cell::option(view.y.clone(), Cell::Text),
                    Cell::Text(view.label.clone()),
                ]);
            }
        }
        let mut tables = vec![tasks];
        tables.extend([params, views].into_iter().filter(|table| !table.rows.is_empty()));
        tables
    }
}
