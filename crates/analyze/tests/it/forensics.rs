//! `analyze compression`, `hazard` and `fft`, and databases without forensics.

use serde_json::{Value, json};

use crate::project::Project;
use crate::trials::{Trial, project, project_with};

const DATASET: &str = "data/d.json";

#[test]
fn hazard_of_a_few() {
    let at = |index: u32, tokens: u32, outcome: &'static str| Trial {
        index: Some(index),
        tokens: Some(tokens),
        outcome,
        ..Trial::default()
    };
    let trials = [
        at(0, 10, "correct"),
        at(1, 300, "incorrect"),
        at(2, 300, "invalid"),
        at(3, 600, "truncated"),
        at(4, 700, "correct"),
    ];
    let found: Value = project(&[("a", "A")], &trials).document(&["hazard", DATASET]);
    assert_eq!(found["schema"], "analyze.hazard/1");
    let curve = &found["curves"][0];
    assert_eq!((&curve["n"], &curve["median_tokens"]), (&json!(5), &json!(512)));
    let column = |name: &str| -> Vec<f64> {
        curve["bins"].as_array().unwrap().iter().map(|bin| bin[name].as_f64().unwrap()).collect()
    };
    assert_eq!(column("at_risk"), [5.0, 4.0, 2.0]);
    for (name, expected) in [
        ("survival", [0.8, 0.4, 0.2]),
        ("incidence_correct", [0.2, 0.2, 0.4]),
        ("incidence_incorrect", [0.0, 0.4, 0.4]),
    ] {
        for (found, expected) in column(name).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{name}: {curve}");
        }
    }
}

#[test]
fn parts_of_the_points() {
    let trials = [Trial::default(), Trial { base_task: "dates", ..Trial::default() }];
    let project = project(&[("a", "A")], &trials);
    let found: Value = project.document(&["hazard", DATASET, "--split", "base_task", "--series", "params.n"]);
    let curves = found["curves"].as_array().unwrap();
    assert_eq!((&curves[0]["split"], &curves[0]["series"]), (&json!("dates"), &json!(1)));
    assert_eq!(curves[1]["split"], "sort");
    let run = project.analyze(&["hazard", DATASET, "--split", "eval_id"]);
    assert!(run.code == Some(2) && run.stderr.contains("--split and --series are both eval_id"), "{run}");
}

#[test]
fn sizes_of_traces() {
    let trials = [Trial::default(), Trial { index: Some(1), outcome: "truncated", ..Trial::default() }];
    let found: Value = project(&[("a", "A")], &trials).document(&["compression", DATASET]);
    let outcomes: Vec<&Value> = found["rows"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, [&json!("correct"), &json!("truncated")]);
    assert_eq!(found["rows"][0]["mean_bytes"], json!(3.0));
    assert_eq!(found["rows"][0]["ratio_lower"], Value::Null, "one trace has no deviation");
}

#[test]
fn a_database_without_forensics_says_what_to_run() {
    let project = project_with(&[("a", "A")], &[Trial { tokens: None, ..Trial::default() }], &["--no-forensics"]);
    for (command, why) in
        [("compression", "run it without"), ("fft", "--tokenizers DIR"), ("hazard", "tells its completion tokens")]
    {
        let run = project.analyze(&[command, DATASET]);
        assert!(run.code == Some(0) && run.stderr.contains(why), "{run}");
    }
    for command in ["scores", "cluster", "spiderweb"] {
        let run = project.analyze(&[command, DATASET]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
    }
}

#[test]
fn spectra_of_the_fixtures() {
    // GPT-OSS has a tokenizer that is built in.
    let found: Value = Project::shared().document(&["fft", "data/r12.json"]);
    assert_eq!(found["frequencies"].as_array().unwrap().len(), 128);
    let spectrum = &found["spectra"][0];
    assert!(spectrum["label"].as_str().unwrap().contains("GPT-OSS"), "{}", spectrum["label"]);
    assert!(spectrum["mean"][5].as_f64().unwrap() > 0.0 && spectrum["deviation"][5].as_f64().unwrap() >= 0.0);
}
