//! What has not changed is not read again, and the database is the same as if everything had been.

use std::os::unix::fs::MetadataExt;

use crate::fixtures;
use crate::project::{DB, Project, Run, check_same, entry, evals, points, raw_files, record, records, texts};

/// Two evaluations, `m` and `n`, each with a run folder of its own.
fn project() -> Project {
    let project = Project::new();
    write_evals(&project, "", "");
    project.write("data/set/M/run_m/a.ndjson", lines("m", 0..3));
    project.write("data/set/M/run_n/a.ndjson", lines("n", 0..4));
    project.evaluate_d("").succeeds();
    project
}

/// `evals.json` of both, with more members of each.
fn write_evals(project: &Project, of_m: &str, of_n: &str) {
    let entry = |model: &str, more: &str| entry(model, &format!("data/set/M/run_{model}/*"), more);
    project.write("data/set/M/evals.json", format!("[{},\n{}]", entry("m", of_m), entry("n", of_n)));
}

fn lines(model: &str, indexes: std::ops::Range<u32>) -> String {
    indexes.map(|index| record(index, &format!(",\"model\":\"{model}\"")) + "\n").collect()
}

/// What tells one database file from another.
fn identity_of_file(project: &Project) -> (u64, i64) {
    let metadata = fs_err::metadata(project.path(DB)).unwrap();
    (metadata.ino(), metadata.mtime_nsec())
}

/// Runs `evaluate`; its rows must come from these places, and be those that a run from nothing makes.
#[track_caller]
fn check(project: &Project, arguments: &str, sources: &[&str]) -> Run {
    let run = project.evaluate_d(&format!("--format json {arguments}")).succeeds();
    assert_eq!(run.sources(), sources, "{run}");
    project.evaluate_d("--db data/fresh.db -q").succeeds();
    let (found, fresh) = (project.open(DB), project.open("data/fresh.db"));
    check_same("points", &points(&found), &points(&fresh));
    check_same("evals", &evals(&found), &evals(&fresh));
    check_same("raw files", &raw_files(&found), &raw_files(&fresh));
    drop(fresh);
    fs_err::remove_file(project.path("data/fresh.db")).unwrap();
    run
}

#[test]
fn unchanged_is_not_touched() {
    let project = project();
    let before = identity_of_file(&project);
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          0       0        0  db
    7d262a   L n        1        4       1          0           0          0       0        0  db
    ----- stderr
    note: nothing has changed: data/d.db is up to date ([TIME] s)
    ");
    let run = check(&project, "", &["db", "db"]);
    assert_eq!(run.summary().read_bytes, 0);
    assert_eq!(identity_of_file(&project), before, "not even written anew");
}

#[test]
fn a_changed_file_is_read_and_no_other() {
    let project = project();
    let text = lines("n", 0..5);
    project.write("data/set/M/run_n/a.ndjson", &text);
    let run = check(&project, "", &["db", "files"]);
    assert_eq!(run.summary().read_bytes, text.len() as u64);
    assert_eq!(run.summary().evaluations[1].records, 5);
    check(&project, "", &["db", "db"]);
}

#[test]
fn a_change_that_keeps_the_size_is_seen() {
    let project = project();
    let before = lines("m", 0..3);
    let after = before.replace("\"index\":0", "\"index\":9");
    assert!(before.len() == after.len() && before != after);
    project.write("data/set/M/run_m/a.ndjson", after);
    check(&project, "", &["files", "db"]);
    assert_eq!(project.query("SELECT sample_index_list FROM points WHERE model = 'm'"), [["[1, 2, 9]"]]);
}

#[test]
fn files_come_and_go() {
    let project = project();
    project.write("data/set/M/run_m/b.jsonl", lines("m", 3..4));
    check(&project, "", &["files", "db"]);
    fs_err::remove_file(project.path("data/set/M/run_m/a.ndjson")).unwrap();
    let run = check(&project, "", &["files", "db"]);
    assert_eq!(run.summary().evaluations[0].records, 1);
    // Files that no evaluation reads.
    project.write("data/set/M/run_m/notes.txt", "x");
    project.write("data/set/M/run_x/a.ndjson", lines("m", 3..4));
    check(&project, "", &["db", "db"]);
}

#[test]
fn a_changed_label_is_updated() {
    let project = project();
    let text = fs_err::read_to_string(project.path("data/set/M/evals.json")).unwrap();
    project.write("data/set/M/evals.json", text.replace("L m", "Another"));
    let run = check(&project, "", &["files", "db"]);
    assert_eq!(run.summary().evaluations[0].label, "Another");
    assert_eq!(project.query("SELECT label FROM evals ORDER BY label"), [["Another"], ["L n"]]);
}

