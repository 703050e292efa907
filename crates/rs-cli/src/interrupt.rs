//! Ctrl-C and other polite requests to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rs_core::monitor::Monitor;

use crate::command_error::CommandError;

/// A monitor whose work Ctrl-C cancels.
///
/// # Errors
/// The system does not let signals be handled.
pub fn stoppable() -> Result<Arc<Monitor>, CommandError> {
    let monitor = Arc::new(Monitor::default());
    let watched = Arc::clone(&monitor);
    on_interrupt(move || watched.cancel.store(true, Ordering::Relaxed))?;
    Ok(monitor)
}

/// Calls `stop` when the process is asked to stop. Of several calls in one process the first counts.
///
/// # Errors
/// The system does not let signals be handled.
fn on_interrupt(stop: impl FnMut() + Send + 'static) -> Result<(), CommandError> {
    ctrlc::set_handler(stop).or_else(|error| match error {
        ctrlc::Error::MultipleHandlers => Ok(()),
        other => Err(CommandError::environment(other)),
    })
}
