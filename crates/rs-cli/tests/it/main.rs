//! Tests of what the command lines share, apart from any of them: output on screens, in pipes and files, and errors.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod errors;
mod output;
mod screen;
