//! Runs that are killed, at any moment, or stopped: no record is lost, and the next run goes on.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{RESCORE, write_config};
use crate::project::{Project, record};

/// Kills spread over the time that a run takes.
const N_KILLS: u32 = 20;

/// Raw files, small and large, on which every step has something to do.
fn project() -> Project {
    let project = Project::small();
    write_config(&project, r"['(\d+)']");
    let padding = "x".repeat(300);
    for file in 0..12 {
        let lines: String = (0..if file == 0 { 8_000 } else { 400 })
            .map(|line| {
                let index = line % 300 + file * 1000;
                let more = format!(",\"index\":{index},\"response\":\"{line} {padding}\",\"reference\":{index}");
                record("m", &more)
            })
            .collect();
        project.write(&format!("data/set/M/run/{file:02}.ndjson"), lines);
    }
    project
}

fn start(project: &Project) -> Child {
    let mut command = project.command("", &["postprocess", "data/set/M", "--dedupe", "--compress", "-q"]);
    command.args(RESCORE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What records there are, decoded, whatever their files' names; hidden files left out.
fn content(tree: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let is_raw = |name: &&String| name.contains("/run/") && !name.contains("/.");
    let names = tree.keys().filter(is_raw);
    names
        .map(|name| match name.strip_suffix(".zst") {
            Some(plain) => (plain.to_owned(), zstd::decode_all(&*tree[name]).unwrap()),
            None => (name.clone(), tree[name].clone()),
        })
        .collect()
}

#[test]
fn a_kill_at_any_moment_loses_nothing() {
    let project = project();
    let old = project.tree();
    let began = Instant::now();
    assert!(start(&project).wait().unwrap().success());
    let duration = began.elapsed();
    let done = project.tree();
    let names: Vec<String> = content(&old).into_keys().collect();
    for kill in 0..N_KILLS {
        done.keys().chain(old.keys()).for_each(|name| drop(fs_err::remove_file(project.path(name))));
        old.iter().for_each(|(name, bytes)| project.write(name, bytes));
        let moment = duration * kill / N_KILLS;
        let mut child = start(&project);
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        let left = project.tree();
        let found: Vec<String> = content(&left).into_keys().collect();
        assert_eq!(found, names, "{moment:?}: {:?}", left.keys());
        assert!(start(&project).wait().unwrap().success(), "{moment:?}");
        assert!(project.tree() == done, "{moment:?}: {:?}", project.tree().keys());
    }
}

/// Ctrl-C: it says so within a second, and leaves no file of its own.
#[test]
fn a_run_that_is_stopped_tidies_up() {
    let project = project();
    // Gigabytes of one record, well packed.
    let line = record("m", &format!(",\"response\":\"{}\"", "x".repeat(20_000)));
    let frame = zstd::encode_all(line.repeat(1000).as_bytes(), 1).unwrap();
    project.write("data/set/M/run/z.ndjson.zst", frame.repeat(200));
    for step in ["--dedupe", "--compress"] {
        let before = content(&project.tree().into_iter().filter(|(name, _)| !name.contains("z.nd")).collect());
        let mut command = project.command("", &["postprocess", "data/set/M", step, "-q"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let is_at_work = || project.path("data/set/M/.postprocess.lock").exists();
        while !is_at_work() {
            assert_eq!(child.try_wait().unwrap(), None, "it has ended and nothing was seen of it");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(300));
        let began = Instant::now();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert!(stderr.starts_with("error: stopped before the end"), "{stderr}");
        let after = project.tree();
        assert!(after.keys().all(|name| !name.contains("/.")), "{:?}", after.keys());
        let after = content(&after.into_iter().filter(|(name, _)| !name.contains("z.nd")).collect());
        assert!(after.keys().eq(before.keys()));
    }
}
