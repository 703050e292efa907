//! What is beside a run folder while it is replaced or removed, and stays there if the process is killed.

use std::io;
use std::path::{Path, PathBuf};

use rs_core::atomic_file::beside;

/// A good copy on its way into the place of a damaged one.
pub(crate) const REPAIRED: &str = ".repaired";
/// A damaged copy on its way out.
pub(crate) const DAMAGED: &str = ".damaged";
/// A run folder that is being removed.
pub(crate) const GOING: &str = ".going";
/// A run folder on its way out of its blob.
const EXTRACTING: &str = ".extracting";

/// What killed processes have left beside a run folder and can go: all of it is in a blob, or replaced. The caller has
/// the library's lock, so nobody is at work.
pub(crate) fn beside_run(run: &Path) -> Vec<PathBuf> {
    let mut suffixes = vec![REPAIRED, GOING, EXTRACTING];
    // Without the run folder the damaged one is all there is.
    if run.is_dir() {
        suffixes.push(DAMAGED);
    }
    suffixes.into_iter().map(|suffix| beside(run, suffix)).filter(|path| path.is_dir() && !path.is_symlink()).collect()
}

/// Removes a folder, if it is there.
pub(crate) fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a run folder at once: what is left of it after a crash is hidden, and no run any more.
pub(crate) fn remove_run(run: &Path) -> io::Result<()> {
    let going = beside(run, GOING);
    remove_if_there(&going)?;
    fs_err::rename(run, &going)?;
    fs_err::remove_dir_all(&going)
}

/// Puts a new folder in the place of a run folder, and removes that.
pub(crate) fn exchange(new: &Path, run: &Path) -> io::Result<()> {
    let old = beside(run, DAMAGED);
    remove_if_there(&old)?;
    fs_err::rename(run, &old)?;
    fs_err::rename(new, run)?;
    fs_err::remove_dir_all(&old)
}

/// Whether a folder has more than the files that go into blobs: hidden or temporary ones, or links.
pub(crate) fn has_other_files(folder: &Path, n_packed: usize) -> io::Result<bool> {
    let mut n_files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs_err::read_dir(&folder)? {
            let path = item?.path();
            if path.is_symlink() {
                return Ok(true);
            }
            if path.is_dir() { folders.push(path) } else { n_files += 1 }
        }
    }
    Ok(n_files != n_packed)
}

/// Bytes of the files in a folder.
pub(crate) fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs_err::read_dir(&folder)? {
            let item = item?;
            let metadata = fs_err::symlink_metadata(item.path())?;
            if metadata.is_dir() { folders.push(item.path()) } else { bytes += metadata.len() }
        }
    }
    Ok(bytes)
}
