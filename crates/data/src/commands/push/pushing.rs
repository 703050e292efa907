//! Packs and sends the runs of a cohort, or a database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use rs_cli::{CommandError, Ui};
use rs_core::cohort::Cohort;
use rs_core::dataset::Dataset;
use rs_core::digest::BlobId;
use rs_core::lock::Lock;
use rs_core::manifest::{DatabaseBlob, RunBlob};
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content, ContentHash, PackError, Packed};
use rs_core::paths;
use rs_core::store::{Store, Temporary};

use super::Row;
use crate::batches::{each, in_batches};
use crate::contents::Contents;
use crate::disk::Needs;
use crate::library::{Library, NamedRemote, dataset_hash, shown_database, shown_run};
use crate::remote::{Options, RemoteError};
use crate::runs::Run;
use crate::seen::{Look, Seen};
use crate::states::known_runs;
use crate::transfer::{self, Sent, ToSend};
use crate::work::{self, pack_error};

/// A cohort whose runs are to be pushed.
pub(super) struct Opened {
    /// What the manifest calls it.
    pub(super) name: String,
    pub(super) cohort: Cohort,
    pub(super) runs: Vec<Run>,
    /// One for each run.
    pub(super) looks: Vec<Look>,
}

impl Opened {
    /// Bytes of the files of all runs.
    pub(super) fn raw_bytes(&self) -> u64 {
        self.looks.iter().map(Look::raw_bytes).sum()
    }
}

/// The runs of a cohort by path, each with the blob that holds it and its stored bytes.
pub(super) type Stored = BTreeMap<String, (Content, BlobId, u64)>;

/// What is known of a run: its content, and the blob that should hold it.
type Found = Option<(Content, (BlobId, u64))>;

/// A run that must be packed.
struct ToPack<'a> {
    /// Position of its cohort.
    cohort: usize,
    run: &'a Run,
    look: &'a Look,
    /// What the memory of what was seen calls it.
    seen_as: String,
}

/// What pushing needs.
pub(super) struct Pushing<'a> {
    pub(super) library: &'a Library,
    pub(super) lock: &'a Lock,
    pub(super) remote: &'a NamedRemote,
    pub(super) monitor: &'a Arc<Monitor>,
}

