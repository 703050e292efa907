//! Tokenizers: shared by the models that have the same, loaded where they are needed, and no longer there than that.

use crate::project::{DB, Project, Run, check_same, entry, points, record};

/// A project with a model for each tokenizer given, in a cohort of its own, with one raw file.
fn project(tokenizers: &[&str]) -> Project {
    let project = Project::empty();
    let cohorts: Vec<String> = (0..tokenizers.len()).map(|at| format!(r#"{{"path": "set/{at}"}}"#)).collect();
    let cohorts = cohorts.join(", ");
    project
        .write("data/d.json", format!(r#"{{"name": "d", "db": "d.db", "cache": ".cache", "cohorts": [{cohorts}]}}"#));
    for (at, tokenizer) in tokenizers.iter().enumerate() {
        let model = format!("m{at}");
        let entry = entry(&model, &format!("data/set/{at}/run/*"), &format!(r#", "hf_id": "them/{model}""#));
        project.write(&format!("data/set/{at}/evals.json"), format!("[{entry}]"));
        let line = |index| {
            record(index, &format!(r#","model":"{model}","prompt":"a b a b {}""#, "a a b ".repeat(index as usize)))
        };
        let lines: String = (0..5).map(|index| line(index) + "\n").collect();
        project.write(&format!("data/set/{at}/run/a.ndjson"), lines);
        project.write(&format!("data/tokenizers/them/{model}/tokenizer.json"), tokenizer);
    }
    project
}

/// A tokenizer of whole words, that gives `b` this id.
fn words(b: u32) -> String {
    format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{{"type":"Whitespace"}},"post_processor":null,"decoder":null,
        "model":{{"type":"WordLevel","vocab":{{"[UNK]":0,"a":1,"b":{b}}},"unk_token":"[UNK]"}}}}"#
    )
}

/// Runs `evaluate` without a database; returns how many tokenizers it loaded, and how many it kept after each batch.
#[track_caller]
fn loaded(project: &Project, arguments: &str) -> (usize, Vec<String>) {
    let _ = fs_err::remove_file(project.path(DB));
    let arguments = format!("--dataset data/d.json {arguments}");
    let output = project.command(arguments.split_whitespace()).env("RS_LOG", "evaluate=debug").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let kept = log.lines().filter_map(|line| line.split_once("kept tokenizers="));
    (log.matches("load tokenizer").count(), kept.map(|(_, count)| count.to_owned()).collect())
}

fn n_spectra(project: &Project) -> Vec<Vec<String>> {
    project.query("SELECT count(fft_power_mean), count(DISTINCT fft_power_mean) FROM points")
}

#[test]
fn what_models_share_is_loaded_once_and_not_for_what_the_cache_knows() {
    let one = words(7);
    let project = project(&[&one, &one, &one]);
    assert_eq!(loaded(&project, ""), (1, vec!["0".to_owned()]));
    assert_eq!(n_spectra(&project), [["3", "1"]]);
    let read = points(&project.open(DB));
    assert_eq!(loaded(&project, "").0, 0);
    check_same("points", &points(&project.open(DB)), &read);
    assert_eq!(loaded(&project, "--no-forensics").0, 0);
    assert_eq!(n_spectra(&project), [["0", "0"]]);
}

/// Two models are read at a time, each with its own; what nobody needs any more goes, what a later one needs stays.
#[test]
fn few_are_in_memory_at_once() {
    let [a, b, c] = [2, 5, 1000].map(words);
    let project = project(&[&a, &b, &c, &a]);
    assert_eq!(loaded(&project, ""), (3, vec!["1".to_owned(), "0".to_owned()]));
    assert_eq!(n_spectra(&project), [["4", "3"]]);
}

#[test]
fn one_that_cannot_be_used_is_an_error_before_anything_is_written() {
    let project = project(&[&words(2), "{", &words(3)]);
    let run: Run = project.evaluate_d("");
    insta::assert_snapshot!(run, @r"
    exit code 2
    ----- stderr
    error: data/tokenizers/them/m1/tokenizer.json: no tokenizer can be made of it: EOF while parsing an object at line 1 column 1
    hint: remove it, or go without forensics: --no-forensics
    ");
    assert!(!project.path(DB).exists());
    project.evaluate_d("--no-forensics -q").succeeds();
}
