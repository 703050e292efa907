//! `analyze compare`: two or more evaluations on the questions that both were asked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rs_charts::{Axis, Caption, Chart, Forest, ForestPanel, ForestRow, ForestRowKind};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::filters::{Condition, Filters, Key, Test};
use rs_core::statistics::{Asked, Confidence, benjamini_hochberg, compare_paired};
use rs_pointsdb::queries::groups::{self, EvalName};
use rs_pointsdb::queries::pairs::{self, PairCount, Tally};
use serde::Serialize;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::names;
use crate::pictures::{Colours, Drawn, PictureArgs, estimate};
use crate::selection::{self, SelectionArgs};
use crate::source::Source;

/// Adjusted p below which a difference is marked.
const SIGNIFICANT_P: f64 = 0.05;

/// Compare evaluations on the questions they share: differences with intervals, tests, and what could have been seen.
///
/// The first is compared with each of the others. A truncated trial counts as failed; guesses are not corrected for, as
/// both were asked the same. p values of tasks are adjusted together by Benjamini and Hochberg, `*` marks those below .05.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// Evaluations: ids or their beginnings, identities, or labels (a part will do if no other has it).
    #[arg(required = true, num_args = 2.., value_name = "EVALUATION")]
    evals: Vec<String>,
    /// Compare within each value of this instead of within each task: params.X, manifold.X or facets.X.
    #[arg(long, value_name = "KEY", default_value = "base_task")]
    by: Dimension,
    /// Confidence level of intervals.
    #[arg(long, value_name = "LEVEL", default_value = "0.95")]
    confidence: Confidence,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: PictureArgs,
}

/// The document `analyze.compare/1`.
#[derive(Debug, Serialize)]
struct CompareReport {
    schema: &'static str,
    confidence: f64,
    by: String,
    comparisons: Vec<Comparison>,
}

