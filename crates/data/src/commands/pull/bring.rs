//! Brings what is wanted here: fetches blobs, and unpacks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rs_cli::{CommandError, DAMAGED_BLOBS, Ui};
use rs_core::lock::Lock;
use rs_core::monitor::Monitor;
use rs_core::pack::PackError;
use rs_core::paths;
use rs_core::store::Store;

use super::Row;
use crate::contents::Contents;
use crate::disk::Needs;
use crate::items::{self, Item};
use crate::library::Library;
use crate::remote::{Options, Remote};
use crate::seen::Seen;
use crate::transfer::{self, TransferError, Wanted};
use crate::work;

/// The blobs that are not in the store, each once.
pub(super) fn to_fetch(store: &Store, wanted: &[&Item], rows: &mut [Row]) -> Vec<Wanted> {
    let mut blobs = BTreeMap::new();
    for item in wanted {
        if store.has(&item.blob) == Some(item.size_bytes) || blobs.contains_key(&item.blob) {
            continue;
        }
        rows[item.group].fetch += 1;
        rows[item.group].fetch_bytes += item.size_bytes;
        blobs.insert(item.blob, Wanted { key: item.blob, size_bytes: item.size_bytes, what: item.what.clone() });
    }
    blobs.into_values().collect()
}

/// Refuses what there is no room for, before it begins.
pub(super) fn check_room(library: &Library, to_fetch: &[Wanted], to_extract: &[&Item]) -> Result<(), CommandError> {
    let mut needs = Needs::default();
    for blob in to_fetch {
        let partial = fs_err::metadata(library.store.partial_of(&blob.key)).map_or(0, |file| file.len());
        needs.add(library.store.folder(), blob.size_bytes.saturating_sub(partial))?;
    }
    to_extract.iter().try_for_each(|item| needs.add(&item.place, item.raw_bytes()))?;
    let is_run = |item: &&Item| matches!(item.contents, Contents::Run(_));
    needs.require("what is fetched and unpacked").map_err(|error| {
        if to_extract.iter().any(is_run) { error.hint("with --no-extract run folders stay packed") } else { error }
    })
}

/// What is here is not what the manifest says, and not to be replaced.
pub(super) fn stays(item: &Item, hint: &str) -> String {
    format!("{}: what is here differs and stays as it is; {hint}", paths::show(&item.place))
}

/// What bringing needs and changes.
pub(super) struct Bringing<'a> {
    pub(super) library: &'a Library,
    pub(super) lock: &'a Lock,
    pub(super) rows: &'a mut [Row],
    pub(super) monitor: &'a Arc<Monitor>,
}

impl Bringing<'_> {
    /// Fetches blobs. What fails does not hinder the others, and is told and counted for each of the items that want it;
    /// blobs that are refused are no more than that, any other failure is the command's in the end.
    pub(super) fn fetch(
        &mut self,
        remote: &dyn Remote,
        to_fetch: &[Wanted],
        items: &[Item],
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        self.library.store.make_partial_folder()?;
        let total = to_fetch.iter().map(|blob| blob.size_bytes).sum();
        let progress = ui.watch("fetching", total, self.monitor);
        let store = items::Local(&self.library.store);
        let results = transfer::fetch_all(remote, to_fetch, &store, &Options::default(), self.monitor);
        drop(progress);
        let mut failures = Vec::new();
        for (blob, result) in to_fetch.iter().zip(results) {
            let Err(error) = result else { continue };
            let mut wanting = items.iter().filter(|item| item.blob == blob.key).peekable();
            if let Some(first) = wanting.peek() {
                self.rows[first.group].fetch -= 1;
                self.rows[first.group].fetch_bytes -= blob.size_bytes;
            }
            wanting.for_each(|item| self.rows[item.group].failed += 1);
            failures.push(error);
        }
        let is_answer = failures.iter().all(|failure| matches!(failure, TransferError::Refused { .. }));
        match work::fail_if_any(failures, to_fetch.len(), "fetched", ui) {
            Err(_) if is_answer => Ok(()),
            result => result,
        }
    }

    /// Unpacks what is in the store. A blob that cannot be unpacked does not hinder the others.
    pub(super) fn extract(&mut self, to_extract: &[&Item], seen: &mut Seen, ui: &mut Ui) -> Result<(), CommandError> {
        let store = &self.library.store;
        let (ready, others): (Vec<&Item>, Vec<&Item>) =
            to_extract.iter().partition(|item| store.has(&item.blob) == Some(item.size_bytes));
        others.into_iter().for_each(|item| self.rows[item.group].leave_packed(item));
        let progress = ui.watch("unpacking", ready.iter().map(|item| item.raw_bytes()).sum(), self.monitor);
        let results = items::unpack_all(self.library, self.lock, &ready, seen, self.monitor);
        drop(progress);
        self.tell(ready.into_iter().zip(results), ui)
    }

    /// Unpacks what is in the store in the place of run folders that lack files and hold nothing else. Others stay.
    pub(super) fn complete(&mut self, to_complete: &[&Item], seen: &mut Seen, ui: &mut Ui) -> Result<(), CommandError> {
        let mut results = Vec::new();
        for item in to_complete {
            if self.library.store.has(&item.blob) != Some(item.size_bytes) {
                self.rows[item.group].leave_packed(item);
                continue;
            }
            match items::complete(self.library, item, seen, self.monitor) {
                Ok(true) => {}
                Ok(false) => {
                    self.rows[item.group].leave_packed(item);
                    self.rows[item.group].kept += 1;
                    ui.warn(&stays(item, "move it away to pull it"));
                }
                Err(error) => results.push((*item, Err(error))),
            }
        }
        self.tell(results, ui)
    }

    /// Tells of what was not unpacked.
    fn tell<'i>(
        &mut self,
        results: impl IntoIterator<Item = (&'i Item, Result<(), PackError>)>,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        let (mut failure, mut is_damaged) = (None, false);
        for (item, result) in results {
            let Err(error) = result else { continue };
            self.rows[item.group].leave_packed(item);
            self.rows[item.group].failed += 1;
            match error {
                error @ (PackError::Cancelled | PackError::Io(_)) => {
                    failure = failure.or_else(|| Some(work::pack_error(error)));
                }
                error => {
                    ui.problem(&format!("{}: {error}", item.what));
                    is_damaged |= matches!(error, PackError::Damaged { .. });
                }
            }
        }
        if is_damaged {
            ui.note(DAMAGED_BLOBS);
        }
        failure.map_or(Ok(()), Err)
    }
}
