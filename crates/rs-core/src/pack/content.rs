//! What goes into the blob of a run folder, and its identity.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::{Content, ContentHash, MAX_BYTES, MAX_FILES, Monitor, PackError, RunFile, names};
use crate::hashing;

/// Files of at least this size are hashed on all threads, one after the other; smaller ones each on one thread.
const LARGE_FILE_BYTES: u64 = 8 << 20;

/// Lists what goes into the blob of a run folder, in the order of the names' bytes: all regular files below it, links
/// followed. Left out are what is hidden (`.x`, folders with all that is in them), and files `*.partial` and `*.tmp`.
///
/// # Errors
/// A folder cannot be listed; something is neither file nor folder, or a link that leads nowhere or in a circle; a
/// name is no UTF-8 or refused; there are too many files.
pub fn list_run(folder: &Path) -> Result<Vec<RunFile>, PackError> {
    let mut paths = Vec::new();
    let walk = WalkDir::new(folder).follow_links(true).into_iter();
    for item in walk.filter_entry(|item| item.depth() == 0 || !is_item_left_out(item)) {
        let item = item.map_err(|error| not_listed(folder, error))?;
        if item.file_type().is_dir() {
            continue;
        }
        let (depth, is_file, path) = (item.depth(), item.file_type().is_file(), item.into_path());
        if depth == 0 {
            return Err(PackError::Unpackable { path, why: "it is no folder".into() });
        }
        if !is_file {
            return Err(PackError::Unpackable { path, why: "it is no regular file".into() });
        }
        paths.push(path);
        if paths.len() > MAX_FILES {
            let why = format!("it holds more than {MAX_FILES} files");
            return Err(PackError::Unpackable { path: folder.to_owned(), why });
        }
    }
    // Of many files this takes longest.
    let listed = paths.into_par_iter().map(|path| {
        let metadata = fs_err::metadata(&path)?;
        let name = path.strip_prefix(folder).unwrap_or(&path).to_str().map(str::to_owned);
        let Some(name) = name else {
            return Err(PackError::Unpackable { path, why: "its name is not UTF-8".into() });
        };
        Ok(run_file(name, path, &metadata))
    });
    let files = listed.collect::<Result<Vec<_>, _>>()?;
    checked(folder, files)
}

/// Files of a run folder that were listed, in the order of the names' bytes.
///
/// # Errors
/// A name is refused; there are too many files.
pub(crate) fn checked(folder: &Path, mut files: Vec<RunFile>) -> Result<Vec<RunFile>, PackError> {
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    check_files(folder, &files)?;
    Ok(files)
}

/// A file of a run folder, as it was seen.
pub(crate) fn run_file(name: String, path: PathBuf, metadata: &std::fs::Metadata) -> RunFile {
    RunFile {
        name,
        path,
        size_bytes: metadata.len(),
        modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
        changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
    }
}

fn nanos(seconds: i64, nanos: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
}

/// A file by itself, as it is now.
pub fn list_file(path: &Path) -> Result<RunFile, PackError> {
    let metadata = fs_err::metadata(path)?;
    if !metadata.is_file() {
        return Err(PackError::Unpackable { path: path.to_owned(), why: "it is no regular file".into() });
    }
    Ok(run_file(String::new(), path.to_owned(), &metadata))
}

/// Checks what a blob could not hold.
pub(super) fn check_files(folder: &Path, files: &[RunFile]) -> Result<(), PackError> {
    names::check_all(files.iter().map(|file| file.name.as_str())).map_err(|(name, problem)| {
        let why = match problem {
            names::NameProblem::Control(_) => format!("its name {problem}"),
            problem => format!("the name `{}` {problem}", name.escape_debug()),
        };
        PackError::Unpackable { path: folder.join(name), why }
    })?;
    let raw_bytes = files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.size_bytes));
    if raw_bytes.is_none_or(|raw_bytes| raw_bytes > MAX_BYTES) {
        return Err(PackError::Unpackable { path: folder.to_owned(), why: "its files are too large".into() });
    }
    Ok(())
}

fn is_item_left_out(item: &DirEntry) -> bool {
    let name = item.file_name().as_encoded_bytes();
    name.starts_with(b".") || !item.file_type().is_dir() && is_unfinished(name)
}

/// Whether a file of this name does not go into blobs.
pub(crate) fn is_left_out(name: &str) -> bool {
    name.starts_with('.') || is_unfinished(name.as_bytes())
}

fn is_unfinished(name: &[u8]) -> bool {
    name.ends_with(b".partial") || name.ends_with(b".tmp")
}

