//! `cohort context`: evaluations of a smaller context.

use serde_json::{Value, json};

use crate::points::collected;
use crate::project::{Project, entry, record};

/// Records with these completion tokens, alternately right and wrong.
fn records(tokens: &[u32]) -> String {
    let line = |(index, tokens): (usize, &u32)| {
        let record = record("m", &format!(",\"index\":{index},\"completion_tokens\":{tokens}"));
        if index % 2 == 1 { record.replace("\"correct\":true", "\"correct\":false") } else { record }
    };
    tokens.iter().enumerate().map(line).collect()
}

#[test]
fn the_new_evaluation_is_shown_and_added() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", records(&[100, 200, 3000, 3000, 9000, 50]));
    let before = project.tree();
    let run = project.cohort(&["context", "data/set/M", "--tokens", "2048", "--dry-run"]);
    insta::assert_snapshot!(run, @"
    exit code 0
    ----- stdout
    eval_id  label     context  samples  truncated  accuracy  p_success
    34c4dc   L m                      6      0.0 %  .50 ±.31  .50 ±.31
    5774e4   L m (2k)    2,048        6     50.0 %  .43 ±.37  .30 ±.27
    ----- stderr
    note: nothing was written
    ");
    assert_eq!(project.tree(), before);

    let written = project.cohort(&["context", "data/set/M", "--tokens", "2048"]);
    assert_eq!((written.code, &written.stdout), (Some(0), &run.stdout));
    assert_eq!(written.stderr, "note: added to data/set/M/evals.json; `evaluate` makes the points\n");
    let evals = fs_err::read_to_string(project.path("data/set/M/evals.json")).unwrap();
    let source = entry("m", "data/set/M/run/*", "");
    let derived = source.replace("\"L m\"}", "\"L m (2k)\", \"groups\": [\"ctx:2k\"], \"context\": 2048}");
    assert_eq!(evals, format!("[{source}, {derived}]"));
    let counters: Vec<_> = collected(&project, "data/set/M").iter().map(|eval| eval.points[0].counters).collect();
    assert_eq!(counters.iter().map(|counters| counters.truncated).collect::<Vec<_>>(), [0, 3]);

    let after = project.tree();
    insta::assert_snapshot!(project.cohort(&["context", "data/set/M", "--tokens", "2048"]), @"
    exit code 0
    ----- stdout
    eval_id  label  context  samples  truncated  accuracy  p_success
    ----- stderr
    note: `5774e4` (L m (2k)) is there already: `34c4dc` (L m) at 2048 tokens
    note: there is nothing to add
    ");
    assert_eq!(project.tree(), after);
}

/// The evaluation of the fixtures with a context, taken out, is made again with the same numbers.
#[test]
fn the_clipped_evaluation_of_the_fixtures_comes_back() {
    let (project, expected) = Project::with_fixtures();
    let path = "data/r12/Qwen3-32B/evals.json";
    let clipped = expected.evaluations().find(|eval| eval.context == Some(8192)).unwrap();
    let source = expected.evaluations().find(|eval| eval.sampler == clipped.sampler && eval.model == clipped.model);
    let source = source.unwrap();
    let mut entries: Vec<Value> = serde_json::from_slice(&fs_err::read(project.path(path)).unwrap()).unwrap();
    entries.retain(|entry| entry.get("context").is_none());
    let old = serde_json::to_string_pretty(&entries).unwrap();
    project.write(path, &old);
    let document: Value = project
        .cohort(&["context", path, "--tokens", "8192", "--eval-id", &source.eval_id, "--format", "json"])
        .document();
    let row = &document["evaluations"][0];
    assert_eq!(row["eval_id"], clipped.eval_id.as_str());
    assert_eq!(row["label"], clipped.label.as_str());
    assert_eq!(row["samples"], clipped.n_samples);
    for (side, expected) in [("before", source), ("after", clipped)] {
        let (side, totals) = (&row[side], &expected.totals);
        assert_eq!(side["truncated"], totals.truncated);
        for (key, expected) in [
            ("truncated_ratio", totals.truncated_ratio),
            ("adjusted_accuracy", totals.adjusted_accuracy),
            ("adjusted_margin", totals.adjusted_margin),
        ] {
            let (found, expected) = (side[key].as_f64().unwrap(), expected.unwrap());
            assert!((found - expected).abs() < 1e-9, "{key}: {found} {expected}");
        }
    }
    let new = fs_err::read_to_string(project.path(path)).unwrap();
    let kept = old.strip_suffix("\n]").unwrap();
    assert!(new.starts_with(&format!("{kept},\n  {{\n    \"evaluate\"")), "{new}");
    let entries: Vec<Value> = serde_json::from_str(&new).unwrap();
    assert_eq!(entries.last().unwrap()["groups"], json!(clipped.groups));
    // What `evaluate` then makes of it is what it makes of the entry that was taken out.
    let found = collected(&project, "data/r12/Qwen3-32B").pop().unwrap();
    let counts = |counters: rs_core::statistics::Counters| {
        [counters.correct, counters.invalid, counters.answered, counters.truncated]
    };
    let found: Vec<_> =
        found.points.iter().map(|point| (&point.base_task, &point.params, counts(point.counters))).collect();
    let expected: Vec<_> = clipped
        .points
        .iter()
        .map(|point| {
            let counts = &point.counts;
            (&point.base_task, &point.params, [counts.correct, counts.invalid, counts.total, counts.truncated])
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn all_other_bytes_stay() {
    let project = Project::empty();
    let first = "{ \"label\":\"A \\u00e9 (16k)\" ,\"odd\" : {\"x\":[1,2]},\r\n\t\t\"evaluate\":{\"glob\":\"data/set/M/run/*\"},\
                 \"filters\":{\"sampler\":\"s\",\"model\":\"m\",\"template\":\"t\"},\"groups\":[\"ctx:16k\",\"arch:moe\"],\"context\":16384 }";
    let text =
        format!("\u{FEFF} [\r\n\t{first},\r\n\t{}\r\n]\r\n\r\n", entry("n", "data/set/M/run/*", ",\"context\":1000"));
    project.write("data/set/M/evals.json", &text);
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    let run = project.cohort(&["context", "data/set/M", "--tokens", "1500", "-q"]);
    assert_eq!(run.code, Some(0), "{run}");
    let new = fs_err::read_to_string(project.path("data/set/M/evals.json")).unwrap();
    let derived =
        first.replace("A \\u00e9 (16k)", "A é (1500)").replace("ctx:16k", "ctx:1500").replace("16384", "1500");
    assert_eq!(new, text.replace("\r\n]\r\n\r\n", &format!(",\r\n\t{derived}\r\n]\r\n\r\n")));
}

/// Two contexts of one identity give one new evaluation, from the larger.
#[test]
fn one_identity_gives_one_evaluation() {
    let project = Project::empty();
    let glob = "data/set/M/run/*";
    let entries = [entry("m", glob, ",\"context\":8192"), entry("m", glob, ""), entry("m", glob, ",\"context\":512")];
    project.write("data/set/M/evals.json", format!("[{}]", entries.join(",\n")));
    project.write("data/set/M/run/a.ndjson", records(&[100, 1000, 5000]));
    insta::assert_snapshot!(project.cohort(&["context", "data/set/M", "--tokens", "900", "--dry-run", "-v"]), @"
    exit code 0
    ----- stdout
    eval_id  label      context  samples  truncated  accuracy  p_success
    34c4dc   L m                       3      0.0 %  .57 ±.37  .57 ±.37
    9b2ed8   L m (900)      900        3     66.7 %  .60 ±.40  .43 ±.37
    ----- stderr
    `96f9bd` (L m) has a context of 512 tokens: not more than 900
    note: nothing was written
    ");
}

#[test]
fn mistakes_are_told() {
    let project = Project::empty();
    let glob = "data/set/M/run/*";
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", glob, ",\"context\":1024")));
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    let before = project.tree();
    let stderr = |arguments: &[&str], code| {
        let run = project.cohort(&[&["context", "data/set/M"], arguments].concat());
        assert_eq!(run.code, Some(code), "{run}");
        assert_eq!(project.tree(), before);
        run.stderr
    };
    insta::assert_snapshot!(stderr(&["--tokens", "0"], 2), @"error: --tokens 0: in a context of no tokens every record is truncated");
    insta::assert_snapshot!(stderr(&["--tokens", "-5"], 2).lines().next().unwrap_or_default(), @"error: unexpected argument '-5' found");
    insta::assert_snapshot!(stderr(&["--tokens", "8k"], 2).lines().next().unwrap_or_default(), @"error: invalid value '8k' for '--tokens <N>': invalid digit found in string");
    insta::assert_snapshot!(stderr(&["--tokens", "4096"], 0), @"note: there is nothing to add");
    insta::assert_snapshot!(stderr(&["--tokens", "1024", "--eval-id", "m+t+s+ctx1024"], 0), @"
    note: `18da00` (L m) has a context of 1024 tokens: not more than 1024
    note: there is nothing to add
    ");
    insta::assert_snapshot!(stderr(&["--tokens", "4096", "--eval-id", "m+t+s+ctx1024"], 2), @"error: `18da00` (L m) has a context of 1024 tokens: not more than 4096");
    insta::assert_snapshot!(stderr(&["--tokens", "10", "--eval-id", "m+t+s"], 2), @"
    error: no evaluation `m+t+s` in data/set/M/evals.json
    hint: did you mean `m+t+s+ctx1024`?
    ");
}

#[test]
fn without_raw_data_the_effect_is_not_known() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", "");
    insta::assert_snapshot!(project.cohort(&["context", "data/set/M", "--tokens", "1000"]), @"
    exit code 0
    ----- stdout
    eval_id  label       context  samples  truncated  accuracy  p_success
    34c4dc   L m
    eeda59   L m (1000)    1,000
    ----- stderr
    warning: `34c4dc` (L m): no record of it is here: what the context does is not known
    note: added to data/set/M/evals.json; `evaluate` makes the points
    ");
}
