//! Tests of `data` from outside: real processes on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod command_line;
mod packed;
mod project;
mod remotes;
mod status;