fn not_listed(folder: &Path, error: walkdir::Error) -> PackError {
    let path = error.path().unwrap_or(folder).to_owned();
    if error.loop_ancestor().is_some() {
        return PackError::Unpackable { path, why: "the link leads in a circle".into() };
    }
    if error.depth() > 0 && path.is_symlink() && !path.exists() {
        return PackError::Unpackable { path, why: "the link leads nowhere".into() };
    }
    let source = error.into_io_error().unwrap_or_else(|| io::Error::other("cannot be listed"));
    io::Error::new(source.kind(), format!("cannot list `{}`: {source}", path.display())).into()
}

/// A key that changes when a file in the folder does, without reading any: from names, sizes, times and inodes.
#[must_use]
pub fn fingerprint(files: &[RunFile]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&(file.name.len() as u64).to_le_bytes());
        hasher.update(file.name.as_bytes());
        hasher.update(&file.size_bytes.to_le_bytes());
        hasher.update(&file.modified_nanos.to_le_bytes());
        hasher.update(&file.changed_nanos.to_le_bytes());
        hasher.update(&file.inode.to_le_bytes());
    }
    hasher.finalize().to_string()
}

/// The identity of files by their names and contents, on all threads of the current rayon pool: BLAKE3 over, for each
/// file in the order of the names' bytes, the length of the name (8 bytes, the least first), the name, the length of
/// the content (the same), and BLAKE3 of the content. Counts the bytes hashed.
///
/// # Errors
/// A file cannot be read or changed since it was listed, or the work was cancelled.
pub fn content_of(files: &[RunFile], monitor: &Monitor) -> Result<Content, PackError> {
    let is_large = |file: &RunFile| file.size_bytes >= LARGE_FILE_BYTES;
    let hash = |file: &RunFile| hash_of(file, monitor);
    let large: Result<Vec<_>, PackError> = files.iter().filter(|file| is_large(file)).map(hash).collect();
    let small: Result<Vec<_>, PackError> = files.par_iter().filter(|file| !is_large(file)).map(hash).collect();
    let (mut large, mut small) = (large?.into_iter(), small?.into_iter());
    let hashes = files.iter().filter_map(|file| if is_large(file) { large.next() } else { small.next() });
    let hash = identity(files.iter().zip(hashes).map(|(file, hash)| (file.name.as_str(), file.size_bytes, hash)));
    Ok(Content { hash, raw_bytes: files.iter().map(|file| file.size_bytes).sum(), n_files: files.len() as u64 })
}

/// What a file by itself holds, a database: its identity is BLAKE3 of its bytes. Counts the bytes hashed.
///
/// # Errors
/// The file cannot be read or changed since it was listed, or the work was cancelled.
pub fn content_of_file(file: &RunFile, monitor: &Monitor) -> Result<Content, PackError> {
    Ok(Content { hash: hash_of(file, monitor)?, raw_bytes: file.size_bytes, n_files: 1 })
}

fn hash_of(file: &RunFile, monitor: &Monitor) -> Result<ContentHash, PackError> {
    let opened = fs_err::File::open(&file.path)?;
    let hash_range = if file.size_bytes >= LARGE_FILE_BYTES { hashing::hash_range } else { hashing::hash_here };
    let hash = hash_range(&opened, file.size_bytes, monitor)
        .map_err(|error| cut_short(file, error))?
        .ok_or(PackError::Cancelled)?;
    check_unchanged(file, &opened)?;
    Ok(hash.into())
}

/// The identity of files, given in order.
pub(super) fn identity<'a>(files: impl Iterator<Item = (&'a str, u64, ContentHash)>) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    for (name, size_bytes, content) in files {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&size_bytes.to_le_bytes());
        hasher.update(content.as_bytes());
    }
    hasher.finalize().into()
}

/// Whether a file is still what was listed, asked after it was read.
pub(super) fn check_unchanged(file: &RunFile, opened: &fs_err::File) -> Result<(), PackError> {
    let metadata = opened.metadata()?;
    let now = (metadata.len(), nanos(metadata.mtime(), metadata.mtime_nsec()), metadata.ino());
    if now != (file.size_bytes, file.modified_nanos, file.inode) {
        return Err(PackError::Changed { path: file.path.clone() });
    }
    Ok(())
}

/// A file that ends too early has changed; anything else is the disk.
pub(super) fn cut_short(file: &RunFile, error: io::Error) -> PackError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return PackError::Changed { path: file.path.clone() };
    }
    error.into()
}
