//! `analyze compare`: pairs of questions, and why there may be none.

use serde_json::{Value, json};

use crate::project::Project;
use crate::trials::{Trial, project};

const DATASET: &str = "data/d.json";
const LABELS: [(&str, &str); 2] = [("a", "Alpha"), ("b", "Beta")];

/// Question by question, who is right: of Alpha, then of Beta.
fn pairs(outcomes: &[(&'static str, &'static str, u32)]) -> Vec<Trial<'static>> {
    let mut trials = Vec::new();
    let mut index = 0;
    for (a, b, n) in outcomes {
        trials.extend(Trial { template: "a", outcome: a, index: Some(index), ..Trial::default() }.times(*n));
        trials.extend(Trial { template: "b", outcome: b, index: Some(index), ..Trial::default() }.times(*n));
        index += n;
    }
    trials
}

#[track_caller]
fn document(project: &Project, arguments: &[&str]) -> Value {
    let run = project.analyze(&[&["compare", DATASET, "Alpha", "Beta", "--format", "json"], arguments].concat());
    assert_eq!(run.code, Some(0), "{run}");
    run.document()
}

#[track_caller]
fn check_error(trials: &[Trial<'_>], names: &[&str], message: &str) {
    let run = project(&LABELS, trials).analyze(&[&["compare", DATASET], names].concat());
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains(message), "{run}");
}

#[test]
fn questions_asked_once() {
    let mut trials = pairs(&[
        ("correct", "correct", 30),
        ("correct", "incorrect", 5),
        ("truncated", "correct", 15),
        ("incorrect", "invalid", 50),
    ]);
    trials.extend(Trial { index: Some(500), ..Trial::default() }.times(3));
    let found = document(&project(&LABELS, &trials), &[]);
    assert_eq!(found["schema"], "analyze.compare/1");
    let all = &found["comparisons"][0]["overall"];
    assert_eq!((&all["shared"], &all["only_first"], &all["only_second"]), (&json!(100), &json!(3), &json!(0)));
    assert!((all["p"].as_f64().unwrap() - 0.041_389_465_3).abs() < 1e-9, "McNemar of 5 and 15: {all}");
    assert!((all["difference"].as_f64().unwrap() + 0.1).abs() < 1e-12, "a truncation is a failure: {all}");
    assert_eq!((&all["first_alone_right"], &all["second_alone_right"]), (&json!(5.0), &json!(15.0)));
    assert_eq!(found["comparisons"][0]["groups"][0]["group"], "sort");
}

#[test]
fn repetitions_are_averaged() {
    let trials: Vec<Trial<'_>> = [("a", 0, "correct"), ("a", 1, "incorrect"), ("b", 0, "correct"), ("b", 1, "correct")]
        .into_iter()
        .flat_map(|(template, repeat, outcome)| Trial { template, repeat, outcome, ..Trial::default() }.times(6))
        .collect();
    let found = document(&project(&LABELS, &trials), &[]);
    let all = &found["comparisons"][0]["overall"];
    assert_eq!((&all["shared"], &all["first"], &all["difference"]), (&json!(6), &json!(0.5), &json!(-0.5)));
    assert_eq!(all["is_repeated"], json!(true));
    // All differences are the same: no deviation, but the least that two repetitions leave, √2/2/(6 + 2), and t of 5.
    let lower = all["lower"].as_f64().unwrap();
    assert!((lower - (-0.5 - 2.570_581_836 * 2.0_f64.sqrt() / 16.0)).abs() < 1e-8, "{all}");
    assert!(all["p"].as_f64().unwrap() < 0.01, "{all}");
}

#[test]
fn a_difference_above_1_is_not_detectable() {
    let found = document(&project(&LABELS, &pairs(&[("correct", "incorrect", 1)])), &[]);
    assert_eq!(found["comparisons"][0]["overall"]["least_detectable"], Value::Null);
}

#[test]
fn csv_tells_labels_and_discordant_pairs() {
    let project = project(&LABELS, &pairs(&[("correct", "incorrect", 12), ("correct", "correct", 8)]));
    let run = project.analyze(&["compare", DATASET, "Alpha", "Beta", "--format", "csv"]);
    let header = run.stdout.lines().next().unwrap();
    assert!(header.ends_with(",first_label,second_label,first_alone_right,second_alone_right,is_repeated"), "{run}");
    assert!(run.stdout.lines().nth(1).unwrap().ends_with(",Alpha,Beta,12,0,false"), "{run}");
}

#[test]
fn why_nothing_is_shared() {
    let a = Trial::default();
    let b = Trial { template: "b", ..a };
    let both = ["Alpha", "Beta"];
    check_error(&[a, Trial { base_task: "dates", ..b }], &both, "share no question: they have no task in common");
    check_error(&[a, Trial { params: "{}", ..b }], &both, "tasks in common, but none at the same params");
    check_error(&[a, Trial { index: Some(7), ..b }], &both, "points in common, but other seeds or indexes there");
    check_error(&[Trial { index: None, ..a }, Trial { index: None, ..b }], &both, "their samples carry no `index`");
    let of_sort = [&both[..], &["--where", "base_task=sort"]].concat();
    check_error(&[a, Trial { base_task: "dates", ..b }], &of_sort, "no point of ");
}

#[test]
fn names_that_do_not_do() {
    let trials = pairs(&[("correct", "correct", 1)]);
    check_error(&trials, &["Alpha", "Alfa"], "no evaluation `Alfa`\nhint: did you mean `Alpha`?");
    check_error(&trials, &["Alpha", "alpha"], "is named twice");
    check_error(&trials, &["Alpha"], "2 values required");
    check_error(&trials, &["a", "Beta"], "can be any of 2 evaluations");
    let run = project(&LABELS, &trials).analyze(&["compare", DATASET, "m+a+s", "BETA"]);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn for_people() {
    let mut trials = pairs(&[("correct", "incorrect", 12), ("correct", "correct", 8)]);
    trials.extend(trials.clone().into_iter().map(|trial| Trial { params: "{\"n\":2}", outcome: "correct", ..trial }));
    let project = project(&LABELS, &trials);
    insta::assert_snapshot!(project.on_terminal(80, "compare", DATASET, &["Alpha", "Beta", "--by", "params.n"]), @"
    exit code 0
    ----- stdout
    acd362 Alpha
    − 0f0c77 Beta, 95 % intervals
    Least difference seen with 80 % chance: 0.217 of all, 0.26 in a row (median)
    params.n       acd362  0f0c77  difference           p adj    shared  detectable
    all questions   1.000   0.700  +.30 (+.15 to +.45)  <.001 *      40        0.22
    1               1.000   0.400  +.60 (+.33 to +.78)  <.001 *      20        0.35
    2               1.000   1.000  .00 (-.16 to +.16)   1.000        20        0.18
    ----- stderr
    note: too narrow for `alone right`, `not shared`; a wider terminal or `--format json` shows all
    ");
}
