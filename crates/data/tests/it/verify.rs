//! `data verify`: every byte of what is here, or of what a remote has.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rs_core::pack;
use serde::Deserialize;
use serde_json::Value;

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
    absent: Vec<String>,
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
    // A folder of cohorts, or all of them.
    for (folder, n_things) in [("data/set", 8), ("data/set/", 8), ("data", 10)] {
        let told = project.data(&["verify", folder]).succeeds().stderr;
        assert!(told.starts_with(&format!("note: {n_things} of {n_things} things verified")), "{folder}: {told}");
    }
    // Nothing here yet.
    project.remove_untracked();
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 0
    ----- stderr
    note: not here, neither as files nor as blobs: 5 (cohort set/M, run m-1, cohort set/M, run m-2, cohort set/M, run n-1 and 2 more)
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
    assert!(verify.changed.is_empty() && verify.damaged.is_empty() && verify.absent.is_empty());
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
    found    what                   blob          how                                  repaired
    damaged  cohort set/M, run m-1  27c09cefd493  its bytes are not those of its name  no
    changed  data/set/M/m-2         -             since it was pushed                  no
    changed  data/set/N/o-1         -             since it was pushed                  no
    ----- stderr
    data/set/M/m-2 has changed since it was pushed
    data/set/N/o-1 has changed since it was pushed
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    note: what has changed: `data push` keeps it; a run folder that is moved away comes back as it was pushed with `data pull cohort DIR`
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
    found    what                   blob          how                                  repaired
    damaged  cohort set/M, run m-1  27c09cefd493  its bytes are not those of its name  yes
    changed  data/set/M/m-2         -             since it was pushed                  no
    changed  data/set/N/o-1         -             since it was pushed                  no
    ----- stderr
    data/set/M/m-2 has changed since it was pushed
    data/set/N/o-1 has changed since it was pushed
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    note: what has changed: `data push` keeps it; a run folder that is moved away comes back as it was pushed with `data pull cohort DIR`
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
    found    what                   blob          how                                  repaired
    damaged  cohort set/M, run m-1  27c09cefd493  its bytes are not those of its name  no
    ----- stderr
    cohort set/M, run m-1: `remote/[m-1]` is not there
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    ");
    check_same("damaged bytes are better than none", &project.tree().without_notes(), &before);
    insta::assert_snapshot!(project.shown(project.data(&["verify", "--remote"])), @"
    exit code 1
    ----- stdout
    found    what                   blob          how              repaired
    damaged  cohort set/M, run m-1  27c09cefd493  it is not there  no
    ----- stderr
    note: 5 of 5 things verified in origin (remote), 1.75 kB of 1.75 kB; damaged: 1
    note: `data verify --remote --repair` sends the good copies that are here
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
    found    what                   blob          how                                                                                                         repaired
    damaged  cohort set/N, run o-1  2f22ee295598  its bytes are wrong: they have the hash `[hash]`  no
    ----- stderr
    note: 1 of 1 things verified in origin (remote), 339 B of 339 B; damaged: 1
    note: `data verify --remote --repair` sends the good copies that are here
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
    found    what                 blob          how                                  repaired
    damaged  not in the manifest  001111111111  its bytes are not those of its name  no
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

/// What a pass over everything has left that was broken off after the blobs, so many hours ago.
fn broken_off(project: &Project, scope: &str, hours: u64) -> String {
    #[expect(clippy::disallowed_methods, reason = "a pass is good for a day")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let at_nanos = now - u128::from(hours) * 3_600_000_000_000;
    let good = project.blobs("data/.blobs").into_iter().map(|(blob, path)| {
        let fingerprint = pack::fingerprint(&[pack::list_file(&path).unwrap()]);
        format!("\"blob {blob}\":{{\"fingerprint\":\"{fingerprint}\",\"at_nanos\":{at_nanos}}}")
    });
    let good: Vec<String> = good.collect();
    format!("{{\"version\":2,\"scope\":\"{scope}\",\"good\":{{{}}}}}", good.join(","))
}

#[test]
fn a_pass_that_was_broken_off_goes_on() {
    let project = Project::pushed();
    let everything = "None None None";
    std::thread::sleep(Duration::from_millis(50));
    project.write("data/.blobs/verify.json", broken_off(&project, everything, 23));
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 0
    ----- stderr
    note: going on: 5 of 10 things were verified before
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 0
    ");
    assert!(!project.path("data/.blobs/verify.json").exists());
    // What has changed in between is hashed again, whatever the times say.
    project.write("data/.blobs/verify.json", broken_off(&project, everything, 0));
    let blob = project.blob_of("o-1", "data/.blobs");
    flip(&project, &blob, 30);
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 1
    ----- stdout
    found    what                   blob          how                                  repaired
    damaged  cohort set/N, run o-1  2f22ee295598  its bytes are not those of its name  no
    ----- stderr
    note: going on: 4 of 10 things were verified before
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    note: `data verify --repair` fetches good copies
    ");
    flip(&project, &blob, 30);
    // What was good yesterday, a part of another question, or a file that says nothing, is no part of this one.
    let files = [broken_off(&project, everything, 25), broken_off(&project, "other", 0), String::new(), "{}".into()];
    for file in files {
        project.write("data/.blobs/verify.json", file);
        assert!(!project.data(&["verify"]).succeeds().stderr.contains("going on"));
    }
}

/// A pass that is stopped keeps what it has found.
#[test]
fn a_pass_keeps_what_it_has_found() {
    let project = Project::pushed();
    std::thread::sleep(Duration::from_millis(50));
    // What cannot be begun in no time stays to be done.
    project.data(&["verify", "--budget", "0s"]).succeeds();
    assert!(!project.path("data/.blobs/verify.json").exists());
    let good = broken_off(&project, "None None None", 0);
    project.write("data/.blobs/verify.json", &good);
    project.data(&["verify", "--budget", "0s"]).succeeds();
    let kept = fs_err::read_to_string(project.path("data/.blobs/verify.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), serde_json::from_str::<Value>(&good).unwrap());
}

#[test]
fn a_pass_that_cannot_be_noted_tells_what_it_has_found() {
    let project = Project::pushed();
    flip(&project, &project.blob_of("m-1", "data/.blobs"), 30);
    project.write("data/.blobs/verify.json", "{}");
    fs_err::create_dir(project.path("data/.blobs/.lock")).unwrap();
    insta::assert_snapshot!(project.data(&["verify"]), @"
    exit code 1
    ----- stdout
    found    what                   blob          how                                  repaired
    damaged  cohort set/M, run m-1  27c09cefd493  its bytes are not those of its name  no
    ----- stderr
    note: 10 of 10 things verified, 11.74 kB of 11.74 kB; damaged: 1
    warning: what was verified cannot be noted, so a pass that is broken off begins anew: failed to open file `data/.blobs/.lock`: Is a directory (os error 21)
    note: `data verify --repair` fetches good copies
    ");
    project.remove("data/.blobs/verify.json");
    assert!(!project.data(&["verify"]).stderr.contains("cannot be noted"), "there is nothing to note");
}

#[test]
fn quietly() {
    let project = Project::pushed();
    project.write("data/set/M/m-2/a.ndjson", record("m", ",\"index\":3"));
    project.write("data/d.db", "another database");
    insta::assert_snapshot!(project.data(&["verify", "-q", "--format", "csv"]), @"
    exit code 1
    ----- stdout
    found,what,blob,how,repaired
    changed,data/set/M/m-2,-,since it was pushed,no
    changed,data/d.db,-,since it was pushed,no
    ----- stderr
    data/set/M/m-2 has changed since it was pushed
    data/d.db has changed since it was pushed
    ");
}

#[test]
fn a_blob_of_a_remote_is_sent_again() {
    let project = Project::pushed();
    let before = project.tree().without_notes();
    flip(&project, &project.blob_of("o-1", "remote"), 30);
    fs_err::remove_file(project.blob_of("m-1", "remote")).unwrap();
    let repair = || project.data(&["verify", "--remote", "--repair"]);
    insta::assert_snapshot!(repair().without(&[(project.path("").to_str().unwrap(), "[project]")]), @"
    exit code 0
    ----- stdout
    found    what                   blob          how                                                                                                         repaired
    damaged  cohort set/M, run m-1  27c09cefd493  it is not there                                                                                             yes
    damaged  cohort set/N, run o-1  2f22ee295598  its bytes are wrong: they have the hash `8eb5aecca0d37b9b0f3fe5375b67cadb143e811cf01c8971de7a10431dc61935`  yes
    ----- stderr
    note: 5 of 5 things verified in origin (remote), 1.75 kB of 1.75 kB; damaged: 2
    ");
    check_same("all is good", &project.tree().without_notes(), &before);
    // Nothing damaged is sent.
    flip(&project, &project.blob_of("o-1", "remote"), 30);
    flip(&project, &project.blob_of("o-1", "data/.blobs"), 31);
    let before = project.tree().without_notes();
    let run = repair();
    assert!(run.code == Some(1) && run.stderr.contains("no good copy of the blob is here"), "{run}");
    check_same("nothing is sent", &project.tree().without_notes(), &before);
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
    insta::assert_snapshot!(verify(&["--remote", "data/set/N"]), @"
    exit code 2
    ----- stderr
    error: no remote `data/set/N` in data/manifest.json
    hint: `data/set/N` is a path: it goes before `--remote`
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
