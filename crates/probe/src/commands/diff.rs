//! `probe diff`: the questions on which two evaluations differ.

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Table, Ui};
use rs_core::filters::Filters;
use rs_pointsdb::queries::groups::{self, EvalName};
use rs_pointsdb::samples::{self, Differences, SampleRow};
use rs_query::{SelectionArgs, Source, names, selection};
use serde::Serialize;

use crate::output::{Extent, Format, RecordOutputArgs, SampleDocument, raw_lines, status};
use crate::page;
use crate::records::{self, Found, check_places};

/// Show the questions on which two evaluations differ, side by side.
///
/// Questions are told by task, coordinates, seed and index. A truncation is no right answer. Of repetitions the means are
/// compared, and one of each is shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// The one evaluation: its id or the beginning of it, model+template+sampler, or (part of) its label.
    a: String,
    /// The other.
    b: String,
    /// Most questions to show of each kind: those that A answered better, and those that B did.
    #[arg(long, value_name = "N", default_value_t = 5)]
    limit: usize,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: RecordOutputArgs,
}

/// The document `probe.diff/1`.
#[derive(Debug, Serialize)]
struct DiffReport {
    schema: &'static str,
    a: EvalDocument,
    b: EvalDocument,
    /// Questions that both were asked.
    n_shared: u64,
    n_same: u64,
    n_a_better: u64,
    n_b_better: u64,
    n_only_a: u64,
    n_only_b: u64,
    /// Samples without an index, which are compared with nothing.
    n_without_index: u64,
    a_better: Vec<PairDocument>,
    b_better: Vec<PairDocument>,
}

#[derive(Debug, Serialize)]
struct EvalDocument {
    eval_id: String,
    label: String,
}

#[derive(Debug, Serialize)]
struct PairDocument {
    a: SampleDocument,
    b: SampleDocument,
}

/// A question and how each evaluation answered it.
type Pair = (Found, Found);

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    args.output.check()?;
    let source = Source::open(&args.dataset, common, ui)?;
    check_places(&source)?;
    selection::check(&source, &filters)?;
    let evals = groups::eval_names(&source.connection, &Filters::default()).map_err(|error| source.error(error))?;
    let chosen = names::find_all(&evals, &[&args.a, &args.b])?;
    let (a, b) = (chosen[0], chosen[1]);
    let mut found = samples::differences(&source.connection, &filters, [&a.eval_id, &b.eval_id], args.limit)
        .map_err(|error| source.error(error))?;
    if found.n_shared == 0 {
        let what = format!("`{}` and `{}` share no question", a.label, b.label);
        let why = if found.n_only_first == 0 || found.n_only_second == 0 {
            "one of them has none here".to_owned()
        } else {
            format!("seed and index of {} and {} questions never agree", found.n_only_first, found.n_only_second)
        };
        return Err(CommandError::input(format!("{what}: {why}")));
    }
    let rows: Vec<(SampleRow, SampleRow)> = found.first_better.drain(..).chain(found.second_better.drain(..)).collect();
    let n_first = rows.len().min(args.limit).min(usize::try_from(found.n_first_better).unwrap_or(usize::MAX));
    let rows = rows.into_iter().flat_map(|(a, b)| [a, b]).collect();
    let mut records = records::read(&source, rows)?.into_iter();
    let mut a_better: Vec<Pair> = std::iter::from_fn(|| records.next().zip(records.next())).collect();
    let b_better = a_better.split_off(n_first);
    print(args, &Diff { a, b, found, a_better: &a_better, b_better: &b_better }, ui)?;
    let all = a_better.iter().chain(&b_better).flat_map(|(a, b)| [a, b]);
    Ok(if records::tell_problems(all, &source, ui) { Exit::Negative } else { Exit::Done })
}

struct Diff<'a> {
    a: &'a EvalName,
    b: &'a EvalName,
    found: Differences,
    a_better: &'a [Pair],
    b_better: &'a [Pair],
}

