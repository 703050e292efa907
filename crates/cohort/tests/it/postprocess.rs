//! `cohort postprocess`: steps that replace raw files, and what holds for all of them.

mod compress;
mod dedupe;
mod killed;
mod rescore;

use std::os::unix::fs::symlink;

use flate2::write::GzEncoder;
use rs_core::lock::Lock;
use serde_json::Value;

use crate::points::{check_same_points, collected};
use crate::project::{Project, Run, entry, record};

/// Runs steps on the cohort of [`Project::small`].
fn postprocess(project: &Project, arguments: &[&str]) -> Run {
    project.cohort(&[&["postprocess", "data/set/M"], arguments].concat())
}

/// The document of a run that ends with this exit code.
#[track_caller]
fn document(project: &Project, arguments: &[&str], code: i32) -> Value {
    let run = postprocess(project, &[arguments, &["--format", "json"]].concat());
    assert_eq!(run.code, Some(code), "{run}");
    run.document()
}

/// A row of the document's `steps`, less what depends on how well things pack.
fn step(document: &Value, at: usize) -> (&str, u64, u64, Option<u64>, Option<u64>) {
    let row = &document["steps"][at];
    let count = |key: &str| row[key].as_u64();
    (
        row["step"].as_str().unwrap(),
        count("files").unwrap(),
        count("changed").unwrap(),
        count("records_before"),
        count("records_after"),
    )
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, text).unwrap();
    packer.finish().unwrap()
}

fn with_checksum(text: &[u8]) -> Vec<u8> {
    let mut packer = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    packer.include_checksum(true).unwrap();
    std::io::Write::write_all(&mut packer, text).unwrap();
    packer.finish().unwrap()
}

/// A config whose task `b`, that of [`record`], has this `answer_regex`.
fn write_config(project: &Project, regexes: &str) {
    let config = format!("name: c\ntasks:\n  - {{name: b, grid: {{n: [1]}}, answer_regex: {regexes}}}\n");
    project.write("configs/c.yaml", config);
}

const RESCORE: [&str; 2] = ["--rescore", "configs/c.yaml"];

