//! `analyze hazard`: when answers come, and when they stop being right.

use rs_charts::{Axis, Bounds, Caption, Chart, CurveShape, Interval, LinePanel, LinePoint, Lines};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::statistics::{self, HazardBin, hazard_curves};
use rs_pointsdb::queries::forensics;
use serde::Serialize;

use crate::pictures::{Colours, Drawn};
use crate::series::{self, Part, SeriesArgs};

/// Samples at risk below which a picture shows no hazard: it would jump from 0 to 1.
const LEAST_AT_RISK: u64 = 20;

/// Show hazard, survival and cumulative incidence of right and wrong answers over completion tokens.
///
/// Right and wrong (with invalid) compete; truncation censors. "right" is the share that has answered right by then
/// (Aalen-Johansen), "open" the share without an answer; hazards are of those that got so far.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    series: SeriesArgs,
}

/// The document `analyze.hazard/1`.
#[derive(Debug, Serialize)]
struct HazardReport {
    schema: &'static str,
    confidence: f64,
    split: Option<String>,
    series: String,
    curves: Vec<Curve>,
}

#[derive(Debug, Serialize)]
struct Curve {
    #[serde(flatten)]
    part: Part,
    /// Samples that tell their tokens.
    n: u64,
    /// Of these, how they ended.
    correct: u64,
    incorrect: u64,
    truncated: u64,
    /// Tokens within which half have answered; null if fewer than half did.
    median_tokens: Option<u64>,
    /// Tokens that a bin is wide.
    bin_tokens: u64,
    bins: Vec<Bin>,
}

