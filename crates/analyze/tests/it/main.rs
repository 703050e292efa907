//! Tests of `analyze` from outside: real processes on a database that `evaluate` made of real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod command_line;
mod compare;
mod documents;
mod evals;
mod export;
mod filters;
mod forensics;
mod groups;
mod model;
mod modelinfo;
mod pictures;
mod project;
mod quoting;
mod real_data;
mod scores;
mod sources;
mod tasks;
mod terminal;
mod trials;
