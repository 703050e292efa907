//! A project in a temporary folder, and `data` run in it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rs_fixtures::Expected;
pub(crate) use rs_testkit::Run;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A folder that is removed at the end.
pub(crate) struct Project(rs_testkit::Project);

impl Deref for Project {
    type Target = rs_testkit::Project;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self(rs_testkit::Project::empty())
    }

    /// The fixtures, and what every tool must report about them.
    pub(crate) fn with_fixtures() -> (Self, Expected) {
        let (project, expected) = rs_testkit::Project::with_fixtures();
        (Self(project), expected)
    }

    /// A dataset, `data/d.json`, with its database and two cohorts, and a remote, `remote/`: set/M has the evaluation
    /// m+t+s with the runs m-1 and m-2, and n+t+s with n-1; set/N has o+t+s with o-1. Nothing is pushed.
    pub(crate) fn small() -> Self {
        let project = Self::empty();
        let entries = [entry("m", "data/set/M/m-*/*", ""), entry("n", "data/set/M/n-*/*", "")].join(", ");
        project.write("data/set/M/evals.json", format!("[{entries}]"));
        project.write("data/set/N/evals.json", format!("[{}]", entry("o", "data/set/N/o-*/*", "")));
        project.write("data/set/M/m-1/a.ndjson", record("m", ",\"index\":0") + &record("m", ",\"index\":1"));
        project.write("data/set/M/m-1/metadata.json", "{\"note\": \"first\"}");
        project.write("data/set/M/m-2/a.ndjson", record("m", ",\"index\":2"));
        project.write("data/set/M/n-1/sub/a.ndjson", record("n", ""));
        project.write("data/set/M/n-1/b.ndjson", record("n", ",\"index\":1"));
        project.write("data/set/N/o-1/a.ndjson", record("o", "").repeat(100));
        let cohorts = r#"[{"path": "set/M"}, {"path": "set/N"}]"#;
        project.write("data/d.json", format!(r#"{{"name": "d", "db": "d.db", "cohorts": {cohorts}}}"#));
        project.write("data/d.db", "the database of d\n".repeat(50));
        project.data(&["remote", "add", "origin", "../remote"]).succeeds();
        project
    }

    /// [`Self::small`], all of it pushed.
    pub(crate) fn pushed() -> Self {
        let project = Self::small();
        project.data(&["push", "dataset", "data/d.json", "--raw"]).succeeds();
        project
    }

    /// Removes what git does not track: run folders, databases and the store.
    pub(crate) fn remove_untracked(&self) {
        for cohort in fs_err::read_dir(self.path("data")).unwrap().map(|set| set.unwrap().path()) {
            if cohort.extension().is_some_and(|extension| extension == "db") {
                fs_err::remove_file(&cohort).unwrap();
            }
            let is_set = cohort.is_dir() && !cohort.ends_with(".blobs");
            for cohort in fs_err::read_dir(&cohort).into_iter().flatten().filter(|_| is_set) {
                for run in fs_err::read_dir(cohort.unwrap().path()).unwrap().map(|run| run.unwrap().path()) {
                    if run.is_dir() {
                        fs_err::remove_dir_all(run).unwrap();
                    }
                }
            }
        }
        self.remove("data/.blobs");
    }

    /// Removes a file, or a folder with all that is in it, if it is there.
    pub(crate) fn remove(&self, relative: &str) {
        let path = self.path(relative);
        match fs_err::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => fs_err::remove_dir_all(path).unwrap(),
            Ok(_) => fs_err::remove_file(path).unwrap(),
            Err(_) => {}
        }
    }

    /// Everything in the project: files with their contents, links with where they lead, folders with a slash.
    pub(crate) fn tree(&self) -> Tree {
        Tree::of(self.folder())
    }

    /// The blobs in a store or remote: their names, and where they are.
    pub(crate) fn blobs(&self, store: &str) -> BTreeMap<String, PathBuf> {
        let tree = Tree::of(&self.path(store));
        let blobs = tree.0.keys().filter(|path| path.len() == 65 && path.as_bytes()[2] == b'/');
        blobs.map(|path| (path.replace('/', ""), self.path(store).join(path))).collect()
    }

    /// The blob that the manifest has for a run, in a store or remote.
    #[track_caller]
    pub(crate) fn blob_of(&self, run: &str, store: &str) -> PathBuf {
        let manifest = fs_err::read_to_string(self.path("data/manifest.json")).unwrap();
        let (_, blob) = runs(&manifest).into_iter().find(|(path, _)| path == run).unwrap();
        self.path(store).join(&blob[..2]).join(&blob[2..])
    }

    /// `data` in a folder of the project.
    pub(crate) fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        self.0.command(env!("CARGO_BIN_EXE_data"), folder, arguments)
    }

    /// Runs `data` in a folder of the project.
    pub(crate) fn data_in(&self, folder: &str, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(folder, arguments))
    }

    /// Runs `data` in the project's folder.
    pub(crate) fn data(&self, arguments: &[&str]) -> Run {
        self.data_in("", arguments)
    }

    /// A run with the project's folder and the names of blobs made the same each time: blobs of the manifest are told by
    /// their runs, like `[m-1]`.
    pub(crate) fn shown(&self, run: Run) -> Run {
        let manifest = fs_err::read_to_string(self.path("data/manifest.json")).unwrap_or_default();
        let known: BTreeMap<String, String> = runs(&manifest).into_iter().map(|(path, blob)| (blob, path)).collect();
        let change = |text: String| {
            let text = text.replace(self.path("").to_str().unwrap(), "[project]/");
            without_hashes(&text, &|hash| known.get(hash).map_or("hash", String::as_str).to_owned())
        };
        Run { code: run.code, stdout: change(run.stdout), stderr: change(run.stderr) }
    }

    /// Starts `data` in the project's folder.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command("", arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The document of a run with `--format json` that ends well and says nothing else.
    #[track_caller]
    pub(crate) fn document<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        self.data(&[arguments, &["--format", "json"]].concat()).document_alone()
    }
}

