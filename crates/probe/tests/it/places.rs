//! Where records are looked for, and what is said where they are not.

use std::io::Write;

use insta::assert_snapshot;

use crate::project::{Project, record};

fn records() -> String {
    (0..100)
        .map(|index| record("a", &format!(r#","seed":1,"index":{index},"response":"{}""#, "x".repeat(9000 + index))))
        .collect()
}

const LAST: [&str; 6] = ["show", "data/d.json", "--sort", "tokens", "--format", "ndjson"];

/// All records, by whatever the file has become.
#[track_caller]
fn check_all(project: &Project) {
    let run = project.probe(&[&LAST[..], &["--limit", "1000", "-q"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:.1000}");
    assert!(run.stdout == records());
}

/// However it is packed after it was evaluated: the database does not know.
#[test]
fn plain_compressed_and_in_blobs() {
    let project = Project::with_records(&records());
    check_all(&project);
    let plain = project.path("data/set/M/run/x.ndjson");
    fs_err::remove_file(&plain).unwrap();
    let frames: Vec<u8> =
        records().as_bytes().chunks(100_000).flat_map(|chunk| zstd::bulk::compress(chunk, 1).unwrap()).collect();
    project.write("data/set/M/run/x.ndjson.zst", frames);
    check_all(&project);
    fs_err::remove_file(project.path("data/set/M/run/x.ndjson.zst")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(records().as_bytes()).unwrap();
    project.write("data/set/M/run/x.ndjson.gz", encoder.finish().unwrap());
    check_all(&project);
    project.pack_away();
    check_all(&project);
    let show = project.probe(&["show", "data/d.json", "--limit", "1"]);
    assert!(show.stdout.contains("\ndata/set/M/run/x.ndjson.gz:1\n"), "{show:.500}");
}

#[test]
fn a_bare_database_and_loose_files() {
    let project = Project::with_records(&records());
    let run = project.probe(&["show", "data/d.db", "--format", "ndjson", "--limit", "1000"]);
    assert!(run.stdout == records());
    let loose = project.path("data/set/M/run");
    project.evaluate(&["--interview", loose.to_str().unwrap(), "--db", "data/loose.db"]);
    let run = project.probe(&["show", "data/loose.db", "--format", "ndjson", "--limit", "1000"]);
    assert!(run.stdout == records());
}

fn small() -> Project {
    Project::with_records(
        &(0..3).map(|index| record("a", &format!(r#","index":{index},"response":"r{index}""#))).collect::<String>(),
    )
}

/// What is still as it was is shown.
#[test]
fn a_file_that_has_changed() {
    let project = small();
    let path = project.path("data/set/M/run/x.ndjson");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("\"r1\"", "\"another\"")).unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json", "--format", "ndjson"]), @r#"
    exit code 1
    ----- stdout
    {"model":"a","template":"t","sampler":"s","base_task":"sums","params":{"n":8},"correct":true,"index":0,"response":"r0"}
    {"model":"a","template":"t","sampler":"s","base_task":"sums","params":{"n":8},"correct":true,"index":2,"response":"r2"}
    ----- stderr
    data/set/M/run/x.ndjson:2: the file has changed since it was evaluated: this line is another record
    note: `evaluate --dataset data/d.json` reads again what has changed
    "#);
    fs_err::write(&path, text.replace("\"index\":0", "index")).unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json", "--format", "ndjson"]), @r#"
    exit code 1
    ----- stdout
    {"model":"a","template":"t","sampler":"s","base_task":"sums","params":{"n":8},"correct":true,"index":1,"response":"r1"}
    {"model":"a","template":"t","sampler":"s","base_task":"sums","params":{"n":8},"correct":true,"index":2,"response":"r2"}
    ----- stderr
    data/set/M/run/x.ndjson:1: the file has changed since it was evaluated: this line is no record: expected a key, found `index`
    note: `evaluate --dataset data/d.json` reads again what has changed
    "#);
    fs_err::write(&path, &text[..100]).unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json"]), @r#"
    exit code 1
    ----- stdout
    ━━ 1 of 3: correct ─────────────────────────────────────────────────────────────
    sums {"n":8} (index 0)
    data/set/M/run/x.ndjson:1
    Model a (167a06)
    compressed to 12.500 of 2 bytes

    The record is not shown: the file has changed since it was evaluated: this line
    is no record: expected `:`, found the end of the line.

    ━━ 2 of 3: correct ─────────────────────────────────────────────────────────────
    sums {"n":8} (index 1)
    data/set/M/run/x.ndjson:2
    Model a (167a06)
    compressed to 12.500 of 2 bytes

    The record is not shown: the file has changed since it was evaluated: it ends
    before this line.

    ━━ 3 of 3: correct ─────────────────────────────────────────────────────────────
    sums {"n":8} (index 2)
    data/set/M/run/x.ndjson:3
    Model a (167a06)
    compressed to 12.500 of 2 bytes

    The record is not shown: the file has changed since it was evaluated: it ends
    before this line.

    ----- stderr
    data/set/M/run/x.ndjson:1: the file has changed since it was evaluated: this line is no record: expected `:`, found the end of the line
    data/set/M/run/x.ndjson:2: the file has changed since it was evaluated: it ends before this line
    data/set/M/run/x.ndjson:3: the file has changed since it was evaluated: it ends before this line
    note: `evaluate --dataset data/d.json` reads again what has changed
    "#);
    // What is added behind them changes none of them.
    fs_err::write(&path, text + "{}\n").unwrap();
    assert_eq!(project.probe(&["show", "data/d.json"]).code, Some(0));
}

#[test]
fn files_and_cohorts_that_are_gone() {
    let project = small();
    fs_err::rename(project.path("data/set/M/run"), project.path("elsewhere")).unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json", "--format", "ndjson"]), @"
    exit code 1
    ----- stderr
    data/set/M/run/x.ndjson: there is no such file (3 samples)
    ");
    fs_err::rename(project.path("elsewhere"), project.path("data/set/M/run")).unwrap();
    project.pack_away();
    fs_err::remove_dir_all(project.path("data/.blobs")).unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json", "--format", "ndjson"]), @"
    exit code 1
    ----- stderr
    data/set/M/run/x.ndjson: it is neither extracted nor in the local store; `data pull cohort data/set/M` fetches it (3 samples)
    ");
    fs_err::remove_dir_all(project.path("data/set")).unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json", "--format", "ndjson"]), @"
    exit code 1
    ----- stderr
    data/set/M/run/x.ndjson: no cohort at `data/set/M`: evals.json is not there (3 samples)
    ");
}

/// What stands before the damage is shown.
#[test]
fn a_file_that_is_damaged() {
    let project = Project::with_records(&records());
    fs_err::remove_file(project.path("data/set/M/run/x.ndjson")).unwrap();
    let whole = zstd::encode_all(records().as_bytes(), 1).unwrap();
    project.write("data/set/M/run/x.ndjson.zst", &whole[..whole.len() - 1000]);
    let run = project.probe(&["show", "data/d.json", "--format", "ndjson", "--limit", "1000"]);
    let shown = run.stdout.lines().count();
    assert!(
        run.code == Some(1)
            && shown < 100
            && run.stdout == records().split_inclusive('\n').take(shown).collect::<String>()
    );
    assert!(run.stderr.starts_with("data/set/M/run/x.ndjson.zst: cannot be read: "), "{}", run.stderr);
}

#[test]
fn a_database_from_before_samples_had_places() {
    let project = small();
    rs_pointsdb::Connection::open(project.path("data/d.db"))
        .unwrap()
        .execute_batch("DROP TABLE raw_files; DROP INDEX points_key; ALTER TABLE points DROP sample_line_list")
        .unwrap();
    assert_snapshot!(project.probe(&["show", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` does not tell where raw records are: it is of an older version
    hint: evaluate --dataset data/d.json --force
    ");
    assert_snapshot!(project.probe(&["diff", "data/d.db", "x", "y"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` does not tell where raw records are: it is of an older version
    hint: evaluate --dataset DATASET --force
    ");
    assert_eq!(project.probe(&["loops", "data/d.db"]).code, Some(2));
}
