//! A manifest that is made to hurt: refused by every command that reads it, and nothing is written outside.

use crate::project::{Project, check_same};

/// A name of 64 digits for a blob that is nowhere.
fn digits(digit: &str) -> String {
    digit.repeat(64)
}

/// A manifest with one run, in which a part is replaced by another.
fn manifest(from: &str, to: &str) -> String {
    let text = format!(
        r#"{{"databases":{{"d":{{"blob":"{b}","size":1,"raw_size":2,"dataset":"{d}"}}}},"evals":{{"34c4dc":{{"identity":"m+t+s","cohort":"set/M","runs":[{{"path":"m-1","blob":"{b}","size":3,"raw_size":4,"n_files":1,"content":"{c}"}}]}}}},"remotes":{{"origin":{{"url":"../remote"}}}},"version":1}}"#,
        b = digits("a"),
        c = digits("c"),
        d = digits("d"),
    );
    let changed = text.replacen(from, to, 1);
    assert!(from.is_empty() || changed != text, "{from} is not in it");
    changed
}

/// Every command that reads the manifest.
const COMMANDS: [&[&str]; 15] = [
    &["status"],
    &["status", "--remote"],
    &["push", "cohort", "data/set/M"],
    &["push", "dataset", "data/d.json"],
    &["pull", "cohort", "data/set/M"],
    &["pull", "dataset", "data/d.json", "--raw", "--force"],
    &["pull", "eval", "34c4dc"],
    &["verify"],
    &["verify", "--remote"],
    &["verify", "--repair"],
    &["gc", "--drop-extracted"],
    &["remote", "list"],
    &["remote", "add", "other", "../other"],
    &["ls"],
    &["diff"],
];

/// Every command refuses a manifest with the same words, and changes nothing.
#[track_caller]
fn check_refused(project: &Project, from: &str, to: &str, message: &str) {
    project.write("data/manifest.json", manifest(from, to));
    let before = project.tree();
    for arguments in COMMANDS {
        let run = project.data(arguments);
        let expected = format!("exit code 2\n----- stderr\nerror: data/manifest.json{message}\n");
        assert_eq!(run.to_string(), expected, "{arguments:?}");
    }
    check_same(message, &project.tree(), &before);
}

#[test]
fn names_that_lead_elsewhere() {
    let project = Project::small();
    for (name, problem) in [
        ("../../outside", "has a part that is empty, `.` or `..`"),
        ("/tmp/outside", "is absolute"),
        ("C:/outside", "is absolute"),
        ("set/../../outside", "has a part that is empty, `.` or `..`"),
        (".blobs", "has a hidden part"),
        ("../.git/hooks", "has a part that is empty, `.` or `..`"),
        ("set/.git", "has a hidden part"),
        ("", "is empty"),
    ] {
        let message = format!(": `evals.34c4dc.cohort`: `{name}` {problem}");
        check_refused(&project, "\"set/M\"", &format!("\"{name}\""), &message);
        let message = format!(": `evals.34c4dc.runs[0].path`: `{name}` {problem}");
        check_refused(&project, "\"m-1\"", &format!("\"{name}\""), &message);
    }
    check_refused(
        &project,
        "\"m-1\"",
        "\"m\\u001b[2J\"",
        ": `evals.34c4dc.runs[0].path`: `m\\u{1b}[2J` holds the control character \\u{1b}",
    );
    check_refused(
        &project,
        "\"m-1\"",
        "\"m\\u0000\"",
        ": `evals.34c4dc.runs[0].path`: `m\\0` holds the control character \\u{0}",
    );
}

#[test]
fn ids_that_are_none() {
    let project = Project::small();
    let message = ": `evals.../../x`: an eval id has 6 to 64 hex digits";
    check_refused(&project, "\"34c4dc\"", "\"../../x\"", message);
    for id in ["../../../../etc/passwd", "aa", &"g".repeat(64), &"a".repeat(65)] {
        project.write("data/manifest.json", manifest(&digits("a"), id));
        for arguments in COMMANDS {
            let run = project.data(arguments);
            assert_eq!(run.code, Some(2), "{arguments:?}: {run}");
            assert!(run.stderr.starts_with("error: data/manifest.json:1:") && run.stderr.contains("blob"), "{run}");
        }
    }
}