#[derive(Debug, Serialize)]
struct Comparison {
    first: Side,
    second: Side,
    /// Over all shared questions, each counting the same.
    overall: Row,
    /// By difference: where the first is ahead, first.
    groups: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Side {
    eval_id: String,
    label: String,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Null in `overall`.
    group: Option<Value>,
    /// Questions that both were asked, that only the first was, and that only the second was.
    shared: u64,
    only_first: u64,
    only_second: u64,
    /// Shares of right answers on the shared questions; a truncated trial is a failure. Null without a shared question, as
    /// all that follows.
    first: Option<f64>,
    second: Option<f64>,
    /// First − second.
    difference: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    /// Shared questions that only one side answered right; shares of them where questions were repeated.
    first_alone_right: Option<f64>,
    second_alone_right: Option<f64>,
    /// McNemar's exact test; Student's where questions were repeated. Never 0: what is too small for a number is 2.2e-308.
    p: Option<f64>,
    /// Adjusted over all groups of all comparisons; of `overall` over these.
    p_adjusted: Option<f64>,
    /// The true difference that would be found with 80 % chance; null where none would be.
    least_detectable: Option<f64>,
    /// Whether some question was asked more than once.
    is_repeated: bool,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    args.by.check(&source)?;
    let all = groups::eval_names(&source.connection, &Filters::default()).map_err(|error| source.error(error))?;
    let chosen = names::find_all(&all, &args.evals)?;
    let keys = args.by.keys();
    let mut comparisons = Vec::new();
    for second in &chosen[1..] {
        let first = chosen[0];
        let ids = (first.eval_id.as_str(), second.eval_id.as_str());
        let pairs =
            pairs::pairs(&source.connection, &filters, keys.first(), ids).map_err(|error| source.error(error))?;
        let comparison = compare(first, second, &pairs, args);
        if comparison.overall.shared == 0 {
            return Err(no_shared_question(&source, &filters, first, second, &pairs));
        }
        comparisons.push(comparison);
    }
    adjust(comparisons.iter_mut().flat_map(|comparison| &mut comparison.groups).collect());
    adjust(comparisons.iter_mut().map(|comparison| &mut comparison.overall).collect());
    for comparison in &comparisons {
        tell(comparison, ui);
    }
    let report = CompareReport {
        schema: "analyze.compare/1",
        confidence: args.confidence.level(),
        by: args.by.name(),
        comparisons,
    };
    args.output.print(ui, &source, &report)?;
    Ok(Exit::Done)
}

fn compare(first: &EvalName, second: &EvalName, pairs: &[PairCount], args: &Args) -> Comparison {
    let mut of_groups: BTreeMap<String, Vec<&PairCount>> = BTreeMap::new();
    for pair in pairs {
        of_groups.entry(pair.group.to_string()).or_default().push(pair);
    }
    let mut groups: Vec<Row> = of_groups
        .into_values()
        .map(|pairs| row((!args.by.keys().is_empty()).then(|| pairs[0].group.clone()), &pairs, args.confidence))
        .collect();
    groups.sort_by(|a, b| {
        let difference = |row: &Row| row.difference.unwrap_or(f64::NEG_INFINITY);
        let group = |row: &Row| row.group.clone().unwrap_or_default();
        difference(b).total_cmp(&difference(a)).then_with(|| dimension::compare(&group(a), &group(b)))
    });
    if args.by.keys().is_empty() {
        groups.clear();
    }
    let side = |name: &EvalName| Side { eval_id: name.eval_id.clone(), label: name.label.clone() };
    let all: Vec<&PairCount> = pairs.iter().collect();
    Comparison { first: side(first), second: side(second), overall: row(None, &all, args.confidence), groups }
}

fn row(group: Option<Value>, pairs: &[&PairCount], confidence: Confidence) -> Row {
    let share = |tally: Tally| tally.correct as f64 / tally.trials as f64;
    let count = |is_meant: fn(&PairCount) -> bool| {
        pairs.iter().filter(|pair| is_meant(pair)).map(|pair| pair.n_questions).sum::<u64>()
    };
    let shared = || pairs.iter().filter_map(|pair| Some((pair.first?, pair.second?, pair.n_questions)));
    let is_repeated = shared().any(|(first, second, _)| first.trials > 1 || second.trials > 1);
    let values: Vec<(f64, f64)> =
        shared().flat_map(|(first, second, n)| (0..n).map(move |_| (share(first), share(second)))).collect();
    let times = shared().map(|(first, second, _)| first.trials.min(second.trials)).min();
    let asked = if is_repeated { Asked::Repeatedly { times: times.unwrap_or(1) } } else { Asked::Once };
    let found = compare_paired(&values, asked, confidence);
    Row {
        group,
        shared: count(|pair| pair.first.is_some() && pair.second.is_some()),
        only_first: count(|pair| pair.second.is_none()),
        only_second: count(|pair| pair.first.is_none()),
        first: found.map(|found| found.first),
        second: found.map(|found| found.second),
        difference: found.map(|found| found.difference),
        lower: found.map(|found| found.interval.lower),
        upper: found.map(|found| found.interval.upper),
        first_alone_right: found.map(|found| found.table.only_first),
        second_alone_right: found.map(|found| found.table.only_second),
        p: found.and_then(|found| found.p),
        p_adjusted: None,
        least_detectable: found.and_then(|found| found.least_detectable),
        is_repeated,
    }
}

/// Adjusts the p values of a family of tests.
fn adjust(rows: Vec<&mut Row>) {
    let values: Vec<f64> = rows.iter().filter_map(|row| row.p).collect();
    let mut adjusted = benjamini_hochberg(&values).into_iter();
    for row in rows {
        row.p_adjusted = row.p.and_then(|_| adjusted.next());
    }
}

fn no_shared_question(
    source: &Source,
    filters: &Filters,
    first: &EvalName,
    second: &EvalName,
    pairs: &[PairCount],
) -> CommandError {
    let what = format!("{} and {} share no question", first.eval_id, second.eval_id);
    let error = |why: String| CommandError::input(format!("{what}: {why}"));
    let missing = [
        (first, pairs.iter().any(|pair| pair.first.is_some())),
        (second, pairs.iter().any(|pair| pair.second.is_some())),
    ];
    if let Some((name, _)) = missing.into_iter().find(|(_, has_points)| !has_points) {
        return error(format!("no point of {} ({}) matches", name.eval_id, name.label));
    }
    if pairs.iter().all(|pair| !pair.is_indexed) {
        return error("their samples carry no `index`, which says which question was asked".to_owned());
    }
    let coordinates = |name: &EvalName| {
        let mut filters = filters.clone();
        let test = Test::AnyOf(vec![Value::from(name.eval_id.as_str())]);
        filters.conditions.push(Condition { key: Key::Column("eval_id"), test });
        let points = rs_pointsdb::queries::coordinates(&source.connection, &filters).unwrap_or_default();
        points.into_iter().map(|point| (point.base_task, point.params)).collect::<Vec<_>>()
    };
    let (of_first, of_second) = (coordinates(first), coordinates(second));
    if !of_first.iter().any(|(task, _)| of_second.iter().any(|(other, _)| other == task)) {
        return error("they have no task in common".to_owned());
    }
    if !of_first.iter().any(|point| of_second.contains(point)) {
        return error("they have tasks in common, but none at the same params".to_owned());
    }
    error("they have points in common, but other seeds or indexes there".to_owned())
}

fn tell(comparison: &Comparison, ui: &mut Ui) {
    let Comparison { first, second, overall, .. } = comparison;
    for (side, only) in [(first, overall.only_first), (second, overall.only_second)] {
        if only > 0 {
            ui.note(&format!("{only} questions that only {} was asked are left out", side.eval_id));
        }
    }
    if overall.is_repeated {
        ui.note("questions were asked repeatedly: answers are averaged first, and p is Student's");
    }
}

impl CompareReport {
    /// Who is compared, and what the number of questions could have shown: not to be lost where there is little room.
    fn title(&self, comparison: &Comparison) -> String {
        let Comparison { first, second, overall, groups } = comparison;
        let mut least: Vec<f64> = groups.iter().filter_map(|row| row.least_detectable).collect();
        least.sort_by(f64::total_cmp);
        let of_groups = median(&least).map(|least| format!(", {least:.2} in a row (median)"));
        let detectable = overall.least_detectable.map(|least| {
            let of_groups = of_groups.unwrap_or_default();
            format!("\nLeast difference seen with 80 % chance: {least:.3} of all{of_groups}")
        });
        format!(
            "{} {}\n− {} {}, {} % intervals{}",
            first.eval_id,
            first.label,
            second.eval_id,
            second.label,
            (self.confidence * 1000.0).round() / 10.0,
            detectable.unwrap_or_default()
        )
    }

