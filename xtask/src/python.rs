//! `cargo xtask python`: the packages with which a test opens databases and exports as people do: DuckDB's own and pandas.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::{Outcome, process, workspace};

/// Packages of PyPI, pinned.
const PACKAGES: [&str; 3] = ["duckdb==2.0.1", "pandas==3.1.1", "pyarrow==26.0.1"];

/// Installs what is missing, into the target folder. What cannot be installed here is told: its test is skipped, or fails
/// in CI.
pub(crate) fn run() -> Outcome {
    let folder = workspace::root().join("target").join("tools").join("python");
    let mark = folder.join("packages.txt");
    if fs_err::read_to_string(&mark).is_ok_and(|installed| installed == PACKAGES.join("\n")) {
        note!("python: {} are there", PACKAGES.join(", "));
        return Ok(ExitCode::SUCCESS);
    }
    match install(&folder) {
        Ok(()) => fs_err::write(mark, PACKAGES.join("\n"))?,
        Err(error) => note!("python: {} could not be installed ({error}); a test needs them", PACKAGES.join(", ")),
    }
    Ok(ExitCode::SUCCESS)
}

fn install(folder: &Path) -> io::Result<()> {
    let run = |program: PathBuf, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        note!("$ {}", process::shown(&command));
        process::run(&mut command).map_err(io::Error::other)
    };
    run("python3".into(), &["-m", "venv", "--clear", &folder.to_string_lossy()])?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    run(folder.join("bin").join("python"), &[&pip, PACKAGES.as_slice()].concat())
}
