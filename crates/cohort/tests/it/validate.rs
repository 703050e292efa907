//! `cohort validate`: every problem of the raw data, with its place.

use serde::Deserialize;

use crate::project::{Project, Run, entry, record};

/// The document `cohort.validate/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Validation {
    schema: String,
    cohorts: Vec<Row>,
    problems: Vec<Problem>,
    more_problems: u64,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    path: String,
    files: u64,
    records: u64,
    malformed: u64,
    unclaimed: u64,
    warnings: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Problem {
    path: String,
    line: Option<u64>,
    column: Option<u64>,
    problem: String,
    what: String,
}

#[test]
fn good_data_has_no_problems() {
    let (project, expected) = Project::with_fixtures();
    let paths: Vec<&str> = expected.cohorts.iter().map(|cohort| cohort.path.as_str()).collect();
    let run = project.cohort(&[&["validate", "--format", "json"], paths.as_slice()].concat());
    let found: Validation = run.document();
    assert_eq!((run.code, found.schema.as_str()), (Some(0), "cohort.validate/1"));
    assert_eq!((found.problems.len(), found.more_problems), (0, 0));
    let stray = "data/r12/Seed-OSS-36B: run folder `2026-01-05_09-30-00_trial_Seed-OSS-36B-fp8_think_t1.1-p0.95-8k` belongs to no evaluation";
    let rows: Vec<Row> = expected
        .cohorts
        .iter()
        .map(|cohort| {
            let stray_runs = cohort.runs.iter().filter(|run| run.eval_ids.is_empty());
            Row {
                path: cohort.path.clone(),
                files: cohort.runs.iter().map(|run| run.n_files).sum(),
                records: cohort.runs.iter().map(|run| run.n_records).sum(),
                malformed: 0,
                unclaimed: stray_runs.clone().map(|run| run.n_records).sum(),
                warnings: stray_runs.map(|_| stray.to_owned()).collect(),
            }
        })
        .collect();
    assert_eq!(found.cohorts, rows);
    assert_eq!(rows.iter().map(|row| row.unclaimed).collect::<Vec<_>>(), [0, 0, 8, 0]);
    assert_eq!(run.stderr, format!("warning: {stray}\n"));
}

/// Every kind of problem, among records that are good.
fn broken() -> Project {
    let project = Project::empty();
    let entries = [entry("m", "data/set/M/run/*", ""), entry("n", "data/set/M/none/*", "")];
    project.write("data/set/M/evals.json", format!("[{}]", entries.join(", ")));
    let good = record("m", "");
    project.write("data/set/M/run/a-torn.ndjson", good.repeat(2) + good[..40].trim_end());
    let lines = [
        record("m", ",\"correct\":\"yes\""),
        "[1]\n".to_owned(),
        "\n".to_owned(),
        "{\"model\":\"m\"}\n".to_owned(),
        good.clone(),
        good.trim_end().to_owned() + " " + &good,
        record("m", ",\"guess_chance\":2"),
    ];
    project.write("data/set/M/run/b-lines.ndjson", lines.concat());
    let utf8 = [good.as_bytes(), b"{\"model\":\"\xFF\"}\n", b"\0\n", good.as_bytes()].concat();
    project.write("data/set/M/run/c-utf8.jsonl", utf8);
    let packed = zstd::encode_all(good.repeat(100).as_bytes(), 3).unwrap();
    project.write("data/set/M/run/d-cut.ndjson.zst", &packed[..packed.len() / 2]);
    project.write("data/set/M/run/e-no.ndjson.zst", "this was never packed");
    project.write("data/set/M/run/f-no.ndjson.gz", "this was never packed");
    project.write("data/set/M/run/g-empty.ndjson", "");
    project.write("data/set/M/run/h-good.ndjson", record("x", ""));
    project
}

