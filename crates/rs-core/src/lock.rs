//! Lock files that name their holder: one process at a time works on a file or folder, and the others say who does.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another part of this one, holds it.
    #[error("`{}` is locked by another process{}", path.display(), holder.map_or_else(String::new, |pid| format!(" (pid {pid})")))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The other process, where it is known.
        holder: Option<u32>,
    },
    /// The lock file cannot be made; the error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A lock file that names its holder. The lock goes with the process, whatever ends it; the file is removed with it
/// where the process ends in order.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: fs_err::File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever waits has the file open and tries again; a leftover is harmless.
        let _ = fs_err::remove_file(&self.path);
    }
}

impl Lock {
    /// Takes the lock whose file is `path`; does not wait for it.
    ///
    /// # Errors
    /// It is held already, or the file cannot be written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let mut file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.file().try_lock() {
            Ok(()) if is_still_at(&file, path) => {}
            // The holder before has just removed it.
            Ok(()) => return Self::take(path),
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                return Err(LockError::Locked { path: path.to_owned(), holder: text.trim().parse().ok() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        // From here on a failure removes the file.
        let mut lock = Self { path: path.to_owned(), file };
        lock.file.file().set_len(0)?;
        lock.file.seek(SeekFrom::Start(0))?;
        write!(lock.file, "{}", std::process::id())?;
        Ok(lock)
    }
}

/// Opens a file that one process at a time writes, with the content that another has left, or as a new one; `None` if
/// somebody is at it, or the file system knows no locks. The lock goes with the file.
///
/// # Errors
/// The file cannot be made; the error names the path.
pub fn open_alone(path: &Path) -> io::Result<Option<fs_err::File>> {
    let file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let is_ours = file.file().try_lock().is_ok() && is_still_at(&file, path);
    Ok(is_ours.then_some(file))
}

/// Whether the open file is the one that stands at `path` now.
fn is_still_at(file: &fs_err::File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.file().metadata(), fs_err::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".x.lock");
        let lock = Lock::take(&path).unwrap();
        assert_eq!(
            Lock::take(&path).unwrap_err().to_string(),
            format!("`{}` is locked by another process (pid {})", path.display(), std::process::id())
        );
        drop(lock);
        assert!(!path.exists());
        // A leftover of a process that was killed is nobody's.
        fs_err::write(&path, "1").unwrap();
        drop(Lock::take(&path).unwrap());
        assert!(matches!(Lock::take(&folder.path().join("no/such/folder")), Err(LockError::Io(_))));
    }

    #[test]
    fn a_file_for_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs_err::write(&path, "left by another").unwrap();
        let mut file = open_alone(&path).unwrap().unwrap();
        assert!(open_alone(&path).unwrap().is_none());
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "left by another");
        drop(file);
        assert!(open_alone(&path).unwrap().is_some());
    }
}
