//! A project in a temporary folder, and `cohort` run in it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::process::Command;

use rs_fixtures::Expected;
pub(crate) use rs_testkit::{Run, copy_folder, real_data};
use serde::de::DeserializeOwned;

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

    /// One cohort, `data/set/M`, with one evaluation; its raw files are `data/set/M/run/*`, and there is none yet.
    pub(crate) fn small() -> Self {
        let project = Self::empty();
        project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", "")));
        project
    }

    /// All files below the project's folder, hidden ones too, with their content.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for item in fs_err::read_dir(folder).unwrap() {
                let item = item.unwrap();
                if item.file_type().unwrap().is_dir() {
                    folders.push(item.path());
                } else {
                    let below = item.path().strip_prefix(self.folder()).unwrap().to_str().unwrap().to_owned();
                    tree.insert(below, fs_err::read(item.path()).unwrap_or_default());
                }
            }
        }
        tree
    }

    /// `cohort` in a folder of the project.
    pub(crate) fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        self.0.command(env!("CARGO_BIN_EXE_cohort"), folder, arguments)
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
        self.cohort(&[arguments, &["--format", "json"]].concat()).document_alone()
    }
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
