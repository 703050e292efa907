//! Opens blobs, and reads any part of what they hold.

use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use super::{Member, PackError};

/// What a blob holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A run folder.
    Run,
    /// A file by itself.
    File,
}

/// A blob whose tables have been checked. It may be read by several threads at a time.
#[derive(Debug)]
pub struct Pack {}

impl Pack {
    /// Opens a blob and checks its tables; frames are checked when they are read.
    ///
    /// # Errors
    /// It cannot be read, is no blob, or its tables contradict themselves, the file, or what a run folder may hold.
    pub fn open(path: &Path) -> Result<Self, PackError> {
        let _ = path;
        unimplemented!()
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        unimplemented!()
    }

    /// The files of a run folder, in the order of their names' bytes; none for a file by itself.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        unimplemented!()
    }

    /// Bytes of the files, as a manifest says them.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// Bytes of the decoded stream: a tar for a run folder, the file's for a file by itself.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// Where frames begin in the decoded stream: reading between two of these decodes nothing twice.
    pub fn frame_starts(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::empty()
    }

    /// Reads a part of the decoded stream, for example [`Member::range`], one frame at a time. What lies beyond the
    /// stream's end is not there.
    #[must_use]
    pub fn reader(&self, range: Range<u64>) -> PackReader<'_> {
        let _ = range;
        unimplemented!()
    }
}

/// A part of a blob's decoded stream. Holds one frame, stored and decoded, of at most 8 MiB each.
#[derive(Debug)]
pub struct PackReader<'a> {
    _pack: &'a Pack,
}

impl Read for PackReader<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
}
