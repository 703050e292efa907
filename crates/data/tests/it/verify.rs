//! `data verify`: every byte of what is here, or of what a remote has.

use std::time::Duration;

use serde::Deserialize;

use crate::project::{Project, check_same, record};

/// The document `data.verify/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    schema: String,
    remote: Option<String>,
    things: u64,
    bytes: u64,
    covered_things: u64,
    covered_bytes: u64,
    changed: Vec<String>,
    damaged: Vec<Damaged>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Damaged {
    what: String,
    place: String,
    damage: String,
    repaired: bool,
}

/// Flips a bit of a file, and leaves its times as they are.
fn flip(project: &Project, path: &std::path::Path, at: usize) {
    let times = fs_err::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs_err::read(path).unwrap();
    bytes[at] ^= 4;
    fs_err::write(path, bytes).unwrap();
    fs_err::OpenOptions::new().write(true).open(path).unwrap().file().set_modified(times).unwrap();
    assert!(path.starts_with(project.path("")));
}

#[test]
fn what_is_whole() {
    let project = Project::pushed();
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 0
    ----- stderr
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 0
    ");
    insta::assert_snapshot!(project.shown(project.data(&["verify", "--remote"])), @"
    exit code 0
    ----- stderr
    note: 5 of 5 things verified in origin (remote), 1.75 kB of 1.75 kB; damaged: 0
    ");
    insta::assert_snapshot!(project.data(&["verify", "data/set/N"]), @"
    exit code 0
    ----- stderr
    note: 2 of 2 things verified, 8.94 kB of 8.94 kB; damaged: 0
    ");
    insta::assert_snapshot!(project.data(&["verify", "data/d.json", "-q"]), @"exit code 0");
    insta::assert_snapshot!(project.data(&["verify", "--repair"]), @"
    exit code 0
    ----- stderr
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 0
    ");
    // Nothing here yet.
    project.remove_untracked();
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 0
    ----- stderr
    note: 0 of 0 things verified, 0 B of 0 B; damaged: 0
    ");
}

#[test]
fn the_document() {
    let project = Project::pushed();
    let run = project.data(&["verify", "--format", "json"]);
    let verify: Verify = run.document();
    assert_eq!((verify.schema.as_str(), verify.remote.as_deref()), ("data.verify/1", None));
    let size = |path: &str| crate::project::Tree::of(&project.path(path)).bytes();
    let raw_bytes = size("data/set/M") + size("data/set/N")
        - fs_err::metadata(project.path("data/set/M/evals.json")).unwrap().len()
        - fs_err::metadata(project.path("data/set/N/evals.json")).unwrap().len()
        + fs_err::metadata(project.path("data/d.db")).unwrap().len();
    assert_eq!((verify.things, verify.bytes), (10, raw_bytes + size("remote")));
    assert_eq!((verify.covered_things, verify.covered_bytes), (verify.things, verify.bytes));
    assert!(verify.changed.is_empty() && verify.damaged.is_empty());
    let of_remote: Verify = project.data(&["verify", "--remote", "origin", "--format", "json"]).document();
    assert_eq!((of_remote.things, of_remote.bytes), (5, size("remote")));
    assert!(of_remote.remote.is_some_and(|remote| remote.starts_with("origin (")));
}

#[test]
fn what_is_damaged_is_named_and_repaired() {
    let project = Project::pushed();
    // So that sizes and times of files tell.
    std::thread::sleep(Duration::from_millis(1100));
    project.data(&["verify"]).succeeds();
    let before = project.tree().without_notes();
    flip(&project, &project.blob_of("m-1", "data/.blobs"), 30);
    flip(&project, &project.path("data/set/N/o-1/a.ndjson"), 60);
    project.write("data/set/M/m-2/a.ndjson", record("m", ",\"index\":3"));
    insta::assert_snapshot!(project.shown(project.data(&["verify"])), @"
    exit code 1
    ----- stdout
    damaged                place                                                                          damage                               repaired
    cohort set/M, run m-1  data/.blobs/[m-1]  its bytes are not those of its name  no
    ----- stderr
    note: data/set/M/m-2 has changed since it was pushed
    note: data/set/N/o-1 has changed since it was pushed
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    note: what has changed: `data push` keeps it, `data pull --force` brings back what was pushed
    note: `data verify --repair` fetches good copies
    ");
    let document: Verify = project.data(&["verify", "--format", "json"]).document();
    assert_eq!(document.changed, ["data/set/M/m-2", "data/set/N/o-1"]);
    let damaged = &document.damaged[0];
    assert_eq!((document.damaged.len(), damaged.what.as_str()), (1, "cohort set/M, run m-1"));
    assert!(damaged.place.starts_with("data/.blobs/") && !damaged.repaired, "{damaged:?}");
    assert_eq!(damaged.damage, "its bytes are not those of its name");
    insta::assert_snapshot!(project.shown(project.data(&["verify", "--repair"])), @"
    exit code 1
    ----- stdout
    damaged                place                                                                          damage                               repaired
    cohort set/M, run m-1  data/.blobs/[m-1]  its bytes are not those of its name  yes
    ----- stderr
    note: data/set/M/m-2 has changed since it was pushed
    note: data/set/N/o-1 has changed since it was pushed
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    note: what has changed: `data push` keeps it, `data pull --force` brings back what was pushed
    ");
    // What somebody has changed is theirs.
    let after = project.tree().without_notes();
    let differing = after.differences(&before);
    assert_eq!(differing.len(), 2, "{differing:?}");
    assert!(differing[0].starts_with("data/set/M/m-2/a.ndjson") && differing[1].starts_with("data/set/N/o-1/a.ndjson"));
}

#[test]
fn damage_that_has_no_good_copy_stays_as_it_is() {
    let project = Project::pushed();
    let (here, there) = (project.blob_of("m-1", "data/.blobs"), project.blob_of("m-1", "remote"));
    flip(&project, &here, 30);
    fs_err::remove_file(&there).unwrap();
    let before = project.tree().without_notes();
    insta::assert_snapshot!(project.shown(project.data(&["verify", "--repair"])), @"
    exit code 1
    ----- stdout
    damaged                place                                                                          damage                               repaired
    cohort set/M, run m-1  data/.blobs/[m-1]  its bytes are not those of its name  no
    ----- stderr
    cohort set/M, run m-1: `remote/[m-1]` is not there
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    ");
    check_same("damaged bytes are better than none", &project.tree().without_notes(), &before);
    insta::assert_snapshot!(project.shown(project.data(&["verify", "--remote"])), @"
    exit code 1
    ----- stdout
    damaged                place                                                             damage           repaired
    cohort set/M, run m-1  [m-1]  it is not there  no
    ----- stderr
    note: 5 of 5 things verified in origin (remote), 1.75 kB of 1.75 kB; damaged: 1
    ");
    // A store that somebody made room in by hand is no damage: status tells what is missing.
    fs_err::remove_file(&here).unwrap();
    project.data(&["verify"]).succeeds();
}

#[test]
fn a_blob_of_a_remote_with_other_bytes() {
    let project = Project::pushed();
    flip(&project, &project.blob_of("o-1", "remote"), 30);
    insta::assert_snapshot!(project.shown(project.data(&["verify", "data/set/N", "--remote"])), @"
    exit code 1
    ----- stdout
    damaged                place                                                             damage                                                                                                      repaired
    cohort set/N, run o-1  [o-1]  its bytes are wrong: they have the hash `[hash]`  no
    ----- stderr
    note: 1 of 1 things verified in origin (remote), 339 B of 339 B; damaged: 1
    ");
}

#[test]
fn blobs_that_the_manifest_does_not_name_are_verified_too() {
    let project = Project::pushed();
    project.write("data/.blobs/00/11111111111111111111111111111111111111111111111111111111111111", "not it");
    project.write("data/.blobs/README", "a stranger");
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 1
    ----- stdout
    damaged              place                                                                          damage                               repaired
    not in the manifest  data/.blobs/00/11111111111111111111111111111111111111111111111111111111111111  its bytes are not those of its name  no
    ----- stderr
    note: 11 of 11 things verified, 11.75 kB of 11.75 kB; damaged: 1
    note: `data verify --repair` fetches good copies
    ");
    // Of a cohort only its own.
    project.data(&["verify", "data/set/M"]).succeeds();
}

#[test]
fn parts_cover_everything_once_and_time_is_kept() {
    let project = Project::pushed();
    let parts = |remote: &[&str]| -> (u64, u64) {
        let part = |number: u32| -> Verify {
            let part = format!("{number}/3");
            project.data(&[&["verify", "--sample", &part, "--format", "json"], remote].concat()).document()
        };
        (1..=3).map(part).fold((0, 0), |sum, part| (sum.0 + part.covered_things, sum.1 + part.things))
    };
    assert_eq!((parts(&[]), parts(&["--remote"])), ((10, 10), (5, 5)));
    // No time: nothing is begun, and that is told.
    insta::assert_snapshot!(project.data(&["verify", "--budget", "0s"]), @"
    exit code 0
    ----- stderr
    note: 0 of 10 things verified, 0 B of 11.74 kB; damaged: 0
    ");
    insta::assert_snapshot!(project.data(&["verify", "--budget", "5m"]), @"
    exit code 0
    ----- stderr
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 0
    ");
}

#[test]
fn a_pass_that_was_broken_off_goes_on() {
    let project = Project::pushed();
    let keys: Vec<String> = project.blobs("data/.blobs").into_keys().map(|blob| format!("blob {blob}")).collect();
    let findings = |finding: &str| {
        let findings: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{finding}")).collect();
        let scope = "None None None";
        format!("{{\"version\":1,\"scope\":\"{scope}\",\"findings\":{{{}}}}}", findings.join(","))
    };
    project.write("data/.blobs/verify.json", findings("\"good\""));
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 0
    ----- stderr
    note: going on: 5 of 10 things were verified before
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 0
    ");
    assert!(!project.path("data/.blobs/verify.json").exists());
    // What was damaged then may be good by now.
    project.write("data/.blobs/verify.json", findings("{\"damaged\":\"it was\"}"));
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 0
    ----- stderr
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 0
    ");
    // A part of another question, or a file that says nothing, is no part of this one.
    for text in ["", "{}", &findings("\"good\"").replace("None None", "other"), &findings("3")] {
        project.write("data/.blobs/verify.json", text);
        assert!(!project.data(&["verify"]).succeeds().stderr.contains("going on"));
    }
}

#[test]
fn wrong_input() {
    let project = Project::pushed();
    let before = project.tree();
    let verify = |arguments: &[&str]| project.shown(project.data(&[&["verify"], arguments].concat()));
    insta::assert_snapshot!(verify(&["data/set/X"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json has no blobs of cohort `set/X`
    hint: did you mean `set/M` or `set/N`?
    ");
    insta::assert_snapshot!(verify(&["data/e.json"]), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/e.json`
    hint: there are `data/d.json`
    ");
    insta::assert_snapshot!(verify(&["--data", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere`
    hint: name the folder of the manifest with `--data DIR`
    ");
    insta::assert_snapshot!(verify(&["--remote", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(verify(&["--remote", "origin", "--repair"]), @"
    exit code 2
    ----- stderr
    error: what is damaged in a remote cannot be repaired from it
    hint: where the blobs here are good, remove the remote's and push again
    ");
    insta::assert_snapshot!(verify(&["--sample", "8/7"]), @"
    exit code 2
    ----- stderr
    error: invalid value '8/7' for '--sample <N/OF>': a part is written `1/7`: the first of seven

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(verify(&["--budget", "60"]), @"
    exit code 2
    ----- stderr
    error: invalid value '60' for '--budget <TIME>': a time is written `60s`, `5m` or `1h`

    For more information, try '--help'.
    ");
    check_same("nothing was done", &project.tree(), &before);
    project.data(&["remote", "remove", "origin"]).succeeds();
    insta::assert_snapshot!(verify(&["--repair"]), @"
    exit code 2
    ----- stderr
    error: data/manifest.json names no remote
    hint: data remote add origin FOLDER|URL
    ");
}

#[test]
fn a_remote_that_is_not_there_misses_nothing() {
    let project = Project::pushed();
    project.remove("remote");
    insta::assert_snapshot!(project.shown(project.data(&["verify", "--remote"])), @"
    exit code 3
    ----- stderr
    error: `remote` is not there
    ");
}
