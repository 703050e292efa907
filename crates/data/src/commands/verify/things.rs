//! What there is to hash: blobs, run folders and databases here, or blobs in a remote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rs_cli::CommandError;
use rs_core::digest::BlobId;

use crate::contents::Contents;
use crate::items::{Item, Items};
use crate::library::Library;
use crate::seen::Look;
use crate::transfer::Wanted;
use crate::work;

/// What is to be hashed.
pub(super) struct Thing<'a> {
    /// Tells it from the others, from one run to the next.
    pub(super) key: String,
    pub(super) what: String,
    pub(super) place: PathBuf,
    pub(super) bytes: u64,
    /// What tells whether it has changed since; none where nothing does.
    pub(super) fingerprint: Option<String>,
    pub(super) kind: Kind<'a>,
}

pub(super) enum Kind<'a> {
    /// A blob in the local store.
    Blob { blob: BlobId },
    /// A run folder or database.
    Extracted { item: &'a Item, look: Look },
    /// A blob in the remote.
    Remote { wanted: Wanted },
}

/// Whether blobs are looked at that the manifest does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    Included,
    LeftOut,
}

/// Blobs in the store, run folders and databases.
pub(super) fn here<'a>(
    library: &Library,
    items: &'a Items,
    strangers: Strangers,
) -> Result<Vec<Thing<'a>>, CommandError> {
    let mut things = Vec::new();
    let names: BTreeMap<_, _> = items.items.iter().map(|item| (item.blob, &item.what)).collect();
    for (blob, bytes) in library.store.blobs()? {
        let what = match names.get(&blob) {
            Some(what) => (*what).clone(),
            None if strangers == Strangers::Included => "not in the manifest".to_owned(),
            None => continue,
        };
        let (key, place) = (format!("blob {blob}"), library.store.path_of(&blob));
        let fingerprint = Look::at_database(&place).ok().and_then(|look| look.fingerprint().map(str::to_owned));
        things.push(Thing { key, what, place, bytes, fingerprint, kind: Kind::Blob { blob } });
    }
    for item in &items.items {
        let look = match &item.contents {
            Contents::Run(_) if item.place.is_dir() => Look::at_run(&item.place),
            Contents::Database { content: Some(_), .. } if item.place.is_file() => Look::at_database(&item.place),
            _ => continue,
        };
        let look = look.map_err(work::pack_error)?;
        if look.files.is_empty() {
            continue;
        }
        things.push(Thing {
            key: item.seen_as.clone(),
            what: item.what.clone(),
            place: item.place.clone(),
            bytes: look.raw_bytes(),
            // What it should be may change as well.
            fingerprint: look.fingerprint().zip(item.contents.identity()).map(|(look, of)| format!("{look} {of}")),
            kind: Kind::Extracted { item, look },
        });
    }
    Ok(things)
}

/// Run folders and databases of the manifest that are neither here nor as blobs in the store.
pub(super) fn absent(library: &Library, items: &Items) -> Vec<String> {
    let is_absent = |item: &&Item| match &item.contents {
        Contents::Run(_) => fs_err::read_dir(&item.place).map_or(true, |mut files| files.next().is_none()),
        Contents::Database { .. } => !item.place.is_file(),
    };
    let absent = items.items.iter().filter(is_absent).filter(|item| library.store.has(&item.blob).is_none());
    absent.map(|item| item.what.clone()).collect()
}

/// Blobs of a remote that the manifest names.
pub(super) fn in_remote(items: &Items) -> Vec<Thing<'_>> {
    let mut distinct = BTreeSet::new();
    let of_item = |item: &Item| Thing {
        key: format!("remote {}", item.blob),
        what: item.what.clone(),
        place: PathBuf::from(item.blob.to_string()),
        bytes: item.size_bytes,
        fingerprint: Some(item.size_bytes.to_string()),
        kind: Kind::Remote { wanted: Wanted { key: item.blob, size_bytes: item.size_bytes, what: item.what.clone() } },
    };
    items.items.iter().filter(|item| distinct.insert(item.blob)).map(of_item).collect()
}
