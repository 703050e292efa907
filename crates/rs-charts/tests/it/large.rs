//! What becomes of charts of very few and of very many things.

use rs_charts::{
    Axis, Bars, Caption, Chart, Clique, Curve, CurveShape, Estimate, Fingerprint, FingerprintValue, Forest,
    ForestPanel, ForestRow, ForestRowKind, Interval, IntervalPanel, IntervalRow, Intervals, LinePanel, LinePoint,
    Lines, PointGroup, Radar, Scatter, ScatterPanel, Series,
};

use crate::outline::{count, occurrences};

fn fingerprints(evaluations: usize, tasks: usize) -> Vec<Fingerprint> {
    let value = |task: usize| {
        let value = 0.2 + 0.5 * (task % 7) as f64 / 7.0;
        let interval = Some(Interval { low: value - 0.1, high: value + 0.1 });
        Some(FingerprintValue { value, interval, truncated_ratio: None, tokens: Some(100.0) })
    };
    let fingerprint = |index: usize| Fingerprint {
        label: format!("model {index}"),
        series: Series(index),
        values: (0..tasks).map(value).collect(),
    };
    (0..evaluations).map(fingerprint).collect()
}

fn radar(evaluations: usize, tasks: usize) -> Radar {
    Radar {
        caption: Caption::new("A title").interval(0.95),
        tasks: (0..tasks).map(|task| format!("task {task}")).collect(),
        value_label: "accuracy".to_owned(),
        fingerprints: fingerprints(evaluations, tasks),
        truncation_mark: None,
    }
}

#[test]
fn a_radar_of_one_or_two_tasks_is_bars() {
    for tasks in [1, 2] {
        let chart = radar(3, tasks);
        assert_eq!((count(&chart, "bar"), count(&chart, "no-data")), (3 * tasks, 0));
        assert_eq!(occurrences(&chart, "task 0"), 1);
    }
    assert_eq!(count(&radar(3, 3), "bar"), 0);
}

#[test]
fn a_radar_that_speaks_of_intervals_has_them() {
    assert_eq!(count(&radar(5, 8), "interval"), 40);
    assert!(radar(5, 8).to_svg().contains("strokes along the spokes: intervals"));
    assert!(radar(2, 8).to_svg().contains("bands: intervals"));
    let mut without = radar(5, 8);
    let values = without.fingerprints.iter_mut().flat_map(|fingerprint| fingerprint.values.iter_mut().flatten());
    values.for_each(|value| value.interval = None);
    assert!(!without.to_svg().contains("strokes along"));
}

#[test]
fn bars_of_many_tasks_stand_in_columns_with_axes_at_both_ends() {
    let Radar { caption, tasks, value_label, fingerprints, .. } = radar(5, 101);
    let chart = Bars { caption, tasks, value_label, fingerprints };
    let (width, height) = chart.picture().size();
    assert!(height < width * 1.5, "{width} × {height}");
    assert_eq!((count(&chart, "bar"), occurrences(&chart, "task 100")), (505, 1));
    assert_eq!(occurrences(&chart, "accuracy"), 8, "above and below each of four columns");
}

fn intervals(panels: usize) -> Intervals {
    let row = |index: usize| IntervalRow {
        label: format!("model {index}"),
        series: Series(index),
        estimates: vec![
            Some(Estimate::with_interval(0.5, 0.499, 0.501)),
            Some(Estimate::with_interval(400.0, 0.0, 900.0)),
        ],
        truncated_ratio: None,
    };
    let clique = |colour: usize, members: &[usize]| Clique {
        axis: 0,
        members: members.to_vec(),
        label: ["A", "B"][colour].to_owned(),
        colour,
    };
    let panel = |index: usize| IntervalPanel {
        label: format!("task {index}"),
        rows: (0..3).map(row).collect(),
        cliques: vec![clique(0, &[0, 1]), clique(1, &[1, 2])],
    };
    Intervals {
        axes: vec![Axis::ratio("accuracy"), Axis::new("tokens").logarithmic()],
        panels: (0..panels).map(panel).collect(),
        ..Intervals::default()
    }
}

#[test]
fn many_facets_stand_in_columns_with_axes_at_both_ends() {
    let chart = intervals(101);
    let (width, height) = chart.picture().size();
    assert!(height < width * 1.5, "{width} × {height}");
    assert!(count(&chart, "column") > 1);
    assert_eq!(count(&chart, "panel"), 101);
    for label in ["accuracy", "tokens"] {
        assert_eq!(occurrences(&chart, label), 2 * count(&chart, "column"));
    }
    assert_eq!(count(&intervals(2), "column"), 1);
}

