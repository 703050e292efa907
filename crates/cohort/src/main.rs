//! `cohort`: lists, inspects and validates cohorts of raw data.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<cohort::Arguments>()
}
