//! `analyze surface`: accuracy over one or two parameters.

use std::path::PathBuf;

use rs_charts::{
    Axis, Bounds, Caption, CategoryAxis, Chart, Curve, CurveShape, Interval, LinePanel, LinePoint, Lines, SurfacePanel,
};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::filters::Key;
use rs_core::statistics::Confidence;
use rs_pointsdb::queries::groups::{self, EvalName, TaskPart};
use serde::Serialize;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::figures::{self, Figures, FiguresRow};
use crate::matrix::Matrix;
use crate::pictures::{Colours, Drawn, PictureArgs};
use crate::selection::{self, SelectionArgs};
use crate::source::Source;
use crate::views::{self, TaskView};

/// Show accuracy over two parameters, or one, with intervals, trials and truncation: the config's views, or --x and --y.
///
/// Without --x all views of the config are shown of the tasks that the filters leave. A cell like `.62 ±.05 t19 n160` is
/// the accuracy over answered trials with its interval, 19 % truncated (shown above 2 %), of 160 trials.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// Only the config's views of this id.
    #[arg(long, value_name = "ID", conflicts_with = "x")]
    view: Option<String>,
    /// The parameter across, like params.length: instead of the config's views.
    #[arg(long, value_name = "KEY")]
    x: Option<Dimension>,
    /// The parameter down.
    #[arg(long, value_name = "KEY", requires = "x")]
    y: Option<Dimension>,
    /// Confidence level of intervals.
    #[arg(long, value_name = "LEVEL", default_value = "0.95")]
    confidence: Confidence,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: PictureArgs,
}

/// The document `analyze.surface/1`.
#[derive(Debug, Serialize)]
struct SurfaceReport {
    schema: &'static str,
    confidence: f64,
    surfaces: Vec<Surface>,
    #[serde(skip)]
    level: Confidence,
}

#[derive(Debug, Serialize)]
struct Surface {
    /// Null for --x and --y.
    base_task: Option<String>,
    view: Option<String>,
    label: String,
    x: String,
    /// Null for a projection.
    y: Option<String>,
    x_values: Vec<Value>,
    y_values: Vec<Value>,
    /// By label.
    evals: Vec<EvalSurface>,
}

#[derive(Debug, Serialize)]
struct EvalSurface {
    eval_id: String,
    label: String,
    cells: Vec<SurfaceCell>,
}

#[derive(Debug, Serialize)]
struct SurfaceCell {
    x: Value,
    y: Option<Value>,
    #[serde(flatten)]
    figures: FiguresRow,
    #[serde(skip)]
    sums: Figures,
}

/// What is to be shown.
struct Recipe {
    base_task: Option<String>,
    view: Option<String>,
    label: String,
    x: Dimension,
    y: Option<Dimension>,
}

impl Recipe {
    fn keys(&self) -> Vec<Key> {
        self.x.keys().into_iter().chain(self.y.iter().flat_map(Dimension::keys)).collect()
    }
}

/// What the cells show.
const CELL_HEADING: &str = "Accuracy less guesses, as Wilson centre ±margin; t: % truncated; n: trials";

/// For those without a config, or without views in it.
const OTHERWISE: &str = "name the parameters: --x params.X, and --y params.Y for a surface";

impl From<TaskView> for Recipe {
    fn from(view: TaskView) -> Self {
        let TaskView { base_task, id, label, x, y, .. } = view;
        Self { base_task: Some(base_task), view: Some(id), label, x, y }
    }
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    for dimension in args.x.iter().chain(&args.y) {
        dimension.check(&source)?;
        if dimension.keys().is_empty() {
            return Err(CommandError::input("--x and --y need a parameter, like params.length"));
        }
    }
    let recipes: Vec<(Recipe, Vec<Figures>)> = match &args.x {
        Some(x) => {
            let label = args.y.as_ref().map_or_else(|| x.name(), |y| format!("{} by {}", y.name(), x.name()));
            let recipe = Recipe { base_task: None, view: None, label, x: x.clone(), y: args.y.clone() };
            let figures = figures::load(&source, &filters, &recipe.keys())?;
            vec![(recipe, figures)]
        }
        None => {
            let views = views::of_tasks(args.view.as_deref(), &filters, &source, OTHERWISE, ui)?;
            let part = |view: TaskView| {
                let (base_task, filters) = (view.base_task.clone(), view.conditions.clone());
                let recipe = Recipe::from(view);
                let by = recipe.keys();
                (recipe, TaskPart { base_task, filters, by })
            };
            let (recipes, parts): (Vec<Recipe>, Vec<TaskPart>) = views.into_iter().map(part).unzip();
            recipes.into_iter().zip(figures::load_parts(&source, &filters, &parts)?).collect()
        }
    };
    let names = groups::eval_names(&source.connection, &filters).map_err(|error| source.error(error))?;
    let surfaces = recipes.into_iter().map(|(recipe, figures)| surface(recipe, figures, &names, args.confidence));
    let surfaces: Vec<Surface> = surfaces.filter(|surface| !surface.evals.is_empty()).collect();
    if surfaces.is_empty() {
        ui.note(if filters.is_empty() { "there are no points with these parameters" } else { "no point matches" });
    }
    let report = SurfaceReport {
        schema: "analyze.surface/1",
        confidence: args.confidence.level(),
        surfaces,
        level: args.confidence,
    };
    args.output.print(ui, &source, &report)?;
    Ok(Exit::Done)
}