#[test]
fn intervals_have_the_colours_of_their_cliques_and_markers_those_of_their_evaluations() {
    let svg = intervals(1).to_svg();
    let after = |class: &str| {
        let class = format!("class=\"{class}\"");
        let parts = svg.split(&class).skip(1);
        parts.map(|part| part.split("</g>").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let found = after("interval");
    assert_eq!(found.len(), 6, "an interval is drawn although one of its ends has no place: {svg}");
    let (first, second) = ("#332288", "#cc6677");
    assert!(found[0].contains(first) && !found[0].contains(second), "{}", found[0]);
    assert!(found[2].contains(first) && found[2].contains(second), "striped: {}", found[2]);
    assert!(found[4].contains(second) && !found[4].contains(first), "{}", found[4]);
    let cliques = after("clique");
    assert!(cliques[0].contains(first) && cliques[1].contains(second));
    for colour in ["#0072b2", "#d55e00", "#009e73"] {
        assert!(svg.contains(colour), "an evaluation has its own colour: {colour}");
    }
}

#[test]
fn a_short_interval_lies_over_its_mark() {
    let row = ForestRow {
        label: "gsm".to_owned(),
        kind: ForestRowKind::Part,
        difference: Some(Estimate::with_interval(0.1, 0.099, 0.101)),
        ..ForestRow::default()
    };
    let wide = ForestRow { difference: Some(Estimate::with_interval(0.0, -0.9, 0.9)), ..row.clone() };
    let panels = vec![ForestPanel { rows: vec![row, wide], ..ForestPanel::default() }];
    let forest = Forest { axis: Axis::new("difference"), panels, ..Forest::default() }.to_svg();
    for (svg, mark) in [(forest, "<rect"), (intervals(1).to_svg(), "<circle")] {
        let (before, after) = svg.split_once("class=\"interval\"").expect("an interval");
        assert!(before.contains(mark) && after.contains("<path"), "{svg}");
    }
}

#[test]
fn many_marked_curves_have_strokes_side_by_side_and_hollow_marks() {
    let lines = |curves: usize| {
        let point = |x: f64| LinePoint {
            x,
            y: Some(0.5),
            interval: Some(Interval { low: 0.4, high: 0.6 }),
            truncated_ratio: Some(if x > 1.5 { 0.3 } else { 0.01 }),
        };
        let curve = |index: usize| Curve {
            label: format!("model {index}"),
            series: Series(index),
            shape: CurveShape::Marked,
            points: vec![point(1.0), point(2.0)],
        };
        Lines {
            x: Axis::new("length"),
            panels: vec![LinePanel {
                y: Axis::ratio("accuracy"),
                curves: (0..curves).map(curve).collect(),
                ..LinePanel::default()
            }],
            ..Lines::default()
        }
    };
    let (few, many) = (lines(2), lines(11));
    assert_eq!((count(&few, "band"), count(&few, "strokes"), count(&few, "truncated")), (2, 0, 2));
    assert_eq!((count(&many, "band"), count(&many, "strokes"), count(&many, "truncated")), (0, 11, 11));
    assert!(many.to_svg().contains("hollow: over 2 % truncated"));
}

#[test]
fn the_last_cloud_does_not_hide_the_others() {
    let group = |index: usize| PointGroup {
        label: format!("model {index}"),
        series: Series(index),
        points: (1..200).map(|point| [f64::from(point), f64::from(point)]).collect(),
        trend: Vec::new(),
    };
    let panels = vec![ScatterPanel { label: "correct".to_owned(), groups: vec![group(0), group(1)] }];
    let chart = Scatter { x: Axis::new("tokens"), y: Axis::new("bytes"), panels, ..Scatter::default() };
    assert!(count(&chart, "points") > 8, "drawn by turns");
    assert_eq!(count(&chart, "legend-entry"), 2);
}

#[test]
fn a_legend_uses_the_width_there_is() {
    let name = "Claude-3.5-Sonnet with a long name (zero-shot, t0.6-p0.95-32k)";
    let mut chart = radar(1, 8);
    chart.fingerprints[0].label = name.to_owned();
    assert_eq!(occurrences(&chart, name), 1);
}
