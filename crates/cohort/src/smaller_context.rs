//! An entry of evals.json for the same raw data under a smaller context, made from the text of the entry it derives from.

use rs_core::cohort::Entry;
use rs_core::json_text::{self, ListText, ObjectText};
use rs_core::lexer::LexError;

/// The key of the group that tells the context.
const GROUP: &str = "ctx:";

/// `8k` for multiples of 1,024 tokens, else the number.
pub(crate) fn name(tokens: u32) -> String {
    if tokens.is_multiple_of(1024) { format!("{}k", tokens / 1024) } else { tokens.to_string() }
}

/// The entry under a context of so many tokens.
pub(crate) fn derived(entry: &Entry, tokens: u32) -> Entry {
    let mut derived = entry.clone();
    let group = format!("{GROUP}{}", name(tokens));
    let mut has_group = false;
    for known in derived.groups.iter_mut().filter(|known| known.starts_with(GROUP)) {
        known.clone_from(&group);
        has_group = true;
    }
    if !has_group {
        derived.groups.push(group);
    }
    derived.label = label(entry, tokens);
    derived.context = Some(tokens);
    derived
}

/// The label with the context in its brackets: `M (fp16)` is `M (fp16, 8k)`, `M (fp16, 16k)` too.
fn label(entry: &Entry, tokens: u32) -> String {
    let (label, new) = (entry.label.as_str(), name(tokens));
    let Some(inner) = label.strip_suffix(')') else { return format!("{label} ({new})") };
    let old = entry.context.map(name);
    let without_old = old.and_then(|old| inner.strip_suffix(&old));
    match without_old.and_then(|inner| inner.strip_suffix(", ")) {
        Some(inner) => format!("{inner}, {new})"),
        None => match without_old.filter(|inner| inner.ends_with('(')) {
            Some(inner) => format!("{inner}{new})"),
            None => format!("{inner}, {new})"),
        },
    }
}

/// The text of a derived entry: that of its source but for what differs, keys that nobody knows and all.
///
/// # Errors
/// `source` is no object, or its groups are no list of strings.
pub(crate) fn derived_text(source: &str, derived: &Entry) -> Result<String, LexError> {
    let mut object = ObjectText::parse(source)?;
    object.set("label", json_text::string(&derived.label));
    match object.get("groups") {
        Some(text) => {
            let mut groups = ListText::parse(text)?;
            let n_old = groups.elements().count();
            for (at, group) in derived.groups.iter().enumerate() {
                let text = json_text::string(group);
                if at >= n_old {
                    groups.push(text);
                } else if group.starts_with(GROUP) {
                    groups.set(at, text);
                }
            }
            object.set("groups", groups.edited());
        }
        None => object.set("groups", format!("[{}]", json_text::string(&derived.groups.concat()))),
    }
    if let Some(tokens) = derived.context {
        object.set("context", tokens.to_string());
    }
    Ok(object.edited())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rs_core::cohort::Source;
    use rs_core::eval_id::Identity;

    #[track_caller]
    fn check_label(label_before: &str, context: Option<u32>, expected: &str) {
        let filters = Identity { model: "m".into(), template: "t".into(), sampler: "s".into() };
        let entry = Entry {
            evaluate: Source { glob: "*".into() },
            filters,
            label: label_before.into(),
            groups: Vec::new(),
            tags: Vec::new(),
            hf_id: None,
            context,
        };
        assert_eq!(label(&entry, 8192), expected);
    }

    #[test]
    fn labels_name_the_context() {
        check_label("M", None, "M (8k)");
        check_label("M (fp16)", None, "M (fp16, 8k)");
        check_label("M (fp16, 16k)", None, "M (fp16, 16k, 8k)");
        check_label("M (fp16, 16k)", Some(16384), "M (fp16, 8k)");
        check_label("M (16k)", Some(16384), "M (8k)");
        check_label("M (116k)", Some(16384), "M (116k, 8k)");
    }

    #[test]
    fn names_of_contexts() {
        assert_eq!([name(8192), name(1024), name(1000)], ["8k", "1k", "1000"]);
    }
}
