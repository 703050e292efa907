//! What has been hashed, so that it need not be again: contents of run folders and databases by sizes and times of their
//! files. Losing it costs time and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rs_core::atomic_file;
use rs_core::cohort::Cohort;
use rs_core::digest::BlobId;
use rs_core::lock::Lock;
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content, ContentHash, PackError, RunFile};
use serde::{Deserialize, Serialize};

use crate::library::Library;

const VERSION: u32 = 1;
/// A file that changed so shortly before it was looked at may have changed again within the grain of the clock: that of a
/// file system that tells parts of seconds, and of one that does not.
pub(crate) const FINE_GRAIN: Duration = Duration::from_millis(20);
const COARSE_GRAIN: Duration = Duration::from_secs(2);

/// What is known of paths, relative to the library's folder.
#[derive(Debug)]
pub(crate) struct Seen {
    file: PathBuf,
    known: BTreeMap<String, Known>,
    is_changed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    fingerprint: String,
    content: ContentHash,
    raw_bytes: u64,
    n_files: u64,
    /// The blob that holds it, and its stored bytes, where it was packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<(BlobId, u64)>,
}

#[derive(Serialize, Deserialize)]
struct SeenFile {
    version: u32,
    known: BTreeMap<String, Known>,
}

/// What makes the identity of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Run,
    Database,
}

/// A run folder or database as it was looked at.
pub(crate) struct Look {
    /// Its files, sorted.
    pub(crate) files: Vec<RunFile>,
    kind: Kind,
    fingerprint: String,
    /// Whether the fingerprint tells: nothing changed just before.
    is_settled: bool,
}

impl Look {
    /// Lists a run folder.
    pub(crate) fn at_run(folder: &Path) -> Result<Self, PackError> {
        Ok(Self::of(Kind::Run, pack::list_run(folder)?))
    }

    /// Looks at a run folder of a cohort, by what was seen when that was opened.
    pub(crate) fn at_run_of(cohort: &Cohort, run: &str) -> Result<Self, PackError> {
        Ok(Self::of(Kind::Run, cohort.run_files(run)?))
    }

    /// Looks at a database.
    pub(crate) fn at_database(file: &Path) -> Result<Self, PackError> {
        Ok(Self::of(Kind::Database, vec![pack::list_file(file)?]))
    }

    fn of(kind: Kind, files: Vec<RunFile>) -> Self {
        let fingerprint = pack::fingerprint(&files);
        let latest = files.iter().map(|file| file.changed_nanos.max(file.modified_nanos)).max().unwrap_or(0);
        let is_fine = files.iter().any(|file| file.changed_nanos % 1_000_000_000 != 0);
        let grain = if is_fine { FINE_GRAIN } else { COARSE_GRAIN };
        Self { is_settled: latest < now_nanos() - grain.as_nanos().cast_signed(), files, kind, fingerprint }
    }

    /// Hashes the files.
    pub(crate) fn content(&self, monitor: &Monitor) -> Result<Content, PackError> {
        match self.kind {
            Kind::Run => pack::content_of(&self.files, monitor),
            Kind::Database => pack::content_of_file(&self.files[0], monitor),
        }
    }

    /// A key that changes when a file does, by names, sizes, times and inodes; none where something changed just before.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.is_settled.then_some(self.fingerprint.as_str())
    }

    /// Bytes of the files.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// The time: nanoseconds since 1970.
pub(crate) fn now_nanos() -> i128 {
    #[expect(clippy::disallowed_methods, reason = "files' times are compared with the clock's")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}

impl Seen {
    /// Reads what a library knows; a file that is not there, or not understood, is nothing known.
    pub(crate) fn read(library: &Library) -> Self {
        let file = library.seen_file();
        let known = fs_err::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice::<SeenFile>(&text).ok())
            .filter(|read| read.version == VERSION)
            .map(|read| read.known);
        Self { file, known: known.unwrap_or_default(), is_changed: false }
    }

    /// Writes what has been learnt; not at all while another process changes the store. What cannot be kept is hashed
    /// again: that is no failure.
    pub(crate) fn save(&mut self, library: &Library, held: Option<&Lock>) {
        if !self.is_changed {
            return;
        }
        let known = SeenFile { version: VERSION, known: self.known.clone() };
        let Ok(text) = serde_json::to_vec(&known) else { return };
        self.is_changed = library.note(held, |_| atomic_file::write_unsynced(&self.file, &text)).is_err();
    }

    /// The content at a path, if it is known and nothing has changed there.
    pub(crate) fn content(&self, path: &str, look: &Look) -> Option<Content> {
        let known = self.known.get(path).filter(|known| known.fingerprint == look.fingerprint)?;
        Some(Content { hash: known.content, raw_bytes: known.raw_bytes, n_files: known.n_files })
    }

    /// Whether what was seen at a path last had the same size.
    pub(crate) fn has_size(&self, path: &str, look: &Look) -> bool {
        let is_same = |known: &Known| (known.raw_bytes, known.n_files) == (look.raw_bytes(), look.files.len() as u64);
        self.known.get(path).is_some_and(is_same)
    }

    /// The content at a path, hashed if need be.
    pub(crate) fn content_or_hash(&mut self, path: &str, look: &Look, monitor: &Monitor) -> Result<Content, PackError> {
        if let Some(content) = self.content(path, look) {
            return Ok(content);
        }
        let content = look.content(monitor)?;
        self.learn(path, look, &content, None);
        Ok(content)
    }

    /// The blob that a content was packed into, wherever that was.
    pub(crate) fn blob_of(&self, content: &ContentHash) -> Option<(BlobId, u64)> {
        self.known.values().find(|known| known.content == *content && known.blob.is_some()).and_then(|known| known.blob)
    }

    /// Notes the content at a path, as it was when looked at.
    pub(crate) fn learn(&mut self, path: &str, look: &Look, content: &Content, blob: Option<(BlobId, u64)>) {
        if !look.is_settled && blob.is_none() {
            return;
        }
        let known = Known {
            // A blob is worth knowing even where the next look must hash again.
            fingerprint: if look.is_settled { look.fingerprint.clone() } else { String::new() },
            content: content.hash,
            raw_bytes: content.raw_bytes,
            n_files: content.n_files,
            blob: blob.or_else(|| self.blob_of(&content.hash)),
        };
        self.is_changed |= self.known.insert(path.to_owned(), known.clone()).as_ref() != Some(&known);
    }
}
