//! Unpacks blobs: whole and as promised, or not at all.

use fs_err::os::unix::fs::FileExt;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::frames::{Line, Turn, Turns};
use super::layout::Part;
use super::read::FrameDecoder;
use super::{ContentHash, Expected, Kind, Member, Monitor, Pack, PackError};
use crate::atomic_file::{beside, folder_of, resolve_link, sync_folder, sync_many};
use crate::lock::Lock;

/// What is written beside the place, and its lock: for run folders, and for files by themselves.
const EXTRACTING: &str = ".extracting";
const EXTRACTING_LOCK: &str = ".extracting.lock";
const UNPACKING: &str = ".unpacking";
const UNPACKING_LOCK: &str = ".unpacking.lock";

/// Files written and hashed in pieces of this many bytes.
const WRITE_BYTES: usize = 256 << 10;

/// What happens to a file that stands where another is to be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is unpacked.
    Refuse,
    /// It is replaced, at once and as a whole.
    Replace,
}

/// A run folder that was unpacked beside its place. [`settle`] puts it there; dropped, it goes.
#[derive(Debug)]
pub struct Unpacked {
    into: PathBuf,
    // Removed while the lock is held: fields are dropped in their order.
    unfinished: Unfinished,
    _lock: Lock,
    /// Its files and folders, itself among them.
    paths: Vec<PathBuf>,
}

/// Unpacks the blob of a run folder, on all threads of the current rayon pool: into a hidden folder beside `into`,
/// which is synced and renamed once it is whole. The folders above are made. Counts raw bytes.
///
/// # Errors
/// The blob is damaged, made to hurt, or not what is expected; `into` is there and no empty folder; another process
/// unpacks there; the disk failed; the work was cancelled. Nothing is left behind.
pub fn extract_run(pack: &Path, into: &Path, expected: &Expected, monitor: &Monitor) -> Result<(), PackError> {
    let unpacked = unpack_run(pack, into, expected, monitor)?;
    settle(vec![unpacked]).into_iter().collect()
}

/// The first half of [`extract_run`]: unpacks beside `into`. Many together are settled faster than one by one.
///
/// # Errors
/// Those of [`extract_run`].
pub fn unpack_run(pack: &Path, into: &Path, expected: &Expected, monitor: &Monitor) -> Result<Unpacked, PackError> {
    let _span = tracing::info_span!("extract", files = expected.n_files).entered();
    let pack = Pack::open(pack)?;
    check_expected(&pack, expected)?;
    check_free(into)?;
    fs_err::create_dir_all(folder_of(into))?;
    let lock = Lock::take(&beside(into, EXTRACTING_LOCK))?;
    let unfinished = Unfinished::new(beside(into, EXTRACTING))?;
    fs_err::create_dir(&unfinished.path)?;
    let folders = make_folders(pack.members(), &unfinished.path)?;
    let unpacker = Unpacker { pack: &pack, place: Place::Folder(&unfinished.path) };
    unpacker.unpack(monitor)?;
    let names = pack.members().iter().map(|member| member.name.as_str()).chain(folders);
    let paths = names.map(|name| unfinished.path.join(name)).collect();
    Ok(Unpacked { into: into.to_owned(), unfinished, _lock: lock, paths })
}

/// Syncs run folders that were unpacked and renames each into its place: one result for each, in their order.
///
/// # Errors
/// Something came into a place meanwhile, or the disk failed. What is not in its place goes.
pub fn settle(unpacked: Vec<Unpacked>) -> Vec<Result<(), PackError>> {
    let _span = tracing::info_span!("settle", runs = unpacked.len()).entered();
    let paths: Vec<PathBuf> = unpacked.iter().flat_map(|one| one.paths.iter().cloned()).collect();
    if let Err(error) = sync_many(&paths) {
        return unpacked.iter().map(|_| Err(same_error(&error).into())).collect();
    }
    let folders: BTreeSet<PathBuf> = unpacked.iter().map(|one| folder_of(&one.into).to_owned()).collect();
    // An empty folder is replaced, anything else refuses.
    let rename = |one: Unpacked| {
        fs_err::rename(&one.unfinished.path, &one.into).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => occupied(&one.into),
            _ => error.into(),
        })
    };
    let renamed: Vec<_> = unpacked.into_iter().map(rename).collect();
    match sync_many(&folders.into_iter().collect::<Vec<_>>()) {
        Ok(()) => renamed,
        Err(error) => renamed.into_iter().map(|renamed| renamed.and(Err(same_error(&error).into()))).collect(),
    }
}