    fn table(&self, comparison: &Comparison) -> Table {
        let Comparison { first, second, .. } = comparison;
        let heading = match self.by.as_str() {
            "none" => "".to_owned(),
            "base_task" => "task".to_owned(),
            by => by.to_owned(),
        };
        let mut table = Table::new(vec![
            Column::elastic(heading, 12),
            Column::fixed(first.eval_id.clone()),
            Column::fixed(second.eval_id.clone()),
            Column::fixed("difference"),
            Column::fixed("p adj"),
            Column::fixed("shared"),
            Column::fixed("detectable").rank(1),
            Column::fixed("alone right").rank(2),
            Column::fixed("not shared").rank(3),
        ])
        .titled(self.title(comparison));
        for row in std::iter::once(&comparison.overall).chain(&comparison.groups) {
            let difference = row.difference.zip(row.lower.zip(row.upper));
            let share = |share: Option<f64>| Cell::option(share, |share| Cell::Number(share, 3));
            table.rows.push(vec![
                Cell::Text(row.group.as_ref().map_or_else(|| "all questions".to_owned(), dimension::plain)),
                share(row.first),
                share(row.second),
                Cell::option(difference, |(difference, ends)| Cell::Difference(difference, ends)),
                Cell::option(row.p_adjusted, |p| Cell::Text(p_text(p))),
                Cell::Count(row.shared),
                Cell::option(row.least_detectable, |least| Cell::Number(least, 2)),
                Cell::option(row.first_alone_right.zip(row.second_alone_right), |(first, second)| {
                    Cell::Text(format!("{first:.0} : {second:.0}"))
                }),
                Cell::Text(format!("{} : {}", row.only_first, row.only_second)),
            ]);
        }
        table
    }
}

/// The median of sorted numbers: the mean of the two in the middle if their number is even. `None` of none.
fn median(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    let upper = sorted.get(n / 2)?;
    Some(f64::midpoint(sorted[(n - 1) / 2], *upper))
}

/// `.041 *`, `<.001 *`, `.32`.
fn p_text(p: f64) -> String {
    let mark = if p < SIGNIFICANT_P { " *" } else { "" };
    match p {
        p if p < 0.001 => format!("<.001{mark}"),
        p => format!("{}{mark}", format!("{p:.3}").trim_start_matches('0')),
    }
}

impl Report for CompareReport {
    fn tables(&self) -> Vec<Table> {
        self.comparisons.iter().map(|comparison| self.table(comparison)).collect()
    }

