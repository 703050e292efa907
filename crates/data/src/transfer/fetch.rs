//! One blob on its way here: resumed where it broke off, hashed while it comes, begun anew where bytes turn out to be wrong.

use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rs_core::monitor::Monitor;

use super::{Damage, Destination, Fetched, TransferError, Wanted};
use crate::remote::{Options, Remote, RemoteError};
use crate::retry::{Next, Patience};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// A try that brought so many new bytes was not in vain: the count of tries starts anew.
const GAIN_BYTES: u64 = 1 << 20;

/// One blob on its way here.
pub(super) struct Fetch<'a> {
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

impl<'a> Fetch<'a> {
    /// Of a blob that is only checked there is no destination.
    pub(super) fn new(
        remote: &'a dyn Remote,
        blob: &'a Wanted,
        destination: Option<&'a dyn Destination>,
        options: &'a Options,
        monitor: &'a Monitor,
    ) -> Self {
        Self { remote, blob, destination, options, monitor, n_tries: 0, received_bytes: 0 }
    }

    /// Fetches it, as often as it takes.
    pub(super) fn run(mut self) -> Result<Fetched, TransferError> {
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
