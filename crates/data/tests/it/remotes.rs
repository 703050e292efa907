//! Remotes and transfers through the library: against real servers, and against one that does everything wrong.

mod breaker;
mod faults;
pub(crate) mod faulty_server;
mod nginx;
mod s3;
mod secrets;
mod servers;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data::remote::{Options, Remote};
use data::transfer::{self, Destination, Fetched, TransferError, Wanted};
use rs_cli::Environment;
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;

/// Bytes without a pattern, the same each time.
pub(crate) fn bytes(seed: u64, n_bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(n_bytes).collect()
}

pub(crate) fn key_of(bytes: &[u8]) -> BlobId {
    blake3::hash(bytes).to_hex().as_str().parse().unwrap()
}

pub(crate) fn path_of(key: &BlobId) -> String {
    let digits = key.to_string();
    format!("{}/{}", &digits[..2], &digits[2..])
}

/// An environment that holds these variables.
pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().copied())
}

/// Options for tests: not patient, with small parts.
pub(crate) fn options() -> Options {
    Options {
        n_retries: 3,
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_secs(3),
        stall_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(2),
        ..Options::default()
    }
}

/// A store of the tests' own.
pub(crate) struct Store(pub(crate) tempfile::TempDir);

impl Store {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn blob(&self, key: &BlobId) -> PathBuf {
        self.0.path().join(path_of(key))
    }

    /// What was adopted.
    pub(crate) fn read(&self, key: &BlobId) -> Option<Vec<u8>> {
        fs_err::read(self.blob(key)).ok()
    }

    /// What is here of a blob that is not whole.
    pub(crate) fn partial(&self, key: &BlobId) -> Option<Vec<u8>> {
        fs_err::read(self.partial_of(key)).ok()
    }

    pub(crate) fn write_partial(&self, key: &BlobId, bytes: &[u8]) {
        let path = self.partial_of(key);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
}

impl Destination for Store {
    fn partial_of(&self, key: &BlobId) -> PathBuf {
        self.0.path().join(".partial").join(key.to_string())
    }

    fn adopt(&self, key: &BlobId, partial: &Path) -> io::Result<()> {
        let path = self.blob(key);
        fs_err::create_dir_all(path.parent().unwrap())?;
        fs_err::rename(partial, path)
    }
}

pub(crate) fn wanted(bytes: &[u8]) -> Wanted {
    Wanted { key: key_of(bytes), size_bytes: bytes.len() as u64, what: "cohort r12/M, run a".to_owned() }
}

/// Fetches one blob.
pub(crate) fn fetch(
    remote: &dyn Remote,
    blob: &Wanted,
    store: &Store,
    options: &Options,
) -> Result<Fetched, TransferError> {
    transfer::fetch_all(remote, std::slice::from_ref(blob), store, options, &Monitor::default()).remove(0)
}
