//! The experiment config: tasks, the grids that make their points, and views over them (formats.md, section 5).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rs_core::answer::AnswerRegex;
use rs_core::document::{self, DocumentError};
use rs_core::suggest;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_saphyr::Spanned;

/// Most points that a task's grid may have.
pub const MAX_GRID_POINTS: usize = 1_000_000;

/// A config.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The experiment's name.
    pub name: String,
    /// Its tasks, in file order.
    pub tasks: Vec<Task>,
    /// Things to tell the user that stop nothing.
    pub warnings: Vec<String>,
}

/// A task of a config.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// `base_task` of its records.
    pub name: String,
    /// For people; the name where the config gives none.
    pub label: String,
    /// The generator's definition, relative to the config's folder.
    pub file: Option<String>,
    /// How its points are chosen.
    pub points: TaskPoints,
    /// Samples a point.
    pub count: Option<u32>,
    /// Chance of a blind guess, for people.
    pub guess_chance: Option<f64>,
    /// What finds the answer in a response; of several the first that matches.
    pub answer_regex: Vec<AnswerRegex>,
    /// Recipes for looking at it.
    pub views: Vec<View>,
}

/// How a task's points are chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskPoints {
    /// All combinations of the values of some parameters, in file order.
    Grid(Vec<(String, Vec<Value>)>),
    /// One parameter is tuned until prompts have these lengths in tokens.
    Calibrate {
        /// The parameter.
        param: String,
        /// Lengths of prompts in tokens.
        target_tokens: Vec<u32>,
    },
}

/// What a view draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewKind {
    /// Over two dimensions.
    Surface,
    /// Over one dimension.
    Projection,
}

impl fmt::Display for ViewKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Surface => "surface",
            Self::Projection => "projection",
        })
    }
}

/// A recipe for looking at a task.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Its name inside the task.
    pub id: String,
    /// For people; the id where the config gives none.
    pub label: String,
    /// What it draws.
    pub kind: ViewKind,
    /// First dimension: `params.X` or `manifold.X`.
    pub x: String,
    /// Second dimension, of a surface.
    pub y: Option<String>,
    /// Values that other dimensions must have: the value, or any of a list.
    pub filters: BTreeMap<String, Value>,
}

/// A config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It is no YAML, or not of the right shape.
    #[error("{}:{line}:{column}: {}{what}", path.display(), if key.is_empty() { String::new() } else { format!("`{key}`: ") })]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column in characters, from 1.
        column: u64,
        /// The key that was being read.
        key: String,
        /// A lower-case fragment that says what would be valid.
        what: String,
    },
}

/// How [`Spanned`] asks the YAML reader for places; it looks like an unknown key to who watches.
const SPANNED_MARKER: &str = "__serde_saphyr_private_spanned";

/// A key path without the steps into [`Spanned`] values.
fn unspanned(path: &str) -> String {
    let plain = document::plain_key(path);
    plain.split('.').filter(|step| *step != "value").collect::<Vec<_>>().join(".")
}

#[derive(Deserialize)]
struct ConfigFile {
    name: String,
    tasks: Vec<Spanned<TaskFile>>,
}

#[derive(Deserialize)]
struct TaskFile {
    name: Spanned<String>,
    label: Option<String>,
    file: Option<String>,
    #[serde(default)]
    mode: Mode,
    grid: Option<Grid>,
    calibrate: Option<Calibrate>,
    count: Option<u32>,
    guess_chance: Option<Spanned<f64>>,
    #[serde(default)]
    answer_regex: Vec<Spanned<String>>,
    #[serde(default)]
    views: Vec<Spanned<ViewFile>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Grid,
    Calibrate,
}

#[derive(Deserialize)]
struct Calibrate {
    param: String,
    target_tokens: Vec<u32>,
}

#[derive(Deserialize)]
struct ViewFile {
    id: String,
    label: Option<String>,
    kind: ViewKind,
    x: Spanned<String>,
    y: Option<Spanned<String>>,
    #[serde(default)]
    filters: BTreeMap<String, Value>,
}

/// A grid in file order.
struct Grid(Vec<(String, Spanned<Vec<Value>>)>);

