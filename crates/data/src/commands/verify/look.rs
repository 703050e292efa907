//! Hashes things, several at once, and notes what was found.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;
use rs_core::pack::{Content, PackError};
use rs_core::store::{StoreError, hash_file};

use super::pass::{Finding, Pass};
use super::things::{Kind, Thing};
use crate::items::Item;
use crate::remote::{Options, Remote, RemoteError};
use crate::seen::{Look, Seen};
use crate::transfer::{self, TransferError, Wanted};
use crate::work;

/// Things hashed between two looks at what was found.
const SIDE_BY_SIDE: usize = 64;

/// Looks at things until there are no more, or time is up, or the user stops it.
pub(super) struct Looking<'a> {
    pub(super) deadline: Option<Instant>,
    pub(super) monitor: &'a Arc<Monitor>,
}

impl Looking<'_> {
    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Hashes what is here.
    pub(super) fn here(
        &self,
        things: &[Thing<'_>],
        pass: &mut Pass<'_>,
        seen: &mut Seen,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        let open: Vec<&Thing<'_>> = things.iter().filter(|thing| pass.finding(&thing.key).is_none()).collect();
        let _progress = ui.watch("verifying", open.iter().map(|thing| thing.bytes).sum(), self.monitor);
        for several in open.chunks(SIDE_BY_SIDE) {
            let look = |thing: &&Thing<'_>| (!self.is_over()).then(|| self.hash(thing, seen));
            let findings: Vec<_> = several.par_iter().map(look).collect();
            let mut failure = None;
            for (thing, finding) in several.iter().zip(findings) {
                let (finding, good) = match finding {
                    Some(Ok(found)) => found,
                    Some(Err(error)) => {
                        failure = failure.or(Some(error));
                        continue;
                    }
                    None => continue,
                };
                if let (Kind::Extracted { item, look }, Some(content)) = (&thing.kind, good) {
                    seen.learn(&item.seen_as, look, &content, None);
                }
                pass.add(thing, finding);
            }
            failure.map_or(Ok(()), Err)?;
            if self.is_over() {
                break;
            }
            pass.save_now_and_then();
        }
        Ok(())
    }

    /// Hashes a thing; of a good run folder or database returns the content too.
    fn hash(&self, thing: &Thing<'_>, seen: &Seen) -> Result<(Finding, Option<Content>), CommandError> {
        match &thing.kind {
            Kind::Blob { blob } => Ok((self.hash_blob(thing, blob)?, None)),
            Kind::Extracted { item, look } => self.hash_extracted(item, look, seen),
            Kind::Remote { .. } => unreachable!("what is in a remote is not looked at here"),
        }
    }

    fn hash_blob(&self, thing: &Thing<'_>, blob: &BlobId) -> Result<Finding, CommandError> {
        match hash_file(&thing.place, self.monitor) {
            Ok(found) if found == *blob => Ok(Finding::Good),
            Ok(_) => Ok(Finding::Damaged("its bytes are not those of its name".into())),
            Err(StoreError::Cancelled) => Err(work::stopped()),
            Err(StoreError::Io(error)) => Ok(Finding::Damaged(format!("cannot be read: {error}"))),
        }
    }

    fn hash_extracted(
        &self,
        item: &Item,
        look: &Look,
        seen: &Seen,
    ) -> Result<(Finding, Option<Content>), CommandError> {
        let found = match look.content(self.monitor) {
            Ok(found) => found,
            Err(PackError::Cancelled) => return Err(work::stopped()),
            Err(error) => return Ok((Finding::Damaged(error.to_string()), None)),
        };
        if Some(found.hash) == item.contents.identity() {
            return Ok((Finding::Good, Some(found)));
        }
        // What was known of these very files, by their sizes and times: nobody has changed them since.
        let finding = match seen.content(&item.seen_as, look) {
            Some(known) if known.hash != found.hash => {
                Finding::Damaged("its bytes changed though sizes and times of its files did not".into())
            }
            _ => Finding::Changed,
        };
        Ok((finding, None))
    }

    /// Reads what a remote has.
    pub(super) fn remote(
        &self,
        remote: &dyn Remote,
        things: &[Thing<'_>],
        pass: &mut Pass<'_>,
        ui: &mut Ui,
    ) -> Result<(), CommandError> {
        let open: Vec<(&Thing<'_>, Wanted)> = things
            .iter()
            .filter(|thing| pass.finding(&thing.key).is_none())
            .filter_map(|thing| match &thing.kind {
                Kind::Remote { wanted } => Some((thing, wanted.clone())),
                _ => None,
            })
            .collect();
        let _progress = ui.watch("verifying", open.iter().map(|(thing, _)| thing.bytes).sum(), self.monitor);
        let options = Options::default();
        // Time is looked at between two lots: then they are small.
        let at_once = if self.deadline.is_some() { options.parallel } else { SIDE_BY_SIDE };
        for several in open.chunks(at_once) {
            if self.is_over() {
                break;
            }
            let wanted: Vec<Wanted> = several.iter().map(|(_, wanted)| wanted.clone()).collect();
            let results = transfer::check_all(remote, &wanted, &options, self.monitor);
            let mut failure = None;
            for ((thing, wanted), result) in several.iter().zip(results) {
                match result {
                    Ok(_) => pass.add(thing, Finding::Good),
                    Err(TransferError::Refused { damage, .. }) => {
                        pass.add(thing, Finding::Damaged(damage.to_string()));
                    }
                    Err(TransferError::Remote { source: RemoteError::NotFound { .. }, .. }) => {
                        // A remote that is not there itself misses nothing.
                        remote.size_of(&wanted.key).map_err(|error| work::remote_error(&error))?;
                        pass.add(thing, Finding::Damaged("it is not there".into()));
                    }
                    Err(TransferError::Cancelled) => failure = Some(work::stopped()),
                    Err(error) => failure = failure.or_else(|| Some(CommandError::environment(error))),
                }
            }
            failure.map_or(Ok(()), Err)?;
            pass.save_now_and_then();
        }
        Ok(())
    }
}
