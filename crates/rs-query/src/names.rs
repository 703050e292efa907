//! Evaluations as people name them on a command line.

use rs_cli::CommandError;
use rs_core::eval_id;
use rs_core::suggest;
use rs_pointsdb::queries::groups::EvalName;

/// Digits of an id that are enough if no other begins with them.
const LEAST_DIGITS: usize = 2;

/// The evaluation that is meant: by its id or the beginning of it, a longer prefix of the full hash, the identity, or the
/// label, whole or a part that no other has, in any case.
fn find<'a>(names: &'a [EvalName], typed: &str) -> Result<&'a EvalName, CommandError> {
    let lower = typed.to_lowercase();
    let by_identity = |name: &EvalName| eval_id::names(typed, &name.identity, name.context_tokens);
    let by_start = |name: &EvalName| typed.len() >= LEAST_DIGITS && name.eval_id.starts_with(&lower);
    let by_label = |name: &EvalName| name.label.to_lowercase() == lower;
    let by_part = |name: &EvalName| !typed.is_empty() && name.label.to_lowercase().contains(&lower);
    let ways: [&dyn Fn(&EvalName) -> bool; 4] = [&by_identity, &by_start, &by_label, &by_part];
    for is_meant in ways {
        let found: Vec<&EvalName> = names.iter().filter(|name| is_meant(name)).collect();
        match found.as_slice() {
            [] => {}
            [name] => return Ok(name),
            several => {
                let list: Vec<String> =
                    several.iter().map(|name| format!("{} ({})", name.eval_id, name.label)).collect();
                let list: Vec<&str> = list.iter().map(String::as_str).collect();
                return Err(CommandError::input(format!("`{typed}` can be any of {} evaluations", several.len()))
                    .hint(format!("name one by its id: {}", suggest::list(&list, 5))));
            }
        }
    }
    let known: Vec<&str> = names.iter().flat_map(|name| [name.label.as_str(), name.eval_id.as_str()]).collect();
    Err(CommandError::input(format!("no evaluation `{typed}`")).maybe_hint(suggest::hint(typed, &known)))
}

/// The evaluations that are meant, each another one.
///
/// # Errors
/// One of them is not found, or named twice.
pub fn find_all<'a, T: AsRef<str>>(names: &'a [EvalName], typed: &[T]) -> Result<Vec<&'a EvalName>, CommandError> {
    let mut chosen: Vec<&EvalName> = Vec::new();
    for typed in typed {
        let name = find(names, typed.as_ref())?;
        if chosen.contains(&name) {
            let EvalName { eval_id, label, .. } = name;
            return Err(CommandError::input(format!("{eval_id} ({label}) is named twice")));
        }
        chosen.push(name);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rs_core::eval_id::{EvalId, Identity};

    fn name(model: &str, label: &str) -> EvalName {
        let identity = Identity { model: model.into(), template: "t".into(), sampler: "s".into() };
        let eval_id = EvalId::new(&identity, None).to_string();
        EvalName { eval_id, label: label.into(), identity, context_tokens: None }
    }

    #[test]
    fn ways_to_name_one() {
        let names = [name("a", "Alpha 1"), name("b", "Beta (large)"), name("c", "Beta (small)")];
        for (at, typed) in [(0, "a+t+s"), (0, "alpha 1"), (1, "LARGE"), (2, names[2].eval_id.as_str())] {
            assert_eq!(find(&names, typed).expect("is known"), &names[at], "{typed}");
        }
        assert_eq!(find(&names, &names[1].eval_id[..4]).expect("is known"), &names[1]);
        let several = find(&names, "beta").expect_err("there are two").to_string();
        assert!(
            several.starts_with("error: `beta` can be any of 2 evaluations\nhint: name one by its id: "),
            "{several}"
        );
        assert_eq!(
            find(&names, "Alpha 2").expect_err("is unknown").to_string(),
            "error: no evaluation `Alpha 2`\nhint: did you mean `Alpha 1`?"
        );
        assert!(find(&names, "").is_err());
        let twice = find_all(&names, &["large", "b+t+s"]).expect_err("is one").to_string();
        assert_eq!(twice, format!("error: {} (Beta (large)) is named twice", names[1].eval_id));
    }
}
