//! The blob registry `data/manifest.json`: which blobs hold which run folders and databases (formats.md, section 7).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::atomic_file;
use crate::digest::{BlobId, ContentHash};
use crate::document::{self, DocumentError};
use crate::pack::{MAX_BYTES, MAX_FILES, NameProblem, Packed, check_name};

/// Name of the manifest in the folder of the cohorts' sets.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The only version there is.
pub const MANIFEST_VERSION: u32 = 1;

/// Most runs in a manifest.
pub const MAX_RUNS: usize = 1_000_000;

/// A manifest. Keys that this version does not know are kept, wherever they stand.
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
    /// Keys that this version does not know.
    #[serde(skip)]
    pub others: Map<String, Value>,
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
    /// Keys that this version does not know.
    #[serde(skip)]
    pub others: Map<String, Value>,
}

/// One run folder as a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The identity of the files' names and contents: the same however the folder is packed.
    pub content: ContentHash,
    /// Keys that this version does not know.
    #[serde(skip)]
    pub others: Map<String, Value>,
}

impl RunBlob {
    /// The run folder at a path relative to the cohort's, as it was packed.
    #[must_use]
    pub fn new(path: impl Into<String>, packed: &Packed) -> Self {
        let Packed { blob, size_bytes, raw_bytes, n_files, content } = *packed;
        Self { path: path.into(), blob, size: size_bytes, raw_size: raw_bytes, n_files, content, others: Map::new() }
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
    /// BLAKE3 of the dataset's file.
    pub dataset: ContentHash,
    /// Keys that this version does not know.
    #[serde(skip)]
    pub others: Map<String, Value>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It cannot be written; the error names the path.
    #[error(transparent)]
    Write(io::Error),
    /// Git has left what two sides say.
    #[error("{}:{line}: the file has conflict markers of git in it", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Line of the first of them, from 1.
        line: usize,
    },
    /// It is of another version.
    #[error("{path}: `version` is {found}; this program reads version {MANIFEST_VERSION}")]
    Version {
        /// The file.
        path: String,
        /// What it says.
        found: u64,
    },
    /// Something in it would lead elsewhere, or means two things.
    #[error("{}: `{key}`: {what}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The key, like `evals.34c4dc.runs[3].path`.
        key: String,
        /// A lower-case fragment.
        what: String,
    },
}

/// The file's shape.
#[derive(Deserialize)]
struct ManifestFile {
    version: u64,
    #[serde(default, deserialize_with = "unique_keys")]
    remotes: BTreeMap<String, Remote>,
    #[serde(default, deserialize_with = "unique_keys")]
    evals: BTreeMap<String, EvalBlobs>,
    #[serde(default, deserialize_with = "unique_keys")]
    databases: BTreeMap<String, DatabaseBlob>,
}

/// A map in which no key stands twice, as it may after a merge: which of the two counts, only a person can say.
fn unique_keys<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    struct Unique<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<String, T>()? {
                if entries.contains_key(&key) {
                    return Err(A::Error::custom(format_args!("key `{}` stands twice", key.escape_debug())));
                }
                entries.insert(key, value);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Unique(PhantomData))
}

