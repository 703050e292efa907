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
fn who_tells_no_tokens_is_listed_apart() {
    let of = |template: &'static str, tokens: Option<u32>| Trial { template, tokens, ..Trial::default() }.times(4);
    let trials: Vec<Trial<'_>> = of("a", Some(10)).chain(of("b", None)).collect();
    let project = project(&[("a", "A"), ("b", "B")], &trials);
    let found: Value = project.document(&["cluster", DATASET]);
    let (facet, clique) = (&found["facets"][0], &found["facets"][0]["cliques"][0]);
    assert_eq!(clique["token_cliques"], json!([[facet["evals"][0]["eval_id"]]]));
    assert_eq!(clique["without_tokens"], json!([facet["evals"][1]["eval_id"]]));
    let run = project.analyze(&["cluster", DATASET]);
    assert!(run.stdout.contains("no tokens told: "), "{run}");
}

#[test]
fn csv_of_clusters_has_every_number_of_the_tables() {
    let run = three().analyze(&["cluster", DATASET, "--format", "csv"]);
    let rows: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str, row: usize| {
        let at = rows[0].iter().position(|column| *column == name).unwrap_or_else(|| panic!("no {name}: {run}"));
        rows[row][at]
    };
    assert_eq!(rows.len(), 4, "{run}");
    assert_eq!((column("label", 2), column("accuracy", 2), column("answered", 2)), ("B", "0.7", "100"));
    let number = |name: &str| column(name, 2).parse::<f64>().unwrap();
    assert!(number("lower") < number("center") && number("center") < number("upper"), "{run}");
    assert!((number("upper") - number("center") - number("margin")).abs() < 1e-12, "{run}");
    assert_eq!((number("mean_tokens"), number("truncated_ratio")), (900.6, 0.0));
    assert!((number("tokens_upper") - number("mean_tokens") - number("tokens_margin")).abs() < 1e-9, "{run}");
    assert_eq!((column("cliques", 2), column("token_cliques", 2)), ("A B", "A2 B2"));
}

#[test]
fn cliques_run_over_lines_rather_than_being_cut() {
    let labels: Vec<String> = (0..14).map(|number| format!("model {number}")).collect();
    let trials: Vec<Trial<'_>> =
        labels.iter().flat_map(|template| Trial { template, ..Trial::default() }.times(3)).collect();
    let names: Vec<(&str, &str)> = labels.iter().map(|label| (label.as_str(), label.as_str())).collect();
    let project = project(&names, &trials);
    let found: Value = project.document(&["cluster", DATASET]);
    let run = project.on_terminal(80, "cluster", DATASET, &["--facet-by", "base_task"]);
    let cliques = run.stdout.split("Cliques;").nth(1).unwrap();
    for eval in found["facets"][0]["evals"].as_array().unwrap() {
        let id = eval["eval_id"].as_str().unwrap();
        assert_eq!(cliques.matches(id).count(), 2, "once among all and once by tokens: {run}");
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{run}");
    assert!(!cliques.contains('…') && !run.stderr.contains("by tokens"), "{run}");
}

#[test]
fn cells_are_called_what_they_are() {
    let project = project(&[("a", "A")], &Trial::default().times(200).collect::<Vec<_>>());
    for (command, more) in
        [("scores", &[][..]), ("cluster", &[]), ("spiderweb", &[]), ("surface", &["--x", "params.n"])]
    {
        let run = project.on_terminal(80, command, DATASET, more);
        assert!(run.stdout.contains("as Wilson centre ±margin") && run.stdout.contains(".99 ±.01"), "{run}");
        let heading = run.stdout.lines().find(|line| line.contains("Wilson")).unwrap();
        assert!(heading.chars().count() <= 80, "{run}");
    }
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
    // All views are asked for at once: each is what its condition alone gives.
    let by_hand = ["--x", "params.length", "--y", "params.max_depth", "--where", "params.max_value=9"];
    let by_hand = [&["surface", "data/r12.json", "--where", "base_task=arithmetic"][..], &by_hand].concat();
    let by_hand: Value = fixtures.document(&by_hand);
    let view = all["surfaces"].as_array().unwrap().iter().find(|view| view["view"] == "length-x-depth").unwrap();
    assert_eq!(view["evals"], by_hand["surfaces"][0]["evals"]);
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
