//! What was pushed and is no longer extracted is still here: in blobs.

use crate::project::{Project, entry, record};

#[test]
fn run_folders_that_are_only_blobs() {
    let project = Project::empty();
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/*/*", "")));
    project.write("data/set/M/a/1.ndjson", record("m", ""));
    project.write("data/set/M/b/1.ndjson", record("m", "") + &record("m", ""));
    project.write("data/manifest.json", r#"{"version": 1, "remotes": {"origin": {"url": "../remote"}}}"#);
    let run = project.data(&["push", "cohort", "data/set/M"]);
    assert_eq!(run.code, Some(0), "{run}");
    let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    for run in ["a", "b"] {
        fs_err::remove_dir_all(project.path(&format!("data/set/M/{run}"))).unwrap();
    }
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes    pushed  cohorts here
    data/d.json  data/d.db  missing  -       1 of 1

    cohort      evals here  runs  files  bytes  raw data  pushed
    data/set/M  1 of 1         2      2  258 B  as blobs  yes
    ");
    // There is nothing to pack, and nothing is forgotten.
    let run = project.data(&["push", "cohort", "data/set/M"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(fs_err::read_to_string(project.path("data/manifest.json")).unwrap(), manifest);
    fs_err::remove_dir_all(project.path("data/.blobs")).unwrap();
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes    pushed  cohorts here
    data/d.json  data/d.db  missing  -       0 of 1

    cohort      evals here  runs  files  bytes  raw data     pushed
    data/set/M  0 of 1         2      0    0 B  in a remote  yes
    ");
}
