//! `cohort list`: what is found, and where its raw data is.

use rs_fixtures::{Expected, ExpectedCohort};
use serde::Deserialize;

use crate::project::{Project, entry, record};

/// The document `cohort.list/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    schema: String,
    cohorts: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    path: String,
    evaluations: u64,
    runs: u64,
    files: u64,
    bytes: u64,
    raw: String,
}

fn row(cohort: &ExpectedCohort) -> Row {
    Row {
        path: cohort.path.clone(),
        evaluations: cohort.evaluations.len() as u64,
        runs: cohort.runs.len() as u64,
        files: cohort.runs.iter().map(|run| run.n_files).sum(),
        bytes: cohort.runs.iter().map(|run| run.bytes).sum(),
        raw: "here".to_owned(),
    }
}

fn rows(expected: &Expected, is_meant: impl Fn(&ExpectedCohort) -> bool) -> Vec<Row> {
    let mut rows: Vec<Row> = expected.cohorts.iter().filter(|cohort| is_meant(cohort)).map(row).collect();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    rows
}

#[test]
fn every_number_is_that_of_the_model() {
    let (project, expected) = Project::with_fixtures();
    let list: List = project.document(&["list"]);
    assert_eq!(list.schema, "cohort.list/1");
    assert_eq!(list.cohorts, rows(&expected, |_| true));
    assert_eq!(list.cohorts.len(), 4);
}

