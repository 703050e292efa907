//! `data`: keeps raw data and databases as blobs, here and in remotes.

use std::process::ExitCode;

fn main() -> ExitCode {
    rs_cli::main::<data::Arguments>()
}
