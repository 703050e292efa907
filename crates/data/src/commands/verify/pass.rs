//! What has been verified so far, kept from one time to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rs_core::atomic_file;
use rs_core::lock::Lock;
use serde::{Deserialize, Serialize};

use crate::library::Library;

/// Between two saves; what is lost is verified again.
const SAVE_AFTER: Duration = Duration::from_secs(5);
const VERSION: u32 = 1;

/// What became of a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finding {
    Good,
    /// Somebody has changed it since it was pushed.
    Changed,
    Damaged(String),
}

/// What has been verified of a scope that is not through yet.
pub(super) struct Pass<'a> {
    library: &'a Library,
    /// The store's lock, where the command holds it all the time.
    held: Option<&'a Lock>,
    file: PathBuf,
    scope: String,
    findings: BTreeMap<String, Finding>,
    saved: Instant,
}

#[derive(Serialize, Deserialize)]
struct PassFile {
    version: u32,
    scope: String,
    findings: BTreeMap<String, Finding>,
}

impl<'a> Pass<'a> {
    /// Goes on with what an earlier one has found of this scope. What was not good then may be by now, and is looked at
    /// again; so is what is not among `keys` any more.
    pub(super) fn read(library: &'a Library, held: Option<&'a Lock>, scope: &str, keys: &BTreeSet<&str>) -> Self {
        let file = library.verified_file();
        let findings = fs_err::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice::<PassFile>(&text).ok())
            .filter(|read| read.version == VERSION && read.scope == scope)
            .map(|read| read.findings);
        let mut findings = findings.unwrap_or_default();
        findings.retain(|key, finding| *finding == Finding::Good && keys.contains(key.as_str()));
        Self { library, held, file, scope: scope.to_owned(), findings, saved: Instant::now() }
    }

    /// How many things it has covered.
    pub(super) fn len(&self) -> usize {
        self.findings.len()
    }

    /// What was found of a thing, if it was looked at.
    pub(super) fn finding(&self, key: &str) -> Option<&Finding> {
        self.findings.get(key)
    }

    pub(super) fn add(&mut self, key: &str, finding: Finding) {
        self.findings.insert(key.to_owned(), finding);
    }

    /// Saves what would take long to find again.
    pub(super) fn save_now_and_then(&mut self) -> io::Result<()> {
        if self.saved.elapsed() >= SAVE_AFTER { self.save() } else { Ok(()) }
    }

    /// Saves what has been found; not at all while another process changes the store.
    pub(super) fn save(&mut self) -> io::Result<()> {
        self.saved = Instant::now();
        if self.findings.is_empty() {
            return Ok(());
        }
        let file = PassFile { version: VERSION, scope: self.scope.clone(), findings: self.findings.clone() };
        let text = serde_json::to_vec(&file)?;
        self.library.note(self.held, |_| atomic_file::write(&self.file, &text))
    }

    /// The pass is through.
    pub(super) fn forget(&self) -> io::Result<()> {
        self.library.note(self.held, |_| match fs_err::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }
}
