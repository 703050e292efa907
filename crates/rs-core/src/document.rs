//! JSON documents that people write (`evals.json`, datasets, manifests): read with messages that name path, line,
//! column and key, and with the keys that nobody knows reported instead of dropped.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// A document that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot be read; the error names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no JSON, or not of the right shape.
    #[error("{}:{line}:{column}: {}{what}", path.display(), key_prefix(key))]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// The key that was being read, like `[0].filters.model`; empty at the top.
        key: String,
        /// A lower-case fragment.
        what: String,
    },
    /// It is not UTF-8.
    #[error("{}:{line}: invalid UTF-8", path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("`{key}`: ") }
}

/// A document and the keys in it that nobody knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<T> {
    /// What was read.
    pub value: T,
    /// Keys that mean nothing here, like `[0].lable`, in file order.
    pub unknown_keys: Vec<String>,
}

/// Reads a text file, without its byte order mark.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, DocumentError> {
    text(fs_err::read(path)?, path)
}

/// The text of a file that holds these bytes, without its byte order mark; `path` is for messages.
///
/// # Errors
/// It is not UTF-8.
pub fn text(bytes: Vec<u8>, path: &Path) -> Result<String, DocumentError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        DocumentError::Utf8 { path: path.to_owned(), line: 1 + memchr::memchr_iter(b'\n', valid).count() }
    })
}

/// Reads a JSON file.
///
/// # Errors
/// It cannot be read, is no JSON, or not of the shape of `T`.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Document<T>, DocumentError> {
    parse_json(&read_text(path)?, path)
}

/// Reads a JSON file that holds an object: by itself `T` would also be read of a list of its members.
///
/// # Errors
/// Those of [`read_json`], or it holds something else.
pub fn read_json_object<T: DeserializeOwned>(path: &Path) -> Result<Document<T>, DocumentError> {
    let text = read_text(path)?;
    let before = text.len() - text.trim_start().len();
    if text[before..].starts_with('[') {
        return Err(DocumentError::Json {
            path: path.to_owned(),
            line: 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..before]).count(),
            column: text[..=before].len() - text[..before].rfind('\n').map_or(0, |at| at + 1),
            key: String::new(),
            what: "expected an object, found a list".to_owned(),
        });
    }
    parse_json(&text, path)
}

/// Reads JSON text; `path` is for messages.
///
/// # Errors
/// The text is no JSON, or not of the shape of `T`.
pub fn parse_json<T: DeserializeOwned>(text: &str, path: &Path) -> Result<Document<T>, DocumentError> {
    let wrong = |error: &serde_json::Error, key: String| DocumentError::Json {
        path: path.to_owned(),
        line: error.line(),
        // Before the first character of an empty file there is column 0.
        column: error.column().max(1),
        key,
        what: message(error),
    };
    let mut unknown_keys = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let result = serde_ignored::deserialize(tracked, |unknown| unknown_keys.push(key_path(&unknown.to_string())));
    let value = match result {
        Ok(value) => value,
        Err(error) => {
            return Err(wrong(&error, plain_key(&track.path().to_string())));
        }
    };
    deserializer.end().map_err(|error| wrong(&error, String::new()))?;
    Ok(Document { value, unknown_keys })
}

/// A key path as a person would write it: without the steps of wrapping types that only the reader takes.
#[must_use]
pub fn plain_key(path: &str) -> String {
    path.split('.').filter(|step| !step.is_empty() && *step != "?").collect::<Vec<_>>().join(".")
}

/// A key path of `serde_ignored`, which knows no difference between keys and positions, in the form of the messages:
/// `0.views.1.lable` is `[0].views[1].lable`.
#[must_use]
pub fn key_path(path: &str) -> String {
    let mut text = String::new();
    for step in path.split('.') {
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{step}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(step);
        }
    }
    text
}

/// serde_json's message without its place, which is told apart.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Entry {
        name: String,
        #[serde(default)]
        size: u32,
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        let error = parse_json::<Vec<Entry>>(text, Path::new("data/x.json")).expect_err("is wrong");
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn messages_name_path_line_column_and_key() {
        check_error("[{\"name\": 3}]", "data/x.json:1:11: `[0].name`: invalid type: integer `3`, expected a string");
        check_error("[\n  {\"name\": \"a\",}\n]", "data/x.json:2:16: `[0]`: trailing comma");
        check_error("[{\"size\": 3}]", "data/x.json:1:12: `[0]`: missing field `name`");
        check_error("[", "data/x.json:1:1: EOF while parsing a list");
        check_error("", "data/x.json:1:1: EOF while parsing a value");
        check_error("[] x", "data/x.json:1:4: trailing characters");
    }

    #[test]
    fn unknown_keys_are_told() {
        let document =
            parse_json::<Vec<Entry>>(r#"[{"name":"a","colour":1,"size":2}]"#, Path::new("x")).expect("is right");
        assert_eq!(document.value, [Entry { name: "a".into(), size: 2 }]);
        assert_eq!(document.unknown_keys, ["[0].colour"]);
        assert_eq!(key_path("tasks.0.views.12.lable"), "tasks[0].views[12].lable");
    }

    #[test]
    fn a_list_is_no_object() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.json");
        fs_err::write(&path, "\n  [\"a\", 1]").expect("is written");
        assert!(read_json::<Entry>(&path).is_ok(), "as serde has it");
        let error = read_json_object::<Entry>(&path).expect_err("is wrong");
        assert_eq!(error.to_string(), format!("{}:2:3: expected an object, found a list", path.display()));
        fs_err::write(&path, "{\"name\": \"a\"}").expect("is written");
        assert!(read_json_object::<Entry>(&path).is_ok());
    }

    #[test]
    fn text_is_utf8_without_a_mark() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.json");
        fs_err::write(&path, b"\xEF\xBB\xBF[]").expect("is written");
        assert_eq!(read_text(&path).expect("reads"), "[]");
        fs_err::write(&path, b"[\n\xFF]").expect("is written");
        assert_eq!(
            read_text(&path).expect_err("is no text").to_string(),
            format!("{}:2: invalid UTF-8", path.display())
        );
    }
}
