//! `data pull`: what is not here is fetched and unpacked, and nothing else is touched.

use serde::Deserialize;

use crate::project::{Project, check_same, record};

/// The document `data.pull/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pull {
    schema: String,
    remote: Option<String>,
    dry_run: bool,
    items: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    name: String,
    runs: u64,
    here: u64,
    fetch: u64,
    fetch_bytes: u64,
    extract: u64,
    extract_bytes: u64,
    kept: u64,
    failed: u64,
}

/// A project after `git clone`: everything was pushed, and only what git tracks is here, and the remote.
fn cloned() -> Project {
    let project = Project::pushed();
    project.remove_untracked();
    project
}

#[test]
fn everything_comes_back() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    project.remove_untracked();
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json", "--raw"])), @"
    exit code 0
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched    bytes  unpacked      raw  kept  failed
    database d       1     0        1     64 B         1    900 B     0       0
    cohort set/M     3     0        3  1.35 kB         3    487 B     0       0
    cohort set/N     1     0        1    339 B         1  8.60 kB     0       0
    ");
    check_same("all", &project.tree().without_notes(), &before);
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json", "--raw"])), @"
    exit code 0
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    database d       1     1        0    0 B         0  0 B     0       0
    cohort set/M     3     3        0    0 B         0  0 B     0       0
    cohort set/N     1     1        0    0 B         0  0 B     0       0
    ");
    check_same("again", &project.tree().without_notes(), &before);
}

