//! `analyze compression`: how much there is in what was written.

use rs_charts::{Axis, Caption, Chart, PointGroup, Scatter, ScatterPanel};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::record::Outcome;
use rs_pointsdb::queries::forensics::{self, CompressionSums};
use rs_pointsdb::queries::meta;
use serde::Serialize;

use crate::pictures::{Colours, Drawn};
use crate::series::{self, Part, SeriesArgs};

/// Dots of one series and outcome in a picture, and of all series together: more hide each other.
const MOST_DOTS: usize = 2000;
const MOST_DOTS_OF_ALL: usize = 20_000;

/// Show tokens against compressed size of traces, apart for right, wrong and truncated answers.
///
/// A low ratio is a trace that repeats itself.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    series: SeriesArgs,
}

/// The document `analyze.compression/1`.
#[derive(Debug, Serialize)]
struct CompressionReport {
    schema: &'static str,
    confidence: f64,
    /// Codec, level and library.
    compressor: Option<String>,
    split: Option<String>,
    series: String,
    rows: Vec<Row>,
    /// Dots of a picture, and how many of them a series and outcome can have.
    #[serde(skip)]
    dots: Vec<Dot>,
    #[serde(skip)]
    most_dots: usize,
}

/// A trace in a picture.
#[derive(Debug)]
struct Dot {
    part: Part,
    outcome: Outcome,
    /// Tokens and compressed bytes.
    place: [f64; 2],
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    part: Part,
    /// `correct`, `incorrect`, `truncated` or `invalid`.
    outcome: &'static str,
    /// Traces.
    n: u64,
    mean_tokens: Option<f64>,
    mean_bytes: f64,
    mean_compressed_bytes: f64,
    /// Mean of compressed over plain bytes, over traces that are not empty, with the normal interval of the mean.
    ratio: Option<f64>,
    ratio_lower: Option<f64>,
    ratio_upper: Option<f64>,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let divided = args.series.open(common, ui)?;
    let source = &divided.source;
    let sums = forensics::compression(&source.connection, &divided.filters, &divided.keys);
    let sums = sums.map_err(|error| source.error(error))?;
    if sums.is_empty() {
        divided.tell_nothing(
            "no trace here was compressed: `evaluate` does it unless it is told --no-forensics; run it without",
            ui,
        )?;
    }
    let z = args.series.confidence.z();
    let mut rows: Vec<Row> = sums.iter().map(|sums| row(sums, divided.part(&sums.group), z)).collect();
    series::sort(&mut rows, |row| &row.part);
    let n_series = series::by_split(&rows, |row| &row.part)
        .into_iter()
        .map(|(_, rows)| rows.chunk_by(|a, b| a.part == b.part).count())
        .max();
    let most_dots = (MOST_DOTS_OF_ALL / n_series.unwrap_or(1)).clamp(1, MOST_DOTS);
    let mut dots = Vec::new();
    if args.series.output.is_drawn() {
        let traces = forensics::traces(&source.connection, &divided.filters, &divided.keys, most_dots);
        for trace in traces.map_err(|error| source.error(error))? {
            let place = [f64::from(trace.tokens), f64::from(trace.compressed_bytes)];
            dots.push(Dot { part: divided.part(&trace.group), outcome: trace.outcome, place });
        }
        series::sort(&mut dots, |dot| &dot.part);
    }
    let report = CompressionReport {
        schema: "analyze.compression/1",
        confidence: args.series.confidence.level(),
        compressor: meta(&source.connection, "compressor").map_err(|error| source.error(error))?,
        split: args.series.split_name(),
        series: args.series.series_name(),
        rows,
        dots,
        most_dots,
    };
    args.series.output.print(ui, source, &report)?;
    Ok(Exit::Done)
}