#[test]
fn every_problem_is_told_with_its_place() {
    insta::assert_snapshot!(broken().cohort(&["validate", "data/set/M"]), @"
    exit code 1
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      8        6         11          1         1
    ----- stderr
    warning: data/set/M/evals.json: entry 1 (`L n`): glob `data/set/M/none/*` matches no raw file
    data/set/M/run/a-torn.ndjson:3: torn last line: no line end, and string has no end (column 39)
    data/set/M/run/b-lines.ndjson:1: `correct`: expected true or false, found a string (column 96)
    data/set/M/run/b-lines.ndjson:2: expected a JSON object, found an array (column 1)
    data/set/M/run/b-lines.ndjson:4: missing key `template` (column 14)
    data/set/M/run/b-lines.ndjson:6: expected the end of the line, found an object (column 87)
    data/set/M/run/b-lines.ndjson:7: `guess_chance`: expected a number from 0 to 1, found 2 (column 101)
    data/set/M/run/c-utf8.jsonl:2: invalid UTF-8 (column 11)
    data/set/M/run/c-utf8.jsonl:3: expected a JSON object, found control character 0x00 (column 1)
    data/set/M/run/d-cut.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: incomplete frame
    data/set/M/run/e-no.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: Unknown frame descriptor
    data/set/M/run/f-no.ndjson.gz: cannot be read to its end, the gzip data is damaged or cut off: invalid gzip header
    ");
}

#[test]
fn every_problem_is_in_the_document() {
    let run = broken().cohort(&["validate", "data/set/M", "--format", "json", "--quiet"]);
    let found: Validation = run.document();
    assert_eq!(run.code, Some(1));
    let row = &found.cohorts[0];
    assert_eq!((row.files, row.malformed, row.unclaimed, row.warnings.len()), (8, 11, 1, 1));
    let problem = |path: &str, line: Option<u64>, problem: &str| (path.to_owned(), line, problem.to_owned());
    let problems: Vec<_> = found
        .problems
        .iter()
        .map(|found| (found.path.replace("data/set/M/run/", ""), found.line, found.problem.clone()))
        .collect();
    assert_eq!(
        problems,
        [
            problem("a-torn.ndjson", Some(3), "torn"),
            problem("b-lines.ndjson", Some(1), "malformed"),
            problem("b-lines.ndjson", Some(2), "malformed"),
            problem("b-lines.ndjson", Some(4), "malformed"),
            problem("b-lines.ndjson", Some(6), "malformed"),
            problem("b-lines.ndjson", Some(7), "malformed"),
            problem("c-utf8.jsonl", Some(2), "malformed"),
            problem("c-utf8.jsonl", Some(3), "malformed"),
            problem("d-cut.ndjson.zst", None, "unreadable"),
            problem("e-no.ndjson.zst", None, "unreadable"),
            problem("f-no.ndjson.gz", None, "unreadable"),
        ]
    );
    assert!(found.problems.iter().all(|problem| problem.column.is_some() == problem.line.is_some()));
    // What the lines on standard error say, too.
    let lines: Vec<String> = found
        .problems
        .iter()
        .map(|found| {
            let line = found.line.map(|line| format!("{line}:")).unwrap_or_default();
            let column = found.column.map(|column| format!(" (column {column})")).unwrap_or_default();
            format!("{}:{line} {}{column}", found.path, found.what)
        })
        .collect();
    let told: Vec<&str> = run.stderr.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert_eq!(told, lines);
}

#[test]
fn the_good_records_of_a_broken_file_count() {
    let project = Project::small();
    let records = |text: String| {
        project.write("data/set/M/run/a.ndjson", text);
        let run: Run = project.cohort(&["validate", "data/set/M", "--format", "json"]);
        run.document::<Validation>().cohorts[0].records
    };
    assert_eq!(records(record("m", "").repeat(3)), 3);
    assert_eq!(records(record("m", "").repeat(3) + "{\n" + &record("m", "").repeat(2)), 5);
    assert_eq!(records(record("m", "").repeat(3) + "{\"mod"), 3);
    // A last line without its end that can be read is none that is torn.
    assert_eq!(records(record("m", "").repeat(3).trim_end().to_owned()), 3);
}

#[test]
fn line_ends_and_byte_order_marks_are_no_problem() {
    let project = Project::small();
    let line = record("m", "");
    project.write("data/set/M/run/a.ndjson", "\u{FEFF}".to_owned() + &line.repeat(2).replace('\n', "\r\n") + "\r\n");
    insta::assert_snapshot!(project.cohort(&["validate", "data/set/M"]), @"
    exit code 0
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      1        2          0          0         0
    ");
}

#[test]
fn two_files_that_are_one_are_a_warning() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    project.write("data/set/M/run/a.ndjson.zst", zstd::encode_all(record("m", "").as_bytes(), 3).unwrap());
    insta::assert_snapshot!(project.cohort(&["validate", "data/set/M"]), @"
    exit code 0
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      2        2          0          0         1
    ----- stderr
    warning: both data/set/M/run/a.ndjson and data/set/M/run/a.ndjson.zst are there and are read: of records with an `index` or `id` one counts, others count twice
    ");
}

#[test]
fn what_no_evaluation_reads_is_a_warning() {
    let project = Project::empty();
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/a*", "")));
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    project.write("data/set/M/run/b.ndjson", record("m", ""));
    project.write("data/set/M/c.ndjson", record("m", ""));
    insta::assert_snapshot!(project.cohort(&["validate", "data/set/M"]), @"
    exit code 0
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      3        3          0          0         2
    ----- stderr
    warning: data/set/M: run folder `.` belongs to no evaluation
    warning: data/set/M: file `run/b.ndjson` belongs to no evaluation
    ");
}

#[test]
fn problems_of_several_cohorts() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", "1\n");
    project.write("data/set/N/evals.json", format!("[{}]", entry("n", "data/set/N/run/*", "")));
    project.write("data/set/N/run/a.ndjson", record("n", "") + "2\n");
    insta::assert_snapshot!(project.cohort(&["validate", "data/set/M", "data/set/N/", "--quiet"]), @"
    exit code 1
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      1        0          1          0         0
    data/set/N      1        1          1          0         0
    ----- stderr
    data/set/M/run/a.ndjson:1: expected a JSON object, found a number (column 1)
    data/set/N/run/a.ndjson:2: expected a JSON object, found a number (column 1)
    ");
}

#[test]
fn names_with_control_characters_do_not_reach_the_screen() {
    let project = Project::empty();
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/*/*", "")));
    project.write("data/set/M/run\u{1b}[2J\u{202E}/a.ndjson", "x\n");
    let run = project.cohort(&["validate", "data/set/M"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("data/set/M/run\u{FFFD}[2J\u{FFFD}/a.ndjson:1: "), "{run}");
}
