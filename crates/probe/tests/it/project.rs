//! A project in a temporary folder; `evaluate` and `probe` run in it, in this process.

use std::ffi::OsString;
use std::ops::Deref;

use rs_cli::{Program, Screen};
pub(crate) use rs_testkit::Run;
use rs_testkit::run_here;
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
    pub(crate) fn empty() -> Self {
        Self(rs_testkit::Project::empty())
    }

    /// The evaluations `a` and `b` of one cohort, in the dataset `data/d.json`, with its database: records in one file.
    pub(crate) fn with_records(records: &str) -> Self {
        let project = Self::empty();
        project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
        let entry = |model| rs_testkit::entry(model, "data/set/M/run/*", &format!("Model {model}"), "");
        project.write("data/set/M/evals.json", format!("[{}, {}]", entry("a"), entry("b")));
        project.write("data/set/M/run/x.ndjson", records);
        project.evaluate(&["--dataset", "data/d.json"]);
        project
    }

    #[track_caller]
    pub(crate) fn evaluate(&self, arguments: &[&str]) {
        let run = self.run::<evaluate::Arguments>(&[&["evaluate"], arguments].concat(), Screen::default());
        assert_eq!(run.code, Some(0), "{run}");
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
        self.probe(&[arguments, &["--format", "json", "-q"]].concat()).document_alone()
    }

    /// Runs a program. Arguments that begin with `data/` are paths below the project's folder; what is said has them as
    /// they were given.
    fn run<P: Program>(&self, arguments: &[&str], screen: Screen) -> Run {
        let placed = |argument: &&str| -> OsString {
            if argument.starts_with("data/") { self.path(argument).into() } else { argument.into() }
        };
        let folder = format!("{}/", self.folder().display());
        run_here::<P>(arguments.iter().map(placed), screen).without(&[(&folder, "")])
    }
}

/// A record of the model `a` or `b`, with its line end; `more` are members, each after a comma.
pub(crate) fn record(model: &str, more: &str) -> String {
    format!(
        "{{\"model\":\"{model}\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"sums\",\"params\":{{\"n\":8}},\"correct\":true{more}}}\n"
    )
}
