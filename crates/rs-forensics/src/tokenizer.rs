//! Tokenizers of the models: `tokenizer.json` files in Hugging Face's format, and o200k for `openai/gpt-oss-*`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rs_core::digest::ContentHash;
use rs_core::panics::caught;
use rs_core::store::StoreError;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokenizers::pipeline::{EncodeOptions, Override, PipelineToken, PipelineTokenizer};

/// Name of a tokenizer's file, in a folder named like the model.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Models whose tokenizer is built in, by the beginning of their Hugging Face ids.
const O200K_MODELS: &str = "openai/gpt-oss-";

/// Where the tokenizer of a model comes from, and what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerSource {
    place: Place,
    fingerprint: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    O200k,
}

/// Turns text into token ids. Some take a second to load, and 150 MB; meanwhile 240.
pub struct Tokenizer(Kind);

enum Kind {
    HuggingFace(Box<HuggingFace>),
    O200k(&'static bpe_openai::Tokenizer),
}

/// A `tokenizer.json`, by two versions of the library: the new one is thirty times as fast, and not for every file.
struct HuggingFace {
    path: PathBuf,
    /// `None` if the new version refuses the file, or is not known to give what the one before gives.
    new: Option<PipelineTokenizer>,
    /// By the version before, once it is needed.
    before: OnceLock<Result<tokenizers_before::Tokenizer, String>>,
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

impl TokenizerSource {
    /// The tokenizer of a model: `<folder>/<hf_id>/tokenizer.json`, else a built-in one. `None` if there is neither. A file
    /// is told from others by its hash, which `hash` gives.
    ///
    /// # Errors
    /// There is a file, and it has no hash: it cannot be read.
    pub fn find(
        folder: &Path,
        hf_id: &str,
        hash: impl Fn(&Path) -> Result<ContentHash, StoreError>,
    ) -> Result<Option<Self>, TokenizerError> {
        let file = folder.join(hf_id).join(TOKENIZER_FILE);
        if is_plain(hf_id) && file.is_file() {
            let hash = hash(&file).map_err(|error| TokenizerError { path: file.clone(), why: error.to_string() })?;
            return Ok(Some(Self { place: Place::File(file), fingerprint: hash.to_string() }));
        }
        let is_built_in = hf_id.starts_with(O200K_MODELS);
        Ok(is_built_in.then(|| Self { place: Place::O200k, fingerprint: "o200k".to_owned() }))
    }

    /// Tells tokenizers apart: the hash of the file, or the name of a built-in one.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Makes the tokenizer.
    ///
    /// # Errors
    /// None can be made of the file.
    pub fn load(&self) -> Result<Tokenizer, TokenizerError> {
        let kind = match &self.place {
            Place::O200k => Kind::O200k(bpe_openai::o200k_base()),
            Place::File(path) => {
                let tokenizer = HuggingFace::new(path.clone());
                tokenizer.check().map_err(|why| TokenizerError { path: path.clone(), why })?;
                Kind::HuggingFace(Box::new(tokenizer))
            }
        };
        Ok(Tokenizer(kind))
    }
}

impl Tokenizer {
    /// The token ids of a text, without special tokens around it. `None` if it has none for it.
    #[must_use]
    pub fn ids(&self, text: &str) -> Option<Vec<u32>> {
        match &self.0 {
            Kind::HuggingFace(tokenizer) => tokenizer.ids(text),
            Kind::O200k(tokenizer) => Some(tokenizer.encode(text)),
        }
    }
}

/// Whole texts are wanted as they are, whatever the file says.
const WHOLE_TEXTS: EncodeOptions = EncodeOptions {
    add_special_tokens: false,
    encode_special_tokens: false,
    padding: Override::Off,
    truncation: Override::Off,
};

impl HuggingFace {
    fn new(path: PathBuf) -> Self {
        let read = || {
            let json = fs_err::read_to_string(&path).ok().filter(|json| is_for_the_new_version(json))?;
            let new = tokenizers::from_json(&tokenizers::canonicalize_str(&json).ok()?).ok()?;
            // It reads patterns that it cannot follow.
            new.encode_into("a", &WHOLE_TEXTS, &mut Vec::new()).ok().map(|()| new)
        };
        // At some files that break its rules it panics.
        let new = caught(read).ok().flatten();
        Self { path, new, before: OnceLock::new() }
    }

    /// Why it cannot be used, if neither version can.
    fn check(&self) -> Result<(), String> {
        if self.new.is_some() { Ok(()) } else { self.before().map(|_| ()).map_err(Clone::clone) }
    }

    fn before(&self) -> Result<&tokenizers_before::Tokenizer, &String> {
        let read = || {
            let mut tokenizer = tokenizers_before::Tokenizer::from_file(&self.path)?;
            tokenizer.with_truncation(None)?;
            tokenizer.with_padding(None);
            Ok(tokenizer)
        };
        let read = || read().map_err(|error: tokenizers_before::Error| error.to_string());
        self.before.get_or_init(|| caught(read).flatten()).as_ref()
    }

