//! A project in a temporary folder; `evaluate` and `probe` run in it, in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rs_cli::{Program, Screen, Ui};
use rs_core::cohort::{Cohort, find_cohorts};
use rs_core::manifest::{EvalBlobs, Manifest, RunBlob};
use rs_core::pack::{Monitor, list_run, store_run};
use rs_core::store::Store;
use serde_json::Value;

/// A folder that is removed at the end.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The evaluations `a` and `b` of one cohort, in the dataset `data/d.json`, with its database: records in one file.
    pub(crate) fn with_records(records: &str) -> Self {
        let project = Self::empty();
        project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
        let entry = |model: &str| {
            format!(
                r#"{{"evaluate": {{"glob": "data/set/M/run/*"}}, "filters": {{"model": "{model}", "template": "t", "sampler": "s"}}, "label": "Model {model}"}}"#
            )
        };
        project.write("data/set/M/evals.json", format!("[{}, {}]", entry("a"), entry("b")));
        project.write("data/set/M/run/x.ndjson", records);
        project.evaluate(&["--dataset", "data/d.json"]);
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

    #[track_caller]
    pub(crate) fn evaluate(&self, arguments: &[&str]) {
        let run = self.run::<evaluate::Arguments>(&[&["evaluate"], arguments].concat(), Screen::default());
        assert_eq!(run.code, 0, "{run}");
    }

    /// `probe` with its output in a pipe.
    pub(crate) fn probe(&self, arguments: &[&str]) -> Run {
        self.run::<probe::Arguments>(&[&["probe"], arguments].concat(), Screen::default())
    }

    /// `probe` on a terminal.
    pub(crate) fn on_terminal(&self, width: usize, arguments: &[&str]) -> Run {
        let screen = Screen { width: Some(width), ..Screen::default() };
        self.run::<probe::Arguments>(&[&["probe"], arguments].concat(), screen)
    }

    /// The document of a run that ends well and says nothing else.
    #[track_caller]
    pub(crate) fn document(&self, arguments: &[&str]) -> Value {
        let run = self.probe(&[arguments, &["--format", "json", "-q"]].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
        serde_json::from_str(&run.stdout).unwrap()
    }

    /// Runs a program. Arguments that begin with `data/` are paths below the project's folder; what is said has them as
    /// they were given.
    fn run<P: Program>(&self, arguments: &[&str], screen: Screen) -> Run {
        let placed = |argument: &&str| -> OsString {
            if argument.starts_with("data/") { self.path(argument).into() } else { argument.into() }
        };
        let program = P::parse_from(arguments.iter().map(placed));
        let (out, err) = (Buffer::default(), Buffer::default());
        let mut ui = Ui::new(Box::new(out.clone()), Box::new(err.clone()), screen, program.common());
        let code = match program.run(&mut ui) {
            Ok(exit) => exit.exit_code(),
            Err(error) => {
                ui.failure(&error);
                error.exit_code()
            }
        };
        let folder = format!("{}/", self.folder.path().display());
        Run { code, stdout: out.text().replace(&folder, ""), stderr: err.text().replace(&folder, "") }
    }

    /// Packs all run folders into the store, names them in the manifest, and removes them.
    pub(crate) fn pack_away(&self) {
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
    }
}

/// A record of the model `a` or `b`, with its line end; `more` are members, each after a comma.
pub(crate) fn record(model: &str, more: &str) -> String {
    format!(
        "{{\"model\":\"{model}\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"sums\",\"params\":{{\"n\":8}},\"correct\":true{more}}}\n"
    )
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

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "----- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