/// A cohort on which every step has something to do.
fn full() -> Project {
    let project = Project::small();
    write_config(&project, "['<a>(.*?)</a>']");
    let scored = |index: u32, response: &str| {
        record("m", &format!(",\"index\":{index},\"response\":\"{response}\",\"reference\":\"1\",\"answer\":\"1\""))
    };
    let texts =
        [scored(0, "<a>1</a>") + &scored(1, "<a>2</a>"), scored(0, "?") + "\nno record\n", scored(1, "<a>1</a>")];
    project.write("data/set/M/run/a.ndjson", &texts[0]);
    project.write("data/set/M/run/b.jsonl.gz", gzipped(texts[1].as_bytes()));
    project.write("data/set/M/run2/c.ndjson.zst", zstd::encode_all(texts[2].as_bytes(), 1).unwrap());
    project.write("data/set/M/run/metadata.json", "{}");
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run*/*", "")));
    project
}

#[test]
fn steps_follow_one_another() {
    let project = full();
    let before = project.tree();
    let all = [&RESCORE[..], &["--compress", "--dedupe"]].concat();
    let dry = postprocess(&project, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(project.tree(), before, "{dry}");
    insta::assert_snapshot!(postprocess(&project, &[&all[..], &["-v"]].concat()), @r#"
    exit code 0
    ----- stdout
    step      files  changed  bytes before  bytes after  records before  records after
    rescore       3        2         573 B        556 B               4              4
    dedupe        3        1         556 B        261 B               4              2
    compress      3        3         261 B        277 B

    Scored again
    eval_id  task  records  now correct  no longer correct  now invalid  no longer invalid  other answers  left alone
    34c4dc   b           4            0                  2            1                  0              0           0
    ----- stderr
    note: duplicates of a record in another file: 2
    note: without checksums, in which damage would not be noticed, and packed anew: 1
    data/set/M/run/a.ndjson:2: "1" correct → "2" incorrect
    data/set/M/run/b.jsonl.gz:1: "1" correct → null invalid
    "#);
    let names: Vec<String> = project.tree().into_keys().collect();
    assert_eq!(
        names.join(" "),
        "configs/c.yaml data/set/M/evals.json data/set/M/run/a.ndjson.zst data/set/M/run/b.jsonl.zst data/set/M/run/metadata.json data/set/M/run2/c.ndjson.zst"
    );
    let after = project.tree();
    let again = document(&project, &all, 0);
    assert_eq!((0..3).map(|at| step(&again, at).2).collect::<Vec<_>>(), [0, 0, 0], "{again}");
    assert_eq!(project.tree(), after);
}

#[test]
fn at_least_one_step() {
    let project = full();
    insta::assert_snapshot!(postprocess(&project, &[]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <--rescore <CONFIG>|--dedupe|--compress>

    Usage: cohort postprocess <--rescore <CONFIG>|--dedupe|--compress> <COHORT>

    For more information, try '--help'.
    ");
}

#[test]
fn one_process_at_a_time() {
    let project = full();
    let before = project.tree();
    let lock = Lock::take(&project.path("data/set/M/.postprocess.lock")).unwrap();
    let run = postprocess(&project, &["--compress"]);
    assert_eq!(run.code, Some(3));
    let pid = std::process::id();
    assert_eq!(
        run.stderr,
        format!(
            "error: process {pid} is at work on `data/set/M`\nhint: wait until it is done, then run the same again\n"
        )
    );
    // Looking changes nothing, so nobody is in the way.
    assert_eq!(postprocess(&project, &["--compress", "--dry-run"]).code, Some(0));
    drop(lock);
    assert_eq!(project.tree(), before);
}

/// A link must lead to what it led to, and a file elsewhere may be another cohort's.
#[test]
fn what_may_be_somebody_elses_is_left_alone() {
    let project = Project::small();
    let text = record("m", ",\"index\":0").repeat(2);
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/*/run/*", "")));
    project.write("data/set/M/run/own.ndjson", &text);
    project.write("data/set/M/run/twice.ndjson", &text);
    project.write("data/set/N/run/other.ndjson", &text);
    project.write("elsewhere/linked.ndjson", &text);
    symlink(project.path("elsewhere/linked.ndjson"), project.path("data/set/M/run/link.ndjson")).unwrap();
    symlink("twice.ndjson", project.path("data/set/M/run/way.ndjson")).unwrap();
    let before = project.tree();
    insta::assert_snapshot!(postprocess(&project, &["--dedupe", "--compress"]), @"
    exit code 0
    ----- stdout
    step      files  changed  bytes before  bytes after  records before  records after
    dedupe        1        1         192 B         96 B               2              1
    compress      1        1          96 B         90 B
    ----- stderr
    warning: data/set/M/run/twice.ndjson is reached by several paths; it is left alone
    warning: data/set/M/run/way.ndjson is reached by several paths; it is left alone
    warning: data/set/N/run/other.ndjson lies outside the cohort's folder; it is left alone
    warning: data/set/M/run/link.ndjson is reached through a link; it is left alone
    ");
    let mut after = project.tree();
    assert!(after.remove("data/set/M/run/own.ndjson.zst").is_some());
    assert!(before.iter().filter(|(name, _)| !name.contains("own")).eq(after.iter()));
}

#[test]
fn blobs_are_not_touched() {
    let project = full();
    project.pack_away();
    let before = project.tree();
    insta::assert_snapshot!(postprocess(&project, &["--dedupe", "--compress"]), @"
    exit code 0
    ----- stdout
    step      files  changed  bytes before  bytes after  records before  records after
    dedupe        0        0           0 B          0 B               0              0
    compress      0        0           0 B          0 B
    ----- stderr
    note: files in blobs only, left alone: 3; `data pull cohort data/set/M` extracts them
    ");
    assert_eq!(project.tree(), before);
}

#[test]
fn what_was_pushed_is_to_be_pushed_again() {
    let project = full();
    let before = collected(&project, "data/set/M");
    let runs: Vec<_> = project.tree().into_iter().filter(|(name, _)| name.contains("/run")).collect();
    project.pack_away();
    runs.iter().for_each(|(name, bytes)| project.write(name, bytes));
    let run = postprocess(&project, &["--compress"]);
    assert_eq!(run.code, Some(0), "{run}");
    let note = "note: the manifest still names the old content; `data push cohort data/set/M` shares the new\n";
    assert!(run.stderr.ends_with(note), "{run}");
    check_same_points(&collected(&project, "data/set/M"), &before);
}
