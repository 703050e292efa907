//! Tokenizers of the models: `tokenizer.json` files in Hugging Face's format, and o200k for `openai/gpt-oss-*`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Name of a tokenizer's file, in a folder named like the model.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Models whose tokenizer is built in, by the beginning of their Hugging Face ids.
const O200K_MODELS: &str = "openai/gpt-oss-";

/// Turns text into token ids. Loaded when it is first used: some take a second.
pub struct Tokenizer {
    source: Source,
    fingerprint: String,
    loaded: OnceLock<Result<Loaded, TokenizerError>>,
}

enum Source {
    File(PathBuf),
    O200k,
}

enum Loaded {
    HuggingFace(Box<tokenizers::Tokenizer>),
    O200k(&'static bpe_openai::Tokenizer),
}

/// A tokenizer's file that cannot be used: where it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: no tokenizer can be made of it: {why}", path.display())]
pub struct TokenizerError {
    /// The file.
    pub path: PathBuf,
    /// A fragment: the system's words, or the tokenizers' library's.
    pub why: String,
}

impl Tokenizer {
    /// The tokenizer of a model: `<folder>/<hf_id>/tokenizer.json`, else a built-in one. `None` if there is neither.
    ///
    /// # Errors
    /// There is a file, and it cannot be read.
    pub fn find(folder: &Path, hf_id: &str) -> Result<Option<Self>, TokenizerError> {
        let file = folder.join(hf_id).join(TOKENIZER_FILE);
        let (source, fingerprint) = if is_plain(hf_id) && file.is_file() {
            let bytes =
                fs_err::read(&file).map_err(|error| TokenizerError { path: file.clone(), why: error.to_string() })?;
            (Source::File(file), blake3::hash(&bytes).to_hex().to_string())
        } else if hf_id.starts_with(O200K_MODELS) {
            (Source::O200k, "o200k".to_owned())
        } else {
            return Ok(None);
        };
        Ok(Some(Self { source, fingerprint, loaded: OnceLock::new() }))
    }

    fn loaded(&self) -> Result<&Loaded, &TokenizerError> {
        self.loaded
            .get_or_init(|| match &self.source {
                Source::O200k => Ok(Loaded::O200k(bpe_openai::o200k_base())),
                Source::File(path) => {
                    let wrong =
                        |error: tokenizers::Error| TokenizerError { path: path.clone(), why: error.to_string() };
                    let mut tokenizer = tokenizers::Tokenizer::from_file(path).map_err(wrong)?;
                    // Whole prompts are wanted, whatever the file says.
                    tokenizer.with_truncation(None).map_err(wrong)?;
                    tokenizer.with_padding(None);
                    Ok(Loaded::HuggingFace(Box::new(tokenizer)))
                }
            })
            .as_ref()
    }

    /// Finds out whether it can be used, which loads it.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(&self) -> Result<(), TokenizerError> {
        self.loaded().map(|_| ()).map_err(Clone::clone)
    }

    /// Tells tokenizers apart: the hash of the file, or the name of a built-in one.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The token ids of a text, without special tokens around it. `None` if it cannot be used, or has none for it.
    #[must_use]
    pub fn ids(&self, text: &str) -> Option<Vec<u32>> {
        match self.loaded().ok()? {
            Loaded::HuggingFace(tokenizer) => {
                tokenizer.encode_fast(text, false).ok().map(|encoding| encoding.get_ids().to_vec())
            }
            Loaded::O200k(tokenizer) => Some(tokenizer.encode(text)),
        }
    }
}

/// Whether an id from a user's file stays below the folder of the tokenizers.
fn is_plain(hf_id: &str) -> bool {
    !hf_id.is_empty() && hf_id.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_for_gpt_oss_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tokenizer = Tokenizer::find(folder.path(), "openai/gpt-oss-120b").expect("is found").expect("is there");
        // tiktoken's o200k_base.
        assert_eq!(tokenizer.ids("hello world"), Some(vec![24_912, 2_375]));
        assert_eq!(tokenizer.fingerprint(), "o200k");
        for id in ["Qwen/Qwen3-32B", "", "../x", "/etc", "a//b", "openai/gpt-4"] {
            assert!(Tokenizer::find(folder.path(), id).expect("is asked").is_none(), "{id}");
        }
    }

    #[test]
    fn a_file_goes_before_what_is_built_in() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("openai/gpt-oss-20b");
        fs_err::create_dir_all(&place).expect("is made");
        let file = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
            "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
            "model":{"type":"WordLevel","vocab":{"[UNK]":0,"a":1,"b":2},"unk_token":"[UNK]"}}"#;
        fs_err::write(place.join(TOKENIZER_FILE), file).expect("is written");
        let tokenizer = Tokenizer::find(folder.path(), "openai/gpt-oss-20b").expect("is read").expect("is there");
        assert_eq!(tokenizer.ids("b a c a"), Some(vec![2, 1, 0, 1]));
        assert_eq!(tokenizer.fingerprint().len(), 64);
        fs_err::write(place.join(TOKENIZER_FILE), "{").expect("is written");
        let tokenizer = Tokenizer::find(folder.path(), "openai/gpt-oss-20b").expect("is read").expect("is there");
        assert_eq!(tokenizer.ids("a"), None);
        let error = tokenizer.check().expect_err("is refused");
        assert!(error.to_string().contains("openai/gpt-oss-20b/tokenizer.json: "), "{error}");
    }
}
