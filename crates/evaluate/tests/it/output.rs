//! What `evaluate` prints, and where.

use std::process::Stdio;

use rs_core::sample::Sample;

use crate::project::{DB, Project, record, records};

fn project() -> Project {
    let duplicate = record(0, ",\"correct\":false") + "\n";
    let foreign = record(0, ",\"model\":\"other\"") + "\n";
    Project::with_raw(records(0..3) + &duplicate + &foreign + &record(3, ",\"truncated\":true") + "\n")
}

#[test]
fn formats() {
    let project = project();
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        5       1          1           1          0       0        1  files
    ----- stderr
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    insta::assert_snapshot!(project.evaluate_d("-q --format markdown"), @"
    exit code 0
    ----- stdout
    | eval_id | label | files | records | points | truncated | duplicates | malformed | errors | foreign | from |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | 34c4dc | L m | 1 | 5 | 1 | 1 | 1 | 0 | 0 | 1 | db |
    ");
    insta::assert_snapshot!(project.evaluate_d("-q --format csv"), @"
    exit code 0
    ----- stdout
    eval_id,label,files,records,points,truncated,duplicates,malformed,errors,foreign,from
    34c4dc,L m,1,5,1,1,1,0,0,1,db
    ");
    let summary = project.evaluate_d("-q --format json").summary();
    assert_eq!(summary.schema, "evaluate.summary/1");
    assert_eq!((summary.evaluations[0].duplicates, summary.evaluations[0].foreign), (1, 1));
    assert_eq!((summary.read_bytes, summary.sample_memory_bytes), (0, 0));
    let n_records = summary.evaluations[0].records;
    let again = project.evaluate_d("-q --force --no-forensics --format json").summary();
    assert_eq!(again.sample_memory_bytes, n_records * size_of::<Sample>() as u64);
}

#[test]
fn a_file_holds_what_would_be_printed() {
    let project = project();
    let run = project.evaluate_d("-q --format csv --output out.csv").succeeds();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    // Both are taken from the database, the second time.
    let printed = project.evaluate_d("-q --format csv").stdout.replace(",db\n", ",files\n");
    assert_eq!(fs_err::read_to_string(project.path("out.csv")).unwrap(), printed);
    assert_eq!(project.files_in(""), ["out.csv"]);
}

#[test]
fn colours_only_where_they_are_wanted() {
    let project = project();
    assert!(!project.evaluate_d("--force").stderr.contains('\x1b'));
    assert!(project.evaluate_d("--force --color always").stderr.contains("\x1b[36mnote: \x1b[0m"));
}

/// `evaluate | head -0`: nobody reads the summary, and the database is there.
#[test]
fn a_closed_pipe_ends_quietly() {
    let project = project();
    let mut command = project.command(["--dataset", "data/d.json", "-q"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    assert!(project.path(DB).exists());
}

#[test]
fn help_is_a_result() {
    for argument in ["--help", "-h", "--version", "man"] {
        let run = Project::empty().evaluate(argument).succeeds();
        assert_eq!(run.stderr, "", "{argument}");
        assert!(run.stdout.contains("evaluate"), "{argument}");
    }
}
