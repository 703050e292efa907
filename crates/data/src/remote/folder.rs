//! A remote in a folder: another disk, a mounted share.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rs_core::atomic_file;
use rs_core::lock::open_alone;
use rs_core::paths::show;

use super::{Body, Capabilities, Remote, RemoteError, key_at, not_of_this_name, object_path};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;

/// Bytes that are copied between two looks at the monitor.
const COPY_BYTES: usize = 1 << 20;

/// A folder of blobs.
#[derive(Debug)]
pub struct FolderRemote {
    folder: PathBuf,
    /// Folders with new names in them that a crash may lose.
    changed: Mutex<BTreeSet<PathBuf>>,
}

impl FolderRemote {
    /// The remote in a folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, changed: Mutex::default() }
    }

    fn path_of(&self, key: &BlobId) -> PathBuf {
        self.folder.join(object_path(key))
    }

    fn changed(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder must be there: on a disk that is not mounted, all blobs would seem to be missing, and new ones would go
    /// to the wrong disk.
    fn check(&self) -> Result<(), RemoteError> {
        match fs_err::metadata(&self.folder) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(RemoteError::Refused { url: self.shown(), why: "it is no folder".to_owned() }),
            Err(error) => Err(remote_error(&self.folder, &error)),
        }
    }

    /// Size of a blob, if it is there.
    fn stored(&self, key: &BlobId) -> Result<Option<u64>, RemoteError> {
        let path = self.path_of(key);
        match fs_err::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Err(RemoteError::Refused { url: show(&path), why: "it is no file".to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(remote_error(&path, &error)),
        }
    }

    /// Copies `source` into a temporary file beside `path` and renames it; counts in `n_done`.
    fn store(
        &self,
        key: &BlobId,
        source: &mut fs_err::File,
        monitor: &Monitor,
        n_done: &mut u64,
    ) -> Result<(), RemoteError> {
        let path = self.path_of(key);
        let parent = path.parent().unwrap_or(&self.folder);
        let here = |error: io::Error| remote_error(&path, &error);
        fs_err::create_dir_all(parent).map_err(here)?;
        let mut temporary = temporary(&path).map_err(here)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            if monitor.is_cancelled() {
                return Err(RemoteError::Cancelled);
            }
            let n_bytes = source.read(&mut buffer)?;
            if n_bytes == 0 {
                break;
            }
            hasher.update(&buffer[..n_bytes]);
            temporary.write_all(&buffer[..n_bytes]).map_err(here)?;
            *n_done += n_bytes as u64;
            monitor.done_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        }
        // A name in a store means verified.
        if hasher.finalize().to_hex().as_str() != key.to_string() {
            return Err(RemoteError::Refused { url: show(&path), why: not_of_this_name(source.path()) });
        }
        temporary.as_file().sync_all().map_err(here)?;
        temporary.persist(&path).map_err(|error| here(error.error))?;
        self.changed().extend([parent.to_owned(), self.folder.clone()]);
        Ok(())
    }
}

impl Remote for FolderRemote {
    fn shown(&self) -> String {
        show(&self.folder)
    }

    fn size_of(&self, key: &BlobId) -> Result<Option<u64>, RemoteError> {
        let size = self.stored(key)?;
        if size.is_none() {
            self.check()?;
        }
        Ok(size)
    }

    fn get(&self, key: &BlobId, from: u64) -> Result<Body, RemoteError> {
        let path = self.path_of(key);
        let Some(total_bytes) = self.size_of(key)? else { return Err(RemoteError::NotFound { url: show(&path) }) };
        if from > 0 && from >= total_bytes {
            return Err(RemoteError::PastEnd { url: show(&path), from });
        }
        let mut file = fs_err::File::open(&path).map_err(|error| remote_error(&path, &error))?;
        file.seek(SeekFrom::Start(from)).map_err(|error| remote_error(&path, &error))?;
        Ok(Body { reader: Box::new(file), from, total_bytes: Some(total_bytes) })
    }

