//! Loose files, without a dataset: the same points.

use crate::fixtures;
use crate::project::{Project, check_same, record, records, texts};

/// All points, less what only a cohort knows of them.
fn points(project: &Project, db: &str, condition: &str) -> Vec<Vec<String>> {
    let sql = format!(
        "SELECT * EXCLUDE (facets, \"groups\") FROM points WHERE {condition} ORDER BY eval_id, base_task, params::VARCHAR"
    );
    texts(&project.open(db), &sql)
}

#[test]
fn the_points_are_those_of_the_dataset() {
    let project = fixtures::project();
    project.evaluate("--dataset data/r12.json -q").succeeds();
    let run = project.evaluate("--interview data/r12/*/*/* --db loose.db -q").succeeds();
    assert_eq!(run.stderr, "");
    // Nobody says of which models loose files are: there is no tokenizer.
    let connection = duckdb::Connection::open(project.path("data/pointsdb-r12.db")).unwrap();
    connection.execute_batch("UPDATE points SET fft_power_mean = NULL, fft_power_std = NULL").unwrap();
    connection.close().unwrap();
    let is_whole = "eval_id IN (SELECT eval_id FROM evals WHERE context IS NULL)";
    let expected = points(&project, "data/pointsdb-r12.db", is_whole);
    assert!(expected.len() > 100, "{}", expected.len());
    // One model has records that no cohort asks for.
    let unknown = "model = 'Seed-OSS-36B-fp8'";
    check_same("points", &points(&project, "loose.db", &format!("NOT ({unknown})")), &expected);
    assert!(!points(&project, "loose.db", unknown).is_empty());
    let counts = |db: &str, condition: &str| {
        let sql = format!(
            "SELECT eval_id, n_records, n_duplicates, n_errors, n_malformed, first_timestamp, last_timestamp FROM evals
                WHERE {condition} ORDER BY eval_id"
        );
        texts(&project.open(db), &sql)
    };
    let found = counts("loose.db", &format!("NOT ({unknown})"));
    check_same("evals", &found, &counts("data/pointsdb-r12.db", "context IS NULL"));
}

/// Two models in two files of two folders.
fn project() -> Project {
    let project = Project::empty();
    project.write("a/one.ndjson", records(0..3));
    project.write("a/b/two.jsonl", records(3..5) + &record(0, ",\"model\":\"n\"") + "\n");
    project.write("a/b/notes.txt", "no data");
    project.write("a/.hidden/three.ndjson", records(5..9));
    project
}

#[track_caller]
fn check_read(names: &str, n_records: &[(&str, &str)]) {
    let project = project();
    let run = project.evaluate(&format!("--interview {names} --db x.db -q")).succeeds();
    assert_eq!(run.stderr, "", "{names}");
    let found = texts(&project.open("x.db"), "SELECT model, n_records FROM evals ORDER BY model");
    let expected: Vec<Vec<String>> = n_records.iter().map(|(model, n)| vec![(*model).into(), (*n).into()]).collect();
    assert_eq!(found, expected, "{names}");
}

#[test]
fn files_folders_and_globs() {
    check_read("a/one.ndjson", &[("m", "3")]);
    check_read("./a/one.ndjson", &[("m", "3")]);
    check_read("a", &[("m", "5"), ("n", "1")]);
    check_read(".", &[("m", "5"), ("n", "1")]);
    check_read("./a/", &[("m", "5"), ("n", "1")]);
    check_read("a/*", &[("m", "3")]);
    check_read("a/**", &[("m", "5"), ("n", "1")]);
    check_read("a/**/*.jsonl", &[("m", "2"), ("n", "1")]);
    check_read("./a/*.ndjson", &[("m", "3")]);
    check_read("a/{one.ndjson,b/two.jsonl}", &[("m", "5"), ("n", "1")]);
}

#[test]
fn what_is_named_twice_is_read_once() {
    check_read("a a/one.ndjson ./a/*.ndjson", &[("m", "5"), ("n", "1")]);
}

#[test]
fn the_summary() {
    let project = project();
    insta::assert_snapshot!(project.evaluate("--interview a --db x.db"), @"
    exit code 0
    ----- stdout
    eval_id  label     files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   m (t, s)      2        5       1          0           0          0       0        1  files
    7d262a   n (t, s)      1        1       1          0           0          0       0        2  files
    ----- stderr
    note: 2 points in x.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    insta::assert_snapshot!(project.evaluate("--interview a --db x.db"), @"
    exit code 0
    ----- stdout
    eval_id  label     files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   m (t, s)      2        5       1          0           0          0       0        1  db
    7d262a   n (t, s)      1        1       1          0           0          0       0        2  db
    ----- stderr
    note: nothing has changed: x.db is up to date ([TIME] s)
    ");
    project.write("a/one.ndjson", records(0..4));
    let run = project.evaluate("--interview a --db x.db --format json").succeeds();
    assert_eq!(run.sources(), ["files", "db"]);
}

#[test]
fn a_context_clips() {
    let project = Project::empty();
    project.write(
        "a.ndjson",
        record(0, ",\"completion_tokens\":10") + "\n" + &record(1, ",\"completion_tokens\":11") + "\n",
    );
    project.evaluate("--interview a.ndjson --db x.db --context 10").succeeds();
    let sql = "SELECT context, p.total, p.truncated FROM evals JOIN points p USING (eval_id)";
    assert_eq!(texts(&project.open("x.db"), sql), [["10", "1", "1"]]);
}

#[test]
fn nothing_to_read() {
    let project = project();
    insta::assert_snapshot!(project.evaluate("--interview b/* --db x.db"), @"
    exit code 2
    ----- stderr
    error: `b/*` matches no raw file (*.ndjson, *.jsonl, also .zst or .gz)
    hint: quote the glob, so that the shell leaves it to `evaluate`; `**` crosses folders
    ");
    insta::assert_snapshot!(project.evaluate("--interview a/b/notes.txt --db x.db"), @"
    exit code 2
    ----- stderr
    error: `a/b/notes.txt` matches no raw file (*.ndjson, *.jsonl, also .zst or .gz)
    hint: quote the glob, so that the shell leaves it to `evaluate`; `**` crosses folders
    ");
    insta::assert_snapshot!(project.evaluate("--interview a/[ --db x.db"), @"
    exit code 2
    ----- stderr
    error: error parsing glob 'a/[': unclosed character class; missing ']'
    ");
    project.write("c/bad.ndjson", "{}\n");
    insta::assert_snapshot!(project.evaluate("--interview c --db x.db"), @"
    exit code 2
    ----- stderr
    error: the files hold no record
    hint: c/bad.ndjson:1: missing key `model` (column 3)
    ");
    project.write("c/empty.ndjson", "");
    insta::assert_snapshot!(project.evaluate("--interview c/empty.ndjson --db x.db"), @"
    exit code 2
    ----- stderr
    error: the files hold no record
    ");
    assert!(!project.path("x.db").exists());
}

/// A line that nobody can read may have been anybody's: it counts for all whose records are in its file.
#[test]
fn malformed_lines_are_counted() {
    let project = project();
    project.write("a/b/two.jsonl", records(3..5) + "{}\n");
    project.write("a/b/three.jsonl", "[]\n");
    insta::assert_snapshot!(project.evaluate("--interview a --db x.db"), @"
    exit code 1
    ----- stdout
    eval_id  label     files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   m (t, s)      3        5       1          0           0          2       0        0  files
    ----- stderr
    a/b/three.jsonl:1: expected a JSON object, found an array (column 1)
    a/b/two.jsonl:3: missing key `model` (column 3)
    note: 1 points in x.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}