    fn ids(&self, text: &str) -> Option<Vec<u32>> {
        let mut ids = Vec::new();
        match &self.new {
            Some(new) if new.encode_into(text, &WHOLE_TEXTS, &mut ids).is_ok() => {
                Some(ids.into_iter().map(PipelineToken::id).collect())
            }
            _ => self.before().ok()?.encode_fast(text, false).ok().map(|encoding| encoding.get_ids().to_vec()),
        }
    }
}

/// Whether the new version gives the ids of the one before, by what was compared and by its source: of byte pairs alone, and
/// not where added tokens are looked for in normalized text that it normalizes further, or as whole words.
fn is_for_the_new_version(json: &str) -> bool {
    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(default)]
        added_tokens: Vec<AddedToken>,
        #[serde(borrow)]
        pre_tokenizer: Option<&'a RawValue>,
        model: Model,
    }
    #[derive(Deserialize)]
    struct AddedToken {
        single_word: bool,
        normalized: bool,
    }
    #[derive(Deserialize)]
    struct Model {
        r#type: String,
        continuing_subword_prefix: Option<String>,
        end_of_word_suffix: Option<String>,
    }
    let Ok(File { added_tokens, pre_tokenizer, model }) = serde_json::from_str(json) else { return false };
    let has_metaspace = pre_tokenizer.is_some_and(|json| json.get().contains("Metaspace"));
    let is_empty = |affix: &Option<String>| affix.as_ref().is_none_or(String::is_empty);
    model.r#type == "BPE"
        && [&model.continuing_subword_prefix, &model.end_of_word_suffix].into_iter().all(is_empty)
        && !added_tokens.iter().any(|token| token.single_word || has_metaspace && token.normalized)
}

