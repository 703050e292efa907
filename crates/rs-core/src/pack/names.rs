//! Names of files in a blob: which are refused, because they would leave the folder, deceive a reader, or mean two
//! things.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::MAX_FILES;

/// Longest name in bytes, all of its parts together.
const MAX_NAME_BYTES: usize = 4096;

/// Longest part of a name in bytes.
const MAX_PART_BYTES: usize = 255;

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It begins with `/`, or with a drive like `C:`.
    #[error("is absolute")]
    Absolute,
    /// It has an empty part, `.` or `..`.
    #[error("has a part that is empty, `.` or `..`")]
    OddPart,
    /// It is longer than 4,096 bytes, or a part of it than 255.
    #[error("is longer than {MAX_NAME_BYTES} bytes, or a part of it than {MAX_PART_BYTES}")]
    TooLong,
    /// It holds a backslash.
    #[error("holds a backslash")]
    Backslash,
    /// It holds a control character, or one that changes the direction of writing or ends a line.
    #[error("holds the control character {}", .0.escape_unicode())]
    Control(char),
    /// Another name is the same.
    #[error("stands twice")]
    Twice,
    /// Names are not in the order of their bytes.
    #[error("is not in order")]
    OutOfOrder,
    /// Another name, or the folder of another, differs in upper and lower case only.
    #[error("and `{}` differ in upper and lower case only", .0.escape_debug())]
    CaseOnly(String),
    /// It is a file's and, at the same time, the folder's of another.
    #[error("is a file's, and the folder's of `{}`", .0.escape_debug())]
    FileAndFolder(String),
    /// There are too many folders.
    #[error("is in one folder too many: there may be {MAX_FILES}")]
    TooManyFolders,
}

/// Checks a path below a folder, with `/` between its parts: it must lead to a place below that folder on every system,
/// and look like what it is.
///
/// # Errors
/// It is refused.
pub fn check_name(name: &str) -> Result<(), NameProblem> {
    let is_drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    if name.starts_with('/') || is_drive {
        return Err(NameProblem::Absolute);
    }
    if name.len() > MAX_NAME_BYTES || name.split('/').any(|part| part.len() > MAX_PART_BYTES) {
        return Err(NameProblem::TooLong);
    }
    if let Some(control) = name.chars().find(|character| deceives(*character)) {
        return Err(NameProblem::Control(control));
    }
    if name.contains('\\') {
        return Err(NameProblem::Backslash);
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(NameProblem::OddPart);
    }
    Ok(())
}

/// Control characters, marks that change the direction of writing, and line ends.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
        )
}

/// Checks names that are in the order of their bytes, each by itself and all together.
///
/// # Errors
/// The name that is refused, and why.
pub(crate) fn check_all<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<(), (&'a str, NameProblem)> {
    let mut before: Option<&str> = None;
    for name in names.clone() {
        check_name(name).map_err(|problem| (name, problem))?;
        match before.map(|before| before.cmp(name)) {
            Some(Ordering::Equal) => return Err((name, NameProblem::Twice)),
            Some(Ordering::Greater) => return Err((name, NameProblem::OutOfOrder)),
            _ => before = Some(name),
        }
    }
    check_together(names)
}

/// Checks names that are well-formed by themselves, in any order, for those that get in each other's way.
///
/// # Errors
/// The name that is refused, and why.
pub(crate) fn check_together<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), (&'a str, NameProblem)> {
    let mut folded: Vec<(Cow<'a, str>, &'a str)> = names.map(|name| (lower_case(name), name)).collect();
    // All names below one folder come in one piece, right after a file of the folder's name: looking at neighbours is
    // enough. Names hold no control characters, so `/` can be the least.
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    folded.sort_unstable_by(|(a, _), (b, _)| a.bytes().map(key).cmp(b.bytes().map(key)));
    let mut n_folders = folded.first().map_or(0, |(_, name)| name.split('/').count() - 1);
    for pair in folded.windows(2) {
        let [(folded_before, before), (folded_name, name)] = pair else { unreachable!("windows are of two") };
        if before == name {
            return Err((name, NameProblem::Twice));
        }
        let parts = || before.split('/').zip(name.split('/'));
        let folded_parts = folded_before.split('/').zip(folded_name.split('/'));
        let n_shared = folded_parts.take_while(|(a, b)| a == b).count();
        if parts().take(n_shared).any(|(a, b)| a != b) {
            return Err((name, NameProblem::CaseOnly((*before).to_owned())));
        }
        if n_shared == before.split('/').count() {
            return Err((before, NameProblem::FileAndFolder((*name).to_owned())));
        }
        n_folders += name.split('/').count() - 1 - n_shared;
        if n_folders > MAX_FILES {
            return Err((name, NameProblem::TooManyFolders));
        }
    }
    Ok(())
}

/// The name as a file system without upper and lower case takes it: character by character, without regard to context.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    name.chars().flat_map(char::to_lowercase).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: Result<(), (&str, NameProblem)>) {
        assert_eq!(check_all(names.iter().copied()), expected);
    }

    #[test]
    fn names_that_people_give() {
        check(&[], Ok(()));
        check(&["2024-01-01T10:00:00.ndjson", "a b", "a.b/c", "a/b", "a/c/d", "ab", "b~", "ä/ü.jsonl", "日本"], Ok(()));
        let long = format!("{}/{}", "a".repeat(255), "b".repeat(255));
        check(&[&long], Ok(()));
    }

    #[test]
    fn each_by_itself() {
        let one = |name: &str, problem: NameProblem| assert_eq!(check_name(name), Err(problem), "{name:?}");
        one("", NameProblem::Empty);
        for name in ["/etc/passwd", "/", "C:", "c:/x", "C:x"] {
            one(name, NameProblem::Absolute);
        }
        for name in [".", "..", "../x", "a/../b", "a/..", "a//b", "a/", "./a", "a/./b"] {
            one(name, NameProblem::OddPart);
        }
        for name in ["a\\b", "..\\x", "\\\\server\\share"] {
            one(name, NameProblem::Backslash);
        }
        for control in ['\0', '\n', '\x1b', '\x7f', '\u{85}', '\u{202E}', '\u{2066}', '\u{200F}', '\u{FEFF}'] {
            one(&format!("a{control}b"), NameProblem::Control(control));
        }
        one(&"a".repeat(256), NameProblem::TooLong);
        one(&"a/".repeat(2049), NameProblem::TooLong);
    }

    #[test]
    fn all_together() {
        check(&["a", "a"], Err(("a", NameProblem::Twice)));
        check(&["b", "a"], Err(("a", NameProblem::OutOfOrder)));
        check(&["README", "readme"], Err(("readme", NameProblem::CaseOnly("README".into()))));
        check(&["Ä", "ä"], Err(("ä", NameProblem::CaseOnly("Ä".into()))));
        check(&["ΑΣ", "ας", "ασ"], Err(("ασ", NameProblem::CaseOnly("ΑΣ".into()))));
        // Folders that differ in case only, though the files in them do not.
        check(&["A/x", "a/y"], Err(("a/y", NameProblem::CaseOnly("A/x".into()))));
        check(&["a", "a/b"], Err(("a", NameProblem::FileAndFolder("a/b".into()))));
        check(&["a", "a.b", "a/b"], Err(("a", NameProblem::FileAndFolder("a/b".into()))));
        check(&["A", "a/b"], Err(("a/b", NameProblem::CaseOnly("A".into()))));
        check(&["a", "a.b", "ab/c"], Ok(()));
    }
}
