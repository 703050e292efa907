//! A project in a temporary folder, `evaluate` and `analyze` run in it.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use rs_cli::Screen;
use rs_testkit::run_here;
pub(crate) use rs_testkit::{Run, copy_folder, fixtures, real_data};
use serde::de::DeserializeOwned;

/// A folder with cohorts and datasets.
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

    /// The fixtures, with the database of `data/r12.json`, for one test alone.
    pub(crate) fn with_fixtures() -> Self {
        Self::empty().filled()
    }

    fn filled(self) -> Self {
        fixtures().write(self.folder()).unwrap();
        self.evaluate("data/r12.json");
        self
    }

    /// [`Self::with_fixtures`], shared by the tests that change nothing: of one build of them also where each is a process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Project> = OnceLock::new();
        SHARED.get_or_init(|| {
            let program = fs_err::metadata(std::env::current_exe().unwrap()).unwrap();
            let build = program.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("analyze-{build}"));
            if !place.exists() {
                let made = Self(rs_testkit::Project::empty_in(Path::new(env!("CARGO_TARGET_TMPDIR")))).filled();
                // Whoever is second uses what the first has put there.
                let renamed = fs_err::rename(made.folder(), &place);
                assert!(place.exists(), "{renamed:?}");
            }
            Self(rs_testkit::Project::shared(place))
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

    /// Makes the database of a dataset, in this process: the program `evaluate` belongs to another package.
    #[track_caller]
    pub(crate) fn evaluate(&self, dataset: &str) {
        self.evaluate_with(&["--dataset", self.path(dataset).to_str().unwrap()]);
    }

    /// Runs `evaluate` with these arguments in this process.
    #[track_caller]
    pub(crate) fn evaluate_with(&self, arguments: &[&str]) {
        let arguments = [&["evaluate"], arguments].concat().into_iter().map(OsString::from);
        let run = run_here::<evaluate::Arguments>(arguments, Screen::default());
        assert_eq!(run.code, Some(0), "{run}");
    }

    /// `analyze` in the project's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.0.command_with_libraries(env!("CARGO_BIN_EXE_analyze"), arguments)
    }

    pub(crate) fn analyze(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// The document of a run with `--format json` that ends well and says nothing else.
    #[track_caller]
    pub(crate) fn document<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        self.analyze(&[arguments, &["--format", "json"]].concat()).document_alone()
    }

    /// What `analyze COMMAND DATASET` prints on a terminal of this width, in this process.
    pub(crate) fn on_terminal(&self, width: usize, command: &str, dataset: &str, more: &[&str]) -> Run {
        let mut arguments: Vec<OsString> = vec!["analyze".into(), command.into(), self.path(dataset).into_os_string()];
        arguments.extend(more.iter().map(Into::into));
        let mut run = run_here::<analyze::Arguments>(arguments, Screen { width: Some(width), ..Screen::default() });
        let folder = format!("{}/", self.folder().display());
        run.stdout = run.stdout.replace(&folder, "");
        run
    }
}

/// An entry of an `evals.json` for the identity m+t+s; `more` are members, each after a comma.
pub(crate) fn entry(label: &str, more: &str) -> String {
    rs_testkit::entry("m", "data/set/M/run/*", label, more)
}

/// A record of m+t+s, with `more` members, each after a comma; with its line end.
pub(crate) fn record(base_task: &str, params: &str, more: &str) -> String {
    format!(
        "{{\"model\":\"m\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"{base_task}\",\"params\":{params},\"correct\":true{more}}}\n"
    )
}
