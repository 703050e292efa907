//! Tests of `analyze` from outside: real processes on a database that `evaluate` made of real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod command_line;
mod evals;
mod filters;
mod model;
mod modelinfo;
mod project;
mod quoting;
mod sources;
mod tasks;
mod terminal;
