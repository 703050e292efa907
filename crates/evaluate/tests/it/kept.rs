//! Points are not lost because something else is not there or not the same.

use crate::project::{DB, Project, entry, record, texts};

/// Two evaluations, `m` and `n`, each with a run folder of its own, evaluated.
fn project() -> Project {
    let project = Project::new();
    let entry = |model: &str| entry(model, &format!("data/set/M/run_{model}/*"), "");
    project.write("data/set/M/evals.json", format!("[{},{}]", entry("m"), entry("n")));
    for model in ["m", "n"] {
        let line = record(0, &format!(",\"model\":\"{model}\"")) + "\n";
        project.write(&format!("data/set/M/run_{model}/a.ndjson"), line);
    }
    project.evaluate_d("").succeeds();
    project
}

/// Models and counters of the points there are.
fn kept(project: &Project) -> Vec<Vec<String>> {
    texts(&project.open(DB), "SELECT model, total FROM points ORDER BY model")
}

#[test]
fn points_stay_where_raw_files_are_gone() {
    let project = project();
    let before = kept(&project);
    assert_eq!(before.len(), 2);
    fs_err::remove_dir_all(project.path("data/set/M/run_n")).unwrap();
    let run = project.evaluate_d("").succeeds();
    assert_eq!(kept(&project), before);
    let text = run.to_string();
    assert!(text.contains("7d262a: no raw file is here; its points (1) stay as they were"), "{text}");
    // Asked to forget them, it does.
    project.evaluate_d("--force").succeeds();
    assert_eq!(kept(&project).len(), 1);
}

#[test]
fn a_dataset_without_any_raw_file_is_refused() {
    let project = project();
    let before = kept(&project);
    for model in ["m", "n"] {
        fs_err::remove_dir_all(project.path(&format!("data/set/M/run_{model}"))).unwrap();
    }
    for arguments in ["", "--force"] {
        let text = project.evaluate_d(arguments).to_string();
        assert!(text.starts_with("exit code 2"), "{text}");
        assert!(text.contains("error: no evaluation of `d` has a raw file here"), "{text}");
    }
    assert_eq!(kept(&project), before);
}

#[test]
fn one_evaluation_asked_for_leaves_the_others_whatever_the_config_is_called() {
    let project = project();
    let dataset = fs_err::read_to_string(project.path("data/d.json")).unwrap();
    project.write("configs/other.yaml", "name: other\ntasks: []\n");
    project.write(
        "data/d.json",
        dataset.trim_end().trim_end_matches('}').to_owned() + ",\"config\":\"../configs/other.yaml\"}",
    );
    let before = kept(&project);
    project.evaluate_d("--eval-id 34c4dc").succeeds();
    assert_eq!(kept(&project), before);
    assert_eq!(texts(&project.open(DB), "SELECT value FROM meta WHERE key = 'config'"), [["other"]]);
}

#[test]
fn the_database_of_another_dataset_is_not_replaced() {
    let project = project();
    let before = kept(&project);
    let dataset = fs_err::read_to_string(project.path("data/d.json")).unwrap();
    project.write("data/e.json", dataset.replacen("\"d\"", "\"e\"", 1));
    let text = project.evaluate("--dataset data/e.json").to_string();
    assert!(text.starts_with("exit code 2"), "{text}");
    assert!(text.contains("`data/d.db` holds dataset `d`, not `e`"), "{text}");
    assert_eq!(kept(&project), before);
    project.evaluate("--dataset data/e.json --force").succeeds();
}

#[test]
fn strict_meets_lines_that_an_earlier_run_has_met() {
    let project = project();
    project.write("data/set/M/run_m/b.ndjson", "{}\n");
    let text = project.evaluate_d("").to_string();
    assert!(text.contains("data/set/M/run_m/b.ndjson:1: missing key"), "{text}");
    let text = project.evaluate_d("").to_string();
    assert!(text.contains("34c4dc: malformed lines: 1, told when they were read"), "{text}");
    assert!(text.starts_with("exit code 1"), "{text}");
    let text = project.evaluate_d("--strict").to_string();
    assert!(text.contains("error: data/set/M/run_m/b.ndjson:1: missing key"), "{text}");
}
