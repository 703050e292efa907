//! Where the bytes of a raw file are: in a file by itself, or in the blob of its run folder.

use std::path::Path;
use std::sync::Arc;

use crate::digest::ContentHash;

/// Where the bytes of a raw file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the file at the raw file's path.
    File,
    /// In a blob: the path is where the file would be, were its run folder extracted.
    Blob(InBlob),
    /// In a blob that cannot be used. Which raw files it holds is not known: one of this kind, at the path of the run folder,
    /// stands for them all. What is wrong, as a lower-case fragment.
    Unusable(Arc<str>),
}

/// A place in a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InBlob {
    /// The blob, in the local store.
    pub blob: Arc<Path>,
    /// Where the file's content begins in the decoded stream, in bytes.
    pub offset: u64,
    /// BLAKE3 of the content, as the blob's table of contents has it.
    pub content: ContentHash,
}
