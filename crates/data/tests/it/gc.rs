//! `data gc`: frees what nobody needs, and says exactly how much.

use serde::Deserialize;

use crate::project::{Project, Tree, check_same, record};

/// The document `data.gc/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gc {
    schema: String,
    dry_run: bool,
    total_bytes: u64,
    freed: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    what: String,
    blob: Option<String>,
    bytes: u64,
}

fn document(project: &Project, arguments: &[&str]) -> Gc {
    let run = project.data(&[&["gc", "-q", "--format", "json"], arguments].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
    run.document()
}

/// Frees, and checks the report against what is gone, and the dry run against the report.
#[track_caller]
fn check_exact(project: &Project, arguments: &[&str]) -> Gc {
    let before = project.tree();
    let dry = document(project, &[arguments, &["--dry-run"]].concat());
    check_same("a dry run", &project.tree(), &before);
    let gc = document(project, arguments);
    let after = project.tree();
    assert_eq!((gc.schema.as_str(), dry.dry_run, gc.dry_run), ("data.gc/1", true, false));
    assert_eq!((&dry.freed, dry.total_bytes), (&gc.freed, gc.total_bytes));
    assert_eq!(gc.total_bytes, gc.freed.iter().map(|row| row.bytes).sum::<u64>());
    let (before, after) = (before.without_notes(), after.without_notes());
    assert_eq!(gc.total_bytes, before.bytes() - after.bytes(), "{:?}", after.differences(&before));
    gc
}

#[test]
fn nothing_to_free() {
    let project = Project::pushed();
    let before = project.tree();
    insta::assert_snapshot!(project.data(&["gc"]), @"
    exit code 0
    ----- stderr
    note: 0 B freed
    ");
    insta::assert_snapshot!(project.data(&["gc", "--dry-run"]), @"
    exit code 0
    ----- stderr
    note: 0 B would be freed
    ");
    check_same("nothing is freed", &project.tree(), &before);
    let empty = Project::empty();
    empty.write("data/x", "");
    insta::assert_snapshot!(empty.data(&["gc"]), @"
    exit code 0
    ----- stderr
    note: 0 B freed
    ");
}

#[test]
fn blobs_that_no_entry_needs() {
    let project = Project::pushed();
    project.write("data/set/N/o-1/a.ndjson", record("o", "").repeat(7));
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    let old = {
        let blobs = project.blobs("data/.blobs");
        assert_eq!(blobs.len(), 6);
        let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
        blobs.into_keys().find(|blob| !manifest.contains(blob)).unwrap()
    };
    insta::assert_snapshot!(project.shown(project.data(&["gc", "--dry-run"])), @"
    exit code 0
    ----- stdout
    kind  would be freed              bytes  blob
    blob  a run of 8.60 kB, a.ndjson  339 B  2f22ee295598
    ----- stderr
    note: 339 B would be freed
    ");
    let gc = check_exact(&project, &[]);
    assert_eq!(gc.freed.len(), 1);
    let freed = Row { kind: "blob".into(), what: "a run of 8.60 kB, a.ndjson".into(), blob: Some(old), bytes: 339 };
    assert_eq!(gc.freed, [freed]);
    // What is left is what is needed.
    project.data(&["verify"]).succeeds();
    assert_eq!((project.blobs("data/.blobs").len(), project.blobs("remote").len()), (5, 6));
}

#[test]
fn what_broken_off_work_has_left() {
    let project = Project::pushed();
    project.write("data/.blobs/.partial/new-abc", "a blob that was being packed");
    project.write(&format!("data/.blobs/.partial/{}", "5".repeat(64)), "a blob that was being fetched");
    project.write("data/set/M/.m-1.extracting/a.ndjson", "a run that was being unpacked");
    project.write("data/set/M/.m-2.going/sub/a.ndjson", "a run that was being freed");
    project.write("data/set/M/.n-1.repaired/a.ndjson", "a run that was being repaired");
    project.write("data/set/M/.n-1.damaged/a.ndjson", "the same, as it was");
    project.write("data/set/N/.o-1.damaged/a.ndjson", "the only copy");
    project.write("data/set/N/.mine/a.ndjson", "a stranger");
    project.remove("data/set/N/o-1");
    insta::assert_snapshot!(project.data(&["gc", "--dry-run"]), @"
    exit code 0
    ----- stdout
    kind      would be freed                         bytes  blob
    leftover  part of a blob that was being fetched   29 B  555555555555
    leftover  data/.blobs/.partial/new-abc            28 B  -
    leftover  data/set/M/.m-1.extracting              29 B  -
    leftover  data/set/M/.m-2.going                   26 B  -
    leftover  data/set/M/.n-1.repaired                29 B  -
    leftover  data/set/M/.n-1.damaged                 19 B  -
    ----- stderr
    note: 160 B would be freed
    ");
    insta::assert_snapshot!(project.data(&["gc"]), @"
    exit code 0
    ----- stdout
    kind      freed                                  bytes  blob
    leftover  part of a blob that was being fetched   29 B  555555555555
    leftover  data/.blobs/.partial/new-abc            28 B  -
    leftover  data/set/M/.m-1.extracting              29 B  -
    leftover  data/set/M/.m-2.going                   26 B  -
    leftover  data/set/M/.n-1.repaired                29 B  -
    leftover  data/set/M/.n-1.damaged                 19 B  -
    ----- stderr
    note: 160 B freed
    ");
    let tree = project.tree();
    let hidden: Vec<&str> = tree.paths().filter(|path| path.contains("/.") && !path.contains(".blobs")).collect();
    assert_eq!(
        hidden,
        [
            "data/set/N/.mine/",
            "data/set/N/.mine/a.ndjson",
            "data/set/N/.o-1.damaged/",
            "data/set/N/.o-1.damaged/a.ndjson"
        ]
    );
}

/// What is cleared away by whoever changes the store is freed too, and counted.
#[test]
fn what_killed_processes_were_writing() {
    let project = Project::pushed();
    project.write("data/.blobs/.partial/new-abc", "a blob that was being packed");
    project.write("data/.manifest.json.new-abc", "{");
    project.write("data/.blobs/.seen.json.new-abc", "{}");
    let gc = check_exact(&project, &[]);
    assert_eq!((gc.freed.len(), gc.total_bytes), (3, 31));
}

#[test]
fn a_database_that_no_entry_needs() {
    let project = Project::pushed();
    project.write("data/d.db", "another database");
    project.data(&["push", "dataset", "data/d.json"]).succeeds();
    insta::assert_snapshot!(project.data(&["gc"]), @"
    exit code 0
    ----- stdout
    kind  freed                bytes  blob
    blob  a database of 900 B   64 B  8a0a9b1bfc60
    ----- stderr
    note: 64 B freed
    ");
}

#[test]
fn extracted_runs_that_are_in_a_remote() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    insta::assert_snapshot!(project.shown(project.data(&["gc", "--drop-extracted", "--dry-run"])), @"
    exit code 0
    ----- stdout
    kind  would be freed    bytes
    run   data/set/M/m-1    209 B
    run   data/set/M/m-2     96 B
    run   data/set/M/n-1    182 B
    run   data/set/N/o-1  8.60 kB
    ----- stderr
    note: 9.09 kB would be freed
    ");
    let gc = check_exact(&project, &["--drop-extracted"]);
    assert_eq!(gc.freed.len(), 4);
    assert!(!project.path("data/set/M/m-1").exists() && project.path("data/d.db").exists());
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    check_same("they come back", &project.tree().without_notes(), &before);
}

#[test]
fn extracted_runs_that_are_not_safe_stay() {
    let project = Project::pushed();
    project.write("data/set/M/m-1/new.ndjson", record("m", ""));
    project.write("data/set/M/m-2/.notes", "by hand");
    fs_err::remove_file(project.blob_of("n-1", "remote")).unwrap();
    fs_err::rename(project.path("data/set/N/o-1"), project.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../../../elsewhere", project.path("data/set/N/o-1")).unwrap();
    let before = project.tree().without_notes();
    insta::assert_snapshot!(project.shown(project.data(&["gc", "--drop-extracted"])), @"
    exit code 0
    ----- stderr
    note: data/set/M/m-1 has changed since it was pushed, and stays
    note: data/set/M/m-2 has files that are in no blob (hidden, temporary, or links), and stays
    note: data/set/M/n-1 is not in origin (remote), and stays
    note: data/set/N/o-1 is a link, and stays
    note: 0 B freed
    ");
    check_same("all stays", &project.tree().without_notes(), &before);
    // A blob that is not whole there.
    let cut = fs_err::read(project.blob_of("m-2", "remote")).unwrap();
    fs_err::write(project.blob_of("m-2", "remote"), &cut[1..]).unwrap();
    project.remove("data/set/M/m-2/.notes");
    let run = project.data(&["gc", "--drop-extracted"]).succeeds();
    assert!(run.stderr.contains("data/set/M/m-2 is not in origin"), "{run}");
}

#[test]
fn the_last_good_copy_stays() {
    let project = Project::pushed();
    let remote = project.blob_of("n-1", "remote");
    let good = fs_err::read(&remote).unwrap();
    let mut damaged = good.clone();
    damaged[20] ^= 1;
    fs_err::write(&remote, damaged).unwrap();
    let run = project.path("data/set/M/n-1");
    // The blob in the store is as good as the run folder.
    assert!(document(&project, &["--drop-extracted", "--dry-run"]).freed.iter().any(|row| row.what.ends_with("n-1")));
    let here = project.blob_of("n-1", "data/.blobs");
    fs_err::remove_file(&here).unwrap();
    let told = project.data(&["gc", "--drop-extracted"]).succeeds();
    assert!(told.stderr.contains("data/set/M/n-1 stays: it is not whole in origin (remote)"), "{told}");
    assert!(run.is_dir() && !project.path("data/set/M/m-1").exists());
    fs_err::write(&remote, good).unwrap();
    project.data(&["gc", "--drop-extracted"]).succeeds();
    assert!(!run.exists());
    project.data(&["pull", "cohort", "data/set/M"]).succeeds();
    assert!(run.is_dir());
}

#[test]
fn without_a_manifest_nothing_is_freed() {
    let project = Project::pushed();
    project.remove("data/manifest.json");
    let before = project.tree();
    insta::assert_snapshot!(project.data(&["gc"]), @"
    exit code 2
    ----- stderr
    error: data/.blobs holds blobs, but there is no data/manifest.json that tells which are needed
    hint: get data/manifest.json back, or remove data/.blobs yourself
    ");
    check_same("nothing was done", &project.tree(), &before);
}

#[test]
fn wrong_input() {
    let project = Project::small();
    let before = project.tree();
    insta::assert_snapshot!(project.data(&["gc", "--data", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere`
    hint: name the folder of the manifest with `--data DIR`
    ");
    insta::assert_snapshot!(project.data(&["gc", "--drop-extracted", "--remote", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(project.data(&["gc", "--remote", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(project.data(&["gc", "-o", "no/folder/x"]), @"
    exit code 2
    ----- stderr
    error: no folder `no/folder` to write `no/folder/x` in
    hint: mkdir -p no/folder
    ");
    insta::assert_snapshot!(project.data(&["gc", "data"]), @"
    exit code 2
    ----- stderr
    error: unexpected argument 'data' found

    Usage: data gc [OPTIONS]

    For more information, try '--help'.
    ");
    check_same("nothing was done", &project.tree(), &before);
    project.remove("remote");
    insta::assert_snapshot!(project.data(&["gc", "--drop-extracted"]), @"
    exit code 0
    ----- stderr
    note: 0 B freed
    ");
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    project.remove("remote");
    insta::assert_snapshot!(project.shown(project.data(&["gc", "--drop-extracted"])), @"
    exit code 3
    ----- stderr
    error: `remote` is not there
    ");
    assert_eq!(Tree::of(&project.path("data/set/N/o-1")).paths().count(), 1);
}
