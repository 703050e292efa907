//! Maintenance of raw data: which files are touched, how they are replaced, and the steps.

pub(crate) mod compress;
pub(crate) mod dedupe;
pub(crate) mod files;
pub(crate) mod replace;
pub(crate) mod report;
pub(crate) mod rescore;