    fn put(&self, key: &BlobId, file: &Path, monitor: &Monitor) -> Result<(), RemoteError> {
        self.check()?;
        let mut source = fs_err::File::open(file)?;
        let mut n_done = 0;
        let stored = self.store(key, &mut source, monitor, &mut n_done);
        if stored.is_err() {
            monitor.done_bytes.fetch_sub(n_done, Ordering::Relaxed);
        }
        stored
    }

    fn finish(&self) -> Result<(), RemoteError> {
        let changed: Vec<PathBuf> = std::mem::take(&mut *self.changed()).into_iter().collect();
        atomic_file::sync_many(&changed).map_err(|error| remote_error(&self.folder, &error))
    }

    fn list(&self) -> Result<Vec<(BlobId, u64)>, RemoteError> {
        self.check()?;
        let mut blobs = Vec::new();
        for first in entries(&self.folder)? {
            let (path, Some(digits)) = (first.path(), first.file_name().to_str().map(str::to_owned)) else { continue };
            if digits.len() != 2 || !path.is_dir() {
                continue;
            }
            for entry in entries(&path)? {
                let name = entry.file_name();
                let Some(key) = name.to_str().and_then(|name| key_at(&format!("{digits}/{name}"))) else { continue };
                let metadata = fs_err::metadata(entry.path()).map_err(|error| remote_error(&entry.path(), &error))?;
                if metadata.is_file() {
                    blobs.push((key, metadata.len()));
                }
            }
        }
        blobs.sort();
        Ok(blobs)
    }

    fn test(&self) -> Result<Capabilities, RemoteError> {
        self.check()?;
        entries(&self.folder)?;
        let can_write = tempfile::Builder::new().prefix(".test-").tempfile_in(&self.folder).is_ok();
        Ok(Capabilities { can_read: true, can_write, can_list: true })
    }

    fn prepare(&self) -> Result<(), RemoteError> {
        fs_err::create_dir_all(&self.folder).map_err(|error| remote_error(&self.folder, &error))
    }
}

/// A new file beside `path`, which this process alone writes. Its name is always the same, so that what a process left that
/// was killed is used by the next; only where several store one blob at once do the others take another.
fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile<fs_err::File>> {
    let usual = atomic_file::beside(path, ".new");
    if let Some(file) = open_alone(&usual)? {
        file.set_len(0)?;
        return Ok(tempfile::NamedTempFile::from_parts(file, tempfile::TempPath::try_from_path(usual)?));
    }
    let (file, path) = tempfile::Builder::new()
        .prefix(".new-")
        // Others read the folder too: what the umask allows.
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(atomic_file::folder_of(path))?
        .into_parts();
    let file = fs_err::File::from_parts(file, path.to_path_buf());
    Ok(tempfile::NamedTempFile::from_parts(file, path))
}

fn entries(folder: &Path) -> Result<Vec<fs_err::DirEntry>, RemoteError> {
    let listed = fs_err::read_dir(folder).and_then(Iterator::collect);
    listed.map_err(|error: io::Error| remote_error(folder, &error))
}

/// What an error of the remote's disk means for the transfer.
fn remote_error(path: &Path, error: &io::Error) -> RemoteError {
    use io::ErrorKind as Kind;
    let url = show(path);
    match error.kind() {
        Kind::NotFound => RemoteError::NotFound { url },
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => RemoteError::Denied { url, why: plain(error) },
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge | Kind::NotADirectory | Kind::IsADirectory => {
            RemoteError::Refused { url, why: plain(error) }
        }
        // A share that hangs for a moment looks like this.
        _ => RemoteError::Transient { url, what: plain(error), retry_after: None },
    }
}

