//! A full disk: what was under way says so and ends, and once there is room the same command finishes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::project::{Project, Run, Tree, check_same, record};

/// A small disk in a folder of the test's own, until it is dropped.
struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Mounts one. Not everybody may; CI must.
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "whether this is CI; why nothing was tested")]
    fn mount(place: PathBuf, options: &str) -> Option<Self> {
        fs_err::create_dir_all(&place).unwrap();
        if run_mount(&["-t", "tmpfs", "-o", options, "tmpfs"], &place) {
            return Some(Self { place });
        }
        assert!(std::env::var_os("CI").is_none(), "CI is set, and no disk can be mounted: tests must run as root");
        eprintln!("nothing is tested: no disk can be mounted, which takes root");
        None
    }

    fn make_room(&self) {
        assert!(run_mount(&["-o", "remount,size=64m,nr_inodes=0"], &self.place));
    }
}

fn run_mount(arguments: &[&str], place: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(arguments).arg(place).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be unmounted now goes with its last user.
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
    }
}

/// A project whose cohort set/N has a run of 3 MB that do not shrink, and set/M many small ones.
fn project() -> Project {
    let project = Project::small();
    let mut random = fastrand::Rng::with_seed(8);
    let response: String = std::iter::repeat_with(|| random.alphanumeric()).take(3 << 20).collect();
    project.write("data/set/N/o-1/a.ndjson", record("o", &format!(",\"response\":\"{response}\"")));
    for run in 0..60 {
        for file in 0..5 {
            let index = run * 10 + file;
            project.write(&format!("data/set/M/m-{run}/{file}.ndjson"), record("m", &format!(",\"index\":{index}")));
        }
    }
    project
}

/// A message with the sizes and names that differ from one time to the next made the same.
fn plain(project: &Project, run: Run) -> Run {
    let run = project.shown(run);
    let mut stderr = String::new();
    for line in run.stderr.lines() {
        let line = match line.split_once("/.partial/new-") {
            Some((before, after)) => format!("{before}/.partial/new-[random]{}", &after[6..]),
            None => line.to_owned(),
        };
        stderr.push_str(&line);
        stderr.push('\n');
    }
    Run { stderr, ..run }
}

#[test]
fn push_with_no_room_in_the_store() {
    let project = project();
    let Some(disk) = Disk::mount(project.path("data/.blobs"), "size=1m") else { return };
    insta::assert_snapshot!(plain(&project, project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 3
    ----- stderr
    error: failed to write to file `[project]/data/.blobs/.partial/new-[random]`: No space left on device (os error 28)
    hint: make room, then run the same again
    ");
    assert_eq!(project.blobs("data/.blobs").len(), 0);
    let left: Vec<String> = Tree::of(&project.path("data/.blobs")).paths().map(str::to_owned).collect();
    assert_eq!(left, [".partial/"]);
    disk.make_room();
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    project.data(&["verify"]).succeeds();
    project.data(&["verify", "--remote"]).succeeds();
}

#[test]
fn push_with_no_room_in_the_remote() {
    let project = project();
    let Some(disk) = Disk::mount(project.path("remote"), "size=1m") else { return };
    insta::assert_snapshot!(plain(&project, project.data(&["push", "cohort", "data/set/N"])), @"
    exit code 3
    ----- stderr
    cohort set/N, run o-1: `remote/[hash]`: failed to write to file `remote/55/.[hash].new`: no space left on device
    error: 1 of 1 blobs were not sent
    hint: run the same again
    ");
    assert_eq!(Tree::of(&project.path("remote")).bytes(), 0);
    let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    assert!(!manifest.contains("o-1"), "what was not stored is not named:\n{manifest}");
    disk.make_room();
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    project.data(&["verify", "--remote"]).succeeds();
}

#[test]
fn a_push_of_a_database_asks_for_room_first() {
    let project = project();
    let Some(disk) = Disk::mount(project.path("data/.blobs"), "size=1m") else { return };
    project.write("data/d.db", vec![1; 2 << 20]);
    insta::assert_snapshot!(plain(&project, project.data(&["push", "dataset", "data/d.json"])), @"
    exit code 3
    ----- stderr
    error: no room on the disk of `data/.blobs`: the packed database may need 2.10 MB, and 1.04 MB are free
    hint: make room, then run the same again
    ");
    disk.make_room();
    project.data(&["push", "dataset", "data/d.json"]).succeeds();
}

/// All pushed, and only what git tracks is here; and what there was before.
fn cloned() -> (Project, Tree) {
    let project = project();
    project.data(&["push", "dataset", "data/d.json", "--raw"]).succeeds();
    let before = project.tree().without_notes();
    project.remove_untracked();
    (project, before)
}

#[test]
fn pull_that_finds_no_room_before_it_begins() {
    let (project, before) = cloned();
    let Some(disk) = Disk::mount(project.path("data/.blobs"), "size=1m") else { return };
    insta::assert_snapshot!(plain(&project, project.data(&["pull", "cohort", "data/set/N"])), @"
    exit code 3
    ----- stderr
    error: no room on the disk of `data/.blobs`: what is fetched and unpacked may need 2.35 MB, and 1.04 MB are free
    hint: make room, then run the same again
    hint: with --no-extract run folders stay packed
    ");
    disk.make_room();
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    check_same("with room", &project.tree().without_notes(), &before);
}

#[test]
fn pull_that_runs_out_of_room_while_it_fetches() {
    let (project, before) = cloned();
    // Small blobs take more room than they have bytes.
    let Some(disk) = Disk::mount(project.path("data/.blobs"), "size=1m,nr_inodes=40") else { return };
    let run = plain(&project, project.data(&["pull", "cohort", "data/set/M"]));
    assert_eq!(run.code, Some(3), "{run}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 13, "{run}");
    for line in &lines[..10] {
        assert!(
            line.starts_with("cohort set/M, run ") && line.ends_with("No space left on device (os error 28)"),
            "{run}"
        );
    }
    assert!(lines[10].starts_with("and ") && lines[10].ends_with(" more"), "{run}");
    assert!(lines[11].starts_with("error: ") && lines[11].ends_with(" of 61 blobs were not fetched"), "{run}");
    assert_eq!(lines[12], "hint: the others are done; run the same again for these");
    disk.make_room();
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    check_same("with room", &project.tree().without_notes(), &before);
}

#[test]
fn pull_that_runs_out_of_room_while_it_unpacks() {
    let (project, before) = cloned();
    let evals = fs_err::read(project.path("data/set/M/evals.json")).unwrap();
    // Files of 80 bytes take 4,096 each.
    let Some(disk) = Disk::mount(project.path("data/set/M"), "size=512k") else { return };
    project.write("data/set/M/evals.json", evals);
    let run = plain(&project, project.data(&["pull", "cohort", "data/set/M"]));
    let (first, rest) = run.stderr.split_once('\n').unwrap();
    assert!(first.starts_with("error: ") && first.contains("data/set/M/.") && first.contains("No space left"), "{run}");
    assert_eq!((run.code, rest), (Some(3), "hint: make room, then run the same again\n"), "{run}");
    // What is there is whole.
    let tree = Tree::of(&project.path("data/set/M"));
    let hidden: Vec<&str> = tree.paths().filter(|path| path.starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
    disk.make_room();
    project.data(&["pull", "dataset", "data/d.json", "--raw"]).succeeds();
    check_same("with room", &project.tree().without_notes(), &before);
}
