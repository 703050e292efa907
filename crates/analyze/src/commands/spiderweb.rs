//! `analyze spiderweb`: an evaluation's fingerprint over tasks.

use std::path::PathBuf;

use rs_charts::{Bars, Caption, Chart, Fingerprint, FingerprintValue, Interval, MOST_SPOKES, Radar};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::statistics::Confidence;
use rs_pointsdb::queries::groups;
use serde::Serialize;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::figures::{self, Figures, FiguresRow};
use crate::matrix::Matrix;
use crate::pictures::{Colours, Drawn, PictureArgs};
use crate::selection::{self, SelectionArgs};
use crate::source::Source;

/// Show an evaluation's fingerprint over tasks: accuracy with its interval, truncation, tokens; several side by side.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// What the spokes are: base_task, params.X, manifold.X or facets.X.
    #[arg(long, value_name = "KEY", default_value = "base_task")]
    group_by: Dimension,
    /// How a picture shows it; by default a radar for 3 to 24 spokes, and bars for fewer and more.
    #[arg(long, value_enum, value_name = "SHAPE")]
    shape: Option<Shape>,
    /// Confidence level of intervals.
    #[arg(long, value_name = "LEVEL", default_value = "0.95")]
    confidence: Confidence,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: PictureArgs,
}

/// How a picture shows a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// Spokes around a middle: for few tasks; fewer than three are bars.
    Radar,
    /// A bar for each task, with tokens.
    Bars,
}

/// The document `analyze.spiderweb/1`.
#[derive(Debug, Serialize)]
struct SpiderwebReport {
    schema: &'static str,
    confidence: f64,
    group_by: String,
    /// The spokes.
    groups: Vec<Value>,
    /// By label.
    evals: Vec<Web>,
    #[serde(skip)]
    level: Confidence,
    #[serde(skip)]
    shape: Option<Shape>,
}

#[derive(Debug, Serialize)]
struct Web {
    eval_id: String,
    label: String,
    spokes: Vec<Spoke>,
}

#[derive(Debug, Serialize)]
struct Spoke {
    group: Value,
    #[serde(flatten)]
    figures: FiguresRow,
    #[serde(skip)]
    sums: Figures,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    args.group_by.check(&source)?;
    let figures = figures::load(&source, &filters, &args.group_by.keys())?;
    let names = groups::eval_names(&source.connection, &filters).map_err(|error| source.error(error))?;
    if figures.is_empty() {
        ui.note(if filters.is_empty() { "there are no points" } else { "no point matches" });
    }
    let group_of = |figures: &Figures| figures.sums.group.first().cloned().unwrap_or(Value::from("all"));
    let mut groups: Vec<Value> = figures.iter().map(group_of).collect();
    groups.sort_by(dimension::compare);
    groups.dedup();
    let evals = names
        .into_iter()
        .map(|name| {
            let of_eval = figures.iter().filter(|figures| figures.sums.eval_id == name.eval_id);
            let mut spokes: Vec<Spoke> = of_eval
                .map(|figures| Spoke {
                    group: group_of(figures),
                    figures: figures.row(args.confidence),
                    sums: figures.clone(),
                })
                .collect();
            spokes.sort_by(|a, b| dimension::compare(&a.group, &b.group));
            Web { eval_id: name.eval_id, label: name.label, spokes }
        })
        .filter(|web| !web.spokes.is_empty())
        .collect();
    let report = SpiderwebReport {
        schema: "analyze.spiderweb/1",
        confidence: args.confidence.level(),
        group_by: args.group_by.name(),
        groups,
        evals,
        level: args.confidence,
        shape: args.shape,
    };
    args.output.print(ui, &source, &report)?;
    Ok(Exit::Done)
}

impl SpiderwebReport {
    fn one(&self, web: &Web) -> Table {
        let mut table = Table::new(vec![
            Column::elastic(self.group_by.clone(), 12),
            Column::fixed("accuracy"),
            Column::fixed("trials"),
            Column::fixed("truncated"),
            Column::fixed("invalid"),
            Column::fixed("tokens"),
        ])
        .titled(format!("{} ({})\n{}", web.label, web.eval_id, figures::CELL_HEADING));
        for Spoke { group, figures, sums } in &web.spokes {
            table.rows.push(vec![
                Cell::Text(dimension::plain(group)),
                sums.cell(self.level),
                Cell::Count(figures.answered + figures.truncated),
                Cell::option(figures.truncated_ratio, Cell::Ratio),
                Cell::Count(figures.invalid),
                Cell::option(figures.mean_tokens, |tokens| Cell::Number(tokens, 0)),
            ]);
        }
        table
    }

