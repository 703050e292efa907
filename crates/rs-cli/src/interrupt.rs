//! Ctrl-C and other polite requests to stop.

use crate::command_error::CommandError;

/// Calls `stop` when the process is asked to stop. Of several calls in one process the first counts.
///
/// # Errors
/// The system does not let signals be handled.
pub fn on_interrupt(stop: impl FnMut() + Send + 'static) -> Result<(), CommandError> {
    ctrlc::set_handler(stop).or_else(|error| match error {
        ctrlc::Error::MultipleHandlers => Ok(()),
        other => Err(CommandError::environment(other)),
    })
}
