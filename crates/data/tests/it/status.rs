//! `data status`: what is here of each cohort and dataset.

use rs_fixtures::Expected;
use serde::Deserialize;

use crate::project::{Project, check_same, entry, record};

/// The document `data.status/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    schema: String,
    datasets: Vec<DatasetRow>,
    cohorts: Vec<CohortRow>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetRow {
    path: String,
    name: String,
    db: String,
    db_bytes: Option<u64>,
    db_state: Option<String>,
    cohorts: u64,
    cohorts_here: u64,
    missing_cohorts: Vec<String>,
    missing_in_remote: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CohortRow {
    path: String,
    evaluations: u64,
    evaluations_here: u64,
    runs: u64,
    files: u64,
    bytes: u64,
    raw: String,
    states: States,
    missing_in_remote: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct States {
    pushed: u64,
    changed: u64,
    incomplete: u64,
    not_pushed: u64,
    packed: u64,
    absent: u64,
}

fn cohort_rows(expected: &Expected) -> Vec<CohortRow> {
    let rows = expected.cohorts.iter().map(|cohort| CohortRow {
        path: cohort.path.clone(),
        evaluations: cohort.evaluations.len() as u64,
        evaluations_here: cohort.evaluations.len() as u64,
        runs: cohort.runs.len() as u64,
        files: cohort.runs.iter().map(|run| run.n_files).sum(),
        bytes: cohort.runs.iter().map(|run| run.bytes).sum(),
        raw: "here".to_owned(),
        // A folder that belongs to no evaluation is never pushed.
        states: States {
            not_pushed: cohort.runs.iter().filter(|run| !run.eval_ids.is_empty()).count() as u64,
            ..States::default()
        },
        missing_in_remote: None,
    });
    rows.collect()
}

fn dataset_row(name: &str, db_bytes: Option<u64>) -> DatasetRow {
    DatasetRow {
        path: format!("data/{name}.json"),
        name: name.to_owned(),
        db: format!("data/pointsdb-{name}.db"),
        db_bytes,
        db_state: db_bytes.map(|_| "not_pushed".to_owned()),
        cohorts: 4,
        cohorts_here: 4,
        missing_cohorts: Vec::new(),
        missing_in_remote: None,
    }
}

#[test]
fn every_number_is_that_of_the_model() {
    let (project, expected) = Project::with_fixtures();
    project.write("data/pointsdb-r12.db", "of 13 bytes..");
    let status: Status = project.document(&["status"]);
    assert_eq!(status.schema, "data.status/1");
    assert_eq!(status.datasets, [dataset_row("r12-leaderboard", None), dataset_row("r12", Some(13))]);
    let in_dataset_order = cohort_rows(&expected);
    let mut by_path = cohort_rows(&expected);
    by_path.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(status.cohorts, by_path);
    // The root of the project and the folder of a set.
    let of_root: Status = project.document(&["status", "."]);
    assert_eq!((of_root.datasets.len(), of_root.cohorts), (2, by_path));
    let of_set: Status = project.document(&["status", "data/r12/"]);
    assert_eq!((of_set.datasets.len(), of_set.cohorts.len()), (0, 4));
    // One dataset, one cohort.
    let of_dataset: Status = project.document(&["status", "data/r12.json"]);
    assert_eq!((of_dataset.datasets, of_dataset.cohorts), (vec![dataset_row("r12", Some(13))], in_dataset_order));
    for cohort in ["data/r12/Qwen3-32B", "data/r12/Qwen3-32B/", "data/r12/Qwen3-32B/evals.json"] {
        let of_cohort: Status = project.document(&["status", cohort]);
        assert_eq!((of_cohort.datasets.len(), &of_cohort.cohorts[..]), (0, &cohort_rows(&expected)[..1]), "{cohort}");
    }
}

#[test]
fn for_people() {
    let (project, _) = Project::with_fixtures();
    project.write("data/pointsdb-r12.db", "of 13 bytes..");
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset                    database                            bytes  pushed  cohorts here
    data/r12-leaderboard.json  data/pointsdb-r12-leaderboard.db  missing  -       4 of 4
    data/r12.json              data/pointsdb-r12.db                 13 B  no      4 of 4

    cohort                             evals here  runs  files    bytes  raw data  pushed
    data/r12/GPT-OSS-120B              2 of 2         4     20  1.16 MB  here      no
    data/r12/Llama-Nemotron-Super-49B  2 of 2         4     25  1.31 MB  here      no
    data/r12/Qwen3-32B                 4 of 4         6     27  1.76 MB  here      no
    data/r12/Seed-OSS-36B              3 of 3         5     30  1.33 MB  here      no
    ");
    insta::assert_snapshot!(project.data(&["status", "data/r12/Qwen3-32B", "--format", "markdown"]), @"
    exit code 0
    ----- stdout
    | cohort | evals here | runs | files | bytes | raw data | pushed |
    | --- | --- | ---: | ---: | ---: | --- | --- |
    | data/r12/Qwen3-32B | 4 of 4 | 6 | 27 | 1.76 MB | here | no |
    ");
    insta::assert_snapshot!(project.data(&["status", "--format", "csv"]), @"
    exit code 0
    ----- stdout
    dataset,database,bytes,pushed,cohorts here
    data/r12-leaderboard.json,data/pointsdb-r12-leaderboard.db,missing,-,4 of 4
    data/r12.json,data/pointsdb-r12.db,13,no,4 of 4
    ");
    insta::assert_snapshot!(project.data_in("data/r12", &["status", ".."]), @"
    exit code 0
    ----- stdout
    dataset                  database                          bytes  pushed  cohorts here
    ../r12-leaderboard.json  ../pointsdb-r12-leaderboard.db  missing  -       4 of 4
    ../r12.json              ../pointsdb-r12.db                 13 B  no      4 of 4

    cohort                           evals here  runs  files    bytes  raw data  pushed
    ../r12/GPT-OSS-120B              2 of 2         4     20  1.16 MB  here      no
    ../r12/Llama-Nemotron-Super-49B  2 of 2         4     25  1.31 MB  here      no
    ../r12/Qwen3-32B                 4 of 4         6     27  1.76 MB  here      no
    ../r12/Seed-OSS-36B              3 of 3         5     30  1.33 MB  here      no
    ");
}

/// One cohort of two evaluations, m+t+s and n+t+s, in a dataset; there is no raw file.
fn two_evaluations() -> Project {
    let project = Project::empty();
    let entries = [entry("m", "data/set/M/run/*", ""), entry("n", "data/set/M/other/*", "")].join(", ");
    project.write("data/set/M/evals.json", format!("[{entries}]"));
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    project
}

/// A manifest that names blobs of both evaluations, with keys that nobody knows.
const MANIFEST: &str = r#"{
"databases":{"d":{"blob":"0000000000000000000000000000000000000000000000000000000000000000","size":1,"raw_size":2,"dataset":"1111111111111111111111111111111111111111111111111111111111111111"}},
"evals":{
"34c4dc":{"identity":"m+t+s","cohort":"set/M","runs":[{"path":"run","blob":"2222222222222222222222222222222222222222222222222222222222222222","size":3,"raw_size":4,"n_files":1,"content":"3333333333333333333333333333333333333333333333333333333333333333"}]},
"7d262a":{"identity":"n+t+s","cohort":"set/M","runs":[],"note":"by hand"}
},
"remotes":{"origin":{"url":"file:/blobs"}},
"signature":"x",
"version":1
}
"#;

#[test]
fn raw_data_is_here_partly_here_in_blobs_or_absent() {
    let project = two_evaluations();
    let check = |raw: &str, shown: &str, evaluations_here: u64, cohorts_here: u64| {
        // From wherever one looks, the manifest is found.
        for (folder, target) in
            [("", "data"), ("", "data/d.json"), ("", "data/set"), ("", "data/set/M"), ("", "."), ("data/set/M", ".")]
        {
            let run = project.data_in(folder, &["status", target, "--format", "json"]);
            let status: Status = run.document();
            assert!(matches!(run.code, Some(0 | 1)), "{run}");
            assert_eq!(status.cohorts.len(), 1);
            assert_eq!(status.cohorts[0].raw, raw, "{target}");
            assert_eq!(status.cohorts[0].evaluations_here, evaluations_here, "{target}");
            assert!(status.datasets.iter().all(|dataset| dataset.cohorts_here == cohorts_here), "{target}");
        }
        let run = project.data(&["status"]);
        assert!(run.stdout.contains(&format!("  {shown}  ")), "{run}");
    };
    check("absent", "absent", 0, 0);
    project.write("data/manifest.json", MANIFEST.replace("\"7d262a\"", "\"ffffff\""));
    check("absent", "absent", 0, 0);
    project.write("data/manifest.json", MANIFEST);
    check("remote", "in a remote", 0, 0);
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    check("partly", "partly here", 1, 0);
    project.write("data/set/M/other/a.ndjson", record("n", ""));
    check("here", "here", 2, 1);
}

#[test]
fn a_broken_manifest_is_told_with_place_and_key() {
    let project = two_evaluations();
    let status = |manifest: &str| {
        project.write("data/manifest.json", manifest);
        project.data(&["status"])
    };
    insta::assert_snapshot!(status(&MANIFEST.replace("\"size\":3", "\"size\":-3")), @"
    exit code 2
    ----- stderr
    error: data/manifest.json:4:151: `evals.34c4dc.runs[0].size`: invalid value: integer `-3`, expected u64
    ");
    insta::assert_snapshot!(status(&MANIFEST.replace("\"identity\":\"m+t+s\",", "")), @"
    exit code 2
    ----- stderr
    error: data/manifest.json:4:236: `evals.34c4dc`: missing field `identity`
    ");
    insta::assert_snapshot!(status(&MANIFEST.replace("\"signature\"", "signature")), @"
    exit code 2
    ----- stderr
    error: data/manifest.json:8:1: key must be a string
    ");
    insta::assert_snapshot!(status(&MANIFEST.replace("\"version\":1", "\"version\":2")), @"
    exit code 2
    ----- stderr
    error: data/manifest.json: `version` is 2; this program reads version 1
    ");
    insta::assert_snapshot!(status(&MANIFEST.replace("\"signature\"", "<<<<<<< HEAD\n\"signature\"")), @"
    exit code 2
    ----- stderr
    error: data/manifest.json:8: the file has conflict markers of git in it
    hint: resolve the merge conflict: each line stands for itself, so what both sides have added stays
    ");
    insta::assert_snapshot!(status(""), @"
    exit code 2
    ----- stderr
    error: data/manifest.json:1:1: EOF while parsing a value
    ");
}

#[test]
fn a_dataset_with_a_missing_cohort() {
    let project = two_evaluations();
    let cohorts = r#"[{"path": "set/N/evals.json"}, {"path": "set/M"}]"#;
    project.write("data/d.json", format!(r#"{{"name": "d", "db": "d.db", "cohorts": {cohorts}}}"#));
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 1
    ----- stdout
    dataset      database   bytes    pushed  cohorts here
    data/d.json  data/d.db  missing  -       0 of 2

    cohort      evals here  runs  files  bytes  raw data  pushed
    data/set/M  0 of 2         0      0    0 B  absent    -
    ----- stderr
    warning: data/d.json: cohorts[0]: no usable cohort at `data/set/N`
    ");
    insta::assert_snapshot!(project.data(&["status", "data/d.json"]), @"
    exit code 1
    ----- stdout
    dataset      database   bytes    pushed  cohorts here
    data/d.json  data/d.db  missing  -       0 of 2

    cohort      evals here  runs  files  bytes  raw data  pushed
    data/set/M  0 of 2         0      0    0 B  absent    -
    ----- stderr
    warning: data/d.json: cohorts[0]: no usable cohort at `data/set/N`
    ");
    let run = project.data(&["status", "data/d.json", "--format", "json"]);
    assert_eq!(run.document::<Status>().datasets[0].missing_cohorts, ["data/set/N"]);
}

#[test]
fn what_is_wrong_does_not_hide_the_rest() {
    let project = two_evaluations();
    project.write("data/set/Broken/evals.json", "[{]");
    project.write("data/comma.json", "{\"name\": \"d\", \"db\": \"d.db\", \"cohorts\": [],}");
    project.write("data/climbs.json", r#"{"name": "d", "db": "../../d.db", "cohorts": []}"#);
    project.write(
        "data/typo.json",
        r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/Broken", "filters": {"tag": "x"}}]}"#,
    );
    project.write("data/other.json", "{\"nothing\": \"to do with it\"");
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 1
    ----- stdout
    dataset         database   bytes    pushed  cohorts here
    data/d.json     data/d.db  missing  -       0 of 1
    data/typo.json  data/d.db  missing  -       0 of 1

    cohort      evals here  runs  files  bytes  raw data  pushed
    data/set/M  0 of 2         0      0    0 B  absent    -
    ----- stderr
    warning: data/climbs.json: db: path `../../d.db` climbs out with `..`
    warning: data/comma.json:1:43: trailing comma
    warning: data/typo.json: unknown key `cohorts[0].filters.tag` is ignored
    warning: data/set/Broken/evals.json:1:3: `[0]`: key must be a string
    warning: data/typo.json: cohorts[0]: no usable cohort at `data/set/Broken`
    ");
}

#[test]
fn a_target_that_is_not_there() {
    let (project, _) = Project::with_fixtures();
    insta::assert_snapshot!(project.data(&["status", "data/r13.json"]), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/r13.json`
    hint: there are `data/r12.json`
    ");
    insta::assert_snapshot!(project.data(&["status", "data/r12/Qwen3-33B"]), @"
    exit code 2
    ----- stderr
    error: no folder, cohort or dataset `data/r12/Qwen3-33B`
    hint: data status [DIR|FILE]
    ");
    insta::assert_snapshot!(project.data(&["status", "data/r12/Qwen3-33B/evals.json"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/r12/Qwen3-33B/evals.json`: evals.json is not there
    hint: `cohort list` shows the cohorts there are
    ");
    insta::assert_snapshot!(project.data(&["status", "data/pointsdb-r12.db"]), @"
    exit code 2
    ----- stderr
    error: no folder, cohort or dataset `data/pointsdb-r12.db`
    hint: data status [DIR|FILE]
    ");
    insta::assert_snapshot!(Project::empty().data(&["status"]), @"
    exit code 2
    ----- stderr
    error: no folder, cohort or dataset `data`
    hint: data status [DIR|FILE]
    ");
    insta::assert_snapshot!(project.data(&["status", "configs"]), @"
    exit code 0
    ----- stderr
    note: no dataset in `configs` and no cohort below it
    ");
}

/// How many run folders of the cohort set/M are in which state.
#[track_caller]
fn check_states(project: &Project, expected: States) {
    let run = project.data(&["status", "data/set/M", "--format", "json"]);
    let status: Status = run.document();
    assert_eq!(status.cohorts[0].states, expected);
    assert_eq!(run.code, Some(i32::from(expected.changed + expected.incomplete > 0)), "{run}");
}

#[test]
fn what_became_of_each_run_since_it_was_pushed() {
    let project = Project::small();
    check_states(&project, States { not_pushed: 3, ..States::default() });
    project.data(&["push", "dataset", "data/d.json", "--raw"]).succeeds();
    check_states(&project, States { pushed: 3, ..States::default() });
    insta::assert_snapshot!(project.data(&["status", "--remote"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes  pushed  cohorts here  remote
    data/d.json  data/d.db  900 B  yes     2 of 2        whole

    cohort      evals here  runs  files    bytes  raw data  pushed  remote
    data/set/M  2 of 2         3      3    384 B  here      yes     whole
    data/set/N  1 of 1         1      1  8.60 kB  here      yes     whole
    ");
    project.write("data/set/M/m-1/a.ndjson", record("m", ""));
    project.write("data/set/M/m-3/a.ndjson", record("m", ""));
    project.remove("data/set/M/m-2");
    project.remove("data/set/M/n-1");
    fs_err::remove_file(project.blob_of("n-1", "data/.blobs")).unwrap();
    fs_err::remove_file(project.blob_of("n-1", "remote")).unwrap();
    project.write("data/d.db", "another database");
    check_states(&project, States { changed: 1, not_pushed: 1, packed: 1, absent: 1, ..States::default() });
    insta::assert_snapshot!(project.data(&["status", "--remote"]), @"
    exit code 1
    ----- stdout
    dataset      database   bytes  pushed   cohorts here  remote
    data/d.json  data/d.db   16 B  changed  1 of 2        whole

    cohort      evals here  runs  files    bytes  raw data     pushed            remote
    data/set/M  1 of 2         4      3    268 B  partly here  1 changed, 1 not  1 missing
    data/set/N  1 of 1         1      1  8.60 kB  here         yes               whole
    ");
    let status: Status = project.data(&["status", "--remote", "origin", "--format", "json"]).document();
    let missing: Vec<Option<u64>> = status.cohorts.iter().map(|cohort| cohort.missing_in_remote).collect();
    assert_eq!(missing, [Some(1), Some(0)]);
    assert_eq!(status.datasets[0].db_state.as_deref(), Some("changed"));
    project.remove_untracked();
    check_states(&project, States { absent: 3, ..States::default() });
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes    pushed  cohorts here
    data/d.json  data/d.db  missing  yes     0 of 2

    cohort      evals here  runs  files  bytes  raw data     pushed
    data/set/M  0 of 2         3      0    0 B  in a remote  yes
    data/set/N  0 of 1         1      0    0 B  in a remote  yes
    ");
}

#[test]
fn a_remote_that_cannot_be_asked() {
    let project = Project::pushed();
    insta::assert_snapshot!(project.data(&["status", "--remote", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    project.remove("remote");
    insta::assert_snapshot!(project.shown(project.data(&["status", "data/set/N", "--remote"])), @"
    exit code 3
    ----- stderr
    error: `remote` is not there
    ");
}

#[test]
fn blobs_that_are_not_whole_are_not_here() {
    let project = Project::pushed();
    project.remove("data/set/M/n-1");
    let blob = project.blob_of("n-1", "data/.blobs");
    let cut = fs_err::read(&blob).unwrap();
    fs_err::write(&blob, &cut[1..]).unwrap();
    let status: Status = project.document(&["status"]);
    assert_eq!((status.cohorts[0].path.as_str(), status.cohorts[0].raw.as_str()), ("data/set/M", "partly"));
    assert_eq!(status.datasets[0].cohorts_here, status.datasets[0].cohorts - 1);
}

#[test]
fn what_was_never_pushed_is_missed_nowhere() {
    let project = Project::pushed();
    project.write("data/set/New/evals.json", fs_err::read(project.path("data/set/N/evals.json")).unwrap());
    let status: Status = project.document(&["status", "--remote"]);
    let missing: Vec<Option<u64>> = status.cohorts.iter().map(|cohort| cohort.missing_in_remote).collect();
    assert_eq!(missing, [Some(0), Some(0), None]);
}

#[test]
fn a_run_folder_that_lacks_files() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    project.remove("data/set/M/m-1/metadata.json");
    project.remove("data/set/M/n-1/b.ndjson");
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 1
    ----- stdout
    dataset      database   bytes  pushed  cohorts here
    data/d.json  data/d.db  900 B  yes     1 of 2

    cohort      evals here  runs  files    bytes  raw data     pushed
    data/set/M  2 of 2         3      3    384 B  partly here  1 partly here
    data/set/N  1 of 1         1      1  8.60 kB  here         yes
    ----- stderr
    warning: data/set/M: partly here: m-1 (1 of 2 files); `data pull cohort data/set/M` brings the others back
    ");
    // Of n-1 no file is left that an evaluation matches: it is read out of its blob.
    check_states(&project, States { pushed: 1, incomplete: 1, packed: 1, ..States::default() });
    project.data(&["pull", "cohort", "data/set/M"]).succeeds();
    check_same("files come back", &project.tree().without_notes(), &before);
    // What is left holds something else: it stays.
    project.remove("data/set/M/m-1/metadata.json");
    project.write("data/set/M/m-1/a.ndjson", record("m", ",\"index\":0") + &record("m", ",\"index\":7"));
    let changed = project.tree().without_notes();
    insta::assert_snapshot!(project.data(&["pull", "cohort", "data/set/M"]), @"
    exit code 1
    ----- stdout
    pulled        runs  here  fetched  bytes  unpacked  raw  kept  failed
    cohort set/M     3     2        0    0 B         0  0 B     1       0
    ----- stderr
    warning: data/set/M/m-1: what is here differs and stays as it is; move it away to pull it
    ");
    check_same("what was changed stays", &project.tree().without_notes(), &changed);
}

/// What `rm run/*` leaves.
#[test]
fn a_run_folder_without_raw_files() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    project.remove("data/set/N/o-1/a.ndjson");
    project.remove("data/set/M/m-1/a.ndjson");
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 0
    ----- stdout
    dataset      database   bytes  pushed  cohorts here
    data/d.json  data/d.db  900 B  yes     2 of 2

    cohort      evals here  runs  files    bytes  raw data  pushed
    data/set/M  2 of 2         3      3    384 B  here      yes
    data/set/N  1 of 1         1      1  8.60 kB  as blobs  yes
    ");
    project.data(&["pull", "cohort", "data/set/M", "data/set/N"]).succeeds();
    check_same("files come back", &project.tree().without_notes(), &before);
}

#[test]
fn a_cohort_of_the_manifest_without_its_list_of_evaluations() {
    let project = Project::pushed();
    project.remove("data/set/N/evals.json");
    project.remove("data/d.json");
    insta::assert_snapshot!(project.data(&["status"]), @"
    exit code 1
    ----- stdout
    cohort      evals here  runs  files  bytes  raw data  pushed
    data/set/M  2 of 2         3      3  384 B  here      yes
    ----- stderr
    warning: cohort `data/set/N` is missing: data/manifest.json has blobs of it, but evals.json is not there
    ");
    assert!(project.data(&["status", "data/set"]).stderr.contains("cohort `data/set/N` is missing"));
    assert!(project.data(&["status", "."]).stderr.contains("cohort `data/set/N` is missing"));
}