fn same_error(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Unpacks the blob of a file by itself, on all threads of the current rayon pool: into a hidden file beside `into`,
/// which is synced and renamed once it is whole. A link at `into` stays one. Counts raw bytes.
///
/// # Errors
/// The blob is damaged, holds a run folder or not `raw_bytes`; `into` is there, under [`Existing::Refuse`], or is no
/// regular file; another process unpacks there; the disk failed; the work was cancelled. Nothing is left behind.
pub fn unpack_file(
    pack: &Path,
    into: &Path,
    raw_bytes: u64,
    existing: Existing,
    monitor: &Monitor,
) -> Result<(), PackError> {
    let _span = tracing::info_span!("unpack").entered();
    let pack = Pack::open(pack)?;
    check_kind(&pack, Kind::File)?;
    same(&pack, "its file has bytes", &pack.raw_bytes(), &raw_bytes)?;
    // A link stays one: the file lies where it leads.
    let place = resolve_link(into)?;
    let may_be_written = || match fs_err::symlink_metadata(&place) {
        Ok(metadata) if existing == Existing::Replace && metadata.is_file() => Ok(()),
        Ok(_) => Err(occupied(into)),
        Err(_) => Ok(()),
    };
    may_be_written()?;
    let _lock = Lock::take(&beside(&place, UNPACKING_LOCK))?;
    let unfinished = Unfinished::new(beside(&place, UNPACKING))?;
    let file = fs_err::OpenOptions::new().write(true).create_new(true).open(&unfinished.path)?;
    let unpacker = Unpacker { pack: &pack, place: Place::File(&file) };
    unpacker.unpack(monitor)?;
    file.sync_all()?;
    may_be_written()?;
    fs_err::rename(&unfinished.path, &place)?;
    Ok(sync_folder(folder_of(&place))?)
}

/// Removes what unpacking into `into` has left in a process that was killed, unless another is at it now.
///
/// # Errors
/// It cannot be removed; the error names the path.
pub fn sweep_unpacked(into: &Path) -> io::Result<()> {
    for (unfinished, lock) in [(EXTRACTING, EXTRACTING_LOCK), (UNPACKING, UNPACKING_LOCK)] {
        let (unfinished, lock) = (beside(into, unfinished), beside(into, lock));
        let is_there = |path: &Path| fs_err::symlink_metadata(path).is_ok();
        if !is_there(&unfinished) && !is_there(&lock) {
            continue;
        }
        if let Ok(_lock) = Lock::take(&lock) {
            Unfinished::new(unfinished)?;
        }
    }
    Ok(())
}

fn check_kind(pack: &Pack, expected: Kind) -> Result<(), PackError> {
    let name = |kind: Kind| match kind {
        Kind::Run => "run folder",
        Kind::File => "file",
    };
    same(pack, "it holds a", &name(pack.kind()), &name(expected))
}

/// Checks that the table of contents is of what the caller expects. Whether the frames hold what it says is seen when
/// they are decoded.
///
/// # Errors
/// It is of something else.
pub fn check_expected(pack: &Pack, expected: &Expected) -> Result<(), PackError> {
    check_kind(pack, Kind::Run)?;
    let Some(found) = pack.content() else { return Ok(()) };
    same(pack, "the number of its files is", &found.n_files, &expected.n_files)?;
    same(pack, "its files have bytes", &found.raw_bytes, &expected.raw_bytes)?;
    same(pack, "its content is", &found.hash, &expected.content)
}

fn same<T: PartialEq + ToString>(pack: &Pack, what: &'static str, found: &T, expected: &T) -> Result<(), PackError> {
    if found == expected {
        return Ok(());
    }
    let (expected, found) = (expected.to_string(), found.to_string());
    Err(PackError::Unexpected { path: pack.path().to_owned(), what, expected, found })
}

/// Whether a folder could be renamed to `into`.
fn check_free(into: &Path) -> Result<(), PackError> {
    let Ok(metadata) = fs_err::symlink_metadata(into) else { return Ok(()) };
    if metadata.is_dir() && fs_err::read_dir(into)?.next().is_none() {
        return Ok(());
    }
    Err(occupied(into))
}

fn occupied(into: &Path) -> PackError {
    PackError::Occupied { path: into.to_owned() }
}

/// A file or folder that is removed when dropped: once renamed it is no longer there.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// Removes what a process left that was killed; the lock says that nobody is at it.
    fn new(path: PathBuf) -> io::Result<Self> {
        match remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self { path }),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Another error has been told already.
        let _ = remove(&self.path);
    }
}

