//! Many blobs to and from a remote: several at once, resumed, checked byte for byte; one that fails stops no other.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use rs_core::paths::show;

use crate::remote::{Options, Remote, RemoteError};
use crate::retry::{Next, Patience, TICK};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// A try that brought so many new bytes was not in vain: the count of tries starts anew.
const GAIN_BYTES: u64 = 1 << 20;

/// A blob to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name: the hash that its bytes must have.
    pub key: BlobId,
    /// Stored bytes: not one more is taken.
    pub size_bytes: u64,
    /// What it holds, for messages: `cohort r12/Qwen3-32B, run 2026-01-01`.
    pub what: String,
}

/// How a blob came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes that came from the remote now; the others of the blob were here.
    pub received_bytes: u64,
    /// Times that the remote was asked for it.
    pub n_tries: u32,
}

/// Where fetched blobs go: the local store.
pub trait Destination: Sync {
    /// Where the bytes of a blob gather until it is whole; kept from one time to the next.
    fn partial_of(&self, key: &BlobId) -> PathBuf;

    /// Takes a whole and verified file into the store: syncs it, then renames it.
    ///
    /// # Errors
    /// The disk fails.
    fn adopt(&self, key: &BlobId, partial: &Path) -> io::Result<()>;
}

/// A blob to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSend {
    /// Its name.
    pub key: BlobId,
    /// The file with its bytes.
    pub path: PathBuf,
    /// Stored bytes.
    pub size_bytes: u64,
    /// What it holds, for messages.
    pub what: String,
}

/// How a blob came to be in a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was there, with the right size.
    AlreadyThere,
    /// It was stored.
    Stored {
        /// Times that it was tried.
        n_tries: u32,
    },
}

/// Why a blob was not fetched or sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransferError {
    /// What the remote gives is not the blob, twice in a row. Nothing of it is kept.
    #[error("{what}: blob `{key}` of `{remote}` is refused: {damage}")]
    Refused {
        /// What the blob should hold.
        what: String,
        /// The blob.
        key: BlobId,
        /// The remote's URL, without secrets.
        remote: String,
        /// What is wrong.
        damage: Damage,
    },
    /// The remote failed, for good or too often. What came of the blob is kept.
    #[error("{what}: {source}{}", tries(*.n_tries))]
    Remote {
        /// What the blob holds.
        what: String,
        /// Times that the remote was asked.
        n_tries: u32,
        /// The last of the failures.
        source: RemoteError,
    },
    /// The disk here failed; the error names the path.
    #[error("{what}: {source}")]
    Disk {
        /// What the blob holds.
        what: String,
        /// The failure.
        source: Arc<io::Error>,
    },
    /// Another process fetches the same blob.
    #[error("{what}: another process is writing {}", show(path))]
    Busy {
        /// What the blob holds.
        what: String,
        /// The file that is being written.
        path: PathBuf,
    },
    /// The file to be sent is not the one that was promised.
    #[error("{what}: {} has {found_bytes} bytes, not {expected_bytes}", show(path))]
    Changed {
        /// What the blob holds.
        what: String,
        /// The file.
        path: PathBuf,
        /// Bytes that it has.
        found_bytes: u64,
        /// Bytes that it should have.
        expected_bytes: u64,
    },
    /// [`Monitor::cancel`] was set. What came of the blob is kept.
    #[error("stopped before the end")]
    Cancelled,
}

/// How what a remote gives differs from the blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes have another hash.
    Hash {
        /// In hex.
        found: String,
    },
    /// The remote says that it has another size.
    Size {
        /// Bytes that the remote has.
        found_bytes: u64,
        /// Bytes that the blob has.
        expected_bytes: u64,
    },
    /// More bytes come than the blob has.
    TooLong {
        /// Bytes that the blob has.
        expected_bytes: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash { found } => write!(f, "its bytes are wrong: they have the hash `{found}`"),
            Self::Size { found_bytes, expected_bytes } => {
                write!(f, "it has {found_bytes} bytes there, not {expected_bytes}")
            }
            Self::TooLong { expected_bytes } => write!(f, "it has more than its {expected_bytes} bytes there"),
        }
    }
}

/// An error that can say that the work was stopped.
trait Stopped {
    const STOPPED: Self;
}

impl Stopped for TransferError {
    const STOPPED: Self = Self::Cancelled;
}

