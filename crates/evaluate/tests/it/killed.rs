//! `evaluate` that is killed, at any moment, or stopped: the old database is intact, and the next run works.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use crate::project::{DB, Project, check_same, points, record, records};

/// Kills spread over the time that a run takes.
const N_KILLS: u32 = 12;

/// A project whose database holds the points of a few records, and whose raw files hold many more: enough that a run
/// spends a while in reading, in appending and in building the index.
fn project() -> Project {
    let project = Project::with_raw(records(0..10));
    project.evaluate_d("").succeeds();
    let many: String =
        (0..60_000).map(|index| record(index, &format!(",\"params\":{{\"n\":{}}}", index % 20_000)) + "\n").collect();
    project.write("data/set/M/run/a.ndjson", many);
    project
}

fn start(project: &Project) -> Child {
    let arguments = ["--dataset", "data/d.json", "-q"];
    project.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn rows(project: &Project) -> Vec<Vec<String>> {
    points(&project.open(DB))
}

/// A moment in the life of a run, told by how long it has run or by what is on disk.
type HasCome<'a> = Box<dyn Fn(Duration) -> bool + 'a>;

/// What a run that was killed may leave beside the dataset and its database.
const LEFT_OVERS: [&str; 3] = [".d.db.lock", ".d.db.building", ".d.db.building.wal"];

/// Starts a run, kills it at a moment, and tells how long it has run if it was over before.
pub(crate) fn kill_at(project: &Project, has_come: impl Fn(Duration) -> bool) -> Option<Duration> {
    let began = Instant::now();
    let mut child = start(project);
    while !has_come(began.elapsed()) {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return Some(began.elapsed());
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    status.success().then(|| began.elapsed())
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_database_or_the_new_one() {
    let project = project();
    let old = rows(&project);
    let old_file = fs_err::read(project.path(DB)).unwrap();
    let began = Instant::now();
    assert!(start(&project).wait().unwrap().success());
    let mut duration = began.elapsed();
    let new = rows(&project);
    assert!(old.len() < 10 && new.len() == 20_000, "{} {}", old.len(), new.len());

    let check = |what: &str, has_come: HasCome<'_>| {
        fs_err::write(project.path(DB), &old_file).unwrap();
        let was_over_after = kill_at(&project, &has_come);
        let found = rows(&project);
        // Killed after the new database took its place, it has done its work.
        let expected = if found.len() == old.len() { &old } else { &new };
        check_same(what, &found, expected);
        let is_known = |name: &&str| ["d.db", "d.json"].contains(name) || LEFT_OVERS.contains(name);
        let names = project.files_in("data");
        assert!(names.iter().map(String::as_str).all(|name| is_known(&name)), "{what}: {names:?}");
        was_over_after
    };
    let (mut n_killed, mut n_tries) = (0, 0);
    while n_killed < N_KILLS {
        n_tries += 1;
        assert!(n_tries < 10 * N_KILLS, "{n_killed} of {n_tries} runs were killed, the others had ended");
        let moment = duration * n_killed / N_KILLS;
        match check(&format!("after {moment:?}"), Box::new(move |elapsed| elapsed >= moment)) {
            None => n_killed += 1,
            // The machine was busier when the run was timed.
            Some(shorter) => duration = duration.min(shorter).mul_f64(0.9),
        }
    }
    let size_of = |name: &str| fs_err::metadata(project.path(name)).map_or(0, |metadata| metadata.len());
    // A log is there for a moment, if at all.
    let stays = |name: &str| !name.ends_with(".wal");
    for name in LEFT_OVERS {
        let was_over_after = check(name, Box::new(|_| project.path(&format!("data/{name}")).exists()));
        assert!(was_over_after.is_none() || !stays(name), "{name} was never seen");
    }
    // It is written in the last moments of a run.
    let is_seen = |_| check("a large part", Box::new(|_| size_of("data/.d.db.building") > 1 << 20)).is_none();
    assert!((0..20).any(is_seen), "a large part was never seen");

    fs_err::write(project.path(DB), &old_file).unwrap();
    project.evaluate_d("").succeeds();
    check_same("after all", &rows(&project), &new);
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
}

/// Adds a raw file that takes seconds to read: gigabytes of one record, well packed.
fn add_much_to_read(project: &Project) {
    let line = record(0, &format!(",\"response\":\"{}\"", "x".repeat(20_000))) + "\n";
    let frame = zstd::encode_all(line.repeat(1000).as_bytes(), 1).unwrap();
    project.write("data/set/M/run/b.ndjson.zst", frame.repeat(200));
}

/// Waits until a run has begun its database.
fn wait_until_it_builds(project: &Project, child: &mut Child) {
    while !project.path("data/.d.db.building").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended and nothing was seen of it");
        std::thread::yield_now();
    }
}

#[test]
fn the_first_run_killed_leaves_no_database() {
    let project = project();
    fs_err::remove_file(project.path(DB)).unwrap();
    add_much_to_read(&project);
    let mut child = start(&project);
    wait_until_it_builds(&project, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!project.path(DB).exists());
    fs_err::remove_file(project.path("data/set/M/run/b.ndjson.zst")).unwrap();
    project.evaluate_d("").succeeds();
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
}

/// Ctrl-C and SIGTERM: within a second it says so, tidies up, and leaves the old database.
#[test]
fn a_run_that_is_stopped_tidies_up() {
    let project = project();
    let cached = r#"{"name": "d", "db": "d.db", "cache": ".cache", "cohorts": [{"path": "set/M"}]}"#;
    project.write("data/d.json", cached);
    let old = rows(&project);
    add_much_to_read(&project);
    for signal in ["INT", "TERM"] {
        let mut command = project.command(["--dataset", "data/d.json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until_it_builds(&project, &mut child);
        let pid = child.id().to_string();
        let began = Instant::now();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(began.elapsed() < Duration::from_secs(1), "{signal}: {:?}", began.elapsed());
        assert_eq!(output.status.code(), Some(3), "{signal}: {:?}", output.status);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, "error: stopped before the end; the database is as it was\n", "{signal}");
        assert_eq!(project.files_in("data"), ["d.db", "d.json"], "{signal}");
        check_same(signal, &rows(&project), &old);
        // It may have noted what the files are, and no results of what it has not read to the end.
        let kept = WalkDir::new(project.path("data/.cache")).into_iter().flatten();
        let files: Vec<_> = kept.filter(|item| item.file_type().is_file()).collect();
        assert!(files.iter().all(|file| file.file_name() == "index.json"), "{files:?}");
    }
}

/// A second, and more where making rows of samples is not optimised.
const LONGEST_STOP: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });

