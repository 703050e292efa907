//! Charts of nothing, names that want to be markup, and PNGs of impossible sizes.

use rs_charts::{
    Bars, Caption, Chart, Forest, HeatColumn, HeatTable, Intervals, Lines, PngError, Radar, Scatter, Surface,
};

use crate::outline::outline;

#[test]
fn a_chart_of_nothing_says_so() {
    let charts: [&dyn Chart; 8] = [
        &HeatTable::default(),
        &Intervals::default(),
        &Forest::default(),
        &Radar::default(),
        &Bars::default(),
        &Surface::default(),
        &Lines::default(),
        &Scatter::default(),
    ];
    for chart in charts {
        assert_eq!(outline(chart), "body 1, foot 1, no-data 1\nno-data: no data");
        assert!(chart.to_png(300).is_ok());
        assert!(!chart.picture().has_data());
    }
}

#[test]
fn columns_without_rows_are_nothing() {
    let table = HeatTable { columns: vec![HeatColumn::new("sort")], ..HeatTable::default() };
    assert!(outline(&table).contains("no data"));
}

#[test]
fn names_are_no_markup() {
    let name = "</title><script>alert(\"1 & 2\")</script>\u{0}\u{202e}";
    let chart = Lines { caption: Caption::new(name).note(name), ..Lines::default() };
    let svg = chart.to_svg();
    assert!(!svg.contains("<script"), "{svg}");
    assert!(outline(&chart).contains("title: </title><script>alert(\"1 & 2\")</script>\u{fffd}\n"));
    assert!(chart.to_png(400).is_ok());
}

#[test]
fn a_picture_of_no_width_or_too_much_is_refused() {
    let check = |width| {
        let error = Lines::default().to_png(width).expect_err("no picture");
        assert!(matches!(error, PngError::Size { width: refused, .. } if refused == width), "{error}");
    };
    check(0);
    check(1_000_000);
    check(u32::MAX);
}

#[test]
fn a_png_has_the_width_that_was_asked_for() {
    let png = Lines::default().to_png(640).expect("a picture");
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(u32::from_be_bytes(png[16..20].try_into().expect("four bytes")), 640);
}
