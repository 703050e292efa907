//! `analyze cluster`, `spiderweb` and `surface`: figures of groups of points.

use serde_json::{Value, json};

use crate::project::Project;
use crate::trials::{Trial, project};

const DATASET: &str = "data/d.json";

fn of(template: &'static str, correct: u32, tokens: u32) -> Vec<Trial<'static>> {
    let right = Trial { template, tokens: Some(tokens), ..Trial::default() };
    let wrong = Trial { outcome: "incorrect", index: Some(correct), tokens: Some(tokens + 2), ..right };
    right.times(correct).chain(wrong.times(100 - correct)).collect()
}

fn three() -> Project {
    let trials = [of("a", 80, 100), of("b", 70, 900), of("c", 60, 100)].concat();
    project(&[("a", "A"), ("b", "B"), ("c", "C")], &trials)
}

#[test]
fn one_evaluation_can_be_in_two_cliques() {
    let found: Value = three().document(&["cluster", DATASET]);
    assert_eq!(found["schema"], "analyze.cluster/1");
    let facet = &found["facets"][0];
    let cliques: Vec<(&str, &Value)> = facet["evals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|eval| (eval["label"].as_str().unwrap(), &eval["cliques"]))
        .collect();
    assert_eq!(cliques, [("A", &json!(["A"])), ("B", &json!(["A", "B"])), ("C", &json!(["B"]))]);
    assert_eq!(facet["cliques"][0]["token_cliques"].as_array().unwrap().len(), 2, "100 and 900 tokens differ");
}

#[test]
fn token_intervals_are_over_answered_trials() {
    let tokens = |tokens: u32, index: u32, outcome: &'static str| Trial {
        tokens: Some(tokens),
        index: Some(index),
        outcome,
        ..Trial::default()
    };
    let trials = [
        tokens(10, 0, "correct"),
        tokens(20, 1, "incorrect"),
        tokens(5000, 2, "truncated"),
        Trial { params: "{}", ..tokens(60, 0, "correct") },
        Trial { tokens: None, ..tokens(0, 3, "correct") },
    ];
    let found: Value = project(&[("a", "A")], &trials).document(&["cluster", DATASET]);
    let eval = &found["facets"][0]["evals"][0];
    assert_eq!(eval["accuracy"]["mean_tokens"], json!(30.0));
    // 10, 20 and 60: sd² = 700, SE = √(700/3).
    let margin = eval["tokens_upper"].as_f64().unwrap() - 30.0;
    assert!((margin - 1.959_963_984_540_054 * (700.0_f64 / 3.0).sqrt()).abs() < 1e-9, "{eval}");
}

#[test]
fn who_has_no_interval_is_in_no_clique() {
    let trials = [Trial::default(), Trial { template: "b", outcome: "truncated", ..Trial::default() }];
    let found: Value = project(&[("a", "A"), ("b", "B")], &trials).document(&["cluster", DATASET]);
    let evals = &found["facets"][0]["evals"];
    assert_eq!((&evals[1]["label"], &evals[1]["cliques"]), (&json!("B"), &json!([])));
}

#[test]
fn spokes() {
    let project = three();
    let one: Value = project.document(&["spiderweb", DATASET, "--where", "template=a"]);
    assert_eq!(one["evals"][0]["spokes"][0]["correct"], json!(80));
    let run = project.analyze(&["spiderweb", DATASET, "--format", "csv"]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 4), "{run}");
}

#[test]
fn surfaces_by_hand_and_by_view() {
    let trials = [
        Trial { params: "{\"n\":10,\"d\":\"x\"}", ..Trial::default() },
        Trial { params: "{\"n\":9,\"d\":\"x\"}", outcome: "truncated", ..Trial::default() },
        Trial { params: "{\"n\":9}", ..Trial::default() },
    ];
    let project = project(&[("a", "A")], &trials);
    let found: Value = project.document(&["surface", DATASET, "--x", "params.n", "--y", "params.d"]);
    let surface = &found["surfaces"][0];
    assert_eq!((&surface["x_values"], &surface["y_values"]), (&json!([9, 10]), &json!(["x"])));
    assert_eq!(surface["evals"][0]["cells"].as_array().unwrap().len(), 2, "a point without `d` is not on the surface");
    let run = project.analyze(&["surface", DATASET, "--x", "params.n"]);
    assert!(run.stdout.contains("n2") && run.stdout.contains("t50"), "{run}");
    let run = project.analyze(&["surface", DATASET]);
    assert!(run.code == Some(2) && run.stderr.contains("hint: name the parameters: --x params.X"), "{run}");
    let run = project.analyze(&["surface", DATASET, "--x", "params.m"]);
    assert!(run.code == Some(2) && run.stderr.contains("nothing here has `params.m`"), "{run}");
    // The fixtures have a config with views.
    let fixtures = Project::shared();
    let run = fixtures.analyze(&["surface", "data/r12.json", "--view", "lenght-x-depth"]);
    assert!(run.code == Some(2) && run.stderr.contains("did you mean"), "{run}");
    let all: Value = fixtures.document(&["surface", "data/r12.json", "--where", "base_task=arithmetic"]);
    let kinds: Vec<bool> = all["surfaces"].as_array().unwrap().iter().map(|view| view["y"].is_null()).collect();
    assert!(kinds.contains(&true) && kinds.contains(&false), "a projection and a surface: {kinds:?}");
}

#[test]
fn clusters_within_a_view() {
    let fixtures = Project::shared();
    let cluster =
        |arguments: &[&str]| -> Value { fixtures.document(&[&["cluster", "data/r12.json"], arguments].concat()) };
    let view = cluster(&["--view", "length-x-depth"]);
    let names: Vec<&str> = view["facets"].as_array().unwrap().iter().map(|it| it["facet"].as_str().unwrap()).collect();
    assert_eq!(view["facet_by"], "view");
    assert!(names.len() > 1 && names[0].starts_with("Arithmetic: "), "each task that has such a view: {names:?}");
    let by_hand = cluster(&["--where", "base_task=arithmetic", "--where", "params.max_value=9"]);
    assert_eq!(view["facets"][0]["evals"], by_hand["facets"][0]["evals"]);
    assert_eq!(view["facets"][0]["cliques"], by_hand["facets"][0]["cliques"]);
    let run = fixtures.analyze(&["cluster", "data/r12.json", "--view", "lenght-x-depth"]);
    assert!(run.code == Some(2) && run.stderr.contains("did you mean `length-x-depth`"), "{run}");
    let run = three().analyze(&["cluster", DATASET, "--view", "n"]);
    assert!(run.code == Some(2) && run.stderr.contains("the dataset names no config, and so no views"), "{run}");
}