fn surface(recipe: Recipe, mut figures: Vec<Figures>, names: &[EvalName], confidence: Confidence) -> Surface {
    // A point without one of the parameters is not on the surface.
    figures.retain(|figures| figures.sums.group.iter().all(|value| !value.is_null()));
    let values = |at: usize| {
        let mut values: Vec<Value> = figures.iter().filter_map(|figures| figures.sums.group.get(at).cloned()).collect();
        values.sort_by(dimension::compare);
        values.dedup();
        values
    };
    let (x_values, y_values) = (values(0), values(1));
    let evals = names
        .iter()
        .map(|name| {
            let of_eval = figures.iter().filter(|figures| figures.sums.eval_id == name.eval_id);
            let mut cells: Vec<SurfaceCell> = of_eval
                .map(|figures| SurfaceCell {
                    x: figures.sums.group[0].clone(),
                    y: figures.sums.group.get(1).cloned(),
                    figures: figures.row(confidence),
                    sums: figures.clone(),
                })
                .collect();
            cells.sort_by(|a, b| {
                let y = |cell: &SurfaceCell| cell.y.clone().unwrap_or_default();
                dimension::compare(&y(a), &y(b)).then_with(|| dimension::compare(&a.x, &b.x))
            });
            EvalSurface { eval_id: name.eval_id.clone(), label: name.label.clone(), cells }
        })
        .filter(|eval| !eval.cells.is_empty())
        .collect();
    Surface {
        base_task: recipe.base_task,
        view: recipe.view,
        label: recipe.label,
        x: recipe.x.name(),
        y: recipe.y.map(|y| y.name()),
        x_values,
        y_values,
        evals,
    }
}

impl SurfaceReport {
    fn cell(&self, cell: &SurfaceCell) -> Cell {
        match cell.sums.cell(self.level) {
            Cell::Share { center, margin, truncated, .. } => {
                let trials = Some(cell.figures.answered + cell.figures.truncated);
                Cell::Share { center, margin, truncated, trials }
            }
            other => other,
        }
    }

    /// A table for each evaluation, or one with a row for each where there is no second parameter.
    fn surface(&self, surface: &Surface, width: Option<usize>) -> Vec<Table> {
        let columns: Vec<String> = surface.x_values.iter().map(dimension::plain).collect();
        let row = |eval: &EvalSurface, y: Option<&Value>| {
            let cell = |x: &Value| {
                let found = eval.cells.iter().find(|cell| cell.x == *x && cell.y.as_ref() == y);
                Cell::option(found, |cell| self.cell(cell))
            };
            surface.x_values.iter().map(cell).collect::<Vec<Cell>>()
        };
        let across = &surface.x;
        match &surface.y {
            None => {
                let matrix = Matrix {
                    corner: "evaluation",
                    rows: surface.evals.iter().map(|eval| format!("{} {}", eval.eval_id, eval.label)).collect(),
                    columns,
                    cells: surface.evals.iter().map(|eval| row(eval, None)).collect(),
                };
                matrix.tables(&format!("{}, over {across}", surface.label), width)
            }
            Some(down) => surface
                .evals
                .iter()
                .flat_map(|eval| {
                    let matrix = Matrix {
                        corner: "",
                        rows: surface.y_values.iter().map(dimension::plain).collect(),
                        columns: columns.clone(),
                        cells: surface.y_values.iter().map(|y| row(eval, Some(y))).collect(),
                    };
                    let title =
                        format!("{}: {} ({}); down {down}, across {across}", surface.label, eval.label, eval.eval_id);
                    matrix.tables(&title, width)
                })
                .collect(),
        }
    }
}

impl Report for SurfaceReport {
    fn tables(&self) -> Vec<Table> {
        self.tables_within(None)
    }

    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        let mut tables: Vec<Table> = self.surfaces.iter().flat_map(|surface| self.surface(surface, width)).collect();
        // Said once for all.
        if let Some(first) = tables.first_mut() {
            let title = first.title.take().unwrap_or_default();
            first.title = Some(format!("{CELL_HEADING}\n{title}"));
        }
        tables
    }

    fn facts(&self) -> Option<Table> {
        let names = ["base_task", "view", "x", "y", "x_value", "y_value"];
        let columns = names.into_iter().chain(figures::FACTS.into_iter().filter(|name| *name != "group"));
        let mut table = Table::new(columns.map(Column::fixed).collect());
        for surface in &self.surfaces {
            let text = |text: &Option<String>| Cell::option(text.clone(), Cell::Text);
            for eval in &surface.evals {
                for cell in &eval.cells {
                    let of_surface = [
                        text(&surface.base_task),
                        text(&surface.view),
                        Cell::Text(surface.x.clone()),
                        text(&surface.y),
                        Cell::Text(dimension::plain(&cell.x)),
                        Cell::option(cell.y.as_ref(), |y| Cell::Text(dimension::plain(y))),
                    ];
                    let mut facts = cell.figures.facts(&eval.eval_id, &eval.label, "");
                    facts.remove(2);
                    table.rows.push(of_surface.into_iter().chain(facts).collect());
                }
            }
        }
        Some(table)
    }
}

