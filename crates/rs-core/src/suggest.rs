//! "Did you mean": the known names nearest to one that is not known.

/// Up to three of `known`, the nearest to `typed` first; names that share nothing with it are left out.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = typed.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let contains = !typed.is_empty() && (lower.contains(&typed) || typed.contains(&lower));
            let score = strsim::jaro_winkler(&typed, &lower) + if contains { 0.2 } else { 0.0 };
            (score, name)
        })
        .filter(|(score, _)| *score >= 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    // Beside a near name a far one only distracts.
    let least = scored.first().map_or(0.0, |(best, _)| best - 0.1);
    scored.retain(|(score, _)| *score >= least);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `did you mean "a" or "b"?`, or the list of all that is known, or nothing if nothing is.
#[must_use]
pub fn hint(typed: &str, known: &[&str]) -> Option<String> {
    let near = nearest(typed, known.iter().copied());
    if !near.is_empty() {
        let quoted: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        return Some(format!("did you mean {}?", quoted.join(" or ")));
    }
    (!known.is_empty()).then(|| format!("known: {}", list(known, 20)))
}

/// `a, b, c and 4 more`.
#[must_use]
pub fn list(names: &[&str], most: usize) -> String {
    let shown = names.iter().take(most).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first() {
        let known = ["data/r12/Qwen3-32B", "data/r12/GPT-OSS-120B", "data/rg/QwQ-32B"];
        assert_eq!(nearest("data/r12/Qwen3-32", known)[0], "data/r12/Qwen3-32B");
        assert_eq!(nearest("zzz", known), Vec::<&str>::new());
        assert_eq!(hint("arithmetik", &["arithmetic", "dates"]).as_deref(), Some("did you mean `arithmetic`?"));
        assert_eq!(hint("zzz", &["a", "b"]).as_deref(), Some("known: a, b"));
        assert_eq!(hint("zzz", &[]), None);
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and 1 more");
    }
}
