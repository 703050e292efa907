//! Unpacks blobs: whole and as promised, or not at all.

use std::path::Path;

use super::{Expected, Monitor, PackError};

/// What happens to a file that stands where another is to be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is unpacked.
    Refuse,
    /// It is replaced, at once and as a whole.
    Replace,
}

/// Unpacks the blob of a run folder, on all threads of the current rayon pool. Counts raw bytes.
///
/// # Errors
/// The blob is damaged, made to hurt, or not what is expected; `into` is there and no empty folder; another process
/// unpacks there; the disk failed; the work was cancelled. Nothing is left behind.
pub fn extract_run(pack: &Path, into: &Path, expected: &Expected, monitor: &Monitor) -> Result<(), PackError> {
    let _ = (pack, into, expected, monitor);
    unimplemented!()
}

/// Unpacks the blob of a file by itself, on all threads of the current rayon pool. Counts raw bytes.
///
/// # Errors
/// Like [`extract_run`].
pub fn unpack_file(
    pack: &Path,
    into: &Path,
    raw_bytes: u64,
    existing: Existing,
    monitor: &Monitor,
) -> Result<(), PackError> {
    let _ = (pack, into, raw_bytes, existing, monitor);
    unimplemented!()
}
