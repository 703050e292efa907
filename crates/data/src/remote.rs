//! Where blobs are kept for others: a folder, a web server, an S3 bucket. Everywhere a blob lies at
//! `<first two hex digits>/<the other 62>`, as in the local store.

mod client;
mod folder;
mod http;
mod location;
mod s3;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rs_cli::Environment;
use rs_core::paths;

use crate::credentials::CredentialsError;
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;

pub use folder::FolderRemote;
pub use http::HttpRemote;
pub use location::{AddressStyle, Location, LocationError, S3Location};
pub use s3::S3Remote;

/// Why a file is not stored as a blob.
fn not_of_this_name(file: &Path) -> String {
    format!("`{}` does not hold the bytes of this name", paths::show(file))
}

/// How patient transfers are, and how much they do at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Blobs in flight at once, and parts of one blob in flight at once; at least 1.
    pub parallel: usize,
    /// Tries after the first one that may fail, in a row and for reasons that may pass, with nothing gained.
    pub n_retries: u32,
    /// Pause before the first retry; doubles with each.
    pub first_pause: Duration,
    /// The longest pause, also where a server asks for a longer one.
    pub longest_pause: Duration,
    /// A connection on which no byte moves for so long is given up.
    pub stall_timeout: Duration,
    /// For finding a host and connecting to it.
    pub connect_timeout: Duration,
    /// Blobs of so many bytes and more go to S3 in parts.
    pub multipart_from_bytes: u64,
    /// Bytes of one part; at least 5 MiB on most servers. Grows where a blob would have more than 10,000 parts.
    pub part_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallel: 4,
            n_retries: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            multipart_from_bytes: 64 << 20,
            part_bytes: 32 << 20,
        }
    }
}

/// Blobs somewhere else.
pub trait Remote: fmt::Debug + Send + Sync {
    /// The remote's URL for people, without secrets.
    fn shown(&self) -> String;

    /// Stored bytes of a blob; `None` if the remote does not have it.
    ///
    /// # Errors
    /// The remote does not say.
    fn size_of(&self, key: &BlobId) -> Result<Option<u64>, RemoteError>;

    /// The bytes of a blob, from one of them on. A server may not know how to begin there: [`Body::from`] tells.
    ///
    /// # Errors
    /// The remote does not have the blob, or does not give it; [`RemoteError::PastEnd`] if it has nothing there.
    fn get(&self, key: &BlobId, from: u64) -> Result<Body, RemoteError>;

    /// Stores a file as a blob: whole or not at all, and for good after [`Remote::finish`]. Counts the bytes in [`Monitor::done_bytes`], and takes them back
    /// if it fails.
    ///
    /// # Errors
    /// The file cannot be read, or the remote does not take it.
    fn put(&self, key: &BlobId, file: &Path, monitor: &Monitor) -> Result<(), RemoteError>;

    /// Every blob with its stored bytes, sorted. Files that are no blobs are passed over.
    ///
    /// # Errors
    /// The remote cannot be listed.
    fn list(&self) -> Result<Vec<(BlobId, u64)>, RemoteError>;

    /// Tries what can be done; leaves nothing behind.
    ///
    /// # Errors
    /// Nothing can be done.
    fn test(&self) -> Result<Capabilities, RemoteError>;

    /// Makes what a remote needs before the first blob, if it can: the folder.
    ///
    /// # Errors
    /// It cannot be made.
    fn prepare(&self) -> Result<(), RemoteError> {
        Ok(())
    }

    /// Makes the names of what was stored survive a crash, where they do not already.
    ///
    /// # Errors
    /// The remote's disk failed.
    fn finish(&self) -> Result<(), RemoteError> {
        Ok(())
    }

    /// Ends what is under way in other threads, soon and for good: the remote is of no use afterwards.
    fn interrupt(&self) {}
}

/// The bytes of a blob.
pub struct Body {
    /// The bytes.
    pub reader: Box<dyn Read + Send>,
    /// Place of the first of them in the blob.
    pub from: u64,
    /// Bytes of the whole blob, if the remote says.
    pub total_bytes: Option<u64>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("from", &self.from).field("total_bytes", &self.total_bytes).finish_non_exhaustive()
    }
}

