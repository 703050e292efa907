//! Whether the texts of a picture can be read: none is cut by its edge, none stands on another.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use resvg::usvg;

use crate::picture::{Picture, PlacedText};
use crate::{
    Align, Axis, Bars, Bounds, Caption, CategoryAxis, Chart, Clique, Curve, CurveShape, Estimate, Fingerprint,
    FingerprintValue, Forest, ForestPanel, ForestRow, ForestRowKind, HeatCell, HeatColumn, HeatRow, HeatTable,
    Interval, IntervalPanel, IntervalRow, Intervals, LeadingColumn, LinePanel, LinePoint, Lines, PointGroup, Radar,
    Scale, Scatter, ScatterPanel, Series, Surface, SurfaceCell, SurfacePanel, samples,
};

/// Letters may come this near to an edge or to each other.
const TOLERANCE: f64 = 1.0;

impl PlacedText {
    fn highest(&self) -> f64 {
        self.corners.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min)
    }

    fn lowest(&self) -> f64 {
        self.corners.iter().map(|(_, y)| *y).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// What is wrong with a picture's texts.
fn faults(picture: &Picture) -> Vec<String> {
    let mut texts = picture.texts();
    texts.sort_by(|a, b| a.highest().total_cmp(&b.highest()));
    let (width, height) = picture.size();
    let mut faults = Vec::new();
    for text in &texts {
        let inside = |(x, y): &(f64, f64)| (0.0..=width).contains(x) && (0.0..=height).contains(y);
        if !text.corners.iter().all(inside) {
            faults.push(format!("`{}` is cut", text.text));
        }
    }
    for (index, text) in texts.iter().enumerate() {
        // From the first that begins below this one's end on, none can touch it.
        for other in texts[index + 1..].iter().take_while(|other| other.highest() < text.lowest()) {
            if overlap(text, other) {
                faults.push(format!("`{}` stands on `{}`", text.text, other.text));
            }
        }
    }
    faults
}

/// Whether two turned rectangles share more than the tolerance: no side of either parts them.
fn overlap(a: &PlacedText, b: &PlacedText) -> bool {
    let parted_by_side_of = |corners: &[(f64, f64); 4]| {
        (0..2).any(|side| {
            let (from, to) = (corners[side], corners[side + 1]);
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let along = ((to.0 - from.0) / length, (to.1 - from.1) / length);
            let span = |corners: &[(f64, f64); 4]| {
                let places = corners.map(|(x, y)| x * along.0 + y * along.1);
                (places.into_iter().fold(f64::INFINITY, f64::min), places.into_iter().fold(f64::NEG_INFINITY, f64::max))
            };
            let ((low_a, high_a), (low_b, high_b)) = (span(&a.corners), span(&b.corners));
            high_a - TOLERANCE <= low_b || high_b - TOLERANCE <= low_a
        })
    };
    !parted_by_side_of(&a.corners) && !parted_by_side_of(&b.corners)
}

#[test]
fn every_sample_is_legible() {
    for (name, chart) in samples::all() {
        let faults = faults(&chart.picture());
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

/// Names as people and strangers give them, and numbers of every kind.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 ./=_-]{0,60}", "\\PC{0,20}", "\\s*", Just("W".repeat(200))]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..1.0, 1 => 0.0..100_000.0, 1 => any::<f64>()]
}

fn estimate() -> impl Strategy<Value = Option<Estimate>> {
    option::of((number(), number(), number()).prop_map(|(value, low, high)| Estimate::with_interval(value, low, high)))
}

fn axis() -> impl Strategy<Value = Axis> {
    let bounds = prop_oneof![
        Just(Bounds::Data),
        Just(Bounds::DataAndZero),
        (number(), number()).prop_map(|(low, high)| Bounds::Fixed(low, high))
    ];
    let scale = prop_oneof![Just(Scale::Linear), Just(Scale::Logarithmic)];
    (name(), scale, bounds, any::<bool>()).prop_map(|(label, scale, bounds, percent)| Axis {
        label,
        scale,
        bounds,
        percent,
    })
}

fn caption() -> impl Strategy<Value = Caption> {
    (name(), name(), vec(name(), 0..4)).prop_map(|(title, subtitle, notes)| Caption { title, subtitle, notes })
}

/// Legible, and without a number that is none.
#[track_caller]
fn check(chart: &dyn Chart) {
    let picture = chart.picture();
    assert_eq!(faults(&picture), Vec::<String>::new());
    let svg = picture.to_svg();
    let document = usvg::roxmltree::Document::parse(&svg).expect("well-formed XML");
    for attribute in document.descendants().flat_map(|node| node.attributes()).filter(|a| a.name() != "aria-label") {
        let value = attribute.value();
        assert!(!value.contains("NaN") && !value.contains("inf"), "{}={value}", attribute.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_heat_table_is_legible(
        caption in caption(),
        value_label in name(),
        columns in vec((name(), option::of(name())), 0..24),
        rows in vec((name(), vec(name(), 0..3), vec(option::of((option::of(number()), option::of(number()), option::of(number()), option::of(name()))), 0..24)), 0..8),
    ) {
        let cell = |(value, margin, truncated_ratio, text)| HeatCell { value, margin, truncated_ratio, text };
        let row = |(label, leading, cells): (String, Vec<String>, Vec<Option<_>>)| HeatRow {
            label,
            leading,
            cells: cells.into_iter().map(|known| known.map(cell)).collect(),
            ..HeatRow::default()
        };
        check(&HeatTable {
            caption,
            value_label,
            leading: vec![LeadingColumn { header: "score".to_owned(), align: Align::Right }, LeadingColumn::default()],
            columns: columns.into_iter().map(|(label, group)| HeatColumn { label, group }).collect(),
            rows: rows.into_iter().map(row).collect(),
            ..HeatTable::default()
        });
    }

    #[test]
    fn any_intervals_are_legible(
        caption in caption(),
        axes in vec(axis(), 0..3),
        panels in vec((name(), vec((name(), 0..40_usize, vec(estimate(), 0..3), option::of(number())), 0..12), vec((0..3_usize, vec(0..14_usize, 0..5), name()), 0..12)), 0..12),
    ) {
        let row = |(label, series, estimates, truncated_ratio)| IntervalRow { label, series: Series(series), estimates, truncated_ratio };
        let clique = |(axis, members, label)| Clique { axis, members, label, colour: axis };
        let panel = |(label, rows, cliques): (String, Vec<_>, Vec<_>)| IntervalPanel {
            label,
            rows: rows.into_iter().map(row).collect(),
            cliques: cliques.into_iter().map(clique).collect(),
        };
        check(&Intervals { caption, axes, panels: panels.into_iter().map(panel).collect(), truncation_mark: None });
    }

    #[test]
    fn any_forest_is_legible(
        caption in caption(),
        axis in axis(),
        texts in [name(), name(), name(), name()],
        panels in vec((name(), vec((name(), any::<bool>(), estimate(), option::of(number()), option::of(any::<u64>())), 0..8)), 0..3),
    ) {
        let row = |(label, overall, difference, p, trials)| ForestRow {
            label,
            kind: if overall { ForestRowKind::Overall } else { ForestRowKind::Part },
            difference,
            p,
            trials,
        };
        let panel = |(label, rows): (String, Vec<_>)| ForestPanel {
            label,
            series: Series(0),
            rows: rows.into_iter().map(row).collect(),
        };
        let [below_zero, above_zero, p_header, trials_header] = texts;
        let panels = panels.into_iter().map(panel).collect();
        check(&Forest { caption, axis, below_zero, above_zero, p_header, trials_header, panels });
    }

    #[test]
    fn any_fingerprints_are_legible(
        caption in caption(),
        tasks in vec(name(), 0..40),
        value_label in name(),
        fingerprints in vec((name(), 0..40_usize, vec(option::of((number(), number(), option::of(number()), option::of(number()))), 0..40)), 0..9),
    ) {
        let value = |(value, low, truncated_ratio, tokens)| FingerprintValue {
            value,
            interval: Some(Interval { low, high: value }),
            truncated_ratio,
            tokens,
        };
        let fingerprint = |(label, series, values): (String, usize, Vec<Option<_>>)| Fingerprint {
            label,
            series: Series(series),
            values: values.into_iter().map(|known| known.map(value)).collect(),
        };
        let fingerprints: Vec<Fingerprint> = fingerprints.into_iter().map(fingerprint).collect();
        let bars = Bars { caption: caption.clone(), tasks: tasks.clone(), value_label: value_label.clone(), fingerprints: fingerprints.clone() };
        check(&bars);
        check(&Radar { caption, tasks, value_label, fingerprints, truncation_mark: None });
    }

    #[test]
    fn any_surface_is_legible(
        caption in caption(),
        x in (name(), vec(name(), 0..20)),
        y in (name(), vec(name(), 0..20)),
        value_label in name(),
        panels in vec((name(), vec((0..22_usize, 0..22_usize, number(), option::of(any::<u64>()), option::of(number())), 0..60)), 0..6),
    ) {
        let cell = |(x, y, value, trials, truncated_ratio)| SurfaceCell { x, y, value, trials, truncated_ratio };
        let panel = |(label, cells): (String, Vec<_>)| SurfacePanel { label, cells: cells.into_iter().map(cell).collect() };
        check(&Surface {
            caption,
            x: CategoryAxis { label: x.0, values: x.1 },
            y: CategoryAxis { label: y.0, values: y.1 },
            value_label,
            panels: panels.into_iter().map(panel).collect(),
            truncation_mark: None,
        });
    }

    #[test]
    fn any_lines_and_clouds_are_legible(
        caption in caption(),
        x in axis(),
        panels in vec((name(), axis(), vec((name(), 0..40_usize, 0..3_usize, vec((number(), option::of(number()), option::of((number(), number()))), 0..12)), 0..9)), 0..7),
    ) {
        let point = |(x, y, interval): (f64, Option<f64>, Option<(f64, f64)>)| LinePoint {
            x,
            y,
            interval: interval.map(|(low, high)| Interval { low, high }),
            truncated_ratio: y,
        };
        let shapes = [CurveShape::Straight, CurveShape::Marked, CurveShape::Steps];
        let curve = |(label, series, shape, points): (String, usize, usize, Vec<_>)| Curve {
            label,
            series: Series(series),
            shape: shapes[shape],
            points: points.into_iter().map(point).collect(),
        };
        let panel = |(label, y, curves): (String, Axis, Vec<_>)| LinePanel {
            label,
            y,
            curves: curves.into_iter().map(curve).collect(),
        };
        let panels: Vec<LinePanel> = panels.into_iter().map(panel).collect();
        let group = |curve: &Curve| PointGroup {
            label: curve.label.clone(),
            series: curve.series,
            points: curve.points.iter().filter_map(|point| Some([point.x, point.y?])).collect(),
            trend: curve.points.clone(),
        };
        let clouds = |panel: &LinePanel| ScatterPanel {
            label: panel.label.clone(),
            groups: panel.curves.iter().map(group).collect(),
        };
        let y = panels.first().map_or_else(Axis::default, |panel| panel.y.clone());
        check(&Scatter { caption: caption.clone(), x: x.clone(), y, panels: panels.iter().map(clouds).collect() });
        check(&Lines { caption, x, panels, truncation_mark: None });
    }
}

#[test]
fn faults_are_seen() {
    let text = |x: f64, y: f64| PlacedText {
        text: format!("{x} {y}"),
        corners: [(x, y), (x + 20.0, y), (x + 20.0, y + 8.0), (x, y + 8.0)],
    };
    assert!(overlap(&text(0.0, 0.0), &text(15.0, 5.0)));
    assert!(!overlap(&text(0.0, 0.0), &text(25.0, 5.0)));
    assert!(!overlap(&text(0.0, 0.0), &text(5.0, 9.0)));
}
