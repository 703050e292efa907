//! `cargo xtask demo`: from a fresh clone to the main job, end to end.

use std::process::{Command, ExitCode};

use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};

use crate::workspace::{self, Profile};
use crate::{Outcome, process, setup};

/// What is shown, in this order.
const TOUR: [&[&str]; 4] = [
    &["cohort", "info", "data/r12/Qwen3-32B"],
    &["evaluate", "--dataset", "data/r12.json"],
    &["analyze", "evals", "data/r12.json"],
    &["analyze", "tasks", "data/r12.json"],
];

pub(crate) fn run() -> Outcome {
    setup::run()?;
    let root = workspace::root();
    let written = FixtureModel::new(Scale::Small, DEFAULT_SEED).write(&root)?;
    note!("demo: {} records in {} files below data/r12", written.n_records, written.n_files);
    note!("demo: building");
    process::run(&mut process::cargo(&["build", "--workspace", "--bins"]))?;
    let folder = Profile::Dev.folder()?;
    for words in TOUR {
        say!("\n$ {}", words.join(" "));
        let mut command = Command::new(folder.join(words[0]));
        process::run(command.args(&words[1..]).current_dir(&root))?;
    }
    say!("\nThat was the main job, on made-up data. Next:");
    say!("  cargo run -p analyze -- tasks data/r12.json   any program, from the sources");
    say!("  cargo xtask fixtures                          what every tool must report on this data");
    say!("  cargo xtask ci                                everything that is checked");
    say!("  cargo xtask install --prefix DIR              the programs, to be run from anywhere");
    Ok(ExitCode::SUCCESS)
}
