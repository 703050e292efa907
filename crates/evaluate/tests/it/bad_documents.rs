//! Files that people write, with something wrong in them: found before the work, with place and a way on.

use std::collections::HashMap;

use rs_core::eval_id::{EvalId, Identity};

use crate::project::{IDENTITY, Project, entry, record, records};

const DATASET: &str = r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#;

/// A project with this dataset.
fn with_dataset(text: impl AsRef<[u8]>) -> Project {
    let project = Project::with_raw(records(0..3));
    project.write("data/d.json", text);
    project
}

/// A project with this `evals.json`.
fn with_evals(text: impl AsRef<[u8]>) -> Project {
    let project = Project::with_raw(records(0..3));
    project.write("data/set/M/evals.json", text);
    project
}

/// A project with this config.
fn with_config(text: impl AsRef<[u8]>) -> Project {
    let project = with_dataset(DATASET.replace("\"d.db\"", "\"d.db\", \"config\": \"../configs/x.yaml\""));
    project.write("configs/x.yaml", text);
    project
}

/// The error that a run ends with, once it has been seen that it left no database.
#[track_caller]
fn refusal(project: &Project) -> String {
    let run = project.evaluate_d("");
    assert_eq!(project.files_in("data").iter().filter(|name| *name != "d.json").count(), 0, "{run}");
    run.to_string()
}

#[test]
fn a_missing_dataset_lists_the_near_ones() {
    let project = Project::with_raw(records(0..3));
    project.write("data/other.json", DATASET);
    project.write("data/no-dataset.json", "{}");
    insta::assert_snapshot!(project.evaluate("--dataset data/dd.json"), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/dd.json`
    hint: there are `data/d.json`
    ");
    insta::assert_snapshot!(project.evaluate("--dataset data/zzz"), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/zzz`
    hint: there are `data/d.json`, `data/other.json`
    ");
    insta::assert_snapshot!(project.evaluate("--dataset elsewhere/d.json"), @"
    exit code 2
    ----- stderr
    error: no dataset at `elsewhere/d.json`
    hint: there are `data/d.json`, `data/other.json`
    ");
    insta::assert_snapshot!(project.evaluate("--dataset data"), @"
    exit code 2
    ----- stderr
    error: no dataset at `data`
    hint: there are `data/d.json`, `data/other.json`
    ");
}

#[test]
fn broken_json_in_a_dataset() {
    insta::assert_snapshot!(refusal(&with_dataset("{\"name\": \"d\",\n  \"db\": \"d.db\",,}")), @"
    exit code 2
    ----- stderr
    error: data/d.json:2:16: key must be a string
    ");
    insta::assert_snapshot!(refusal(&with_dataset("")), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:1: EOF while parsing a value
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.to_owned() + " x")), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:61: trailing characters
    ");
    insta::assert_snapshot!(refusal(&with_dataset(b"{\"name\": \"\xFF\"}")), @"
    exit code 2
    ----- stderr
    error: data/d.json:1: invalid UTF-8
    ");
}

#[test]
fn wrong_values_in_a_dataset() {
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("\"set/M\"", "7"))), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:50: `cohorts[0].path`: invalid type: integer `7`, expected a string
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("\"db\": \"d.db\", ", ""))), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:45: missing field `db`
    ");
    let filters = r#""set/M", "filters": {"tags": {"any": "x"}}"#;
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("\"set/M\"", filters))), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:79: `cohorts[0].filters.tags`: invalid type: map, expected a string or a list of strings
    ");
    insta::assert_snapshot!(refusal(&with_dataset("[]")), @"
    exit code 2
    ----- stderr
    error: data/d.json:1:1: expected an object, found a list
    ");
}

#[test]
fn paths_that_leave_the_project_are_refused() {
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("set/M", "/set/M"))), @"
    exit code 2
    ----- stderr
    error: data/d.json: cohorts[0].path: path `/set/M` is absolute; it must be relative
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("set/M", "../../M"))), @"
    exit code 2
    ----- stderr
    error: data/d.json: cohorts[0].path: path `../../M` climbs out with `..`
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("d.db", "/tmp/d.db"))), @"
    exit code 2
    ----- stderr
    error: data/d.json: db: path `/tmp/d.db` is absolute; it must be relative
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("\"d.db\"", "\"d.db\", \"config\": \"../../x.yaml\""))), @"
    exit code 2
    ----- stderr
    error: data/d.json: config: path `../../x.yaml` climbs out with `..`
    ");
}