    fn matrix(&self, cell: &dyn Fn(&Spoke) -> Cell) -> Matrix {
        let cells = |group: &Value| {
            let of_eval = |web: &Web| Cell::option(web.spokes.iter().find(|spoke| spoke.group == *group), cell);
            self.evals.iter().map(of_eval).collect()
        };
        Matrix {
            corner: "group",
            rows: self.groups.iter().map(dimension::plain).collect(),
            columns: self.evals.iter().map(|web| web.eval_id.clone()).collect(),
            cells: self.groups.iter().map(cells).collect(),
        }
    }
}

impl Report for SpiderwebReport {
    fn tables(&self) -> Vec<Table> {
        self.tables_within(None)
    }

    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        if let [web] = self.evals.as_slice() {
            return vec![self.one(web)];
        }
        let mut names =
            Table::new(vec![Column::fixed("eval_id"), Column::elastic("evaluation", 20), Column::fixed("samples")]);
        for web in &self.evals {
            let samples = web.spokes.iter().map(|spoke| spoke.figures.answered + spoke.figures.truncated).sum();
            names.rows.push(vec![Cell::Text(web.eval_id.clone()), Cell::Text(web.label.clone()), Cell::Count(samples)]);
        }
        let mut tables = vec![names];
        if !self.evals.is_empty() {
            let accuracy = self.matrix(&|spoke| spoke.sums.cell(self.level));
            tables.extend(accuracy.tables(figures::CELL_HEADING, width));
            let tokens = |spoke: &Spoke| Cell::option(spoke.figures.mean_tokens, |tokens| Cell::Number(tokens, 0));
            tables.extend(self.matrix(&tokens).tables("Mean completion tokens of answered trials", width));
        }
        tables
    }

    fn facts(&self) -> Option<Table> {
        let mut table = Table::new(figures::FACTS.iter().copied().map(Column::fixed).collect());
        for web in &self.evals {
            for spoke in &web.spokes {
                table.rows.push(spoke.figures.facts(&web.eval_id, &web.label, &dimension::plain(&spoke.group)));
            }
        }
        Some(table)
    }
}

impl Drawn for SpiderwebReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let fingerprint = |web: &Web| {
            let value = |group: &Value| {
                let figures = &web.spokes.iter().find(|spoke| spoke.group == *group)?.figures;
                Some(FingerprintValue {
                    value: figures.center?,
                    interval: figures.lower.zip(figures.upper).map(|(low, high)| Interval { low, high }),
                    truncated_ratio: figures.truncated_ratio,
                    tokens: figures.mean_tokens,
                })
            };
            Fingerprint {
                label: web.label.clone(),
                series: colours.of(&web.eval_id),
                values: self.groups.iter().map(value).collect(),
            }
        };
        let trials = |spoke: &Spoke| spoke.figures.answered + spoke.figures.truncated;
        let caption = Caption::new(format!("Accuracy by {}", self.group_by))
            .interval(self.confidence)
            .trials(self.evals.iter().flat_map(|web| &web.spokes).map(trials).sum());
        let tasks: Vec<String> = self.groups.iter().map(dimension::plain).collect();
        let fingerprints = self.evals.iter().map(fingerprint).collect();
        let value_label = "accuracy of answered trials, less guesses".to_owned();
        let truncation_mark = Some(figures::SHOWN_TRUNCATED_RATIO);
        let is_web = (3..=MOST_SPOKES).contains(&tasks.len());
        let chart: Box<dyn Chart> = match self.shape.unwrap_or(if is_web { Shape::Radar } else { Shape::Bars }) {
            Shape::Radar => Box::new(Radar { caption, tasks, value_label, fingerprints, truncation_mark }),
            Shape::Bars => Box::new(Bars { caption, tasks, value_label, fingerprints }),
        };
        vec![("spiderweb".to_owned(), chart)]
    }
}
