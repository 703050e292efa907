//! A project: a folder with `data/` and all that belongs to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rs_core::cohort::{Cohort, find_cohorts};
use rs_core::manifest::{EvalBlobs, Manifest, RunBlob};
use rs_core::pack::{Monitor, list_run, store_run};
use rs_core::store::Store;
use rs_fixtures::Expected;

use crate::fixtures;

/// A folder in which a test does as it likes.
pub struct Project(Folder);

enum Folder {
    /// At the end.
    Removed(tempfile::TempDir),
    Kept(PathBuf),
}

impl Project {
    /// An empty folder, that is removed at the end.
    #[must_use]
    pub fn empty() -> Self {
        Self(Folder::Removed(tempfile::tempdir().unwrap()))
    }

    /// An empty folder in another one, that is removed at the end.
    #[must_use]
    pub fn empty_in(folder: &Path) -> Self {
        Self(Folder::Removed(tempfile::tempdir_in(folder).unwrap()))
    }

    /// A folder that others use, too, and that stays.
    #[must_use]
    pub fn shared(folder: PathBuf) -> Self {
        Self(Folder::Kept(folder))
    }

    /// The fixtures, and what every tool must report about them.
    #[must_use]
    pub fn with_fixtures() -> (Self, Expected) {
        let (project, model) = (Self::empty(), fixtures());
        model.write(project.folder()).unwrap();
        (project, model.expected())
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match &self.0 {
            Folder::Removed(folder) => folder.path(),
            Folder::Kept(path) => path,
        }
    }

    /// A place in it.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder().join(relative)
    }

    /// Writes a file, and its folders where they are missing.
    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// A program in a folder of the project, in an environment that holds nothing.
    #[must_use]
    pub fn command<S: AsRef<OsStr>>(
        &self,
        program: &str,
        folder: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path(folder)).env_clear().stdin(Stdio::null());
        command
    }

    /// The same, but for where libraries lie, for programs that link DuckDB.
    #[must_use]
    pub fn command_with_libraries<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = self.command(program, "", arguments);
        for name in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            #[expect(clippy::disallowed_methods, reason = "the one place that passes the environment on")]
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    /// The local store of its blobs.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::new(self.path("data/.blobs"))
    }

    /// Packs the run folders of all evaluations into the store, names them in the manifest, and removes them. Gives what
    /// the manifest says.
    pub fn pack_away(&self) -> Manifest {
        self.pack_away_those(|_| true)
    }

    /// [`Self::pack_away`] of some run folders only.
    pub fn pack_away_those(&self, is_wanted: impl Fn(&str) -> bool) -> Manifest {
        let mut manifest = Manifest::default();
        for folder in find_cohorts(&self.path("data")).unwrap() {
            let cohort = Cohort::open(&folder).unwrap();
            let pack = |run: &str| {
                let files = list_run(&folder.join(run)).unwrap();
                RunBlob::new(run, &store_run(&folder.join(run), &files, &self.store(), &Monitor::default()).unwrap())
            };
            let unmatched = cohort.unmatched_runs();
            let wanted = cohort.runs().into_iter().filter(|run| is_wanted(run) && !unmatched.contains(run));
            let runs: BTreeMap<&str, RunBlob> = wanted.map(|run| (run, pack(run))).collect();
            for evaluation in &cohort.evaluations {
                let own: BTreeSet<&str> = evaluation.files.iter().map(|at| cohort.files[*at].run.as_str()).collect();
                let eval = EvalBlobs {
                    others: serde_json::Map::new(),
                    identity: "m+t+s".into(),
                    cohort: folder.strip_prefix(self.path("data")).unwrap().to_str().unwrap().to_owned(),
                    runs: own.into_iter().filter_map(|run| runs.get(run).cloned()).collect(),
                };
                manifest.evals.insert(evaluation.entry.eval_id().to_string(), eval);
            }
            runs.keys().for_each(|run| fs_err::remove_dir_all(folder.join(run)).unwrap());
        }
        self.write("data/manifest.json", manifest.to_text());
        manifest
    }
}
