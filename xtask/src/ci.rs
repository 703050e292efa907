//! `cargo xtask ci`: everything that CI checks, in the order in which mistakes are cheapest.

use std::process::{Command, ExitCode};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use rs_fixtures::{DEFAULT_SEED, Scale};

use crate::{Outcome, docs, fixtures, process, python, servers, setup, workspace};

/// Real data of five models, beside a checkout that has it.
const REAL_DATA: &str = "../shared/real";

/// A step: what it is called, and what it does.
type Step<'a> = (&'static str, Box<dyn FnOnce() -> Outcome + 'a>);

pub(crate) fn run() -> Outcome {
    // What tests need of others is fetched and built meanwhile: alone, neither that nor the compiler keeps all cores busy.
    std::thread::scope(|scope| all(steps(scope.spawn(others))))
}

fn all(steps: Vec<Step<'_>>) -> Outcome {
    let mut done: Vec<(&str, Duration)> = Vec::new();
    for (name, action) in steps {
        note!("\n==> {name}");
        let began = Instant::now();
        let outcome = action();
        let took = began.elapsed();
        match outcome {
            Ok(code) if code == ExitCode::SUCCESS => done.push((name, took)),
            Ok(code) => {
                summary(&done, Some((name, took)));
                return Ok(code);
            }
            Err(error) => {
                summary(&done, Some((name, took)));
                return Err(error);
            }
        }
    }
    summary(&done, None);
    Ok(ExitCode::SUCCESS)
}

/// Brings what the tests need and cargo does not build.
fn others() -> Result<(), String> {
    servers::run().and_then(|_| python::run()).map(drop).map_err(|error| error.to_string())
}

fn steps<'a>(others: ScopedJoinHandle<'a, Result<(), String>>) -> Vec<Step<'a>> {
    let wait = || match others.join() {
        Ok(result) => Ok(result.map(|()| ExitCode::SUCCESS)?),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    vec![
        ("setup", Box::new(setup::run)),
        ("format", cargo(&["fmt", "--all", "--check"])),
        ("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])),
        // All targets, as the tests will want them: with fewer, cargo would build shared dependencies twice.
        ("build", cargo(&["build", "--workspace", "--all-targets", "--locked"])),
        ("servers, python", Box::new(wait)),
        ("fixtures", Box::new(|| fixtures::run(&small_fixtures(false)))),
        ("tracked fixtures", Box::new(tracked_fixtures)),
        ("fixtures --check", Box::new(|| fixtures::run(&small_fixtures(true)))),
        ("tests", Box::new(tests)),
        ("doc tests", cargo(&["test", "--workspace", "--doc", "--locked"])),
        ("documentation", Box::new(documentation)),
        ("docs --check", Box::new(|| docs::generate(&docs::Arguments { check: true }))),
    ]
}

fn cargo(arguments: &'static [&'static str]) -> Box<dyn FnOnce() -> Outcome> {
    Box::new(move || echoed(&mut process::cargo(arguments)))
}

fn echoed(command: &mut Command) -> Outcome {
    note!("$ {}", process::shown(command));
    process::run(command)?;
    Ok(ExitCode::SUCCESS)
}

fn small_fixtures(check: bool) -> fixtures::Arguments {
    fixtures::Arguments { scale: Scale::Small, seed: DEFAULT_SEED, check, root: None }
}

/// The dataset, config and `evals.json` files in git must be those that the generator writes.
fn tracked_fixtures() -> Outcome {
    echoed(
        Command::new("git")
            .args(["diff", "--exit-code", "--stat", "--", "data", "configs"])
            .current_dir(workspace::root()),
    )
}

/// All tests but those of the documentation; by nextest where there is one.
fn tests() -> Outcome {
    if !workspace::root().join(REAL_DATA).is_dir() {
        // Tests that pass keep what they say to themselves.
        note!("{REAL_DATA} is not there: what is tested on real data is skipped, or fails where CI is set");
    }
    let has_nextest = process::cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let n_at_once = n_tests_at_once().to_string();
    let arguments: &[&str] = if has_nextest {
        &["nextest", "run", "--workspace", "--locked", "--test-threads", &n_at_once]
    } else {
        &["test", "--workspace", "--all-targets", "--locked"]
    };
    echoed(&mut process::cargo(arguments))
}

/// One more than there are cores, because tests also wait for servers and processes: 0.86 of the time on two cores.
fn n_tests_at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |n_cores| n_cores.get() + 1)
}

fn documentation() -> Outcome {
    echoed(process::cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn summary(done: &[(&str, Duration)], failed: Option<(&str, Duration)>) {
    note!("");
    for (name, took) in done {
        note!("{:>8.1} s  passed  {name}", took.as_secs_f64());
    }
    if let Some((name, took)) = failed {
        note!("{:>8.1} s  FAILED  {name}", took.as_secs_f64());
        return;
    }
    let total: Duration = done.iter().map(|(_, took)| *took).sum();
    note!("{:>8.1} s  everything passed", total.as_secs_f64());
}