impl Surface {
    fn caption(&self) -> Caption {
        let trials = |cell: &SurfaceCell| cell.figures.answered + cell.figures.truncated;
        Caption::new(self.label.clone()).trials(self.evals.iter().flat_map(|eval| &eval.cells).map(trials).sum())
    }

    /// Heat maps side by side.
    fn heat_maps(&self, y: &str) -> rs_charts::Surface {
        let axis = |label: &str, values: &[Value]| CategoryAxis {
            label: label.to_owned(),
            values: values.iter().map(dimension::plain).collect(),
        };
        let cell = |cell: &SurfaceCell| {
            Some(rs_charts::SurfaceCell {
                x: self.x_values.iter().position(|x| *x == cell.x)?,
                y: self.y_values.iter().position(|y| Some(y) == cell.y.as_ref())?,
                value: cell.figures.center?,
                trials: Some(cell.figures.answered + cell.figures.truncated),
                truncated_ratio: cell.figures.truncated_ratio,
            })
        };
        rs_charts::Surface {
            caption: self.caption(),
            x: axis(&self.x, &self.x_values),
            y: axis(y, &self.y_values),
            value_label: "accuracy of answered trials, less guesses".to_owned(),
            panels: self
                .evals
                .iter()
                .map(|eval| SurfacePanel {
                    label: eval.label.clone(),
                    cells: eval.cells.iter().filter_map(cell).collect(),
                })
                .collect(),
            truncation_mark: Some(figures::SHOWN_TRUNCATED_RATIO),
        }
    }

    /// A heat map with a row for each evaluation: a parameter that is no number has no line.
    fn heat_rows(&self) -> rs_charts::Surface {
        let cells = self.evals.iter().enumerate().flat_map(|(y, eval)| {
            eval.cells.iter().filter_map(move |cell| {
                Some(rs_charts::SurfaceCell {
                    x: self.x_values.iter().position(|x| *x == cell.x)?,
                    // From bottom to top.
                    y: self.evals.len() - 1 - y,
                    value: cell.figures.center?,
                    trials: Some(cell.figures.answered + cell.figures.truncated),
                    truncated_ratio: cell.figures.truncated_ratio,
                })
            })
        });
        let panel = SurfacePanel { label: String::new(), cells: cells.collect() };
        rs_charts::Surface {
            caption: self.caption(),
            x: CategoryAxis { label: self.x.clone(), values: self.x_values.iter().map(dimension::plain).collect() },
            y: CategoryAxis {
                label: String::new(),
                values: self.evals.iter().rev().map(|eval| eval.label.clone()).collect(),
            },
            value_label: "accuracy of answered trials, less guesses".to_owned(),
            panels: vec![panel],
            truncation_mark: Some(figures::SHOWN_TRUNCATED_RATIO),
        }
    }

    /// Curves over one parameter.
    fn lines(&self, colours: &Colours, confidence: f64) -> Lines {
        let point = |cell: &SurfaceCell| {
            let figures = &cell.figures;
            let interval = figures.lower.zip(figures.upper).map(|(low, high)| Interval { low, high });
            let truncated_ratio = figures.truncated_ratio;
            Some(LinePoint { x: cell.x.as_f64()?, y: figures.center, interval, truncated_ratio })
        };
        let curve = |eval: &EvalSurface| Curve {
            label: eval.label.clone(),
            series: colours.of(&eval.eval_id),
            shape: CurveShape::Marked,
            points: eval.cells.iter().filter_map(point).collect(),
        };
        Lines {
            truncation_mark: Some(figures::SHOWN_TRUNCATED_RATIO),
            caption: self.caption().interval(confidence),
            x: Axis::new(self.x.clone()),
            panels: vec![LinePanel {
                label: String::new(),
                y: Axis::ratio("accuracy").bounds(Bounds::Fixed(0.0, 1.0)),
                curves: self.evals.iter().map(curve).collect(),
            }],
        }
    }
}

impl Drawn for SurfaceReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let chart = |surface: &Surface| -> (String, Box<dyn Chart>) {
            let name = [&surface.base_task, &surface.view].into_iter().flatten().cloned().collect::<Vec<_>>().join("-");
            match &surface.y {
                Some(y) => (name, Box::new(surface.heat_maps(y))),
                None if surface.x_values.iter().all(Value::is_number) => {
                    (name, Box::new(surface.lines(colours, self.confidence)))
                }
                None => (name, Box::new(surface.heat_rows())),
            }
        };
        self.surfaces.iter().map(chart).collect()
    }
}
