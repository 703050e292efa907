//! Tokenizers of the models: `tokenizer.json` files in Hugging Face's format, and o200k for `openai/gpt-oss-*`.

use std::path::{Path, PathBuf};

/// Name of a tokenizer's file, in a folder named like the model.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Models whose tokenizer is built in, by the beginning of their Hugging Face ids.
const O200K_MODELS: &str = "openai/gpt-oss-";

/// Turns text into token ids.
pub struct Tokenizer {
    kind: Kind,
    fingerprint: String,
}

enum Kind {
    HuggingFace(Box<tokenizers::Tokenizer>),
    O200k(&'static bpe_openai::Tokenizer),
}

/// A tokenizer's file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// It cannot be read; the error names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no tokenizer.
    #[error("{}: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What the tokenizers' library says.
        why: String,
    },
}

impl Tokenizer {
    /// The tokenizer of a model: `<folder>/<hf_id>/tokenizer.json`, else a built-in one. `None` if there is neither.
    ///
    /// # Errors
    /// There is a file, and it cannot be used.
    pub fn find(folder: &Path, hf_id: &str) -> Result<Option<Self>, TokenizerError> {
        let file = folder.join(hf_id).join(TOKENIZER_FILE);
        if is_plain(hf_id) && file.is_file() {
            return Self::read(&file).map(Some);
        }
        if hf_id.starts_with(O200K_MODELS) {
            let kind = Kind::O200k(bpe_openai::o200k_base());
            return Ok(Some(Self { kind, fingerprint: "o200k".to_owned() }));
        }
        Ok(None)
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// It cannot be read, or is no tokenizer.
    pub fn read(file: &Path) -> Result<Self, TokenizerError> {
        let bytes = fs_err::read(file)?;
        let wrong = |error: tokenizers::Error| TokenizerError::Wrong { path: file.to_owned(), why: error.to_string() };
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(&bytes).map_err(wrong)?;
        // Whole prompts are wanted, whatever the file says.
        tokenizer.with_truncation(None).map_err(wrong)?;
        tokenizer.with_padding(None);
        let fingerprint = blake3::hash(&bytes).to_hex().to_string();
        Ok(Self { kind: Kind::HuggingFace(Box::new(tokenizer)), fingerprint })
    }

    /// Tells tokenizers apart: the hash of the file, or the name of a built-in one.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The token ids of a text, without special tokens around it. `None` if the tokenizer has none for it.
    #[must_use]
    pub fn ids(&self, text: &str) -> Option<Vec<u32>> {
        match &self.kind {
            Kind::HuggingFace(tokenizer) => {
                tokenizer.encode_fast(text, false).ok().map(|encoding| encoding.get_ids().to_vec())
            }
            Kind::O200k(tokenizer) => Some(tokenizer.encode(text)),
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
        let Err(error) = Tokenizer::find(folder.path(), "openai/gpt-oss-20b") else { panic!("is taken") };
        assert!(error.to_string().contains("openai/gpt-oss-20b/tokenizer.json: "), "{error}");
    }
}
