//! The identity of an evaluation (model, template, sampler, context) and the short id made of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Hex digits of an [`EvalId`].
pub const EVAL_ID_DIGITS: usize = 6;

/// Which records belong to an evaluation: all three must be equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The model's name.
    pub model: String,
    /// The prompt template's name.
    pub template: String,
    /// The sampler's name.
    pub sampler: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.model, self.template, self.sampler)
    }
}

/// The first [`EVAL_ID_DIGITS`] hex digits of BLAKE3 of `model+template+sampler`, with `+ctx<N>` where the
/// evaluation has a context of its own. Names an evaluation wherever people or tables do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct EvalId(String);

impl EvalId {
    /// The id of an identity under a context (tokens), if it has one.
    ///
    /// ```
    /// use rs_core::eval_id::{EvalId, Identity};
    ///
    /// let identity = Identity { model: "m".into(), template: "t".into(), sampler: "s".into() };
    /// assert_eq!(EvalId::new(&identity, None).as_str().len(), 6);
    /// assert_ne!(EvalId::new(&identity, None), EvalId::new(&identity, Some(8192)));
    /// ```
    #[must_use]
    pub fn new(identity: &Identity, context_tokens: Option<u32>) -> Self {
        Self(full_hash(&identity_text(identity, context_tokens))[..EVAL_ID_DIGITS].to_owned())
    }

    /// The id's digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EvalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text whose hash is the id: `model+template+sampler[+ctx<N>]`.
#[must_use]
pub fn identity_text(identity: &Identity, context_tokens: Option<u32>) -> String {
    match context_tokens {
        Some(tokens) => format!("{identity}+ctx{tokens}"),
        None => identity.to_string(),
    }
}

fn full_hash(identity_text: &str) -> String {
    blake3::hash(identity_text.as_bytes()).to_hex().to_string()
}

/// Whether what a user typed names the evaluation: its id, a longer prefix of the full hash, or the identity text.
/// Hex digits may be in either case.
#[must_use]
pub fn names(typed: &str, identity: &Identity, context_tokens: Option<u32>) -> bool {
    let text = identity_text(identity, context_tokens);
    typed == text || typed.len() >= EVAL_ID_DIGITS && full_hash(&text).starts_with(&typed.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { model: "QwQ-32B".into(), template: "zeroshot-answertags".into(), sampler: "t0.6-p0.95-32k".into() }
    }

    #[test]
    fn id_is_the_hash_of_the_identity_text() {
        let hash = blake3::hash(b"QwQ-32B+zeroshot-answertags+t0.6-p0.95-32k").to_hex();
        assert_eq!(EvalId::new(&identity(), None).as_str(), &hash[..6]);
        let clipped = blake3::hash(b"QwQ-32B+zeroshot-answertags+t0.6-p0.95-32k+ctx8192").to_hex();
        assert_eq!(EvalId::new(&identity(), Some(8192)).as_str(), &clipped[..6]);
    }

    #[test]
    fn longer_prefixes_and_the_identity_name_it_too() {
        let hash = blake3::hash(b"QwQ-32B+zeroshot-answertags+t0.6-p0.95-32k").to_hex();
        assert!(names(&hash[..6], &identity(), None));
        assert!(names(&hash[..20].to_uppercase(), &identity(), None));
        assert!(names("QwQ-32B+zeroshot-answertags+t0.6-p0.95-32k", &identity(), None));
        assert!(!names(&hash[..5], &identity(), None), "shorter than an id");
        assert!(!names(&hash[..6], &identity(), Some(8192)));
        assert!(!names("", &identity(), None));
    }
}
