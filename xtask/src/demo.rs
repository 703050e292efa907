//! `cargo xtask demo`: from a fresh clone to the main job, end to end.

use std::path::Path;
use std::process::{Command, ExitCode};

use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};

use crate::workspace::{self, Profile};
use crate::{Outcome, copy, process, setup};

/// The main job, shown in the checkout, in this order.
const TOUR: [&[&str]; 4] = [
    &["cohort", "info", "data/r12/Qwen3-32B"],
    &["evaluate", "--dataset", "data/r12.json"],
    &["analyze", "evals", "data/r12.json"],
    &["analyze", "tasks", "data/r12.json"],
];
/// How its data are shared: from one copy of the project, through a remote, which is relative to the manifest.
const PUSH: [&[&str]; 3] = [
    &["data", "remote", "add", "origin", "../../remote"],
    &["data", "push", "dataset", "data/r12.json", "--raw"],
    &["data", "status"],
];
/// To another copy that has what git has.
const PULL: [&[&str]; 3] = [
    &["data", "pull", "dataset", "data/r12.json"],
    &["analyze", "evals", "data/r12.json", "--search", "qwen3"],
    &["data", "status"],
];
/// Where the two copies and the remote lie, below the root.
const SHARING: &str = "target/demo";

pub(crate) fn run() -> Outcome {
    setup::run()?;
    let root = workspace::root();
    let written = FixtureModel::new(Scale::Small, DEFAULT_SEED).write(&root)?;
    note!("demo: {} records in {} files below data/r12", written.n_records, written.n_files);
    note!("demo: building");
    process::run(&mut process::cargo(&["build", "--workspace", "--bins"]))?;
    show(&root, &TOUR)?;

    let sharing = root.join(SHARING);
    if sharing.is_dir() {
        fs_err::remove_dir_all(&sharing)?;
    }
    let (here, there) = (sharing.join("here"), sharing.join("there"));
    say!("\n# {SHARING}/here is a copy of data/ and configs/: its raw data and database go to a remote.");
    copy::folders(&root, &here, &["configs", "data"], |_| true)?;
    say!("\n$ cd {SHARING}/here");
    show(&here, &PUSH)?;
    say!("\n# {SHARING}/there has what git has: evals.json files, datasets, and the manifest.");
    copy::folders(&here, &there, &["configs", "data"], is_in_git)?;
    say!("\n$ cd ../there");
    show(&there, &PULL)?;

    say!("\nThat was the main job, on made-up data. Next:");
    say!("  cargo run -p analyze -- tasks data/r12.json   any program, from the sources");
    say!("  cargo xtask fixtures                          what every tool must report on this data");
    say!("  cargo xtask ci                                everything that is checked");
    say!("  cargo xtask install --prefix DIR              the programs, to be run from anywhere");
    Ok(ExitCode::SUCCESS)
}

/// Runs commands in a folder, each echoed.
fn show(folder: &Path, commands: &[&[&str]]) -> Result<(), Box<dyn std::error::Error>> {
    let programs = Profile::Dev.folder()?;
    for words in commands {
        say!("\n$ {}", words.join(" "));
        process::run(Command::new(programs.join(words[0])).args(&words[1..]).current_dir(folder))?;
    }
    Ok(())
}

/// What the project's `.gitignore` leaves to git.
fn is_in_git(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json" || extension == "yaml")
        && path.file_name().is_some_and(|name| name != "metadata.json")
}