    fn facts(&self) -> Option<Table> {
        let names = [
            "first",
            "second",
            "group",
            "shared",
            "only_first",
            "only_second",
            "first_share",
            "second_share",
            "difference",
            "lower",
            "upper",
            "p",
            "p_adjusted",
            "least_detectable",
            "first_label",
            "second_label",
            "first_alone_right",
            "second_alone_right",
            "is_repeated",
        ];
        let mut table = Table::new(names.into_iter().map(Column::fixed).collect());
        for comparison in &self.comparisons {
            for row in std::iter::once(&comparison.overall).chain(&comparison.groups) {
                let number = |value: Option<f64>| Cell::option(value, |value| Cell::Number(value, 4));
                table.rows.push(vec![
                    Cell::Text(comparison.first.eval_id.clone()),
                    Cell::Text(comparison.second.eval_id.clone()),
                    Cell::option(row.group.as_ref(), |group| Cell::Text(dimension::plain(group))),
                    Cell::Count(row.shared),
                    Cell::Count(row.only_first),
                    Cell::Count(row.only_second),
                    number(row.first),
                    number(row.second),
                    number(row.difference),
                    number(row.lower),
                    number(row.upper),
                    number(row.p),
                    number(row.p_adjusted),
                    number(row.least_detectable),
                    Cell::Text(comparison.first.label.clone()),
                    Cell::Text(comparison.second.label.clone()),
                    number(row.first_alone_right),
                    number(row.second_alone_right),
                    Cell::Text(row.is_repeated.to_string()),
                ]);
            }
        }
        Some(table)
    }
}

impl Drawn for CompareReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let row = |row: &Row, kind: ForestRowKind| ForestRow {
            label: row.group.as_ref().map_or_else(|| "all questions".to_owned(), dimension::plain),
            kind,
            difference: estimate(row.difference, row.lower, row.upper),
            p: row.p_adjusted,
            trials: Some(row.shared),
        };
        let panel = |comparison: &Comparison| ForestPanel {
            label: format!("− {}", comparison.second.eval_id),
            series: colours.of(&comparison.second.eval_id),
            rows: std::iter::once(row(&comparison.overall, ForestRowKind::Overall))
                .chain(comparison.groups.iter().map(|group| row(group, ForestRowKind::Part)))
                .collect(),
        };
        let Some(first) = self.comparisons.first().map(|comparison| &comparison.first) else { return Vec::new() };
        // The names are long, and the column of rows is as narrow as tasks are.
        let others: Vec<String> = self
            .comparisons
            .iter()
            .map(|Comparison { second, .. }| format!("{} {}", second.eval_id, second.label))
            .collect();
        let chart = Forest {
            caption: Caption::new(format!("{} {}", first.eval_id, first.label))
                .subtitle(format!("less {}, on shared questions", others.join(", less ")))
                .interval(self.confidence)
                .note("a truncated trial counts as failed"),
            axis: Axis { percent: true, ..Axis::new("difference of the shares of right answers") },
            below_zero: "the other is better".to_owned(),
            above_zero: format!("{} is better", first.eval_id),
            p_header: "p adjusted".to_owned(),
            trials_header: "shared".to_owned(),
            panels: self.comparisons.iter().map(panel).collect(),
        };
        vec![("compare".to_owned(), Box::new(chart))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(
            [median(&[]), median(&[3.0]), median(&[1.0, 2.0]), median(&[1.0, 2.0, 7.0])].map(|it| it.unwrap_or(0.0)),
            [0.0, 3.0, 1.5, 2.0]
        );
    }
}
