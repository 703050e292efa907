//! `probe diff`.

use insta::assert_snapshot;

use crate::project::{Project, record};

/// Question by question: a right b wrong, the reverse, both right, a truncated and b right, repetitions, of one only.
fn project() -> Project {
    let of = |model: &str, index: u64, correct: bool, more: &str| {
        record(model, &format!(r#","seed":1,"index":{index},"correct":{correct},"prompt":"What is {index}?"{more}"#))
    };
    Project::with_records(
        &[
            of(
                "a",
                0,
                true,
                r#","response":"It is nought, of course, and has been since ancient times.","answer":"0""#,
            ),
            of("b", 0, false, r#","response":"One.","answer":"1""#),
            of("a", 1, false, r#","answer":"2""#),
            of("b", 1, true, r#","answer":"1""#),
            of("a", 2, true, ""),
            of("b", 2, true, ""),
            of("a", 3, true, r#","truncated":true"#),
            of("b", 3, true, ""),
            of("a", 4, true, ""),
            of("a", 4, false, r#","repeat":1"#),
            of("b", 4, false, ""),
            of("a", 5, true, ""),
        ]
        .concat(),
    )
}

#[test]
fn side_by_side() {
    let run = project().on_terminal(60, &["diff", "data/d.json", "a+t+s", "b+t+s", "--limit", "1"]);
    assert_snapshot!(run, @r#"
    exit code 0
    ----- stdout
    questions
            5  asked of both
            1  answered as well by both
            2  A better: Model a
            2  B better: Model b
            1  asked of A only
            0  asked of B only

    ━━ A better, 1 of 2 ────────────────────────────────────────
    sums {"n":8} (seed 1, index 0)
    A: correct, compressed to 1.276 of 58 bytes
       data/set/M/run/x.ndjson:1
    B: incorrect, compressed to 6.750 of 4 bytes
       data/set/M/run/x.ndjson:2

    prompt ─────────────────────────────────────────────────────
    What is 0?

    response ───────────────────────────────────────────────────
    It is nought, of course, and   One.
    has been since ancient times.

    answer ─────────────────────────────────────────────────────
    0                              1

    ━━ B better, 1 of 2 ────────────────────────────────────────
    sums {"n":8} (seed 1, index 1)
    A: incorrect, 0 bytes
       data/set/M/run/x.ndjson:3
    B: correct, 0 bytes
       data/set/M/run/x.ndjson:4

    prompt ─────────────────────────────────────────────────────
    What is 1?

    answer ─────────────────────────────────────────────────────
    2                              1
    "#);
}

#[test]
fn a_document() {
    let document = project().document(&["diff", "data/d.json", "a+t+s", "b+t+s"]);
    let counts = ["n_shared", "n_same", "n_a_better", "n_b_better", "n_only_a", "n_only_b", "n_without_index"];
    assert_eq!(counts.map(|name| document[name].as_u64().unwrap()), [5, 1, 2, 2, 1, 0, 0]);
    let indexes = |kind: &str| -> Vec<u64> {
        document[kind].as_array().unwrap().iter().map(|pair| pair["a"]["index"].as_u64().unwrap()).collect()
    };
    assert_eq!((indexes("a_better"), indexes("b_better")), (vec![0, 4], vec![1, 3]));
    assert_eq!(document["b_better"][1]["a"]["status"], "truncated");
}

#[test]
fn raw_records_in_pairs() {
    let run = project().probe(&["diff", "data/d.json", "a+t+s", "b+t+s", "--format", "ndjson", "--limit", "1"]);
    let models: Vec<&str> = run.stdout.lines().map(|line| &line[..12]).collect();
    assert_eq!(models, ["{\"model\":\"a\"", "{\"model\":\"b\"", "{\"model\":\"a\"", "{\"model\":\"b\""]);
}

#[test]
fn what_cannot_be_compared() {
    let project = project();
    assert_snapshot!(project.probe(&["diff", "data/d.json", "a+t+s", "model A"]), @"
    exit code 2
    ----- stderr
    error: 167a06 (Model a) is named twice
    ");
    assert_snapshot!(project.probe(&["diff", "data/d.json", "a+t+s", "c+t+s"]), @"
    exit code 2
    ----- stderr
    error: no evaluation `c+t+s`
    hint: known: Model a, 167a06, Model b, 8cd3f1
    ");
    let apart = Project::with_records(&(record("a", r#","index":0"#) + &record("b", r#","index":1"#)));
    assert_snapshot!(apart.probe(&["diff", "data/d.json", "a+t+s", "b+t+s"]), @"
    exit code 2
    ----- stderr
    error: `Model a` and `Model b` share no question: seed and index of 1 and 1 questions never agree
    ");
}