impl Manifest {
    /// Reads a manifest; a file that is not there is an empty one.
    ///
    /// # Errors
    /// It cannot be read, or is refused by [`Manifest::parse`].
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        Self::parse(&document::read_text(path)?, path)
    }

    /// Reads a manifest's text; `path` is for messages.
    ///
    /// # Errors
    /// It is no JSON, of the wrong shape or another version; a path in it is absolute, climbs out, deceives, or stands
    /// twice; a number is larger than any that could be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        // No line of a manifest begins like that.
        if let Some(at) = text.lines().position(|line| line.starts_with("<<<<<<<")) {
            return Err(ManifestError::Conflict { path: path.to_owned(), line: at + 1 });
        }
        let mut file = document::parse_json::<ManifestFile>(text, path)?.value;
        if file.version != u64::from(MANIFEST_VERSION) {
            return Err(ManifestError::Version { path: crate::paths::show(path), found: file.version });
        }
        let mut others = document::parse_json::<Map<String, Value>>(text, path)?.value;
        others.remove("version");
        let mut known = |key: &str| match others.remove(key) {
            Some(Value::Object(entries)) => entries,
            _ => Map::new(),
        };
        let (mut remotes, mut evals, mut databases) = (known("remotes"), known("evals"), known("databases"));
        for (name, remote) in &mut file.remotes {
            remote.others = unknown(remotes.remove(name), remote);
        }
        for (name, database) in &mut file.databases {
            database.others = unknown(databases.remove(name), database);
        }
        for (id, eval) in &mut file.evals {
            let mut raw = evals.remove(id);
            let runs = raw.as_mut().and_then(|raw| raw.get_mut("runs")).and_then(Value::as_array_mut);
            for (run, raw) in eval.runs.iter_mut().zip(runs.into_iter().flatten()) {
                run.others = unknown(Some(raw.take()), run);
            }
            eval.others = unknown(raw, eval);
        }
        let manifest = Self { remotes: file.remotes, evals: file.evals, databases: file.databases, others };
        manifest.check().map_err(|(key, what)| ManifestError::Refused { path: path.to_owned(), key, what })?;
        Ok(manifest)
    }

    /// Puts the manifest in the place of the one at `path`, at once and as a whole.
    ///
    /// # Errors
    /// The disk failed, or the manifest would be refused when read.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        let text = self.to_text();
        Self::parse(&text, path)?;
        atomic_file::write(path, text.as_bytes()).map_err(ManifestError::Write)
    }

    /// Whether every path leads below its folder, and every number can be; otherwise the key and what is wrong.
    fn check(&self) -> Result<(), (String, String)> {
        let size = |key: &str, name: &str, bytes: u64| {
            if bytes <= MAX_BYTES {
                return Ok(());
            }
            Err((format!("{key}.{name}"), format!("{bytes} is too large; it may be {MAX_BYTES}")))
        };
        let n_runs: usize = self.evals.values().map(|eval| eval.runs.len()).sum();
        if n_runs > MAX_RUNS {
            return Err(("evals".to_owned(), format!("there are {n_runs} runs; there may be {MAX_RUNS}")));
        }
        for (name, database) in &self.databases {
            let key = format!("databases.{}", name.escape_debug());
            size(&key, "size", database.size)?;
            size(&key, "raw_size", database.raw_size)?;
        }
        // One run may belong to several evaluations.
        let mut spelt: HashMap<String, (&str, &str)> = HashMap::new();
        for (id, eval) in &self.evals {
            let key = format!("evals.{}", id.escape_debug());
            if !(6..=64).contains(&id.len()) || !id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
                return Err((key, "an eval id has 6 to 64 hex digits".to_owned()));
            }
            let refused = |key: String, path: &str, problem: &dyn fmt::Display| {
                (key, format!("`{}` {problem}", path.escape_debug()))
            };
            check_place(&eval.cohort).map_err(|problem| refused(format!("{key}.cohort"), &eval.cohort, &problem))?;
            let mut of_eval: HashMap<&str, usize> = HashMap::new();
            for (position, run) in eval.runs.iter().enumerate() {
                let key = format!("{key}.runs[{position}]");
                let path_key = || format!("{key}.path");
                check_place(&run.path).map_err(|problem| refused(path_key(), &run.path, &problem))?;
                if let Some(before) = of_eval.insert(&run.path, position) {
                    return Err(refused(
                        path_key(),
                        &run.path,
                        &format_args!("stands twice, the first time in runs[{before}]"),
                    ));
                }
                let this = (eval.cohort.as_str(), run.path.as_str());
                let folded = format!("{}/{}", this.0, this.1).chars().flat_map(char::to_lowercase).collect();
                let (cohort, path) = *spelt.entry(folded).or_insert(this);
                // `a` + `b/c` and `a/b` + `c` are one folder, spelt the same.
                if !same_folder((cohort, path), this) {
                    let problem = NameProblem::CaseOnly(format!("{cohort}/{path}"));
                    return Err(refused(path_key(), &format!("{}/{}", this.0, this.1), &problem));
                }
                size(&key, "size", run.size)?;
                size(&key, "raw_size", run.raw_size)?;
                if run.n_files > MAX_FILES as u64 {
                    let what = format!("{} is too large; it may be {MAX_FILES}", run.n_files);
                    return Err((format!("{key}.n_files"), what));
                }
            }
        }
        Ok(())
    }

    /// The manifest's text, made so that two people's changes merge in git: keys sorted, each remote, evaluation and
    /// database on a line of its own, and each run too, sorted by path.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut sections: BTreeMap<&str, String> = BTreeMap::from([
            ("version", MANIFEST_VERSION.to_string()),
            ("remotes", registry(&self.remotes, |remote| object(remote, &remote.others).to_string())),
            ("evals", registry(&self.evals, eval_text)),
            ("databases", registry(&self.databases, |database| object(database, &database.others).to_string())),
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
    check_name(name).map_err(|problem| problem.to_string())?;
    if name.split('/').any(|part| part.starts_with('.')) { Err("has a hidden part".to_owned()) } else { Ok(()) }
}

