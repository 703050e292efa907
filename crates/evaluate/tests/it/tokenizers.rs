//! Tokenizers: shared by the models that have the same, loaded where they are needed, and no longer there than that.

use std::time::Duration;

use crate::project::{DB, Project, check_same, entry, points, record};

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
    // A file that cannot have a line, and so no entry of lines.
    project.write("data/set/0/run/empty.ndjson.zst", zstd::encode_all(&b""[..], 1).unwrap());
    assert_eq!(loaded(&project, "--explain"), (0, vec![]));
    assert_eq!(loaded(&project, ""), (1, vec!["0".to_owned()]));
    assert_eq!(n_spectra(&project), [["3", "1"]]);
    let read = points(&project.open(DB));
    assert_eq!(loaded(&project, "").0, 0);
    check_same("points", &points(&project.open(DB)), &read);
    assert_eq!(loaded(&project, "--no-forensics").0, 0);
    assert_eq!(n_spectra(&project), [["0", "0"]]);
}

/// Which tokenizer it is the cache knows by the file's size and times, so that large ones are not read each time.
#[test]
fn another_tokenizer_is_noticed() {
    let project = project(&[&words(7)]);
    // Files that have just changed are not known by their times.
    std::thread::sleep(Duration::from_millis(1100));
    let is_known =
        || fs_err::read_to_string(project.path("data/.cache/index.json")).unwrap().contains("tokenizer.json");
    project.evaluate_d("-q").succeeds();
    assert!(is_known());
    let first = points(&project.open(DB));
    assert_eq!(project.evaluate_d("--format json").succeeds().sources(), ["db"]);
    project.write("data/tokenizers/them/m0/tokenizer.json", words(8));
    assert_eq!(project.evaluate_d("--format json").succeeds().sources(), ["files"]);
    assert_ne!(points(&project.open(DB)), first);
    // Where nothing else is to do, it is noted all the same.
    fs_err::remove_dir_all(project.path("data/.cache")).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(project.evaluate_d("--format json").succeeds().sources(), ["db"]);
    assert!(is_known());
}

/// Two at a time, those of the same one together; what no later batch needs goes.
#[test]
fn few_are_in_memory_at_once() {
    let [a, b, c] = [2, 5, 1000].map(words);
    let project = project(&[&a, &b, &c, &a]);
    assert_eq!(loaded(&project, ""), (3, vec!["0".to_owned(), "0".to_owned()]));
    assert_eq!(n_spectra(&project), [["4", "3"]]);
}

/// Those of models whose records are in the same file are needed together.
#[test]
fn a_file_with_records_of_three_models() {
    let project = project(&[]);
    let models = ["m0", "m1", "m2"];
    let entry = |model: &str| entry(model, "data/set/all/run/*", &format!(r#", "hf_id": "them/{model}""#));
    project.write("data/set/all/evals.json", format!("[{}]", models.map(entry).join(",")));
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/all"}]}"#);
    let line = |model: &str| record(0, &format!(r#","model":"{model}","prompt":"a b a a b""#)) + "\n";
    project.write("data/set/all/run/a.ndjson", models.map(line).concat());
    for (model, b) in models.into_iter().zip([2, 5, 1000]) {
        project.write(&format!("data/tokenizers/them/{model}/tokenizer.json"), words(b));
    }
    assert_eq!(loaded(&project, ""), (3, vec!["0".to_owned()]));
    assert_eq!(n_spectra(&project), [["3", "3"]]);
}

/// A file of all of them makes a batch of its own, and what is met before and after it is needed there, too.
#[test]
fn what_a_later_batch_needs_stays() {
    let [a, b, c] = [2, 5, 1000].map(words);
    let project = project(&[&a, &b, &c, &a, &c]);
    let globs = "data/set/{0,1,2}/run/*";
    for at in 0..3 {
        let entry = entry(&format!("m{at}"), globs, &format!(r#", "hf_id": "them/m{at}""#));
        project.write(&format!("data/set/{at}/evals.json"), format!("[{entry}]"));
    }
    // The first three share files; the fourth, with the first one's alone, comes before them, and the fifth behind.
    assert_eq!(loaded(&project, ""), (3, ["1", "1", "0"].map(str::to_owned).to_vec()));
    assert_eq!(n_spectra(&project), [["5", "3"]]);
}

/// Where it is met is told; what was read before it is not read again.
#[test]
fn one_that_cannot_be_used_is_an_error() {
    // The third is in the second batch.
    let project = project(&[&words(2), &words(3), "{"]);
    insta::assert_snapshot!(project.evaluate_d(""), @r"
    exit code 2
    ----- stderr
    error: data/tokenizers/them/m2/tokenizer.json: no tokenizer can be made of it: EOF while parsing an object at line 1 column 1
    hint: remove it, or go without forensics: --no-forensics
    ");
    assert!(!project.path(DB).exists());
    project.write("data/tokenizers/them/m2/tokenizer.json", words(5));
    let rows = project.evaluate_d("--format json").succeeds().summary().evaluations;
    assert_eq!(rows.iter().map(|row| row.cached_files).collect::<Vec<_>>(), [1, 1, 0]);
}

/// The library panics at it. Nobody sees that.
#[test]
fn one_that_its_reader_panics_at_is_an_error() {
    let normalizer = r#""normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"}"#;
    let project = project(&[&words(2).replace(r#""normalizer":null"#, normalizer)]);
    insta::assert_snapshot!(project.evaluate_d(""), @r#"
    exit code 2
    ----- stderr
    error: data/tokenizers/them/m0/tokenizer.json: no tokenizer can be made of it: Precompiled: Error("Cannot parse precompiled_charsmap", line: 0, column: 0)
    hint: remove it, or go without forensics: --no-forensics
    "#);
}
