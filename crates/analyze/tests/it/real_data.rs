//! Every command on real data of five models.

use serde_json::Value;

use crate::project::{Project, copy_folder, real_data};

fn label(eval: &Value) -> &str {
    eval["label"].as_str().unwrap().split(' ').next().unwrap()
}

#[test]
fn the_answers_make_sense() {
    let Some(source) = real_data() else { return };
    let project = Project::empty();
    for folder in ["configs", "data"] {
        copy_folder(&source.join(folder), &project.path(folder));
    }
    project.evaluate("data/rg.json");
    let document = |arguments: &[&str]| -> Value {
        let run = project.analyze(&[arguments, &["--format", "json"]].concat());
        assert_eq!(run.code, Some(0), "{run}");
        run.document()
    };
    // A reasoning model leads, two that cannot be told apart follow, then the smaller ones.
    let scores = document(&["scores", "data/rg.json"]);
    let ranks: Vec<(&str, u64)> =
        scores["evals"].as_array().unwrap().iter().map(|eval| (label(eval), eval["tier"].as_u64().unwrap())).collect();
    let expected =
        [("DeepSeek-R1", 1), ("Claude-3.5-Sonnet", 2), ("QwQ-32B", 2), ("Llama-3.3-70B", 3), ("Gemma-3-27B", 4)];
    assert_eq!(ranks, expected);
    // Every cell is what an independent program counted.
    let expected: Vec<Value> = serde_json::from_slice(&fs_err::read(source.join("expected.json")).unwrap()).unwrap();
    for eval in scores["evals"].as_array().unwrap() {
        for cell in eval["cells"].as_array().unwrap() {
            let of_cell = || {
                let is_meant = |point: &&Value| point["model"] == label(eval) && point["base_task"] == cell["group"];
                expected.iter().filter(is_meant)
            };
            let sum = |key: &str| of_cell().map(|point| point[key].as_u64().unwrap()).sum::<u64>();
            for (ours, theirs) in [("correct", "correct"), ("answered", "total"), ("truncated", "truncated")] {
                assert_eq!(cell[ours].as_u64().unwrap(), sum(theirs), "{cell}");
            }
            let tokens = |point: &Value| {
                let n = point["total"].as_f64().unwrap();
                Some((point["completion_tokens_mean"].as_f64()? * n, n))
            };
            let (tokens, n) = of_cell().filter_map(tokens).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            if let Some(found) = cell["mean_tokens"].as_f64() {
                assert!((found - tokens / n).abs() < 1e-6, "{cell}");
            }
        }
    }
    let compared = document(&["compare", "data/rg.json", "DeepSeek", "QwQ", "Gemma"]);
    for comparison in compared["comparisons"].as_array().unwrap() {
        assert!(comparison["overall"]["lower"].as_f64().unwrap() > 0.1, "{}", comparison["overall"]);
        assert!(comparison["overall"]["shared"].as_u64().unwrap() >= 9_900, "{}", comparison["overall"]);
    }
    for arguments in [
        &["cluster", "data/rg.json", "--facet-by", "base_task"][..],
        &["spiderweb", "data/rg.json"],
        &["surface", "data/rg.json"],
        &["surface", "data/rg.json", "--x", "params.config", "--y", "params.length"],
        &["compression", "data/rg.json", "--split", "params.config"],
        &["hazard", "data/rg.json", "--split", "params.config"],
        &["fft", "data/rg.json"],
        &["modelinfo", "data/rg.json"],
    ] {
        for format in ["table", "markdown", "json", "csv"] {
            let run = project.analyze(&[arguments, &["--format", format]].concat());
            assert_eq!(run.code, Some(0), "{run}");
            assert!(!run.stdout.contains("NaN") && !run.stdout.contains("inf,"), "{arguments:?} {format}");
        }
    }
}
