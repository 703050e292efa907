//! Raw data that is read out of blobs gives the rows that the files gave.

use std::path::{Path, PathBuf};

use rs_core::manifest::Manifest;
use rs_core::pack::Pack;
use rs_testkit::fixtures;

use crate::project::{DB, Project, Run, check_same, entry, evals, points, raw_files, record, records};
use crate::real_data;

fn write(project: &Project, manifest: &Manifest) {
    project.write("data/manifest.json", manifest.to_text());
}

/// All rows of a dataset's database, made anew; evaluations with their sizes.
fn rows(project: &Project, dataset: &str, arguments: &str) -> [Vec<Vec<String>>; 4] {
    let run = project.evaluate(&format!("--dataset data/{dataset}.json --db x.db --force -q {arguments}"));
    assert!(matches!(run.code, Some(0 | 1)), "{run}");
    let connection = project.open("x.db");
    let sizes = crate::project::texts(&connection, "SELECT eval_id, source_bytes FROM evals ORDER BY eval_id");
    [points(&connection), evals(&connection), sizes, raw_files(&connection)]
}

#[track_caller]
fn check_rows(what: &str, found: &[Vec<Vec<String>>; 4], expected: &[Vec<Vec<String>>; 4]) {
    for (table, (found, expected)) in ["points", "evals", "sizes", "raw files"].iter().zip(found.iter().zip(expected)) {
        check_same(&format!("{table}, {what}"), found, expected);
    }
}

#[track_caller]
fn check_from_blobs(project: &Project, dataset: &str, numbers_of_threads: &[u32]) {
    let before = rows(project, dataset, "");
    assert!(!before[0].is_empty());
    // One run in two.
    let is_even = |run: &str| run.bytes().map(u32::from).sum::<u32>() % 2 == 0;
    project.pack_away_those(is_even);
    check_rows("some in blobs", &rows(project, dataset, ""), &before);
    let mut manifest = Manifest::read(&project.path("data/manifest.json")).unwrap();
    for (id, eval) in project.pack_away_those(|run| !is_even(run)).evals {
        manifest.evals.get_mut(&id).unwrap().runs.extend(eval.runs);
    }
    write(project, &manifest);
    assert!(manifest.evals.values().all(|eval| !eval.runs.is_empty()));
    for n_threads in numbers_of_threads {
        let found = rows(project, dataset, &format!("--threads {n_threads}"));
        check_rows(&format!("all in blobs, {n_threads} threads"), &found, &before);
    }
}

#[test]
fn fixtures_in_blobs() {
    let project = Project::empty();
    fixtures().write(&project.path("")).unwrap();
    check_from_blobs(&project, "r12", &[1, 2, 3]);
}

/// As it comes, which is compressed, and plain.
#[test]
fn real_data_in_blobs() {
    let Some(project) = real_data::project() else { return };
    check_from_blobs(&project, "rg", &[3]);
    let Some(project) = real_data::project() else { return };
    real_data::unpack(&project);
    check_from_blobs(&project, "rg", &[3]);
}