impl<'de> Deserialize<'de> for Grid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Grid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from each parameter to the list of its values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Grid, A::Error> {
                let mut grid = Vec::new();
                while let Some(member) = members.next_entry()? {
                    grid.push(member);
                }
                Ok(Grid(grid))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// It cannot be read, is no YAML, or says something that means nothing: with file, line, key, and what would be valid.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&document::read_text(path)?, path)
    }

    /// Reads a config's text; `path` is for messages.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut unknown_keys = Vec::new();
        let mut key = String::new();
        let result: Result<ConfigFile, serde_saphyr::Error> =
            serde_saphyr::with_deserializer_from_str(text, |deserializer| {
                let mut track = serde_path_to_error::Track::new();
                let tracked = serde_path_to_error::Deserializer::new(deserializer, &mut track);
                let result = serde_ignored::deserialize(tracked, |unknown| unknown_keys.push(unknown.to_string()));
                if result.is_err() {
                    key = unspanned(&track.path().to_string());
                }
                result
            });
        let file = result.map_err(|error| {
            let location = error.location();
            let what = error.without_snippet().to_string();
            ConfigError::Yaml {
                path: path.to_owned(),
                line: location.map_or(1, |location| location.line()),
                column: location.map_or(1, |location| location.column()),
                key: key.clone(),
                what: what.lines().next().unwrap_or_default().split(" at line ").next().unwrap_or_default().to_owned(),
            }
        })?;
        let mut checker = Checker { path, answer_regexes: Vec::new() };
        let mut tasks: Vec<Task> = Vec::new();
        for (position, task) in file.tasks.into_iter().enumerate() {
            let name = &task.value.name;
            if tasks.iter().any(|known| known.name == name.value) {
                let what = format!("there are two tasks `{}`", name.value);
                return Err(checker.error(name, format!("tasks[{position}].name"), what));
            }
            tasks.push(checker.task(position, task)?);
        }
        let warnings = unknown_keys
            .iter()
            .filter(|key| !key.contains(SPANNED_MARKER))
            .map(|key| format!("{}: unknown key `{}` is ignored", path.display(), document::key_path(&unspanned(key))))
            .collect();
        Ok(Self { name: file.name, tasks, warnings })
    }

    /// The task whose records say `base_task`.
    #[must_use]
    pub fn task(&self, base_task: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == base_task)
    }
}

/// Checks what YAML cannot.
struct Checker<'a> {
    path: &'a Path,
    /// Those met so far, each once.
    answer_regexes: Vec<AnswerRegex>,
}

