//! The blob registry `data/manifest.json`: which blobs hold which run folders and databases (formats.md, section 7).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::{BlobId, ContentHash};
use crate::document::{self, DocumentError};
use crate::pack::Packed;

/// Name of the manifest in the folder of the cohorts' sets.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The only version there is.
pub const MANIFEST_VERSION: u32 = 1;

/// A manifest. Keys that this version does not know are kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// Remotes by name.
    pub remotes: BTreeMap<String, Remote>,
    /// Evaluations by eval id.
    pub evals: BTreeMap<String, EvalBlobs>,
    /// Databases by dataset name.
    pub databases: BTreeMap<String, DatabaseBlob>,
    /// Other top-level keys.
    pub others: Map<String, Value>,
}

/// Where blobs are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// A folder, `file:`, `http(s)://` or `s3://bucket/prefix`.
    pub url: String,
}

/// The blobs of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvalBlobs {
    /// `model+template+sampler[+ctx<N>]`.
    pub identity: String,
    /// The cohort's folder, relative to the manifest's.
    pub cohort: String,
    /// Its run folders.
    pub runs: Vec<RunBlob>,
}

/// One run folder as a blob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunBlob {
    /// The run folder, relative to the cohort's.
    pub path: String,
    /// BLAKE3 of the stored bytes.
    pub blob: BlobId,
    /// Stored bytes.
    pub size: u64,
    /// Bytes of the files before packing.
    pub raw_size: u64,
    /// Files in the folder.
    pub n_files: u64,
    /// BLAKE3 over the sorted list of file names and contents: the same however the folder is packed.
    pub content: ContentHash,
}

impl RunBlob {
    /// The run folder at a path relative to the cohort's, as it was packed.
    #[must_use]
    pub fn new(path: impl Into<String>, packed: &Packed) -> Self {
        let Packed { blob, size_bytes, raw_bytes, n_files, content } = *packed;
        Self { path: path.into(), blob, size: size_bytes, raw_size: raw_bytes, n_files, content }
    }
}

/// A database as a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseBlob {
    /// BLAKE3 of the stored bytes.
    pub blob: BlobId,
    /// Stored bytes.
    pub size: u64,
    /// Bytes of the database file.
    pub raw_size: u64,
    /// BLAKE3 of the database file, if whoever pushed it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentHash>,
    /// BLAKE3 of the dataset's file, in hex.
    pub dataset: String,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It is of another version.
    #[error("{path}: `version` is {found}; this program reads version {MANIFEST_VERSION}")]
    Version {
        /// The file.
        path: String,
        /// What it says.
        found: u64,
    },
}

/// The file's shape.
#[derive(Deserialize)]
struct ManifestFile {
    version: u64,
    #[serde(default)]
    remotes: BTreeMap<String, Remote>,
    #[serde(default)]
    evals: BTreeMap<String, EvalBlobs>,
    #[serde(default)]
    databases: BTreeMap<String, DatabaseBlob>,
}

impl Manifest {
    /// Reads a manifest; a file that is not there is an empty one.
    ///
    /// # Errors
    /// It cannot be read, is no JSON, of the wrong shape, or of another version.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = document::read_text(path)?;
        let file = document::parse_json::<ManifestFile>(&text, path)?.value;
        if file.version != u64::from(MANIFEST_VERSION) {
            return Err(ManifestError::Version { path: crate::paths::show(path), found: file.version });
        }
        let mut others = document::parse_json::<Map<String, Value>>(&text, path)?.value;
        for known in ["version", "remotes", "evals", "databases"] {
            others.remove(known);
        }
        Ok(Self { remotes: file.remotes, evals: file.evals, databases: file.databases, others })
    }

    /// The manifest's text: keys sorted, one key of each registry a line, so that two people's changes merge in git.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut sections: BTreeMap<&str, String> = BTreeMap::from([
            ("version", MANIFEST_VERSION.to_string()),
            ("remotes", registry(&self.remotes)),
            ("evals", registry(&self.evals)),
            ("databases", registry(&self.databases)),
        ]);
        sections.extend(self.others.iter().map(|(key, value)| (key.as_str(), value.to_string())));
        let lines: Vec<String> = sections.iter().map(|(key, text)| format!("{}:{text}", quoted(key))).collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

fn registry<T: Serialize>(entries: &BTreeMap<String, T>) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    // Strings and numbers always serialise.
    let lines: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{}:{}", quoted(key), serde_json::to_string(value).unwrap_or_default()))
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let run = RunBlob {
            path: "run".into(),
            blob: BlobId::of(b"ab"),
            size: 1,
            raw_size: 2,
            n_files: 3,
            content: ContentHash::of(b"cd"),
        };
        let eval =
            |cohort: &str| EvalBlobs { identity: "m+t+s".into(), cohort: cohort.into(), runs: vec![run.clone()] };
        Manifest {
            remotes: BTreeMap::from([("origin".into(), Remote { url: "s3://bucket/x".into() })]),
            evals: BTreeMap::from([("b00000".into(), eval("r12/B")), ("a00000".into(), eval("r12/A"))]),
            databases: BTreeMap::new(),
            others: Map::from_iter([("x-note".to_owned(), Value::from("kept"))]),
        }
    }

    #[test]
    fn one_key_a_line_and_back() {
        let text = manifest().to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "\"databases\":{},");
        assert!(lines[3].starts_with("\"a00000\":{\"identity\":\"m+t+s\""), "{text}");
        assert!(lines[4].starts_with("\"b00000\":{"), "{text}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("manifest.json");
        fs_err::write(&path, &text).expect("is written");
        assert_eq!(Manifest::read(&path).expect("reads"), manifest());
    }

    #[test]
    fn missing_is_empty_and_other_versions_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("manifest.json");
        assert_eq!(Manifest::read(&path).expect("reads"), Manifest::default());
        fs_err::write(&path, r#"{"version": 2}"#).expect("is written");
        let error = Manifest::read(&path).expect_err("is refused").to_string();
        assert!(error.ends_with("`version` is 2; this program reads version 1"), "{error}");
        fs_err::write(&path, r#"{"version": 1, "evals": {"a": {"identity": 3}}}"#).expect("is written");
        let error = Manifest::read(&path).expect_err("is refused").to_string();
        assert!(error.contains(":1:44: `evals.a.identity`: invalid type"), "{error}");
    }
}
