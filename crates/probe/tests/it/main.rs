//! Tests of `probe` from outside: on databases that `evaluate` made of real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod diff;
mod fixtures;
mod loops;
mod places;
mod project;
mod show;
