//! Databases that cannot be written or used: found before any raw file is read, and nobody's file is lost.

use duckdb::Connection;

use crate::project::{DB, Project, Run, check_same, entry, evaluate_with_disk_of, points, record, records};

/// Raw files with a malformed line: a run that reads them says so, and then has not stopped before the work.
const MARK: &str = "{}\n";

fn project() -> Project {
    Project::with_raw(records(0..3) + MARK)
}

#[track_caller]
fn check_stopped_before_the_work(run: &Run) {
    assert!(!run.stderr.contains("missing key"), "{run}");
    assert_eq!(run.stdout, "", "{run}");
}

/// The run of `evaluate --dataset data/d.json` with these arguments, which must not come to the raw files.
#[track_caller]
fn refusal(project: &Project, arguments: &str) -> String {
    let run = project.evaluate_d(arguments);
    check_stopped_before_the_work(&run);
    run.to_string()
}

#[test]
fn a_folder_that_is_not_there() {
    let project = project();
    insta::assert_snapshot!(refusal(&project, "--db nowhere/x.db"), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere` for the database
    hint: mkdir -p nowhere
    ");
    insta::assert_snapshot!(refusal(&project, "--db data/d.json/x.db"), @"
    exit code 2
    ----- stderr
    error: no folder `data/d.json` for the database
    ");
    let run = project.evaluate("--interview data/set/M/run/* --db nowhere/x.db");
    check_stopped_before_the_work(&run);
    insta::assert_snapshot!(run, @"
    exit code 2
    ----- stderr
    error: no folder `nowhere` for the database
    hint: mkdir -p nowhere
    ");
}

/// DuckDB goes by names: what is called `.json` it would open as a table of JSON.
#[test]
fn names_that_mean_something_else() {
    let project = project();
    let before = fs_err::read(project.path("data/d.json")).unwrap();
    for name in ["data/d.json", "data/set/M/run/a.ndjson", "data/new.parquet"] {
        let run = project.evaluate(&format!("--interview data/set/M/run/* --db {name}"));
        check_stopped_before_the_work(&run);
        assert!(run.code == Some(2) && run.stderr.contains(&format!("`{name}` is not a PointsDB")), "{run}");
        assert!(!run.stderr.contains("remove it"), "{run}");
    }
    assert_eq!(fs_err::read(project.path("data/d.json")).unwrap(), before);
}

/// Where the summary goes is looked at before the work, too.
#[test]
fn an_output_in_no_folder() {
    let project = project();
    insta::assert_snapshot!(refusal(&project, "--output nowhere/x.csv"), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere` to write `nowhere/x.csv` in
    hint: mkdir -p nowhere
    ");
    assert!(!project.path(DB).exists());
}

#[test]
fn a_folder_in_its_place() {
    let project = project();
    fs_err::create_dir(project.path(DB)).unwrap();
    insta::assert_snapshot!(refusal(&project, ""), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is a folder
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
    assert_eq!(project.files_in("data"), ["d.json"]);
    insta::assert_snapshot!(project.evaluate("--interview data/set/M/run/* --db data/d.db"), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is a folder
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
}

#[test]
fn a_name_that_the_file_system_refuses() {
    let run = project().evaluate_d(&format!("--db data/{}.db", "x".repeat(250)));
    check_stopped_before_the_work(&run);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stderr.contains("File name too long"), "{run}");
}

#[test]
fn a_read_only_file() {
    let project = project();
    project.evaluate_d("");
    let mut permissions = fs_err::metadata(project.path(DB)).unwrap().permissions();
    permissions.set_readonly(true);
    fs_err::set_permissions(project.path(DB), permissions).unwrap();
    insta::assert_snapshot!(refusal(&project, "--force"), @"
    exit code 3
    ----- stderr
    error: `data/d.db` is read-only
    ");
}

#[test]
fn files_that_are_no_database_are_left_alone() {
    let project = project();
    project.write(DB, "my notes");
    insta::assert_snapshot!(refusal(&project, ""), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no DuckDB file
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
    insta::assert_snapshot!(refusal(&project, "--force"), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no DuckDB file
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
    assert_eq!(fs_err::read_to_string(project.path(DB)).unwrap(), "my notes");
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
}

#[test]
fn databases_of_others_are_left_alone() {
    let project = project();
    let other = Connection::open(project.path(DB)).unwrap();
    other.execute_batch("CREATE TABLE meta (a INTEGER); INSERT INTO meta VALUES (7)").unwrap();
    other.close().unwrap();
    insta::assert_snapshot!(refusal(&project, ""), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it has no `schema_version` in `meta`
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
    let other = Connection::open(project.path(DB)).unwrap();
    assert_eq!(other.query_row("SELECT a FROM meta", [], |row| row.get::<_, i32>(0)).unwrap(), 7);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_left_alone() {
    let project = project();
    let _listener = std::os::unix::net::UnixListener::bind(project.path(DB)).unwrap();
    insta::assert_snapshot!(refusal(&project, ""), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no regular file
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
    use std::os::unix::fs::FileTypeExt;
    assert!(fs_err::symlink_metadata(project.path(DB)).unwrap().file_type().is_socket());
}

/// A link to a database elsewhere, on a larger disk perhaps, stays one.
#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let project = project();
    fs_err::create_dir(project.path("large")).unwrap();
    fs_err::os::unix::fs::symlink("../large/real.db", project.path(DB)).unwrap();
    for n_records in [3, 4] {
        project.write("data/set/M/run/a.ndjson", records(0..n_records));
        project.evaluate_d("").succeeds();
        assert!(fs_err::symlink_metadata(project.path(DB)).unwrap().is_symlink());
        assert_eq!(project.query("SELECT sum(total) FROM points"), [[n_records.to_string()]]);
        assert_eq!(project.files_in("large"), ["real.db"]);
    }
}

#[test]
fn an_empty_file_is_no_database() {
    let project = project();
    project.write(DB, "");
    insta::assert_snapshot!(refusal(&project, ""), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no DuckDB file
    hint: it is left as it is; move it away, or write elsewhere with `--db FILE`
    ");
    assert_eq!(fs_err::metadata(project.path(DB)).unwrap().len(), 0);
}

#[test]
fn a_database_that_is_cut_off() {
    let project = project();
    project.evaluate_d("");
    let whole = fs_err::read(project.path(DB)).unwrap();
    for length in [whole.len() / 2, 4096, 8192 + 100, 100] {
        project.write(DB, &whole[..length]);
        let run = project.evaluate_d("");
        check_stopped_before_the_work(&run);
        assert!(matches!(run.code, Some(2 | 3)), "{length}: {run}");
        assert!(run.stderr.starts_with("error: `data/d.db`") && run.stderr.contains("\nhint: "), "{length}: {run}");
        assert_eq!(fs_err::read(project.path(DB)).unwrap(), &whole[..length], "it may still be repaired");
    }
}

/// Wherever a byte is wrong: the run says so, or the rows it takes over are right.
#[test]
fn a_database_with_a_wrong_byte() {
    let project = Project::new();
    let entry = |model: &str| entry(model, &format!("data/set/M/run_{model}/*"), "");
    project.write("data/set/M/evals.json", format!("[{},{}]", entry("m"), entry("n")));
    // Enough for several blocks of the file, so that some are read only when rows are taken over.
    let many = (0..30_000_u32).map(|index| {
        let (point, seed) = (index % 4000, index.wrapping_mul(2_654_435_761));
        record(index, &format!(",\"params\":{{\"n\":{point}}},\"seed\":{seed},\"completion_tokens\":{}", seed >> 22))
            + "\n"
    });
    project.write("data/set/M/run_m/a.ndjson", many.collect::<String>());
    project.write("data/set/M/run_n/a.ndjson", records(0..10).replace("\"m\"", "\"n\""));
    project.evaluate_d("").succeeds();
    let whole = fs_err::read(project.path(DB)).unwrap();
    // Only one evaluation is read anew, so that the other must be taken over.
    project.write("data/set/M/run_n/a.ndjson", records(0..20).replace("\"m\"", "\"n\""));
    project.evaluate_d("--db data/fresh.db").succeeds();
    let expected = points(&project.open("data/fresh.db"));
    let mut n_noticed = 0;
    for part in 0..25 {
        let mut bytes = whole.clone();
        let at = bytes.len() * part / 25 + 300;
        bytes[at] ^= 0x20;
        project.write(DB, &bytes);
        let run = project.evaluate_d("");
        if run.code == Some(0) {
            check_same(&format!("byte {at}"), &points(&project.open(DB)), &expected);
            continue;
        }
        n_noticed += 1;
        assert!(matches!(run.code, Some(2 | 3)), "byte {at}: {run}");
        assert!(run.stderr.starts_with("error: `data/d.db`") && run.stderr.contains("\nhint: "), "byte {at}: {run}");
        assert_eq!(fs_err::read(project.path(DB)).unwrap(), bytes, "byte {at}");
    }
    assert!(n_noticed > 0);
}

fn set_version(project: &Project, version: &str) {
    let connection = Connection::open(project.path(DB)).unwrap();
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [version]).unwrap();
    connection.close().unwrap();
}

#[test]
fn a_database_of_another_schema_version_is_built_anew() {
    let project = Project::with_raw(records(0..3));
    project.evaluate_d("").succeeds();
    let before = points(&project.open(DB));
    set_version(&project, "0");
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          0       0        0  files
    ----- stderr
    note: `data/d.db` has schema version 0; this program reads version 1; everything is read again
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    check_same("points", &points(&project.open(DB)), &before);
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          0       0        0  db
    ----- stderr
    note: nothing has changed: data/d.db is up to date ([TIME] s)
    ");
}

/// The text with this process's id masked.
fn without_pid(run: &Run) -> String {
    run.to_string().replace(&format!("pid {}", std::process::id()), "pid [PID]")
}

#[test]
fn a_database_that_another_run_builds() {
    let project = project();
    project.write("data/.d.db.lock", std::process::id().to_string());
    let lock = fs_err::File::open(project.path("data/.d.db.lock")).unwrap();
    lock.file().lock().unwrap();
    let run = project.evaluate_d("");
    check_stopped_before_the_work(&run);
    insta::assert_snapshot!(without_pid(&run), @"
    exit code 3
    ----- stderr
    error: `data/d.db` is locked by another process (pid [PID])
    hint: wait until it is done, or write elsewhere with `--db FILE`
    ");
    drop(lock);
    // What a killed run leaves behind stops nobody.
    assert_eq!(project.evaluate_d("").code, Some(1));
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
}

#[test]
fn a_database_that_another_program_writes() {
    let project = project();
    project.evaluate_d("");
    let other = Connection::open(project.path(DB)).unwrap();
    let run = project.evaluate_d("--force");
    check_stopped_before_the_work(&run);
    insta::assert_snapshot!(without_pid(&run), @"
    exit code 3
    ----- stderr
    error: `data/d.db` is locked by another process (pid [PID])
    hint: wait until it is done, or write elsewhere with `--db FILE`
    ");
    drop(other);
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let project = Project::with_raw(records(0..3));
    for name in [".d.db.building", ".d.db.building.wal", ".d.db.lock"] {
        project.write(&format!("data/{name}"), "left over");
    }
    project.write("data/.d.db.building.tmp/duckdb_temp_block-1.block", "left over");
    project.evaluate_d("").succeeds();
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
    assert!(!project.path("data/.d.db.building.tmp").exists());
}

/// A disk that is full at several sizes of the new database: a limit on the size of files says the same as no space.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_database() {
    let project = Project::with_raw(records(0..3));
    project.evaluate_d("").succeeds();
    let before = points(&project.open(DB));
    project.write("data/set/M/run/a.ndjson", records(0..50_000));
    for blocks in [0, 100, 1000, 2500] {
        let stderr = evaluate_with_disk_of(&project, blocks, "");
        assert!(stderr.contains("d.db") && stderr.contains("File too large"), "{blocks}: {stderr}");
        assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
        check_same("points", &points(&project.open(DB)), &before);
    }
}

/// Spectra lie on the disk until points are made of them: 5,000 take 5,000 blocks, the database about a fifth of that.
#[cfg(unix)]
#[test]
fn a_disk_without_room_for_spectra_leaves_the_old_database() {
    let project = Project::with_raw(records(0..3));
    project.evaluate_d("").succeeds();
    let before = points(&project.open(DB));
    let entry = entry("m", "data/set/M/run/*", r#", "hf_id": "openai/gpt-oss-20b""#);
    project.write("data/set/M/evals.json", format!("[{entry}]"));
    let prompt = |index| record(index, &format!(r#","prompt":"What is {index} and {index}?""#)) + "\n";
    project.write("data/set/M/run/a.ndjson", (0..5_000).map(prompt).collect::<String>());
    let stderr = evaluate_with_disk_of(&project, 4_000, "");
    assert_eq!(
        stderr,
        "error: spectra cannot be kept in data: File too large (os error 27)\nhint: they take half a kilobyte for each prompt \
         until points are made of them; without forensics, `--no-forensics`, there are none\n"
    );
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
    check_same("points", &points(&project.open(DB)), &before);
    // Where a link leads to.
    fs_err::create_dir(project.path("large")).unwrap();
    fs_err::rename(project.path(DB), project.path("large/d.db")).unwrap();
    fs_err::os::unix::fs::symlink("../large/d.db", project.path(DB)).unwrap();
    let stderr = evaluate_with_disk_of(&project, 4_000, "");
    assert!(stderr.starts_with("error: spectra cannot be kept in data/../large: "), "{stderr}");
}
