//! Building beside the old database: what is put in its place, and what is left where nothing was.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rs_core::eval_id::EvalId;
use rs_core::monitor::Monitor;
use rs_core::point::Point;
use rs_pointsdb::PointsDbError;
use rs_pointsdb::builder::{Builder, Old};
use rs_pointsdb::connection::{Size, open_to_read};

use crate::database::{Database, LIMITS, eval_row, identity, texts};

const POINTS: &str = "SELECT * FROM points ORDER BY eval_id, base_task, params::VARCHAR";
const RAW_FILES: &str = "FROM raw_files ORDER BY eval_id, file";

fn database() -> Database {
    let records = [
        r#""base_task":"b","seed":1,"index":2,"completion_tokens":300,"guess_chance":0.5,"score":0.25,"category":"it's""#,
        r#""base_task":"b","seed":1,"index":1,"response":"é","manifold":{"id":"x","target_tokens":8}"#,
        r#""base_task":"c","truncated":true"#,
    ];
    Database::new(&[("m", &records), ("n", &records[..1])])
}

#[test]
fn a_builder_that_is_dropped_leaves_everything_as_it_was() {
    let database = database();
    let before = texts(&database.open(), POINTS);
    for size in [Size::Usual, Size::Large] {
        let mut builder = Builder::create(&database.path(), Old::Ignored, size).unwrap();
        builder.append([(eval_row("x"), database.collected[0].points.as_slice())], || {}).unwrap();
        drop(builder);
        assert_eq!(database.files(), ["a.ndjson", "x.db"]);
        assert_eq!(texts(&database.open(), POINTS), before);
    }
}

/// Whatever DuckDB is at ends with an error, and the old database stays.
#[test]
fn a_builder_that_is_stopped_leaves_everything_as_it_was() {
    let database = database();
    let before = texts(&database.open(), POINTS);
    let original = &database.collected[0].points[0];
    let points: Vec<Point> =
        (0..5000).map(|x| Point { params: format!("{{\"x\":{x}}}"), ..original.clone() }).collect();
    for size in [Size::Usual, Size::Large] {
        let monitor = Arc::new(Monitor::default());
        let mut builder = Builder::create(&database.path(), Old::Ignored, size).unwrap();
        builder.stop_with(&monitor);
        let mut n_appended = 0;
        let error = (0..10_000).find_map(|number| {
            let appended = builder.append([(eval_row(&format!("{number}")), points.as_slice())], || {}).err();
            monitor.cancel.store(true, Ordering::Relaxed);
            n_appended = number;
            appended
        });
        let error = error.expect("it was to stop");
        assert!(error.to_string().contains("nterrupt"), "after {n_appended}: {error}");
        drop(builder);
        assert_eq!(database.files(), ["a.ndjson", "x.db"]);
        assert_eq!(texts(&database.open(), POINTS), before);
    }
}

#[test]
fn rows_are_taken_over_as_they_are() {
    let database = database();
    let before = texts(&database.open(), POINTS);
    let evals = texts(&database.open(), "FROM evals ORDER BY eval_id");
    let raw_files = texts(&database.open(), RAW_FILES);
    assert_eq!(raw_files.concat()[1..5], ["0", "a.ndjson", "[1]", "[0]"]);
    let ids = ["m", "n"].map(|model| EvalId::new(&identity(model), None));
    let mut builder = Builder::create(&database.path(), Old::Attached, Size::Large).unwrap();
    builder.reuse(&ids).unwrap();
    builder.finish(&[("schema_version", "1".to_owned()), ("dataset", "it's".to_owned())]).unwrap();
    assert_eq!(texts(&database.open(), POINTS), before);
    assert_eq!(texts(&database.open(), "FROM evals ORDER BY eval_id"), evals);
    assert_eq!(texts(&database.open(), RAW_FILES), raw_files);
    assert_eq!(texts(&database.open(), "SELECT value FROM meta WHERE key = 'dataset'"), [["it's"]]);
    assert_eq!(database.files(), ["a.ndjson", "x.db"]);
    assert_eq!(texts(&database.open(), BLOCK_SIZE), [["262144"]]);

    let mut builder = Builder::create(&database.path(), Old::Attached, Size::Usual).unwrap();
    builder.reuse(&ids[..1]).unwrap();
    builder.finish(&[("schema_version", "1".to_owned())]).unwrap();
    assert_eq!(texts(&database.open(), "SELECT DISTINCT model FROM points UNION SELECT model FROM evals"), [["m"]]);
    assert_eq!(texts(&database.open(), BLOCK_SIZE), [["65536"]]);
}

const BLOCK_SIZE: &str = "SELECT block_size FROM pragma_database_size()";

/// DuckDB calls a database as its file, and some names are its own.
#[test]
fn a_database_may_have_any_name() {
    let database = database();
    let ids = ["m", "n"].map(|model| EvalId::new(&identity(model), None));
    for name in ["old.db", "system.db", "temp.db", "main.db", "memory.db", "it's \"x\".db"] {
        let path = database.path().with_file_name(name);
        fs_err::copy(database.path(), &path).unwrap();
        let mut builder = Builder::create(&path, Old::Attached, Size::Usual).unwrap();
        builder.reuse(&ids).unwrap();
        builder.finish(&[("schema_version", "1".to_owned())]).unwrap();
        let found = texts(&open_to_read(&path, LIMITS).unwrap(), POINTS);
        assert_eq!(found, texts(&database.open(), POINTS), "{name}");
    }
}

