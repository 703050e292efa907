//! The chores of the project; `cargo xtask --help` lists them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a build tool speaks to the terminal directly")]

mod fixtures;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up, fixtures, demo, CI and benchmarks of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fixtures(fixtures::Arguments),
}

/// What a command can end with: the error is printed with its causes.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Fixtures(arguments) => fixtures::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        let mut cause = error.source();
        while let Some(inner) = cause {
            eprintln!("  caused by: {inner}");
            cause = inner.source();
        }
        ExitCode::FAILURE
    })
}
