//! One module a command: its `Args`, its `run`, its report.

pub(crate) mod diff;
pub(crate) mod gc;
pub(crate) mod ls;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod remote;
pub(crate) mod status;
pub(crate) mod verify;
