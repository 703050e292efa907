//! `data ls`: what a remote has.

use serde::Deserialize;

use crate::project::{Project, check_same};

/// The document `data.ls/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ls {
    schema: String,
    remote: String,
    blobs: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    blob: String,
    bytes: u64,
    holds: Option<String>,
}

#[test]
fn what_a_remote_has() {
    let project = Project::pushed();
    project.write("remote/00/11111111111111111111111111111111111111111111111111111111111111", "whose?");
    project.write("remote/README", "no blob");
    let before = project.tree();
    insta::assert_snapshot!(project.shown(project.data(&["ls"])), @"
    exit code 0
    ----- stdout
    in origin (remote)
    blob          bytes  holds
    001111111111    6 B  not in the manifest
    172a38c39909  340 B  cohort set/M, run m-2
    27c09cefd493  513 B  cohort set/M, run m-1
    2f22ee295598  339 B  cohort set/N, run o-1
    8a0a9b1bfc60   64 B  database of dataset d
    dcfc3d262d52  497 B  cohort set/M, run n-1
    ");
    let ls: Ls = project.document(&["ls", "origin"]);
    assert_eq!(ls.schema, "data.ls/1");
    assert!(ls.remote.starts_with("origin ("));
    let found: Vec<(&str, u64)> = ls.blobs.iter().map(|row| (row.blob.as_str(), row.bytes)).collect();
    let blobs = project.blobs("remote");
    let sizes = blobs.values().map(|path| fs_err::metadata(path).unwrap().len());
    assert_eq!(found, blobs.keys().map(String::as_str).zip(sizes).collect::<Vec<_>>());
    assert_eq!(ls.blobs[0].holds, None);
    assert!(ls.blobs[1..].iter().all(|row| row.holds.is_some()));
    check_same("nothing is changed", &project.tree(), &before);
}

#[test]
fn nothing_there_and_wrong_input() {
    let project = Project::small();
    let ls = |arguments: &[&str]| project.shown(project.data(&[&["ls"], arguments].concat()));
    insta::assert_snapshot!(ls(&[]), @"
    exit code 3
    ----- stderr
    error: `remote` is not there
    ");
    fs_err::create_dir(project.path("remote")).unwrap();
    insta::assert_snapshot!(ls(&[]), @"
    exit code 0
    ----- stdout
    in origin (remote)
    blob  bytes  holds
    ");
    insta::assert_snapshot!(ls(&["orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(ls(&["--data", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere`
    hint: name the folder of the manifest with `--data DIR`
    ");
    project.data(&["remote", "add", "web", "http://127.0.0.1:9/blobs"]).succeeds();
    insta::assert_snapshot!(ls(&["web"]), @"
    exit code 2
    ----- stderr
    error: `http://127.0.0.1:9/blobs/` cannot be listed: web servers have no lists of blobs
    ");
}
