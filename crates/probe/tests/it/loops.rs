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
    // A place is to be used as it stands: where there is no room for it in the row it stands below, whole.
    assert_snapshot!(project.on_terminal(80, &["loops", "data/d.json", "--ratio", "0.5"]), @"
    exit code 0
    ----- stdout
    no  status     ratio  from char  times   share  phrase
     1  truncated  0.051          4     40  99.7 %  Wait, let me check that again.
     2  correct    0.062          4     40  98.6 %  Wait, let me check that again.

    no  place
     1  data/set/M/run/x.ndjson:1
     2  data/set/M/run/x.ndjson:2
    ----- stderr
    note: too narrow for `tokens`, `part`; a wider terminal or `--format json` shows all
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
    note: nothing matches: no trace of 300 bytes or more compresses to 0.25 or less
    ");
    assert_snapshot!(project.probe(&["loops", "data/d.json", "--times", "1000"]).stderr, @"
    note: 2 of 2 traces that compress to 0.25 or less were read
    note: nothing matches: none of them has a phrase 1000 times in a row over 300 characters
    ");
    project.evaluate(&["--dataset", "data/d.json", "--no-forensics", "--force"]);
    assert_snapshot!(project.probe(&["loops", "data/d.json"]), @"
    exit code 0
    ----- stdout
    place  status  tokens  ratio  part  from char  times  share  phrase
    ----- stderr
    warning: the database was made with --no-forensics (`evaluate --dataset data/d.json` without it adds them): without compressed sizes there are no candidates
    ");
    assert_snapshot!(project.probe(&["show", "data/d.json", "--sort", "ratio", "--limit", "1"]).stderr, @"
    warning: the database was made with --no-forensics (`evaluate --dataset data/d.json` without it adds them): without compressed sizes there is no order by ratio
    note: 1 of 4 samples; `--limit N` shows more
    ");
    assert_eq!(project.probe(&["loops", "data/d.json", "--ratio", "nan"]).code, Some(2));
}
