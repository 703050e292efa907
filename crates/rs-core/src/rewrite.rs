//! Raw files written anew: packed otherwise, or with some of their bytes replaced. Whatever happens, a file is the old one
//! or the new one, whole.
//!
//! [`prepare`] writes the new file under a hidden name beside its place and decodes it again; [`commit`] syncs several of
//! them at once and renames them. What lies behind a link is replaced, the link stays.

mod encode;
mod splice;

use std::fs::Metadata;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tempfile::NamedTempFile;

use crate::atomic_file::{self, UNFINISHED};
use crate::digest::ContentHash;
use crate::monitor::Monitor;
use crate::reader::{Codec, raw_file_name};
pub use encode::Threads;
use encode::{Encoded, encode};
pub use splice::Splice;
use splice::Spliced;

/// Why a file stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// [`Monitor::cancel`] was set.
    #[error("stopped before the end")]
    Cancelled,
    /// The old file cannot be read to its end.
    #[error("`{}` cannot be read to its end: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody has written the old file meanwhile.
    #[error("`{}` has changed meanwhile", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There is a file where the new one is to be.
    #[error("`{}` is there already", path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
    },
    /// The new file does not read back as what was written.
    #[error("what was written for `{}` reads back as something else: the disk or the memory is failing", path.display())]
    Differs {
        /// The old file.
        path: PathBuf,
    },
    /// The new file cannot be written; the error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A raw file as it was before the work on it began.
#[derive(Debug, Clone)]
pub struct Original {
    /// Where it is, as the user would type it.
    pub path: PathBuf,
    /// The file itself, if `path` is a link.
    place: PathBuf,
    codec: Codec,
    seen: Seen,
    modified: Option<SystemTime>,
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    file: (u64, u64),
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn new(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Original {
    /// Looks at a raw file.
    ///
    /// # Errors
    /// It is not there; the error names the path.
    pub fn look(path: &Path, codec: Codec) -> io::Result<Self> {
        let place = atomic_file::resolve_link(path)?;
        let metadata = fs_err::metadata(&place)?;
        let (seen, modified) = (Seen::new(&metadata), metadata.modified().ok());
        Ok(Self { path: path.to_owned(), place, codec, seen, modified })
    }

    /// Its size in bytes, as stored.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.seen.size_bytes
    }

    /// The file itself, if its path is a link.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    fn check_unchanged(&self) -> Result<(), RewriteError> {
        match fs_err::metadata(&self.place) {
            Ok(metadata) if Seen::new(&metadata) == self.seen => Ok(()),
            _ => Err(RewriteError::Changed { path: self.path.clone() }),
        }
    }

    fn unreadable(&self, source: io::Error) -> RewriteError {
        RewriteError::Unreadable { path: self.path.clone(), source }
    }

    /// BLAKE3 of its decoded bytes. Stored bytes are added to the monitor's.
    ///
    /// # Errors
    /// It cannot be read to its end, or the work is cancelled.
    pub fn decoded_hash(&self, monitor: &Monitor) -> Result<ContentHash, RewriteError> {
        hash(&self.place, self.codec, &monitor.done_bytes, monitor).map_err(|error| match error {
            RewriteError::Io(error) => self.unreadable(error),
            other => other,
        })
    }
}

/// What the new file is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The same file with other content, packed as before; its time is now.
    Edited(Vec<Splice>),
    /// The same file with the same content, packed anew; its time stays.
    Repacked,
    /// A zstd file of another name with the same content, whose time stays; the old file goes.
    Moved(PathBuf),
}

/// A new file that is whole, and not in its place yet. Dropped, it is removed.
#[derive(Debug)]
pub struct Prepared {
    original: Original,
    file: NamedTempFile,
    /// Another name than the old file's.
    moved_to: Option<PathBuf>,
    /// Stored bytes of the new file.
    pub size_bytes: u64,
}

/// Stored bytes that [`prepare`] would write.
///
/// # Errors
/// The old file cannot be read to its end, or the work is cancelled.
pub fn measure(original: &Original, target: &Target, threads: Threads, monitor: &Monitor) -> Result<u64, RewriteError> {
    let mut size = Size(0);
    write(original, target, threads, &mut size, monitor)?;
    Ok(size.0)
}

/// Writes the new file beside its place, decodes it again and compares. Stored bytes of the old file are added to the
/// monitor's.
///
/// # Errors
/// The old file cannot be read to its end or has changed, the new one cannot be written or does not read back, or the work
/// is cancelled. Nothing is left then.
pub fn prepare(
    original: Original,
    target: &Target,
    threads: Threads,
    monitor: &Monitor,
) -> Result<Prepared, RewriteError> {
    let place = match target {
        Target::Moved(path) => path,
        _ => &original.place,
    };
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let folder = atomic_file::folder_of(place);
    let mut file = atomic_file::new_in(folder, &format!(".{name}{UNFINISHED}"))?;
    let named = |error: io::Error| {
        RewriteError::Io(io::Error::new(error.kind(), format!("cannot write beside `{}`: {error}", place.display())))
    };
    let encoded = write(&original, target, threads, file.as_file_mut(), monitor).map_err(|error| match error {
        RewriteError::Io(error) => named(error),
        other => other,
    })?;
    let codec = packing(&original, target);
    // This does not count as progress: the work is as long as the old files are.
    let uncounted = AtomicU64::new(0);
    match hash(file.path(), codec, &uncounted, monitor) {
        Ok(hash) if hash == encoded.content => {}
        Ok(_) => return Err(RewriteError::Differs { path: original.path }),
        Err(error) => return Err(error),
    }
    let permissions = fs_err::metadata(&original.place)?.permissions();
    file.as_file().set_permissions(permissions).map_err(named)?;
    let keeps_time = !matches!(target, Target::Edited(_));
    if let Some(modified) = original.modified.filter(|_| keeps_time) {
        file.as_file().set_modified(modified).map_err(named)?;
    }
    let size_bytes = file.as_file().metadata().map_err(named)?.len();
    let moved_to = match target {
        Target::Moved(path) => Some(path.clone()),
        _ => None,
    };
    Ok(Prepared { original, file, moved_to, size_bytes })
}