impl Stopped for RemoteError {
    const STOPPED: Self = Self::Cancelled;
}

fn tries(n_tries: u32) -> String {
    if n_tries > 1 { format!(" (after {n_tries} tries)") } else { String::new() }
}

/// Fetches blobs into `destination`: one result for each of `wanted`, in their order. A blob that is wanted several times
/// is fetched once.
///
/// [`Monitor::done_bytes`] counts up to the sum of `size_bytes`, what was here included; it goes back where bytes turn
/// out to be wrong. When [`Monitor::cancel`] is set, the remote is interrupted for good and what came so far is kept.
pub fn fetch_all(
    remote: &dyn Remote,
    wanted: &[Wanted],
    destination: &dyn Destination,
    options: &Options,
    monitor: &Monitor,
) -> Vec<Result<Fetched, TransferError>> {
    read_all(remote, wanted, Some(destination), options, monitor)
}

/// Reads blobs in a remote to their last byte and checks them, and keeps nothing; otherwise like [`fetch_all`].
pub fn check_all(
    remote: &dyn Remote,
    wanted: &[Wanted],
    options: &Options,
    monitor: &Monitor,
) -> Vec<Result<Fetched, TransferError>> {
    read_all(remote, wanted, None, options, monitor)
}

/// Reads blobs to their last byte; into nothing where there is no destination.
fn read_all(
    remote: &dyn Remote,
    wanted: &[Wanted],
    destination: Option<&dyn Destination>,
    options: &Options,
    monitor: &Monitor,
) -> Vec<Result<Fetched, TransferError>> {
    let keys: Vec<&BlobId> = wanted.iter().map(|blob| &blob.key).collect();
    run_all(remote, &keys, options, monitor, |at| {
        let blob = &wanted[at];
        Fetch { remote, blob, destination, options, monitor, n_tries: 0, received_bytes: 0 }.run()
    })
}

/// Sends blobs that the remote does not have: one result for each of `to_send`, in their order.
///
/// [`Monitor::done_bytes`] counts up to the sum of `size_bytes`, what was there included.
pub fn send_all(
    remote: &dyn Remote,
    to_send: &[ToSend],
    options: &Options,
    monitor: &Monitor,
) -> Vec<Result<Sent, TransferError>> {
    let keys: Vec<&BlobId> = to_send.iter().map(|blob| &blob.key).collect();
    let results = run_all(remote, &keys, options, monitor, |at| send(remote, &to_send[at], options, monitor));
    finished(remote, to_send, results)
}

/// Makes what was stored survive a crash.
fn finished(
    remote: &dyn Remote,
    to_send: &[ToSend],
    mut results: Vec<Result<Sent, TransferError>>,
) -> Vec<Result<Sent, TransferError>> {
    let is_stored = |result: &Result<Sent, TransferError>| matches!(result, Ok(Sent::Stored { .. }));
    if !results.iter().any(is_stored) {
        return results;
    }
    if let Err(source) = remote.finish() {
        for (blob, result) in to_send.iter().zip(&mut results).filter(|(_, result)| is_stored(result)) {
            *result = Err(TransferError::Remote { what: blob.what.clone(), n_tries: 1, source: source.clone() });
        }
    }
    results
}

/// Sends blobs in the place of what the remote has under their names; otherwise like [`send_all`].
pub fn replace_all(
    remote: &dyn Remote,
    to_send: &[ToSend],
    options: &Options,
    monitor: &Monitor,
) -> Vec<Result<Sent, TransferError>> {
    let keys: Vec<&BlobId> = to_send.iter().map(|blob| &blob.key).collect();
    let results = run_all(remote, &keys, options, monitor, |at| {
        let blob = &to_send[at];
        match patiently(options, monitor, || remote.put(&blob.key, &blob.path, monitor)) {
            Ok(()) => Ok(Sent::Stored { n_tries: 1 }),
            Err(RemoteError::Cancelled) => Err(TransferError::Cancelled),
            Err(RemoteError::Local(source)) => Err(TransferError::Disk { what: blob.what.clone(), source }),
            Err(source) => Err(TransferError::Remote { what: blob.what.clone(), n_tries: 1, source }),
        }
    });
    finished(remote, to_send, results)
}

