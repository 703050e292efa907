//! `evaluate`: raw records to points to a PointsDB.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<evaluate::Arguments>()
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
