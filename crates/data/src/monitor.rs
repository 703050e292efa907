//! Work seen and stopped from outside: stands in for the shared one until that is there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Seen from outside while the work goes on.
#[derive(Debug, Default)]
pub struct Monitor {
    /// Bytes done so far. Goes back where work has to be done again.
    pub done_bytes: AtomicU64,
    /// Set to stop the work soon.
    pub cancel: AtomicBool,
}

impl Monitor {
    /// Whether the work is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}
