//! The blob registry `data/manifest.json`: which blobs hold which run folders and databases (formats.md, section 7).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::{BlobId, ContentHash};
use crate::document::{self, DocumentError};
use crate::pack::{self, MAX_BYTES, MAX_FILES};

/// Name of the manifest in the folder of the cohorts' sets.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The only version there is.
pub const MANIFEST_VERSION: u32 = 1;

/// Most bytes that all blobs together may have, packed and unpacked: sums of them can be told.
const MAX_TOTAL_BYTES: u64 = 1 << 60;

/// A manifest. Keys that this version does not know are kept.
///
/// **Invariant:** a manifest is a foreign file. What was read leads to no place outside its folder or hidden in it, and its
/// sizes can be added up.
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
    /// An entry is refused.
    #[error("{path}: `{key}` is refused: {what}")]
    Refused {
        /// The file.
        path: String,
        /// The key, like `evals.34c4dc.runs[0].path`.
        key: String,
        /// A lower-case fragment.
        what: String,
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
        let manifest = Self { remotes: file.remotes, evals: file.evals, databases: file.databases, others };
        manifest.check().map_err(|(key, what)| {
            let key = key.escape_debug().to_string();
            ManifestError::Refused { path: crate::paths::show(path), key, what }
        })?;
        Ok(manifest)
    }

    /// Finds the first entry that is made to hurt: its key, and what is wrong with it.
    fn check(&self) -> Result<(), (String, String)> {
        let mut total_bytes = 0_u64;
        for (id, eval) in &self.evals {
            let key = format!("evals.{id}");
            if !(6..=64).contains(&id.len()) || !id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
                return Err((key, "an eval id has 6 to 64 hex digits".to_owned()));
            }
            let refused = |name: &str, what: String| format!("`{}` {what}", name.escape_debug());
            check_place(&eval.cohort).map_err(|what| (format!("{key}.cohort"), refused(&eval.cohort, what)))?;
            for (position, run) in eval.runs.iter().enumerate() {
                let key = format!("{key}.runs[{position}]");
                check_place(&run.path).map_err(|what| (format!("{key}.path"), refused(&run.path, what)))?;
                if run.n_files > MAX_FILES as u64 {
                    return Err((format!("{key}.n_files"), format!("a run has at most {MAX_FILES} files")));
                }
                total_bytes = add_up(total_bytes, run.size, run.raw_size).map_err(|what| (key, what))?;
            }
        }
        for (name, database) in &self.databases {
            total_bytes = add_up(total_bytes, database.size, database.raw_size)
                .map_err(|what| (format!("databases.{name}"), what))?;
        }
        Ok(())
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

/// Checks the name of a cohort or run: it must lead to a place below the folder that it is relative to, and not be
/// hidden; such folders are not the cohorts' but the store's, or git's.
///
/// # Errors
/// It is refused; a lower-case fragment says why.
pub fn check_place(name: &str) -> Result<(), String> {
    pack::check_name(name).map_err(|problem| problem.to_string())?;
    if name.split('/').any(|part| part.starts_with('.')) { Err("has a hidden part".to_owned()) } else { Ok(()) }
}

fn add_up(total_bytes: u64, size: u64, raw_size: u64) -> Result<u64, String> {
    if size.max(raw_size) > MAX_BYTES {
        return Err(format!("`size` and `raw_size` are at most {MAX_BYTES}"));
    }
    // Neither sum overflows: the one before is below the limit, these are below theirs.
    let total_bytes = total_bytes + size + raw_size;
    if total_bytes > MAX_TOTAL_BYTES {
        return Err(format!("all sizes up to here add up to more than {MAX_TOTAL_BYTES} bytes"));
    }
    Ok(total_bytes)
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
    #[track_caller]
    fn check_refused(change: impl Fn(&mut Manifest), message: &str) {
        let (mut manifest, folder) = (manifest(), tempfile::tempdir().expect("a temporary folder"));
        change(&mut manifest);
        let path = folder.path().join("manifest.json");
        fs_err::write(&path, manifest.to_text()).expect("is written");
        let error = Manifest::read(&path).expect_err("is refused").to_string();
        assert_eq!(error, format!("{}: {message}", path.display()));
    }

    #[test]
    fn what_would_leave_the_folder_is_refused() {
        for (name, problem) in [
            ("../x", "has a part that is empty, `.` or `..`"),
            ("/etc", "is absolute"),
            ("", "is empty"),
            ("a\\b", "holds a backslash"),
            (".blobs", "has a hidden part"),
            ("r12/.git/hooks", "has a hidden part"),
        ] {
            let shown = name.escape_debug();
            check_refused(
                |manifest| name.clone_into(&mut manifest.evals.get_mut("b00000").expect("is there").cohort),
                &format!("`evals.b00000.cohort` is refused: `{shown}` {problem}"),
            );
            check_refused(
                |manifest| name.clone_into(&mut manifest.evals.get_mut("b00000").expect("is there").runs[0].path),
                &format!("`evals.b00000.runs[0].path` is refused: `{shown}` {problem}"),
            );
        }
    }

    #[test]
    fn ids_and_sizes_that_cannot_be_are_refused() {
        let first = |manifest: &mut Manifest, change: fn(&mut RunBlob)| {
            change(&mut manifest.evals.get_mut("a00000").expect("is there").runs[0]);
        };
        check_refused(
            |manifest| first(manifest, |run| run.n_files = 1_000_001),
            "`evals.a00000.runs[0].n_files` is refused: a run has at most 1000000 files",
        );
        for change in [|run: &mut RunBlob| run.size = u64::MAX, |run: &mut RunBlob| run.raw_size = (1 << 53) + 1] {
            check_refused(
                |manifest| first(manifest, change),
                "`evals.a00000.runs[0]` is refused: `size` and `raw_size` are at most 9007199254740992",
            );
        }
        check_refused(
            |manifest| {
                let eval = manifest.evals.get_mut("a00000").expect("is there");
                eval.runs = vec![RunBlob { raw_size: 1 << 53, ..eval.runs[0].clone() }; 200];
            },
            "`evals.a00000.runs[127]` is refused: all sizes up to here add up to more than 1152921504606846976 bytes",
        );
        for id in ["", "a0000", "A00000", "../../../x", "a\u{1b}00000"] {
            let rename = |manifest: &mut Manifest| {
                let eval = manifest.evals.remove("a00000").expect("is there");
                manifest.evals.insert(id.to_owned(), eval);
            };
            let shown = id.escape_debug();
            check_refused(rename, &format!("`evals.{shown}` is refused: an eval id has 6 to 64 hex digits"));
        }
    }
}
