//! One module a command: its `Args`, its `run`, its report.

pub(crate) mod context;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod postprocess;
pub(crate) mod validate;
