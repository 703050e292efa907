//! `analyze fft`: spectra of prompts.

use rs_charts::{Axis, Bounds, Caption, Chart, Curve, CurveShape, Interval, LinePanel, LinePoint, Lines};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_pointsdb::queries::forensics;
use serde::Serialize;

use crate::pictures::{Colours, Drawn};
use crate::series::{self, Part, SeriesArgs};

/// Bands that people are shown.
const BANDS: usize = 8;

/// Show spectra of the prompts' token ids: magnitude by frequency (cycles a token), with its spread over prompts.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    series: SeriesArgs,
}

/// The document `analyze.fft/1`.
#[derive(Debug, Serialize)]
struct FftReport {
    schema: &'static str,
    split: Option<String>,
    series: String,
    /// Of the spectra's values: from 0 to 0.5 cycles a token.
    frequencies: Vec<f64>,
    spectra: Vec<SpectrumRow>,
}

#[derive(Debug, Serialize)]
struct SpectrumRow {
    #[serde(flatten)]
    part: Part,
    /// Points that have a spectrum; each counts the same.
    points: u64,
    mean: Vec<f64>,
    /// Standard deviation over prompts.
    deviation: Vec<f64>,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let divided = args.series.open(common, ui)?;
    let source = &divided.source;
    let sums = forensics::spectra(&source.connection, &divided.filters, &divided.keys);
    let sums = sums.map_err(|error| source.error(error))?;
    if sums.is_empty() {
        divided.tell_nothing(
            "no prompt here has a spectrum: `evaluate` makes them where it finds a tokenizer (--tokenizers DIR, with \
            DIR/<hf_id>/tokenizer.json) and is not told --no-forensics",
            ui,
        )?;
    }
    let n_bins = sums.first().map_or(0, |sums| sums.mean.len());
    let mut spectra: Vec<SpectrumRow> = sums
        .into_iter()
        .map(|sums| SpectrumRow {
            part: divided.part(&sums.group),
            points: sums.n_points,
            mean: sums.mean,
            deviation: sums.deviation,
        })
        .collect();
    series::sort(&mut spectra, |row| &row.part);
    let report = FftReport {
        schema: "analyze.fft/1",
        split: args.series.split_name(),
        series: args.series.series_name(),
        frequencies: (0..n_bins).map(|bin| 0.5 * bin as f64 / (n_bins - 1).max(1) as f64).collect(),
        spectra,
    };
    args.series.output.print(ui, source, &report)?;
    Ok(Exit::Done)
}

impl FftReport {
    fn columns(&self, more: impl IntoIterator<Item = Column>) -> Table {
        series::table(self.split.as_deref(), &self.series, more)
    }
}

impl Report for FftReport {
    fn tables(&self) -> Vec<Table> {
        let names = ["frequency", "magnitude", "spread", "points"].map(Column::fixed);
        let mut table =
            self.columns(names).titled("Mean magnitude in bands of frequency; spread: standard deviation over prompts");
        for row in &self.spectra {
            let width = row.mean.len().div_ceil(BANDS).max(1);
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            for (at, (means, deviations)) in row.mean.chunks(width).zip(row.deviation.chunks(width)).enumerate() {
                let (from, to) = (self.frequencies[at * width], self.frequencies[at * width + means.len() - 1]);
                let cells = [
                    Cell::Text(format!("{from:.2}–{to:.2}")),
                    Cell::Number(mean(means), 2),
                    Cell::Number(mean(deviations), 2),
                    Cell::Count(row.points),
                ];
                table.rows.push(series::row(&row.part, cells));
            }
        }
        vec![table]
    }

    fn facts(&self) -> Option<Table> {
        let names = ["frequency", "mean", "deviation", "points"];
        let mut table = series::facts(self.split.as_deref(), &self.series, &names);
        for row in &self.spectra {
            for ((frequency, mean), deviation) in self.frequencies.iter().zip(&row.mean).zip(&row.deviation) {
                let numbers = [*frequency, *mean, *deviation].map(|number| Cell::Number(number, 4));
                table.rows.push(series::facts_row(&row.part, numbers.into_iter().chain([Cell::Count(row.points)])));
            }
        }
        Some(table)
    }
}

impl Drawn for FftReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let is_eval = self.series == "eval_id";
        let chart = |(name, rows): (String, Vec<&SpectrumRow>)| -> (String, Box<dyn Chart>) {
            let points = |row: &SpectrumRow| {
                let values = row.mean.iter().zip(&row.deviation).zip(&self.frequencies);
                let point = |((mean, deviation), frequency): ((&f64, &f64), &f64)| LinePoint {
                    x: *frequency,
                    y: Some(*mean),
                    interval: Some(Interval { low: (mean - deviation).max(0.0), high: mean + deviation }),
                    ..LinePoint::default()
                };
                values.map(point).collect()
            };
            let curve = |(place, row): (usize, &&SpectrumRow)| Curve {
                label: row.part.label.clone(),
                series: series::colour(&row.part, place, is_eval, colours),
                shape: CurveShape::Straight,
                points: points(row),
            };
            let title =
                if name.is_empty() { "Spectra of prompts".to_owned() } else { format!("Spectra of prompts: {name}") };
            let n_points: u64 = rows.iter().map(|row| row.points).sum();
            let lines = Lines {
                truncation_mark: None,
                caption: Caption::new(title)
                    .note("bands: one standard deviation over prompts")
                    .note(format!("{n_points} points")),
                x: Axis::new("frequency [cycles a token]"),
                panels: vec![LinePanel {
                    label: String::new(),
                    y: Axis::new("magnitude").bounds(Bounds::DataAndZero),
                    curves: rows.iter().enumerate().map(curve).collect(),
                }],
            };
            (name, Box::new(lines))
        };
        series::by_split(&self.spectra, |row| &row.part).into_iter().map(chart).collect()
    }
}
