//! Many blobs to and from a remote: several at once, resumed, checked byte for byte; one that fails stops no other.

mod fetch;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;
use rs_core::paths::show;

use crate::remote::{Options, Remote, RemoteError};
use crate::retry::{Next, Patience, TICK};
use fetch::Fetch;

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
    run_all(remote, &keys, options, monitor, |at| Fetch::new(remote, &wanted[at], destination, options, monitor).run())
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
