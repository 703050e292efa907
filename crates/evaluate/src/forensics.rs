//! Who looks at the texts of records: compression for all, spectra where there is a tokenizer.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::collect::{Cache, Monitor};
use rs_core::digest::ContentHash;
use rs_core::forensics::{Examiner, Spectrum};
use rs_core::store::hash_file;
use rs_core::suggest;
use rs_forensics::compression::{COMPRESSOR, compressed_bytes};
use rs_forensics::spectrum::spectrum;
use rs_forensics::tokenizer::{TOKENIZER_FILE, Tokenizer, TokenizerError, TokenizerSource};

/// How often it is looked whether work was cancelled.
const TICK: Duration = Duration::from_millis(20);

/// Where the tokenizers of a dataset's models come from, by Hugging Face id; `None` for a model that has none here.
#[derive(Default)]
pub(crate) struct Tokenizers(BTreeMap<String, Option<TokenizerSource>>);

impl Tokenizers {
    /// Finds those of these models.
    pub(crate) fn find<'a>(
        folder: &Path,
        hf_ids: impl Iterator<Item = &'a str>,
        cache: Option<&Cache>,
    ) -> Result<Self, CommandError> {
        // Which file it is a dataset's cache knows by size and times, as it does of raw files.
        let hash = |path: &Path| match cache {
            Some(cache) => cache.content_hash(path, &Monitor::default()),
            None => hash_file(path, &Monitor::default()).map(|hash| ContentHash::from(*hash.as_bytes())),
        };
        let mut found = BTreeMap::new();
        for hf_id in hf_ids {
            if !found.contains_key(hf_id) {
                found.insert(hf_id.to_owned(), TokenizerSource::find(folder, hf_id, hash).map_err(tokenizer_error)?);
            }
        }
        Ok(Self(found))
    }

    /// That of a model.
    pub(crate) fn of(&self, hf_id: Option<&str>) -> Option<&TokenizerSource> {
        self.0.get(hf_id?)?.as_ref()
    }

    /// What is in `meta.tokenizers`: the fingerprint of each, by model.
    pub(crate) fn shown(&self) -> String {
        let shown: Vec<String> = self
            .0
            .iter()
            .filter_map(|(hf_id, source)| Some(format!("{hf_id} {}", source.as_ref()?.fingerprint())))
            .collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Models without one have no spectra: said once.
    pub(crate) fn tell_of_missing(&self, folder: &Path, ui: &mut Ui) {
        let missing: Vec<&str> =
            self.0.iter().filter(|(_, source)| source.is_none()).map(|(hf_id, _)| hf_id.as_str()).collect();
        if !missing.is_empty() {
            ui.note(&format!(
                "no tokenizer, and so no spectra, for {}; they are looked for as {}",
                suggest::list(&missing, 5),
                rs_core::paths::show(&folder.join("<hf_id>").join(TOKENIZER_FILE))
            ));
        }
    }
}

/// A tokenizer that cannot be used.
pub(crate) fn tokenizer_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> CommandError {
    CommandError::input(error).hint("remove it, or go without forensics: --no-forensics")
}

/// Tokenizers in memory, by fingerprint: models of one family share theirs.
#[derive(Default)]
pub(crate) struct Loaded(Mutex<BTreeMap<String, Arc<Tokenizer>>>);

impl Loaded {
    /// `None` once the work is cancelled.
    fn load(&self, source: &TokenizerSource, monitor: &Monitor) -> Result<Option<Arc<Tokenizer>>, TokenizerError> {
        let loaded = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokenizer) = loaded().get(source.fingerprint()) {
            return Ok(Some(Arc::clone(tokenizer)));
        }
        let span = tracing::info_span!("load tokenizer", fingerprint = source.fingerprint());
        let Some(tokenizer) = unless_cancelled(monitor, {
            let source = source.clone();
            move || span.in_scope(|| source.load())
        }) else {
            return Ok(None);
        };
        let tokenizer = Arc::new(tokenizer?);
        loaded().insert(source.fingerprint().to_owned(), Arc::clone(&tokenizer));
        Ok(Some(tokenizer))
    }

    /// Frees all but these.
    pub(crate) fn keep<'a>(&self, sources: impl Iterator<Item = &'a TokenizerSource>) {
        let kept: BTreeSet<&str> = sources.map(TokenizerSource::fingerprint).collect();
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|fingerprint, _| kept.contains(fingerprint.as_str()));
        tracing::debug!(tokenizers = loaded.len(), "kept");
    }
}

