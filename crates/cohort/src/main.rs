//! `cohort`: lists, inspects, validates and maintains cohorts of raw data.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<cohort::Arguments>()
}
