//! Work seen and stopped from outside.

pub use rs_core::monitor::Monitor;