#[derive(Debug, Serialize)]
struct Bin {
    /// Tokens from here on...
    from_tokens: u64,
    /// ... to below here.
    to_tokens: u64,
    at_risk: u64,
    correct: u64,
    incorrect: u64,
    truncated: u64,
    hazard_correct: Share,
    hazard_incorrect: Share,
    /// Without an answer by the bin's end, with its interval: null where it is 0 or 1.
    survival: f64,
    survival_lower: Option<f64>,
    survival_upper: Option<f64>,
    /// Answered right, and wrong, by the bin's end, with intervals as that.
    incidence_correct: f64,
    incidence_correct_lower: Option<f64>,
    incidence_correct_upper: Option<f64>,
    incidence_incorrect: f64,
    incidence_incorrect_lower: Option<f64>,
    incidence_incorrect_upper: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Share {
    value: f64,
    lower: f64,
    upper: f64,
}

impl From<statistics::Hazard> for Share {
    fn from(hazard: statistics::Hazard) -> Self {
        Self { value: hazard.value, lower: hazard.interval.lower, upper: hazard.interval.upper }
    }
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let divided = args.series.open(common, ui)?;
    let source = &divided.source;
    let sums = forensics::hazard(&source.connection, &divided.filters, &divided.keys);
    let sums = sums.map_err(|error| source.error(error))?;
    if sums.is_empty() {
        divided.tell_nothing(
            "no sample here tells its completion tokens: without `completion_tokens` there is no time",
            ui,
        )?;
    }
    let mut curves: Vec<Curve> = sums
        .iter()
        .map(|sums| {
            let bins = hazard_curves(&sums.bins, args.series.confidence.z());
            curve(divided.part(&sums.group), &bins, u64::from(sums.bin_tokens))
        })
        .collect();
    series::sort(&mut curves, |curve| &curve.part);
    let report = HazardReport {
        schema: "analyze.hazard/1",
        confidence: args.series.confidence.level(),
        split: args.series.split_name(),
        series: args.series.series_name(),
        curves,
    };
    args.series.output.print(ui, source, &report)?;
    Ok(Exit::Done)
}

fn curve(part: Part, bins: &[HazardBin], width: u64) -> Curve {
    let lower = |interval: Option<statistics::Interval>| interval.map(|interval| interval.lower);
    let upper = |interval: Option<statistics::Interval>| interval.map(|interval| interval.upper);
    let bins: Vec<Bin> = bins
        .iter()
        .zip(0..)
        .map(|(bin, at)| Bin {
            from_tokens: at * width,
            to_tokens: (at + 1) * width,
            at_risk: bin.at_risk,
            correct: bin.events.correct,
            incorrect: bin.events.incorrect,
            truncated: bin.events.truncated,
            hazard_correct: bin.correct.into(),
            hazard_incorrect: bin.incorrect.into(),
            survival: bin.survival,
            survival_lower: lower(bin.survival_interval),
            survival_upper: upper(bin.survival_interval),
            incidence_correct: bin.incidence_correct,
            incidence_correct_lower: lower(bin.incidence_correct_interval),
            incidence_correct_upper: upper(bin.incidence_correct_interval),
            incidence_incorrect: bin.incidence_incorrect,
            incidence_incorrect_lower: lower(bin.incidence_incorrect_interval),
            incidence_incorrect_upper: upper(bin.incidence_incorrect_interval),
        })
        .collect();
    let sum = |of: fn(&Bin) -> u64| bins.iter().map(of).sum();
    Curve {
        part,
        n: bins.first().map_or(0, |bin| bin.at_risk),
        correct: sum(|bin| bin.correct),
        incorrect: sum(|bin| bin.incorrect),
        truncated: sum(|bin| bin.truncated),
        median_tokens: bins.iter().find(|bin| bin.survival <= 0.5).map(|bin| bin.to_tokens),
        bin_tokens: width,
        bins,
    }
}

impl HazardReport {
    /// `256 tokens`, where all bins are as wide.
    fn width_of_bins(&self) -> String {
        let mut widths = self.curves.iter().map(|curve| curve.bin_tokens);
        match widths.next() {
            Some(first) if widths.all(|width| width == first) => format!("{first} tokens"),
            _ => "tokens".to_owned(),
        }
    }
}

impl Report for HazardReport {
    fn tables(&self) -> Vec<Table> {
        let table = |columns: &[&'static str]| {
            series::table(self.split.as_deref(), &self.series, columns.iter().copied().map(Column::fixed))
        };
        let level = (self.confidence * 1000.0).round() / 10.0;
        let mut curves = table(&["samples", "right", "wrong", "truncated", "half within"])
            .titled("How they ended, and within how many tokens half have answered");
        let mut shares = table(&["within", "right", "wrong", "open"])
            .titled(format!("Right, wrong and still open by then, with {level} % intervals"));
        let mut hazards = table(&["within", "at risk", "right", "wrong"]).titled(format!(
            "Hazards: of those at risk, answered in the {} before; {level} % intervals",
            self.width_of_bins()
        ));
        for Curve { part, n, correct, incorrect, truncated, median_tokens, bins: of_curve, .. } in &self.curves {
            let share = |count: u64| if *n > 0 { Cell::Ratio(count as f64 / *n as f64) } else { Cell::Empty };
            curves.rows.push(series::row(
                part,
                [
                    Cell::Count(*n),
                    share(*correct),
                    share(*incorrect),
                    share(*truncated),
                    Cell::option(*median_tokens, Cell::Count),
                ],
            ));
            // Doubling tokens: few rows say when most of it happens, and the last how it ends.
            let shown =
                of_curve.iter().enumerate().filter(|(at, _)| (at + 1).is_power_of_two() || at + 1 == of_curve.len());
            for (_, bin) in shown {
                let share = |value: f64, interval: Option<(f64, f64)>| match interval {
                    Some(ends) => Cell::Between(value, ends, 2),
                    None => Cell::Number(value, 2),
                };
                let cells = [
                    Cell::Count(bin.to_tokens),
                    share(bin.incidence_correct, bin.incidence_correct_lower.zip(bin.incidence_correct_upper)),
                    share(bin.incidence_incorrect, bin.incidence_incorrect_lower.zip(bin.incidence_incorrect_upper)),
                    share(bin.survival, bin.survival_lower.zip(bin.survival_upper)),
                ];
                shares.rows.push(series::short_row(part, cells));
                let hazard = |share: &Share| Cell::Between(share.value, (share.lower, share.upper), 3);
                let cells = [
                    Cell::Count(bin.to_tokens),
                    Cell::Count(bin.at_risk),
                    hazard(&bin.hazard_correct),
                    hazard(&bin.hazard_incorrect),
                ];
                hazards.rows.push(series::short_row(part, cells));
            }
        }
        vec![curves, shares, hazards]
    }