#[test]
fn for_people() {
    let (project, _) = Project::with_fixtures();
    insta::assert_snapshot!(project.cohort(&["list"]), @"
    exit code 0
    ----- stdout
    cohort                             evals  runs  files    bytes  raw data
    data/r12/GPT-OSS-120B                  2     4     20  1.16 MB  here
    data/r12/Llama-Nemotron-Super-49B      2     4     25  1.31 MB  here
    data/r12/Qwen3-32B                     4     6     27  1.76 MB  here
    data/r12/Seed-OSS-36B                  3     5     30  1.33 MB  here
    ");
    insta::assert_snapshot!(project.cohort(&["list", "--format", "markdown"]), @"
    exit code 0
    ----- stdout
    | cohort | evals | runs | files | bytes | raw data |
    | --- | ---: | ---: | ---: | ---: | --- |
    | data/r12/GPT-OSS-120B | 2 | 4 | 20 | 1.16 MB | here |
    | data/r12/Llama-Nemotron-Super-49B | 2 | 4 | 25 | 1.31 MB | here |
    | data/r12/Qwen3-32B | 4 | 6 | 27 | 1.76 MB | here |
    | data/r12/Seed-OSS-36B | 3 | 5 | 30 | 1.33 MB | here |
    ");
    insta::assert_snapshot!(project.cohort(&["list", "--format", "csv", "--search", "gpt"]), @"
    exit code 0
    ----- stdout
    cohort,evals,runs,files,bytes,raw data
    data/r12/GPT-OSS-120B,2,4,20,1162152,here
    ");
}

#[test]
fn search_finds_all_words_in_any_case_wherever_they_stand() {
    let (project, expected) = Project::with_fixtures();
    let check = |search: &str, folders: &[&str]| {
        let list: List = project.document(&["list", "--search", search]);
        assert_eq!(list.cohorts, rows(&expected, |cohort| folders.contains(&cohort.name.as_str())), "{search}");
        assert_eq!(list.cohorts.len(), folders.len(), "{search}");
    };
    // Path, label, model, template, sampler, group, tag, hf_id.
    check("LLAMA-nemotron", &["Llama-Nemotron-Super-49B"]);
    check("awq INT4", &["Qwen3-32B"]);
    check("qwen3-32b-FP16", &["Qwen3-32B"]);
    check("Harmony", &["GPT-OSS-120B"]);
    check("t1.1", &["Seed-OSS-36B"]);
    check("arch:MOE", &["GPT-OSS-120B"]);
    check("sampler-study", &["Seed-OSS-36B"]);
    check("openai/", &["GPT-OSS-120B"]);
    // Words of different evaluations of one cohort; all of them, in any order.
    check("  greedy   INT4 ", &["Qwen3-32B", "Seed-OSS-36B"]);
    check("int4 greedy seed", &["Seed-OSS-36B"]);
    check("", &["GPT-OSS-120B", "Llama-Nemotron-Super-49B", "Qwen3-32B", "Seed-OSS-36B"]);
}

#[test]
fn nothing_found_is_said() {
    let (project, _) = Project::with_fixtures();
    insta::assert_snapshot!(project.cohort(&["list", "--search", "qwen gpt"]), @"
    exit code 0
    ----- stdout
    cohort  evals  runs  files  bytes  raw data
    ----- stderr
    note: no cohort below `data` matches
    ");
    insta::assert_snapshot!(project.cohort(&["list", "configs"]), @"
    exit code 0
    ----- stdout
    cohort  evals  runs  files  bytes  raw data
    ----- stderr
    note: no cohort below `configs`
    ");
    insta::assert_snapshot!(project.cohort(&["list", "configs", "--quiet", "--format", "json"]), @r#"
    exit code 0
    ----- stdout
    {
      "schema": "cohort.list/1",
      "cohorts": []
    }
    "#);
}

#[test]
fn a_folder_that_is_not_there() {
    insta::assert_snapshot!(Project::empty().cohort(&["list"]), @"
    exit code 2
    ----- stderr
    error: no folder `data`
    hint: cohort list DIR
    ");
    insta::assert_snapshot!(Project::small().cohort(&["list", "dta"]), @"
    exit code 2
    ----- stderr
    error: no folder `dta`
    hint: cohort list DIR
    ");
}

#[test]
fn a_wrong_cohort_does_not_hide_the_others() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    project.write("data/set/Broken/evals.json", "[\n  {\"evaluate\": {\"glob\": \"x\"},,}]");
    project.write("data/set/Keys/evals.json", "[{\"evaluate\": {}, \"label\": \"x\"}]");
    project.write("data/set/Climbs/evals.json", format!("[{}]", entry("m", "../x/*", "")));
    project.write("data/set/Root/evals.json", format!("[{}]", entry("m", "/x/*", "")));
    project.write("data/set/Glob/evals.json", format!("[{}]", entry("m", "data/[x/*", "")));
    project.write("data/set/Latin/evals.json", b"[\n\n{\"label\": \"\xE9\"}]");
    insta::assert_snapshot!(project.cohort(&["list"]), @"
    exit code 1
    ----- stdout
    cohort      evals  runs  files  bytes  raw data
    data/set/M      1     1      1   86 B  here
    ----- stderr
    warning: data/set/Broken/evals.json:2:30: `[0]`: key must be a string
    warning: data/set/Climbs/evals.json: entry 0 (`L m`): evaluate.glob: path `../x/*` climbs out with `..`
    warning: data/set/Glob/evals.json: entry 0 (`L m`): evaluate.glob `data/[x/*`: error parsing glob 'data/[x/*': unclosed character class; missing ']'
    warning: data/set/Keys/evals.json:1:16: `[0].evaluate`: missing field `glob`
    warning: data/set/Latin/evals.json:3: invalid UTF-8
    warning: data/set/Root/evals.json: entry 0 (`L m`): evaluate.glob: path `/x/*` is absolute; it must be relative
    ");
}

#[test]
fn hidden_folders_are_not_searched() {
    let project = Project::small();
    project.write("data/.trash/M/evals.json", "[]");
    let list: List = project.document(&["list"]);
    assert_eq!(list.cohorts.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), ["data/set/M"]);
}

/// A manifest that names blobs of these evaluations.
fn manifest(eval_ids: &[&str]) -> String {
    let entries: Vec<String> = eval_ids
        .iter()
        .map(|id| format!("\"{id}\": {{\"identity\": \"m+t+s\", \"cohort\": \"set/M\", \"runs\": []}}"))
        .collect();
    format!("{{\"version\": 1, \"evals\": {{{}}}}}", entries.join(", "))
}

#[test]
fn raw_data_is_here_partly_here_in_blobs_or_absent() {
    let project = Project::empty();
    let entries = [entry("m", "data/set/M/run/*", ""), entry("n", "data/set/M/other/*", "")].join(", ");
    project.write("data/set/M/evals.json", format!("[{entries}]"));
    let check = |directory: &str, raw: &str| {
        let list: List = project.document(&["list", directory]);
        assert_eq!(list.cohorts.iter().map(|row| row.raw.as_str()).collect::<Vec<_>>(), [raw], "{directory}");
    };
    check("data", "absent");
    // 34c4dc is m+t+s, 7d262a is n+t+s.
    project.write("data/manifest.json", manifest(&["34c4dc"]));
    check("data", "absent");
    project.write("data/manifest.json", manifest(&["34c4dc", "7d262a"]));
    // Wherever one looks from.
    for directory in ["data", "data/set", "data/set/M", "."] {
        check(directory, "remote");
    }
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    check("data", "partly");
    project.write("data/set/M/other/a.ndjson", record("n", ""));
    check("data", "here");
}

#[test]
fn a_broken_manifest_is_told() {
    let project = Project::small();
    project.write("data/manifest.json", "{\"version\": 1,\n \"evals\": {\"34c4dc\": {\"identity\": 1}}}");
    insta::assert_snapshot!(project.cohort(&["list"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json:2:35: `evals.34c4dc.identity`: invalid type: integer `1`, expected a string
    ");
    project.write("data/manifest.json", "{\"version\": 2}");
    insta::assert_snapshot!(project.cohort(&["list"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json: `version` is 2; this program reads version 1
    ");
}