impl Diff<'_> {
    fn table(&self) -> Table {
        let mut table = Table::new(vec![Column::fixed("questions"), Column::elastic("", 20)]);
        let found = &self.found;
        let (a, b) = (&self.a.label, &self.b.label);
        let mut row = |count: u64, what: String| table.rows.push(vec![Cell::Count(count), Cell::Text(what)]);
        row(found.n_shared, "asked of both".into());
        row(found.n_same, "answered as well by both".into());
        row(found.n_first_better, format!("A better: {a}"));
        row(found.n_second_better, format!("B better: {b}"));
        row(found.n_only_first, "asked of A only".into());
        row(found.n_only_second, "asked of B only".into());
        if found.n_without_index > 0 {
            row(found.n_without_index, "samples without an index, which are compared with nothing".into());
        }
        table
    }

    /// The questions in order, each with a title.
    fn titled(&self) -> impl Iterator<Item = (String, &Pair)> {
        let kinds = [
            ("A better", self.found.n_first_better, self.a_better),
            ("B better", self.found.n_second_better, self.b_better),
        ];
        kinds.into_iter().flat_map(|(kind, n_all, pairs)| {
            let n_all = Cell::Count(n_all).for_people();
            (1..).zip(pairs).map(move |(number, pair): (u64, &Pair)| (format!("{kind}, {number} of {n_all}"), pair))
        })
    }
}

fn print(args: &Args, diff: &Diff<'_>, ui: &mut Ui) -> Result<(), CommandError> {
    let extent = args.output.extent();
    match args.output.format {
        Format::Text => {
            let screen = ui.screen().width;
            let width = page::width(screen);
            let (mut text, _) = diff.table().to_text(screen);
            text.push('\n');
            diff.titled().for_each(|(title, pair)| text.push_str(&page_of(&title, pair, width, extent)));
            args.output.print(ui, &text)
        }
        Format::Markdown => {
            let mut text = diff.table().to_markdown();
            for (title, (a, b)) in diff.titled() {
                text.push_str(&format!("\n# {title}\n\n"));
                text.push_str(&page::markdown(&format!("A: {}", status(a.row.outcome)), a, extent));
                text.push_str(&page::markdown(&format!("B: {}", status(b.row.outcome)), b, extent));
            }
            args.output.print(ui, &text)
        }
        Format::Ndjson => {
            let all = diff.a_better.iter().chain(diff.b_better).flat_map(|(a, b)| [a, b]);
            args.output.print(ui, &raw_lines(all))
        }
        Format::Json => {
            let eval = |eval: &EvalName| EvalDocument { eval_id: eval.eval_id.clone(), label: eval.label.clone() };
            let pairs = |pairs: &[Pair]| pairs.iter().map(|(a, b)| PairDocument { a: a.into(), b: b.into() }).collect();
            let found = &diff.found;
            let report = DiffReport {
                schema: "probe.diff/1",
                a: eval(diff.a),
                b: eval(diff.b),
                n_shared: found.n_shared,
                n_same: found.n_same,
                n_a_better: found.n_first_better,
                n_b_better: found.n_second_better,
                n_only_a: found.n_only_first,
                n_only_b: found.n_only_second,
                n_without_index: found.n_without_index,
                a_better: pairs(diff.a_better),
                b_better: pairs(diff.b_better),
            };
            args.output.print_document(ui, &report)
        }
    }
}

/// A question: what both were asked once, what they wrote beside each other.
fn page_of(title: &str, (a, b): &Pair, width: usize, extent: Extent) -> String {
    let mut page = page::heading(&format!("━━ {title}"), width);
    page.push_str(&page::question(a));
    page.push('\n');
    let samples = [a, b].map(SampleDocument::from);
    for (name, found, sample) in [("A", a, &samples[0]), ("B", b, &samples[1])] {
        page.push_str(&format!("{name}: {}, {}\n   {}\n", sample.status, page::measures(sample), found.place()));
        if let Some(problem) = &sample.problem {
            page.push_str(&format!("   The record is not shown: {problem}.\n"));
        }
    }
    let [parts_a, parts_b] = samples.each_ref().map(page::parts);
    for name in ["prompt", "reference", "reasoning", "response", "answer"] {
        let text = |parts: &[(&'static str, String)]| {
            parts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let (left, right) = (text(&parts_a), text(&parts_b));
        if left.is_empty() && right.is_empty() {
            continue;
        }
        page.push('\n');
        page.push_str(&page::heading(name, width));
        page.push_str(&match left == right {
            true => page::whole(&left, width, extent),
            false => page::side_by_side(&left, &right, width, extent),
        });
    }
    page.push('\n');
    page
}
