//! A project in a temporary folder, and `cohort` run in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rs_core::cohort::{Cohort, find_cohorts};
use rs_core::manifest::{EvalBlobs, Manifest, RunBlob};
use rs_core::pack::{Monitor, list_run, store_run};
use rs_core::store::Store;
use rs_fixtures::{DEFAULT_SEED, Expected, FixtureModel, Scale};
use serde::de::DeserializeOwned;

/// The fixtures.
pub(crate) fn fixtures() -> FixtureModel {
    FixtureModel::new(Scale::Small, DEFAULT_SEED)
}

/// A folder that is removed at the end.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The fixtures, and what every tool must report about them.
    pub(crate) fn with_fixtures() -> (Self, Expected) {
        let (project, model) = (Self::empty(), fixtures());
        model.write(project.folder.path()).unwrap();
        (project, model.expected())
    }

    /// One cohort, `data/set/M`, with one evaluation; its raw files are `data/set/M/run/*`, and there is none yet.
    pub(crate) fn small() -> Self {
        let project = Self::empty();
        project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", "")));
        project
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file, and its folders where they are missing.
    pub(crate) fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// Packs the run folders of all evaluations into the store, names them in the manifest, and removes them. Gives what
    /// the manifest says of each evaluation.
    pub(crate) fn pack_away(&self) -> Manifest {
        let store = Store::new(self.path("data/.blobs"));
        let mut manifest = Manifest::default();
        for folder in find_cohorts(&self.path("data")).unwrap() {
            let cohort = Cohort::open(&folder).unwrap();
            let mut runs: BTreeMap<&str, RunBlob> = BTreeMap::new();
            for evaluation in &cohort.evaluations {
                let own: BTreeSet<&str> = evaluation.files.iter().map(|at| cohort.files[*at].run.as_str()).collect();
                let mut pack = |run| {
                    let new = || {
                        let files = list_run(&folder.join(run)).unwrap();
                        RunBlob::new(run, &store_run(&folder.join(run), &files, &store, &Monitor::default()).unwrap())
                    };
                    runs.entry(run).or_insert_with(new).clone()
                };
                let eval = EvalBlobs {
                    others: serde_json::Map::new(),
                    identity: "m+t+s".into(),
                    cohort: folder.strip_prefix(self.path("data")).unwrap().to_str().unwrap().to_owned(),
                    runs: own.into_iter().map(&mut pack).collect(),
                };
                manifest.evals.insert(evaluation.entry.eval_id().to_string(), eval);
            }
            runs.keys().for_each(|run| fs_err::remove_dir_all(folder.join(run)).unwrap());
        }
        self.write("data/manifest.json", manifest.to_text());
        manifest
    }

    /// All files below the project's folder, hidden ones too, with their content.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for item in fs_err::read_dir(folder).unwrap() {
                let item = item.unwrap();
                if item.file_type().unwrap().is_dir() {
                    folders.push(item.path());
                } else {
                    let below = item.path().strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned();
                    tree.insert(below, fs_err::read(item.path()).unwrap_or_default());
                }
            }
        }
        tree
    }

    /// `cohort` in a folder of the project, in an environment that holds nothing.
    pub(crate) fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cohort"));
        command.args(arguments).current_dir(self.path(folder)).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs `cohort` in a folder of the project.
    pub(crate) fn cohort_in(&self, folder: &str, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(folder, arguments))
    }

    /// Runs `cohort` in the project's folder.
    pub(crate) fn cohort(&self, arguments: &[&str]) -> Run {
        self.cohort_in("", arguments)
    }

    /// The document of a run with `--format json` that ends well and says nothing else.
    #[track_caller]
    pub(crate) fn document<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let run = self.cohort(&[arguments, &["--format", "json"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
        run.document()
    }
}

/// An entry of an `evals.json`; `more` are members, each after a comma.
pub(crate) fn entry(model: &str, glob: &str, more: &str) -> String {
    format!(
        r#"{{"evaluate": {{"glob": "{glob}"}}, "filters": {{"model": "{model}", "template": "t", "sampler": "s"}}, "label": "L {model}"{more}}}"#
    )
}

/// A record of the model, with `more` members, each after a comma; with its line end.
pub(crate) fn record(model: &str, more: &str) -> String {
    format!(
        "{{\"model\":\"{model}\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"b\",\"params\":{{}},\"correct\":true{more}}}\n"
    )
}

/// What a run of `cohort` left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn document<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code {code}")?,
            None => writeln!(f, "killed")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "----- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
