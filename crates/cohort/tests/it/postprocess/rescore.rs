//! The step `rescore`.

use serde_json::json;

use super::{RESCORE, document, postprocess, step, write_config};
use crate::project::{Project, record};

/// A record with an answer; wrong, if `more` says so later.
fn scored(response: &str, more: &str) -> String {
    record("m", &format!(",\"response\":\"{response}\",\"reference\":\"7\"{more}"))
}

#[test]
fn verdicts_change_and_nothing_else() {
    let project = Project::small();
    write_config(&project, r"['answer is (?<answer>\d+)', '(\d+)']");
    let lines = [
        scored("the answer is 6, no: answer is 7", ",\"answer\":\"6\",\"correct\":false,\"score\":0"),
        scored("7 or 8", " , \"odd\" : 1e2, \"answer\":\"7\""),
        scored("none", ",\"answer\":\"7\",\"invalid\":false"),
        scored("7", ",\"answer\":null,\"invalid\":true,\"correct\":false"),
        scored("answer is 9", ",\"answer\":\"8\",\"correct\":false"),
        scored("7", ",\"answer\":7"),
        scored("7", ",\"error\":\"HTTP 503\",\"correct\":false"),
        scored("", ",\"truncated\":true,\"correct\":false"),
        record("m", ",\"reference\":7"),
        record("m", ",\"response\":\"7\""),
        scored("8", ",\"base_task\":\"other\""),
        record("n", ",\"response\":\"8\",\"reference\":\"7\""),
        "no record\n".to_owned(),
    ];
    project.write("data/set/M/run/a.ndjson", format!("\u{FEFF}{}{{\"torn", lines.concat()));
    let before = project.tree();
    let dry = document(&project, &[&RESCORE[..], &["--dry-run"]].concat(), 0);
    assert_eq!(project.tree(), before);
    let run = postprocess(&project, &[&RESCORE[..], &["-v"]].concat());
    insta::assert_snapshot!(run, @r#"
    exit code 0
    ----- stdout
    step     files  changed  bytes before  bytes after  records before  records after
    rescore      1        1       1.71 kB      1.71 kB              12             12

    Scored again
    eval_id  task  records  now correct  no longer correct  now invalid  no longer invalid  other answers  left alone
    34c4dc   b          10            2                  2            1                  1              1           4
    ----- stderr
    data/set/M/run/a.ndjson:1: "6" incorrect → "7" correct
    data/set/M/run/a.ndjson:2: "7" correct → "8" incorrect
    data/set/M/run/a.ndjson:3: "7" correct → null invalid
    data/set/M/run/a.ndjson:4: null invalid → "7" correct
    data/set/M/run/a.ndjson:5: "8" incorrect → "9" incorrect
    "#);
    let expected = [
        lines[0]
            .replace("\"answer\":\"6\",\"correct\":false,\"score\":0", "\"answer\":\"7\",\"correct\":true,\"score\":1"),
        lines[1].replace("\"correct\":true", "\"correct\":false").replace("\"answer\":\"7\"", "\"answer\":\"8\""),
        lines[2]
            .replace("\"correct\":true", "\"correct\":false")
            .replace("\"answer\":\"7\",\"invalid\":false", "\"answer\":null,\"invalid\":true"),
        lines[3].replace(
            "\"answer\":null,\"invalid\":true,\"correct\":false",
            "\"answer\":\"7\",\"invalid\":false,\"correct\":true",
        ),
        lines[4].replace("\"answer\":\"8\"", "\"answer\":\"9\""),
    ];
    let text = String::from_utf8(project.tree()["data/set/M/run/a.ndjson"].clone()).unwrap();
    assert_eq!(text, format!("\u{FEFF}{}{}{{\"torn", expected.concat(), lines[5..].concat()));
    let row = json!({
        "eval_id": "34c4dc", "label": "L m", "base_task": "b", "records": 10,
        "now_correct": 2, "no_longer_correct": 2, "now_invalid": 1, "no_longer_invalid": 1, "other_answers": 1,
        "left_alone": {"errors": 1, "truncated": 1, "without_response": 1, "without_reference": 1},
    });
    assert_eq!(dry["rescored"], json!([row]));
    assert_eq!(dry["examples"].as_array().unwrap().len(), 5);
    assert_eq!(dry["examples"][2]["line"], 3);
    let after = project.tree();
    let again = document(&project, &RESCORE, 0);
    assert_eq!(step(&again, 0), ("rescore", 1, 0, Some(12), Some(12)));
    assert_eq!((project.tree(), again["examples"].as_array().unwrap().len()), (after, 0));
}

/// The model of the fixtures writes answers of texts, numbers and lists; read out of the end of the response they are what
/// it was scored by.
#[test]
fn examples_are_few_and_files_keep_their_codec() {
    let project = Project::small();
    write_config(&project, r"['(\d)']");
    let lines: String = (0..50).map(|index| scored("8", &format!(",\"index\":{index}"))).collect();
    project.write("data/set/M/run/a.ndjson.zst", zstd::encode_all(lines.as_bytes(), 1).unwrap());
    let document = document(&project, &RESCORE, 0);
    assert_eq!(document["examples"].as_array().unwrap().len(), 20);
    assert_eq!(document["rescored"][0]["no_longer_correct"], 50);
    let stored = &project.tree()["data/set/M/run/a.ndjson.zst"];
    let text = String::from_utf8(zstd::decode_all(&**stored).unwrap()).unwrap();
    assert_eq!(text.lines().count(), 50);
    assert!(text.lines().all(|line| line.ends_with(",\"answer\":\"8\"}") && line.contains("\"correct\":false")));
}

#[test]
fn a_wrong_config_is_told_before_anything_is_done() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", scored("8", ""));
    let before = project.tree();
    let stderr = |regexes: Option<&str>| {
        regexes.iter().for_each(|regexes| write_config(&project, regexes));
        let run = postprocess(&project, &[&RESCORE[..], &["--dedupe"]].concat());
        assert_eq!(run.code, Some(2), "{run}");
        run.stderr
    };
    insta::assert_snapshot!(stderr(None).lines().next().unwrap_or_default().to_owned(), @"error: failed to open file `configs/c.yaml`: No such file or directory (os error 2)");
    insta::assert_snapshot!(stderr(Some("['a', '(']")), @"error: configs/c.yaml:3:51: `tasks[0].answer_regex[1]`: `(` is no regular expression: unclosed group");
    insta::assert_snapshot!(stderr(Some("[]")), @"
    error: configs/c.yaml: no task has an `answer_regex`
    hint: answer_regex: ['<answer>(.*?)</answer>'] in a task of the config
    ");
    let mut after = project.tree();
    after.remove("configs/c.yaml");
    assert_eq!(after, before);
}
