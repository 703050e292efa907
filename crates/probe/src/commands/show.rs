//! `probe show`: raw records of samples of a kind.

use std::path::PathBuf;

use clap::ValueEnum;
use rs_cli::{CommandError, CommonArgs, Exit, Ui};
use rs_core::record::Outcome;
use rs_pointsdb::samples::{self, Order, Wanted};
use rs_query::{SelectionArgs, Source, selection};
use serde::Serialize;

use crate::output::{Format, RecordOutputArgs, SampleDocument, raw_lines, status};
use crate::page;
use crate::records::{self, Found, check_places, without_sizes};

/// Show raw records: prompt, reasoning, response, answer and reference, with the place of each.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// Only samples that became this. Can be repeated, or a list: any of them.
    #[arg(long, value_enum, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<Status>,
    /// Which samples come first.
    #[arg(long, value_enum, value_name = "ORDER", default_value = "place")]
    sort: Sort,
    /// Most samples to show.
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: RecordOutputArgs,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    /// Answered right.
    Correct,
    /// Answered wrong.
    Incorrect,
    /// Lost to the token or context limit.
    Truncated,
    /// Answered, but no answer could be read out.
    Invalid,
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Correct => Self::Correct,
            Status::Incorrect => Self::Incorrect,
            Status::Truncated => Self::Truncated,
            Status::Invalid => Self::Invalid,
        }
    }
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By evaluation, task, coordinates, and sample.
    Place,
    /// Most completion tokens.
    Tokens,
    /// Smallest compression ratio: most repetition.
    Ratio,
}

impl From<Sort> for Order {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Place => Self::Place,
            Sort::Tokens => Self::Tokens,
            Sort::Ratio => Self::Ratio,
        }
    }
}

/// The document `probe.show/1`.
#[derive(Debug, Serialize)]
struct ShowReport {
    schema: &'static str,
    /// Samples of the kind, shown or not.
    n_all: u64,
    samples: Vec<SampleDocument>,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    args.output.check()?;
    let source = Source::open(&args.dataset, common, ui)?;
    check_places(&source)?;
    selection::check(&source, &filters)?;
    if args.sort == Sort::Ratio
        && let Some(what) = without_sizes(&source)?
    {
        ui.warn(&format!("{what} there is no order by ratio"));
    }
    let outcomes: Vec<Outcome> = args.status.iter().copied().map(Outcome::from).collect();
    let wanted = Wanted { filters, outcomes: &outcomes, repetitive: None, order: args.sort.into(), limit: args.limit };
    let found = samples::samples(&source.connection, &wanted).map_err(|error| source.error(error))?;
    let n_all = found.n_all;
    let found = records::read(&source, found.rows)?;
    print(args, n_all, &found, ui)?;
    match (n_all, found.len()) {
        (0, _) => ui.note("no sample matches"),
        (_, shown) if n_all > shown as u64 => {
            let all = rs_cli::Cell::Count(n_all).for_people();
            ui.note(&format!("{shown} of {all} samples; `--limit N` shows more"));
        }
        _ => {}
    }
    Ok(if records::tell_problems(&found, &source, ui) { Exit::Negative } else { Exit::Done })
}

fn print(args: &Args, n_all: u64, found: &[Found], ui: &mut Ui) -> Result<(), CommandError> {
    let extent = args.output.extent();
    let all = rs_cli::Cell::Count(n_all).for_people();
    let numbered = || {
        (1..)
            .zip(found)
            .map(|(number, found): (u64, &Found)| (format!("{number} of {all}: {}", status(found.row.outcome)), found))
    };
    match args.output.format {
        Format::Text => {
            let width = page::width(ui.screen().width);
            let pages: String = numbered().map(|(title, found)| page::text(&title, found, width, extent)).collect();
            args.output.print(ui, &pages)
        }
        Format::Markdown => {
            let pages: String = numbered().map(|(title, found)| page::markdown(&title, found, extent)).collect();
            args.output.print(ui, &pages)
        }
        Format::Ndjson => args.output.print(ui, &raw_lines(found)),
        Format::Json => {
            let samples = found.iter().map(SampleDocument::from).collect();
            args.output.print_document(ui, &ShowReport { schema: "probe.show/1", n_all, samples })
        }
    }
}
