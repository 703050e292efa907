//! Packs and sends the runs of a cohort, or a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::dataset::Dataset;
use rs_core::lock::Lock;
use rs_core::manifest::{DatabaseBlob, RunBlob};
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content, FRAME_BYTES, PackError, Packed};
use rs_core::paths;
use rs_core::store::BlobId;

use super::Row;
use crate::disk::Needs;
use crate::library::{Library, NamedRemote, dataset_hash, shown_database, shown_run};
use crate::remote::{Options, RemoteError};
use crate::runs::Run;
use crate::seen::{Look, Seen};
use crate::transfer::{self, Sent, ToSend};
use crate::work::{self, pack_error};

/// A run and the blob that holds it.
pub(super) type Stored = BTreeMap<String, (Content, BlobId, u64)>;

/// What pushing needs.
pub(super) struct Pushing<'a> {
    pub(super) library: &'a Library,
    pub(super) lock: &'a Lock,
    pub(super) remote: &'a NamedRemote,
    pub(super) monitor: &'a Arc<Monitor>,
}

impl Pushing<'_> {
    /// Stores run folders of a cohort. Returns the blob of each.
    pub(super) fn cohort(
        &self,
        name: &str,
        runs: &[Run],
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<(Row, Stored), CommandError> {
        let looks: Vec<Look> =
            runs.par_iter().map(|run| Look::at_run(&run.folder)).collect::<Result<_, _>>().map_err(pack_error)?;
        let mut row = Row { kind: "cohort", name: name.to_owned(), runs: runs.len() as u64, ..Row::default() };
        row.raw_bytes = looks.iter().map(Look::raw_bytes).sum();
        let known: BTreeMap<&str, &RunBlob> =
            self.library.evals_of(name).flat_map(|(_, eval)| &eval.runs).map(|run| (run.path.as_str(), run)).collect();
        let known_as = |content: &Content| {
            let from_manifest = known.values().find(|run| run.content == content.hash);
            from_manifest.map(|run| (run.blob, run.size))
        };
        let mut found = Vec::new();
        let progress =
            work::progress(ui, "looking", self.unknown_bytes(name, runs, &looks, seen, &known), self.monitor);
        for (run, look) in runs.iter().zip(&looks) {
            let path = format!("{name}/{}", run.path);
            // A folder of the same size as before is probably the same: hashing is faster than packing.
            let has_size =
                |known: &&RunBlob| (known.raw_size, known.n_files) == (look.raw_bytes(), look.files.len() as u64);
            let is_like_known = seen.has_size(&path, look) || known.get(run.path.as_str()).is_some_and(has_size);
            let content = self.content(&path, look, is_like_known, seen)?;
            let blob = content.as_ref().and_then(|content| known_as(content).or_else(|| seen.blob_of(&content.hash)));
            found.push(content.zip(blob));
        }
        drop(progress);
        let kept = self.kept(found.iter().flatten().map(|(_, blob)| *blob).collect())?;
        let mut stored = Stored::new();
        let mut to_pack = Vec::new();
        for ((run, look), found) in runs.iter().zip(&looks).zip(found) {
            match found.filter(|(_, (blob, _))| kept.contains(blob)) {
                Some((content, (blob, size))) => drop(stored.insert(run.path.clone(), (content, blob, size))),
                None => to_pack.push((run, look)),
            }
        }
        row.packed = to_pack.len() as u64;
        self.pack(name, &to_pack, &mut stored, seen, ui)?;
        row.stored_bytes = stored.values().map(|(_, _, size)| size).sum();
        row.sent_bytes =
            self.send(stored.iter().map(|(run, (_, blob, size))| (*blob, *size, shown_run(name, run))).collect(), ui)?;
        Ok((row, stored))
    }

    /// What a run folder or database holds, if it is known, or worth hashing because it is probably known by another name.
    fn content(
        &self,
        path: &str,
        look: &Look,
        is_like_known: bool,
        seen: &mut Seen,
    ) -> Result<Option<Content>, CommandError> {
        match seen.content(path, look) {
            None if is_like_known => seen.content_or_hash(path, look, self.monitor).map(Some).map_err(pack_error),
            content => Ok(content),
        }
    }

    /// Those of some blobs that are whole in the store or in the remote: they need not be packed again.
    fn kept(&self, blobs: BTreeMap<BlobId, u64>) -> Result<BTreeSet<BlobId>, CommandError> {
        let is_here = |(blob, size): &(BlobId, u64)| self.library.store.has(blob) == Some(*size);
        let (here, elsewhere): (Vec<_>, Vec<_>) = blobs.into_iter().partition(is_here);
        let keys: Vec<BlobId> = elsewhere.iter().map(|(blob, _)| *blob).collect();
        let sizes = transfer::sizes_of(self.remote.remote.as_ref(), &keys, &Options::default(), self.monitor);
        let mut kept: BTreeSet<BlobId> = here.into_iter().map(|(blob, _)| blob).collect();
        for ((blob, size), found) in elsewhere.into_iter().zip(sizes) {
            match found {
                Ok(found) if found == Some(size) => drop(kept.insert(blob)),
                // Who may write need not be one who may ask: then it is packed and sent.
                Ok(_) | Err(RemoteError::Denied { .. }) => {}
                Err(error) => return Err(work::remote_error(&error)),
            }
        }
        Ok(kept)
    }

    /// Bytes that must be hashed to know whether they have changed.
    fn unknown_bytes(
        &self,
        name: &str,
        runs: &[Run],
        looks: &[Look],
        seen: &Seen,
        known: &BTreeMap<&str, &RunBlob>,
    ) -> u64 {
        let is_unknown = |run: &Run, look: &Look| {
            known.contains_key(run.path.as_str()) && seen.content(&format!("{name}/{}", run.path), look).is_none()
        };
        runs.iter().zip(looks).filter(|(run, look)| is_unknown(run, look)).map(|(_, look)| look.raw_bytes()).sum()
    }

    fn pack(
        &self,
        name: &str,
        to_pack: &[(&Run, &Look)],
        stored: &mut Stored,
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        let raw_bytes = to_pack.iter().map(|(_, look)| look.raw_bytes()).sum();
        // Text shrinks to a tenth, packed files not at all: the store may need as much as there is.
        let progress = work::progress(ui, "packing", raw_bytes, self.monitor);
        let pack_one = |run: &Run, look: &Look| -> Result<Packed, PackError> {
            let mut temporary = self.library.store.temporary()?;
            let packed = pack::pack_run(&run.folder, &look.files, &mut temporary.file, self.monitor)?;
            self.library.store.adopt(temporary.path(), &packed.blob)?;
            Ok(packed)
        };
        // Small runs side by side, large ones each on all threads.
        let (large, small): (Vec<_>, Vec<_>) =
            to_pack.iter().copied().partition(|(_, look)| look.raw_bytes() > FRAME_BYTES);
        let mut note = |run: &Run, look: &Look, packed: &Packed| -> Result<(), CommandError> {
            let content = Content { hash: packed.content, raw_bytes: packed.raw_bytes, n_files: packed.n_files };
            let blob = (packed.blob, packed.size_bytes);
            seen.learn(&format!("{name}/{}", run.path), look, &content, Some(blob));
            stored.insert(run.path.clone(), (content, packed.blob, packed.size_bytes));
            Ok(())
        };
        for (run, look) in &large {
            let packed = pack_one(run, look).map_err(pack_error)?;
            note(run, look, &packed)?;
        }
        // What is packed is packed, also if another fails.
        let packed: Vec<_> = small.par_iter().map(|(run, look)| pack_one(run, look)).collect();
        let mut failure = None;
        for ((run, look), packed) in small.iter().zip(packed) {
            match packed {
                Ok(packed) => note(run, look, &packed)?,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        drop(progress);
        seen.save(self.library, Some(self.lock));
        failure.map_or(Ok(()), |error| Err(pack_error(error)))
    }

    /// Sends what the remote does not have. Returns the bytes sent.
    fn send(&self, blobs: Vec<(BlobId, u64, String)>, ui: &mut Ui) -> Result<u64, CommandError> {
        let mut distinct = BTreeSet::new();
        let mut absent = Vec::new();
        for (blob, size, what) in blobs {
            // What is not here is in the remote: that was asked before.
            if self.library.store.has(&blob).is_some() && distinct.insert(blob) {
                absent.push(ToSend { key: blob, path: self.library.store.path_of(&blob), size_bytes: size, what });
            }
        }
        let total = absent.iter().map(|blob| blob.size_bytes).sum();
        let progress = work::progress(ui, "sending", total, self.monitor);
        let results = transfer::send_all(self.remote.remote.as_ref(), &absent, &Options::default(), self.monitor);
        drop(progress);
        let mut sent_bytes = 0;
        let mut failures = Vec::new();
        for (blob, result) in absent.iter().zip(results) {
            match result {
                Ok(Sent::Stored { .. }) => sent_bytes += blob.size_bytes,
                Ok(Sent::AlreadyThere) => {}
                Err(error) => failures.push(error),
            }
        }
        work::fail_if_any(failures, absent.len(), "sent", ui)?;
        Ok(sent_bytes)
    }

    /// Stores the database of a dataset.
    pub(super) fn database(
        &self,
        dataset: &Dataset,
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<(Row, DatabaseBlob), CommandError> {
        if !dataset.db.is_file() {
            return Err(CommandError::input(format!("no database `{}`", paths::show(&dataset.db)))
                .hint(format!("evaluate --dataset {}", paths::show(&dataset.file))));
        }
        let look = Look::at_database(&dataset.db).map_err(pack_error)?;
        let name = shown_database(&dataset.name);
        let mut row = Row { kind: "database", name: dataset.name.clone(), runs: 1, ..Row::default() };
        row.raw_bytes = look.raw_bytes();
        let known = self.library.manifest.databases.get(&dataset.name);
        let is_like_known =
            seen.has_size(&name, &look) || known.is_some_and(|known| known.raw_size == look.raw_bytes());
        let content = self.content(&name, &look, is_like_known, seen)?;
        let blob = content.as_ref().and_then(|content| {
            let from_manifest = known.filter(|known| known.content == Some(content.hash));
            from_manifest.map(|known| (known.blob, known.size)).or_else(|| seen.blob_of(&content.hash))
        });
        let kept = self.kept(blob.into_iter().collect())?;
        let found = content.zip(blob).filter(|(_, (blob, _))| kept.contains(blob));
        let (content, blob, size) = match found {
            Some((content, (blob, size))) => (content, blob, size),
            None => {
                let mut needs = Needs::default();
                needs.add(self.library.store.folder(), look.raw_bytes())?;
                needs.require("the packed database")?;
                let progress = work::progress(ui, "packing", look.raw_bytes(), self.monitor);
                let mut temporary = self.library.store.temporary()?;
                let packed = pack::pack_file(&dataset.db, &mut temporary.file, self.monitor).map_err(pack_error)?;
                self.library.store.adopt(temporary.path(), &packed.blob)?;
                drop(progress);
                row.packed = 1;
                let content = Content { hash: packed.content, raw_bytes: packed.raw_bytes, n_files: 1 };
                seen.learn(&name, &look, &content, Some((packed.blob, packed.size_bytes)));
                seen.save(self.library, Some(self.lock));
                (content, packed.blob, packed.size_bytes)
            }
        };
        row.stored_bytes = size;
        row.sent_bytes = self.send(vec![(blob, size, name)], ui)?;
        let database = DatabaseBlob {
            blob,
            size,
            raw_size: content.raw_bytes,
            content: Some(content.hash),
            dataset: dataset_hash(&dataset.file)?,
            others: known.map(|known| known.others.clone()).unwrap_or_default(),
        };
        Ok((row, database))
    }
}