fn same_folder(a: (&str, &str), b: (&str, &str)) -> bool {
    a == b || format!("{}/{}", a.0, a.1) == format!("{}/{}", b.0, b.1)
}

/// The keys of an entry that its type does not have.
fn unknown<T: Serialize>(raw: Option<Value>, entry: &T) -> Map<String, Value> {
    let Some(Value::Object(mut keys)) = raw else { return Map::new() };
    if let Ok(Value::Object(known)) = serde_json::to_value(entry) {
        keys.retain(|key, _| !known.contains_key(key));
    }
    keys
}

/// An entry with the keys that its type does not have; its own win. Sorted, as maps are here.
fn object<T: Serialize>(entry: &T, others: &Map<String, Value>) -> Value {
    let mut keys = others.clone();
    // Strings and numbers always serialise.
    if let Ok(Value::Object(known)) = serde_json::to_value(entry) {
        keys.extend(known);
    }
    Value::Object(keys)
}

fn eval_text(eval: &EvalBlobs) -> String {
    let mut runs: Vec<&RunBlob> = eval.runs.iter().collect();
    runs.sort_by(|a, b| a.path.cmp(&b.path));
    let runs: Vec<String> = runs.into_iter().map(|run| object(run, &run.others).to_string()).collect();
    let runs = if runs.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", runs.join(",\n")) };
    let without_runs = EvalBlobs {
        identity: eval.identity.clone(),
        cohort: eval.cohort.clone(),
        runs: Vec::new(),
        others: Map::new(),
    };
    let Value::Object(keys) = object(&without_runs, &eval.others) else { unreachable!("an object was made") };
    let text = |(key, value): (&String, &Value)| match key.as_str() {
        "runs" => format!("{}:{runs}", quoted(key)),
        _ => format!("{}:{value}", quoted(key)),
    };
    format!("{{{}}}", keys.iter().map(text).collect::<Vec<_>>().join(","))
}

