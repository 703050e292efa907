//! The view over evaluations and tasks, against sums made without SQL.

use std::collections::BTreeMap;

use rs_core::eval_id::EvalId;
use rs_core::statistics::Counters;

use crate::database::{Database, identity};

/// Two models, three tasks; every outcome, and points where something is undefined.
fn database() -> Database {
    let of_m: Vec<String> = (0..60)
        .map(|index| {
            let task = ["arithmetic", "dates"][index % 2];
            let chance = if index % 2 == 0 { 0.0 } else { 0.25 };
            let outcome = match index % 7 {
                0 => r#""correct":false"#,
                1 => r#""truncated":true"#,
                2 => r#""invalid":true"#,
                3 => r#""error":"HTTP 503""#,
                _ => r#""correct":true"#,
            };
            let params = format!(r#"{{"n":{}}}"#, index % 5);
            format!(r#""base_task":"{task}","params":{params},"guess_chance":{chance},"completion_tokens":{index},{outcome}"#)
        })
        .collect();
    let of_m: Vec<&str> = of_m.iter().map(String::as_str).collect();
    Database::new(&[
        ("m", &of_m),
        (
            "n",
            &[
                // Nothing but guesses, nothing but truncations, nothing but errors.
                r#""base_task":"arithmetic","guess_chance":1"#,
                r#""base_task":"dates","truncated":true"#,
                r#""base_task":"sort","error":"HTTP 503""#,
            ],
        ),
    ])
}

/// Evaluation and task.
type Key = (String, String);

/// A row of the view: counts, then statistics.
type Row = ([i64; 6], f64, [Option<f64>; 5], Option<i64>);

#[test]
fn the_view_sums_first() {
    let database = database();
    let mut expected: BTreeMap<Key, (Counters, i64, i64, Option<i64>)> = BTreeMap::new();
    for (model, collected) in ["m", "n"].iter().zip(&database.collected) {
        for point in &collected.points {
            let key = (EvalId::new(&identity(model), None).to_string(), point.base_task.clone());
            let (counters, n_points, errors, tokens) = expected.entry(key).or_default();
            *counters += point.counters;
            *n_points += 1;
            *errors += i64::try_from(point.errors).unwrap();
            if let Some(more) = point.total_tokens {
                *tokens = Some(tokens.unwrap_or(0) + i64::try_from(more).unwrap());
            }
        }
    }
    assert_eq!(expected.len(), 5);

    let connection = database.open();
    let mut statement = connection.prepare("SELECT * FROM task_scores").unwrap();
    let rows = statement.query_map([], |row| {
        let key: Key = (row.get("eval_id")?, row.get("base_task")?);
        let count = |name: &str| row.get::<_, i64>(name);
        let counts = [
            count("n_points")?,
            count("correct")?,
            count("invalid")?,
            count("total")?,
            count("truncated")?,
            count("errors")?,
        ];
        let statistics = [
            row.get("adjusted_accuracy")?,
            row.get("adjusted_center")?,
            row.get("adjusted_margin")?,
            row.get("p_success")?,
            row.get("truncated_ratio")?,
        ];
        Ok((key, (counts, row.get("guess_sum")?, statistics, row.get("total_tokens")?)))
    });
    let found: BTreeMap<Key, Row> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());

    for (key, (counters, n_points, errors, tokens)) in expected {
        let (counts, guess_sum, statistics, total_tokens) = found[&key];
        let signed = |count: u64| i64::try_from(count).unwrap();
        let Counters { correct, invalid, answered, truncated, .. } = counters;
        let of_counters = [correct, invalid, answered, truncated].map(signed);
        assert_eq!(counts, [[n_points].as_slice(), &of_counters, &[errors]].concat()[..], "{key:?}");
        assert!((guess_sum - counters.guess_sum).abs() < 1e-12, "{key:?}");
        assert_eq!(total_tokens, tokens, "{key:?}");
        let wilson = counters.adjusted_wilson();
        let expected = [
            counters.adjusted_accuracy(),
            wilson.map(|wilson| wilson.center),
            wilson.map(|wilson| wilson.margin),
            counters.p_success(),
            counters.truncated_ratio(),
        ];
        for (found, expected) in statistics.into_iter().zip(expected) {
            let is_equal = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12,
                _ => found == expected,
            };
            assert!(is_equal, "{key:?}: {statistics:?}, expected {expected:?}");
        }
    }
}
