//! Tests of the fixtures from outside: what is on disk, and whether the model says the same about it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod disk;
mod realism;
mod reread;
