//! `cargo xtask docs`: the reference of the command lines, `docs/cli/<program>.md`, as the programs print it.

use std::io;
use std::process::{Command, ExitCode};

use crate::workspace::{self, BINARIES, Profile};
use crate::{Outcome, process};

/// Write the reference of the command lines.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Compare with what is there instead of writing; exit 1 if anything differs.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    process::run(&mut process::cargo(&["build", "--workspace", "--bins", "--quiet"]))?;
    generate(arguments)
}

/// The same with the programs as they were built last.
pub(crate) fn generate(arguments: &Arguments) -> Outcome {
    let programs = Profile::Dev.folder()?;
    let folder = workspace::root().join("docs").join("cli");
    fs_err::create_dir_all(&folder)?;
    let mut stale = Vec::new();
    for binary in BINARIES {
        let reference = process::output(Command::new(programs.join(binary)).arg("reference"))?;
        let path = folder.join(format!("{binary}.md"));
        let found = match fs_err::read_to_string(&path) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if found.as_ref() == Some(&reference) {
            continue;
        }
        if arguments.check {
            stale.push(path);
        } else {
            fs_err::write(&path, reference)?;
            say!("docs: {} written", workspace::shown(&path));
        }
    }
    for path in &stale {
        say!("docs: {} is not what the program says; `cargo xtask docs` writes it anew", workspace::shown(path));
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
