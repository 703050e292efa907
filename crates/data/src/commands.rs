//! One module a command: its `Args`, its `run`, its report.

pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod status;
