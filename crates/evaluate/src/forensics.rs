//! Who looks at the texts of records: compression for all, spectra where there is a tokenizer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rs_cli::{CommandError, Ui};
use rs_core::forensics::{Examiner, Spectrum};
use rs_core::suggest;
use rs_forensics::compression::{COMPRESSOR, compressed_bytes};
use rs_forensics::spectrum::spectrum;
use rs_forensics::tokenizer::{TOKENIZER_FILE, Tokenizer, TokenizerError};

/// The tokenizers of a dataset's models, by Hugging Face id; `None` for a model that has none here.
#[derive(Default)]
pub(crate) struct Tokenizers(BTreeMap<String, Option<Arc<Tokenizer>>>);

impl Tokenizers {
    /// Finds those of these models.
    pub(crate) fn find<'a>(folder: &Path, hf_ids: impl Iterator<Item = &'a str>) -> Result<Self, CommandError> {
        let mut found = BTreeMap::new();
        for hf_id in hf_ids {
            if !found.contains_key(hf_id) {
                found.insert(hf_id.to_owned(), Tokenizer::find(folder, hf_id).map_err(wrong)?.map(Arc::new));
            }
        }
        Ok(Self(found))
    }

    /// That of a model.
    pub(crate) fn of(&self, hf_id: Option<&str>) -> Option<&Arc<Tokenizer>> {
        self.0.get(hf_id?)?.as_ref()
    }

    /// What is in `meta.tokenizers`: the fingerprint of each, by model.
    pub(crate) fn shown(&self) -> String {
        let shown: Vec<String> = self
            .0
            .iter()
            .filter_map(|(hf_id, tokenizer)| Some(format!("{hf_id} {}", tokenizer.as_ref()?.fingerprint())))
            .collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Models without one have no spectra: said once.
    pub(crate) fn tell_of_missing(&self, folder: &Path, ui: &mut Ui) {
        let missing: Vec<&str> =
            self.0.iter().filter(|(_, tokenizer)| tokenizer.is_none()).map(|(hf_id, _)| hf_id.as_str()).collect();
        if !missing.is_empty() {
            ui.note(&format!(
                "no tokenizer, and so no spectra, for {}; they are looked for as {}",
                suggest::list(&missing, 5),
                rs_core::paths::show(&folder.join("<hf_id>").join(TOKENIZER_FILE))
            ));
        }
    }
}

fn wrong(error: TokenizerError) -> CommandError {
    CommandError::input(error).hint("remove it, or go without forensics: --no-forensics")
}

/// What an evaluation's forensics depend on.
pub(crate) fn fingerprint(tokenizer: Option<&Arc<Tokenizer>>) -> String {
    let tokenizer = tokenizer.map_or("none", |tokenizer| tokenizer.fingerprint());
    blake3::hash(format!("{COMPRESSOR}; tokenizer {tokenizer}").as_bytes()).to_hex()[..16].to_owned()
}

/// Looks at the texts of some evaluations, by their position.
pub(crate) struct Forensics {
    tokenizers: Vec<Option<Arc<Tokenizer>>>,
    scratch_folder: PathBuf,
}

impl Forensics {
    pub(crate) fn new(tokenizers: Vec<Option<Arc<Tokenizer>>>, scratch_folder: PathBuf) -> Self {
        Self { tokenizers, scratch_folder }
    }

    /// Finds out, before long work, whether the tokenizers can be used.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        self.tokenizers.iter().flatten().try_for_each(|tokenizer| tokenizer.check()).map_err(wrong)
    }
}

impl Examiner for Forensics {
    fn compressed_bytes(&self, trace: &[u8]) -> u32 {
        compressed_bytes(trace)
    }

    fn has_spectra(&self, evaluation: usize) -> bool {
        self.tokenizers.get(evaluation).is_some_and(Option::is_some)
    }

    fn spectrum(&self, evaluation: usize, prompt: &str) -> Option<Spectrum> {
        let tokenizer = self.tokenizers.get(evaluation)?.as_ref()?;
        spectrum(&tokenizer.ids(prompt)?)
    }

    fn scratch_folder(&self) -> &Path {
        &self.scratch_folder
    }

    fn fingerprint(&self, evaluation: usize) -> String {
        fingerprint(self.tokenizers.get(evaluation).and_then(Option::as_ref))
    }
}
