//! The local store of blobs: a folder in which a name means verified (formats.md, section 7).
//!
//! A blob lies at `<store>/<first two hex digits>/<the other 62>`. What is not whole yet lies in `<store>/.partial/`,
//! and is renamed into its place once its bytes have been seen to be what the name says.

use std::io;
use std::path::{Path, PathBuf};

use crate::atomic_file;
pub use crate::digest::BlobId;
use crate::hashing;
use crate::monitor::Monitor;

/// Name of a store in the folder of the cohorts' sets.
pub const STORE_FOLDER: &str = ".blobs";

/// Name of the folder in a store for what is not whole yet.
const PARTIAL_FOLDER: &str = ".partial";

/// How the names of files begin that [`Store::temporary`] makes.
const NEW_PREFIX: &str = "new-";

/// Why a blob cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refuses; the error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// [`Monitor::cancel`] was set.
    #[error("stopped before the end")]
    Cancelled,
}

/// A folder of blobs. It need not exist: it is made when something is put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

/// A new file inside a store, removed when dropped unless adopted.
#[derive(Debug)]
pub struct Temporary {
    /// The file, open for reading and writing.
    pub file: fs_err::File,
    path: tempfile::TempPath,
}

impl Temporary {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// The store in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a blob lies, or would.
    #[must_use]
    pub fn path_of(&self, id: &BlobId) -> PathBuf {
        let hex = id.to_string();
        let (first, rest) = hex.split_at(2);
        self.folder.join(first).join(rest)
    }

    /// Where a blob lies while it is fetched.
    #[must_use]
    pub fn partial_of(&self, id: &BlobId) -> PathBuf {
        self.folder.join(PARTIAL_FOLDER).join(id.to_string())
    }