fn row(sums: &CompressionSums, part: Part, z: f64) -> Row {
    let margin = sums.ratio_deviation.map(|deviation| z * deviation / (sums.n_with_ratio as f64).sqrt());
    let end = |sign: f64| sums.ratio_mean.zip(margin).map(|(mean, margin)| (mean + sign * margin).max(0.0));
    Row {
        part,
        outcome: match sums.outcome {
            Outcome::Correct => "correct",
            Outcome::Incorrect => "incorrect",
            Outcome::Truncated => "truncated",
            Outcome::Invalid => "invalid",
            Outcome::Error => "error",
        },
        n: sums.n,
        mean_tokens: sums.tokens_mean,
        mean_bytes: sums.bytes_mean,
        mean_compressed_bytes: sums.compressed_mean,
        ratio: sums.ratio_mean,
        ratio_lower: end(-1.0),
        ratio_upper: end(1.0),
    }
}

impl Report for CompressionReport {
    fn tables(&self) -> Vec<Table> {
        let columns = [
            Column::fixed("outcome"),
            Column::fixed("traces"),
            Column::fixed("tokens"),
            Column::fixed("bytes").rank(1),
            Column::fixed("compressed"),
            Column::fixed("ratio"),
        ];
        let mut table = series::table(self.split.as_deref(), &self.series, columns);
        for row in &self.rows {
            let ratio = match (row.ratio, row.ratio_lower.zip(row.ratio_upper)) {
                (Some(ratio), Some(ends)) => Cell::Between(ratio, ends, 3),
                (ratio, _) => Cell::option(ratio, |ratio| Cell::Number(ratio, 3)),
            };
            let cells = [
                Cell::Text(row.outcome.to_owned()),
                Cell::Count(row.n),
                Cell::option(row.mean_tokens, |tokens| Cell::Number(tokens, 0)),
                Cell::Number(row.mean_bytes, 0),
                Cell::Number(row.mean_compressed_bytes, 0),
                ratio,
            ];
            table.rows.push(series::row(&row.part, cells));
        }
        vec![table]
    }

    fn facts(&self) -> Option<Table> {
        let names = [
            "outcome",
            "traces",
            "mean_tokens",
            "mean_bytes",
            "mean_compressed_bytes",
            "ratio",
            "ratio_lower",
            "ratio_upper",
        ];
        let mut table = series::facts(self.split.as_deref(), &self.series, &names);
        for row in &self.rows {
            let numbers = [
                row.mean_tokens,
                Some(row.mean_bytes),
                Some(row.mean_compressed_bytes),
                row.ratio,
                row.ratio_lower,
                row.ratio_upper,
            ];
            let numbers = numbers.map(|number| Cell::option(number, |number| Cell::Number(number, 4)));
            let cells = [Cell::Text(row.outcome.to_owned()), Cell::Count(row.n)].into_iter().chain(numbers);
            table.rows.push(series::facts_row(&row.part, cells));
        }
        Some(table)
    }
}

impl Drawn for CompressionReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let is_eval = self.series == "eval_id";
        let chart = |(name, dots): (String, Vec<&Dot>)| -> (String, Box<dyn Chart>) {
            let series: Vec<_> = dots.chunk_by(|a, b| a.part == b.part).collect();
            let panel = |label: &str, outcomes: &[Outcome]| ScatterPanel {
                label: label.to_owned(),
                groups: series
                    .iter()
                    .enumerate()
                    .map(|(place, dots)| PointGroup {
                        label: dots[0].part.label.clone(),
                        series: series::colour(&dots[0].part, place, is_eval, colours),
                        points: dots
                            .iter()
                            .filter(|dot| outcomes.contains(&dot.outcome))
                            .map(|dot| dot.place)
                            .collect(),
                        trend: Vec::new(),
                    })
                    .collect(),
            };
            let title = "Tokens against compressed size of traces";
            let scatter = Scatter {
                caption: Caption::new(if name.is_empty() { title.to_owned() } else { format!("{title}: {name}") })
                    .note(format!("at most {} traces of a series and outcome, by lot", self.most_dots)),
                x: Axis::new("completion tokens").logarithmic(),
                y: Axis::new("compressed bytes").logarithmic(),
                panels: vec![
                    panel("correct", &[Outcome::Correct]),
                    panel("incorrect or invalid", &[Outcome::Incorrect, Outcome::Invalid]),
                    panel("truncated", &[Outcome::Truncated]),
                ],
            };
            (name, Box::new(scatter))
        };
        series::by_split(&self.dots, |dot| &dot.part).into_iter().map(chart).collect()
    }
}