/// Puts new files into their places, with as few waits for the disk as there can be. Gives what became of each, in order.
///
/// # Errors
/// The disk failed before anything was put anywhere; the error names the path.
pub fn commit(prepared: Vec<Prepared>) -> io::Result<Vec<Result<(), RewriteError>>> {
    let files: Vec<PathBuf> = prepared.iter().map(|new| new.file.path().to_owned()).collect();
    atomic_file::sync_many(&files)?;
    let mut folders: Vec<PathBuf> = files.iter().map(|file| atomic_file::folder_of(file).to_owned()).collect();
    let placed: Vec<Result<Option<Move>, RewriteError>> = prepared.into_iter().map(place).collect();
    folders.dedup();
    atomic_file::sync_many(&folders)?;
    // Only now that the new ones are there to stay, whatever happens, the old ones go.
    let mut emptied = Vec::new();
    let results = placed
        .into_iter()
        .map(|placed| {
            let Some(Move { old, new }) = placed? else { return Ok(()) };
            emptied.push(atomic_file::folder_of(&old.place).to_owned());
            remove(&old).inspect_err(|_| {
                // Both would count; the old one is what somebody is at work on.
                let _ = fs_err::remove_file(&new);
            })
        })
        .collect();
    emptied.dedup();
    atomic_file::sync_many(&emptied)?;
    Ok(results)
}

/// A file that is to go, and the new one that holds its content.
struct Move {
    old: Original,
    new: PathBuf,
}

/// Gives a new file its name; what is left to be done if that is not the old one's.
fn place(new: Prepared) -> Result<Option<Move>, RewriteError> {
    let Prepared { original, file, moved_to, .. } = new;
    original.check_unchanged()?;
    match moved_to {
        None => {
            fs_err::rename(file.path(), &original.place)?;
            Ok(None)
        }
        Some(target) => match file.persist_noclobber(&target) {
            Ok(_) => Ok(Some(Move { old: original, new: target })),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(RewriteError::Occupied { path: target })
            }
            Err(error) => Err(error.error.into()),
        },
    }
}

/// Removes a file whose content is elsewhere.
///
/// # Errors
/// It has changed since it was looked at, or cannot be removed.
pub fn remove(original: &Original) -> Result<(), RewriteError> {
    original.check_unchanged()?;
    Ok(fs_err::remove_file(&original.place)?)
}

/// Removes what [`prepare`] has left in a folder in processes that were killed. The caller knows that nobody is at work in
/// it now.
///
/// # Errors
/// The folder cannot be listed, or a file not removed; the error names the path.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for item in fs_err::read_dir(folder)? {
        let item = item?;
        let name = item.file_name();
        if is_unfinished(&name.to_string_lossy()) && item.file_type()?.is_file() {
            fs_err::remove_file(item.path())?;
        }
    }
    Ok(())
}

/// Whether a name is one that [`prepare`] gives.
fn is_unfinished(name: &str) -> bool {
    let raw = name.strip_prefix('.').and_then(|name| name.rsplit_once(UNFINISHED));
    raw.is_some_and(|(name, _)| raw_file_name(name).is_some())
}

fn packing(original: &Original, target: &Target) -> Codec {
    match target {
        Target::Edited(_) => original.codec,
        Target::Repacked | Target::Moved(_) => Codec::Zstd,
    }
}

fn write(
    original: &Original,
    target: &Target,
    threads: Threads,
    out: &mut (impl io::Write + Send),
    monitor: &Monitor,
) -> Result<Encoded, RewriteError> {
    let source =
        decoded(&original.place, original.codec, &monitor.done_bytes).map_err(|error| original.unreadable(error))?;
    let splices = match target {
        Target::Edited(splices) => splices.as_slice(),
        Target::Repacked | Target::Moved(_) => &[],
    };
    let mut source = Spliced::new(source, splices);
    encode(&mut source, packing(original, target), threads, out, monitor).map_err(|error| match error {
        encode::Failure::Cancelled => RewriteError::Cancelled,
        encode::Failure::Read(error) => original.unreadable(error),
        encode::Failure::Write(error) => RewriteError::Io(error),
    })
}

/// BLAKE3 of the decoded bytes of a file.
fn hash(path: &Path, codec: Codec, progress: &AtomicU64, monitor: &Monitor) -> Result<ContentHash, RewriteError> {
    let mut source = decoded(path, codec, progress)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        if monitor.is_cancelled() {
            return Err(RewriteError::Cancelled);
        }
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(n_bytes) => hasher.update(&buffer[..n_bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
    }
}

/// The decoded bytes of a file, all of them: a byte order mark, too.
fn decoded<'a>(path: &Path, codec: Codec, progress: &'a AtomicU64) -> io::Result<BufReader<Box<dyn Read + Send + 'a>>> {
    let stored = Counted { inner: fs_err::File::open(path)?, progress };
    let source: Box<dyn Read + Send + 'a> = match codec {
        Codec::Plain => Box::new(stored),
        Codec::Zstd => Box::new(zstd::stream::read::Decoder::new(stored)?),
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, stored))),
    };
    Ok(BufReader::with_capacity(1 << 18, source))
}

/// Counts what passes.
struct Counted<'a> {
    inner: fs_err::File,
    progress: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.inner.read(buffer)?;
        self.progress.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

/// Counts what would be written.
struct Size(u64);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
