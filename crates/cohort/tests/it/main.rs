//! Tests of `cohort` from outside: real processes on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod blobs;
mod command_line;
mod context;
mod info;
mod list;
mod places;
mod points;
mod postprocess;
mod project;
mod real_data;
mod validate;