/// A folder as it is: paths and contents.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<String, Vec<u8>>);

impl Tree {
    pub(crate) fn of(folder: &Path) -> Self {
        let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(next) = folders.pop() {
            let Ok(items) = fs_err::read_dir(&next) else { continue };
            for path in items.map(|item| item.unwrap().path()) {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                if path.is_symlink() {
                    found.insert(name, fs_err::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
                } else if path.is_dir() {
                    found.insert(name + "/", Vec::new());
                    folders.push(path);
                } else {
                    found.insert(name, fs_err::read(&path).unwrap());
                }
            }
        }
        Self(found)
    }

    /// Without what may differ from one time to the next: what was noted of files' times.
    pub(crate) fn without_notes(mut self) -> Self {
        self.0.retain(|path, _| path != "data/.blobs/seen.json");
        self
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|content| content.len() as u64).sum()
    }

    /// The content of a file.
    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// The paths, folders with a slash.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The paths that are in one tree only or have other contents in the other.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut paths: Vec<&String> = self.0.keys().chain(other.0.keys()).collect();
        paths.sort();
        paths.dedup();
        let said = |tree: &Self, path: &String| match tree.0.get(path) {
            Some(content) => format!("{} bytes", content.len()),
            None => "absent".to_owned(),
        };
        let differs = |path: &&&String| self.0.get(**path) != other.0.get(**path);
        let differing = paths.iter().filter(differs);
        differing.map(|path| format!("{path}: {}, expected: {}", said(self, path), said(other, path))).collect()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// A text with names in square brackets for hashes of 64 digits, also those with a slash after the first two digits,
/// or without these.
fn without_hashes(text: &str, name_of: &dyn Fn(&str) -> String) -> String {
    let (mut named, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(|character: char| character.is_ascii_hexdigit()) {
        named.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(rest.len());
        let is_path = end == 2 && rest.len() >= 65 && rest.as_bytes()[2] == b'/';
        let n_bytes = if is_path { 65 } else { end.min(64) };
        let hash = rest.get(..n_bytes).map(|hash| hash.replace('/', "")).unwrap_or_default();
        let is_hash = hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_hash && (hash.len() == 64 || hash.len() == 62) {
            named.push_str(&format!("[{}]", name_of(&hash)));
            rest = &rest[n_bytes..];
        } else {
            named.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    named + rest
}

/// Compares two trees; what differs is told by name.
#[track_caller]
pub(crate) fn check_same(what: &str, found: &Tree, expected: &Tree) {
    let differences = found.differences(expected);
    assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

/// Waits for something that must come.
#[track_caller]
pub(crate) fn wait_until(what: &str, has_come: impl Fn() -> bool) {
    let began = Instant::now();
    while !has_come() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Sends a signal to a process of the test's own.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// An entry of an `evals.json`; `more` are members, each after a comma.
pub(crate) fn entry(model: &str, glob: &str, more: &str) -> String {
    rs_testkit::entry(model, glob, &format!("L {model}"), more)
}

/// A record of the model, with `more` members, each after a comma; with its line end.
pub(crate) fn record(model: &str, more: &str) -> String {
    format!(
        "{{\"model\":\"{model}\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"b\",\"params\":{{}},\"correct\":true{more}}}\n"
    )
}

/// The runs that a manifest names, with the blobs that hold them.
fn runs(manifest: &str) -> Vec<(String, String)> {
    let Ok(manifest) = serde_json::from_str::<Value>(manifest) else { return Vec::new() };
    let evals = manifest["evals"].as_object().into_iter().flat_map(|evals| evals.values());
    let runs = evals.flat_map(|eval| eval["runs"].as_array().into_iter().flatten());
    runs.filter_map(|run| Some((run["path"].as_str()?.to_owned(), run["blob"].as_str()?.to_owned()))).collect()
}
