//! One small chart of each kind.

use insta::assert_snapshot;
use rs_charts::{
    Align, Axis, Bars, Caption, CategoryAxis, Clique, Curve, CurveShape, Estimate, Fingerprint, FingerprintValue,
    Forest, ForestPanel, ForestRow, ForestRowKind, HeatCell, HeatColumn, HeatRow, HeatTable, Interval, IntervalPanel,
    IntervalRow, Intervals, LeadingColumn, LinePanel, LinePoint, Lines, PointGroup, Radar, Scatter, ScatterPanel,
    Series, Surface, SurfaceCell, SurfacePanel,
};

use crate::outline::outline;

fn caption() -> Caption {
    Caption::new("A title").subtitle("r12").interval(0.95).trials(1_200)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn heat_table() {
    let cell = |value, truncated| {
        Some(HeatCell { value: Some(value), margin: Some(0.021), truncated_ratio: Some(truncated), text: None })
    };
    let table = HeatTable {
        caption: caption(),
        row_header: "evaluation".to_owned(),
        leading: vec![LeadingColumn { header: "score".to_owned(), align: Align::Right }],
        columns: vec![HeatColumn::new("sort"), HeatColumn { label: "cars".to_owned(), group: Some("g".to_owned()) }],
        rows: vec![
            HeatRow {
                label: "alpha".to_owned(),
                series: Some(Series(0)),
                leading: texts(&["900 ±12"]),
                cells: vec![cell(0.874, 0.3), cell(1.0, 0.0)],
                tier: Some(1),
            },
            HeatRow {
                label: "beta".to_owned(),
                cells: vec![cell(0.0, 0.02), None],
                tier: Some(2),
                ..HeatRow::default()
            },
        ],
        value_label: "accuracy".to_owned(),
        truncation_mark: None,
    };
    assert_snapshot!(outline(&table), @r#"
    body 1, cell 4, colour-scale 1, column-group 1, foot 1, header 1, row 2, subtitle 1, title 1, truncated 1
    title: A title
    subtitle: r12
    colour-scale: accuracy | .00 | .25 | .50 | .75 | 1.0
    header: evaluation | score | sort | cars
    row: alpha | 900 ±12
    row/cell: .87 | ±.02
    row/cell/truncated: t30
    row/cell: 1.0 | ±.02
    row: beta
    row/cell: .00 | ±.02 | –
    column-group: g
    foot: 95 % intervals  ·  n = 1,200  ·  t: percent truncated, where over 2 %  ·  second line: half the interval's width | lines divide tiers
    "#);
}

#[test]
fn intervals() {
    let row = |label: &str, value, truncated| IntervalRow {
        label: label.to_owned(),
        series: Series(1),
        estimates: vec![Some(Estimate::with_interval(value, value - 0.1, value + 0.05)), None],
        truncated_ratio: Some(truncated),
    };
    let chart = Intervals {
        caption: caption(),
        axes: vec![Axis::ratio("accuracy"), Axis::new("tokens")],
        panels: vec![IntervalPanel {
            label: "sort".to_owned(),
            rows: vec![row("alpha", 0.9, 0.0), row("beta", 0.85, 0.13)],
            cliques: vec![Clique { axis: 0, members: vec![0, 1, 7], label: "1".to_owned(), colour: 0 }],
        }],
        truncation_mark: None,
    };
    assert_snapshot!(outline(&chart), @r#"
    body 1, clique 1, column 1, foot 1, interval 2, interval-row 2, panel 1, subtitle 1, ticks 1, title 1
    title: A title
    subtitle: r12
    column: sort
    column/panel/ticks: 0 % | 20 % | 40 % | 60 % | 80 % | 100 %
    column/panel/interval-row: alpha | beta | 13 %
    column/panel/clique: 1
    column: accuracy
    foot: 95 % intervals  ·  n = 1,200  ·  hollow: over 2 % truncated, share beside the label | markers have the evaluation's colour, intervals that of its clique | dots on one line right of a plot cannot be told apart
    "#);
}

#[test]
fn forest() {
    let row = |label: &str, kind, difference, p| ForestRow {
        label: label.to_owned(),
        kind,
        difference,
        p: Some(p),
        trials: Some(1_000),
    };
    let chart = Forest {
        caption: caption(),
        axis: Axis::new("difference in accuracy"),
        below_zero: "beta".to_owned(),
        above_zero: "alpha".to_owned(),
        p_header: "p".to_owned(),
        trials_header: "shared".to_owned(),
        panels: vec![ForestPanel {
            rows: vec![
                row("sort", ForestRowKind::Part, Some(Estimate::with_interval(-0.04, -0.08, 0.01)), 0.12),
                row("cars", ForestRowKind::Part, None, 1.0),
                row("overall", ForestRowKind::Overall, Some(Estimate::with_interval(0.05, 0.02, 0.08)), 0.0004),
            ],
            ..ForestPanel::default()
        }],
    };
    assert_snapshot!(outline(&chart), @r#"
    body 1, foot 1, forest-row 3, header 1, interval 1, panel 1, subtitle 1, ticks 1, title 1, zero 1
    title: A title
    subtitle: r12
    header: difference | p | shared
    panel/forest-row: sort | −.040 [−.080, .010] | .12 | 1,000 | cars | 1.0 | 1,000 | overall | .050 [.020, .080] | <.001 | 1,000
    ticks: −0.08 | −0.06 | −0.04 | −0.02 | 0.00 | 0.02 | 0.04 | 0.06 | 0.08
    : ← beta | alpha → | difference in accuracy
    foot: 95 % intervals  ·  n = 1,200  ·  squares grow with the number of trials  ·  diamonds: overall, as wide as the interval
    "#);
}

fn fingerprints() -> Vec<Fingerprint> {
    let value = |value, truncated| {
        let interval = Some(Interval { low: value - 0.1, high: value + 0.1 });
        Some(FingerprintValue { value, interval, truncated_ratio: Some(truncated), tokens: Some(1_000.0) })
    };
    vec![
        Fingerprint {
            label: "alpha".to_owned(),
            series: Series(0),
            values: vec![value(0.9, 0.0), value(0.5, 0.25), value(0.7, 0.0)],
        },
        Fingerprint { label: "beta".to_owned(), series: Series(1), values: vec![value(0.3, 0.0), None] },
    ]
}

#[test]
fn radar() {
    let chart = Radar {
        caption: caption(),
        tasks: texts(&["sort", "cars", "dates"]),
        value_label: "accuracy".to_owned(),
        fingerprints: fingerprints(),
        truncation_mark: None,
    };
    assert_snapshot!(outline(&chart), @r#"
    body 1, corner 4, fingerprint 2, foot 1, legend 1, legend-entry 2, spokes 1, subtitle 1, title 1, truncated 2
    title: A title
    subtitle: r12
    legend/legend-entry: alpha | beta
    spokes: sort | cars | dates
    : .25 | .50 | .75 | 1.0
    foot: 95 % intervals  ·  n = 1,200  ·  distance from the middle: accuracy  ·  bands: intervals | hollow: over 2 % truncated, hatched: the truncated share
    "#);
}

#[test]
fn bars() {
    let chart = Bars {
        caption: caption(),
        tasks: texts(&["sort", "cars", "dates"]),
        value_label: "accuracy".to_owned(),
        fingerprints: fingerprints(),
    };
    assert_snapshot!(outline(&chart), @r#"
    bar 4, body 1, foot 1, legend 1, legend-entry 2, subtitle 1, ticks 2, title 1, truncated 1
    title: A title
    subtitle: r12
    legend/legend-entry: alpha | beta
    ticks: 0 % | 10 % | 20 % | 30 % | 40 % | 50 % | 60 % | 70 % | 80 % | 90 % | 100 %
    : accuracy
    ticks: 0 | 200 | 400 | 600 | 800 | 1,000
    : mean completion tokens | sort | cars | dates
    foot: 95 % intervals  ·  n = 1,200  ·  hatched: truncated
    "#);
}

#[test]
fn surface() {
    let cell =
        |x, y, value, truncated| SurfaceCell { x, y, value, trials: Some(100), truncated_ratio: Some(truncated) };
    let chart = Surface {
        caption: caption(),
        x: CategoryAxis { label: "length".to_owned(), values: texts(&["8", "16"]) },
        y: CategoryAxis { label: "depth".to_owned(), values: texts(&["1", "2"]) },
        value_label: "accuracy".to_owned(),
        panels: vec![
            SurfacePanel { label: "alpha".to_owned(), cells: vec![cell(0, 0, 0.9, 0.0), cell(1, 0, 0.2, 0.3)] },
            // Twice in one place, and outside of the axes.
            SurfacePanel {
                label: "beta".to_owned(),
                cells: vec![cell(0, 0, 0.1, 0.0), cell(0, 0, 0.4, 0.0), cell(2, 0, 0.5, 0.0)],
            },
        ],
        truncation_mark: None,
    };
    assert_snapshot!(outline(&chart), @r#"
    body 1, cell 3, colour-scale 1, foot 1, panel 2, subtitle 1, ticks 2, title 1, truncated 1
    title: A title
    subtitle: r12
    colour-scale: accuracy | .00 | .25 | .50 | .75 | 1.0
    panel: alpha
    panel/cell: .90 | 100 | .20 | 100 t30
    panel/ticks: 8 | 16 | 1 | 2
    panel: length | depth | beta
    panel/cell: .40 | 100
    panel/ticks: 8 | 16
    panel: length
    foot: 95 % intervals  ·  n = 1,200  ·  hatched: over 2 % truncated, t: percent | small numbers: trials in a cell; 100 trials a cell  ·  grey: no trials
    "#);
}

#[test]
fn lines() {
    let point = |x, y: Option<f64>| LinePoint {
        x,
        y,
        interval: y.map(|y| Interval { low: y - 0.1, high: y + 0.1 }),
        truncated_ratio: Some(x / 100.0),
    };
    let curve = |label: &str, series, shape| Curve {
        label: label.to_owned(),
        series: Series(series),
        shape,
        points: vec![point(4.0, Some(0.2)), point(1.0, Some(0.9)), point(2.0, Some(0.6)), point(3.0, None)],
    };
    let panel = |label: &str, curves| LinePanel { label: label.to_owned(), y: Axis::ratio("survival"), curves };
    let chart = Lines {
        caption: caption(),
        x: Axis::new("tokens"),
        panels: vec![
            panel("one", vec![curve("alpha", 0, CurveShape::Steps), curve("beta", 1, CurveShape::Marked)]),
            panel("two", vec![curve("alpha", 0, CurveShape::Straight)]),
        ],
        truncation_mark: None,
    };
    assert_snapshot!(outline(&chart), @r#"
    band 3, body 1, clipped 5, curve 3, foot 1, legend 1, legend-entry 2, panel 2, point 4, subtitle 1, ticks 4, title 1, truncated 1
    title: A title
    subtitle: r12
    legend/legend-entry: alpha | beta
    panel: one
    panel/ticks: 1.0 | 1.5 | 2.0 | 2.5 | 3.0 | 3.5 | 4.0
    panel: tokens
    panel/ticks: 0 % | 20 % | 40 % | 60 % | 80 % | 100 %
    panel: survival | two
    panel/ticks: 1.0 | 1.5 | 2.0 | 2.5 | 3.0 | 3.5 | 4.0
    panel: tokens
    panel/ticks: 0 % | 20 % | 40 % | 60 % | 80 % | 100 %
    panel: survival
    foot: 95 % intervals  ·  n = 1,200  ·  hollow: over 2 % truncated
    "#);
}

#[test]
fn scatter() {
    let group = |points| PointGroup {
        label: "alpha".to_owned(),
        series: Series(0),
        points,
        trend: vec![
            LinePoint { x: 10.0, y: Some(10.0), ..LinePoint::default() },
            LinePoint { x: 1_000.0, y: Some(1_000.0), ..LinePoint::default() },
        ],
    };
    let few = group(vec![[10.0, 12.0], [1_000.0, 900.0], [0.0, 5.0]]);
    let many = group((0..30_000).map(|index| [10.0 + f64::from(index % 900), 10.0 + f64::from(index % 70)]).collect());
    let panel = |label: &str, group| ScatterPanel { label: label.to_owned(), groups: vec![group] };
    let chart = Scatter {
        caption: caption(),
        x: Axis::new("tokens").logarithmic(),
        y: Axis::new("bytes").logarithmic(),
        panels: vec![panel("correct", few), panel("truncated", many)],
    };
    assert_snapshot!(outline(&chart), @r#"
    body 1, clipped 4, foot 1, legend 1, legend-entry 1, panel 2, points 2, subtitle 1, ticks 3, title 1, trend 2
    title: A title
    subtitle: r12
    legend/legend-entry: alpha
    panel/ticks: 10 | 20 | 50 | 100 | 200 | 500 | 1,000 | 10 | 20 | 50 | 100 | 200 | 500 | 1,000
    panel: bytes | tokens | correct |   n = 3
    panel/ticks: 10 | 20 | 50 | 100 | 200 | 500 | 1,000
    panel: tokens | truncated |   n = 30,000
    foot: 95 % intervals  ·  n = 1,200  ·  1 point has no place on the axes: 0 tokens, which a logarithmic axis cannot show  ·  over 20,000 points: squares, darker with more points
    "#);
}
