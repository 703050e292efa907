//! Tests of `data` from outside: real processes on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod at_once;
mod command_line;
mod diff;
mod flipped;
mod full_disk;
mod gc;
mod hostile;
mod killed;
mod ls;
mod odd_folders;
mod packed;
mod project;
mod pull;
mod push;
mod remote;
mod remotes;
mod round_trip;
mod status;
mod stopped;
mod verify;