/// Of a database from before samples had places.
#[test]
fn rows_without_places_are_taken_over_without_them() {
    let database = database();
    let counters = "SELECT eval_id, correct, total FROM points ORDER BY eval_id, base_task";
    let before = texts(&database.open(), counters);
    duckdb::Connection::open(database.path())
        .unwrap()
        .execute_batch(
            "DROP TABLE raw_files; DROP INDEX points_key; ALTER TABLE points DROP sample_file_list;
            ALTER TABLE points DROP sample_line_list",
        )
        .unwrap();
    let mut builder = Builder::create(&database.path(), Old::Attached, Size::Usual).unwrap();
    builder.reuse(&["m", "n"].map(|model| EvalId::new(&identity(model), None))).unwrap();
    builder.finish(&[("schema_version", "1".to_owned())]).unwrap();
    assert_eq!(texts(&database.open(), counters), before);
    let places = texts(&database.open(), "SELECT DISTINCT sample_file_list, sample_line_list FROM points");
    assert_eq!(places, [["NULL", "NULL"]]);
    assert!(texts(&database.open(), RAW_FILES).is_empty());
}

#[test]
fn one_builder_at_a_time() {
    let database = database();
    let builder = Builder::create(&database.path(), Old::Ignored, Size::Usual).unwrap();
    match Builder::create(&database.path(), Old::Ignored, Size::Usual) {
        Err(PointsDbError::Locked { path, holder }) => {
            assert_eq!((path, holder), (database.path(), Some(std::process::id())));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("both build"),
    }
    drop(builder);
    drop(Builder::create(&database.path(), Old::Ignored, Size::Usual).unwrap());
}

/// However points are appended: several evaluations at once or one at a time, whole row groups or less.
#[test]
fn a_large_database_has_the_same_rows() {
    let database = database();
    let many = |model: usize, n_points: usize| -> Vec<Point> {
        let original = &database.collected[model].points[0];
        (0..n_points).map(|x| Point { params: format!("{{\"x\":{x}}}"), ..original.clone() }).collect()
    };
    let batches = [
        vec![("x", many(0, 40_000)), ("y", many(1, 1)), ("z", many(1, 3))],
        vec![("v", Vec::new())],
        vec![("w", many(0, 1))],
    ];
    let contents = |size: Size| {
        let mut builder = Builder::create(&database.path(), Old::Attached, size).unwrap();
        builder.reuse(&["m", "n"].map(|model| EvalId::new(&identity(model), None))).unwrap();
        for batch in &batches {
            builder.append(batch.iter().map(|(model, points)| (eval_row(model), points)), || {}).unwrap();
        }
        builder.finish(&[("schema_version", "1".to_owned())]).unwrap();
        assert_eq!(database.files(), ["a.ndjson", "x.db"]);
        let connection = database.open();
        let points = "SELECT eval_id, count(*), bit_xor(hash(points)) FROM points GROUP BY eval_id ORDER BY eval_id";
        [points, "FROM evals ORDER BY eval_id", RAW_FILES].map(|query| texts(&connection, query))
    };
    let usual = contents(Size::Usual);
    let n_points: usize = usual[0].iter().map(|row| row[1].parse::<usize>().unwrap()).sum();
    assert_eq!((n_points, usual[1].len()), (3 + 40_000 + 1 + 3 + 1, 2 + 5));
    assert_eq!(contents(Size::Large), usual);
}

/// The same evaluation twice is a mistake of the caller that must not reach the file.
#[test]
fn one_row_for_each_evaluation() {
    let database = database();
    let before = texts(&database.open(), POINTS);
    for size in [Size::Usual, Size::Large] {
        let mut builder = Builder::create(&database.path(), Old::Ignored, size).unwrap();
        builder.append([(eval_row("x"), [])], || {}).unwrap();
        builder.append([(eval_row("x"), [])], || {}).unwrap();
        let error = builder.finish(&[("schema_version", "1".to_owned())]).unwrap_err();
        assert!(error.to_string().contains("duplicate"), "{error}");
        assert_eq!(texts(&database.open(), POINTS), before);
        assert_eq!(database.files(), ["a.ndjson", "x.db"]);
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    assert!(matches!(open_to_read(&path, LIMITS), Err(PointsDbError::Missing { .. })));
    fs_err::write(&path, "x".repeat(100_000)).unwrap();
    assert!(matches!(open_to_read(&path, LIMITS), Err(PointsDbError::NotAPointsDb { .. })));
    fs_err::remove_file(&path).unwrap();
    duckdb::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a INTEGER)").unwrap();
    assert!(matches!(open_to_read(&path, LIMITS), Err(PointsDbError::NotAPointsDb { .. })));
}
