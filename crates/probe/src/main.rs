//! `probe`: single raw records of evaluated datasets.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<probe::Arguments>()
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