    /// The stored bytes of a blob, or `None` if it is not here.
    #[must_use]
    pub fn has(&self, id: &BlobId) -> Option<u64> {
        let metadata = fs_err::symlink_metadata(self.path_of(id)).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// A new file in the folder for what is not whole yet.
    ///
    /// # Errors
    /// The store cannot be written; the error names the path.
    pub fn temporary(&self) -> io::Result<Temporary> {
        let folder = self.folder.join(PARTIAL_FOLDER);
        fs_err::create_dir_all(&folder)?;
        let (file, path) = atomic_file::new_in(&folder, NEW_PREFIX)?.into_parts();
        Ok(Temporary { file: fs_err::File::from_parts(file, path.to_path_buf()), path })
    }

    /// The folder for what is not whole yet, made if it is not there.
    ///
    /// # Errors
    /// The store cannot be written; the error names the path.
    pub fn make_partial_folder(&self) -> io::Result<PathBuf> {
        let folder = self.folder.join(PARTIAL_FOLDER);
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Syncs a file on the store's file system, whose BLAKE3 the caller has found to be `id`, and moves it into its
    /// place. A blob that is there already is replaced by the same bytes. A crash may lose the name, but never leaves it
    /// to other bytes.
    ///
    /// # Errors
    /// The disk failed; the error names the path. The file is where it was, or in its place.
    pub fn adopt(&self, file: &Path, id: &BlobId) -> io::Result<()> {
        fs_err::File::open(file)?.sync_all()?;
        self.put_in_place(file, id)
    }

    /// [`Store::adopt`] for several files, which are synced together.
    ///
    /// # Errors
    /// The disk failed; the error names the path. Each of the files is where it was, or in its place.
    pub fn adopt_many(&self, files: &[(PathBuf, BlobId)]) -> io::Result<()> {
        let paths: Vec<PathBuf> = files.iter().map(|(file, _)| file.clone()).collect();
        atomic_file::sync_many(&paths)?;
        files.iter().try_for_each(|(file, id)| self.put_in_place(file, id))
    }

    fn put_in_place(&self, file: &Path, id: &BlobId) -> io::Result<()> {
        let place = self.path_of(id);
        fs_err::create_dir_all(atomic_file::folder_of(&place))?;
        fs_err::rename(file, &place)
    }

    /// All blobs and their stored bytes, sorted. What else lies in the store is nobody's.
    ///
    /// # Errors
    /// A folder cannot be listed; the error names the path.
    pub fn blobs(&self) -> io::Result<Vec<(BlobId, u64)>> {
        let mut found = Vec::new();
        for folder in names_in(&self.folder)? {
            let path = self.folder.join(&folder);
            if folder.len() != 2 || !path.is_dir() {
                continue;
            }
            for name in names_in(&path)? {
                let Ok(id) = format!("{folder}{name}").parse::<BlobId>() else { continue };
                found.extend(self.has(&id).map(|size_bytes| (id, size_bytes)));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// What lies in the folder for what is not whole yet, with its bytes, sorted: leftovers, unless somebody is at
    /// work.
    ///
    /// # Errors
    /// The folder cannot be listed; the error names the path.
    pub fn partials(&self) -> io::Result<Vec<(PathBuf, u64)>> {
        let folder = self.folder.join(PARTIAL_FOLDER);
        let files = names_in(&folder)?.into_iter().map(|name| folder.join(name));
        let sized = files.filter_map(|path| {
            let metadata = fs_err::symlink_metadata(&path).ok()?;
            metadata.is_file().then_some((path, metadata.len()))
        });
        let mut found: Vec<_> = sized.collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Removes the files of [`Store::temporary`] that processes left which were killed. The caller knows that nobody is
    /// at work on one.
    ///
    /// # Errors
    /// The folder cannot be listed, or a file not removed; the error names the path.
    pub fn sweep(&self) -> io::Result<()> {
        let is_new = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NEW_PREFIX));
        let partials = self.partials()?.into_iter().map(|(path, _)| path);
        partials.filter(|path| is_new(path)).try_for_each(fs_err::remove_file)
    }

    /// Removes a blob, if it is here.
    ///
    /// # Errors
    /// The file system refuses; the error names the path.
    pub fn remove(&self, id: &BlobId) -> io::Result<()> {
        match fs_err::remove_file(self.path_of(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Names in a folder that are UTF-8; none where there is no folder.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect()
}

/// BLAKE3 of a file's bytes, on all threads of the current rayon pool. Counts the bytes hashed.
///
/// # Errors
/// The file cannot be read, or the work was cancelled.
pub fn hash_file(path: &Path, monitor: &Monitor) -> Result<BlobId, StoreError> {
    let file = fs_err::File::open(path)?;
    let size_bytes = file.metadata()?.len();
    hashing::hash_range(&file, size_bytes, monitor)?.map(Into::into).ok_or(StoreError::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn put(store: &Store, content: &[u8]) -> BlobId {
        let mut new = store.temporary().unwrap();
        new.file.write_all(content).unwrap();
        let id = hash_file(new.path(), &Monitor::default()).unwrap();
        assert_eq!(id, BlobId::of(content));
        store.adopt(new.path(), &id).unwrap();
        id
    }

    #[test]
    fn a_blob_is_put_found_listed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("data/.blobs"));
        assert_eq!(store.blobs().unwrap(), []);
        let id = BlobId::of(b"one");
        assert_eq!(store.has(&id), None);
        assert_eq!(put(&store, b"one"), id);
        assert_eq!(put(&store, b"one"), id);
        let other = put(&store, b"three");
        assert_eq!(store.has(&id), Some(3));
        let hex = id.to_string();
        assert_eq!(store.path_of(&id), folder.path().join("data/.blobs").join(&hex[..2]).join(&hex[2..]));
        assert_eq!(store.partial_of(&id), folder.path().join("data/.blobs/.partial").join(&hex));
        let mut all = vec![(id, 3), (other, 5)];
        all.sort_unstable();
        assert_eq!(store.blobs().unwrap(), all);
        store.remove(&id).unwrap();
        store.remove(&id).unwrap();
        assert_eq!(store.blobs().unwrap(), [(other, 5)]);
    }

    #[test]
    fn strangers_in_a_store_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let id = put(&store, b"one");
        let hex = id.to_string();
        for stranger in ["README", "zz/x", ".partial/leftover", &format!("{}/x", &hex[..2])] {
            let path = folder.path().join(stranger);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x").unwrap();
        }
        // A folder, and a link, where blobs would be.
        fs_err::create_dir_all(store.path_of(&BlobId::of(b"folder"))).unwrap();
        let link = store.path_of(&BlobId::of(b"link"));
        fs_err::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", link).unwrap();
        assert_eq!(store.blobs().unwrap(), [(id, 3)]);
        assert_eq!(store.partials().unwrap(), [(folder.path().join(".partial/leftover"), 1)]);
    }

    #[test]
    fn a_temporary_file_goes_unless_adopted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let path = store.temporary().unwrap().path().to_owned();
        assert!(!path.exists());
        assert_eq!(store.partials().unwrap(), []);
    }
}
