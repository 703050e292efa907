//! The shared library of ReasonScape: what a raw record, a cohort, a dataset, a point and a statistic are.
//!
//! Data flows one way: [`record`] → [`sample`] → [`point`], read by [`collect`] for the evaluations that
//! [`cohort`] and [`dataset`] name. `rs-pointsdb` stores the points; the binaries ask it and report.
//!
//! **Invariant:** nothing here reads the environment, the clock, the home folder or the terminal; callers tell it.

pub mod answer;
pub mod atomic_file;
mod block_index;
pub mod block_lines;
pub mod cohort;
pub mod collect;
pub mod dataset;
pub mod diagnostic;
pub mod digest;
pub mod document;
pub mod duplicates;
pub mod eval_id;
pub mod every_line;
pub mod filters;
pub mod forensics;
mod hashing;
pub mod json_text;
pub mod lexer;
pub mod library;
pub mod lines;
pub mod lock;
pub mod manifest;
pub mod monitor;
pub mod origin;
pub mod pack;
pub mod panics;
pub mod params;
pub mod paths;
pub mod point;
pub mod presence;
pub mod reader;
pub mod record;
pub mod rescore;
pub mod rewrite;
pub mod sample;
pub mod shape;
pub mod statistics;
pub mod store;
pub mod suggest;
pub mod timestamp;
mod unescape;
pub mod zstd_frames;
