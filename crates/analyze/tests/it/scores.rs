//! `analyze scores`: who is ahead, ties, what is missing, and what cannot be said.

use serde_json::{Value, json};

use crate::project::Project;
use crate::trials::{Trial, project};

const DATASET: &str = "data/d.json";

/// The document of a run that ends well, whatever it notes.
#[track_caller]
fn document(project: &Project, arguments: &[&str]) -> Value {
    let run = project.analyze(&[&["scores", DATASET, "--format", "json"], arguments].concat());
    assert_eq!(run.code, Some(0), "{run}");
    run.document()
}

/// What is said of the only evaluation with these trials.
#[track_caller]
fn only(trials: &[Trial<'_>]) -> Value {
    let mut found = document(&project(&[("a", "A")], trials), &[]);
    assert_eq!(found["schema"], "analyze.scores/1");
    assert_eq!(found["evals"].as_array().unwrap().len(), 1);
    found["evals"][0].take()
}

#[track_caller]
fn check_score(trials: &[Trial<'_>], score: Value) -> Value {
    let eval = only(trials);
    match (eval["score"].as_f64(), score.as_f64()) {
        (Some(found), Some(score)) => assert!((found - score).abs() < 1e-6, "{eval}"),
        _ => assert_eq!(eval["score"], score, "{eval}"),
    }
    eval
}

#[test]
fn one_trial() {
    let eval = check_score(&[Trial::default()], json!(1000.0));
    assert_eq!((&eval["tier"], &eval["samples"]), (&json!(1), &json!(1)));
    assert!(eval["lower"].as_f64().unwrap() < 300.0, "one trial says little: {eval}");
    assert_eq!(eval["cells"][0]["group"], "sort");
    let lower = eval["cells"][0]["lower"].as_f64().unwrap();
    assert!((lower - 0.206_549_314_4).abs() < 1e-9, "Wilson of 1 in 1: {lower}");
}

#[test]
fn all_correct() {
    let trials: Vec<Trial<'_>> = Trial::default().times(40).collect();
    let eval = check_score(&trials, json!(1000.0));
    assert!(eval["lower"].as_f64().unwrap() > 900.0 && eval["upper"].as_f64().unwrap() <= 1000.0, "{eval}");
}

#[test]
fn all_truncated() {
    let trials: Vec<Trial<'_>> = Trial { outcome: "truncated", ..Trial::default() }.times(8).collect();
    let eval = check_score(&trials, json!(10.0));
    assert_eq!(
        (&eval["truncated_ratio"], &eval["mean_tokens"], &eval["score_per_token"]),
        (&json!(1.0), &Value::Null, &Value::Null)
    );
    assert_eq!(eval["cells"][0]["center"], Value::Null, "nothing was answered");
    let run = project(&[("a", "A")], &trials).analyze(&["scores", DATASET]);
    assert!(run.stdout.contains("– t100"), "{run}");
}

#[test]
fn sure_guesses_say_nothing() {
    let trials: Vec<Trial<'_>> = Trial { guess_chance: 1.0, ..Trial::default() }.times(4).collect();
    let eval = check_score(&trials, Value::Null);
    assert_eq!(
        (&eval["tier"], &eval["lower"], &eval["cells"][0]["accuracy"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn a_task_without_trials_is_named() {
    let guess = Trial { base_task: "coin", guess_chance: 1.0, ..Trial::default() };
    let trials: Vec<Trial<'_>> = guess.times(4).chain(Trial::default().times(4)).collect();
    let eval = check_score(&trials, Value::Null);
    assert_eq!(eval["tasks_without_trials"], json!(["coin"]));
    let project = project(&[("a", "A")], &trials);
    let run = project.analyze(&["scores", DATASET]);
    let why = "no score: of its trials of coin none is left once expected guesses are taken off";
    assert!(run.stderr.contains(&format!("note: acd362 has {why}")) && run.stdout.contains(why), "{run}");
    let m12x = document(&project, &["--formula", "m12x"]);
    assert_eq!(m12x["evals"][0]["tasks_without_trials"], json!(["coin"]));
}

#[test]
fn a_wide_interval_is_in_the_tier_of_the_leader_that_it_overlaps() {
    let of = |template: &'static str, correct: u32, n: u32| {
        let right = Trial { template, ..Trial::default() };
        let wrong = Trial { template, outcome: "incorrect", index: Some(correct), ..right };
        right.times(correct).chain(wrong.times(n - correct)).collect::<Vec<_>>()
    };
    let trials = [of("a", 48, 60), of("b", 30, 60), of("c", 0, 1)].concat();
    let found = document(&project(&[("a", "A"), ("b", "B"), ("c", "C")], &trials), &[]);
    let tiers: Vec<&Value> = found["evals"].as_array().unwrap().iter().map(|eval| &eval["tier"]).collect();
    assert_eq!(tiers, [&json!(1), &json!(2), &json!(1)], "{found}");
}

#[test]
fn csv_has_what_intervals_are_made_of() {
    let trials: Vec<Trial<'_>> = Trial { guess_chance: 0.25, ..Trial::default() }.times(8).collect();
    let csv = project(&[("a", "A")], &trials).analyze(&["scores", DATASET, "--format", "csv"]).stdout;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[1][rows[0].iter().position(|column| *column == name).expect(name)];
    let expected = [
        ("guess_sum", "2"),
        ("design_effect", "1"),
        ("p_success_design_effect", "1"),
        ("eval_mean_tokens", "100"),
        ("eval_truncated_ratio", "0"),
        ("eval_samples", "8"),
    ];
    for (name, value) in expected {
        assert_eq!(column(name), value, "{name}");
    }
    assert!((column("score_per_token").parse::<f64>().unwrap() - 10.0).abs() < 1e-9);
}

#[test]
fn below_chance_is_the_floor() {
    let trials: Vec<Trial<'_>> =
        Trial { guess_chance: 0.5, outcome: "incorrect", ..Trial::default() }.times(9).collect();
    let eval = check_score(&trials, json!(10.0));
    assert_eq!(eval["cells"][0]["accuracy"], json!(-1.0));
}

#[test]
fn ties_are_ties_and_the_next_tier_is_below() {
    let of = |template: &'static str, correct: u32| {
        let right = Trial { template, ..Trial::default() };
        let wrong = Trial { template, outcome: "incorrect", index: Some(correct), ..right };
        right.times(correct).chain(wrong.times(200 - correct)).collect::<Vec<_>>()
    };
    let trials = [of("a", 180), of("b", 176), of("c", 100)].concat();
    let project = project(&[("a", "A"), ("b", "B"), ("c", "C")], &trials);
    let found = document(&project, &[]);
    let tiers: Vec<(&str, i64)> = found["evals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|eval| (eval["label"].as_str().unwrap(), eval["tier"].as_i64().unwrap()))
        .collect();
    assert_eq!(tiers, [("A", 1), ("B", 1), ("C", 2)]);
    let m12x = document(&project, &["--formula", "m12x"]);
    assert_eq!((&m12x["formula"], &m12x["evals"][0]["tier"]), (&json!("m12x"), &Value::Null), "no interval, no tier");
    // Upper end of 180 in 200.
    assert!((m12x["evals"][0]["score"].as_f64().unwrap() - 934.25).abs() < 0.5, "{m12x}");
    let wide = document(&project, &["--confidence", "0.999999"]);
    assert!(wide["evals"][0]["lower"].as_f64().unwrap() < found["evals"][0]["lower"].as_f64().unwrap());
    let run = project.analyze(&["scores", DATASET, "--confidence", "95"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("above 0 and below 1"), "{run}");
}

#[test]
fn missing_tasks_are_marked_and_named() {
    let trials = [
        Trial::default(),
        Trial { base_task: "dates", ..Trial::default() },
        Trial { template: "b", ..Trial::default() },
    ];
    let project = project(&[("a", "A"), ("b", "B")], &trials);
    let run = project.analyze(&["scores", DATASET]);
    assert!(run.stdout.contains("B *"), "{run}");
    assert!(run.stderr.contains("has no dates: its score is over the tasks it has"), "{run}");
    let found = document(&project, &[]);
    let b = found["evals"].as_array().unwrap().iter().find(|eval| eval["label"] == "B").unwrap();
    assert_eq!(b["missing_tasks"], json!(["dates"]));
    // A file leaves without the notes.
    let file = project.path("scores.txt");
    project.analyze(&["scores", DATASET, "--output", file.to_str().unwrap()]);
    let text = fs_err::read_to_string(file).unwrap();
    assert!(
        text.contains("Incomplete: * the score is over the tasks present") && text.contains("* has no dates"),
        "{text}"
    );
}

#[test]
fn repetitions_are_not_trials() {
    // Ten questions, each asked four times, answered always or never.
    let trials: Vec<Trial<'_>> = (0..4)
        .flat_map(|repeat| {
            let right = Trial { repeat, ..Trial::default() };
            let wrong = Trial { repeat, outcome: "incorrect", index: Some(5), ..right };
            right.times(5).chain(wrong.times(5))
        })
        .collect();
    let eval = only(&trials);
    let cell = &eval["cells"][0];
    assert!((cell["design_effect"].as_f64().unwrap() - 4.0).abs() < 1e-9, "{cell}");
    // As wide as Wilson's of 5 in 10.
    assert!((cell["lower"].as_f64().unwrap() - 0.236_593_090_5).abs() < 1e-9, "{cell}");
}

#[test]
fn groups_other_than_tasks() {
    let trials = [
        Trial { params: "{\"n\":10}", ..Trial::default() },
        Trial { params: "{\"n\":9}", outcome: "incorrect", ..Trial::default() },
        Trial { params: "{}", ..Trial::default() },
    ];
    let project = project(&[("a", "A")], &trials);
    assert_eq!(document(&project, &["--group-by", "params.n"])["groups"], json!([9, 10, null]));
    assert_eq!(document(&project, &["--group-by", "none"])["groups"], json!(["all"]));
    let run = project.analyze(&["scores", DATASET, "--group-by", "params.m"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("nothing here has `params.m`"), "{run}");
    let run = project.analyze(&["scores", DATASET, "--group-by", "base_tsk"]);
    assert!(run.code == Some(2) && run.stderr.contains("did you mean `base_task`?"), "{run}");
    let run = project.analyze(&["scores", DATASET, "--where", "basetask=sort"]);
    assert!(run.code == Some(2) && run.stderr.contains("did you mean `base_task`?"), "{run}");
}

#[test]
fn nothing_matches() {
    let project = project(&[("a", "A")], &[Trial::default()]);
    let arguments = ["--where", "params.n>=7"];
    assert_eq!(document(&project, &arguments)["evals"], json!([]));
    for command in ["scores", "cluster", "spiderweb", "compression", "hazard", "fft"] {
        for format in ["table", "json", "csv", "markdown"] {
            let run = project.analyze(&[&[command, DATASET, "--format", format][..], &arguments].concat());
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), "note: no point matches\n"), "{command} {run}");
        }
    }
    let run = project.analyze(&["surface", DATASET, "--x", "params.n", "--where", "params.n>=7"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), "note: no point matches\n"), "{run}");
}

#[test]
fn for_people() {
    let right = Trial::default();
    let trials: Vec<Trial<'_>> = right
        .times(18)
        .chain(Trial { outcome: "truncated", index: Some(18), ..right }.times(2))
        .chain(Trial { base_task: "dates", outcome: "incorrect", tokens: Some(50), ..right }.times(20))
        .collect();
    let project = project(&[("a", "Alpha")], &trials);
    insta::assert_snapshot!(project.on_terminal(80, "scores", DATASET, &[]), @"
    exit code 0
    ----- stdout
    ReasonScore, 95 % intervals (2000 draws, seed 12). Ranks inside a tier are no order
    tier  eval_id  evaluation  ReasonScore  truncated  tokens  per token  samples
       1  acd362   Alpha       95 (86–323)      5.0 %      74      1.287       40

    Accuracy less guesses, as Wilson centre ±margin; t: % truncated, above 2 %
    group  acd362
    dates  .08 ±.08
    sort   .91 ±.09 t10
    ");
    let csv = project.analyze(&["scores", DATASET, "--format", "csv"]).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(
        lines[0].starts_with("tier,score,score_lower,score_upper,missing_tasks,eval_id,label,group,points,answered,")
    );
    assert!(lines[2].contains(",acd362,Alpha,sort,1,18,18,0,2,0.1,1,"), "{csv}");
}
