//! `data push`: what is new is packed and sent, then the manifest says so.

use serde::Deserialize;

use crate::project::{Project, check_same, record};

/// The document `data.push/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    schema: String,
    remote: String,
    items: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    name: String,
    runs: u64,
    packed: u64,
    raw_bytes: u64,
    stored_bytes: u64,
    sent_bytes: u64,
}

#[test]
fn cohorts_and_databases_are_packed_sent_and_named() {
    let project = Project::small();
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/M", "data/set/N"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw   stored     sent
    cohort set/M     3       3    487 B  1.35 kB  1.35 kB
    cohort set/N     1       1  8.60 kB    339 B    339 B
    ");
    insta::assert_snapshot!(project.shown(project.data(&["push", "dataset", "data/d.json"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed      runs  packed    raw  stored  sent
    database d     1       1  900 B    64 B  64 B
    ");
    insta::assert_snapshot!(fs_err::read_to_string(project.path("data/manifest.json")).unwrap(), @r#"
    {
    "databases":{
    "d":{"blob":"8a0a9b1bfc60271c9c84437a61afa90776c0b6388128e3433db1f790ac64d5aa","content":"8155346752c3a195036f5227c6af81459565edec8caccd30219b8eba2924f808","dataset":"fda3e5657cf92de1df348013b1f1ce27928205cb52c6173348e9f5eb106b65c0","raw_size":900,"size":64}
    },
    "evals":{
    "34c4dc":{"cohort":"set/M","identity":"m+t+s","runs":[
    {"blob":"27c09cefd49330ad599a983de20f950d8fc8d7743a3b11a1e4ce10bf48a560a4","content":"cfc628212427bec1139253b556ee2cccb7fcc6e170903da56418db850d4e83e1","n_files":2,"path":"m-1","raw_size":209,"size":513},
    {"blob":"172a38c39909d17e8dca38f958903b59523c1e0fb7406e0d573fde095fb71799","content":"d6209f12fffa85fe65dc8196497cbd10edd0ae2c266153d06b2d7b710267a8d7","n_files":1,"path":"m-2","raw_size":96,"size":340}
    ]},
    "7d262a":{"cohort":"set/M","identity":"n+t+s","runs":[
    {"blob":"dcfc3d262d529984b9a3db8fcdf79d507fd68fa91fc828c9d8c5018d9431400a","content":"de5daefc1242a68689fee99d1b04dd573b1535d1d9b02d75c8682ef294f065ab","n_files":2,"path":"n-1","raw_size":182,"size":497}
    ]},
    "90caf4":{"cohort":"set/N","identity":"o+t+s","runs":[
    {"blob":"2f22ee2955981db63064130bc9d119ad7f85177a2e96da2bc4eca84eee439bd0","content":"f1b05130f6cb4dbaf9896dffc1089642330676c76f46aba9bacfd472cd289dac","n_files":1,"path":"o-1","raw_size":8600,"size":339}
    ]}
    },
    "remotes":{
    "origin":{"url":"../remote"}
    },
    "version":1
    }
    "#);
    // Every blob is here and in the remote, under the hash of its bytes.
    let (here, there) = (project.blobs("data/.blobs"), project.blobs("remote"));
    assert_eq!(here.len(), 5);
    assert!(here.keys().eq(there.keys()));
    for (name, path) in here.iter().chain(&there) {
        assert_eq!(&blake3::hash(&fs_err::read(path).unwrap()).to_string(), name);
    }
}

#[test]
fn what_was_pushed_is_not_packed_or_sent_again() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    insta::assert_snapshot!(project.shown(project.data(&["push", "dataset", "data/d.json", "--raw"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw   stored  sent
    cohort set/M     3       0    487 B  1.35 kB   0 B
    cohort set/N     1       0  8.60 kB    339 B   0 B
    database d       1       0    900 B     64 B   0 B
    ");
    check_same("pushed twice", &project.tree().without_notes(), &before);
    // A run that has changed is a new blob; the old one stays where it is.
    project.write("data/set/N/o-1/a.ndjson", record("o", "").repeat(101));
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored   sent
    cohort set/N     1       1  8.69 kB   341 B  341 B
    ");
    assert_eq!(project.blobs("remote").len(), 6);
    // Its old content comes back: its blob is there.
    project.write("data/set/N/o-1/a.ndjson", record("o", "").repeat(100));
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored  sent
    cohort set/N     1       1  8.60 kB   339 B   0 B
    ");
}

#[test]
fn the_document() {
    let project = Project::small();
    let push: Push = project.document(&["push", "dataset", "data/d.json", "--raw"]);
    assert_eq!(push.schema, "data.push/1");
    assert_eq!(push.remote, "origin (remote)");
    let names: Vec<(&str, &str)> = push.items.iter().map(|row| (row.kind.as_str(), row.name.as_str())).collect();
    assert_eq!(names, [("cohort", "set/M"), ("cohort", "set/N"), ("database", "d")]);
    let bytes = |folders: &[&str]| -> u64 {
        folders.iter().map(|folder| crate::project::Tree::of(&project.path(folder)).bytes()).sum()
    };
    let raw_bytes = [
        bytes(&["data/set/M/m-1", "data/set/M/m-2", "data/set/M/n-1"]),
        bytes(&["data/set/N/o-1"]),
        fs_err::metadata(project.path("data/d.db")).unwrap().len(),
    ];
    assert_eq!(push.items.iter().map(|row| row.raw_bytes).collect::<Vec<_>>(), raw_bytes);
    assert_eq!(push.items.iter().map(|row| (row.runs, row.packed)).collect::<Vec<_>>(), [(3, 3), (1, 1), (1, 1)]);
    let stored_bytes: u64 = project.blobs("remote").values().map(|path| fs_err::metadata(path).unwrap().len()).sum();
    assert_eq!(push.items.iter().map(|row| row.stored_bytes).sum::<u64>(), stored_bytes);
    assert_eq!(push.items.iter().map(|row| row.sent_bytes).sum::<u64>(), stored_bytes);
    let again: Push = project.document(&["push", "dataset", "data/d.json", "--raw"]);
    assert!(again.items.iter().all(|row| (row.packed, row.sent_bytes) == (0, 0)), "{again:?}");
}

#[test]
fn runs_that_are_not_here_stay_in_the_manifest() {
    let project = Project::pushed();
    let manifest = fs_err::read(project.path("data/manifest.json")).unwrap();
    project.remove("data/set/M/m-2");
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/M"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed    raw   stored  sent
    cohort set/M     2       0  391 B  1.01 kB   0 B
    ----- stderr
    note: cohort set/M: not extracted here, and kept in the manifest as they were: m-2
    ");
    assert_eq!(fs_err::read(project.path("data/manifest.json")).unwrap(), manifest);
}

#[test]
fn a_blob_that_was_freed_here_is_packed_again_if_the_remote_does_not_have_it() {
    let project = Project::pushed();
    project.remove("data/.blobs");
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored  sent
    cohort set/N     1       0  8.60 kB   339 B   0 B
    ");
    // Gone in both places: packed and sent anew.
    project.remove("remote");
    project.remove("data/.blobs");
    let lost = project.data(&["push", "cohort", "data/set/N"]);
    insta::assert_snapshot!(project.shown(lost), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored   sent
    cohort set/N     1       1  8.60 kB   339 B  339 B
    ");
}

#[test]
fn to_another_remote() {
    let project = Project::pushed();
    project.data(&["remote", "add", "second", "../second"]).succeeds();
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/M", "--remote", "second"])), @"
    exit code 0
    ----- stdout
    to second (second)
    pushed        runs  packed    raw   stored     sent
    cohort set/M     3       0  487 B  1.35 kB  1.35 kB
    ");
    assert_eq!(project.blobs("second").len(), 3);
}

#[test]
fn wrong_input() {
    let project = Project::small();
    let before = project.tree();
    let push = |arguments: &[&str]| project.shown(project.data(&[&["push"], arguments].concat()));
    insta::assert_snapshot!(push(&["cohort", "data/set/X"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/set/X`: evals.json is not there
    hint: did you mean `data/set/M` or `data/set/N`?
    ");
    insta::assert_snapshot!(push(&["cohort", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/d.json`: evals.json is not there
    hint: did you mean `data/set/N` or `data/set/M`?
    ");
    insta::assert_snapshot!(push(&["dataset", "data/e.json"]), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/e.json`
    hint: there are `data/d.json`
    ");
    insta::assert_snapshot!(push(&["dataset", "data/set/M/evals.json"]), @"
    exit code 2
    ----- stderr
    error: `data/set/M/evals.json` is a cohort; expected a dataset file
    ");
    insta::assert_snapshot!(push(&["cohort", "data/set/M", "--remote", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(push(&["cohort", "data/set/M", "--output", "no/folder/x"]), @"
    exit code 2
    ----- stderr
    error: no folder `no/folder` to write `no/folder/x` in
    hint: mkdir -p no/folder
    ");
    insta::assert_snapshot!(push(&["cohort"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <DIR>...

    Usage: data push cohort <DIR>...

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(push(&[]), @"
    exit code 2
    ----- stderr
    Store run folders and databases in a remote, and note them in the manifest

    Usage: data push [OPTIONS] <COMMAND>

    Commands:
      cohort   Push the raw data of cohorts
      dataset  Push the database of a dataset
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help (see more with '--help')

    Common options:
      -q, --quiet         Say only what went wrong
      -v, --verbose       Say more about what is done
          --color <WHEN>  When to use colour [default: auto] [possible values: auto, always, never]
          --threads <N>   Threads to use [default: one for each processor] [alias: --parallel]
    ");
    check_same("nothing was done", &project.tree(), &before);
    project.remove("data/d.db");
    insta::assert_snapshot!(push(&["dataset", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: no database `data/d.db`
    hint: evaluate --dataset data/d.json
    ");
    project.remove("data/manifest.json");
    insta::assert_snapshot!(push(&["cohort", "data/set/M"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json names no remote
    hint: data remote add origin FOLDER|URL
    ");
}

#[test]
fn remotes_that_cannot_be_written() {
    let project = Project::small();
    project.write("file", "no folder");
    project.data(&["remote", "add", "origin", "../file"]).succeeds();
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 3
    ----- stderr
    error: `file`: failed to create directory `file`: file exists
    ");
    project.data(&["remote", "add", "origin", "http://127.0.0.1:9/x"]).succeeds();
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 3
    ----- stderr
    cohort set/N, run o-1: `http://127.0.0.1:9/x/[hash]`: nobody listens there: connection refused
    error: 1 of 1 blobs were not sent
    hint: run the same again
    ");
    // What was packed is not packed again.
    project.data(&["remote", "add", "origin", "../remote"]).succeeds();
    let push: Push = project.document(&["push", "cohort", "data/set/N"]);
    assert_eq!(push.items[0].packed, 0);
    assert!(push.items[0].sent_bytes > 0);
}

#[test]
fn an_evaluation_belongs_to_one_cohort() {
    let project = Project::pushed();
    let evals = fs_err::read_to_string(project.path("data/set/N/evals.json")).unwrap();
    project.write("data/other/N/evals.json", evals.replace("data/set/N", "data/other/N"));
    project.write("data/other/N/o-9/a.ndjson", record("o", ",\"index\":9"));
    let before = project.tree();
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/other/N"])), @"
    exit code 2
    ----- stderr
    error: evaluation 90caf4 of cohort other/N is in data/manifest.json as one of cohort set/N
    hint: a manifest has each evaluation once; `data remote add origin URL --data data/other` gives the set its own
    ");
    check_same("nothing was done", &project.tree(), &before);
    // A set with a manifest of its own.
    project.data(&["remote", "add", "origin", "../../remote", "--data", "data/other"]).succeeds();
    project.data(&["push", "cohort", "data/other/N"]).succeeds();
    project.data(&["verify", "--data", "data/other"]).succeeds();
    // A cohort that has moved takes its entries along.
    project.remove("data/other/manifest.json");
    project.remove("data/other/.blobs");
    project.remove("data/set/N");
    insta::assert_snapshot!(project.shown(project.data(&["push", "cohort", "data/other/N"])), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed          runs  packed   raw  stored  sent
    cohort other/N     1       1  96 B   340 B   0 B
    ----- stderr
    note: cohort other/N: not extracted here, and kept in the manifest as they were: o-1
    ");
    let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    assert!(manifest.contains("\"cohort\":\"other/N\"") && !manifest.contains("\"cohort\":\"set/N\""), "{manifest}");
}

/// What is wrong with what was typed comes before what is wrong with the project.
#[test]
fn a_cohort_that_is_not_there_before_a_remote_that_is_not() {
    let project = Project::small();
    project.data(&["remote", "remove", "origin"]).succeeds();
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/MM"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/set/MM`: evals.json is not there
    hint: did you mean `data/set/M`?
    ");
}
