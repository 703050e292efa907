//! An entry of `evals.json`: an evaluation as people write it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};

use crate::eval_id::{self, EvalId, Identity};

/// One entry of `evals.json`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where its raw files are.
    pub evaluate: Source,
    /// Which records in them are its own.
    pub filters: Identity,
    /// For people.
    pub label: String,
    /// `key:value` facets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Free marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Hugging Face id of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hf_id: Option<String>,
    /// Context in tokens: more completion tokens than this count as truncated.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "context_tokens")]
    pub context: Option<u32>,
}

/// A context is at least one token.
fn context_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<NonZeroU32>::deserialize(deserializer)?.map(NonZeroU32::get))
}

/// Where an evaluation's raw files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Glob relative to the project root; matches `<run folder>/<file>`.
    pub glob: String,
}

impl Entry {
    /// The entry's id.
    #[must_use]
    pub fn eval_id(&self) -> EvalId {
        EvalId::new(&self.filters, self.context)
    }

    /// Whether what a user typed names this evaluation.
    #[must_use]
    pub fn is_named(&self, typed: &str) -> bool {
        eval_id::names(typed, &self.filters, self.context)
    }

    /// The groups as facets: `arch:moe` is `arch` = `moe`. Of a key that stands twice the last counts; a group
    /// without a colon is no facet.
    #[must_use]
    pub fn facets(&self) -> BTreeMap<&str, &str> {
        self.groups.iter().filter_map(|group| group.split_once(':')).collect()
    }

    /// What its groups say that no facet tells.
    pub(super) fn problems_of_groups(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let facets = self.facets();
        for group in &self.groups {
            match group.split_once(':') {
                None => problems.push(format!("`{group}` has no `key:`, and makes no facet")),
                Some((key, value)) if facets.get(key) != Some(&value) => {
                    problems.push(format!("`{key}` stands twice: its facet is `{}`, not `{value}`", facets[key]));
                }
                Some(_) => {}
            }
        }
        problems
    }
}
