//! Packs run folders and files.

use std::path::Path;

use super::{Monitor, PackError, Packed, RunFile};

/// Packs the files of a run folder, as listed, into `out`, on all threads of the current rayon pool. Counts raw bytes.
///
/// # Errors
/// A file cannot be read or changed since it was listed, `out` cannot be written, or the work was cancelled.
pub fn pack_run(
    folder: &Path,
    files: &[RunFile],
    out: &mut fs_err::File,
    monitor: &Monitor,
) -> Result<Packed, PackError> {
    let _ = (folder, files, out, monitor);
    unimplemented!()
}

/// Packs a file by itself, like a database, into `out`, on all threads of the current rayon pool. Counts raw bytes.
///
/// # Errors
/// The file cannot be read or changes meanwhile, `out` cannot be written, or the work was cancelled.
pub fn pack_file(path: &Path, out: &mut fs_err::File, monitor: &Monitor) -> Result<Packed, PackError> {
    let _ = (path, out, monitor);
    unimplemented!()
}
