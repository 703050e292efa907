//! `probe loops`: traces that say the same thing over and over, and where they begin to.

use std::path::PathBuf;

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, OutputArgs, Report, Table, Ui};
use rs_pointsdb::samples::{self, Order, Wanted};
use rs_query::{SelectionArgs, Source, selection};
use serde::Serialize;

use crate::output::status;
use crate::records::{self, Found, check_places, without_sizes};
use crate::repetition::{Least, Loop, longest_loop};

/// Candidates read at a time.
const BATCH: usize = 200;

/// Find degenerate repetition: traces (reasoning, then response) with a phrase that stands there again and again.
///
/// Candidates are samples whose trace compresses well; only these are read, the most repetitive first.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// Read traces that compress to at most this share of their bytes.
    #[arg(long, value_name = "RATIO", default_value_t = 0.25)]
    ratio: f64,
    /// Times that the phrase must stand there without a break.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..))]
    times: u32,
    /// Characters that all of them must have together.
    #[arg(long, value_name = "N", default_value_t = 300)]
    chars: usize,
    /// Most loops to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `probe.loops/1`.
#[derive(Debug, Serialize)]
struct LoopsReport {
    schema: &'static str,
    /// Samples whose trace compresses that well.
    n_candidates: u64,
    /// Of these, how many were read.
    n_read: u64,
    loops: Vec<LoopRow>,
}

#[derive(Debug, Serialize)]
struct LoopRow {
    eval_id: String,
    label: String,
    base_task: String,
    params: String,
    seed: Option<i64>,
    index: Option<i64>,
    repeat: i32,
    status: &'static str,
    path: String,
    line: Option<u32>,
    completion_tokens: Option<u32>,
    compression_ratio: Option<f64>,
    /// `reasoning` or `response`: where the loop begins.
    part: &'static str,
    /// Where in that part it begins.
    start_chars: u64,
    start_bytes: u64,
    /// Characters of the loop, over characters of the trace.
    share: f64,
    times: u64,
    phrase: String,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    if args.ratio.is_nan() || args.ratio <= 0.0 {
        return Err(CommandError::input(format!("--ratio `{}`: expected a number above 0, like 0.25", args.ratio)));
    }
    args.output.check()?;
    let source = Source::open(&args.dataset, common, ui)?;
    check_places(&source)?;
    selection::check(&source, &filters)?;
    let least = Least { n_times: args.times as usize, n_chars: args.chars };
    let n_bytes = u32::try_from(args.chars).unwrap_or(u32::MAX);
    let wanted = Wanted {
        filters,
        outcomes: &[],
        repetitive: Some((args.ratio, n_bytes)),
        order: Order::Ratio,
        limit: MAX_CANDIDATES,
    };
    let candidates = samples::samples(&source.connection, &wanted).map_err(|error| source.error(error))?;
    let mut report =
        LoopsReport { schema: "probe.loops/1", n_candidates: candidates.n_all, n_read: 0, loops: Vec::new() };
    let mut unread = Vec::new();
    let mut rows = candidates.rows.into_iter().peekable();
    while rows.peek().is_some() && report.loops.len() < args.limit {
        let found = records::read(&source, rows.by_ref().take(BATCH).collect())?;
        report.n_read += found.iter().filter(|found| found.raw.is_ok()).count() as u64;
        let loops: Vec<LoopRow> = found.par_iter().filter_map(|found| loop_of(found, least)).collect();
        report.loops.extend(loops);
        unread.extend(found.into_iter().filter(|found| found.raw.is_err()));
    }
    report.loops.truncate(args.limit);
    args.output.print(ui, &report)?;
    tell(&report, args, &source, ui)?;
    Ok(if records::tell_problems(&unread, &source, ui) { Exit::Negative } else { Exit::Done })
}

/// More candidates than anybody reads.
const MAX_CANDIDATES: usize = 100_000;