/// The error's own words, without the path that `fs_err` puts before them.
fn plain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(std::error::Error::source).map(ToString::to_string);
    let text = inner.unwrap_or_else(|| error.to_string());
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(bytes: &[u8]) -> BlobId {
        blake3::hash(bytes).to_hex().as_str().parse().expect("a key")
    }

    #[test]
    fn what_is_put_is_found_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let remote = FolderRemote::new(folder.path().join("remote"));
        let (file, key, monitor) = (folder.path().join("blob"), key_of(b"abcdef"), Monitor::default());
        fs_err::write(&file, b"abcdef").expect("is written");
        let missing = format!("`{}` is not there", show(&folder.path().join("remote")));
        assert_eq!(remote.put(&key, &file, &monitor).expect_err("no folder").to_string(), missing);
        assert_eq!(remote.size_of(&key).expect_err("no folder").to_string(), missing);
        remote.prepare().expect("is made");
        assert_eq!(remote.size_of(&key).expect("is asked"), None);
        assert_eq!(remote.test().expect("works"), Capabilities { can_read: true, can_write: true, can_list: true });
        remote.put(&key, &file, &monitor).expect("is stored");
        remote.put(&key, &file, &Monitor::default()).expect("is stored again");
        assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 6);
        fs_err::write(folder.path().join("remote/README"), "a stranger").expect("is written");
        assert_eq!(remote.list().expect("is listed"), [(key, 6)]);
        let mut body = remote.get(&key, 4).expect("is there");
        let mut text = String::new();
        body.reader.read_to_string(&mut text).expect("is read");
        assert_eq!((text.as_str(), body.from, body.total_bytes), ("ef", 4, Some(6)));
        assert!(matches!(remote.get(&key, 6), Err(RemoteError::PastEnd { .. })));
        assert!(matches!(remote.get(&key_of(b"x"), 0), Err(RemoteError::NotFound { .. })));
    }

    #[test]
    fn wrong_bytes_are_not_stored() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let remote = FolderRemote::new(folder.path().to_owned());
        let (file, key, monitor) = (folder.path().join("blob"), key_of(b"abcdef"), Monitor::default());
        fs_err::write(&file, b"abcdeX").expect("is written");
        let error = remote.put(&key, &file, &monitor).expect_err("is refused").to_string();
        assert!(error.ends_with(&format!("`{}` does not hold the bytes of this name", show(&file))), "{error}");
        assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(remote.list().expect("is listed"), []);
        monitor.cancel.store(true, Ordering::Relaxed);
        assert!(matches!(remote.put(&key, &file, &monitor), Err(RemoteError::Cancelled)));
        let below = fs_err::read_dir(remote.path_of(&key).parent().expect("a folder")).expect("is there");
        assert_eq!(below.count(), 0, "temporary files are gone");
    }

    #[test]
    fn what_a_killed_process_left_is_used_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let remote = FolderRemote::new(folder.path().to_owned());
        let (file, key) = (folder.path().join("blob"), key_of(b"abcdef"));
        fs_err::write(&file, b"abcdef").expect("is written");
        let place = remote.path_of(&key);
        let parent = atomic_file::folder_of(&place);
        fs_err::create_dir_all(parent).expect("is made");
        fs_err::write(atomic_file::beside(&place, ".new"), b"longer than the blob").expect("is written");
        remote.put(&key, &file, &Monitor::default()).expect("is stored");
        assert_eq!(fs_err::read(&place).expect("is there"), b"abcdef");
        assert_eq!(fs_err::read_dir(parent).expect("is there").count(), 1);
    }

    #[test]
    fn several_may_put_one_blob_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let remote = FolderRemote::new(folder.path().join("remote"));
        remote.prepare().expect("is made");
        let (file, bytes) = (folder.path().join("blob"), vec![7; 3 << 20]);
        fs_err::write(&file, &bytes).expect("is written");
        let key = key_of(&bytes);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| remote.put(&key, &file, &Monitor::default()).expect("is stored"));
            }
        });
        assert_eq!(remote.list().expect("is listed"), [(key, 3 << 20)]);
    }
}