    fn facts(&self) -> Option<Table> {
        let names = [
            "from_tokens",
            "to_tokens",
            "at_risk",
            "correct",
            "incorrect",
            "truncated",
            "hazard_correct",
            "hazard_correct_lower",
            "hazard_correct_upper",
            "hazard_incorrect",
            "hazard_incorrect_lower",
            "hazard_incorrect_upper",
            "survival",
            "survival_lower",
            "survival_upper",
            "incidence_correct",
            "incidence_correct_lower",
            "incidence_correct_upper",
            "incidence_incorrect",
            "incidence_incorrect_lower",
            "incidence_incorrect_upper",
        ];
        let mut table = series::facts(self.split.as_deref(), &self.series, &names);
        for curve in &self.curves {
            for bin in &curve.bins {
                let counts = [bin.from_tokens, bin.to_tokens, bin.at_risk, bin.correct, bin.incorrect, bin.truncated];
                let (right, wrong) = (&bin.hazard_correct, &bin.hazard_incorrect);
                let hazards = [right.value, right.lower, right.upper, wrong.value, wrong.lower, wrong.upper];
                let shares = [
                    Some(bin.survival),
                    bin.survival_lower,
                    bin.survival_upper,
                    Some(bin.incidence_correct),
                    bin.incidence_correct_lower,
                    bin.incidence_correct_upper,
                    Some(bin.incidence_incorrect),
                    bin.incidence_incorrect_lower,
                    bin.incidence_incorrect_upper,
                ];
                let numbers = hazards.into_iter().map(Some).chain(shares);
                let numbers = numbers.map(|number| Cell::option(number, |number| Cell::Number(number, 4)));
                table.rows.push(series::facts_row(&curve.part, counts.map(Cell::Count).into_iter().chain(numbers)));
            }
        }
        Some(table)
    }
}

/// What a picture shows of a bin: a value, and its band.
type Drawing<'a> = &'a dyn Fn(&Bin) -> (Option<f64>, Option<Interval>);

impl Drawn for HazardReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let is_eval = self.series == "eval_id";
        let chart = |(name, curves): (String, Vec<&Curve>)| -> (String, Box<dyn Chart>) {
            let panel = |label: &str, y: Axis, shape: CurveShape, of: Drawing<'_>| {
                let curve = |(place, curve): (usize, &&Curve)| rs_charts::Curve {
                    label: curve.part.label.clone(),
                    series: series::colour(&curve.part, place, is_eval, colours),
                    shape,
                    points: curve
                        .bins
                        .iter()
                        .map(|bin| {
                            let (y, interval) = of(bin);
                            LinePoint { x: bin.to_tokens as f64, y, interval, ..LinePoint::default() }
                        })
                        .collect(),
                };
                LinePanel { label: label.to_owned(), y, curves: curves.iter().enumerate().map(curve).collect() }
            };
            let share = |label: &str| Axis::ratio(label).bounds(Bounds::Fixed(0.0, 1.0));
            let band = |value: f64, lower: Option<f64>, upper: Option<f64>| {
                (Some(value), lower.zip(upper).map(|(low, high)| Interval { low, high }))
            };
            let hazard = |bin: &Bin, share: &Share| match bin.at_risk {
                ..LEAST_AT_RISK => (None, None),
                _ => (Some(share.value), Some(Interval { low: share.lower, high: share.upper })),
            };
            let title =
                if name.is_empty() { "When answers come".to_owned() } else { format!("When answers come: {name}") };
            let lines = Lines {
                truncation_mark: None,
                caption: Caption::new(title)
                    .subtitle("right and wrong compete, truncation censors")
                    .interval(self.confidence)
                    .trials(curves.iter().map(|curve| curve.n).sum())
                    .note(format!("hazards where at least {LEAST_AT_RISK} are at risk")),
                x: Axis::new("completion tokens").logarithmic(),
                panels: vec![
                    panel("Answered right", share("share of all"), CurveShape::Steps, &|bin| {
                        band(bin.incidence_correct, bin.incidence_correct_lower, bin.incidence_correct_upper)
                    }),
                    panel("Answered wrong", share("share of all"), CurveShape::Steps, &|bin| {
                        band(bin.incidence_incorrect, bin.incidence_incorrect_lower, bin.incidence_incorrect_upper)
                    }),
                    panel("Not answered", share("share of all"), CurveShape::Steps, &|bin| {
                        band(bin.survival, bin.survival_lower, bin.survival_upper)
                    }),
                    panel("Hazard of a right answer", share("of those at risk"), CurveShape::Straight, &|bin| {
                        hazard(bin, &bin.hazard_correct)
                    }),
                    panel("Hazard of a wrong answer", share("of those at risk"), CurveShape::Straight, &|bin| {
                        hazard(bin, &bin.hazard_incorrect)
                    }),
                ],
            };
            (name, Box::new(lines))
        };
        series::by_split(&self.curves, |curve| &curve.part).into_iter().map(chart).collect()
    }
}