/// A project with two runs of one evaluation, `a` and `b`.
fn two_runs() -> Project {
    let project = Project::new();
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/*/*", "")));
    project.write("data/set/M/a/1.ndjson", records(0..10));
    project.write("data/set/M/a/2.ndjson", records(10..13));
    project.write("data/set/M/b/1.ndjson", records(20..25));
    project
}

fn n_samples(project: &Project) -> String {
    project.query("SELECT sum(total) FROM points").remove(0).remove(0)
}

#[test]
fn what_is_unpacked_or_packed_is_read_again_and_what_is_neither_is_not() {
    let project = two_runs();
    project.evaluate_d("").succeeds();
    project.pack_away_those(|run| run == "a");
    let again = |source: &str| {
        let run = project.evaluate_d("--format json").succeeds();
        assert_eq!(run.sources(), [source]);
        assert_eq!(n_samples(&project), "18");
    };
    again("files");
    again("db");
    // The same files again.
    project.write("data/set/M/a/1.ndjson", records(0..10));
    project.write("data/set/M/a/2.ndjson", records(10..13));
    again("files");
    again("db");
}

#[test]
fn a_damaged_blob_is_told_and_the_rest_counts() {
    let project = two_runs();
    let manifest = project.pack_away();
    let run = &manifest.evals["34c4dc"].runs[0];
    let blob = project.store().path_of(&run.blob);
    let whole = fs_err::read(&blob).unwrap();
    let name = run.blob.to_string();
    let name = format!("{}/{}", &name[..2], &name[2..]);
    let shown = |run: Run| run.to_string().replace(&name, "[BLOB]");
    // In the only frame.
    let mut bytes = whole.clone();
    bytes[60] ^= 1;
    fs_err::write(&blob, &bytes).unwrap();
    insta::assert_snapshot!(shown(project.evaluate_d("")), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        3        5       1          0           0          2       0        0  files
    ----- stderr
    data/set/M/a/1.ndjson: cannot be read to its end: blob `data/.blobs/[BLOB]` is damaged or no blob: frame 0 is damaged: Restored data doesn't match checksum
    data/set/M/a/2.ndjson: cannot be read to its end: blob `data/.blobs/[BLOB]` is damaged or no blob: frame 0 is damaged: Restored data doesn't match checksum
    note: a blob is damaged: `data verify --repair` fetches a good copy
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(n_samples(&project), "5");
    // The problem is not forgotten, and the database not taken for whole.
    assert_eq!(project.evaluate_d("").code, Some(1));
    insta::assert_snapshot!(shown(project.evaluate_d("--strict")), @"
    exit code 1
    ----- stderr
    error: data/set/M/a/1.ndjson: cannot be read to its end: blob `data/.blobs/[BLOB]` is damaged or no blob: frame 0 is damaged: Restored data doesn't match checksum
    hint: without --strict the line is counted and the rest goes on
    ");
    // In the tables.
    fs_err::write(&blob, &whole[..whole.len() - 1]).unwrap();
    insta::assert_snapshot!(shown(project.evaluate_d("")), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        2        5       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/a: cannot be read: blob `data/.blobs/[BLOB]` is damaged or no blob: no seek table at its end: it is cut short, or something follows, or it is no blob
    note: a blob is damaged: `data verify --repair` fetches a good copy
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(n_samples(&project), "5");
    // Repaired.
    fs_err::write(&blob, &whole).unwrap();
    project.evaluate_d("").succeeds();
    assert_eq!(n_samples(&project), "18");
}

#[test]
fn a_missing_blob_is_told() {
    let project = two_runs();
    let manifest = project.pack_away();
    let runs = &manifest.evals["34c4dc"].runs;
    project.store().remove(&runs[0].blob).unwrap();
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        5       1          0           0          0       0        0  files
    ----- stderr
    warning: data/set/M: a run is neither extracted nor in the local store: a; `data pull cohort data/set/M` fetches the raw data
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(n_samples(&project), "5");
    project.store().remove(&runs[1].blob).unwrap();
    fs_err::remove_file(project.path(DB)).unwrap();
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 2
    ----- stderr
    warning: data/set/M: 2 runs are neither extracted nor in the local store: a, b; `data pull cohort data/set/M` fetches the raw data
    error: no evaluation of `d` has a raw file here
    hint: data pull cohort data/set/M
    ");
}

/// Points are not lost with a blob that can be had again; and what is here counts once it is more than was.
#[test]
fn points_of_runs_that_are_elsewhere_stay() {
    let project = two_runs();
    project.evaluate_d("").succeeds();
    let manifest = project.pack_away();
    project.evaluate_d("").succeeds();
    project.store().remove(&manifest.evals["34c4dc"].runs[0].blob).unwrap();
    let run = project.evaluate_d("").succeeds();
    assert!(run.stderr.contains("34c4dc: not all raw files are here; its points (1) stay as they were"), "{run}");
    assert_eq!(n_samples(&project), "18");
    project.evaluate_d("--force").succeeds();
    assert_eq!(n_samples(&project), "5");
    project.write("data/set/M/c/1.ndjson", records(50..52));
    project.evaluate_d("").succeeds();
    assert_eq!(n_samples(&project), "7");
}

/// Sizes of two files swapped in the table of contents, so that all sums are right.
#[test]
fn a_table_of_contents_that_lies_is_not_believed() {
    let project = Project::new();
    project.write("data/set/M/run/a.ndjson", records(0..2) + "\n");
    project.write("data/set/M/run/b.ndjson", records(2..4));
    let mut manifest = project.pack_away();
    let run = &mut manifest.evals.get_mut("34c4dc").unwrap().runs[0];
    let blob = project.store().path_of(&run.blob);
    let text = record(0, "").len() * 2 + 2;
    let (a, b) = (format!("\"size\":{},", text + 1), format!("\"size\":{text},"));
    assert_eq!(a.len(), b.len());
    let mut bytes = fs_err::read(&blob).unwrap();
    let find = |text: &str| {
        let found = bytes.windows(text.len()).position(|bytes| bytes == text.as_bytes());
        found.unwrap_or_else(|| panic!("no {text}"))
    };
    let (at_a, at_b) = (find(&a), find(&b));
    bytes[at_a..at_a + a.len()].copy_from_slice(b.as_bytes());
    bytes[at_b..at_b + b.len()].copy_from_slice(a.as_bytes());
    fs_err::write(&blob, bytes).unwrap();
    let told = |what: &str| {
        let run = project.evaluate_d("--force");
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains(what), "{run}");
        assert!(run.stderr.contains("note: a blob is damaged: `data verify --repair` fetches a good copy"), "{run}");
    };
    // It is not what the manifest names.
    told("data/set/M/run: cannot be read: blob `data/.blobs/");
    told("is refused: its content is ");
    // A manifest that lies with it.
    run.content = Pack::open(&blob).unwrap().content().unwrap().hash;
    write(&project, &manifest);
    told("data/set/M/run/a.ndjson: cannot be read to its end: blob `data/.blobs/");
    told("its tar has a size of ");
}

/// A blob that says that it holds what a file holds, and holds something else: its results are not kept as the file's.
#[test]
fn a_lie_does_not_get_into_the_cache() {
    let project = Project::new();
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cache": ".cache", "cohorts": [{"path": "set/M"}]}"#);
    let (truth, lie) = (records(0..5), records(5..7));
    project.write("data/set/M/run/a.ndjson", &lie);
    let mut manifest = project.pack_away();
    let run = &mut manifest.evals.get_mut("34c4dc").unwrap().runs[0];
    let blob = project.store().path_of(&run.blob);
    let mut bytes = fs_err::read(&blob).unwrap();
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    let at = bytes.windows(64).position(|bytes| bytes == hash(&lie).as_bytes()).expect("the table tells it");
    bytes[at..at + 64].copy_from_slice(hash(&truth).as_bytes());
    fs_err::write(&blob, bytes).unwrap();
    run.content = Pack::open(&blob).unwrap().content().unwrap().hash;
    write(&project, &manifest);
    project.evaluate_d("").succeeds();
    assert_eq!(n_samples(&project), "2");
    // The same again from the cache.
    let again = project.evaluate_d("--db x.db --format json").succeeds();
    assert_eq!(again.summary().evaluations[0].cached_files, 1, "{again}");
    // The file itself.
    project.write("data/set/M/run/a.ndjson", &truth);
    project.evaluate_d("").succeeds();
    assert_eq!(n_samples(&project), "5");
}

#[test]
fn nothing_is_extracted() {
    let project = two_runs();
    project.pack_away();
    let list = |folder: &Path| -> Vec<PathBuf> {
        let mut names: Vec<PathBuf> = fs_err::read_dir(folder).unwrap().map(|item| item.unwrap().path()).collect();
        names.sort();
        names
    };
    let folders = [project.path("data/set/M"), project.path("data/.blobs")];
    let before: Vec<Vec<PathBuf>> = folders.iter().map(|folder| list(folder)).collect();
    project.evaluate_d("").succeeds();
    assert_eq!(folders.iter().map(|folder| list(folder)).collect::<Vec<_>>(), before);
}

/// There may be more blobs than a process may have files open.
#[test]
fn blobs_are_not_all_open_at_once() {
    let project = Project::new();
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/*/*", "")));
    for run in 0..100 {
        project.write(&format!("data/set/M/run{run}/1.ndjson"), record(run, "") + "\n");
    }
    project.pack_away();
    let limited = "ulimit -n 64 && exec \"$0\" --dataset data/d.json -q";
    let mut shell = project.command_of("/bin/sh", ["-c", limited, env!("CARGO_BIN_EXE_evaluate")]);
    assert!(shell.status().unwrap().success());
    assert_eq!(n_samples(&project), "100");
}
