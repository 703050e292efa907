//! `--split` and `--series`: how forensics are divided into charts, and these into curves.

use std::path::PathBuf;

use rs_charts::Series;
use rs_cli::{Cell, Column, CommandError, CommonArgs, Table, Ui};
use rs_core::filters::{Filters, Key};
use rs_core::statistics::Confidence;
use rs_pointsdb::queries::groups::{self, EvalName};
use serde::Serialize;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::pictures::{Colours, PictureArgs};
use crate::selection::{self, SelectionArgs};
use crate::source::Source;

/// What the commands on forensics take.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SeriesArgs {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// What is shown apart: none, eval_id, base_task, params.X, manifold.X or facets.X.
    #[arg(long, value_name = "KEY", default_value = "none")]
    split: Dimension,
    /// What is compared in each: eval_id, base_task, params.X, manifold.X, facets.X or none.
    #[arg(long, value_name = "KEY", default_value = "eval_id")]
    series: Dimension,
    /// Confidence level of intervals.
    #[arg(long, value_name = "LEVEL", default_value = "0.95")]
    pub confidence: Confidence,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    pub output: PictureArgs,
}

/// Which part of the points a figure is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Part {
    /// Null without --split.
    pub split: Option<Value>,
    /// Null without --series.
    pub series: Option<Value>,
    /// The series for people: an evaluation's label and id.
    pub label: String,
    /// An evaluation's label alone.
    #[serde(skip)]
    pub eval_label: Option<String>,
}

/// The points that are meant, and how they are divided.
pub(crate) struct Divided {
    pub source: Source,
    pub filters: Filters,
    pub keys: Vec<Key>,
    names: Vec<EvalName>,
    has_split: bool,
    has_series: bool,
}

impl SeriesArgs {
    pub(crate) fn open(&self, common: &CommonArgs, ui: &mut Ui) -> Result<Divided, CommandError> {
        let filters = self.selection.parse()?;
        let source = Source::open(&self.dataset, common, ui)?;
        selection::check(&source, &filters)?;
        self.split.check(&source)?;
        self.series.check(&source)?;
        if self.split == self.series && !self.split.keys().is_empty() {
            return Err(CommandError::input(format!("--split and --series are both {}", self.split.name())));
        }
        let names = groups::eval_names(&source.connection, &Filters::default()).map_err(|error| source.error(error))?;
        let (split, series) = (self.split.keys(), self.series.keys());
        let (has_split, has_series) = (!split.is_empty(), !series.is_empty());
        Ok(Divided { source, filters, keys: split.into_iter().chain(series).collect(), names, has_split, has_series })
    }

    /// Name of what is split by; `None` without --split.
    pub(crate) fn split_name(&self) -> Option<String> {
        (!self.split.keys().is_empty()).then(|| self.split.name())
    }

    /// Name of the series.
    pub(crate) fn series_name(&self) -> String {
        self.series.name()
    }
}

impl Divided {
    /// What a group is called.
    pub(crate) fn part(&self, group: &[Value]) -> Part {
        let mut values = group.iter().cloned();
        let split = if self.has_split { values.next() } else { None };
        let series = if self.has_series { values.next() } else { None };
        let name =
            series.as_ref().and_then(|series| self.names.iter().find(|name| series.as_str() == Some(&name.eval_id)));
        let label = match name {
            Some(name) => format!("{} {}", name.eval_id, name.label),
            None => series.as_ref().map_or_else(|| "all".to_owned(), dimension::plain),
        };
        Part { split, series, label, eval_label: name.map(|name| name.label.clone()) }
    }

    /// Says why there is nothing to show.
    pub(crate) fn tell_nothing(&self, what: &str, ui: &mut Ui) -> Result<(), CommandError> {
        let n_points = rs_pointsdb::queries::coordinates(&self.source.connection, &self.filters)
            .map_err(|error| self.source.error(error))?
            .len();
        ui.note(match n_points {
            0 if self.filters.is_empty() => "there are no points",
            0 => "no point matches",
            _ => what,
        });
        Ok(())
    }
}

/// A table whose rows begin as [`row`] makes them: the split, where there is one, and the series.
pub(crate) fn table(split: Option<&str>, series: &str, more: impl IntoIterator<Item = Column>) -> Table {
    let split = split.map(|name| Column::elastic(name.to_owned(), 10));
    let series = Column::elastic(series.to_owned(), 12);
    Table::new(split.into_iter().chain([series]).chain(more).collect())
}

/// A row of a part in such a table.
pub(crate) fn row(part: &Part, more: impl IntoIterator<Item = Cell>) -> Vec<Cell> {
    let split = part.split.as_ref().map(|split| Cell::Text(dimension::plain(split)));
    split.into_iter().chain([Cell::Text(part.label.clone())]).chain(more).collect()
}

/// The series in few characters: an evaluation's id, the value of others.
fn short(part: &Part) -> Cell {
    Cell::Text(part.series.as_ref().map_or_else(|| part.label.clone(), dimension::plain))
}

/// A row in such a table that says which evaluation by its id alone.
pub(crate) fn short_row(part: &Part, more: impl IntoIterator<Item = Cell>) -> Vec<Cell> {
    let split = part.split.as_ref().map(|split| Cell::Text(dimension::plain(split)));
    split.into_iter().chain([short(part)]).chain(more).collect()
}

/// A table of facts, whose rows are those of [`facts_row`]: the split, where there is one, the series by its value alone, so
/// that it can be joined with other tables, and an evaluation's label.
pub(crate) fn facts(split: Option<&str>, series: &str, more: &[&'static str]) -> Table {
    let split = split.map(|name| Column::fixed(name.to_owned()));
    let label = (series == "eval_id").then(|| Column::fixed("label"));
    let columns = split.into_iter().chain([Column::fixed(series.to_owned())]).chain(label);
    Table::new(columns.chain(more.iter().copied().map(Column::fixed)).collect())
}

/// A row of a part in such a table.
pub(crate) fn facts_row(part: &Part, more: impl IntoIterator<Item = Cell>) -> Vec<Cell> {
    let split = part.split.as_ref().map(|split| Cell::Text(dimension::plain(split)));
    let label = part.eval_label.clone().map(Cell::Text);
    split.into_iter().chain([short(part)]).chain(label).chain(more).collect()
}

/// In the order of their values: splits, then series.
pub(crate) fn sort<T>(parts: &mut [T], part: impl Fn(&T) -> &Part) {
    let value = |value: &Option<Value>| value.clone().unwrap_or_default();
    parts.sort_by(|a, b| {
        let (a, b) = (part(a), part(b));
        dimension::compare(&value(&a.split), &value(&b.split))
            .then_with(|| dimension::compare(&value(&a.series), &value(&b.series)))
    });
}

/// The parts of each split, with the split's name.
pub(crate) fn by_split<T>(parts: &[T], part: impl Fn(&T) -> &Part) -> Vec<(String, Vec<&T>)> {
    parts
        .chunk_by(|a, b| part(a).split == part(b).split)
        .map(|parts| {
            let name = part(&parts[0]).split.as_ref().map(dimension::plain).unwrap_or_default();
            (name, parts.iter().collect())
        })
        .collect()
}

/// Its colour: the evaluation's, or that of its place among the others.
pub(crate) fn colour(part: &Part, place: usize, is_eval: bool, colours: &Colours) -> Series {
    let eval_id = part.series.as_ref().and_then(Value::as_str).filter(|_| is_eval);
    eval_id.map_or(Series(place), |eval_id| colours.of(eval_id))
}
