//! What the manifest says that a run folder or database holds, and whether what is here is that.

use rs_core::digest::{BlobId, ContentHash};
use rs_core::manifest::{DatabaseBlob, RunBlob};
use rs_core::monitor::Monitor;
use rs_core::pack::{Content, Expected, PackError};

use crate::seen::{Look, Seen};

/// What a run folder or database should hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Contents {
    Run(Expected),
    Database {
        blob: BlobId,
        raw_bytes: u64,
        /// Where the manifest tells.
        content: Option<ContentHash>,
    },
}

impl From<&RunBlob> for Contents {
    fn from(run: &RunBlob) -> Self {
        Self::Run(Expected { content: run.content, raw_bytes: run.raw_size, n_files: run.n_files })
    }
}

impl From<&DatabaseBlob> for Contents {
    fn from(database: &DatabaseBlob) -> Self {
        Self::Database { blob: database.blob, raw_bytes: database.raw_size, content: database.content }
    }
}

impl Contents {
    pub(crate) fn raw_bytes(&self) -> u64 {
        match self {
            Self::Run(expected) => expected.raw_bytes,
            Self::Database { raw_bytes, .. } => *raw_bytes,
        }
    }

    /// The identity of what should be there, where the manifest tells.
    pub(crate) fn identity(&self) -> Option<ContentHash> {
        match self {
            Self::Run(expected) => Some(expected.content),
            Self::Database { content, .. } => *content,
        }
    }

    /// Whether what was looked at has the right number of files and bytes.
    pub(crate) fn has_size(&self, look: &Look) -> bool {
        let n_files = match self {
            Self::Run(expected) => expected.n_files,
            Self::Database { .. } => 1,
        };
        (look.raw_bytes(), look.files.len() as u64) == (self.raw_bytes(), n_files)
    }

    /// Whether that must be hashed before [`Contents::is_here`] can tell.
    pub(crate) fn is_unknown(&self, seen_as: &str, look: &Look, seen: &Seen) -> bool {
        self.has_size(look) && seen.content(seen_as, look).is_none()
    }

    /// Whether what was looked at is what was pushed; what is not known is hashed.
    pub(crate) fn is_here(
        &self,
        seen_as: &str,
        look: &Look,
        seen: &mut Seen,
        monitor: &Monitor,
    ) -> Result<bool, PackError> {
        if !self.has_size(look) {
            return Ok(false);
        }
        let content = seen.content_or_hash(seen_as, look, monitor)?;
        Ok(self.is(&content, seen))
    }

    /// Whether a content is that one.
    pub(crate) fn is(&self, content: &Content, seen: &Seen) -> bool {
        match self {
            Self::Database { blob, content: None, .. } => {
                seen.blob_of(&content.hash).is_some_and(|(known, _)| known == *blob)
            }
            _ => self.identity() == Some(content.hash),
        }
    }
}
