//! `probe show`.

use insta::assert_snapshot;

use crate::project::{Project, record};

const PROMPT: &str = r#","prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":"2 + 2?"}]"#;

fn project() -> Project {
    let thought = "Two and two make four, as every child knows who has ever counted the fingers of one hand. ";
    Project::with_records(
        &[
            record(
                "a",
                &format!(
                    r#","seed":1,"index":0,"completion_tokens":1234,"reasoning":"{thought}","response":"It is\n\t4.","answer":"4","reference":4{PROMPT}"#
                ),
            ),
            record("a", r#","seed":1,"index":1,"repeat":2,"truncated":true,"response":"\u001b[2J\u202e no ```md```","prompt":"Why?""#),
            record("b", &format!(r#","seed":1,"index":0,"completion_tokens":9,"response":"{}""#, "x".repeat(3_000_000))),
        ]
        .concat(),
    )
}

#[test]
fn a_page() {
    let run = project().probe(&["show", "data/d.json", "--limit", "1"]);
    assert_snapshot!(run, @r#"
    exit code 0
    ----- stdout
    ━━ 1 of 3: correct ─────────────────────────────────────────────────────────────
    sums {"n":8} (seed 1, index 0)
    data/set/M/run/x.ndjson:1
    Model a (167a06)
    1,234 tokens, compressed to 1.040 of 99 bytes

    prompt ─────────────────────────────────────────────────────────────────────────
    [system]
    Be brief.

    [user]
    2 + 2?

    reasoning ──────────────────────────────────────────────────────────────────────
    Two and two make four, as every child knows who has ever counted the fingers of
    one hand.

    response ───────────────────────────────────────────────────────────────────────
    It is
        4.

    answer ─────────────────────────────────────────────────────────────────────────
    4

    reference ──────────────────────────────────────────────────────────────────────
    4

    ----- stderr
    note: 1 of 3 samples; `--limit N` shows more
    "#);
}

#[test]
fn on_a_narrow_terminal_control_characters_are_harmless() {
    let run = project().on_terminal(40, &["show", "data/d.json", "--status", "truncated", "--where", "model=a"]);
    assert_snapshot!(run, @r#"
    exit code 0
    ----- stdout
    ━━ 1 of 1: truncated ───────────────────
    sums {"n":8} (seed 1, index 1, repetition 2)
    data/set/M/run/x.ndjson:2
    Model a (167a06)
    compressed to 2.211 of 19 bytes

    prompt ─────────────────────────────────
    Why?

    response ───────────────────────────────
    �[2J� no ```md```
    "#);
}

#[test]
fn markdown() {
    let arguments =
        ["show", "data/d.json", "--status", "correct,invalid", "--where", "model=a", "--format", "markdown"];
    assert_snapshot!(project().probe(&arguments), @r#"
    exit code 0
    ----- stdout
    ## 1 of 1: correct

    - `sums {"n":8} (seed 1, index 0)`
    - data/set/M/run/x.ndjson:1
    - Model a (167a06)
    - 1,234 tokens, compressed to 1.040 of 99 bytes

    ### Prompt

    ```text
    [system]
    Be brief.

    [user]
    2 + 2?
    ```

    ### Reasoning

    ```text
    Two and two make four, as every child knows who has ever counted the fingers of one hand.
    ```

    ### Response

    ```text
    It is
    	4.
    ```

    ### Answer

    ```text
    4
    ```

    ### Reference

    ```text
    4
    ```
    "#);
}

#[test]
fn raw_records_are_as_they_stand() {
    let project = project();
    let raw = fs_err::read_to_string(project.path("data/set/M/run/x.ndjson")).unwrap();
    let run = project.probe(&["show", "data/d.json", "--format", "ndjson"]);
    // By evaluation, whose ids do not sort as their names do.
    let mut lines: Vec<&str> = run.stdout.split_inclusive('\n').collect();
    lines.sort_unstable();
    let mut expected: Vec<&str> = raw.split_inclusive('\n').collect();
    expected.sort_unstable();
    assert!(lines == expected);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    project.probe(&["show", "data/d.json", "--format", "ndjson", "--output", project.path("out").to_str().unwrap()]);
    assert_eq!(fs_err::read_to_string(project.path("out")).unwrap(), run.stdout);
}

#[test]
fn long_texts_are_cut_unless_asked_for() {
    let project = project();
    let arguments = ["show", "data/d.json", "--where", "model=b"];
    let cut = project.probe(&arguments).stdout;
    assert!(
        cut.contains("[… 2,998,000 of 3,000,000 characters cut; --full shows them …]") && cut.len() < 5000,
        "{cut}"
    );
    let full = project.probe(&[&arguments[..], &["--full"]].concat()).stdout;
    assert!(full.matches('x').count() >= 3_000_000);
}

#[test]
fn what_comes_first() {
    let document = project().document(&["show", "data/d.json", "--sort", "tokens"]);
    let tokens: Vec<_> = document["samples"].as_array().unwrap().iter().map(|one| &one["completion_tokens"]).collect();
    assert_eq!(serde_json::to_string(&tokens).unwrap(), "[1234,9,null]");
    let document = project().document(&["show", "data/d.json", "--sort", "ratio", "--limit", "1"]);
    assert_eq!((&document["n_all"], &document["samples"][0]["model"]), (&3.into(), &"b".into()));
}

#[test]
fn nothing_matches() {
    let project = project();
    assert_snapshot!(project.probe(&["show", "data/d.json", "--status", "invalid"]), @"
    exit code 0
    ----- stderr
    note: no sample matches
    ");
    assert_snapshot!(project.probe(&["show", "data/d.json", "--where", "base_task=sum"]), @"
    exit code 2
    ----- stderr
    error: nothing here has `base_task` = `sum`
    hint: did you mean `sums`?
    ");
    let document = project.document(&["show", "data/d.json", "--status", "invalid"]);
    assert_eq!(document.to_string(), r#"{"n_all":0,"samples":[],"schema":"probe.show/1"}"#);
}
