//! `data`: shows what is here of cohorts and datasets.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<data::Arguments>()
}
