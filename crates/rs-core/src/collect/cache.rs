//! Partial results of raw files, kept from one run to the next: what a file gave, by its content and by all else that it
//! depends on. Losing any of it costs time and nothing else.
//!
//! `index.json` knows the content of files by path, size and times, and whose records each content holds. What a content
//! gave for certain identities is a file of its own, named by the hash of all that.
//!
//! The content of a file is its hash and how it is to be decoded, which its name says. What is in a blob only its table
//! says: it may find what files gave, but what it gives is kept under the name of the blob as well, so that no table can
//! put its results in the place of a file's.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};

use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

use super::part::Part;
use super::spectra::Spectra;
use super::{Input, entry, unpoisoned};
use crate::atomic_file::{self, UNFINISHED};
use crate::cohort::modified_nanos;
use crate::digest::ContentHash;
use crate::eval_id::Identity;
use crate::monitor::Monitor;
use crate::origin::{InBlob, Origin};
use crate::pack::{RunFile, fingerprint, list_file};
use crate::paths;
use crate::reader::Codec;
use crate::store::{StoreError, hash_file};

/// Name of what knows the contents of files, and whose records each holds.
const INDEX_FILE: &str = "index.json";
/// Version of everything in the folder; another one is not understood, and replaced.
const VERSION: u32 = 5;
/// A file that changed so shortly before it was looked at may have changed again within the clock's grain.
const GRAIN_NANOS: i128 = 1_000_000_000;
/// What nobody has written to for so long nobody is writing any more.
const ABANDONED_NANOS: i128 = 24 * 3600 * 1_000_000_000;

/// A folder of partial results. Several processes may use it at once.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    now_nanos: i128,
    use_of_entries: UseOfEntries,
    /// Read when it is first asked for.
    index: OnceLock<Mutex<Index>>,
}

/// Whether entries that are there are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseOfEntries {
    /// They are.
    Used,
    /// They are not, but replaced where they differ.
    Replaced,
}

/// Whose records are wanted of a file, with what their results depend on.
pub(super) type Wishes = BTreeMap<Identity, String>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Index {
    version: u32,
    /// By absolute path: the fingerprint of the file as it was, and its content.
    files: BTreeMap<String, (String, ContentHash)>,
    /// By the key of a content.
    contents: BTreeMap<String, Content>,
    #[serde(skip)]
    is_changed: bool,
}

/// What is known of a content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// Whose records are in it.
    identities: BTreeSet<Names>,
    /// The entries that there are: whose records each holds, with what they depend on.
    entries: BTreeSet<Vec<(Names, String)>>,
}

/// Model, template and sampler.
type Names = (String, String, String);

/// A file whose content is known.
pub(super) struct Known {
    /// The hash of its content, in hex, and its codec, if it has one: under another name the same bytes give something else.
    content: String,
    /// The key of what it gives: its content, and in a blob also the blob.
    key: String,
    /// As it was when it was looked at; `None` in a blob, which does not change.
    look: Option<RunFile>,
}

impl Known {
    fn of_file(hash: ContentHash, codec: Codec, look: RunFile) -> Self {
        let content = content_of(hash, codec);
        Self { key: content.clone(), content, look: Some(look) }
    }

    fn of_blob(place: &InBlob, codec: Codec) -> Self {
        let content = content_of(place.content, codec);
        // A blob's name in a store is its hash: the folder's two digits and the rest.
        let name: Vec<_> = place.blob.iter().rev().take(2).map(std::ffi::OsStr::to_string_lossy).collect();
        Self { key: format!("{content} in {}", name.into_iter().rev().collect::<String>()), content, look: None }
    }
}

fn content_of(hash: ContentHash, codec: Codec) -> String {
    match codec {
        Codec::Plain => hash.to_string(),
        Codec::Zstd => format!("{hash} zstd"),
        Codec::Gzip => format!("{hash} gzip"),
    }
}

impl Cache {
    /// The cache in a folder, which need not be there. `now_nanos` is the time in nanoseconds since 1970.
    #[must_use]
    pub fn open(folder: &Path, now_nanos: i128, use_of_entries: UseOfEntries) -> Self {
        Self { folder: folder.to_owned(), now_nanos, use_of_entries, index: OnceLock::new() }
    }

