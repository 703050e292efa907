//! The chores of the project; `cargo xtask --help` lists them.
//!
//! One module a command, each with its `Arguments` and its `run`. Nothing here depends on DuckDB or on the project's own
//! crates but the fixtures: `setup` must build before there is a database library to link.

/// Writes a line to stdout. A reader that went away is no error.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}

/// Writes a line to stderr.
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($text)*);
    }};
}

mod bench;
mod ci;
mod copy;
mod demo;
mod docs;
mod fixtures;
mod install;
mod process;
mod python;
mod servers;
mod setup;
mod tools;
mod workspace;

use std::error::Error;
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
    /// Bring what the build needs and cargo does not: the DuckDB library, verified by its hash.
    Setup,
    Fixtures(fixtures::Arguments),
    /// Set up, write the fixtures, build, and run the main job end to end.
    Demo,
    /// Set up, and check everything that CI checks.
    Ci,
    /// Install the Python packages with which a test opens databases, where they are missing: duckdb, pandas, pyarrow.
    Python,
    /// Install the servers that the tests of remotes start, where they are missing: nginx and s3s-fs.
    Servers,
    Docs(docs::Arguments),
    Install(install::Arguments),
    Bench(bench::Arguments),
}

/// How a command ends; an error is printed with its causes.
type Outcome = Result<ExitCode, Box<dyn Error>>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Setup => setup::run(),
        Command::Fixtures(arguments) => fixtures::run(&arguments),
        Command::Demo => demo::run(),
        Command::Ci => ci::run(),
        Command::Python => python::run(),
        Command::Servers => servers::run(),
        Command::Docs(arguments) => docs::run(&arguments),
        Command::Install(arguments) => install::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        note!("error: {error}");
        let mut cause = error.source();
        while let Some(inner) = cause {
            note!("  caused by: {inner}");
            cause = inner.source();
        }
        ExitCode::FAILURE
    })
}
