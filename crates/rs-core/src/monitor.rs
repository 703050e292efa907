//! Long work as seen from outside: how far it is, and a way to stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Seen from outside while the work goes on.
#[derive(Debug, Default)]
pub struct Monitor {
    /// Bytes done so far; the work says which: stored bytes read, raw bytes packed, and so on.
    pub done_bytes: AtomicU64,
    /// Set to stop the work soon.
    pub cancel: Arc<AtomicBool>,
}

impl Monitor {
    /// Whether the work is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// For work that stops with this one, and whose bytes are not counted as done by it.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self { done_bytes: AtomicU64::new(0), cancel: Arc::clone(&self.cancel) }
    }

    /// Adds to the bytes done.
    pub fn add(&self, bytes: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
