//! `probe loops`.

use insta::assert_snapshot;

use crate::project::{Project, record};

fn project() -> Project {
    let again = "Wait, let me check that again. ".repeat(40);
    let numbers: String = (0..400).map(|number| format!("{number} ")).collect();
    Project::with_records(
        &[
            record("a", &format!(r#","index":0,"completion_tokens":300,"truncated":true,"reasoning":"So. {again}""#)),
            record("a", &format!(r#","index":1,"reasoning":"Well.","response":"No: {again} It is 4.""#)),
            record("a", &format!(r#","index":2,"response":"{numbers}""#)),
            record("b", r#","index":0,"response":"4""#),
        ]
        .concat(),
    )
}

#[test]
fn where_they_begin() {
    let project = project();
    assert_snapshot!(project.probe(&["loops", "data/d.json", "--ratio", "0.5"]), @"
    exit code 0
    ----- stdout
    place                                      status     tokens  ratio  part       from char  times   share  phrase
    data/set/M/run/x.ndjson:1  truncated     300  0.051  reasoning          4     40  99.7 %  Wait, let me check that again.
    data/set/M/run/x.ndjson:2  correct            0.062  response           4     40  98.6 %  Wait, let me check that again.
    ----- stderr
    note: 3 of 3 traces that compress to 0.5 or less were read
    ");
    let document = project.document(&["loops", "data/d.json", "--ratio", "0.5"]);
    assert_eq!((&document["n_candidates"], &document["n_read"]), (&3.into(), &3.into()));
    let found: Vec<_> = document["loops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["part"].as_str().unwrap(), one["start_bytes"].as_u64().unwrap(), one["times"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found, [("reasoning", 4, 40), ("response", 4, 40)]);
}

#[test]
fn without_candidates() {
    let project = project();
    assert_snapshot!(project.probe(&["loops", "data/d.json", "--where", "model=b"]), @"
    exit code 0
    ----- stdout
    place  status  tokens  ratio  part  from char  times  share  phrase
    ----- stderr
    note: 0 of 0 traces that compress to 0.25 or less were read
    ");
    project.evaluate(&["--dataset", "data/d.json", "--no-forensics", "--force"]);
    assert_snapshot!(project.probe(&["loops", "data/d.json"]), @"
    exit code 0
    ----- stdout
    place  status  tokens  ratio  part  from char  times  share  phrase
    ----- stderr
    warning: the database was made with --no-forensics: without compressed sizes there are no candidates
    ");
    assert_eq!(project.probe(&["loops", "data/d.json", "--ratio", "nan"]).code, 2);
}