#[test]
fn sizes_that_cannot_be() {
    let project = Project::small();
    let too_large = |key: &str, found: u64, most: u64| format!(": `{key}`: {found} is too large; it may be {most}");
    let most = 1 << 53;
    let message = too_large("evals.34c4dc.runs[0].size", u64::MAX, most);
    check_refused(&project, "\"size\":3", "\"size\":18446744073709551615", &message);
    let message = too_large("evals.34c4dc.runs[0].raw_size", u64::MAX, most);
    check_refused(&project, "\"raw_size\":4", "\"raw_size\":18446744073709551615", &message);
    let message = too_large("databases.d.raw_size", most + 1, most);
    check_refused(&project, "\"raw_size\":2", "\"raw_size\":9007199254740993", &message);
    let message = &too_large("evals.34c4dc.runs[0].n_files", 1_000_001, 1_000_000);
    check_refused(&project, "\"n_files\":1", "\"n_files\":1000001", message);
}

/// As much as can be wanted: there is no room for it, and no sum goes wrong.
#[test]
fn sizes_that_are_too_much() {
    let project = Project::small();
    project.remove_untracked();
    let text = manifest("\"raw_size\":4", "\"raw_size\":9007199254740992");
    project.write("data/manifest.json", text.replace("\"size\":3", "\"size\":9007199254740992"));
    let run = project.data(&["pull", "cohort", "data/set/M"]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stderr.contains("may need 18.01 PB, and "), "{run}");
    for arguments in COMMANDS.iter().filter(|arguments| arguments[0] != "push") {
        let run = project.data(arguments);
        assert!(run.code.is_some_and(|code| code < 70), "{arguments:?}: {run}");
    }
}

/// A manifest that says one thing of a blob that holds another.
#[test]
fn blobs_that_hold_something_else() {
    let project = Project::pushed();
    project.remove_untracked();
    let text = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let run = |eval: &str, run: usize| manifest["evals"][eval]["runs"][run].clone();
    // The blob of m-2, with its size, for the run m-1: as many bytes as the manifest says, and other files.
    let mut swapped = manifest.clone();
    for field in ["blob", "size"] {
        swapped["evals"]["34c4dc"]["runs"][0][field] = run("34c4dc", 1)[field].clone();
    }
    project.write("data/manifest.json", swapped.to_string());
    insta::assert_snapshot!(project.shown(project.data(&["pull", "eval", "m+t+s"])), @"
    exit code 1
    ----- stdout
    from origin (remote)
    pulled        runs  here  fetched  bytes  unpacked   raw  kept  failed
    cohort set/M     2     0        1  340 B         1  96 B     0       1
    ----- stderr
    cohort set/M, run m-1: blob `data/.blobs/[m-2]` is refused: the number of its files is `1`, expected `2`
    ");
    assert!(!project.path("data/set/M/m-1").exists() && project.path("data/set/M/m-2").is_dir());
    // A run folder in the place of the database.
    let mut swapped = manifest.clone();
    for field in ["blob", "size"] {
        swapped["databases"]["d"][field] = run("90caf4", 0)[field].clone();
    }
    project.write("data/manifest.json", swapped.to_string());
    insta::assert_snapshot!(project.shown(project.data(&["pull", "dataset", "data/d.json"])), @"
    exit code 1
    ----- stdout
    from origin (remote)
    pulled      runs  here  fetched  bytes  unpacked  raw  kept  failed
    database d     1     0        1  339 B         0  0 B     0       1
    ----- stderr
    database of dataset d: blob `data/.blobs/[o-1]` is refused: it holds a `run folder`, expected `file`
    ");
    assert!(!project.path("data/d.db").exists());
    let tree = project.tree();
    let stray: Vec<&str> =
        tree.paths().filter(|path| path.contains("extracting") || path.contains("unpacking")).collect();
    assert!(stray.is_empty(), "{stray:?}");
}
