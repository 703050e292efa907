//! Tests of `evaluate` from outside: real processes on real files, and what the database says afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod bad_database;
mod bad_documents;
mod bad_records;
mod blobs;
mod cache;
mod fixtures;
mod incremental;
mod interview;
mod kept;
mod killed;
mod output;
mod project;
mod real_data;
mod tokenizers;
