//! `analyze` over a large database: how long each command takes, from a cold process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::measure::{measure, median};
use super::{N_PAIRS, build, fresh, n_threads};
use crate::Outcome;
use crate::process;
use crate::workspace::Profile;

/// How long a table over all points may take, and how long a program to say its version.
const LONGEST_TABLE: Duration = Duration::from_millis(300);
const LONGEST_START: Duration = Duration::from_millis(50);

/// The commands, without the database; two of its evaluations stand for `A` and `B`.
const COMMANDS: [&[&str]; 16] = [
    &["evals"],
    &["tasks"],
    &["modelinfo"],
    &["scores"],
    &["scores", "--group-by", "params.length"],
    &["compare", "A", "B"],
    &["cluster"],
    &["cluster", "--facet-by", "base_task"],
    &["spiderweb"],
    &["surface", "--x", "params.length"],
    &["surface", "--x", "params.length", "--y", "params.depth"],
    &["compression"],
    &["compression", "--split", "base_task"],
    &["hazard"],
    &["fft"],
    &["fft", "--split", "base_task"],
];

/// Labels of the two that are compared.
const COMPARED: [&str; 2] = ["Model 070 (plain)", "Model 071 (plain)"];

pub(super) fn run(folder: &Path) -> Outcome {
    build()?;
    let database = large_database(folder)?;
    say!("150 evaluations of 1,070 points of 100 samples, {} threads\n", n_threads());
    heading("analyze");
    let mut is_good = line("--version", LONGEST_START, || analyze(&["--version"]))?;
    for words in COMMANDS {
        let shown = words.join(" ");
        is_good &= line(&shown, LONGEST_TABLE, || {
            let mut command = analyze(&words[..1])?;
            let named = words[1..].iter().map(|word| match *word {
                "A" => COMPARED[0],
                "B" => COMPARED[1],
                word => word,
            });
            command.arg(&database).args(named);
            Ok(command)
        })?;
    }
    fs_err::remove_file(&database)?;
    say!("\nMedians of {N_PAIRS} runs each, after one to warm up; `!` is one beyond its goal.");
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn analyze(words: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(Profile::Release.folder()?.join("analyze"));
    command.args(["--threads", &n_threads()]).args(words);
    Ok(command)
}

fn large_database(folder: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let program = Profile::Release.folder()?.join("examples").join("large_points_db");
    let database = fresh(folder, "large-points.db")?;
    process::output(Command::new(program).arg(&database))?;
    Ok(database)
}

/// What stands above the lines of a program.
pub(super) fn heading(program: &str) {
    say!("{program:<58}{:>8}{:>8}{:>9}", "seconds", "goal", "peak MB");
}

/// Measures a command and says what came of it; whether that is good.
pub(super) fn line(
    what: &str,
    longest: Duration,
    command: impl Fn() -> io::Result<Command>,
) -> Result<bool, Box<dyn std::error::Error>> {
    let runs = (0..=N_PAIRS).map(|_| Ok(measure(&mut command()?)?));
    let runs: Vec<_> = runs.collect::<Result<_, Box<dyn std::error::Error>>>()?;
    let mut times: Vec<Duration> = runs[1..].iter().map(|run| run.wall).collect();
    let peak = runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0) as f64 / 1e6;
    let (seconds, goal) = (median(&mut times), longest.as_secs_f64());
    let mark = if seconds <= longest { ' ' } else { '!' };
    say!("{what:<58}{:>8.3}{goal:>7.2}{mark}{peak:>9.0}", seconds.as_secs_f64());
    Ok(seconds <= longest)
}
