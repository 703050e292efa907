//! `data`: keeps raw data and databases as blobs, here and in remotes.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<data::Arguments>()
}

// Lists of files are many small texts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
