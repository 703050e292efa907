//! `data push` and `data pull` killed at any moment: every name in a store and every run folder is right at once, and the
//! same command again leaves exactly what an undisturbed one would have left.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::project::{Project, Tree, check_same};

/// Kills spread over the time that a run takes.
const N_KILLS: u32 = 20;
const SEED: u64 = 3;

/// The fixtures, a remote, and a database of some size: enough for a run to spend a while in each of its steps.
fn project() -> Project {
    let (project, expected) = Project::with_fixtures();
    let mut random = fastrand::Rng::with_seed(SEED);
    let database: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(4 << 20).collect();
    project.write("data/pointsdb-r12.db", database);
    project.data(&["remote", "add", "origin", "../remote"]).succeeds();
    // In no evaluation, and so in no blob.
    let strays = expected.cohorts.iter().flat_map(|cohort| &cohort.runs).filter(|run| run.eval_ids.is_empty());
    strays.for_each(|run| project.remove(&run.path));
    project
}

/// Starts `data` and kills it after a while; tells how long it has run if it was over before.
fn kill_after(project: &Project, arguments: &[&str], moment: Duration) -> Option<Duration> {
    let began = Instant::now();
    let mut child = project.start(&[arguments, &["-q"]].concat());
    while began.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return Some(began.elapsed());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    let was_killed = child.wait_with_output().unwrap().status.signal() == Some(9);
    (!was_killed).then(|| began.elapsed())
}

/// What must hold at any moment: a blob's name is the hash of its bytes, the manifest can be read, and a run folder or
/// database that is there is whole.
#[track_caller]
fn check_at_any_moment(what: &str, project: &Project, whole: &Tree) {
    for store in ["data/.blobs", "remote"] {
        for (name, path) in project.blobs(store) {
            assert_eq!(blake3::hash(&fs_err::read(path).unwrap()).to_string(), name, "{what}: {store}");
        }
    }
    project.data(&["remote", "list"]).succeeds();
    let found = project.tree();
    for path in found.paths().filter(|path| !path.contains("/.") && !path.starts_with("remote")) {
        assert!(path == "data/manifest.json" || found.get(path) == whole.get(path), "{what}: {path}");
    }
    // A run folder is there whole, or not at all: as many files as in the end.
    let runs = whole.paths().filter(|path| path.ends_with('/') && path.matches('/').count() == 4);
    for run in runs.filter(|run| !run.contains("/.") && found.get(run).is_some()) {
        let n_files = |tree: &Tree| tree.paths().filter(|path| path.starts_with(run)).count();
        assert_eq!(n_files(&found), n_files(whole), "{what}: {run}");
    }
}

/// Kills a command at moments that are spread over its run, each time from the same start.
fn check_killed(project: &Project, arguments: &[&str], begin: impl Fn(&Project)) {
    begin(project);
    let began = Instant::now();
    project.data(arguments).succeeds();
    let mut duration = began.elapsed();
    let whole = project.tree().without_notes();
    let mut random = fastrand::Rng::with_seed(SEED);
    let (mut n_killed, mut n_tries) = (0, 0);
    while n_killed < N_KILLS {
        n_tries += 1;
        assert!(n_tries < 10 * N_KILLS, "{n_killed} of {n_tries} runs were killed, the others had ended");
        let moment = duration.mul_f64((f64::from(n_killed) + random.f64()) / f64::from(N_KILLS));
        let what = format!("{arguments:?} after {moment:?}");
        begin(project);
        match kill_after(project, arguments, moment) {
            None => n_killed += 1,
            // The machine was busier when the run was timed.
            Some(shorter) => duration = duration.min(shorter).mul_f64(0.95),
        }
        check_at_any_moment(&what, project, &whole);
        project.data(arguments).succeeds();
        check_same(&what, &project.tree().without_notes(), &whole);
    }
}

#[test]
fn a_push_killed_at_any_moment_goes_on() {
    let project = project();
    let manifest = fs_err::read(project.path("data/manifest.json")).unwrap();
    check_killed(&project, &["push", "dataset", "data/r12.json", "--raw"], |project| {
        project.remove("data/.blobs");
        project.remove("remote");
        project.write("data/manifest.json", &manifest);
    });
}

#[test]
fn a_pull_killed_at_any_moment_goes_on() {
    let project = project();
    project.data(&["push", "dataset", "data/r12.json", "--raw"]).succeeds();
    check_killed(&project, &["pull", "dataset", "data/r12.json", "--raw"], Project::remove_untracked);
}
