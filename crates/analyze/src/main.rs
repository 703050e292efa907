//! `analyze`: discovery and analysis of a PointsDB.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<analyze::Arguments>()
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