/// Whether an id from a user's file stays below the folder of the tokenizers.
fn is_plain(hf_id: &str) -> bool {
    !hf_id.is_empty() && hf_id.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(path: &Path) -> Result<ContentHash, StoreError> {
        Ok(ContentHash::from(*blake3::hash(&fs_err::read(path)?).as_bytes()))
    }

    fn found(folder: &Path, hf_id: &str) -> TokenizerSource {
        TokenizerSource::find(folder, hf_id, hash).expect("is read").expect("is there")
    }

    #[test]
    fn built_in_for_gpt_oss_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = found(folder.path(), "openai/gpt-oss-120b");
        // tiktoken's o200k_base.
        assert_eq!(source.load().expect("is loaded").ids("hello world"), Some(vec![24_912, 2_375]));
        assert_eq!(source.fingerprint(), "o200k");
        for id in ["Qwen/Qwen3-32B", "", "../x", "/etc", "a//b", "openai/gpt-4"] {
            assert_eq!(TokenizerSource::find(folder.path(), id, hash), Ok(None), "{id}");
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
        let source = found(folder.path(), "openai/gpt-oss-20b");
        assert_eq!(source.load().expect("is loaded").ids("b a c a"), Some(vec![2, 1, 0, 1]));
        assert_eq!(source.fingerprint(), blake3::hash(file.as_bytes()).to_hex().as_str());
        fs_err::write(place.join(TOKENIZER_FILE), "{").expect("is written");
        let error = found(folder.path(), "openai/gpt-oss-20b").load().err().expect("is refused");
        assert!(error.to_string().contains("openai/gpt-oss-20b/tokenizer.json: "), "{error}");
    }

    /// How GPT-2 splits texts, as JSON has it.
    const GPT_2_PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    /// Byte pairs that fall back to bytes, of which it has but two.
    const FEW_BYTES: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":{"type":"Replace","pattern":{"String":" "},"content":"▁"},"pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,
        "end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,"ignore_merges":false,
        "vocab":{"<unk>":0,"a":1,"b":2,"▁":3,"▁a":4,"<0xC3>":5,"<0xA9>":6},"merges":[["▁","a"]]}}"#;

    /// Small: byte pairs over bytes, and byte pairs that fall back to bytes.
    fn kinds() -> [String; 2] {
        let bytes: String = (0..256).map(|byte| format!(r#","<0x{byte:02X}>":{}"#, 100 + byte)).collect();
        let is_itself = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let others = (256..).zip((0..256).filter(|byte| !is_itself(byte))).map(|(letter, _)| letter);
        let letters: String = (0..256)
            .filter(is_itself)
            .chain(others)
            .filter_map(char::from_u32)
            .filter(|letter| !"ab\u{120}\u{c3}\u{a9}\u{10a}\"\\".contains(*letter))
            .zip(20..)
            .map(|(letter, id)| format!(r#","{letter}":{id}"#))
            .collect();
        let byte_level = r#"{"version":"1.0",
            "truncation":{"direction":"Right","max_length":3,"strategy":"LongestFirst","stride":0},"padding":{"strategy":{"Fixed":9},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,
            "pad_token":"<s>"},"added_tokens":[{"id":9,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,
            "normalized":false,"special":true}],"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence",
            "pretokenizers":[{"type":"Split","pattern":{"Regex":"PATTERN"},"behavior":"Isolated","invert":false},
            {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},"post_processor":null,
            "decoder":null,"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
            "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
            "vocab":{"a":0,"b":1,"Ġ":2,"Ã":3,"©":4,"ab":5,"aba":6,"Ã©":7,"Ċ":8,"\"":10,"\\":11LETTERS},
            "merges":[["a","b"],["ab","a"],["Ã","©"]]}}"#;
        [
            byte_level.replace("LETTERS", &letters).replace("PATTERN", GPT_2_PATTERN),
            FEW_BYTES.replace(r#","<0xC3>":5,"<0xA9>":6"#, &bytes),
        ]
    }

    fn written(folder: &Path, json: &str) -> HuggingFace {
        let path = folder.join(TOKENIZER_FILE);
        fs_err::write(&path, json).expect("is written");
        HuggingFace::new(path)
    }

    /// The new version of the library gives what the one before gives.
    #[test]
    fn both_versions_agree() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for kind in kinds() {
            let both = written(folder.path(), &kind);
            let new = both.new.as_ref().expect("is read");
            for text in ["", "ab aba  b\n", "é e\u{301} abba", "<s>ab", " \t", "日本 😀 ab", &"ab ".repeat(500)] {
                let mut ids = Vec::new();
                new.encode_into(text, &WHOLE_TEXTS, &mut ids).expect("is encoded");
                let ids: Vec<u32> = ids.into_iter().map(PipelineToken::id).collect();
                let encoding = both.before().expect("is read").encode_fast(text, false).expect("is encoded");
                assert_eq!(ids, encoding.get_ids(), "{text:?} {kind}");
                assert_eq!(both.ids(text), Some(ids));
            }
        }
    }

    /// Gemma 1 and 2 fall back to bytes, and have no token for one of them. Other files are read, but a pattern of their
    /// own is not followed.
    #[test]
    fn what_the_new_version_refuses_the_one_before_takes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("google/gemma-2-9b-it");
        fs_err::create_dir_all(&place).expect("is made");
        assert!(written(&place, FEW_BYTES).new.is_none());
        let tokenizer = found(folder.path(), "google/gemma-2-9b-it").load().expect("is loaded");
        assert_eq!(tokenizer.ids("a aé"), Some(vec![1, 4, 5, 6]));
        let [byte_level, ..] = kinds();
        let own_pattern = written(folder.path(), &byte_level.replace(GPT_2_PATTERN, r"\\s+(?!\\S)|\\p{L}+|\\s"));
        assert!(own_pattern.new.is_none());
        assert_eq!(own_pattern.ids("ab aba  b"), Some(vec![5, 2, 6, 2, 2, 1]));
    }

    /// The new version panics where two tokens make one that it does not have, the one before at what is no map of
    /// characters.
    #[test]
    fn a_panic_is_what_is_wrong_with_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [byte_level, ..] = kinds();
        let unknown = byte_level.replace(r#"["ab","a"]"#, r#"["ab","ab"]"#);
        let why = written(folder.path(), &unknown).check().expect_err("is refused");
        assert!(why.starts_with("Token `abab` out of vocabulary"), "{why}");
        let characters =
            byte_level.replace(r#"{"type":"NFC"}"#, r#"{"type":"Precompiled","precompiled_charsmap":"AAAA"}"#);
        let why = written(folder.path(), &characters).check().expect_err("is refused");
        assert!(why.contains("Cannot parse precompiled_charsmap"), "{why}");
    }

    #[test]
    fn the_new_version_is_for_what_it_does_as_the_one_before() {
        let [byte_level, ..] = kinds();
        let check = |from: &str, to: &str, is_for_it: bool| {
            assert!(byte_level.contains(from), "{from}");
            assert_eq!(is_for_the_new_version(&byte_level.replacen(from, to, 1)), is_for_it, "{to}");
        };
        check("1.0", "1.0", true);
        check(r#""single_word":false"#, r#""single_word":true"#, false);
        check(r#""normalized":false"#, r#""normalized":true"#, true);
        check(
            r#""normalized":false,"special":true}],"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence""#,
            r#""normalized":true,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"Metaspace""#,
            false,
        );
        check(r#""type":"BPE""#, r#""type":"Unigram""#, false);
        check(r#""type":"BPE","#, "", false);
        check(r#""end_of_word_suffix":null"#, r#""end_of_word_suffix":"</w>""#, false);
        check(r#""continuing_subword_prefix":null"#, r#""continuing_subword_prefix":"""#, true);
    }
}
