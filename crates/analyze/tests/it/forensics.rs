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
    // lifelines: `KaplanMeierFitter` of times 1, 2, 2, 3 (censored), 3.
    assert!((column("survival_lower")[0] - 0.203_809_263_3).abs() < 1e-9, "{curve}");
    assert!((column("survival_upper")[0] - 0.969_179_788_8).abs() < 1e-9, "{curve}");
    assert_eq!(curve["bins"][0]["incidence_incorrect_lower"], Value::Null, "nobody was wrong so far");
    assert_eq!(curve["bin_tokens"], 256);
}

#[test]
fn curves_have_their_intervals_in_tables_and_pictures_too() {
    let trials: Vec<Trial<'_>> = (0..40)
        .map(|index| Trial {
            index: Some(index),
            tokens: Some(100 + 40 * index),
            outcome: if index % 3 == 0 { "incorrect" } else { "correct" },
            ..Trial::default()
        })
        .collect();
    let project = project(&[("a", "Alpha")], &trials);
    insta::assert_snapshot!(project.on_terminal(80, "hazard", DATASET, &[]), @"
    exit code 0
    ----- stdout
    How they ended, and within how many tokens half have answered
    eval_id       samples   right   wrong  truncated  half within
    acd362 Alpha       40  65.0 %  35.0 %      0.0 %        1,024

    Right, wrong and still open by then, with 95 % intervals
    eval_id  within  right             wrong                         open
    acd362      256  0.05 (0.01–0.15)  0.05 (0.01–0.15)  0.90 (0.76–0.96)
    acd362      512  0.17 (0.08–0.31)  0.10 (0.03–0.21)  0.73 (0.56–0.84)
    acd362    1,024  0.40 (0.25–0.55)  0.20 (0.09–0.33)  0.40 (0.25–0.55)
    acd362    1,792  0.65 (0.48–0.78)  0.35 (0.21–0.50)              0.00

    Hazards: of those at risk, answered in the 256 tokens before; 95 % intervals
    eval_id  within  at risk  right                wrong
    acd362      256       40  0.050 (0.014–0.165)  0.050 (0.014–0.165)
    acd362      512       36  0.139 (0.061–0.287)  0.056 (0.015–0.181)
    acd362    1,024       23  0.217 (0.097–0.419)  0.087 (0.024–0.268)
    acd362    1,792        4  0.500 (0.150–0.850)  0.500 (0.150–0.850)
    ");
    let csv = project.analyze(&["hazard", DATASET, "--format", "csv"]).stdout;
    let header = csv.lines().next().unwrap();
    assert!(header.starts_with("eval_id,label,from_tokens,"), "{header}");
    for name in ["survival", "incidence_correct", "incidence_incorrect"] {
        assert!(header.contains(&format!(",{name},{name}_lower,{name}_upper")), "{header}");
    }
    assert!(csv.lines().nth(1).unwrap().starts_with("acd362,Alpha,0,256,40,"), "{csv}");
    // A band is a closed shape: five panels with one each.
    let svg = project.analyze(&["hazard", DATASET, "--format", "svg"]).stdout;
    assert!(svg.matches("fill-opacity").count() >= 5, "{}", svg.matches("fill-opacity").count());
}

#[test]
fn an_empty_table_promises_nothing() {
    let project = project(&[("a", "A")], &[Trial { tokens: None, ..Trial::default() }]);
    let run = project.analyze(&["hazard", DATASET]);
    assert!(run.stdout.contains("answered in the tokens before") && !run.stdout.contains("the 0 tokens"), "{run}");
}

#[test]
fn series_can_be_joined_by_their_ids() {
    let project = project(&[("a", "Alpha")], &[Trial::default()]);
    let csv = project.analyze(&["compression", DATASET, "--format", "csv"]).stdout;
    assert!(csv.starts_with("eval_id,label,outcome,traces,mean_tokens,"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().starts_with("acd362,Alpha,correct,1,100,3,"), "{csv}");
    let fixtures = Project::shared().analyze(&["fft", "data/r12.json", "--format", "csv"]).stdout;
    assert!(fixtures.starts_with("eval_id,label,frequency,mean,deviation,points\n"), "{fixtures}");
    let by_task = project.analyze(&["hazard", DATASET, "--series", "base_task", "--format", "csv"]).stdout;
    assert!(by_task.starts_with("base_task,from_tokens,"), "{by_task}");
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