fn tell(report: &LoopsReport, args: &Args, source: &Source, ui: &mut Ui) -> Result<(), CommandError> {
    if let Some(what) = without_sizes(source)? {
        ui.warn(&format!("{what} there are no candidates"));
        return Ok(());
    }
    let LoopsReport { n_candidates, n_read, loops, .. } = report;
    let Args { ratio, times, chars, .. } = args;
    if *n_candidates == 0 {
        ui.note(&format!("nothing matches: no trace of {chars} bytes or more compresses to {ratio} or less"));
        return Ok(());
    }
    ui.note(&format!("{n_read} of {n_candidates} traces that compress to {ratio} or less were read"));
    if loops.is_empty() && *n_read > 0 {
        ui.note(&format!("nothing matches: none of them has a phrase {times} times in a row over {chars} characters"));
    }
    Ok(())
}

/// The longest loop in a sample's trace.
fn loop_of(found: &Found, least: Least) -> Option<LoopRow> {
    let record = found.record()?;
    let text = |text: Option<rs_core::lexer::RawString<'_>>| text.map(|text| text.decode().into_owned());
    let reasoning = text(record.reasoning).unwrap_or_default();
    let trace = format!("{reasoning}{}", text(record.response).unwrap_or_default());
    let Loop { start_chars, start_bytes, n_chars, phrase, n_times } = longest_loop(&trace, least)?;
    let is_in_reasoning = start_bytes < reasoning.len();
    let before = if is_in_reasoning { "" } else { reasoning.as_str() };
    let row = &found.row;
    Some(LoopRow {
        eval_id: row.eval_id.clone(),
        label: row.label.clone(),
        base_task: row.base_task.clone(),
        params: row.params.clone(),
        seed: row.seed,
        index: row.index,
        repeat: row.repeat,
        status: status(row.outcome),
        path: found.path.clone(),
        line: row.place.as_ref().map(|place| place.line),
        completion_tokens: row.completion_tokens,
        compression_ratio: row.compression_ratio(),
        part: if is_in_reasoning { "reasoning" } else { "response" },
        start_chars: (start_chars - before.chars().count()) as u64,
        start_bytes: (start_bytes - before.len()) as u64,
        share: n_chars as f64 / trace.chars().count() as f64,
        times: n_times as u64,
        phrase,
    })
}

impl LoopsReport {
    /// The places apart, numbered as the loops are: where there is no room for them in a row.
    fn places(&self) -> Table {
        let mut table = Table::new(vec![Column::fixed("no"), Column::fixed("place")]);
        for (number, row) in (1..).zip(&self.loops) {
            table.rows.push(vec![Cell::Count(number), Cell::Text(row.place())]);
        }
        table
    }

    fn with_places(&self) -> Table {
        self.loops(Column::fixed("place"), |_, row| Cell::Text(row.place()))
    }

    /// The loops, each with this for a name.
    fn loops(&self, name: Column, cell: impl Fn(u64, &LoopRow) -> Cell) -> Table {
        let mut table = Table::new(vec![
            name,
            Column::fixed("status").rank(3),
            Column::fixed("tokens").rank(4),
            Column::fixed("ratio"),
            Column::fixed("part").rank(5),
            Column::fixed("from char"),
            Column::fixed("times"),
            Column::fixed("share"),
            Column::elastic("phrase", 12),
        ]);
        for (number, row) in (1..).zip(&self.loops) {
            table.rows.push(vec![
                cell(number, row),
                Cell::Text(row.status.into()),
                Cell::option(row.completion_tokens, |tokens| Cell::Count(tokens.into())),
                Cell::option(row.compression_ratio, |ratio| Cell::Number(ratio, 3)),
                Cell::Text(row.part.into()),
                Cell::Count(row.start_chars),
                Cell::Count(row.times),
                Cell::Ratio(row.share),
                Cell::Text(row.phrase.trim().into()),
            ]);
        }
        table
    }
}

impl LoopRow {
    /// `path:line`.
    fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.clone(),
        }
    }
}

impl Report for LoopsReport {
    fn tables(&self) -> Vec<Table> {
        vec![self.with_places()]
    }

    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        let table = self.with_places();
        let has_room = width.is_none_or(|width| {
            let (text, cut) = table.to_text(Some(width));
            cut.left_out.is_empty() && text.lines().all(|line| line.chars().count() <= width)
        });
        if has_room || self.loops.is_empty() {
            return vec![table];
        }
        vec![self.loops(Column::fixed("no"), |number, _| Cell::Count(number)), self.places()]
    }
}
