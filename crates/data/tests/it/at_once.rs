//! Several `data` at once: one works, the others say who does, and nothing that one wrote is lost.

use std::process::Child;

use rustix::process::Signal;

use crate::project::{Project, Run, check_same, entry, record, signal, wait_until};

/// A project with a run that takes a while to pack.
fn project() -> Project {
    let project = Project::small();
    project.write("data/set/N/o-2/a.ndjson", record("o", "").repeat(1_000_000));
    project
}

/// Starts a push, and holds it in the middle of its work.
fn held(project: &Project) -> Child {
    let child = project.start(&["push", "cohort", "data/set/N", "-q"]);
    let partial = project.path("data/.blobs/.partial");
    wait_until("a blob is being packed", || {
        fs_err::read_dir(&partial).is_ok_and(|items| items.flatten().next().is_some())
    });
    signal(&child, Signal::STOP);
    child
}

/// Lets a held process go on to its end.
#[track_caller]
fn release(child: Child) {
    signal(&child, Signal::CONT);
    Run::ended(child.wait_with_output().unwrap()).succeeds();
}

#[test]
fn who_holds_the_lock_is_told() {
    let project = project();
    let first = held(&project);
    let pid = first.id().to_string();
    let before = project.tree();
    let run = |arguments: &[&str]| project.data(arguments).without(&[(&pid, "[pid]")]);
    insta::assert_snapshot!(run(&["push", "cohort", "data/set/M"]), @"
    exit code 3
    ----- stderr
    error: process [pid] is changing `data`
    hint: wait until it is done, then run the same again
    ");
    let other = run(&["push", "cohort", "data/set/M"]);
    for arguments in [
        &["push", "cohort", "data/set/N"][..],
        &["push", "dataset", "data/d.json"],
        &["gc"],
        &["verify", "--repair"],
        &["remote", "add", "other", "../other"],
        &["remote", "remove", "origin"],
    ] {
        assert_eq!(run(arguments), other, "{arguments:?}");
    }
    // What only looks is in nobody's way.
    for arguments in [&["status"][..], &["gc", "--dry-run"], &["remote", "list"], &["ls"], &["verify"]] {
        let run = run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}: {run}");
    }
    check_same("nothing was changed", &project.tree(), &before);
    release(first);
    project.data(&["push", "cohort", "data/set/M"]).succeeds();
    project.data(&["verify"]).succeeds();
    project.data(&["diff"]).succeeds();
}

#[test]
fn a_pull_says_so_too() {
    let project = Project::pushed();
    project.write("data/set/N/o-2/a.ndjson", record("o", "").repeat(1_000_000));
    let first = held(&project);
    let pid = first.id().to_string();
    project.remove("data/set/M/m-1");
    let pull = || project.data(&["pull", "cohort", "data/set/M"]);
    insta::assert_snapshot!(pull().without(&[(&pid, "[pid]")]), @"
    exit code 3
    ----- stderr
    error: process [pid] is changing `data`
    hint: wait until it is done, then run the same again
    ");
    project.data(&["pull", "cohort", "data/set/M", "--dry-run"]).succeeds();
    release(first);
    pull().succeeds();
}

#[test]
fn a_lock_of_a_killed_process_is_nobodys() {
    let project = project();
    let mut first = held(&project);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(project.path("data/.blobs/.lock").exists());
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    assert!(!project.path("data/.blobs/.lock").exists());
}

/// Cohorts are pushed at once, each again and again until it is its turn; garbage is collected meanwhile.
#[test]
fn no_update_of_the_manifest_is_lost() {
    let project = Project::small();
    let cohorts: Vec<String> = (0..8).map(|cohort| format!("data/set/C{cohort}")).collect();
    for (position, cohort) in cohorts.iter().enumerate() {
        let model = format!("model-{position}");
        project.write(&format!("{cohort}/evals.json"), format!("[{}]", entry(&model, &format!("{cohort}/r-*/*"), "")));
        for run in 0..3 {
            project.write(&format!("{cohort}/r-{run}/a.ndjson"), record(&model, &format!(",\"index\":{run}")));
        }
    }
    let again = |arguments: &[&str]| {
        for _ in 0..100 {
            let run = project.data(arguments);
            match run.code {
                Some(0) => return,
                Some(3) => assert!(run.stderr.starts_with("error: process "), "{run}"),
                _ => panic!("{run}"),
            }
        }
        panic!("{arguments:?}: it was never its turn");
    };
    std::thread::scope(|scope| {
        for cohort in &cohorts {
            scope.spawn(|| again(&["push", "cohort", cohort]));
        }
        scope.spawn(|| (0..5).for_each(|_| again(&["gc"])));
        scope.spawn(|| again(&["remote", "add", "other", "../other"]));
    });
    let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    for position in 0..cohorts.len() {
        assert!(manifest.contains(&format!("\"cohort\":\"set/C{position}\"")), "{manifest}");
    }
    assert!(manifest.contains("../other"));
    assert_eq!((project.blobs("data/.blobs").len(), project.blobs("remote").len()), (24, 24));
    project.data(&["verify"]).succeeds();
    project.data(&["diff", "origin"]).succeeds();
}
