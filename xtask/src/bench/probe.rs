//! `probe` over raw data of gigabytes that has been evaluated: how long a page of results takes.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::analyze::{heading, line};
use super::subjects::chosen;
use super::{N_PAIRS, Size, build, n_threads};
use crate::workspace::Profile;
use crate::{Outcome, process};

/// How long a page may take.
const LONGEST_PAGE: Duration = Duration::from_secs(2);

/// The commands, without the dataset; `diff` also gets two evaluations.
const COMMANDS: [&[&str]; 5] = [
    &["show", "--status", "truncated", "--sort", "tokens", "--limit", "10"],
    &["show", "--status", "incorrect", "--sort", "ratio", "--limit", "10"],
    &["show", "--status", "correct", "--limit", "100", "--format", "ndjson"],
    &["diff", "--limit", "10"],
    &["loops", "--limit", "10"],
];

/// Those two, of the fixtures and of the real data.
const COMPARED: [[&str; 2]; 2] = [["567291", "035143"], ["a5fc44", "3c2e52"]];

pub(super) fn run(folder: &Path, size: Size) -> Outcome {
    build()?;
    let subject = chosen(folder, size)?;
    let mut evaluate = Command::new(Profile::Release.folder()?.join("evaluate"));
    evaluate.arg("--dataset").arg(&subject.dataset).args(["-q", "-o"]).arg(folder.join("evaluated.txt"));
    process::run(&mut evaluate)?;
    let megabytes = subject.bytes()? as f64 / 1e6;
    say!("{}: {megabytes:.0} MB in {} files, {} threads\n", subject.name, subject.files.len(), n_threads());
    heading("probe");
    let compared = COMPARED[usize::from(subject.dataset.ends_with("rg.json"))];
    let mut is_good = true;
    for words in COMMANDS {
        is_good &= line(&words.join(" "), LONGEST_PAGE, || {
            let mut command = Command::new(Profile::Release.folder()?.join("probe"));
            command.args(["--threads", &n_threads()]).arg(words[0]).arg(&subject.dataset);
            if words[0] == "diff" {
                command.args(compared);
            }
            command.args(&words[1..]);
            Ok(command)
        })?;
    }
    say!("\nMedians of {N_PAIRS} runs each, after one to warm up; `!` is one beyond its goal.");
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