/// Stopped while rows are appended, indexed and written, which reads nothing any more.
#[test]
fn a_run_that_is_stopped_while_it_writes_tidies_up() {
    let project = project();
    let old = rows(&project);
    let old_file = fs_err::read(project.path(DB)).unwrap();
    let many: String =
        (0..60_000).map(|index| record(index, &format!(",\"params\":{{\"n\":{index}}}")) + "\n").collect();
    project.write("data/set/M/run/a.ndjson", many);
    let began = Instant::now();
    assert!(start(&project).wait().unwrap().success());
    let mut duration = began.elapsed();
    let parts = [0.5, 0.6, 0.7, 0.8, 0.9];
    let (mut n_stopped, mut n_tries) = (0, 0);
    while n_stopped < parts.len() {
        n_tries += 1;
        assert!(n_tries < 50, "{n_stopped} of {n_tries} runs were stopped, the others had ended");
        fs_err::write(project.path(DB), &old_file).unwrap();
        let started = Instant::now();
        let mut child = start(&project);
        std::thread::sleep(duration.mul_f64(parts[n_stopped]));
        let pid = child.id().to_string();
        let began = Instant::now();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        let what = format!("after {} of {duration:?}: {status}", parts[n_stopped]);
        assert!(began.elapsed() < LONGEST_STOP, "{what}: {:?}", began.elapsed());
        assert_eq!(project.files_in("data"), ["d.db", "d.json"], "{what}");
        if status.code() == Some(3) {
            n_stopped += 1;
            check_same(&what, &rows(&project), &old);
        } else {
            assert_eq!((status.code(), rows(&project).len()), (Some(0), 60_000), "{what}");
            // The machine was busier when the run was timed.
            duration = duration.min(started.elapsed()).mul_f64(0.9);
        }
    }
}

#[test]
fn a_reader_goes_on_with_the_old_database() {
    let project = project();
    let old = rows(&project);
    let reader = project.open(DB);
    project.evaluate_d("").succeeds();
    check_same("the reader's", &points(&reader), &old);
    drop(reader);
    assert_eq!(rows(&project).len(), 20_000);
}

/// A reader that opens the database while it is rebuilt, again and again, sees one of the two, whole.
#[test]
fn readers_are_never_in_the_way() {
    let project = project();
    let old = rows(&project).len();
    let mut seen = vec![old];
    let mut child = start(&project);
    let status = loop {
        let status = child.try_wait().unwrap();
        let connection = project.open(DB);
        let n_points = connection.query_row("SELECT count(*) FROM points", [], |row| row.get::<_, usize>(0)).unwrap();
        if seen.last() != Some(&n_points) {
            seen.push(n_points);
        }
        if let Some(status) = status {
            break status;
        }
    };
    assert!(status.success(), "{status}");
    assert_eq!(seen, [old, 20_000]);
}
