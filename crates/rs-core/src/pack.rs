//! Blobs: a run folder, or a database file, as one file that several cores can write and read (formats.md, section 7).
//!
//! A run folder is a tar of one possible form (`layout.rs`): the names and sizes of its files say every byte of it that
//! is no file's content. It is cut into zstd frames of exactly [`FRAME_BYTES`] each. Two skippable frames follow, which
//! every zstd tool ignores: a table of contents, and the seek table of zstd's seekable format. A database file is the
//! same without tar and table of contents. The same files give the same bytes, whatever the thread count.
//!
//! **Invariant:** a blob is foreign bytes. [`Pack::open`] checks all that the tables say before anything is decoded,
//! and what is decoded must be, byte for byte, what the tables promise.

mod content;
mod extract;
mod frames;
mod layout;
mod names;
mod read;
#[cfg(test)]
mod tests;
mod toc;
mod write;

use std::io;
use std::path::PathBuf;

pub use crate::digest::{BlobId, ContentHash};
use crate::lock::LockError;
pub use crate::monitor::Monitor;
pub(crate) use content::{checked, is_left_out, run_file};
pub use content::{content_of, content_of_file, fingerprint, list_file, list_run};
pub use extract::{Existing, Unpacked, check_expected, extract_run, settle, sweep_unpacked, unpack_file, unpack_run};
pub(crate) use frames::FrameHeader;
pub use names::{NameProblem, check_name};
pub(crate) use read::{FrameDecoder, StepDecoder};
pub use read::{Kind, Pack, PackReader};
pub use write::{pack_file, pack_run, store_run};

/// Bytes of input in each zstd frame but the last, which may have fewer.
pub const FRAME_BYTES: u64 = 8 << 20;

/// Compression level of zstd. Another one gives other blobs of the same content.
pub const COMPRESSION_LEVEL: i32 = 3;

/// Most files in a run folder, and most folders in it.
pub const MAX_FILES: usize = 1_000_000;

/// Largest file or sum of files, in bytes: what every reader of JSON can tell exactly.
pub const MAX_BYTES: u64 = 1 << 53;

/// A file of a run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its path below the run folder, with `/` between its parts.
    pub name: String,
    /// Where it is, as the user would type it.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Time of the last change of its content, in nanoseconds since 1970.
    pub modified_nanos: i128,
    /// Time of the last change of the file or what is known about it, in nanoseconds since 1970.
    pub changed_nanos: i128,
    /// Its number on its file system.
    pub inode: u64,
}

/// What a run folder or file holds, however it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The identity of the files' names and contents.
    pub hash: ContentHash,
    /// Bytes of the files.
    pub raw_bytes: u64,
    /// How many there are.
    pub n_files: u64,
}

/// A blob that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// BLAKE3 of the stored bytes.
    pub blob: BlobId,
    /// Stored bytes.
    pub size_bytes: u64,
    /// Bytes of the files.
    pub raw_bytes: u64,
    /// How many there are; 1 for a file by itself.
    pub n_files: u64,
    /// A run folder's identity, or BLAKE3 of a file by itself.
    pub content: ContentHash,
}

/// What the caller knows of a run folder before its blob is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The identity of the files' names and contents.
    pub content: ContentHash,
    /// Bytes of the files.
    pub raw_bytes: u64,
    /// How many there are.
    pub n_files: u64,
}

impl From<Packed> for Expected {
    fn from(packed: Packed) -> Self {
        Self { content: packed.content, raw_bytes: packed.raw_bytes, n_files: packed.n_files }
    }
}

impl From<Content> for Expected {
    fn from(content: Content) -> Self {
        Self { content: content.hash, raw_bytes: content.raw_bytes, n_files: content.n_files }
    }
}

/// A file in the blob of a run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path below the run folder, with `/` between its parts.
    pub name: String,
    /// Where its content begins in the decoded stream.
    pub offset: u64,
    /// Bytes of its content, which lie in one piece.
    pub size_bytes: u64,
    /// BLAKE3 of its content.
    pub content: ContentHash,
}

impl Member {
    /// Where its content lies in the decoded stream, for [`Pack::reader`].
    #[must_use]
    pub fn range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset + self.size_bytes
    }
}

/// Why a folder or file was not packed, or a blob not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The file system refuses; the error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// [`Monitor::cancel`] was set.
    #[error("stopped before the end")]
    Cancelled,
    /// A file or folder cannot go into a blob.
    #[error("`{}` cannot be packed: {why}", path.display())]
    Unpackable {
        /// What cannot.
        path: PathBuf,
        /// A lower-case fragment.
        why: String,
    },
    /// A file changed between its listing and its end.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// What should be a blob is none, or its bytes are not what its tables say.
    #[error("blob `{}` is damaged or no blob: {what}", path.display())]
    Damaged {
        /// The blob.
        path: PathBuf,
        /// A lower-case fragment.
        what: String,
    },
    /// The table of contents is of another version.
    #[error("blob `{}` has a table of contents of version {found}; this program reads version {}", path.display(), toc::VERSION)]
    Version {
        /// The blob.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
    /// A name in a blob is refused.
    #[error("blob `{}` is refused: the name `{}` {problem}", path.display(), name.escape_debug())]
    Name {
        /// The blob.
        path: PathBuf,
        /// The name, as it stands there.
        name: String,
        /// Why.
        problem: NameProblem,
    },
    /// A blob does not hold what the caller expects.
    #[error("blob `{}` is refused: {what} `{found}`, expected `{expected}`", path.display())]
    Unexpected {
        /// The blob.
        path: PathBuf,
        /// What differs: a lower-case fragment.
        what: &'static str,
        /// What the caller said.
        expected: String,
        /// What the blob holds.
        found: String,
    },
    /// Something stands where the unpacked folder or file should be.
    #[error("`{}` is there already", path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
    },
    /// Another process unpacks into the same place.
    #[error(transparent)]
    Locked(LockError),
}

impl From<LockError> for PackError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Io(error) => Self::Io(error),
            error @ LockError::Locked { .. } => Self::Locked(error),
        }
    }
}
