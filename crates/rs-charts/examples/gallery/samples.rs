//! Made-up data for every chart, small and large. The crate's tests ask the same pictures whether they are legible.

use fastrand::Rng;
use rs_charts::{
    Align, Axis, Bars, Bounds, Caption, CategoryAxis, Chart, Clique, Curve, CurveShape, Estimate, Fingerprint,
    FingerprintValue, Forest, ForestPanel, ForestRow, ForestRowKind, HeatCell, HeatColumn, HeatRow, HeatTable,
    Interval, IntervalPanel, IntervalRow, Intervals, LeadingColumn, LinePanel, LinePoint, Lines, PointGroup, Radar,
    Scatter, ScatterPanel, Series, Surface, SurfaceCell, SurfacePanel,
};

const MODELS: [&str; 8] = [
    "Qwen3 30B-A3B Thinking",
    "Phi-4 mini reasoning Q4",
    "GPT-OSS 20B high",
    "Gemma 3 27B it",
    "Llama 3.3 70B Instruct",
    "Magistral Small 2506",
    "R1 Distill Qwen 14B",
    "EXAONE 4.0 32B, thinking, context 8k",
];

const TASKS: [&str; 12] = [
    "arithmetic",
    "boolean",
    "brackets",
    "cars",
    "dates",
    "jsonpath",
    "letters",
    "movies",
    "objects",
    "shapes",
    "shuffle",
    "sort",
];

