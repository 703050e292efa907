//! `evaluate`: raw records to points to a PointsDB.
//!
//! [`arguments`] is what was typed, [`plan`] what will be done, [`run`] does it, [`report`] tells it.

mod arguments;
mod loose;
mod plan;
mod report;
mod run;

pub use arguments::Arguments;