#[test]
fn unknown_keys_are_told_once_and_ignored() {
    let project = with_dataset(DATASET.replace("\"d.db\"", "\"d.db\", \"colour\": 1"));
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", ", \"lable\": \"x\"")));
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          0       0        0  files
    ----- stderr
    warning: data/d.json: unknown key `colour` is ignored
    warning: data/set/M/evals.json: unknown key `[0].lable` is ignored
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn a_missing_cohort_lists_the_near_ones() {
    let project = with_dataset(DATASET.replace("set/M", "set/MM"));
    project.write("data/set/N/evals.json", "[]");
    insta::assert_snapshot!(refusal(&project), @"
    exit code 2
    ----- stderr
    error: data/d.json: cohorts[0]: no cohort at `data/set/MM`
    hint: there are `data/set/M`
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("set/M", "elsewhere"))), @"
    exit code 2
    ----- stderr
    error: data/d.json: cohorts[0]: no cohort at `data/elsewhere`
    hint: there are `data/set/M`
    ");
}

/// The two are read side by side; what is told is what was told one after the other.
#[test]
fn warnings_of_a_config_come_before_what_is_wrong_with_cohorts() {
    let project = with_config(CONFIG.to_owned() + "colour: red\n");
    project.write("data/set/M/evals.json", "{");
    insta::assert_snapshot!(refusal(&project), @"
    exit code 2
    ----- stderr
    warning: configs/x.yaml: unknown key `colour` is ignored
    error: data/set/M/evals.json:1:1: invalid type: map, expected a sequence
    ");
}

#[test]
fn broken_evals() {
    insta::assert_snapshot!(refusal(&with_evals("[\n  {\"evaluate\": }\n]")), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json:2:16: `[0].evaluate`: expected value
    ");
    insta::assert_snapshot!(refusal(&with_evals(format!("[{}", entry("m", "data/set/M/run/*", "")))), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json:1:119: EOF while parsing a list
    ");
    let text = format!("[{}]", entry("m", "data/set/M/run/*", ""));
    insta::assert_snapshot!(refusal(&with_evals(text.replace("\"template\": \"t\", ", ""))), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json:1:85: `[0].filters`: missing field `template`
    ");
    insta::assert_snapshot!(refusal(&with_evals(text.replace("\"label\": ", "\"context\": \"8k\", \"label\": "))), @r#"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json:1:119: `[0].context`: invalid type: string "8k", expected a nonzero u32
    "#);
    insta::assert_snapshot!(refusal(&with_evals(b"[\n\xFF]")), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json:2: invalid UTF-8
    ");
}

#[test]
fn globs() {
    let glob = |glob: &str| with_evals(format!("[{}]", entry("m", glob, "")));
    insta::assert_snapshot!(refusal(&glob("/data/set/M/run/*")), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json: entry 0 (`L m`): evaluate.glob: path `/data/set/M/run/*` is absolute; it must be relative
    ");
    insta::assert_snapshot!(refusal(&glob("../other/*/*")), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json: entry 0 (`L m`): evaluate.glob: path `../other/*/*` climbs out with `..`
    ");
    insta::assert_snapshot!(refusal(&glob("data/set/M/run/[a")), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json: entry 0 (`L m`): evaluate.glob `data/set/M/run/[a`: error parsing glob 'data/set/M/run/[a': unclosed character class; missing ']'
    ");
    insta::assert_snapshot!(refusal(&glob("")), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json: entry 0 (`L m`): evaluate.glob: path is empty
    ");
    // A glob that matches nothing stops nothing if others have data.
    insta::assert_snapshot!(refusal(&glob("data/set/M/nun/*")), @"
    exit code 2
    ----- stderr
    warning: data/set/M/evals.json: entry 0 (`L m`): glob `data/set/M/nun/*` matches no raw file
    error: no evaluation of `d` has a raw file here
    hint: `data status` tells what is here
    ");
    let two = [entry("m", "data/set/M/run/*", ""), entry("n", "data/set/M/nun/*", "")].join(",");
    insta::assert_snapshot!(with_evals(format!("[{two}]")).evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          0       0        0  files
    7d262a   L n        0        0       0          0           0          0       0        0  files
    ----- stderr
    warning: data/set/M/evals.json: entry 1 (`L n`): glob `data/set/M/nun/*` matches no raw file
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn a_dataset_that_selects_nothing() {
    let filters = r#""set/M", "filters": {"tags": "leaderboard"}"#;
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("\"set/M\"", filters))), @"
    exit code 2
    ----- stderr
    warning: data/d.json: cohorts[0]: no evaluation of `data/set/M` is selected (there are tags: none)
    error: dataset `data/d.json` selects no evaluation
    ");
    insta::assert_snapshot!(refusal(&with_dataset(DATASET.replace("{\"path\": \"set/M\"}", ""))), @"
    exit code 2
    ----- stderr
    error: dataset `data/d.json` selects no evaluation
    ");
}

const CONFIG: &str = "\
name: x
tasks:
  - name: b
    grid: {n: [1, 2]}
    views:
      - {id: v, kind: projection, x: params.n}
";

#[test]
fn broken_configs() {
    with_config(CONFIG).evaluate_d("").succeeds();
    insta::assert_snapshot!(refusal(&with_config(CONFIG.replace("[1, 2]", "[1, 2"))), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:4:15: `tasks[0].grid.n`: mismatched bracket '[' closed by '}'
    ");
    insta::assert_snapshot!(refusal(&with_config(CONFIG.replace("params.n", "params.m"))), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:6:38: `tasks[0].views[0].x`: unknown dimension `params.m`; did you mean `params.n`?
    ");
    insta::assert_snapshot!(refusal(&with_config(CONFIG.replace("projection", "line"))), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:6:23: `tasks[0].views[0].kind`: unknown variant `line`, expected one of surface, projection
    ");
    insta::assert_snapshot!(refusal(&with_config(CONFIG.replace("tasks:", "tasks: 3\nother:"))), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:2:8: `tasks`: expected sequence start
    ");
    insta::assert_snapshot!(refusal(&with_config("name: x\n\ttasks: []\n")), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:1:7: while scanning a plain scalar, found a tab
    ");
    insta::assert_snapshot!(refusal(&with_config("")), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:1:1: unexpected end of input
    ");
    insta::assert_snapshot!(refusal(&with_config(b"name: \xFF\n")), @"
    exit code 2
    ----- stderr
    error: configs/x.yaml:1: invalid UTF-8
    ");
    let missing = with_dataset(DATASET.replace("\"d.db\"", "\"d.db\", \"config\": \"../configs/y.yaml\""));
    insta::assert_snapshot!(refusal(&missing), @"
    exit code 2
    ----- stderr
    error: no config at `configs/y.yaml`, which data/d.json names as `config`
    ");
}

#[test]
fn tasks_that_the_config_does_not_have() {
    insta::assert_snapshot!(with_config(CONFIG.replace("name: b", "name: c")).evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          0       0        0  files
    ----- stderr
    warning: 34c4dc: records of tasks that configs/x.yaml does not have: b
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

/// Two models whose identities have one id: six hex digits, so among a few thousand there are two.
fn two_with_one_id() -> [String; 2] {
    let mut seen = HashMap::new();
    for number in 0.. {
        let model = format!("m{number}");
        let identity = Identity { model: model.clone(), template: "t".into(), sampler: "s".into() };
        if let Some(first) = seen.insert(EvalId::new(&identity, None), model.clone()) {
            return [first, model];
        }
    }
    unreachable!("there are enough numbers")
}

#[test]
fn two_identities_with_one_id() {
    let [first, second] = two_with_one_id();
    let text = format!("[{},\n{}]", entry(&first, "data/set/M/run/*", ""), entry(&second, "data/set/M/run/*", ""));
    insta::assert_snapshot!(refusal(&with_evals(text)), @"
    exit code 2
    ----- stderr
    error: evaluations `m2757+t+s` (data/set/M/evals.json) and `m3120+t+s` (data/set/M/evals.json) have one eval_id `be1f5a`
    ");
}

#[test]
fn two_identities_with_one_id_in_loose_files() {
    let [first, second] = two_with_one_id();
    let project = Project::empty();
    let of = |model: &str| record(0, "").replace("\"m\"", &format!("\"{model}\"")) + "\n";
    project.write("a.ndjson", of(&first) + &of(&second));
    insta::assert_snapshot!(project.evaluate("--interview a.ndjson --db x.db"), @"
    exit code 2
    ----- stderr
    error: evaluations `m2757+t+s` and `m3120+t+s` have one eval_id `be1f5a`
    ");
    assert_eq!(project.files_in(""), ["a.ndjson"]);
}

#[test]
fn one_identity_in_two_entries() {
    let two = format!(
        "[{},\n{}]",
        entry("m", "data/set/M/run/*", ""),
        entry("m", "data/set/M/nun/*", "").replace("L m", "L again")
    );
    insta::assert_snapshot!(refusal(&with_evals(two)), @"
    exit code 2
    ----- stderr
    error: evaluation `m+t+s` is listed twice: as `L m` in data/set/M/evals.json and as `L again` in data/set/M/evals.json
    ");
}

#[test]
fn evaluations_are_named_by_id_hash_or_identity() {
    let project = Project::with_raw(records(0..3));
    let hash = blake3::hash(IDENTITY.as_bytes()).to_hex().to_string();
    for name in [&hash[..6], &hash[..20], &hash.to_uppercase(), IDENTITY] {
        project.evaluate_d(&format!("--force --eval-id {name}")).succeeds();
    }
    insta::assert_snapshot!(project.evaluate_d("--eval-id m+t+ss"), @"
    exit code 2
    ----- stderr
    error: no evaluation `m+t+ss` in dataset `d`
    hint: did you mean `m+t+s`?
    ");
    insta::assert_snapshot!(project.evaluate_d("--eval-id zzz"), @"
    exit code 2
    ----- stderr
    error: no evaluation `zzz` in dataset `d`
    hint: known: 34c4dc, m+t+s
    ");
}

#[test]
fn wrong_arguments() {
    let project = Project::with_raw(records(0..3));
    insta::assert_snapshot!(project.evaluate_d("--context 0"), @"
    exit code 2
    ----- stderr
    error: invalid value '0' for '--context <TOKENS>': 0 is not in 1..=2147483647

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.evaluate_d("--context 8k"), @"
    exit code 2
    ----- stderr
    error: invalid value '8k' for '--context <TOKENS>': invalid digit found in string

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.evaluate_d("--interview a.ndjson"), @"
    exit code 2
    ----- stderr
    error: the argument '--dataset <FILE>' cannot be used with '--interview <GLOB>...'

    Usage: evaluate <--dataset <FILE>|--interview <GLOB>...>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.evaluate("--interview a.ndjson"), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      --db <FILE>

    Usage: evaluate --db <FILE> <--dataset <FILE>|--interview <GLOB>...>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.evaluate(""), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <--dataset <FILE>|--interview <GLOB>...>

    Usage: evaluate <--dataset <FILE>|--interview <GLOB>...>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.evaluate_d("--threads 0"), @"
    exit code 2
    ----- stderr
    error: invalid value '0' for '--threads <N>': 0 is not in 1..=65535

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.evaluate_d("--colour never"), @"
    exit code 2
    ----- stderr
    error: unexpected argument '--colour' found

      tip: a similar argument exists: '--color'

    Usage: evaluate --color <WHEN> <--dataset <FILE>|--interview <GLOB>...>

    For more information, try '--help'.
    ");
}

/// A link that leads nowhere is a file that is not there: of no matter, unless it should have been raw data.
#[test]
fn links_that_lead_nowhere() {
    let link = |project: &Project, name: &str| {
        fs_err::os::unix::fs::symlink("nowhere", project.path("data/set/M/run").join(name)).unwrap();
    };
    let project = Project::with_raw(records(0..3));
    link(&project, "notes.txt");
    project.evaluate_d("").succeeds();
    project.evaluate("--interview data --db x.db").succeeds();
    link(&project, "b.ndjson");
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 3
    ----- stderr
    error: cannot list `data/set/M/run/b.ndjson`: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(project.evaluate("--interview data --db x.db"), @"
    exit code 3
    ----- stderr
    error: IO error for operation on data/set/M/run/b.ndjson: No such file or directory (os error 2)
    ");
}

#[test]
fn groups_that_make_no_facet() {
    let project = Project::with_raw(records(0..3));
    let more = r#", "groups": ["arch:moe", "dense", "arch:dense"]"#;
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", more)));
    let run = project.evaluate_d("-q").succeeds();
    insta::assert_snapshot!(run.stderr, @"
    warning: data/set/M/evals.json: entry 0 (`L m`): groups: `arch` stands twice: its facet is `dense`, not `moe`
    warning: data/set/M/evals.json: entry 0 (`L m`): groups: `dense` has no `key:`, and makes no facet
    ");
}

#[test]
fn a_cohort_for_a_dataset() {
    let project = Project::with_raw(records(0..3));
    insta::assert_snapshot!(project.evaluate("--dataset data/set/M/evals.json"), @"
    exit code 2
    ----- stderr
    error: `data/set/M/evals.json` is a cohort; expected a dataset file
    ");
}

#[test]
fn a_context_of_nothing() {
    let project = Project::with_raw(records(0..3));
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", r#", "context": 0"#)));
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 2
    ----- stderr
    error: data/set/M/evals.json:1:132: `[0].context`: invalid value: integer `0`, expected a nonzero u32
    ");
}