    /// What is known.
    fn index(&self) -> MutexGuard<'_, Index> {
        unpoisoned(self.index.get_or_init(|| Mutex::new(self.stored_index())).lock())
    }

    /// What the folder knows. What cannot be read is forgotten.
    fn stored_index(&self) -> Index {
        let read = fs_err::read(self.folder.join(INDEX_FILE)).ok();
        let index: Option<Index> = read.and_then(|text| serde_json::from_slice(&text).ok());
        index.filter(|index| index.version == VERSION).unwrap_or_default()
    }

    /// Keeps what has been learnt about files, if anything has, beside what others have kept meanwhile.
    ///
    /// # Errors
    /// The folder cannot be written; the error names the path.
    pub fn save(&self) -> io::Result<()> {
        let Some(index) = self.index.get() else { return Ok(()) };
        let mut index = unpoisoned(index.lock());
        if !index.is_changed {
            return Ok(());
        }
        index.version = VERSION;
        index.take(self.stored_index());
        fs_err::create_dir_all(&self.folder)?;
        // After a crash it may be empty: that costs time alone, and waiting for the disk would keep who stops a run.
        atomic_file::write_unsynced(&self.folder.join(INDEX_FILE), &serde_json::to_vec(&*index)?)?;
        index.is_changed = false;
        Ok(())
    }

    /// Removes what killed processes have left half written, if it can be. Other files in the folder are left alone.
    pub fn sweep(&self) {
        let is_abandoned = |item: &DirEntry| {
            let name = item.file_name().to_string_lossy();
            let is_ours = match item.depth() {
                1 => name.starts_with(&format!(".{INDEX_FILE}{UNFINISHED}")),
                _ => name.starts_with(UNFINISHED) && item.path().parent().is_some_and(is_folder_of_entries),
            };
            let is_old = |metadata| modified_nanos(&metadata) < self.now_nanos - ABANDONED_NANOS;
            is_ours && item.file_type().is_file() && item.metadata().is_ok_and(is_old)
        };
        for item in WalkDir::new(&self.folder).max_depth(2).into_iter().flatten().filter(is_abandoned) {
            let _ = fs_err::remove_file(item.path());
        }
    }

    /// Whether what `wishes` ask of a file is here, without reading it: its content must be known by its size and times.
    pub(super) fn would_load(&self, input: &Input, wishes: &Wishes) -> bool {
        let Some(known) = self.known(input) else { return false };
        self.use_of_entries == UseOfEntries::Used && self.entry_path(&known, wishes).is_some_and(|path| path.is_file())
    }

    /// The content of a file, if it is known without reading it.
    fn known(&self, input: &Input) -> Option<Known> {
        match &input.origin {
            Origin::Blob(place) => Some(Known::of_blob(place, input.codec)),
            Origin::Unusable(_) => None,
            Origin::File => {
                let look = list_file(&input.path).ok()?;
                Some(Known::of_file(self.known_hash(&input.path, &look)?, input.codec, look))
            }
        }
    }

    /// The hash of a file's content, if the file is as it was when that was noted.
    fn known_hash(&self, path: &Path, look: &RunFile) -> Option<ContentHash> {
        let index = self.index();
        let (stored, content) = index.files.get(&key_of(path)?)?;
        (*stored == fingerprint(std::slice::from_ref(look))).then_some(*content)
    }

    /// The hash of a file's content, made and noted if it is not known by the file's size and times.
    ///
    /// # Errors
    /// The file cannot be read, or the work was cancelled.
    pub fn content_hash(&self, path: &Path, monitor: &Monitor) -> Result<ContentHash, StoreError> {
        let look = list_file(path).map_err(io::Error::other)?;
        match self.known_hash(path, &look) {
            Some(known) => Ok(known),
            None => self.hashed(path, &look, monitor),
        }
    }

    fn hashed(&self, path: &Path, look: &RunFile, monitor: &Monitor) -> Result<ContentHash, StoreError> {
        let content = ContentHash::from(*hash_file(path, monitor)?.as_bytes());
        let is_settled = look.changed_nanos.max(look.modified_nanos) < self.now_nanos - GRAIN_NANOS;
        if is_settled && let Some(path) = key_of(path) {
            let mut index = self.index();
            index.files.insert(path, (fingerprint(std::slice::from_ref(look)), content));
            index.is_changed = true;
        }
        Ok(content)
    }

    /// The content of a file, hashed if need be. `None` if it cannot be read, which whoever reads it tells, or the work
    /// is cancelled.
    pub(super) fn content(&self, input: &Input, monitor: &Monitor) -> Option<Known> {
        if let Some(known) = self.known(input) {
            return Some(known);
        }
        if input.origin != Origin::File {
            return None;
        }
        let look = list_file(&input.path).ok()?;
        let content = self.hashed(&input.path, &look, &monitor.aside()).ok()?;
        Some(Known::of_file(content, input.codec, look))
    }

    /// What a content gave for these wishes; `None` if nobody knows, or what is here is damaged.
    pub(super) fn load(
        &self,
        known: &Known,
        wishes: &Wishes,
        file: usize,
        spectra: &Spectra<'_>,
        monitor: &Monitor,
    ) -> Option<Vec<Part>> {
        if self.use_of_entries == UseOfEntries::Replaced {
            return None;
        }
        entry::read(&self.entry_path(known, wishes)?, file, spectra, monitor)
    }

    /// Keeps what a file gave. Files that changed meanwhile are left out.
    ///
    /// # Errors
    /// The folder cannot be written; the error names the path.
    pub(super) fn store(
        &self,
        input: &Input,
        known: &Known,
        wishes: &Wishes,
        parts: &[&Part],
        spectra: &Spectra<'_>,
        monitor: &Monitor,
    ) -> io::Result<()> {
        let is_same = known.look.as_ref().is_none_or(|look| {
            list_file(&input.path).is_ok_and(|now| fingerprint(&[now]) == fingerprint(std::slice::from_ref(look)))
        });
        if !is_same || parts.iter().any(|part| part.unreadable.is_some()) {
            return Ok(());
        }
        let identities: BTreeSet<Names> =
            parts.iter().flat_map(|part| &part.identities).map(|(identity, _)| names_of(identity)).collect();
        let held = matching(wishes, &identities);
        let path = self.path_of(&known.key, &held);
        entry::write(&path, parts, spectra, monitor)?;
        let mut index = self.index();
        let content = index.contents.entry(known.key.clone()).or_default();
        content.identities = identities;
        content.entries.insert(held);
        index.is_changed = true;
        Ok(())
    }

    /// Where an entry of a content is that holds all that is wished for of what is there.
    fn entry_path(&self, known: &Known, wishes: &Wishes) -> Option<PathBuf> {
        let index = self.index();
        [&known.content, &known.key].into_iter().find_map(|key| {
            let content = index.contents.get(key)?;
            let needed = matching(wishes, &content.identities);
            let holds = |entry: &&Vec<(Names, String)>| needed.iter().all(|wish| entry.contains(wish));
            content.entries.iter().find(holds).map(|entry| self.path_of(key, entry))
        })
    }

    fn path_of(&self, key: &str, held: &[(Names, String)]) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&VERSION.to_le_bytes()).update(key.as_bytes());
        for ((model, template, sampler), depends_on) in held {
            for text in [model, template, sampler, depends_on] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
        }
        let name = hasher.finalize().to_hex();
        self.folder.join(&name[..2]).join(&name[2..])
    }
}

impl Index {
    /// Takes over what another one knows and this one does not.
    fn take(&mut self, other: Self) {
        for (path, file) in other.files {
            self.files.entry(path).or_insert(file);
        }
        for (key, content) in other.contents {
            match self.contents.entry(key) {
                Entry::Vacant(place) => drop(place.insert(content)),
                Entry::Occupied(mut known) => known.get_mut().entries.extend(content.entries),
            }
        }
    }
}

/// Whether a folder has a name like those that entries are in: the first two digits of a hash.
fn is_folder_of_entries(folder: &Path) -> bool {
    let name = folder.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default();
    name.len() == 2 && name.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is wished for of those whose records are there.
fn matching(wishes: &Wishes, there: &BTreeSet<Names>) -> Vec<(Names, String)> {
    let wishes = wishes.iter().map(|(identity, depends_on)| (names_of(identity), depends_on.clone()));
    wishes.filter(|(names, _)| there.contains(names)).collect()
}

fn names_of(identity: &Identity) -> Names {
    (identity.model.clone(), identity.template.clone(), identity.sampler.clone())
}

fn key_of(path: &Path) -> Option<String> {
    paths::absolute(path).ok()?.into_os_string().into_string().ok()
}
