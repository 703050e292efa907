//! What long commands share: being stopped, and what becomes of failures.

use std::io;

use rs_cli::{CommandError, Kind, Ui};
use rs_core::pack::PackError;

use crate::remote::RemoteError;
use crate::transfer::TransferError;

/// Failures that are told one by one where they are not the answer: a full disk has as many as there are blobs.
const MAX_TOLD: usize = 10;

/// A folder that is wrong is the user's, a disk that fails is not.
pub(crate) fn pack_error(error: PackError) -> CommandError {
    match error {
        PackError::Cancelled => stopped(),
        PackError::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
            CommandError::environment(error).hint("make room, then run the same again")
        }
        error @ (PackError::Io(_) | PackError::Locked(_)) => CommandError::environment(error),
        error @ (PackError::Unpackable { .. } | PackError::Changed { .. } | PackError::Occupied { .. }) => {
            CommandError::input(error)
        }
        error => CommandError::new(Kind::Negative, error),
    }
}

/// What the user can do about a remote.
pub(crate) fn remote_error(error: &RemoteError) -> CommandError {
    match error {
        RemoteError::Cancelled => stopped(),
        RemoteError::Unsupported { .. } => CommandError::input(error.to_string()),
        _ => CommandError::environment(error.to_string()),
    }
}

/// The user stopped the work.
pub(crate) fn stopped() -> CommandError {
    CommandError::environment("stopped before the end").hint("run the same again, and it goes on where it stopped")
}

/// Tells of failures, then fails: refused blobs are an answer, all else is the environment's.
pub(crate) fn fail_if_any(
    failures: Vec<TransferError>,
    n_all: usize,
    done: &str,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    if failures.iter().any(|failure| matches!(failure, TransferError::Cancelled)) {
        return Err(stopped());
    }
    if failures.is_empty() {
        return Ok(());
    }
    let is_refused = |failure: &&TransferError| matches!(failure, TransferError::Refused { .. });
    let (refused, others): (Vec<_>, Vec<_>) = failures.iter().partition(is_refused);
    refused.iter().chain(others.iter().take(MAX_TOLD)).for_each(|failure| ui.problem(&failure.to_string()));
    if others.len() > MAX_TOLD {
        ui.problem(&format!("and {} more", others.len() - MAX_TOLD));
    }
    let what = format!("{} of {n_all} blobs were not {done}", failures.len());
    let kind = if others.is_empty() { Kind::Negative } else { Kind::Environment };
    let is_missing =
        |failure: &TransferError| matches!(failure, TransferError::Remote { source: RemoteError::NotFound { .. }, .. });
    let hint = if failures.iter().all(is_missing) {
        "what is not there must be sent again: `data push` from where it is"
    } else if failures.len() < n_all {
        "the others are done; run the same again for these"
    } else {
        "run the same again"
    };
    Err(CommandError::new(kind, what).hint(hint))
}
