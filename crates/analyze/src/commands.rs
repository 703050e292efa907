//! One module a command: its `Args`, its `run`, its report.

pub(crate) mod cluster;
pub(crate) mod compare;
pub(crate) mod compression;
pub(crate) mod evals;
pub(crate) mod export;
pub(crate) mod fft;
pub(crate) mod hazard;
pub(crate) mod modelinfo;
pub(crate) mod scores;
pub(crate) mod spiderweb;
pub(crate) mod surface;
pub(crate) mod tasks;
