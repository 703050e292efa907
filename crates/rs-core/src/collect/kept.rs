//! What the cache knows of the files at hand, and what it is to know of them.

use std::collections::BTreeMap;
use std::io;

use rayon::prelude::*;

use super::cache::{Cache, Known, Wishes};
use super::part::Part;
use super::spectra::Spectra;
use super::{How, Input, Wanted};
use crate::forensics::Examiner;
use crate::monitor::Monitor;

/// What the cache knows of files.
pub(super) struct Kept<'a> {
    cache: Option<&'a Cache>,
    pub(super) files: Vec<KeptFile>,
}

#[derive(Default)]
pub(super) struct KeptFile {
    wishes: Wishes,
    known: Option<Known>,
    pub(super) parts: Option<Vec<Part>>,
}

impl<'a> Kept<'a> {
    pub(super) fn load(
        wanted: &[Wanted],
        files: &[Input],
        how: How<'_>,
        cache: Option<&'a Cache>,
        spectra: &Spectra<'_>,
        monitor: &Monitor,
    ) -> Self {
        let Some(cache) = cache else {
            return Self { cache, files: files.iter().map(|_| KeptFile::default()).collect() };
        };
        let files = files.par_iter().enumerate().map(|(file, input)| {
            let wishes = wishes(wanted, input, how.examiner);
            let known = cache.content(input, monitor);
            let parts = known.as_ref().and_then(|known| cache.load(known, &wishes, file, spectra, monitor));
            KeptFile { wishes, known, parts }
        });
        Self { cache: Some(cache), files: files.collect() }
    }

    /// Keeps what was read. Returns the first problem; the work goes on without a cache.
    pub(super) fn store(
        &self,
        files: &[Input],
        parts: &[Part],
        spectra: &Spectra<'_>,
        monitor: &Monitor,
    ) -> Option<io::Error> {
        let cache = self.cache?;
        // A file without a line has no part, and is kept all the same.
        let read = self.files.iter().enumerate().filter(|(_, kept)| kept.parts.is_none());
        let mut by_file: BTreeMap<usize, Vec<&Part>> = read.map(|(file, _)| (file, Vec::new())).collect();
        parts.iter().for_each(|part| by_file.entry(part.file).or_default().push(part));
        let by_file: Vec<(usize, Vec<&Part>)> = by_file.into_iter().collect();
        let store = |(file, parts): &(usize, Vec<&Part>)| {
            let kept = &self.files[*file];
            let Some(known) = &kept.known else { return Ok(()) };
            cache.store(&files[*file], known, &kept.wishes, parts, spectra, monitor)
        };
        // All of them: what is wrong with one file need not be wrong with the next.
        by_file.par_iter().map(store).collect::<Vec<_>>().into_iter().find_map(Result::err)
    }
}

/// Whose records are wanted of a file, and what their results depend on.
fn wishes(wanted: &[Wanted], input: &Input, examiner: Option<&dyn Examiner>) -> Wishes {
    let mut wishes = Wishes::new();
    for &evaluation in &input.evaluations {
        let depends_on = examiner.map(|examiner| examiner.fingerprint(evaluation)).unwrap_or_default();
        wishes.entry(wanted[evaluation].identity.clone()).or_insert(depends_on);
    }
    wishes
}

/// Which of these files the cache knows without reading them.
#[must_use]
pub fn find_kept(wanted: &[Wanted], files: &[Input], examiner: &dyn Examiner, cache: &Cache) -> Vec<bool> {
    files.par_iter().map(|input| cache.would_load(input, &wishes(wanted, input, Some(examiner)))).collect()
}
