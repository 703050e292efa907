//! Raw data in blobs is told of as if it were extracted.

use rs_core::store::Store;

use crate::project::{Project, record};

#[test]
fn info_and_validation_are_the_same() {
    let (project, expected) = Project::with_fixtures();
    let paths: Vec<&str> = expected.cohorts.iter().map(|cohort| cohort.path.as_str()).collect();
    let told = || {
        let mut runs: Vec<_> = paths.iter().map(|path| project.cohort(&["info", path])).collect();
        runs.push(project.cohort(&[&["validate", "--format", "json"], paths.as_slice()].concat()));
        runs
    };
    let before = told();
    let listed = project.cohort(&["list"]);
    project.pack_away();
    assert_eq!(told(), before);
    assert_eq!(project.cohort(&["list"]).stdout, listed.stdout.replace("  here\n", "  as blobs\n"));
}

#[test]
fn problems_have_their_places() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", record("m", "") + "{}\n" + &record("m", "") + "torn");
    let before = project.cohort(&["validate", "data/set/M"]);
    assert_eq!(before.code, Some(1));
    let manifest = project.pack_away();
    assert_eq!(project.cohort(&["validate", "data/set/M"]), before);
    let blob = Store::new(project.path("data/.blobs")).path_of(&manifest.evals["34c4dc"].runs[0].blob);
    fs_err::write(&blob, "no blob").unwrap();
    let run = project.cohort(&["validate", "data/set/M"]);
    let shown = run.to_string().replace(blob.strip_prefix(project.path("")).unwrap().to_str().unwrap(), "[BLOB]");
    insta::assert_snapshot!(shown, @"
    exit code 1
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      1        0          1          0         0
    ----- stderr
    data/set/M/run: cannot be read: blob `[BLOB]` is damaged or no blob: no seek table at its end: it is cut short, or something follows, or it is no blob
    note: a blob is damaged: `data verify --repair` fetches a good copy
    ");
    fs_err::remove_file(&blob).unwrap();
    insta::assert_snapshot!(project.cohort(&["validate", "data/set/M"]), @"
    exit code 0
    ----- stdout
    cohort      files  records  malformed  unclaimed  warnings
    data/set/M      0        0          0          0         1
    ----- stderr
    warning: data/set/M: a run is neither extracted nor in the local store: run; `data pull cohort data/set/M` fetches the raw data
    ");
    insta::assert_snapshot!(project.cohort(&["list"]), @"
    exit code 0
    ----- stdout
    cohort      evals  runs  files  bytes  raw data
    data/set/M      1     0      0    0 B  in a remote
    ");
}
