//! On the fixtures, whose model says what became of every sample.

use std::collections::BTreeMap;

use rs_fixtures::FixtureModel;
use rs_testkit::fixtures;
use serde_json::Value;

use crate::project::Project;

/// What tells a sample: label, task, coordinates, seed, index, repetition, tokens and bytes; how often it is there.
type Samples = BTreeMap<String, u64>;

const STATUSES: [&str; 4] = ["correct", "incorrect", "truncated", "invalid"];

fn project() -> (FixtureModel, Project) {
    let model = fixtures();
    let project = Project::empty();
    model.write(&project.path("")).unwrap();
    project.evaluate(&["--dataset", "data/r12.json", "-q"]);
    (model, project)
}

/// The samples of a status that `probe show` finds and reads, each checked against its raw record.
#[track_caller]
fn found(project: &Project, status: &str) -> Samples {
    let arguments = ["show", "data/r12.json", "--status", status, "--limit", "1000000"];
    let mut samples = Samples::new();
    for sample in project.document(&arguments)["samples"].as_array().unwrap() {
        assert_eq!(sample["problem"], Value::Null);
        assert_eq!(sample["status"], status);
        let key = ["label", "base_task", "params", "seed", "index", "repeat", "completion_tokens", "trace_bytes"];
        *samples.entry(key.map(|name| sample[name].to_string()).join(" ")).or_default() += 1;
    }
    samples
}

fn expected(model: &FixtureModel, status: &str) -> Samples {
    let mut samples = Samples::new();
    for evaluation in model.expected().evaluations() {
        for point in &evaluation.points {
            for sample in point.samples.iter().filter(|sample| STATUSES[usize::from(sample.answer_status)] == status) {
                let text = |number: Option<u64>| number.map_or("null".to_owned(), |number| number.to_string());
                let key = format!(
                    "{} {} {} {} {} {} {} {}",
                    Value::from(evaluation.label.as_str()),
                    Value::from(point.base_task.as_str()),
                    serde_json::from_str::<Value>(&point.params).unwrap(),
                    text(sample.seed),
                    text(sample.index),
                    sample.repeat,
                    text(sample.completion_tokens),
                    sample.response_bytes
                );
                *samples.entry(key).or_default() += 1;
            }
        }
    }
    samples
}

#[test]
fn every_sample_of_every_status_is_found_in_files_and_in_blobs() {
    let (model, project) = project();
    for status in STATUSES {
        assert!(found(&project, status) == expected(&model, status), "{status}");
    }
    let before = project.document(&["show", "data/r12.json", "--sort", "tokens", "--limit", "300"]);
    project.pack_away();
    assert_eq!(project.document(&["show", "data/r12.json", "--sort", "tokens", "--limit", "300"]), before);
    assert!(found(&project, "invalid") == expected(&model, "invalid"));
}
