//! Small datasets of trials that a test spells out.

use std::fmt::Write;

use crate::project::Project;

/// A trial of one evaluation: `template` tells evaluations apart.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) template: &'a str,
    pub(crate) base_task: &'a str,
    pub(crate) params: &'a str,
    pub(crate) index: Option<u32>,
    pub(crate) repeat: u32,
    /// `correct`, `incorrect`, `truncated` or `invalid`.
    pub(crate) outcome: &'a str,
    pub(crate) tokens: Option<u32>,
    pub(crate) guess_chance: f64,
}

impl Default for Trial<'_> {
    fn default() -> Self {
        Self {
            template: "a",
            base_task: "sort",
            params: "{\"n\":1}",
            index: Some(0),
            repeat: 0,
            outcome: "correct",
            tokens: Some(100),
            guess_chance: 0.0,
        }
    }
}

impl<'a> Trial<'a> {
    /// `n` questions like this one.
    pub(crate) fn times(self, n: u32) -> impl Iterator<Item = Self> + 'a {
        (0..n).map(move |at| Self { index: self.index.map(|index| index + at), ..self })
    }

    fn line(&self) -> String {
        let Self { template, base_task, params, outcome, guess_chance, repeat, .. } = self;
        let mut line = format!(
            "{{\"model\":\"m\",\"template\":\"{template}\",\"sampler\":\"s\",\"base_task\":\"{base_task}\",\
            \"params\":{params},\"correct\":{},\"guess_chance\":{guess_chance},\"repeat\":{repeat},\"response\":\"abc\"",
            *outcome == "correct"
        );
        for (key, value) in [("index", self.index), ("completion_tokens", self.tokens)] {
            if let Some(value) = value {
                write!(line, ",\"{key}\":{value}").unwrap();
            }
        }
        if matches!(*outcome, "truncated" | "invalid") {
            write!(line, ",\"{outcome}\":true").unwrap();
        }
        line + "}\n"
    }
}

/// A project whose database `data/d.db`, of the dataset `data/d.json`, holds these trials. The labels are those of
/// `labels`, a template each.
pub(crate) fn project(labels: &[(&str, &str)], trials: &[Trial<'_>]) -> Project {
    project_with(labels, trials, &[])
}

/// The same, made with more arguments to `evaluate`.
pub(crate) fn project_with(labels: &[(&str, &str)], trials: &[Trial<'_>], arguments: &[&str]) -> Project {
    let project = Project::empty();
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    let entries: Vec<String> = labels
        .iter()
        .map(|(template, label)| {
            format!(
                r#"{{"evaluate": {{"glob": "data/set/M/run/*"}}, "filters": {{"model": "m", "template": "{template}", "sampler": "s"}}, "label": "{label}"}}"#
            )
        })
        .collect();
    project.write("data/set/M/evals.json", format!("[{}]", entries.join(",")));
    project.write("data/set/M/run/a.ndjson", trials.iter().map(Trial::line).collect::<String>());
    let dataset = project.path("data/d.json");
    project.evaluate_with(&[&["--dataset", dataset.to_str().unwrap()], arguments].concat());
    project
}