/// Asks for the stored bytes of blobs, several at once: one result for each of `keys`, in their order.
pub fn sizes_of(
    remote: &dyn Remote,
    keys: &[BlobId],
    options: &Options,
    monitor: &Monitor,
) -> Vec<Result<Option<u64>, RemoteError>> {
    let asked: Vec<&BlobId> = keys.iter().collect();
    run_all(remote, &asked, options, monitor, |at| patiently(options, monitor, || remote.size_of(&keys[at])))
}

/// Asks a remote as often as it takes while it fails for reasons that may pass.
///
/// # Errors
/// The last failure, or [`RemoteError::Cancelled`].
pub fn patiently<T>(
    options: &Options,
    monitor: &Monitor,
    ask: impl Fn() -> Result<T, RemoteError>,
) -> Result<T, RemoteError> {
    let mut patience = Patience::new(options);
    loop {
        let error = match ask() {
            Err(error) if error.is_transient() => error,
            other => return other,
        };
        match patience.pause(error.retry_after(), monitor) {
            Next::Again => {}
            Next::GiveUp => return Err(error),
            Next::Stopped => return Err(RemoteError::Cancelled),
        }
    }
}

/// Does the work of each key once, on several threads; keys that come again get the result of the first.
fn run_all<T: Clone + Send, E: Clone + Send + Stopped>(
    remote: &dyn Remote,
    keys: &[&BlobId],
    options: &Options,
    monitor: &Monitor,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Vec<Result<T, E>> {
    let mut first_of = HashMap::new();
    let firsts: Vec<usize> = keys.iter().enumerate().map(|(at, key)| *first_of.entry(key).or_insert(at)).collect();
    let to_do: Vec<usize> = firsts.iter().enumerate().filter(|(at, first)| at == *first).map(|(at, _)| at).collect();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut done: HashMap<usize, Result<T, E>> = HashMap::new();
    std::thread::scope(|scope| {
        for _ in 0..options.parallel.clamp(1, to_do.len().max(1)) {
            let (sender, work, next, to_do) = (sender.clone(), &work, &next, &to_do);
            scope.spawn(move || {
                while let Some(at) = to_do.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = if monitor.is_cancelled() { Err(E::STOPPED) } else { work(*at) };
                    if sender.send((*at, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut is_interrupted = false;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok((at, result)) => drop(done.insert(at, result)),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if monitor.is_cancelled() && !is_interrupted {
                is_interrupted = true;
                remote.interrupt();
            }
        }
    });
    // Every first one has its result, unless its thread panicked, and then so did the scope.
    firsts.iter().map(|first| done.get(first).cloned().unwrap_or(Err(E::STOPPED))).collect()
}

/// One blob on its way here.
struct Fetch<'a> {
    remote: &'a dyn Remote,
    blob: &'a Wanted,
    /// `None` if it is only checked.
    destination: Option<&'a dyn Destination>,
    options: &'a Options,
    monitor: &'a Monitor,
    n_tries: u32,
    received_bytes: u64,
}

/// What is here of a blob.
struct Partial<'a> {
    /// `None` if it is only checked.
    file: Option<fs_err::File>,
    hasher: blake3::Hasher,
    n_bytes: u64,
    monitor: &'a Monitor,
}

/// Why a try brought no blob.
enum Setback {
    Remote(RemoteError),
    Damaged(Damage),
    Disk(io::Error),
    Cancelled,
}

impl From<io::Error> for Setback {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl Fetch<'_> {
    fn run(mut self) -> Result<Fetched, TransferError> {
        let path = self.destination.map(|destination| destination.partial_of(&self.blob.key));
        let file = path.as_deref().map(|path| self.open(path)).transpose()?;
        let mut partial = Partial { file, hasher: blake3::Hasher::new(), n_bytes: 0, monitor: self.monitor };
        let result = self.complete(&mut partial);
        if let (Some(path), Err(_), 0) = (path, &result, partial.n_bytes) {
            // An empty file is in nobody's way, and the failure itself matters more.
            let _ = fs_err::remove_file(&path);
        }
        if result.is_err() {
            // Done is what is here for good, not what may be of use later.
            partial.take_back();
        }
        result.map(|()| Fetched { received_bytes: self.received_bytes, n_tries: self.n_tries })
    }

    /// Opens what came the last time, for this process alone.
    fn open(&self, path: &Path) -> Result<fs_err::File, TransferError> {
        let opened = path
            .parent()
            .map_or(Ok(()), fs_err::create_dir_all)
            .and_then(|()| fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path));
        let file = opened.map_err(|error| self.disk(error))?;
        match file.file().try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(TransferError::Busy { what: self.blob.what.clone(), path: path.to_owned() })
            }
            Err(std::fs::TryLockError::Error(error)) => Err(self.disk(error)),
        }
    }

    fn complete(&mut self, partial: &mut Partial<'_>) -> Result<(), TransferError> {
        match partial.read_what_is_there(self.blob.size_bytes) {
            Ok(()) => {}
            Err(Setback::Disk(error)) => return Err(self.disk(error)),
            Err(_) => return Err(TransferError::Cancelled),
        }
        let mut patience = Patience::new(self.options);
        let (mut furthest, mut was_damaged) = (partial.n_bytes, false);
        loop {
            match self.attempt(partial) {
                Ok(()) => return Ok(()),
                Err(Setback::Disk(error)) => return Err(self.disk(error)),
                Err(Setback::Cancelled | Setback::Remote(RemoteError::Cancelled)) => {
                    return Err(TransferError::Cancelled);
                }
                Err(_) if self.monitor.is_cancelled() => return Err(TransferError::Cancelled),
                // What was here, or on its way, may have been at fault: once more, from nothing.
                Err(Setback::Damaged(damage)) => {
                    partial.discard().map_err(|error| self.disk(error))?;
                    if was_damaged {
                        return Err(self.refused(damage));
                    }
                    was_damaged = true;
                }
                Err(Setback::Remote(error)) => {
                    if partial.n_bytes >= furthest + GAIN_BYTES {
                        patience.renew();
                    }
                    furthest = furthest.max(partial.n_bytes);
                    match &error {
                        RemoteError::Transient { .. } => {}
                        // What is here is longer than what is there: not the same bytes.
                        RemoteError::PastEnd { .. } if partial.n_bytes > 0 => {
                            partial.discard().map_err(|error| self.disk(error))?;
                        }
                        _ => return Err(self.failed(error)),
                    }
                    match patience.pause(error.retry_after(), self.monitor) {
                        Next::Again => {}
                        Next::GiveUp => return Err(self.failed(error)),
                        Next::Stopped => return Err(TransferError::Cancelled),
                    }
                }
            }
        }
    }

    /// Fetches what is missing, and takes the blob into the store if it is right.
    fn attempt(&mut self, partial: &mut Partial<'_>) -> Result<(), Setback> {
        let size_bytes = self.blob.size_bytes;
        if partial.n_bytes < size_bytes {
            self.n_tries += 1;
            self.receive(partial)?;
        }
        let found = partial.hasher.finalize().to_hex();
        if found.as_str() != self.blob.key.to_string() {
            return Err(Setback::Damaged(Damage::Hash { found: found.to_string() }));
        }
        if let (Some(destination), Some(file)) = (self.destination, &partial.file) {
            destination.adopt(&self.blob.key, file.path())?;
        }
        Ok(())
    }

    fn receive(&mut self, partial: &mut Partial<'_>) -> Result<(), Setback> {
        let expected_bytes = self.blob.size_bytes;
        let mut body = self.remote.get(&self.blob.key, partial.n_bytes).map_err(Setback::Remote)?;
        if let Some(found_bytes) = body.total_bytes.filter(|total| *total != expected_bytes) {
            return Err(Setback::Damaged(Damage::Size { found_bytes, expected_bytes }));
        }
        match body.from {
            from if from == partial.n_bytes => {}
            // The server does not know ranges and sends everything: then what is here is not needed.
            0 => partial.discard()?,
            from => {
                let why =
                    format!("the server sends blob `{}` from byte {from} on, which was not asked for", self.blob.key);
                return Err(Setback::Remote(RemoteError::Refused { url: self.remote.shown(), why }));
            }
        }
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if self.monitor.is_cancelled() {
                return Err(Setback::Cancelled);
            }
            let n_bytes = match body.reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n_bytes) => n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broke(partial.n_bytes, &error.to_string())),
            };
            self.received_bytes += n_bytes as u64;
            if partial.n_bytes + n_bytes as u64 > expected_bytes {
                return Err(Setback::Damaged(Damage::TooLong { expected_bytes }));
            }
            partial.append(&buffer[..n_bytes])?;
        }
        if partial.n_bytes < expected_bytes { Err(self.broke(partial.n_bytes, "the answer ended")) } else { Ok(()) }
    }

    /// The connection broke.
    fn broke(&self, n_bytes: u64, why: &str) -> Setback {
        let what =
            format!("blob `{}` broke off after {n_bytes} of {} bytes: {why}", self.blob.key, self.blob.size_bytes);
        Setback::Remote(RemoteError::Transient { url: self.remote.shown(), what, retry_after: None })
    }

    fn refused(&self, damage: Damage) -> TransferError {
        let (what, key, remote) = (self.blob.what.clone(), self.blob.key, self.remote.shown());
        TransferError::Refused { what, key, remote, damage }
    }

    fn failed(&self, source: RemoteError) -> TransferError {
        TransferError::Remote { what: self.blob.what.clone(), n_tries: self.n_tries, source }
    }

    fn disk(&self, error: io::Error) -> TransferError {
        TransferError::Disk { what: self.blob.what.clone(), source: Arc::new(error) }
    }
}