fn registry<T>(entries: &BTreeMap<String, T>, text: impl Fn(&T) -> String) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let lines: Vec<String> = entries.iter().map(|(key, entry)| format!("{}:{}", quoted(key), text(entry))).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(path: &str) -> RunBlob {
        RunBlob {
            path: path.into(),
            blob: BlobId::of(path.as_bytes()),
            size: 1,
            raw_size: 2,
            n_files: 3,
            content: ContentHash::of(path.as_bytes()),
            others: Map::new(),
        }
    }

    fn manifest() -> Manifest {
        let eval = |cohort: &str| EvalBlobs {
            identity: "m+t+s".into(),
            cohort: cohort.into(),
            runs: ["b", "d", "f"].map(run).into(),
            others: Map::new(),
        };
        Manifest {
            remotes: BTreeMap::from([("origin".into(), Remote { url: "s3://bucket/x".into(), others: Map::new() })]),
            evals: BTreeMap::from([("b00000".into(), eval("r12/B")), ("a00000".into(), eval("r12/A"))]),
            databases: BTreeMap::new(),
            others: Map::from_iter([("x-note".to_owned(), Value::from("kept"))]),
        }
    }

    #[test]
    fn one_key_and_one_run_a_line_and_back() {
        let text = manifest().to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "\"databases\":{},");
        assert_eq!(lines[3], "\"a00000\":{\"cohort\":\"r12/A\",\"identity\":\"m+t+s\",\"runs\":[");
        let blob = "10e5cf3d3c8a4f9f3468c8cc58eea84892a22fdadbc1acb22410190044c1d553";
        assert_eq!(
            lines[4],
            format!(
                "{{\"blob\":\"{blob}\",\"content\":\"{blob}\",\"n_files\":3,\"path\":\"b\",\"raw_size\":2,\"size\":1}},"
            )
        );
        assert_eq!(lines[7], "]},");
        assert!(lines[8].starts_with("\"b00000\":{"), "{text}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("manifest.json");
        manifest().write(&path).expect("is written");
        assert_eq!(fs_err::read_to_string(&path).expect("reads"), text);
        assert_eq!(Manifest::read(&path).expect("reads"), manifest());
    }

    #[test]
    fn keys_that_nobody_knows_stay_where_they_were() {
        let mut value: Value = serde_json::from_str(&manifest().to_text()).expect("is JSON");
        value["evals"]["a00000"]["note"] = json!("by hand");
        value["evals"]["a00000"]["runs"][1]["pushed_by"] = json!({"x": [1]});
        value["remotes"]["origin"]["region"] = json!("here");
        let parsed = Manifest::parse(&value.to_string(), Path::new("m")).expect("reads");
        assert_eq!(parsed.evals["a00000"].runs[1].others["pushed_by"], json!({"x": [1]}));
        let text = parsed.to_text();
        assert_eq!(serde_json::from_str::<Value>(&text).expect("is JSON"), value);
        assert_eq!(Manifest::parse(&text, Path::new("m")).expect("reads"), parsed);
    }

    #[test]
    fn numbers_that_nobody_knows_do_not_drift() {
        for number in ["4.4444444444444445e92", &"4".repeat(93), "0.1", "-0.0", "5e-324", "18446744073709551616"] {
            let once = Manifest::parse(&format!("{{\"version\": 1, \"x\": {number}}}"), Path::new("m")).expect("reads");
            let again = Manifest::parse(&once.to_text(), Path::new("m")).expect("reads");
            assert_eq!(once, again);
        }
    }

    /// Two people add runs to one evaluation, and git puts both in.
    #[test]
    fn runs_of_two_people_merge() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, added: &[&str]| {
            let mut manifest = manifest();
            let eval = manifest.evals.get_mut("a00000").expect("is there");
            eval.runs.extend(added.iter().map(|path| run(path)));
            fs_err::write(folder.path().join(name), manifest.to_text()).expect("is written");
        };
        let (base, mine, theirs) = ("base", "mine", "theirs");
        for (of_me, of_them) in
            [(&["a"][..], &["g"][..]), (&["c"], &["e"]), (&["a", "c"], &["g", "h"]), (&["g"], &["c"])]
        {
            file(base, &[]);
            file(mine, of_me);
            file(theirs, of_them);
            let merge = std::process::Command::new("git")
                .args(["merge-file", "-p", mine, base, theirs])
                .current_dir(folder.path())
                .output()
                .expect("git is installed");
            assert!(merge.status.success(), "{}", String::from_utf8_lossy(&merge.stdout));
            let merged = String::from_utf8(merge.stdout).expect("is UTF-8");
            let merged = Manifest::parse(&merged, Path::new("m")).expect("reads");
            let paths: Vec<&str> = merged.evals["a00000"].runs.iter().map(|run| run.path.as_str()).collect();
            let mut expected = [&["b", "d", "f"], of_me, of_them].concat();
            expected.sort_unstable();
            assert_eq!(paths, expected);
        }
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

    /// The manifest with one change must be refused with this message.
    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Value), message: &str) {
        let mut value: Value = serde_json::from_str(&manifest().to_text()).expect("is JSON");
        change(&mut value);
        let error = Manifest::parse(&value.to_string(), Path::new("m.json")).expect_err("is refused").to_string();
        // Where it stands depends on the hashes before it.
        let (place, what) = error.split_once('`').expect("names a key");
        assert!(place.starts_with("m.json:"), "{error}");
        assert_eq!(format!("`{what}"), message);
    }

    #[track_caller]
    fn check_path_refused(path: &str, what: &str) {
        check_refused(
            |value| value["evals"]["a00000"]["runs"][2]["path"] = json!(path),
            &format!("`evals.a00000.runs[2].path`: {what}"),
        );
        if !what.contains("stands twice") && !what.contains("upper and lower") {
            check_refused(
                |value| value["evals"]["a00000"]["cohort"] = json!(path),
                &format!("`evals.a00000.cohort`: {what}"),
            );
        }
    }

    #[test]
    fn paths_made_to_hurt() {
        check_path_refused("/etc", "`/etc` is absolute");
        check_path_refused("C:/x", "`C:/x` is absolute");
        check_path_refused("../x", "`../x` has a part that is empty, `.` or `..`");
        check_path_refused("a/../../x", "`a/../../x` has a part that is empty, `.` or `..`");
        check_path_refused(".", "`.` has a part that is empty, `.` or `..`");
        check_path_refused("", "`` is empty");
        check_path_refused("a\\b", "`a\\\\b` holds a backslash");
        check_path_refused("a\0b", "`a\\0b` holds the control character \\u{0}");
        check_path_refused("a\nb", "`a\\nb` holds the control character \\u{a}");
        check_path_refused("a\u{202e}b", "`a\\u{202e}b` holds the control character \\u{202e}");
        check_path_refused("b", "`b` stands twice, the first time in runs[0]");
        check_path_refused("B", "`r12/A/B` and `r12/A/b` differ in upper and lower case only");
        // The cohorts of two evaluations, with runs of the same names.
        check_refused(
            |value| value["evals"]["b00000"]["cohort"] = json!("r12/a"),
            "`evals.b00000.runs[0].path`: `r12/a/b` and `r12/A/b` differ in upper and lower case only",
        );
        // One run may belong to two evaluations.
        let mut shared = manifest();
        shared.evals.get_mut("b00000").expect("is there").cohort = "r12/A".into();
        assert!(Manifest::parse(&shared.to_text(), Path::new("m")).is_ok());
    }

    #[test]
    fn numbers_and_hashes_that_cannot_be() {
        let too_large = "9007199254740993 is too large; it may be 9007199254740992";
        let run = |key: &'static str, value: Value, what: &str| {
            let change = |manifest: &mut Value| manifest["evals"]["a00000"]["runs"][1][key] = value;
            check_refused(change, &format!("`evals.a00000.runs[1].{key}`: {what}"));
        };
        run("size", json!((1_u64 << 53) + 1), too_large);
        run("raw_size", json!((1_u64 << 53) + 1), too_large);
        run("n_files", json!(1_000_001), "1000001 is too large; it may be 1000000");
        run("size", json!(-3), "invalid value: integer `-3`, expected u64");
        run("size", json!(1.5), "invalid type: floating point `1.5`, expected u64");
        run("blob", json!("../../x"), "`../../x` is not 64 lower-case hex digits");
        run("content", json!("AB"), "`AB` is not 64 lower-case hex digits");
        run("blob", json!(7), "invalid type: integer `7`, expected a string");
        let database =
            json!({"blob": BlobId::of(b""), "size": 1, "raw_size": 1_u64 << 60, "dataset": ContentHash::of(b"")});
        check_refused(
            |value| value["databases"]["d"] = database,
            "`databases.d.raw_size`: 1152921504606846976 is too large; it may be 9007199254740992",
        );
    }

    #[test]
    fn what_a_careless_merge_leaves() {
        let text = manifest().to_text().replace("\"b00000\"", "\"a00000\"");
        let error = Manifest::parse(&text, Path::new("m.json")).expect_err("is refused").to_string();
        assert!(error.ends_with("`evals`: key `a00000` stands twice"), "{error}");
        let text = manifest().to_text().replace("\n]},", "\n<<<<<<< mine\n]},");
        let error = Manifest::parse(&text, Path::new("m.json")).expect_err("is refused").to_string();
        assert!(error.starts_with("m.json:8:"), "{error}");
    }

    #[test]
    fn a_million_runs_and_one() {
        let mut manifest = manifest();
        let eval = manifest.evals.get_mut("a00000").expect("is there");
        eval.runs = vec![run("x"); MAX_RUNS + 1];
        let (key, what) = manifest.check().expect_err("is refused");
        assert_eq!((key.as_str(), what.as_str()), ("evals", "there are 1000004 runs; there may be 1000000"));
    }
}
