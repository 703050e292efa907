//! What has been verified so far, kept from one time to the next.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rs_core::atomic_file;
use rs_core::lock::Lock;
use serde::{Deserialize, Serialize};

use super::things::Thing;
use crate::library::Library;
use crate::seen::now_nanos;

/// Between two saves; what is lost is verified again.
const SAVE_AFTER: Duration = Duration::from_secs(5);
/// What was verified longer ago is verified again: disks lose bytes without a trace in any time.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const VERSION: u32 = 2;

/// What became of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What of that is worth keeping.
    good: BTreeMap<String, Good>,
    saved: Instant,
    failure: Option<io::Error>,
}

/// A thing that was good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Good {
    /// What tells whether it has changed since.
    fingerprint: String,
    /// When it was verified: nanoseconds since 1970.
    at_nanos: i64,
}

#[derive(Serialize, Deserialize)]
struct PassFile {
    version: u32,
    scope: String,
    good: BTreeMap<String, Good>,
}

impl<'a> Pass<'a> {
    /// Goes on with what an earlier one has found good of this scope, today and as it still is. What was not good then may
    /// be by now, and is looked at again.
    pub(super) fn read(library: &'a Library, held: Option<&'a Lock>, scope: &str, things: &[Thing<'_>]) -> Self {
        let file = library.verified_file();
        let good = fs_err::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice::<PassFile>(&text).ok())
            .filter(|read| read.version == VERSION && read.scope == scope)
            .map(|read| read.good);
        let mut good = good.unwrap_or_default();
        let fingerprints: BTreeMap<&str, &str> =
            things.iter().filter_map(|thing| Some((thing.key.as_str(), thing.fingerprint.as_deref()?))).collect();
        let now = now_nanos();
        let is_recent = |good: &Good| {
            let age = now - i128::from(good.at_nanos);
            (0..=GOOD_FOR.as_nanos().cast_signed()).contains(&age)
        };
        good.retain(|key, good| is_recent(good) && fingerprints.get(key.as_str()) == Some(&good.fingerprint.as_str()));
        let findings = good.keys().map(|key| (key.clone(), Finding::Good)).collect();
        let (scope, saved) = (scope.to_owned(), Instant::now());
        Self { library, held, file, scope, findings, good, saved, failure: None }
    }

    /// How many things it has covered.
    pub(super) fn len(&self) -> usize {
        self.findings.len()
    }

    /// What was found of a thing, if it was looked at.
    pub(super) fn finding(&self, key: &str) -> Option<&Finding> {
        self.findings.get(key)
    }

    pub(super) fn add(&mut self, thing: &Thing<'_>, finding: Finding) {
        if let (Finding::Good, Some(fingerprint)) = (&finding, &thing.fingerprint) {
            let at_nanos = i64::try_from(now_nanos()).unwrap_or_default();
            self.good.insert(thing.key.clone(), Good { fingerprint: fingerprint.clone(), at_nanos });
        }
        self.findings.insert(thing.key.clone(), finding);
    }

    /// Saves what would take long to find again.
    pub(super) fn save_now_and_then(&mut self) {
        if self.saved.elapsed() >= SAVE_AFTER {
            self.save();
        }
    }

    /// Saves what has been found; not at all while another process changes the store. Hashing goes on where that fails:
    /// [`Pass::failure`] tells.
    pub(super) fn save(&mut self) {
        self.saved = Instant::now();
        if self.good.is_empty() {
            return;
        }
        let file = PassFile { version: VERSION, scope: self.scope.clone(), good: self.good.clone() };
        let saved = serde_json::to_vec(&file).map_err(io::Error::from);
        let saved = saved.and_then(|text| self.library.note(self.held, |_| atomic_file::write(&self.file, &text)));
        self.failure = saved.err();
    }

    /// The pass is through.
    pub(super) fn forget(&mut self) {
        let forgotten = match self.file.try_exists() {
            Ok(false) => Ok(()),
            _ => self.library.note(self.held, |_| fs_err::remove_file(&self.file)),
        };
        self.failure = forgotten.err();
    }

    /// Why it was not kept the last time, if it was not.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }
}
