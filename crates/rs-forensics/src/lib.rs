//! What is pre-computed of traces and prompts (statistics.md, section 5): compressed sizes, tokens, spectra.
//!
//! Apart from `rs-core` because of what it needs: tokenizers, which only `evaluate` uses.

pub mod compression;
pub mod spectrum;
pub mod tokenizer;
