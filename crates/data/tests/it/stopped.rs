//! Ctrl-C: what is under way ends within a second, says so, and the same command goes on.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::project::{Project, Run, check_same, record, signal, wait_until};
use crate::remotes::faulty_server::{Fault, FaultyServer};

/// Stops a process, and checks how it ends.
#[track_caller]
fn check_stopped(child: Child, by: Signal) {
    signal(&child, by);
    let began = Instant::now();
    let run = Run::ended(child.wait_with_output().unwrap());
    let elapsed = began.elapsed();
    assert_eq!(
        run.to_string(),
        "exit code 3\n----- stderr\nerror: stopped before the end\nhint: run the same again, and it goes on where it stopped\n"
    );
    assert!(elapsed < Duration::from_secs(1), "it took {elapsed:?} to stop");
}

/// A project with a run that takes a while to pack.
fn project() -> Project {
    let project = Project::small();
    let records: String = (0..200_000).map(|index| record("o", &format!(",\"index\":{index}"))).collect();
    project.write("data/set/N/o-2/a.ndjson", records.repeat(12));
    project
}

fn has_files(project: &Project, folder: &str) -> bool {
    fs_err::read_dir(project.path(folder)).is_ok_and(|items| items.flatten().next().is_some())
}

#[test]
fn a_push_that_packs() {
    let project = project();
    for by in [Signal::INT, Signal::TERM] {
        let child = project.start(&["push", "cohort", "data/set/N"]);
        wait_until("a blob is being packed", || has_files(&project, "data/.blobs/.partial"));
        check_stopped(child, by);
        assert!(!has_files(&project, "data/.blobs/.partial") && !has_files(&project, "remote"));
    }
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    project.data(&["verify", "--remote"]).succeeds();
}

#[test]
fn a_pull_that_unpacks() {
    let project = project();
    project.data(&["push", "dataset", "data/d.json", "--raw"]).succeeds();
    let before = project.tree().without_notes();
    project.remove_untracked();
    let child = project.start(&["pull", "cohort", "data/set/N"]);
    wait_until("a run is being unpacked", || project.path("data/set/N/.o-2.extracting").exists());
    check_stopped(child, Signal::INT);
    let tree = project.tree();
    let left: Vec<&str> = tree.paths().filter(|path| path.starts_with("data/set/N/.")).collect();
    assert!(left.is_empty(), "{left:?}");
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    check_same("in the end", &project.tree().without_notes(), &before);
}

/// All was pushed, and the remote is a web server that stops to answer after so many bytes.
fn with_server(faults: &[Fault]) -> (Project, FaultyServer) {
    let project = Project::pushed();
    let name = |name: String| format!("{}/{}", &name[..2], &name[2..]);
    let blobs = project.blobs("remote");
    let server =
        FaultyServer::new(blobs.into_iter().map(|(blob, path)| (name(blob), fs_err::read(path).unwrap())), faults);
    project.data(&["remote", "add", "origin", &server.url()]).succeeds();
    (project, server)
}

#[test]
fn what_waits_for_a_server() {
    let faults = [vec![Fault::StallsAfter(20); 20], vec![Fault::None]].concat();
    let (project, server) = with_server(&faults);
    project.remove_untracked();
    for arguments in [&["pull", "cohort", "data/set/M"][..], &["verify", "--remote"]] {
        let n_before = server.seen().len();
        let child = project.start(arguments);
        wait_until("the server is asked", || server.seen().len() > n_before);
        std::thread::sleep(Duration::from_millis(50));
        check_stopped(child, Signal::INT);
    }
    // What came is kept, and the rest is fetched.
    let partials = fs_err::read_dir(project.path("data/.blobs/.partial")).unwrap().count();
    assert!(partials > 0);
    drop(server);
    project.data(&["remote", "add", "origin", "../remote"]).succeeds();
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    assert!(!has_files(&project, "data/.blobs/.partial"));
    project.data(&["verify"]).succeeds();
}