impl Partial<'_> {
    /// Hashes what came the last time. More than the blob can have is none of it.
    fn read_what_is_there(&mut self, size_bytes: u64) -> Result<(), Setback> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let read = self.read_all(&mut file, size_bytes);
        self.file = Some(file);
        read
    }

    fn read_all(&mut self, file: &mut fs_err::File, size_bytes: u64) -> Result<(), Setback> {
        if file.metadata()?.len() > size_bytes {
            file.set_len(0)?;
        }
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if self.monitor.is_cancelled() {
                return Err(Setback::Cancelled);
            }
            let n_bytes = file.read(&mut buffer)?;
            if n_bytes == 0 {
                return Ok(());
            }
            self.count(&buffer[..n_bytes]);
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        self.count(bytes);
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.n_bytes += bytes.len() as u64;
        self.monitor.done_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    /// Starts over.
    fn discard(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.set_len(0)?;
            file.rewind()?;
        }
        self.take_back();
        self.hasher.reset();
        self.n_bytes = 0;
        Ok(())
    }

    fn take_back(&self) {
        self.monitor.done_bytes.fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}

fn send(remote: &dyn Remote, blob: &ToSend, options: &Options, monitor: &Monitor) -> Result<Sent, TransferError> {
    let failed = |source, n_tries| TransferError::Remote { what: blob.what.clone(), n_tries, source };
    let disk = |error| TransferError::Disk { what: blob.what.clone(), source: Arc::new(error) };
    let found_bytes = fs_err::metadata(&blob.path).map_err(disk)?.len();
    if found_bytes != blob.size_bytes {
        let (what, path, expected_bytes) = (blob.what.clone(), blob.path.clone(), blob.size_bytes);
        return Err(TransferError::Changed { what, path, found_bytes, expected_bytes });
    }
    let mut patience = Patience::new(options);
    let mut n_tries = 0;
    loop {
        // Asked before every try: the answer to the last one may be all that was lost.
        let tried = match remote.size_of(&blob.key) {
            Ok(Some(size_bytes)) if size_bytes == blob.size_bytes => {
                monitor.done_bytes.fetch_add(size_bytes, Ordering::Relaxed);
                return Ok(if n_tries == 0 { Sent::AlreadyThere } else { Sent::Stored { n_tries } });
            }
            // Who may write need not be one who may ask.
            Ok(_) | Err(RemoteError::Denied { .. }) => {
                n_tries += 1;
                remote.put(&blob.key, &blob.path, monitor)
            }
            Err(error) => Err(error),
        };
        match tried {
            Ok(()) => return Ok(Sent::Stored { n_tries }),
            Err(_) if monitor.is_cancelled() => return Err(TransferError::Cancelled),
            Err(RemoteError::Cancelled) => return Err(TransferError::Cancelled),
            Err(RemoteError::Local(source)) => return Err(TransferError::Disk { what: blob.what.clone(), source }),
            Err(error) if error.is_transient() => match patience.pause(error.retry_after(), monitor) {
                Next::Again => {}
                Next::GiveUp => return Err(failed(error, n_tries)),
                Next::Stopped => return Err(TransferError::Cancelled),
            },
            Err(error) => return Err(failed(error, n_tries)),
        }
    }
}
