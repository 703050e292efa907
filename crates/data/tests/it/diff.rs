//! `data diff`: a manifest against a remote, or two manifests.

use serde::Deserialize;

use crate::project::{Project, check_same, record};

/// The document `data.diff/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Diff {
    schema: String,
    left: String,
    right: String,
    differences: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    what: String,
    difference: String,
    left_bytes: Option<u64>,
    right_bytes: Option<u64>,
}

#[test]
fn a_manifest_and_a_remote() {
    let project = Project::pushed();
    insta::assert_snapshot!(project.shown(project.data(&["diff"])), @"
    exit code 0
    ----- stderr
    note: data/manifest.json and origin (remote) do not differ
    ");
    fs_err::remove_file(project.blob_of("m-1", "remote")).unwrap();
    fs_err::write(project.blob_of("o-1", "remote"), "cut").unwrap();
    project.write("remote/00/11111111111111111111111111111111111111111111111111111111111111", "whose?");
    let before = project.tree();
    insta::assert_snapshot!(project.shown(project.data(&["diff", "origin"])), @"
    exit code 1
    ----- stdout
    left data/manifest.json, right origin (remote)
    what                   difference   left  right
    cohort set/M, run m-1  only left   513 B
    cohort set/N, run o-1  other size  339 B    3 B
    blob 001111111111      only right           6 B
    ");
    let run = project.data(&["diff", "--format", "json"]);
    let diff: Diff = run.document();
    assert_eq!((run.code, diff.schema.as_str(), diff.left.as_str()), (Some(1), "data.diff/1", "data/manifest.json"));
    assert!(diff.right.starts_with("origin ("));
    let rows: Vec<(&str, &str)> =
        diff.differences.iter().map(|row| (row.what.as_str(), row.difference.as_str())).collect();
    assert!(rows.contains(&("cohort set/M, run m-1", "only_left")), "{rows:?}");
    assert!(rows.contains(&("cohort set/N, run o-1", "size")), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row.1 == "only_right").count(), 1);
    let cut = diff.differences.iter().find(|row| row.difference == "size").unwrap();
    assert!(cut.left_bytes.is_some_and(|bytes| bytes > 3) && cut.right_bytes == Some(3));
    check_same("nothing is changed", &project.tree(), &before);
    // What is gone there is sent again, as it is still here.
    fs_err::remove_file(project.blob_of("o-1", "remote")).unwrap();
    project.data(&["push", "dataset", "data/d.json", "--raw"]).succeeds();
    let rest: Diff = project.data(&["diff", "--format", "json"]).document();
    assert_eq!(rest.differences.len(), 1);
}

#[test]
fn two_manifests() {
    let project = Project::pushed();
    fs_err::copy(project.path("data/manifest.json"), project.path("before.json")).unwrap();
    insta::assert_snapshot!(project.data(&["diff", "before.json", "data/manifest.json"]), @"
    exit code 0
    ----- stderr
    note: before.json and data/manifest.json do not differ
    ");
    project.write("data/set/N/o-1/a.ndjson", record("o", "").repeat(3));
    project.write("data/set/M/m-3/a.ndjson", record("m", ""));
    project.data(&["push", "dataset", "data/d.json", "--raw", "-q"]).succeeds();
    project.data(&["remote", "remove", "origin"]).succeeds();
    insta::assert_snapshot!(project.data(&["diff", "before.json", "data/manifest.json"]), @"
    exit code 1
    ----- stdout
    left before.json, right data/manifest.json
    what                           difference      left  right
    34c4dc: cohort set/M, run m-3  only right            333 B
    90caf4: cohort set/N, run o-1  other content  339 B  336 B
    remote origin                  only left
    ");
    // One file alone is compared with the manifest that is here.
    insta::assert_snapshot!(project.data(&["diff", "before.json"]), @"
    exit code 1
    ----- stdout
    left data/manifest.json, right before.json
    what                           difference      left  right
    34c4dc: cohort set/M, run m-3  only left      333 B
    90caf4: cohort set/N, run o-1  other content  336 B  339 B
    remote origin                  only right
    ");
}

#[test]
fn wrong_input() {
    let project = Project::pushed();
    let diff = |arguments: &[&str]| project.shown(project.data(&[&["diff"], arguments].concat()));
    insta::assert_snapshot!(diff(&["orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(diff(&["nowhere.json", "data/manifest.json"]), @"
    exit code 2
    ----- stderr
    error: no manifest `nowhere.json`
    ");
    insta::assert_snapshot!(diff(&["data/d.json", "data/manifest.json"]), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:78: missing field `version`
    ");
    insta::assert_snapshot!(diff(&["--data", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere`
    hint: name the folder of the manifest with `--data DIR`
    ");
    project.remove("remote");
    insta::assert_snapshot!(diff(&[]), @"
    exit code 3
    ----- stderr
    error: `remote` is not there
    ");
}
