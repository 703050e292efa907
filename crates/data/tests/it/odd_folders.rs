//! Run folders as people leave them: changed, removed, replaced, linked, nested, and files beside them.

use std::os::unix::fs::symlink;

use crate::project::{Project, record};

#[test]
fn a_run_that_is_replaced_by_a_file() {
    let project = Project::pushed();
    project.remove("data/set/N/o-1");
    project.write("data/set/N/o-1", "a file now");
    insta::assert_snapshot!(project.data(&["status", "data/set/N"]), @"
    exit code 0
    ----- stdout
    cohort      evals here  runs  files    bytes  raw data  pushed
    data/set/N  1 of 1         1      1  8.60 kB  as blobs  yes
    ");
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/N"]), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed  raw  stored  sent
    cohort set/N     0       0  0 B     0 B   0 B
    ----- stderr
    note: cohort set/N: not extracted here, and kept in the manifest as they were: o-1
    ");
    insta::assert_snapshot!(project.shown(project.data(&["pull", "cohort", "data/set/N"])), @"
    exit code 1
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/N     1     0        0    0 B         0  0 B     0       1
    ----- stderr
    cohort set/N, run o-1: `data/set/N/o-1` is there already
    ");
    assert_eq!(fs_err::read_to_string(project.path("data/set/N/o-1")).unwrap(), "a file now");
    insta::assert_snapshot!(project.data(&["gc", "--drop-extracted"]), @"
    exit code 0
    ----- stdout
    kind  freed           bytes
    run   data/set/M/m-1  209 B
    run   data/set/M/m-2   96 B
    run   data/set/M/n-1  182 B
    ----- stderr
    note: 487 B freed
    ");
}

#[test]
fn an_empty_folder_in_the_place_of_a_run_is_no_run() {
    let project = Project::pushed();
    project.remove("data/set/N/o-1");
    fs_err::create_dir(project.path("data/set/N/o-1")).unwrap();
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    project.data(&["pull", "cohort", "data/set/N"]).succeeds();
    assert!(project.path("data/set/N/o-1/a.ndjson").is_file());
}

#[test]
fn links_are_packed_as_what_they_lead_to() {
    let project = Project::small();
    project.write("elsewhere/a.ndjson", record("o", ",\"index\":9"));
    symlink("../../../../elsewhere/a.ndjson", project.path("data/set/N/o-1/b.ndjson")).unwrap();
    symlink("../../../elsewhere", project.path("data/set/N/o-2")).unwrap();
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/N"]), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored   sent
    cohort set/N     2       2  8.79 kB   829 B  829 B
    ");
    // With links, not all that is here is in a blob.
    insta::assert_snapshot!(project.data(&["gc", "--drop-extracted"]), @"
    exit code 0
    ----- stderr
    note: data/set/N/o-1 has files that are in no blob (hidden, temporary, or links), and stays
    note: data/set/N/o-2 is a link, and stays
    note: 0 B freed
    ");
    project.remove_untracked();
    project.remove("data/set/N/o-2");
    project.data(&["pull", "cohort", "data/set/N"]).succeeds();
    for path in ["data/set/N/o-1/b.ndjson", "data/set/N/o-2/a.ndjson"] {
        assert!(!project.path(path).is_symlink());
        assert_eq!(fs_err::read_to_string(project.path(path)).unwrap(), record("o", ",\"index\":9"));
    }
}

#[test]
fn what_cannot_be_packed_is_named() {
    let project = Project::small();
    let push = || project.shown(project.data(&["push", "cohort", "data/set/N"]));
    symlink("nowhere", project.path("data/set/N/o-1/link")).unwrap();
    insta::assert_snapshot!(push(), @"
    exit code 2
    ----- stderr
    error: `data/set/N/o-1/link` cannot be packed: the link leads nowhere
    ");
    project.remove("data/set/N/o-1/link");
    symlink("..", project.path("data/set/N/o-1/up")).unwrap();
    insta::assert_snapshot!(push(), @"
    exit code 2
    ----- stderr
    error: `data/set/N/o-1/up/o-1/up` cannot be packed: the link leads in a circle
    ");
    project.remove("data/set/N/o-1/up");
    project.write("data/set/N/o-1/A.ndjson", record("o", ""));
    insta::assert_snapshot!(push(), @"
    exit code 2
    ----- stderr
    error: `data/set/N/o-1/a.ndjson` cannot be packed: the name `a.ndjson` and `A.ndjson` differ in upper and lower case only
    ");
    project.remove("data/set/N/o-1/A.ndjson");
    project.write("data/set/N/o-1/back\\slash.ndjson", record("o", ""));
    insta::assert_snapshot!(push(), @r"
    exit code 2
    ----- stderr
    error: `data/set/N/o-1/back\slash.ndjson` cannot be packed: the name `back\\slash.ndjson` holds a backslash
    ");
    assert!(!project.path("remote").exists() || project.blobs("remote").is_empty());
}

#[test]
fn a_run_inside_another_is_part_of_it() {
    let project = Project::small();
    project.write("data/set/N/o-1/inner/a.ndjson", record("o", ",\"index\":5"));
    let evals = fs_err::read_to_string(project.path("data/set/N/evals.json")).unwrap();
    project.write("data/set/N/evals.json", evals.replace("o-*/*", "o-*/**"));
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/N"]), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored   sent
    cohort set/N     1       1  8.70 kB   504 B  504 B
    ");
    project.remove_untracked();
    project.data(&["pull", "cohort", "data/set/N"]).succeeds();
    assert!(project.path("data/set/N/o-1/inner/a.ndjson").is_file());
    insta::assert_snapshot!(project.data(&["status", "data/set/N"]), @"
    exit code 0
    ----- stdout
    cohort      evals here  runs  files    bytes  raw data  pushed
    data/set/N  1 of 1         2      2  8.70 kB  here      yes
    ");
}

#[test]
fn raw_files_directly_in_the_folder_of_the_cohort() {
    let project = Project::small();
    project.write("data/set/N/loose.ndjson", record("o", ""));
    let evals = fs_err::read_to_string(project.path("data/set/N/evals.json")).unwrap();
    project.write("data/set/N/evals.json", evals.replace("set/N/o-*/*", "set/N/**"));
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/N"]), @"
    exit code 2
    ----- stderr
    error: raw files in `data/set/N` cannot be stored: they lie in no run folder
    hint: blobs hold run folders; move the files into a folder below the cohort's
    ");
    // Where nothing is to be stored it is in nobody's way.
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes  pushed  cohorts here
    data/d.json  data/d.db  900 B  no      2 of 2

    cohort      evals here  runs  files    bytes  raw data  pushed
    data/set/M  2 of 2         3      3    384 B  here      no
    data/set/N  1 of 1         2      2  8.69 kB  here      no
    ");
}

#[test]
fn raw_files_outside_the_cohort() {
    let project = Project::small();
    project.write("data/set/shared/run/a.ndjson", record("o", ""));
    let evals = fs_err::read_to_string(project.path("data/set/N/evals.json")).unwrap();
    project.write("data/set/N/evals.json", evals.replace("data/set/N/o-*/*", "data/set/shared/*/*"));
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/N"]), @"
    exit code 2
    ----- stderr
    error: raw files in `data/set/shared/run` cannot be stored: they lie outside of the cohort's folder
    hint: blobs hold run folders; move the files into a folder below the cohort's
    ");
}

#[test]
fn a_folder_that_no_evaluation_matches_is_told() {
    let project = Project::small();
    project.write("data/set/N/scratch/a.ndjson", record("o", ""));
    insta::assert_snapshot!(project.data(&["push", "cohort", "data/set/N"]), @"
    exit code 0
    ----- stdout
    to origin (remote)
    pushed        runs  packed      raw  stored   sent
    cohort set/N     1       1  8.60 kB   339 B  339 B
    ----- stderr
    warning: cohort set/N: in no evaluation, and not pushed: scratch
    ");
}
