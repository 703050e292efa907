//! A project in a temporary folder, `evaluate` and `analyze` run in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::UNIX_EPOCH;

use rs_cli::{Program, Screen, Ui};
use rs_core::cohort::{Cohort, find_cohorts};
use rs_core::manifest::{EvalBlobs, Manifest, RunBlob};
use rs_core::pack::{Monitor, list_run, store_run};
use rs_core::store::Store;
use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};
use serde::de::DeserializeOwned;

/// The fixtures.
pub(crate) fn fixtures() -> FixtureModel {
    FixtureModel::new(Scale::Small, DEFAULT_SEED)
}

/// A folder with cohorts and datasets.
pub(crate) struct Project {
    folder: Folder,
}

enum Folder {
    /// At the end.
    Removed(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Removed(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: Folder::Removed(tempfile::tempdir().unwrap()) }
    }

    /// The fixtures, with the database of `data/r12.json`, for one test alone.
    pub(crate) fn with_fixtures() -> Self {
        Self::with_fixtures_in(tempfile::tempdir().unwrap())
    }

    fn with_fixtures_in(folder: tempfile::TempDir) -> Self {
        let project = Self { folder: Folder::Removed(folder) };
        fixtures().write(project.folder.path()).unwrap();
        project.evaluate("data/r12.json");
        project
    }

    /// [`Self::with_fixtures`], shared by the tests that change nothing: of one build of them also where each is a process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Project> = OnceLock::new();
        SHARED.get_or_init(|| {
            let program = fs_err::metadata(std::env::current_exe().unwrap()).unwrap();
            let build = program.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("analyze-{build}"));
            if !place.exists() {
                let made = Self::with_fixtures_in(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
                // Whoever is second uses what the first has put there.
                let renamed = fs_err::rename(made.folder.path(), &place);
                assert!(place.exists(), "{renamed:?}");
            }
            Self { folder: Folder::Kept(place) }
        })
    }

    /// One evaluation of one cohort, in the dataset `data/d.json`, with its database.
    pub(crate) fn with_records(records: &str) -> Self {
        let project = Self::empty();
        project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
        project.write("data/set/M/evals.json", format!("[{}]", entry("L", "")));
        project.write("data/set/M/run/a.ndjson", records);
        project.evaluate("data/d.json");
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

    /// Makes the database of a dataset, in this process: the program `evaluate` belongs to another package.
    #[track_caller]
    pub(crate) fn evaluate(&self, dataset: &str) {
        self.evaluate_with(&["--dataset", self.path(dataset).to_str().unwrap()]);
    }

    /// Runs `evaluate` with these arguments in this process.
    #[track_caller]
    pub(crate) fn evaluate_with(&self, arguments: &[&str]) {
        let arguments = [&["evaluate"], arguments].concat().into_iter().map(OsString::from).collect();
        let run = run_here::<evaluate::Arguments>(arguments, Screen::default());
        assert_eq!(run.code, Some(0), "{run}");
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

    /// `analyze` in the project's folder, in an environment that holds nothing but where libraries lie.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_analyze"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        for name in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            #[expect(clippy::disallowed_methods, reason = "the one place that passes the environment on")]
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    pub(crate) fn analyze(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// The document of a run with `--format json` that ends well and says nothing else.
    #[track_caller]
    pub(crate) fn document<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let run = self.analyze(&[arguments, &["--format", "json"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
        run.document()
    }

    /// What `analyze COMMAND DATASET` prints on a terminal of this width, in this process.
    pub(crate) fn on_terminal(&self, width: usize, command: &str, dataset: &str, more: &[&str]) -> Run {
        let mut arguments: Vec<OsString> = vec!["analyze".into(), command.into(), self.path(dataset).into_os_string()];
        arguments.extend(more.iter().map(Into::into));
        let mut run = run_here::<analyze::Arguments>(arguments, Screen { width: Some(width), ..Screen::default() });
        let folder = format!("{}/", self.folder.path().display());
        run.stdout = run.stdout.replace(&folder, "");
        run
    }
}

/// Runs a program in this process.
#[track_caller]
fn run_here<P: Program>(arguments: Vec<OsString>, screen: Screen) -> Run {
    let program = P::parse_from(arguments);
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut ui = Ui::new(Box::new(out.clone()), Box::new(err.clone()), screen, program.common());
    let exit = program.run(&mut ui);
    let code = match exit {
        Ok(exit) => exit.exit_code(),
        Err(error) => {
            ui.failure(&error);
            error.exit_code()
        }
    };
    Run { code: Some(code.into()), stdout: out.text(), stderr: err.text() }
}

/// A place to write to that can be read afterwards.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An entry of an `evals.json` for the identity m+t+s; `more` are members, each after a comma.
pub(crate) fn entry(label: &str, more: &str) -> String {
    format!(
        r#"{{"evaluate": {{"glob": "data/set/M/run/*"}}, "filters": {{"model": "m", "template": "t", "sampler": "s"}}, "label": "{label}"{more}}}"#
    )
}

/// A record of m+t+s, with `more` members, each after a comma; with its line end.
pub(crate) fn record(base_task: &str, params: &str, more: &str) -> String {
    format!(
        "{{\"model\":\"m\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"{base_task}\",\"params\":{params},\"correct\":true{more}}}\n"
    )
}

/// Copies a folder and what is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for item in fs_err::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs_err::copy(item.path(), target).unwrap();
        }
    }
}

/// What a run left behind.
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