/// A picture's name, and its chart.
pub type Sample = (&'static str, Box<dyn Chart>);

/// All samples.
pub fn all() -> Vec<Sample> {
    let caption =
        |title: &str| Caption::new(title).subtitle("r12, all tasks, context 16k").interval(0.95).trials(148_320);
    vec![
        ("heat_table", Box::new(heat_table(caption("Accuracy beyond chance by task"), 8, 12))),
        ("heat_table_large", Box::new(heat_table(caption("Accuracy beyond chance by task and size"), 50, 100))),
        ("intervals", Box::new(intervals(caption("Which evaluations can be told apart"), 2, 8))),
        ("intervals_large", Box::new(intervals(caption("Which evaluations can be told apart"), 1, 40))),
        ("forest", Box::new(forest(caption("Qwen3 30B-A3B Thinking against Phi-4 mini reasoning")))),
        ("radar", Box::new(radar(caption("Fingerprint of one evaluation"), 1, 12))),
        ("radar_overlaid", Box::new(radar(caption("Fingerprints of four evaluations"), 4, 12))),
        ("radar_large", Box::new(radar(caption("Fingerprints over many groups"), 2, 40))),
        ("bars", Box::new(bars(caption("Fingerprints as bars"), 3, 12))),
        ("bars_one", Box::new(bars(caption("Fingerprint as bars"), 1, 12))),
        ("surface", Box::new(surface(caption("Arithmetic: accuracy by length and depth"), 6, (7, 5)))),
        ("surface_one", Box::new(surface(caption("Arithmetic: accuracy by length and depth"), 1, (7, 5)))),
        ("surface_large", Box::new(surface(caption("Arithmetic: accuracy by length and depth"), 8, (32, 24)))),
        ("surface_names", Box::new(named_surface(caption("Shuffle: accuracy by template and depth")))),
        ("lines_projection", Box::new(projection(caption("Arithmetic: accuracy by length")))),
        ("lines_hazard", Box::new(hazard(caption("When reasoning ends")))),
        ("lines_spectra", Box::new(spectra(caption("Spectra of token compressibility")))),
        ("lines_many", Box::new(many_lines(caption("Sixteen evaluations")))),
        ("scatter", Box::new(scatter(caption("Compressed size against tokens"), 2_000))),
        ("scatter_large", Box::new(scatter(caption("Compressed size against tokens"), 60_000))),
        ("empty", Box::new(Lines { caption: caption("Nothing is known"), ..Lines::default() })),
        ("hostile", Box::new(hostile())),
    ]
}

/// The same fingerprints as bars.
fn bars(caption: Caption, evaluations: usize, tasks: usize) -> Bars {
    let Radar { caption, tasks, value_label, fingerprints, .. } = radar(caption, evaluations, tasks);
    Bars { caption, tasks, value_label, fingerprints }
}

fn model(index: usize) -> String {
    match index / MODELS.len() {
        0 => MODELS[index].to_owned(),
        round => format!("{} {round}", MODELS[index % MODELS.len()]),
    }
}

fn heat_table(caption: Caption, rows: usize, columns: usize) -> HeatTable {
    let mut random = Rng::with_seed(1);
    let leading = |header: &str, align| LeadingColumn { header: header.to_owned(), align };
    let row = |index: usize| {
        let skill = 0.95 - 0.7 * index as f64 / rows as f64;
        let cell = |random: &mut Rng| {
            let value = (skill + 0.5 * (random.f64() - 0.5)).clamp(0.0, 1.0);
            let truncated = if random.f64() < 0.25 { random.f64() * random.f64() } else { 0.001 };
            (random.f64() > 0.02).then(|| HeatCell {
                value: Some(value),
                margin: Some(0.01 + 0.05 * random.f64()),
                truncated_ratio: Some(truncated),
                text: None,
            })
        };
        HeatRow {
            label: model(index),
            series: Some(Series(index)),
            leading: vec![
                format!("{:.0} ±{:.0}", skill * 1000.0, 4.0 + 8.0 * skill),
                (index / 3 + 1).to_string(),
                "4,310".to_owned(),
            ],
            cells: (0..columns).map(|_| cell(&mut random)).collect(),
            tier: Some(index as u32 / 3),
        }
    };
    let column = |index: usize| HeatColumn {
        label: match index / TASKS.len() {
            0 => TASKS[index].to_owned(),
            round => format!("{} length={}", TASKS[index % TASKS.len()], round * 8),
        },
        group: (columns < 20).then(|| if index < 5 { "symbolic" } else { "language and objects" }.to_owned()),
    };
    HeatTable {
        caption,
        row_header: "evaluation".to_owned(),
        leading: vec![
            leading("ReasonScore", Align::Right),
            leading("tier", Align::Right),
            leading("tokens", Align::Right),
        ],
        columns: (0..columns).map(column).collect(),
        value_label: "accuracy beyond chance".to_owned(),
        rows: (0..rows).map(row).collect(),
        truncation_mark: None,
    }
}

fn intervals(caption: Caption, panels: usize, rows: usize) -> Intervals {
    let mut random = Rng::with_seed(2);
    let row = |index: usize, random: &mut Rng| {
        let value = 0.93 - 0.6 * (index as f64 + random.f64()) / rows as f64;
        let margin = 0.02 + 0.03 * random.f64();
        let tokens = 900.0 + 6_000.0 * random.f64();
        IntervalRow {
            label: model(index),
            series: Series(index / 3),
            estimates: vec![
                Some(Estimate::with_interval(value, value - margin, value + margin * 0.8)),
                (index != 4).then(|| Estimate::with_interval(tokens, tokens * 0.93, tokens * 1.06)),
            ],
            truncated_ratio: Some(if index % 4 == 3 { 0.13 } else { 0.004 }),
        }
    };
    let cliques = (0..rows.saturating_sub(2)).step_by(2).map(|first| Clique {
        axis: 0,
        members: (first..(first + 3).min(rows)).collect(),
        label: ((first / 2) + 1).to_string(),
        colour: first / 2,
    });
    let token_clique = Clique { axis: 1, members: vec![0, 2, 5], label: "a".to_owned(), colour: 0 };
    let cliques: Vec<Clique> = cliques.chain([token_clique]).collect();
    let panel = |index: usize| IntervalPanel {
        label: if panels > 1 { TASKS[index].to_owned() } else { String::new() },
        rows: (0..rows).map(|index| row(index, &mut random)).collect(),
        cliques: cliques.clone(),
    };
    let panels = (0..panels).map(panel).collect();
    let accuracy = Axis { percent: true, ..Axis::new("accuracy beyond chance") };
    Intervals {
        caption,
        axes: vec![accuracy, Axis::new("mean completion tokens").logarithmic()],
        panels,
        truncation_mark: None,
    }
}

fn forest(caption: Caption) -> Forest {
    let mut random = Rng::with_seed(3);
    let mut rows: Vec<ForestRow> = TASKS
        .iter()
        .enumerate()
        .map(|(index, task)| {
            let value = 0.3 * (random.f64() - 0.4);
            let margin = 0.02 + 0.08 * random.f64();
            ForestRow {
                label: (*task).to_owned(),
                kind: ForestRowKind::Part,
                difference: (index != 7).then(|| Estimate::with_interval(value, value - margin, value + margin)),
                p: (index != 7).then(|| (-(value / margin * 1.96).powi(2) / 2.0).exp()),
                trials: Some((120.0 / margin) as u64 * 4),
            }
        })
        .collect();
    rows.push(ForestRow {
        label: "overall".to_owned(),
        kind: ForestRowKind::Overall,
        difference: Some(Estimate::with_interval(0.034, 0.021, 0.047)),
        p: Some(0.000_02),
        trials: Some(61_230),
    });
    Forest {
        caption,
        axis: Axis { percent: true, ..Axis::new("difference in accuracy [percentage points]") },
        below_zero: "Phi-4 mini reasoning is better".to_owned(),
        above_zero: "Qwen3 30B-A3B Thinking is better".to_owned(),
        p_header: "p (Holm)".to_owned(),
        trials_header: "shared".to_owned(),
        panels: vec![ForestPanel { label: String::new(), series: Series(0), rows }],
    }
}

fn radar(caption: Caption, evaluations: usize, tasks: usize) -> Radar {
    let mut random = Rng::with_seed(4);
    let fingerprint = |index: usize| Fingerprint {
        label: model(index),
        series: Series(index),
        values: (0..tasks)
            .map(|task| {
                let value = (0.85 - 0.12 * index as f64 + 0.4 * (random.f64() - 0.5)).clamp(0.05, 1.0);
                let truncated = if task % 4 == 1 { 0.25 * random.f64() } else { 0.0 };
                (task != 6 || index != 1).then(|| FingerprintValue {
                    value: value * (1.0 - truncated),
                    interval: Some(Interval {
                        low: value * (1.0 - truncated) - 0.04,
                        high: value * (1.0 - truncated) + 0.03,
                    }),
                    truncated_ratio: Some(truncated),
                    tokens: Some(500.0 + 4_000.0 * random.f64()),
                })
            })
            .collect(),
    };
    let task = |index: usize| match index / TASKS.len() {
        0 => TASKS[index].to_owned(),
        round => format!("{} length={}", TASKS[index % TASKS.len()], round * 8),
    };
    Radar {
        caption,
        tasks: (0..tasks).map(task).collect(),
        value_label: "accuracy".to_owned(),
        fingerprints: (0..evaluations).map(fingerprint).collect(),
        truncation_mark: None,
    }
}

fn surface(caption: Caption, panels: usize, (across, up): (usize, usize)) -> Surface {
    let panel = |index: usize| SurfacePanel {
        label: model(index),
        cells: (0..across)
            .flat_map(|x| (0..up).map(move |y| (x, y)))
            .filter(|(x, y)| x + y < across + up - 3)
            .map(|(x, y)| {
                let load = (x as f64 / across as f64 + 0.8 * y as f64 / up as f64) * (1.0 + 0.25 * index as f64);
                SurfaceCell {
                    x,
                    y,
                    value: 1.0 / (1.0 + ((load - 1.0) * 5.0).exp()),
                    trials: Some(100 + 37 * (x as u64 % 3)),
                    truncated_ratio: Some((load - 1.1).clamp(0.0, 1.0)),
                }
            })
            .collect(),
    };
    let values = |count: usize, step: usize| (1..=count).map(|index| (index * step).to_string()).collect();
    Surface {
        caption,
        x: CategoryAxis { label: "params.length".to_owned(), values: values(across, 8) },
        y: CategoryAxis { label: "params.max_depth".to_owned(), values: values(up, 1) },
        value_label: "accuracy".to_owned(),
        panels: (0..panels).map(panel).collect(),
        truncation_mark: None,
    }
}

fn named_surface(caption: Caption) -> Surface {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut surface = surface(caption, 3, (5, 4));
    surface.x.values = names(&["zeroshot", "zeroshot-nosys", "multishot", "multishot-cot", "none"]);
    surface.y.values = names(&["shallow", "middle", "deep", "as deep as it gets, and more"]);
    surface
}

fn projection(caption: Caption) -> Lines {
    let curve = |index: usize| Curve {
        label: model(index),
        series: Series(index),
        shape: CurveShape::Marked,
        points: (1..=8)
            .map(|step| {
                let x = f64::from(step) * 8.0;
                let y = 1.0 / (1.0 + ((x - 70.0 + 10.0 * index as f64) / 12.0).exp());
                let margin = 0.02 + 0.05 * y * (1.0 - y);
                LinePoint {
                    x,
                    y: Some(y),
                    interval: Some(Interval { low: y - margin, high: y + margin }),
                    truncated_ratio: Some(if x > 12.0 { 0.05 } else { 0.0 }),
                }
            })
            .collect(),
    };
    let panel = |label: &str, curves: std::ops::Range<usize>| LinePanel {
        label: label.to_owned(),
        y: Axis::ratio("accuracy"),
        curves: curves.map(curve).collect(),
    };
    Lines {
        caption,
        truncation_mark: None,
        x: Axis::new("params.length"),
        panels: vec![panel("max_depth = 2", 0..5), panel("max_depth = 4", 1..4)],
    }
}

fn hazard(caption: Caption) -> Lines {
    let times: Vec<f64> = (0..60).map(|step| 64.0 * 1.1f64.powi(step)).collect();
    let curves = |shape: CurveShape, value: &dyn Fn(f64, f64) -> f64, margin: f64| -> Vec<Curve> {
        (0..4)
            .map(|index| Curve {
                label: model(index),
                series: Series(index),
                shape,
                points: times
                    .iter()
                    .map(|time| {
                        let y = value(*time, 1_000.0 * (1.0 + index as f64));
                        let margin = margin * y * (0.2 + time / 20_000.0);
                        LinePoint {
                            x: *time,
                            y: Some(y),
                            interval: Some(Interval { low: y - margin, high: y + margin }),
                            ..LinePoint::default()
                        }
                    })
                    .collect(),
            })
            .collect()
    };
    let panel = |label: &str, y: Axis, curves: Vec<Curve>| LinePanel { label: label.to_owned(), y, curves };
    let survival = |time: f64, scale: f64| (-(time / scale).powf(1.4)).exp();
    Lines {
        caption,
        truncation_mark: None,
        x: Axis::new("completion tokens").logarithmic(),
        panels: vec![
            panel(
                "hazard",
                Axis::new("per 1,000 tokens").bounds(Bounds::DataAndZero),
                curves(CurveShape::Straight, &|time, scale| 1.4 / scale * (time / scale).powf(0.4) * 100.0, 0.4),
            ),
            panel("survival", Axis::ratio("still reasoning"), curves(CurveShape::Steps, &survival, 0.3)),
            panel(
                "cumulative incidence: correct",
                Axis::ratio("share of trials"),
                curves(CurveShape::Steps, &|time, scale| 0.7 * (1.0 - survival(time, scale)), 0.2),
            ),
        ],
    }
}

fn spectra(caption: Caption) -> Lines {
    let mut random = Rng::with_seed(6);
    let mut curve = |index: usize| Curve {
        label: model(index),
        series: Series(index),
        shape: CurveShape::Straight,
        points: (0..4_096)
            .map(|step| {
                let y = (1.0 + index as f64 * 0.4) / (1.0 + f64::from(step) / 40.0) * (0.8 + 0.4 * random.f64());
                LinePoint {
                    x: f64::from(step) / 8_192.0,
                    y: Some(y),
                    interval: Some(Interval { low: y * 0.7, high: y * 1.4 }),
                    ..LinePoint::default()
                }
            })
            .collect(),
    };
    let panel = LinePanel {
        label: String::new(),
        y: Axis::new("mean magnitude").logarithmic(),
        curves: (0..3).map(&mut curve).collect(),
    };
    Lines { truncation_mark: None, caption, x: Axis::new("frequency [1/token]").logarithmic(), panels: vec![panel] }
}

fn many_lines(caption: Caption) -> Lines {
    let curve = |index: usize| Curve {
        label: model(index),
        series: Series(index),
        shape: CurveShape::Straight,
        points: (0..20)
            .map(|step| {
                let x = f64::from(step);
                let y = (step != 9 || !index.is_multiple_of(3))
                    .then(|| (x / 4.0 + index as f64).sin() * 10.0 + 25.0 * index as f64);
                LinePoint { x, y, ..LinePoint::default() }
            })
            .collect(),
    };
    let panel = LinePanel { label: String::new(), y: Axis::new("tokens"), curves: (0..16).map(curve).collect() };
    Lines { truncation_mark: None, caption, x: Axis::new("step"), panels: vec![panel] }
}

fn scatter(caption: Caption, points: usize) -> Scatter {
    let mut random = Rng::with_seed(5);
    let mut group = |index: usize, slope: f64| PointGroup {
        label: model(index),
        series: Series(index),
        points: (0..points)
            .map(|_| {
                let tokens = 10f64.powf(1.8 + 1.2 * (random.f64() + random.f64()));
                [tokens, slope * tokens.powf(0.92) * (0.8 + 0.4 * random.f64())]
            })
            .collect(),
        trend: [80.0, 300.0, 1_000.0, 5_000.0, 15_000.0]
            .map(|tokens: f64| {
                let y = slope * tokens.powf(0.92);
                LinePoint {
                    x: tokens,
                    y: Some(y),
                    interval: Some(Interval { low: y * 0.95, high: y * 1.05 }),
                    ..LinePoint::default()
                }
            })
            .to_vec(),
    };
    let panels = ["correct", "incorrect", "truncated"]
        .map(|label| ScatterPanel { label: label.to_owned(), groups: vec![group(0, 1.6), group(1, 0.9)] });
    Scatter {
        caption,
        x: Axis::new("completion tokens").logarithmic(),
        y: Axis::new("compressed bytes").logarithmic(),
        panels: panels.to_vec(),
    }
}

fn hostile() -> HeatTable {
    let mut table = heat_table(
        Caption::new("Names that nobody expects <script>alert(\"&\")</script> with a title that is much longer than the picture is wide")
            .note("NaN and infinity are cells without a value"),
        5,
        8,
    );
    let names = [
        "a/very-long/organisation--model-name-with-everything-in-it-instruct-thinking-2507-FP8-dynamic",
        "<&>\"' \u{0} \u{7} \u{202e}txet",
        "通义千问 模型",
        "عربى עברית",
        "",
    ];
    for (row, name) in table.rows.iter_mut().zip(names) {
        row.label = name.to_owned();
        row.leading[0] = name.to_owned();
    }
    for (column, name) in table.columns.iter_mut().zip(names) {
        column.label = name.to_owned();
    }
    for (index, value) in [f64::NAN, f64::INFINITY, -1.0, 7.0].into_iter().enumerate() {
        let cell = HeatCell { value: Some(value), margin: Some(value), truncated_ratio: Some(value), text: None };
        table.rows[0].cells[index] = Some(cell);
    }
    table
}