impl Checker<'_> {
    fn error<T>(&self, at: &Spanned<T>, key: String, what: String) -> ConfigError {
        let (line, column) = (at.referenced.line(), at.referenced.column());
        ConfigError::Yaml { path: self.path.to_owned(), line, column, key, what }
    }

    fn task(&mut self, position: usize, spanned: Spanned<TaskFile>) -> Result<Task, ConfigError> {
        let here = Spanned { value: (), referenced: spanned.referenced, defined: spanned.defined };
        let task = spanned.value;
        let key = |name: &str| format!("tasks[{position}].{name}");
        if let Some(chance) = &task.guess_chance
            && !(0.0..=1.0).contains(&chance.value)
        {
            let what = format!("expected a number from 0 to 1, found {}", chance.value);
            return Err(self.error(chance, key("guess_chance"), what));
        }
        let points = match (task.mode, task.grid, task.calibrate) {
            (Mode::Grid, Some(grid), _) => self.grid(grid, &key("grid"))?,
            (Mode::Calibrate, _, Some(calibrate)) => {
                TaskPoints::Calibrate { param: calibrate.param, target_tokens: calibrate.target_tokens }
            }
            (Mode::Grid, None, _) => {
                return Err(self.error(
                    &here,
                    key("grid"),
                    "mode `grid` needs a `grid` of parameters and their values".into(),
                ));
            }
            (Mode::Calibrate, _, None) => {
                let what = "mode `calibrate` needs `calibrate: {param: ..., target_tokens: [...]}`";
                return Err(self.error(&here, key("calibrate"), what.into()));
            }
        };
        let mut answer_regex = Vec::new();
        for (at, text) in task.answer_regex.iter().enumerate() {
            // Tasks share most of theirs, and making one takes longer than reading the task.
            let known = self.answer_regexes.iter().find(|known| known.text() == text.value).cloned();
            let regex = match known {
                Some(known) => known,
                None => {
                    let regex = AnswerRegex::new(&text.value).map_err(|what| {
                        let what = format!("`{}` is no regular expression: {what}", text.value);
                        self.error(text, key(&format!("answer_regex[{at}]")), what)
                    })?;
                    self.answer_regexes.push(regex.clone());
                    regex
                }
            };
            answer_regex.push(regex);
        }
        let mut views: Vec<View> = Vec::new();
        for (at, view) in task.views.into_iter().enumerate() {
            if views.iter().any(|known| known.id == view.value.id) {
                let what = format!("there are two views `{}`", view.value.id);
                return Err(self.error(&view, key(&format!("views[{at}].id")), what));
            }
            views.push(self.view(view, &key(&format!("views[{at}]")), &points)?);
        }
        Ok(Task {
            label: task.label.unwrap_or_else(|| task.name.value.clone()),
            name: task.name.value,
            file: task.file,
            points,
            count: task.count,
            guess_chance: task.guess_chance.map(|chance| chance.value),
            answer_regex,
            views,
        })
    }

    fn grid(&self, grid: Grid, key: &str) -> Result<TaskPoints, ConfigError> {
        let mut n_points = 1_usize;
        for (param, values) in &grid.0 {
            if values.value.is_empty() {
                return Err(self.error(values, format!("{key}.{param}"), "expected at least one value".into()));
            }
            n_points = n_points.saturating_mul(values.value.len());
            if n_points > MAX_GRID_POINTS {
                let what = format!("the grid has more than {MAX_GRID_POINTS} points");
                return Err(self.error(values, format!("{key}.{param}"), what));
            }
        }
        Ok(TaskPoints::Grid(grid.0.into_iter().map(|(param, values)| (param, values.value)).collect()))
    }

    fn view(&self, spanned: Spanned<ViewFile>, key: &str, points: &TaskPoints) -> Result<View, ConfigError> {
        self.axis(&spanned.value.x, &format!("{key}.x"), points)?;
        if let Some(y) = &spanned.value.y {
            self.axis(y, &format!("{key}.y"), points)?;
        }
        for name in spanned.value.filters.keys() {
            let at = Spanned { value: name.clone(), referenced: spanned.referenced, defined: spanned.defined };
            self.axis(&at, &format!("{key}.filters"), points)?;
        }
        match (spanned.value.kind, &spanned.value.y) {
            (ViewKind::Surface, None) => {
                return Err(self.error(&spanned, format!("{key}.y"), "a surface needs both `x` and `y`".into()));
            }
            (ViewKind::Projection, Some(y)) => {
                return Err(self.error(y, format!("{key}.y"), "a projection has no `y`; kind `surface` has".into()));
            }
            _ => {}
        }
        let view = spanned.value;
        Ok(View {
            label: view.label.unwrap_or_else(|| view.id.clone()),
            id: view.id,
            kind: view.kind,
            x: view.x.value,
            y: view.y.map(|y| y.value),
            filters: view.filters,
        })
    }

    /// A dimension must be one that the task's points can have.
    fn axis(&self, axis: &Spanned<String>, key: &str, points: &TaskPoints) -> Result<(), ConfigError> {
        let params: Vec<String> = match points {
            TaskPoints::Grid(grid) => grid.iter().map(|(param, _)| format!("params.{param}")).collect(),
            TaskPoints::Calibrate { param, .. } => vec![format!("params.{param}")],
        };
        let is_known = axis.value.strip_prefix("manifold.").is_some_and(|name| !name.is_empty())
            || params.contains(&axis.value)
            // The generator of a calibrated task may set others.
            || matches!(points, TaskPoints::Calibrate { .. }) && axis.value.starts_with("params.");
        if is_known {
            return Ok(());
        }
        let known: Vec<&str> =
            params.iter().map(String::as_str).chain(["manifold.id", "manifold.target_tokens"]).collect();
        let hint = suggest::hint(&axis.value, &known).unwrap_or_default();
        Err(self.error(axis, key.to_owned(), format!("unknown dimension `{}`; {hint}", axis.value)))
    }
}

