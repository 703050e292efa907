//! `evaluate`: raw records to points to a PointsDB.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<evaluate::Arguments>()
}
