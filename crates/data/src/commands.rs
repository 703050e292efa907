//! One module a command: its `Args`, its `run`, its report.

pub(crate) mod status;