/// Does work that cannot be stopped, on a thread of its own that nobody waits for once all work is cancelled.
fn unless_cancelled<T: Send + 'static>(monitor: &Monitor, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    // Nobody waits any more if it cannot be sent.
    let thread = std::thread::spawn(move || drop(sender.send(work())));
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(done) => return Some(done),
            Err(RecvTimeoutError::Timeout) if monitor.is_cancelled() => return None,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => unreachable!("what was done was sent"),
            },
        }
    }
}

/// What an evaluation's forensics depend on.
pub(crate) fn fingerprint(tokenizer: Option<&TokenizerSource>) -> String {
    let tokenizer = tokenizer.map_or("none", TokenizerSource::fingerprint);
    blake3::hash(format!("{COMPRESSOR}; tokenizer {tokenizer}").as_bytes()).to_hex()[..16].to_owned()
}

/// Looks at the texts of some evaluations, by their position.
pub(crate) struct Forensics<'a> {
    evaluations: Vec<EvaluationTokenizer<'a>>,
    loaded: &'a Loaded,
    scratch_folder: PathBuf,
}

/// The tokenizer of an evaluation, if it has one.
struct EvaluationTokenizer<'a> {
    source: Option<&'a TokenizerSource>,
    /// Itself, once it is needed.
    tokenizer: OnceLock<Arc<Tokenizer>>,
}

impl<'a> Forensics<'a> {
    pub(crate) fn new(
        sources: impl Iterator<Item = Option<&'a TokenizerSource>>,
        loaded: &'a Loaded,
        scratch_folder: PathBuf,
    ) -> Self {
        let evaluations = sources.map(|source| EvaluationTokenizer { source, tokenizer: OnceLock::new() }).collect();
        Self { evaluations, loaded, scratch_folder }
    }
}

impl Examiner for Forensics<'_> {
    /// Loads the tokenizers, each once and several at a time.
    fn prepare(&self, evaluations: &BTreeSet<usize>, monitor: &Monitor) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut by_source: BTreeMap<&str, (&TokenizerSource, Vec<&EvaluationTokenizer<'_>>)> = BTreeMap::new();
        for evaluation in evaluations.iter().filter_map(|at| self.evaluations.get(*at)) {
            if let Some(source) = evaluation.source {
                by_source.entry(source.fingerprint()).or_insert((source, Vec::new())).1.push(evaluation);
            }
        }
        let loaded = by_source.into_par_iter().map(|(_, (source, evaluations))| {
            if let Some(tokenizer) = self.loaded.load(source, monitor)? {
                for evaluation in evaluations {
                    evaluation.tokenizer.get_or_init(|| Arc::clone(&tokenizer));
                }
            }
            Ok(())
        });
        // All of them: of several that fail always the same is told.
        Ok(loaded.collect::<Vec<Result<(), TokenizerError>>>().into_iter().collect::<Result<(), _>>()?)
    }

    fn compressed_bytes(&self, trace: &[u8]) -> u32 {
        compressed_bytes(trace)
    }

    fn has_spectra(&self, evaluation: usize) -> bool {
        self.evaluations.get(evaluation).is_some_and(|evaluation| evaluation.source.is_some())
    }

    fn spectrum(&self, evaluation: usize, prompt: &str) -> Option<Spectrum> {
        let tokenizer = self.evaluations.get(evaluation)?.tokenizer.get().expect("is prepared");
        spectrum(&tokenizer.ids(prompt)?)
    }

    fn scratch_folder(&self) -> &Path {
        &self.scratch_folder
    }

    fn fingerprint(&self, evaluation: usize) -> String {
        fingerprint(self.evaluations.get(evaluation).and_then(|evaluation| evaluation.source))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn nobody_waits_for_work_that_cannot_be_stopped() {
        let monitor = Monitor::default();
        assert_eq!(unless_cancelled(&monitor, || 7), Some(7));
        let (keep_working, work) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| unless_cancelled(&monitor, move || work.recv().is_ok()));
            monitor.cancel.store(true, Ordering::Relaxed);
            assert_eq!(waiting.join().expect("does not panic"), None);
        });
        assert!(keep_working.send(()).is_ok(), "it goes on");
    }

    #[test]
    #[should_panic(expected = "of the work")]
    fn a_panic_stays_one() {
        unless_cancelled(&Monitor::default(), || panic!("of the work"));
    }
}