impl Pushing<'_> {
    /// Stores the run folders of cohorts, all of them together. Returns what became of each cohort, and the blobs.
    pub(super) fn cohorts(
        &self,
        cohorts: &[Opened],
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<Vec<(Row, Stored)>, CommandError> {
        let found = self.look(cohorts, seen, ui)?;
        let kept = self.kept(found.iter().flatten().flatten().map(|(_, blob)| *blob).collect())?;
        let mut done = Vec::new();
        let mut to_pack = Vec::new();
        for (position, (opened, found)) in cohorts.iter().zip(found).enumerate() {
            let (name, runs) = (opened.name.clone(), opened.runs.len() as u64);
            let mut row = Row { kind: "cohort", name, runs, raw_bytes: opened.raw_bytes(), ..Row::default() };
            let mut stored = Stored::new();
            for ((run, look), found) in opened.runs.iter().zip(&opened.looks).zip(found) {
                match found.filter(|(_, (blob, _))| kept.contains(blob)) {
                    Some((content, (blob, size))) => drop(stored.insert(run.path.clone(), (content, blob, size))),
                    None => {
                        let seen_as = format!("{}/{}", opened.name, run.path);
                        to_pack.push(ToPack { cohort: position, run, look, seen_as });
                        row.packed += 1;
                    }
                }
            }
            done.push((row, stored));
        }
        for (packed, to_pack) in self.pack(&to_pack, seen, ui)?.into_iter().zip(&to_pack) {
            done[to_pack.cohort].1.insert(to_pack.run.path.clone(), packed);
        }
        let mut blobs = Vec::new();
        for (position, (row, stored)) in done.iter_mut().enumerate() {
            row.stored_bytes = stored.values().map(|(_, _, size)| size).sum();
            let of_run = |(run, (_, blob, size)): (&String, &(Content, BlobId, u64))| {
                (position, *blob, *size, shown_run(&row.name, run))
            };
            blobs.extend(stored.iter().map(of_run));
        }
        for (position, bytes) in self.send(blobs, ui)? {
            done[position].0.sent_bytes += bytes;
        }
        Ok(done)
    }

    /// What is known of the runs of cohorts, and the blobs that should hold them.
    fn look(&self, cohorts: &[Opened], seen: &mut Seen, ui: &mut Ui) -> Result<Vec<Vec<Found>>, CommandError> {
        // A folder of the same size as before is probably the same: hashing is faster than packing.
        let is_like = |known: Option<&&RunBlob>, look: &Look| {
            known.is_some_and(|known| (known.raw_size, known.n_files) == (look.raw_bytes(), look.files.len() as u64))
        };
        let mut to_hash = Vec::new();
        for opened in cohorts {
            let known = known_runs(self.library, &opened.name);
            for (run, look) in opened.runs.iter().zip(&opened.looks) {
                let path = format!("{}/{}", opened.name, run.path);
                let is_hashed = seen.content(&path, look).is_none()
                    && (seen.has_size(&path, look) || is_like(known.get(run.path.as_str()), look));
                to_hash.push((path, look, is_hashed));
            }
        }
        let unknown_bytes = to_hash.iter().filter(|(_, _, is)| *is).map(|(_, look, _)| look.raw_bytes()).sum();
        let _progress = ui.watch("looking", unknown_bytes, self.monitor);
        let mut to_hash = to_hash.into_iter();
        let mut found = Vec::new();
        for opened in cohorts {
            let known = known_runs(self.library, &opened.name);
            let known: HashMap<ContentHash, (BlobId, u64)> =
                known.into_values().map(|run| (run.content, (run.blob, run.size))).collect();
            let mut of_cohort = Vec::new();
            for (path, look, is_hashed) in to_hash.by_ref().take(opened.runs.len()) {
                let content = self.content(&path, look, is_hashed, seen)?;
                let blob = content
                    .as_ref()
                    .and_then(|content| known.get(&content.hash).copied().or_else(|| seen.blob_of(&content.hash)));
                of_cohort.push(content.zip(blob));
            }
            found.push(of_cohort);
        }
        Ok(found)
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

    /// Packs runs into the store; gives the content and blob of each.
    fn pack(
        &self,
        to_pack: &[ToPack<'_>],
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<Vec<(Content, BlobId, u64)>, CommandError> {
        let raw_bytes = to_pack.iter().map(|one| one.look.raw_bytes()).sum();
        let progress = ui.watch("packing", raw_bytes, self.monitor);
        let store = &self.library.store;
        let pack_one = |one: &ToPack<'_>| -> Result<(Temporary, Packed), PackError> {
            let mut temporary = store.temporary()?;
            let packed = pack::pack_run(&one.run.folder, &one.look.files, &mut temporary.file, self.monitor)?;
            Ok((temporary, packed))
        };
        let bytes_of = |one: &ToPack<'_>| one.look.raw_bytes();
        let mut waiting = to_pack.iter();
        let results = in_batches(
            to_pack,
            bytes_of,
            |batch| each(batch, bytes_of, pack_one),
            |batch| {
                let adopted = adopt(store, &batch);
                // What is packed is packed, also if another fails, or the process is killed.
                let results = batch.into_iter().zip(waiting.by_ref()).map(|(packed, one)| {
                    let (_, packed) = packed?;
                    adopted.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
                    let content =
                        Content { hash: packed.content, raw_bytes: packed.raw_bytes, n_files: packed.n_files };
                    seen.learn(&one.seen_as, one.look, &content, Some((packed.blob, packed.size_bytes)));
                    Ok((content, packed.blob, packed.size_bytes))
                });
                let results: Vec<Result<_, PackError>> = results.collect();
                seen.save(self.library, Some(self.lock));
                results
            },
        );
        drop(progress);
        results.into_iter().collect::<Result<_, _>>().map_err(pack_error)
    }

    /// Sends what the remote does not have; each blob comes with a number, its stored bytes, and what it holds. Returns the
    /// bytes that were sent of each number.
    fn send(
        &self,
        blobs: Vec<(usize, BlobId, u64, String)>,
        ui: &mut Ui,
    ) -> Result<BTreeMap<usize, u64>, CommandError> {
        let mut distinct = BTreeSet::new();
        let (mut numbers, mut to_send) = (Vec::new(), Vec::new());
        for (number, blob, size_bytes, what) in blobs {
            // What is not here is in the remote: that was asked before.
            if self.library.store.has(&blob).is_some() && distinct.insert(blob) {
                numbers.push(number);
                to_send.push(ToSend { key: blob, path: self.library.store.path_of(&blob), size_bytes, what });
            }
        }
        let total = to_send.iter().map(|blob| blob.size_bytes).sum();
        let progress = ui.watch("sending", total, self.monitor);
        let results = transfer::send_all(self.remote.remote.as_ref(), &to_send, &Options::default(), self.monitor);
        drop(progress);
        let mut sent_bytes = BTreeMap::new();
        let mut failures = Vec::new();
        for ((number, blob), result) in numbers.into_iter().zip(&to_send).zip(results) {
            match result {
                Ok(Sent::Stored { .. }) => *sent_bytes.entry(number).or_default() += blob.size_bytes,
                Ok(Sent::AlreadyThere) => {}
                Err(error) => failures.push(error),
            }
        }
        work::fail_if_any(failures, to_send.len(), "sent", ui)?;
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
            let from_manifest = known.filter(|known| Contents::from(*known).is(content, seen));
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
                let progress = ui.watch("packing", look.raw_bytes(), self.monitor);
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
        row.sent_bytes = self.send(vec![(0, blob, size, name)], ui)?.into_values().sum();
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

/// Takes blobs that were packed into the store, all together.
fn adopt(store: &Store, packed: &[Result<(Temporary, Packed), PackError>]) -> io::Result<()> {
    let files = packed.iter().flatten().map(|(temporary, packed)| (temporary.path().to_owned(), packed.blob));
    store.adopt_many(&files.collect::<Vec<_>>())
}
