//! `evaluate`: raw records to points to a PointsDB.
//!
//! `arguments.rs` is what was typed, `plan.rs` what will be done, `run.rs` does it (`forensics.rs` looks at
//! texts), `report.rs` tells it.

mod arguments;
mod batch;
mod explain;
mod forensics;
mod loose;
mod old;
mod plan;
mod report;
mod run;

pub use arguments::Arguments;