/// Removes a file, or a folder with all that is in it; links are not followed.
fn remove(path: &Path) -> io::Result<()> {
    if fs_err::symlink_metadata(path)?.is_dir() { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) }
}

/// Makes the folders of all files below `root`; gives their names, the root's own first.
fn make_folders<'a>(members: &'a [Member], root: &Path) -> Result<BTreeSet<&'a str>, PackError> {
    let mut folders = BTreeSet::from([""]);
    for member in members {
        for (at, _) in member.name.match_indices('/') {
            let folder = &member.name[..at];
            if folders.insert(folder) {
                fs_err::create_dir(root.join(folder))?;
            }
        }
    }
    Ok(folders)
}

/// Where contents go.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Folder(&'a Path),
    File(&'a fs_err::File),
}

struct Unpacker<'a> {
    pack: &'a Pack,
    place: Place<'a>,
}

impl Unpacker<'_> {
    fn unpack(&self, monitor: &Monitor) -> Result<(), PackError> {
        Line::run(
            self.pack.layout.n_frames(),
            monitor,
            || Ok(FrameDecoder::new()?),
            |decoder, frame, turns| {
                decoder.decode(self.pack, frame)?;
                self.write(frame, decoder.raw(), turns, monitor)
            },
            |()| Ok(()),
        )
    }

    /// Writes the contents in a frame, and checks that it holds what the table of contents says and nothing else.
    fn write(&self, frame: usize, raw: &[u8], turns: &Turns, monitor: &Monitor) -> Result<(), PackError> {
        let members = self.pack.members();
        for piece in self.pack.layout.pieces(frame) {
            let bytes = &raw[piece.at];
            match piece.part {
                Part::Zeros => self.pack.check_zeros(bytes)?,
                Part::Header { member, from } => self.pack.check_header(&members[member], from, bytes)?,
                Part::Content { member, from, whole } => {
                    match self.place {
                        Place::File(file) => file.write_all_at(bytes, from)?,
                        Place::Folder(root) => {
                            let hash = self.write_content(root, member, from, bytes, whole, turns)?;
                            if hash.is_some_and(|hash| hash != members[member].content) {
                                return Err(self.wrong_content(&members[member]));
                            }
                        }
                    }
                    monitor.add(bytes.len() as u64);
                    if monitor.is_cancelled() {
                        return Err(PackError::Cancelled);
                    }
                }
            }
        }
        let Place::Folder(root) = self.place else { return Ok(()) };
        for member in self.pack.layout.empty_files(frame) {
            let member = &members[member];
            if member.content != ContentHash::of(b"") {
                return Err(self.wrong_content(member));
            }
            fs_err::OpenOptions::new().write(true).create_new(true).open(root.join(&member.name))?;
        }
        Ok(())
    }

    /// Writes a part of a file; gives the file's hash if nothing is to come.
    fn write_content(
        &self,
        root: &Path,
        position: usize,
        from: u64,
        bytes: &[u8],
        whole: bool,
        turns: &Turns,
    ) -> Result<Option<ContentHash>, PackError> {
        let member = &self.pack.members()[position];
        // Parts of one file come in any order.
        let mut options = fs_err::OpenOptions::new();
        let file = options.write(true).create(!whole).create_new(whole).open(root.join(&member.name))?;
        if !whole {
            file.write_all_at(bytes, from)?;
            return match turns.take(position, from, bytes, member.size_bytes) {
                Turn::Taken => Ok(None),
                Turn::Last(hash) => Ok(Some(hash)),
                Turn::Stopped => Err(PackError::Cancelled),
            };
        }
        let mut hasher = blake3::Hasher::new();
        let mut at = from;
        for bytes in bytes.chunks(WRITE_BYTES) {
            hasher.update(bytes);
            file.write_all_at(bytes, at)?;
            at += bytes.len() as u64;
        }
        Ok(Some(hasher.finalize().into()))
    }

    fn wrong_content(&self, member: &Member) -> PackError {
        let name = member.name.escape_debug();
        self.pack.damaged(format!("the content of `{name}` is not what the table of contents says"))
    }
}
