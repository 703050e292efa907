//! Names and values with every character that SQL, JSON paths or tables could trip over.

use serde_json::{Value, json};

use crate::evals::Evals;
use crate::project::{Project, entry, record};

const NASTY: [&str; 14] = [
    "'; DROP TABLE points; --",
    "it's",
    "''",
    "\"quoted\"",
    "back\\slash",
    "\\",
    "a.b",
    "$[0]",
    "*",
    "%_",
    "new\nline\ttab",
    "größe 大 🦀",
    "a b=c<d>e|f,g",
    "",
];

/// A project whose points have each nasty text once as a value, once as a parameter's name (where it can be one).
fn project() -> Project {
    let of_value = |text: &&str| record("value", &json!({ "text": text }).to_string(), "");
    let of_name = |text: &&str| record("name", &json!({ (*text): 1 }).to_string(), "");
    let lines: Vec<String> = NASTY.iter().map(of_value).chain(NASTY.iter().map(of_name)).collect();
    Project::with_records(&lines.concat())
}

#[test]
fn values_are_values() {
    let project = project();
    for text in NASTY {
        for filters in [json!({ "params.text": text }), json!({ "params.text": [text] })] {
            let found: Evals = project.document(&["evals", "data/d.json", "--filters", &filters.to_string()]);
            assert_eq!(found.points(), 1, "{filters}");
        }
    }
    let all: Evals =
        project.document(&["evals", "data/d.json", "--filters", &json!({ "params.text": NASTY }).to_string()]);
    assert_eq!(all.points(), NASTY.len() as u64);
}

#[test]
fn names_are_names() {
    let project = project();
    for text in NASTY.into_iter().filter(|text| !text.is_empty()) {
        for filters in [json!({ format!("params.{text}"): 1 }), json!({ format!("params.{text}"): {">=": 1} })] {
            let found: Evals = project.document(&["evals", "data/d.json", "--filters", &filters.to_string()]);
            assert_eq!(found.points(), 1, "{filters}");
        }
    }
}

#[test]
fn nothing_that_is_typed_is_run() {
    let project = project();
    let nasty = "x' OR TRUE; DROP TABLE points; --";
    for key in ["eval_id", "base_task", "model", "template", "sampler", "tags", "groups", "params.text", nasty] {
        let run = project.analyze(&["evals", "data/d.json", "--filters", &json!({ key: nasty }).to_string()]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run}");
    }
    for condition in [format!("model={nasty}"), format!("params.{nasty}=1"), format!("params.text!={nasty}")] {
        let run = project.analyze(&["evals", "data/d.json", "--where", &condition]);
        assert!(run.code == Some(2) || condition.contains("!="), "{run}");
    }
    let found: Evals = project.document(&["evals", "data/d.json"]);
    assert_eq!(found.points(), 2 * NASTY.len() as u64);
}

#[test]
fn every_format_keeps_the_texts() {
    let label = "L|a\\\\b \\\"q\\\", ü 大";
    let project = Project::empty();
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    let more = r#", "groups": ["a:x'y", "no colon"], "tags": ["one, two"]"#;
    project.write("data/set/M/evals.json", format!("[{}]", entry(label, more)));
    project.write("data/set/M/run/a.ndjson", record("b", "{}", ""));
    project.evaluate("data/d.json");
    let document: Value = project.document(&["evals", "data/d.json"]);
    assert_eq!(document["evals"][0]["label"], "L|a\\b \"q\", ü 大");
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json"]), @r#"
    exit code 0
    ----- stdout
    eval_id  label            model  template  sampler  groups          tags      points  samples  truncated  mean tokens
    34c4dc   L|a\b "q", ü 大  m      t         s        a:x'y no colon  one, two       1        1      0.0 %
    "#);
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json", "--format", "csv"]), @r#"
    exit code 0
    ----- stdout
    eval_id,label,model,template,sampler,groups,tags,points,samples,truncated,mean tokens
    34c4dc,"L|a\b ""q"", ü 大",m,t,s,a:x'y no colon,"one, two",1,1,0,
    "#);
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json", "--format", "markdown"]), @r#"
    exit code 0
    ----- stdout
    | eval_id | label | model | template | sampler | groups | tags | points | samples | truncated | mean tokens |
    | --- | --- | --- | --- | --- | --- | --- | ---: | ---: | ---: | --- |
    | 34c4dc | L\|a\\b "q", ü 大 | m | t | s | a:x'y no colon | one, two | 1 | 1 | 0.0 % |  |
    "#);
}