#[test]
fn one_cohort_one_evaluation_one_database() {
    let project = cloned();
    insta::assert_snapshot!(project.shown(project.data(&["pull", "cohort", "data/set/N/"])), @"
    exit code 0
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched  bytes  unpacked      raw  kept  failed
    cohort set/N     1     0        1  339 B         1  8.60 kB     0       0
    ");
    let of_eval = |typed: &str| {
        let project = cloned();
        project.data(&["pull", "eval", typed]).succeeds();
        let is_here = |run: &str| project.path("data/set").join(run).is_dir();
        assert_eq!([is_here("M/m-1"), is_here("M/m-2"), is_here("M/n-1")], [false, false, true], "{typed}");
    };
    ["7d262a", "n+t+s", &blake3::hash(b"n+t+s").to_hex()[..12]].into_iter().for_each(of_eval);
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json"])), @"
    exit code 0
    ----- stdout
    from origin (remote)
    pulled      runs  here  fetched  bytes  unpacked    raw  kept  failed
    database d     1     0        1   64 B         1  900 B     0       0
    ");
    // From another folder.
    insta::assert_snapshot!(project.shown(project.data_in("data/set", &["pull", "cohort", "M/evals.json"])), @"
    exit code 0
    ----- stdout
    from origin (../../remote)
    pulled        runs  here  fetched    bytes  unpacked    raw  kept  failed
    cohort set/M     3     0        3  1.35 kB         3  487 B     0       0
    ");
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes  pushed  cohorts here
    data/d.json  data/d.db  900 B  yes     2 of 2

    cohort      evals here  runs  files    bytes  raw data  pushed
    data/set/M  2 of 2         3      3    384 B  here      yes
    data/set/N  1 of 1         1      1  8.60 kB  here      yes
    ");
}

#[test]
fn run_folders_may_stay_packed() {
    let project = cloned();
    insta::assert_snapshot!(
        project.shown(project.data(&["pull", "dataset", "data/d.json", "--raw", "--no-extract"])), @"
    exit code 0
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched    bytes  unpacked    raw  kept  failed
    database d       1     0        1     64 B         1  900 B     0       0
    cohort set/M     3     0        3  1.35 kB         0    0 B     0       0
    cohort set/N     1     0        1    339 B         0    0 B     0       0
    "
    );
    assert!(!project.path("data/set/M/m-1").exists() && project.path("data/d.db").exists());
    assert_eq!(project.blobs("data/.blobs").len(), 5);
    // Unpacking needs no remote.
    project.remove("remote");
    insta::assert_snapshot!(project.shown(project.data(&["pull", "cohort", "data/set/M"])), @"
    exit code 0
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked    raw  kept  failed
    cohort set/M     3     0        0    0 B         3  487 B     0       0
    ");
}

#[test]
fn the_document_and_the_dry_run() {
    let project = cloned();
    let before = project.tree();
    let arguments = ["pull", "dataset", "data/d.json", "--raw"];
    let dry: Pull = project.document(&[&arguments[..], &["--dry-run", "-q"]].concat());
    insta::assert_snapshot!(project.shown(project.data(&[&arguments[..], &["--dry-run"]].concat())), @"
    exit code 0
    ----- stdout
    from origin (remote)
    would pull    runs  here  fetched    bytes  unpacked      raw  kept  failed
    database d       1     0        1     64 B         1    900 B     0       0
    cohort set/M     3     0        3  1.35 kB         3    487 B     0       0
    cohort set/N     1     0        1    339 B         1  8.60 kB     0       0
    ----- stderr
    note: would fetch 1.75 kB in 5 blobs
    ");
    check_same("a dry run", &project.tree(), &before);
    let pull: Pull = project.document(&arguments);
    assert_eq!((pull.schema.as_str(), dry.dry_run, pull.dry_run), ("data.pull/1", true, false));
    assert_eq!((&pull.items, &pull.remote), (&dry.items, &dry.remote));
    let size = |path: &str| crate::project::Tree::of(&project.path(path)).bytes();
    assert_eq!(pull.items.iter().map(|row| row.fetch_bytes).sum::<u64>(), size("remote"));
    let raw_bytes = size("data/set/M/m-1") + size("data/set/M/m-2") + size("data/set/M/n-1");
    let row = Row {
        kind: "cohort".into(),
        name: "set/M".into(),
        runs: 3,
        here: 0,
        fetch: 3,
        fetch_bytes: pull.items[1].fetch_bytes,
        extract: 3,
        extract_bytes: raw_bytes,
        kept: 0,
        failed: 0,
    };
    assert_eq!(pull.items[1], row);
    // What is here, too, is looked at without a trace.
    let before = project.tree();
    let dry: Pull = project.document(&[&arguments[..], &["--dry-run"]].concat());
    check_same("a dry run with everything here", &project.tree(), &before);
    assert_eq!(dry.items.iter().map(|row| row.here).collect::<Vec<_>>(), [1, 3, 1]);
    assert_eq!(dry.remote, None);
}

#[test]
fn what_differs_here_stays() {
    let project = Project::pushed();
    project.write("data/set/M/m-1/a.ndjson", record("m", ",\"index\":7"));
    project.write("data/set/M/m-2/new.ndjson", record("m", ""));
    project.write("data/d.db", "another database");
    let before = project.tree();
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json", "--raw"])), @"
    exit code 1
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    database d       1     0        0    0 B         0  0 B     1       0
    cohort set/M     3     1        0    0 B         0  0 B     2       0
    cohort set/N     1     1        0    0 B         0  0 B     0       0
    ----- stderr
    warning: data/d.db: what is here differs and stays as it is; `--force` replaces it
    warning: data/set/M/m-1: what is here differs and stays as it is; move it away to pull it
    warning: data/set/M/m-2: what is here differs and stays as it is; move it away to pull it
    ");
    check_same("nothing is overwritten", &project.tree().without_notes(), &before.clone().without_notes());
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json", "--force"])), @"
    exit code 0
    ----- stdout
    pulled      runs  here  fetched  bytes  unpacked    raw  kept  failed
    database d     1     0        0    0 B         1  900 B     0       0
    ");
    let text = fs_err::read_to_string(project.path("data/d.db")).unwrap();
    assert!(text.starts_with("the database of d\n"), "{text}");
}

#[test]
fn a_dataset_that_has_changed_since_is_told() {
    let project = cloned();
    let dataset = fs_err::read_to_string(project.path("data/d.json")).unwrap();
    project.write("data/d.json", dataset.replace("\"cohorts\"", "\n\"cohorts\""));
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json"])), @"
    exit code 0
    ----- stdout
    from origin (remote)
    pulled      runs  here  fetched  bytes  unpacked    raw  kept  failed
    database d     1     0        1   64 B         1  900 B     0       0
    ----- stderr
    note: data/d.json has changed since its database was pushed
    ");
}

#[test]
fn a_wrong_blob_is_refused_and_the_rest_goes_on() {
    let project = cloned();
    let blob = project.blob_of("m-2", "remote");
    let mut bytes = fs_err::read(&blob).unwrap();
    bytes[100] ^= 1;
    fs_err::write(&blob, &bytes).unwrap();
    let missing = project.blob_of("n-1", "remote");
    fs_err::remove_file(&missing).unwrap();
    // A blob that is missing is the remote's failure: exit code 3.
    insta::assert_snapshot!(project.shown(project.data(&["pull", "cohort", "data/set/M"])), @"
    exit code 3
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched  bytes  unpacked    raw  kept  failed
    cohort set/M     3     0        1  513 B         1  209 B     0       2
    ----- stderr
    cohort set/M, run m-2: blob `[m-2]` of `remote` is refused: its bytes are wrong: they have the hash `[hash]`
    cohort set/M, run n-1: `remote/[n-1]` is not there
    error: 2 of 3 blobs were not fetched
    hint: the others are done; run the same again for these
    ");
    assert_eq!(project.blobs("data/.blobs").len(), 1);
    // One that is wrong is an answer.
    insta::assert_snapshot!(project.shown(project.data(&["pull", "eval", "m+t+s"])), @"
    exit code 1
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/M     2     1        0    0 B         0  0 B     0       1
    ----- stderr
    cohort set/M, run m-2: blob `[m-2]` of `remote` is refused: its bytes are wrong: they have the hash `[hash]`
    ");
    assert!(project.path("data/set/M/m-1/a.ndjson").is_file() && !project.path("data/set/M/m-2").exists());
    // A blob too long and one too short.
    bytes[100] ^= 1;
    fs_err::write(&blob, [&bytes[..], b"x"].concat()).unwrap();
    insta::assert_snapshot!(project.shown(project.data(&["pull", "eval", "m+t+s"])), @"
    exit code 1
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/M     2     1        0    0 B         0  0 B     0       1
    ----- stderr
    cohort set/M, run m-2: blob `[m-2]` of `remote` is refused: it has 341 bytes there, not 340
    ");
    fs_err::write(&blob, &bytes[1..]).unwrap();
    insta::assert_snapshot!(project.shown(project.data(&["pull", "eval", "m+t+s"])), @"
    exit code 1
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/M     2     1        0    0 B         0  0 B     0       1
    ----- stderr
    cohort set/M, run m-2: blob `[m-2]` of `remote` is refused: it has 339 bytes there, not 340
    ");
    // Repaired there, it comes.
    fs_err::write(&blob, &bytes).unwrap();
    project.data(&["pull", "eval", "m+t+s"]).succeeds();
}

#[test]
fn a_blob_that_is_damaged_here_is_told_when_it_is_unpacked() {
    let project = Project::pushed();
    project.remove("data/set/N/o-1");
    let blob = project.blob_of("o-1", "data/.blobs");
    let mut bytes = fs_err::read(&blob).unwrap();
    bytes[40] ^= 1;
    fs_err::write(&blob, bytes).unwrap();
    let pull = || project.shown(project.data(&["pull", "cohort", "data/set/N"]));
    insta::assert_snapshot!(pull(), @"
    exit code 1
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/N     1     0        0    0 B         0  0 B     0       1
    ----- stderr
    cohort set/N, run o-1: blob `data/.blobs/[o-1]` is damaged or no blob: frame 0 is damaged: Restored data doesn't match checksum
    note: a blob is damaged: `data verify --repair` fetches a good copy
    ");
    assert_eq!(
        project.tree().paths().filter(|path| path.starts_with("data/set/N/")).collect::<Vec<_>>(),
        ["data/set/N/", "data/set/N/evals.json"]
    );
    project.data(&["verify", "--repair"]).succeeds();
    pull().succeeds();
}

#[test]
fn a_remote_that_does_not_answer() {
    let project = cloned();
    project.data(&["remote", "add", "origin", "../moved"]).succeeds();
    insta::assert_snapshot!(project.shown(project.data(&["pull", "cohort", "data/set/N"])), @"
    exit code 3
    ----- stdout
    from origin (moved)
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/N     1     0        0    0 B         0  0 B     0       1
    ----- stderr
    cohort set/N, run o-1: `moved` is not there
    error: 1 of 1 blobs were not fetched
    hint: what is not there must be sent again: `data push` from where it is
    ");
}

#[test]
fn wrong_input() {
    let project = cloned();
    let before = project.tree();
    let pull = |arguments: &[&str]| project.shown(project.data(&[&["pull"], arguments].concat()));
    insta::assert_snapshot!(pull(&["cohort", "data/set/X"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json has no blobs of cohort `set/X`
    hint: did you mean `set/M` or `set/N`?
    ");
    insta::assert_snapshot!(pull(&["cohort", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no manifest.json for cohort `nowhere`: neither in its folder nor in the two above
    hint: a cohort's folder is like `data/<set>/<Model>`
    ");
    insta::assert_snapshot!(pull(&["dataset", "data/e.json"]), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/e.json`
    hint: there are `data/d.json`
    ");
    insta::assert_snapshot!(pull(&["eval", "7d262b"]), @"
    exit code 2
    ----- stderr
    error: no evaluation `7d262b` in data/manifest.json
    hint: did you mean `7d262a`?
    ");
    insta::assert_snapshot!(pull(&["eval", "7d262a", "--data", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere`
    hint: name the folder of the manifest with `--data DIR`
    ");
    insta::assert_snapshot!(pull(&["cohort", "data/set/M", "--remote", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(pull(&["cohort", "data/set/M", "-o", "data"]), @"
    exit code 2
    ----- stderr
    error: `data` is a folder; --output needs the name of a file
    ");
    insta::assert_snapshot!(pull(&["eval"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <ID>...

    Usage: data pull eval <ID>...

    For more information, try '--help'.
    ");
    project.write("data/e.json", r#"{"name": "e", "db": "e.db", "cohorts": []}"#);
    insta::assert_snapshot!(pull(&["dataset", "data/e.json"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json has no database of dataset `e`
    hint: known: d
    ");
    project.remove("data/e.json");
    check_same("nothing was done", &project.tree(), &before);
}

#[test]
fn a_cohort_that_is_named_twice() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    project.remove_untracked();
    let names = ["data/set/N", "data/set/N/", "data/set/N/evals.json"];
    let dry = project.data(&[&["pull", "cohort", "--dry-run"], &names[..]].concat()).succeeds();
    assert_eq!(dry.stdout.matches("cohort set/N").count(), 1, "{dry}");
    project.data(&[&["pull", "cohort"], &names[..]].concat()).succeeds();
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    check_same("it is here", &project.tree().without_notes(), &before);
    let pushed = project.data(&[&["push", "cohort"], &names[..]].concat()).succeeds();
    assert_eq!(pushed.stdout.matches("cohort set/N").count(), 1, "{pushed}");
}

#[test]
fn blobs_that_are_here_are_counted() {
    let project = Project::pushed();
    project.remove_untracked();
    project.data(&["pull", "cohort", "data/set/M", "--no-extract"]).succeeds();
    insta::assert_snapshot!(project.data(&["pull", "cohort", "data/set/M", "--no-extract"]), @"
    exit code 0
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/M     3     3        0    0 B         0  0 B     0       0
    ");
}

#[test]
fn digits_of_ids_may_be_in_either_case() {
    let project = Project::pushed();
    let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let ids: Vec<String> = manifest["evals"].as_object().unwrap().keys().map(|id| id.to_uppercase()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    project.data(&[&["pull", "eval"], &ids[..]].concat()).succeeds();
}
