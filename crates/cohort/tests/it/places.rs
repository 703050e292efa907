//! From wherever a cohort is named, the same is found, and paths are printed as the user would type them.

use rs_fixtures::ExpectedCohort;
use serde_json::Value;

use crate::project::Project;

/// What `cohort info` says in a folder of the project, less the path; and the path.
#[track_caller]
fn info(project: &Project, folder: &str, cohort: &str) -> (Value, String) {
    let run = project.cohort_in(folder, &["info", cohort, "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
    let mut document: Value = run.document();
    let path = document.as_object_mut().unwrap().remove("path").unwrap();
    (document, path.as_str().unwrap().to_owned())
}

#[test]
fn a_cohort_is_the_same_from_everywhere() {
    let (project, expected) = Project::with_fixtures();
    let cohort: &ExpectedCohort = &expected.cohorts[0];
    assert_eq!(cohort.path, "data/r12/Qwen3-32B");
    let (from_root, _) = info(&project, "", "data/r12/Qwen3-32B");
    assert_eq!(from_root["evaluations"][0]["records"], cohort.evaluations[0].n_records);
    let check = |folder: &str, named: &str, shown: &str| {
        let (document, path) = info(&project, folder, named);
        assert_eq!(document, from_root, "{named} in {folder}");
        assert_eq!(path, shown, "{named} in {folder}");
    };
    let in_cohort = "data/r12/Qwen3-32B";
    check("", "data/r12/Qwen3-32B/", "data/r12/Qwen3-32B");
    check("", "./data/r12/Qwen3-32B", "./data/r12/Qwen3-32B");
    check("", "data/r12/Qwen3-32B/evals.json", "data/r12/Qwen3-32B");
    check("data", "r12/Qwen3-32B", "r12/Qwen3-32B");
    check("data/r12", "Qwen3-32B", "Qwen3-32B");
    check("configs", "../data/r12/Qwen3-32B", "../data/r12/Qwen3-32B");
    check(in_cohort, ".", ".");
    check(in_cohort, "evals.json", ".");
    check(in_cohort, "../Qwen3-32B", "../Qwen3-32B");
    check("data/r12/GPT-OSS-120B", "../Qwen3-32B", "../Qwen3-32B");
    let absolute = project.path("data/r12/Qwen3-32B");
    check("configs", absolute.to_str().unwrap(), absolute.to_str().unwrap());
    // From above the project.
    let root = project.path("");
    let name = root.file_name().unwrap().to_str().unwrap();
    check("..", &format!("{name}/data/r12/Qwen3-32B"), &format!("{name}/data/r12/Qwen3-32B"));
}

#[test]
fn lists_name_cohorts_as_seen_from_the_current_folder() {
    let (project, _) = Project::with_fixtures();
    let check = |folder: &str, arguments: &[&str], first: &str| {
        let run = project.cohort_in(folder, &[arguments, &["--format", "json"]].concat());
        assert_eq!(run.document::<Value>()["cohorts"][0]["path"], first, "{arguments:?} in {folder}: {run}");
    };
    check("", &["list"], "data/r12/GPT-OSS-120B");
    check("", &["list", "."], "data/r12/GPT-OSS-120B");
    check("", &["list", "data/r12/"], "data/r12/GPT-OSS-120B");
    check("data", &["list", "."], "r12/GPT-OSS-120B");
    check("data/r12/GPT-OSS-120B", &["list", "."], ".");
    check("data/r12/GPT-OSS-120B", &["list", ".."], "../GPT-OSS-120B");
}

#[test]
fn problems_are_named_as_seen_from_the_current_folder() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", "{\n");
    let check = |folder: &str, cohort: &str, problem: &str| {
        let run = project.cohort_in(folder, &["validate", cohort]);
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.starts_with(problem), "{cohort} in {folder}: {run}");
    };
    check("", "data/set/M", "data/set/M/run/a.ndjson:1: ");
    check("data/set/M", ".", "./run/a.ndjson:1: ");
    check("data/set/M/run", "..", "../run/a.ndjson:1: ");
}

#[test]
fn a_cohort_that_is_not_there() {
    let (project, _) = Project::with_fixtures();
    insta::assert_snapshot!(project.cohort(&["info", "data/r12/Qwen3-33B"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/r12/Qwen3-33B`: evals.json is not there
    hint: did you mean `data/r12/Qwen3-32B`?
    ");
    insta::assert_snapshot!(project.cohort(&["info", "data/r13/qwen3-32b"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/r13/qwen3-32b`: evals.json is not there
    hint: did you mean `data/r12/Qwen3-32B` or `data/r12/Seed-OSS-36B`?
    ");
    insta::assert_snapshot!(project.cohort(&["validate", "data/r12/Qwen3-32B", "data/r12/Sead-OSS-36B"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/r12/Sead-OSS-36B`: evals.json is not there
    hint: did you mean `data/r12/Seed-OSS-36B`?
    ");
    insta::assert_snapshot!(project.cohort(&["info", "data/r12"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/r12`: evals.json is not there
    hint: `cohort list data/r12` shows the cohorts in it
    ");
    insta::assert_snapshot!(project.cohort(&["info", "configs/r12.yaml"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `configs/r12.yaml`: evals.json is not there
    hint: `cohort list` shows the cohorts there are
    ");
    insta::assert_snapshot!(project.cohort_in("data", &["info", "r12/Qwen"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `r12/Qwen`: evals.json is not there
    hint: did you mean `r12/Qwen3-32B`?
    ");
    insta::assert_snapshot!(Project::empty().cohort(&["info", "data/r12/Qwen3-32B"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `data/r12/Qwen3-32B`: evals.json is not there
    hint: `cohort list` shows the cohorts there are
    ");
    insta::assert_snapshot!(Project::empty().cohort(&["info", "/nothing/here"]), @"
    exit code 2
    ----- stderr
    error: no cohort at `/nothing/here`: evals.json is not there
    hint: `cohort list` shows the cohorts there are
    ");
}