impl Task {
    /// All points of a grid, the last parameter changing fastest; `None` for a calibrated task, whose points only its
    /// generator knows.
    #[must_use]
    pub fn resolve(&self) -> Option<Vec<BTreeMap<String, Value>>> {
        let TaskPoints::Grid(grid) = &self.points else { return None };
        let mut points = vec![BTreeMap::new()];
        for (param, values) in grid {
            points = points
                .iter()
                .flat_map(|point| {
                    values.iter().map(move |value| {
                        let mut point = point.clone();
                        point.insert(param.clone(), value.clone());
                        point
                    })
                })
                .collect();
        }
        Some(points)
    }
}

impl View {
    /// The conditions a point must satisfy to be in the view, besides having its dimensions: key and allowed values.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&str, Vec<&Value>)> {
        self.filters
            .iter()
            .map(|(key, value)| {
                (key.as_str(), value.as_array().map_or_else(|| vec![value], |many| many.iter().collect()))
            })
            .collect()
    }

    /// Its dimensions: one or two.
    pub fn dimensions(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.x.as_str()).chain(self.y.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("configs/x.yaml"))
    }

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        assert_eq!(parse(text).expect_err("is wrong").to_string(), message);
    }

    const GOOD: &str = "\
name: r12
tasks:
  - name: arithmetic
    label: Arithmetic
    mode: grid
    grid: {length: [8, 16], max_depth: [0, 1, 4]}
    count: 32
    odd: 1
    views:
      - {id: length-x-depth, kind: surface, x: params.length, y: params.max_depth}
      - {id: length, label: Length, kind: projection, x: params.length, filters: {params.max_depth: [0, 1]}}
  - name: tables
    mode: calibrate
    calibrate: {param: num_rows, target_tokens: [1000, 2000]}
";

    #[test]
    fn a_config_in_full() {
        let config = parse(GOOD).expect("is right");
        assert_eq!(config.warnings, ["configs/x.yaml: unknown key `tasks[0].odd` is ignored"]);
        let task = config.task("arithmetic").expect("is there");
        let points = task.resolve().expect("is a grid");
        assert_eq!(points.len(), 6);
        assert_eq!(json!(points[1]), json!({"length": 8, "max_depth": 1}));
        assert_eq!(task.views[1].conditions(), [("params.max_depth", vec![&json!(0), &json!(1)])]);
        assert_eq!(task.views[0].label, "length-x-depth");
        assert_eq!(config.tasks[1].resolve(), None);
    }

    #[test]
    fn errors_name_file_line_key_and_what_would_be_valid() {
        check_error("name: [", "configs/x.yaml:1:7: `name`: expected string scalar");
        check_error(
            &GOOD.replace("kind: surface", "kind: sphere"),
            "configs/x.yaml:10:36: `tasks[0].views[0].kind`: unknown variant `sphere`, expected one of surface, projection",
        );
        check_error(
            &GOOD.replace("y: params.max_depth}", "y: params.max_deptth}"),
            "configs/x.yaml:10:66: `tasks[0].views[0].y`: unknown dimension `params.max_deptth`; did you mean `params.max_depth`?",
        );
        check_error(
            &GOOD.replace("[8, 16]", "[]"),
            "configs/x.yaml:6:20: `tasks[0].grid.length`: expected at least one value",
        );
        check_error(
            &GOOD.replace("name: tables", "name: arithmetic"),
            "configs/x.yaml:12:11: `tasks[1].name`: there are two tasks `arithmetic`",
        );
        check_error(
            &GOOD.replace("    grid:", "    gird:"),
            "configs/x.yaml:3:5: `tasks[0].grid`: mode `grid` needs a `grid` of parameters and their values",
        );
        check_error(&GOOD.replace("count: 32", "count: many"), "configs/x.yaml:7:12: `tasks[0].count`: invalid u32");
        check_error(
            &GOOD.replace(", y: params.max_depth", ""),
            "configs/x.yaml:10:9: `tasks[0].views[0].y`: a surface needs both `x` and `y`",
        );
        check_error(
            &GOOD.replace("count: 32", "answer_regex: ['\\d+', '(']"),
            "configs/x.yaml:7:27: `tasks[0].answer_regex[1]`: `(` is no regular expression: unclosed group",
        );
        check_error(
            &GOOD.replace("count: 32", "answer_regex: 7"),
            "configs/x.yaml:7:19: `tasks[0].answer_regex`: expected sequence start",
        );
    }
}
