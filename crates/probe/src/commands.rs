//! The commands, one file each.

pub(crate) mod diff;
pub(crate) mod loops;
pub(crate) mod show;