#[test]
fn changed_groups_and_tags_are_updated() {
    let project = project();
    write_evals(&project, "", r#", "groups": ["arch:moe"], "tags": ["x"]"#);
    check(&project, "", &["db", "files"]);
    assert_eq!(
        project.query("SELECT \"groups\", facets FROM points WHERE model = 'n'"),
        [["['arch:moe']", "{\"arch\":\"moe\"}"]]
    );
    assert_eq!(project.query("SELECT tags FROM evals WHERE model = 'n'"), [["[x]"]]);
}

#[test]
fn an_evaluation_that_left_the_dataset_is_gone() {
    let project = project();
    let filters = r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M", "filters": {"model": "n"}}]}"#;
    project.write("data/d.json", filters);
    check(&project, "", &["db"]);
    assert_eq!(project.query("SELECT DISTINCT model FROM points UNION SELECT model FROM evals"), [["n"]]);
    // And back.
    project.write("data/d.json", filters.replace(", \"filters\": {\"model\": \"n\"}", ""));
    check(&project, "", &["files", "db"]);
}

#[test]
fn another_dataset_in_the_same_file_is_another_database_if_forced() {
    let project = project();
    project.write("data/d.json", r#"{"name": "other", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    check(&project, "--force", &["files", "files"]);
    assert_eq!(project.query("SELECT value FROM meta WHERE key = 'dataset'"), [["other"]]);
}

#[test]
fn force_reads_everything() {
    let project = project();
    let before = identity_of_file(&project);
    check(&project, "--force", &["files", "files"]);
    assert_ne!(identity_of_file(&project), before);
}

#[test]
fn only_the_evaluations_asked_for() {
    let project = project();
    project.write("data/set/M/run_m/a.ndjson", lines("m", 0..5));
    project.write("data/set/M/run_n/a.ndjson", lines("n", 0..6));
    let run = project.evaluate_d("--format json --eval-id n+t+s").succeeds();
    assert_eq!(run.sources(), ["db", "files"]);
    assert_eq!(project.query("SELECT model, total FROM points ORDER BY model"), [["m", "3"], ["n", "6"]]);
    // What was not asked for is still known to have changed.
    check(&project, "", &["files", "db"]);
    let run = project.evaluate_d("--format json --force --eval-id m+t+s --eval-id m+t+s").succeeds();
    assert_eq!(run.sources(), ["files", "db"]);
}

#[test]
fn asked_for_from_nothing_the_others_are_left_out() {
    let project = project();
    fs_err::remove_file(project.path(DB)).unwrap();
    insta::assert_snapshot!(project.evaluate_d("--eval-id n+t+s"), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    7d262a   L n        1        4       1          0           0          0       0        0  files
    ----- stderr
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    check(&project, "", &["files", "db"]);
}

/// A malformed line is told when its file is read; it stays in the count, and in the exit code, until it is mended.
#[test]
fn malformed_lines_are_not_forgotten() {
    let project = project();
    project.write("data/set/M/run_m/a.ndjson", lines("m", 0..3) + "{}\n");
    assert_eq!(project.evaluate_d("").code, Some(1));
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          1       0        0  db
    7d262a   L n        1        4       1          0           0          0       0        0  db
    ----- stderr
    warning: 34c4dc: malformed lines: 1, told when they were read; `--force` tells them again
    note: nothing has changed: data/d.db is up to date ([TIME] s)
    ");
    project.write("data/set/M/run_m/a.ndjson", lines("m", 0..3));
    check(&project, "", &["files", "db"]);
}

/// Evaluations of one identity under several contexts are rows of their own.
#[test]
fn contexts_are_evaluations_of_their_own() {
    let project = Project::new();
    let tokens = |index: u32| record(index, &format!(",\"completion_tokens\":{}", 100 * index)) + "\n";
    project.write("data/set/M/run/a.ndjson", (1..5).map(tokens).collect::<String>());
    let glob = "data/set/M/run/*";
    let (whole, clipped) = (entry("m", glob, ""), entry("m", glob, ", \"context\": 250").replace("L m", "L m short"));
    project.write("data/set/M/evals.json", format!("[{whole},{clipped}]"));
    check(&project, "", &["files", "files"]);
    let counts =
        "SELECT e.context, p.correct, p.total, p.truncated FROM points p JOIN evals e USING (eval_id) ORDER BY ALL";
    assert_eq!(project.query(counts), [["250", "2", "2", "2"], ["NULL", "4", "4", "0"]]);
    // The smaller of both, and what is then one evaluation is one.
    insta::assert_snapshot!(project.evaluate_d("--context 350"), @"
    exit code 0
    ----- stdout
    eval_id  label      files  records  points  truncated  duplicates  malformed  errors  foreign  from
    51c146   L m            1        4       1          1           0          0       0        0  files
    ce8416   L m short      1        4       1          2           0          0       0        0  db
    ----- stderr
    note: no longer asked for, and dropped from the database: 34c4dc
    note: 2 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(project.query(counts), [["250", "2", "2", "2"], ["350", "3", "3", "1"]]);
    insta::assert_snapshot!(project.evaluate_d("--context 200"), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    1c17c9   L m        1        4       1          2           0          0       0        0  files
    ----- stderr
    warning: `L m` and `L m short` are both `m+t+s+ctx200` here; the second is left out
    note: no longer asked for, and dropped from the database: 51c146, ce8416
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(project.query(counts), [["200", "2", "2", "2"]]);
}

/// On the fixtures: the context of the model's 8k evaluation, asked for on the command line.
#[test]
fn a_context_clips_as_the_model_says() {
    const CONTEXT: u64 = 8192;
    let project = fixtures::project();
    let run = project.evaluate(&format!("--dataset data/r12.json --context {CONTEXT}")).succeeds();
    assert!(run.stderr.contains("are both `Qwen3-32B-fp16+think+t0.6-p0.95-16k+ctx8192` here"), "{run}");
    let mut expected: Vec<Vec<String>> = Vec::new();
    let mut n_clipped = 0;
    for evaluation in fixtures::expected().evaluations().filter(|evaluation| evaluation.context.is_none()) {
        let identity = format!("{}+{}+{}+ctx{CONTEXT}", evaluation.model, evaluation.template, evaluation.sampler);
        let eval_id = &blake3::hash(identity.as_bytes()).to_hex()[..6];
        for point in &evaluation.points {
            let is_clipped = |tokens: Option<u64>| tokens.is_some_and(|tokens| tokens > CONTEXT);
            let mut counts = [0; 4];
            for sample in &point.samples {
                let status = if is_clipped(sample.completion_tokens) { 2 } else { sample.answer_status };
                n_clipped += u64::from(status != sample.answer_status);
                counts[usize::from(status)] += 1;
            }
            let [correct, incorrect, truncated, invalid] = counts;
            let counts = [correct, invalid, correct + incorrect + invalid, truncated, point.counts.errors];
            let names = [eval_id, &point.base_task, &point.params].map(str::to_owned);
            expected.push(names.into_iter().chain(counts.map(|count| count.to_string())).collect());
        }
    }
    assert!(n_clipped > 50, "{n_clipped}");
    expected.sort();
    let sql = "SELECT eval_id, base_task, params, correct, invalid, total, truncated, errors FROM points";
    let mut found = texts(&project.open("data/pointsdb-r12.db"), sql);
    found.sort();
    check_same("points", &found, &expected);
    let contexts = texts(&project.open("data/pointsdb-r12.db"), "SELECT DISTINCT context FROM evals");
    assert_eq!(contexts, [[CONTEXT.to_string()]]);
}

/// An evaluation goes by the id that its cohort gives it, whatever `--context` makes of it.
#[test]
fn asked_for_by_its_own_id_under_a_context() {
    let project = Project::with_raw(records(0..3));
    let own = project.evaluate_d("--format json").succeeds().summary().evaluations[0].eval_id.clone();
    let run = project.evaluate_d(&format!("--context 100 --eval-id {own} --db x.db --format json")).succeeds();
    let clipped = run.summary().evaluations[0].eval_id.clone();
    assert_ne!(clipped, own);
    let again = project.evaluate_d(&format!("--context 100 --eval-id {clipped} --db x.db --format json")).succeeds();
    assert_eq!(again.summary().evaluations[0].eval_id, clipped);
}

/// Nothing is said to be dropped before it is.
#[test]
fn a_run_that_stops_drops_nothing() {
    let project = Project::with_raw(records(0..3));
    project.evaluate_d("").succeeds();
    project.write("data/set/M/run/b.ndjson", "{}\n");
    let run = project.evaluate_d("--context 100 --strict");
    assert!(run.code == Some(1) && !run.stderr.contains("dropped"), "{run}");
    let run = project.evaluate_d("--context 100");
    assert!(run.code == Some(1) && run.stderr.contains("dropped from the database"), "{run}");
}