/// What a remote lets one do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Blobs can be fetched.
    pub can_read: bool,
    /// Blobs can be stored.
    pub can_write: bool,
    /// The blobs can be listed.
    pub can_list: bool,
}

/// Why a remote did not do what was asked. URLs are without secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RemoteError {
    /// There is no such blob, bucket or folder.
    #[error("`{url}` is not there")]
    NotFound {
        /// What is missing.
        url: String,
    },
    /// Not for us.
    #[error("`{url}`: access denied: {why}")]
    Denied {
        /// What was asked.
        url: String,
        /// A lower-case fragment.
        why: String,
    },
    /// May pass: worth another try.
    #[error("`{url}`: {what}")]
    Transient {
        /// What was asked.
        url: String,
        /// A lower-case fragment.
        what: String,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Nothing is there from this byte on.
    #[error("`{url}`: the remote has nothing from byte {from} on")]
    PastEnd {
        /// What was asked.
        url: String,
        /// The first byte.
        from: u64,
    },
    /// Wrong, and will be wrong again.
    #[error("`{url}`: {why}")]
    Refused {
        /// What was asked.
        url: String,
        /// A lower-case fragment.
        why: String,
    },
    /// This kind of remote cannot do that.
    #[error("`{url}` {what}")]
    Unsupported {
        /// The remote.
        url: String,
        /// What it cannot do: `cannot be listed: ...`.
        what: String,
    },
    /// A file here; the error names it.
    #[error(transparent)]
    Local(Arc<io::Error>),
    /// [`Monitor::cancel`] was set, or [`Remote::interrupt`] called.
    #[error("stopped before the end")]
    Cancelled,
}

impl RemoteError {
    /// Whether the same may go well a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// When the server wants to be asked again, if it says.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<io::Error> for RemoteError {
    fn from(error: io::Error) -> Self {
        Self::Local(Arc::new(error))
    }
}

/// Why a remote cannot be used from here.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its URL is wrong.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The user's credentials are wrong.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A variable names a proxy that is none.
    #[error("`{variable}` is no proxy's URL, like `http://host:port`")]
    Proxy {
        /// The variable; its value may hold a password.
        variable: &'static str,
    },
}

/// Opens the remote of a URL. Nothing is asked of it yet.
///
/// `folder` is the manifest's: relative paths are relative to it.
///
/// # Errors
/// The URL is wrong, or what the environment says of credentials and proxies.
pub fn open(
    url: &str,
    folder: &Path,
    environment: &Environment,
    options: &Options,
) -> Result<Box<dyn Remote>, OpenError> {
    Ok(match Location::parse(url, folder)? {
        Location::Folder(path) => Box::new(FolderRemote::new(path)),
        Location::Http(base) => Box::new(HttpRemote::new(base, environment, options)?),
        Location::S3(location) => Box::new(S3Remote::new(&location, environment, options)?),
    })
}

/// Where a blob lies in any remote.
fn object_path(key: &BlobId) -> String {
    let digits = key.to_string();
    format!("{}/{}", &digits[..2], &digits[2..])
}

/// The blob that lies at a path in a remote, if it is one.
fn key_at(path: &str) -> Option<BlobId> {
    let (first, rest) = path.split_once('/')?;
    if first.len() == 2 { format!("{first}{rest}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_lie_below_their_first_two_digits() {
        let key: BlobId = "0123456789abcdef".repeat(4).parse().expect("a key");
        let path = object_path(&key);
        assert_eq!(path, "01/23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        assert_eq!(key_at(&path), Some(key));
        let rest = &path[3..];
        for stranger in
            ["index.html", "", "/", "01/", &format!("0/1{rest}"), &format!("01/{rest}0"), &format!("0A/{rest}")]
        {
            assert_eq!(key_at(stranger), None, "{stranger}");
        }
    }
}
