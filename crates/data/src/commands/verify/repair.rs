//! `data verify --repair`: good copies in the place of what is damaged, here or in a remote.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rs_cli::{CommandError, Ui};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;
use rs_core::pack::PackError;
use rs_core::store::hash_file;

use super::things::{Kind, Thing};
use crate::contents::Contents;
use crate::items::{self, Item};
use crate::library::{Library, NamedRemote};
use crate::remote::Options;
use crate::seen::Seen;
use crate::transfer::{self, ToSend, Wanted};
use crate::work;

/// What a repair needs.
pub(super) struct Repair<'a> {
    pub(super) library: &'a Library,
    pub(super) remote: &'a NamedRemote,
    pub(super) seen: &'a mut Seen,
    pub(super) monitor: &'a Arc<Monitor>,
}

impl Repair<'_> {
    /// Fetches good copies: blobs first, then run folders and databases out of them. Returns the keys of the things that
    /// are good now. What has no good copy stays as it is: damaged bytes are better than none.
    pub(super) fn run(&mut self, damaged: &[&Thing<'_>], ui: &mut Ui) -> Result<BTreeSet<String>, CommandError> {
        let fetched = self.fetch(damaged, ui)?;
        let is_damaged = |blob: &BlobId| {
            damaged.iter().any(|thing| matches!(&thing.kind, Kind::Blob { blob: damaged } if damaged == blob))
        };
        let mut repaired = BTreeSet::new();
        for thing in damaged {
            let is_good = match &thing.kind {
                Kind::Blob { blob } => fetched.contains(blob),
                Kind::Extracted { item, .. } => {
                    let is_usable = fetched.contains(&item.blob)
                        || self.library.store.has(&item.blob).is_some() && !is_damaged(&item.blob);
                    is_usable && self.replace(item, ui)?
                }
                Kind::Remote { .. } => false,
            };
            if is_good {
                repaired.insert(thing.key.clone());
            }
        }
        Ok(repaired)
    }

    /// Sends good copies from here in the place of blobs of the remote that are damaged or not there. Returns the keys of
    /// those.
    pub(super) fn send(&self, damaged: &[&Thing<'_>], ui: &mut Ui) -> Result<BTreeSet<String>, CommandError> {
        let store = &self.library.store;
        let mut to_send = Vec::new();
        let progress = ui.watch("verifying", damaged.iter().map(|thing| thing.bytes).sum(), self.monitor);
        for thing in damaged {
            let Kind::Remote { wanted } = &thing.kind else { continue };
            let path = store.path_of(&wanted.key);
            let is_good = store.has(&wanted.key) == Some(wanted.size_bytes)
                && hash_file(&path, self.monitor).is_ok_and(|found| found == wanted.key);
            if self.monitor.is_cancelled() {
                return Err(work::stopped());
            }
            if is_good {
                let (key, size_bytes, what) = (wanted.key, wanted.size_bytes, wanted.what.clone());
                to_send.push((thing.key.clone(), ToSend { key, path, size_bytes, what }));
            } else {
                ui.problem(&format!(
                    "{}: no good copy of the blob is here; `data push` makes one of a run folder",
                    thing.what
                ));
            }
        }
        drop(progress);
        let blobs: Vec<ToSend> = to_send.iter().map(|(_, blob)| blob.clone()).collect();
        let progress = ui.watch("sending", blobs.iter().map(|blob| blob.size_bytes).sum(), self.monitor);
        let results = transfer::replace_all(self.remote.remote.as_ref(), &blobs, &Options::default(), self.monitor);
        drop(progress);
        if self.monitor.is_cancelled() {
            return Err(work::stopped());
        }
        let mut sent = BTreeSet::new();
        for ((key, _), result) in to_send.into_iter().zip(results) {
            match result {
                Ok(_) => drop(sent.insert(key)),
                Err(error) => ui.problem(&error.to_string()),
            }
        }
        Ok(sent)
    }

    /// Fetches the blobs that are damaged, and those that are not here and needed. A damaged one is replaced when the good
    /// one is whole.
    fn fetch(&self, damaged: &[&Thing<'_>], ui: &mut Ui) -> Result<BTreeSet<BlobId>, CommandError> {
        let known = self.library.wanted_blobs();
        let mut to_fetch = BTreeMap::new();
        for thing in damaged {
            let (blob, size_bytes) = match &thing.kind {
                Kind::Blob { blob } => (*blob, known.get(blob).map_or(thing.bytes, |(_, bytes)| *bytes)),
                Kind::Extracted { item, .. } if self.library.store.has(&item.blob).is_none() => {
                    (item.blob, item.size_bytes)
                }
                _ => continue,
            };
            to_fetch.insert(blob, Wanted { key: blob, size_bytes, what: thing.what.clone() });
        }
        let to_fetch: Vec<Wanted> = to_fetch.into_values().collect();
        if to_fetch.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.library.store.make_partial_folder()?;
        let total_bytes = to_fetch.iter().map(|wanted| wanted.size_bytes).sum();
        let progress = ui.watch("fetching", total_bytes, self.monitor);
        let store = items::Local(&self.library.store);
        let remote = self.remote.remote.as_ref();
        let results = transfer::fetch_all(remote, &to_fetch, &store, &Options::default(), self.monitor);
        drop(progress);
        if self.monitor.is_cancelled() {
            return Err(work::stopped());
        }
        let mut fetched = BTreeSet::new();
        for (wanted, result) in to_fetch.iter().zip(results) {
            match result {
                Ok(_) => drop(fetched.insert(wanted.key)),
                Err(error) => ui.problem(&error.to_string()),
            }
        }
        Ok(fetched)
    }

    /// Unpacks a good copy in the place of a damaged one, which goes only when that is whole.
    fn replace(&mut self, item: &Item, ui: &mut Ui) -> Result<bool, CommandError> {
        let unpacked = match &item.contents {
            Contents::Run(expected) => items::replace_run(self.library, item, expected, self.seen, self.monitor),
            Contents::Database { .. } => items::replace_database(self.library, item, self.seen, self.monitor),
        };
        match unpacked {
            Ok(()) => Ok(true),
            Err(error @ (PackError::Cancelled | PackError::Io(_))) => Err(work::pack_error(error)),
            Err(error) => {
                ui.problem(&format!("{}: {error}", item.what));
                Ok(false)
            }
        }
    }
}
