//! The macros against the statistics that they repeat in SQL.

use duckdb::Connection;
use rs_core::statistics::{Counters, Z_95, wilson};

use crate::database::Database;

fn connection() -> (Database, Connection) {
    let database = Database::new(&[("m", &[r#""base_task":"b""#])]);
    let connection = database.open();
    (database, connection)
}

#[track_caller]
fn value(connection: &Connection, expression: &str) -> Option<f64> {
    connection.query_row(&format!("SELECT ({expression})::DOUBLE"), [], |row| row.get(0)).unwrap()
}

#[track_caller]
fn check(connection: &Connection, expression: &str, expected: Option<f64>) {
    let found = value(connection, expression);
    let is_equal = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12,
        _ => found == expected,
    };
    assert!(is_equal, "{expression}: {found:?}, expected {expected:?}");
}

/// Counters of all sorts: nothing, only truncated, only guesses, below and above chance, many.
fn groups() -> Vec<Counters> {
    let counters = |correct, answered, truncated, guess_sum| Counters {
        correct,
        answered,
        truncated,
        guess_sum,
        ..Counters::default()
    };
    vec![
        counters(0, 0, 0, 0.0),
        counters(0, 0, 7, 0.0),
        counters(2, 2, 0, 2.0),
        counters(2, 2, 1, 2.0),
        counters(1, 2, 0, 2.5),
        counters(0, 1, 0, 0.0),
        counters(1, 1, 0, 0.0),
        counters(0, 10, 3, 2.5),
        counters(1, 10, 0, 5.0),
        counters(10, 10, 0, 2.5),
        counters(337, 888, 8, 74.0),
        counters(81, 263, 0, 0.0),
        counters(999, 1000, 1, 1.0 / 3.0),
        counters(1_999_999_999, 2_000_000_000, 147_483_647, 0.125),
    ]
}

/// The types that counters have in a query: of the columns, of sums over them, and as people type them.
const TYPES: [&str; 5] = ["INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "DECIMAL(12, 1)"];

#[test]
fn macros_are_the_statistics() {
    let (_database, connection) = connection();
    for group in groups() {
        for kind in TYPES {
            let number = |count: u64| format!("{count}::{kind}");
            let (correct, total, truncated) = (number(group.correct), number(group.answered), number(group.truncated));
            let guess_sum = format!("{:?}::DOUBLE", group.guess_sum);
            check(
                &connection,
                &format!("adjusted_accuracy({correct}, {total}, {guess_sum})"),
                group.adjusted_accuracy(),
            );
            check(&connection, &format!("p_success({correct}, {total}, {truncated}, {guess_sum})"), group.p_success());
            check(&connection, &format!("truncated_ratio({truncated}::BIGINT, {total})"), group.truncated_ratio());
            let interval = wilson(group.correct as f64, group.answered as f64, Z_95);
            check(&connection, &format!("wilson_center({correct}, {total})"), interval.map(|wilson| wilson.center));
            check(&connection, &format!("wilson_margin({correct}, {total})"), interval.map(|wilson| wilson.margin));
        }
        let (successes, trials) = (group.adjusted_successes(), group.adjusted_trials());
        let interval = group.adjusted_wilson();
        let arguments = format!("{successes:?}::DOUBLE, {trials:?}::DOUBLE");
        check(&connection, &format!("wilson_center({arguments})"), interval.map(|wilson| wilson.center));
        check(&connection, &format!("wilson_margin({arguments})"), interval.map(|wilson| wilson.margin));
    }
}

/// As typed, without a thought for types.
#[test]
fn the_published_vectors() {
    let (_database, connection) = connection();
    let ends = |s: &str, n: &str| {
        let end = |sign: &str| {
            value(&connection, &format!("wilson_center({s}, {n}) {sign} wilson_margin({s}, {n})")).unwrap()
        };
        (end("-"), end("+"))
    };
    for (s, n, lower, upper) in [
        ("0", "1", 0.0, 0.793_450_685_6),
        ("1", "1", 0.206_549_314_4, 1.0),
        ("1", "10", 0.017_876_213_1, 0.404_150_026_8),
        ("5.0", "10.0", 0.236_593_090_5, 0.763_406_909_5),
        ("3", "100", 0.010_254_524_0, 0.084_519_364_3),
        ("81.0", "263", 0.255_288_519_9, 0.366_209_577_0),
        ("640", "1000", 0.609_766_237_4, 0.669_162_270_2),
        ("999", "1000", 0.994_357_441_4, 0.999_823_453_6),
    ] {
        let (found_lower, found_upper) = ends(s, n);
        assert!((found_lower - lower).abs() < 1e-10 && (found_upper - upper).abs() < 1e-10, "{s} of {n}");
    }
    check(&connection, "round(adjusted_accuracy(337, 888, 74), 6)", Some(0.323_096));
    check(&connection, "round(adjusted_accuracy(337, 888, 74.0), 6)", Some(0.323_096));
    check(&connection, "round(truncated_ratio(8, 888), 7)", Some(0.008_928_6));
    check(&connection, "round(100 * truncated_ratio(103, 2201), 2)", Some(4.47));
    check(&connection, "p_success(3, 4, 4, 0)", Some(0.375));
}

#[test]
fn unknown_in_unknown_out() {
    let (_database, connection) = connection();
    for expression in [
        "adjusted_accuracy(NULL, 3, 0)",
        "adjusted_accuracy(1, NULL, 0)",
        "adjusted_accuracy(1, 3, NULL)",
        "wilson_center(NULL, 3)",
        "wilson_center(1, NULL)",
        "wilson_margin(NULL, 3)",
        "wilson_margin(1, NULL)",
        "truncated_ratio(NULL, 1)",
        "truncated_ratio(1, NULL)",
        "p_success(1, 2, NULL, 0)",
        "wilson_center(0, 0)",
        "wilson_margin(1, -1)",
        "truncated_ratio(0, 0)",
    ] {
        check(&connection, expression, None);
    }
}

/// On columns of a table, grouped: what the macros are for.
#[test]
fn over_groups() {
    let database = Database::new(&[(
        "m",
        &[
            r#""base_task":"a","params":{"n":1},"guess_chance":0.25"#,
            r#""base_task":"a","params":{"n":2},"guess_chance":0.25,"correct":false"#,
            r#""base_task":"a","params":{"n":2},"truncated":true"#,
            r#""base_task":"b","params":{"n":2},"error":"HTTP 503""#,
        ],
    )]);
    let connection = database.open();
    let rows = "SELECT base_task, adjusted_accuracy(sum(correct), sum(total), sum(guess_sum)),
        p_success(sum(correct), sum(total), sum(truncated), sum(guess_sum)), truncated_ratio(sum(truncated), sum(total)),
        wilson_center(sum(correct) - sum(guess_sum), sum(total) - sum(guess_sum)) IS NULL
        FROM points GROUP BY base_task ORDER BY base_task";
    let rows = crate::database::texts(&connection, rows);
    assert_eq!(rows[1], ["b", "NULL", "NULL", "NULL", "true"]);
    assert_eq!(rows[0][3..], ["0.3333333333333333", "false"]);
    check(&connection, rows[0][1].as_str(), Some(0.5 / 1.5));
    check(&connection, rows[0][2].as_str(), Some(0.5 / 2.5));
}
