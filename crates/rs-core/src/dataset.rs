//! A dataset: which evaluations of which cohorts answer one research question, and where their points are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cohort::{Cohort, CohortError, EVALS_FILE, Entry, find_cohorts};
use crate::document::{self, DocumentError};
use crate::eval_id::{EvalId, identity_text};
use crate::library::Libraries;
use crate::paths::{self, Climb, PathRefused};
use crate::suggest;

/// Where a project keeps its datasets, seen from its root.
const DATASETS_FOLDER: &str = "data";

/// A dataset file, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "a dataset: an object with `name`, `db` and `cohorts`")]
struct DatasetFile {
    name: String,
    db: String,
    #[serde(default)]
    cache: Option<String>,
    #[serde(default)]
    config: Option<String>,
    cohorts: Vec<CohortReference>,
}

/// One cohort of a dataset, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CohortReference {
    /// The cohort's folder or its `evals.json`, relative to the dataset file's folder.
    pub path: String,
    /// Which of its evaluations are meant; without conditions all are.
    #[serde(default)]
    pub filters: CohortFilter,
}

/// Conditions on an evaluation, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CohortFilter {
    /// Any of these models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<OneOrMany>,
    /// Any of these templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<OneOrMany>,
    /// Any of these samplers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<OneOrMany>,
    /// Any of these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<OneOrMany>,
    /// Any of these Hugging Face ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hf_id: Option<OneOrMany>,
    /// Any of these evaluations: id, longer hash prefix or identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_id: Option<OneOrMany>,
    /// Any of these tags; `a,b` in one string means both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<OneOrMany>,
    /// Any of these groups; `a,b` in one string means both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<OneOrMany>,
}

/// One string, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl Serialize for OneOrMany {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![value.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut many = Vec::new();
                while let Some(item) = items.next_element()? {
                    many.push(item);
                }
                Ok(OneOrMany(many))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Whether marks (tags or groups) satisfy one condition string: all of its comma-separated parts are among them.
#[must_use]
pub fn marks_satisfy(marks: &[String], condition: &str) -> bool {
    condition.split(',').map(str::trim).all(|part| marks.iter().any(|mark| mark == part))
}

impl CohortFilter {
    /// Whether an evaluation satisfies every condition.
    #[must_use]
    pub fn selects(&self, entry: &Entry) -> bool {
        let any = |condition: &Option<OneOrMany>, holds: &dyn Fn(&str) -> bool| {
            condition.as_ref().is_none_or(|values| values.0.iter().any(|value| holds(value)))
        };
        any(&self.model, &|value| entry.filters.model == value)
            && any(&self.template, &|value| entry.filters.template == value)
            && any(&self.sampler, &|value| entry.filters.sampler == value)
            && any(&self.label, &|value| entry.label == value)
            && any(&self.hf_id, &|value| entry.hf_id.as_deref() == Some(value))
            && any(&self.eval_id, &|value| entry.is_named(value))
            && any(&self.tags, &|value| marks_satisfy(&entry.tags, value))
            && any(&self.groups, &|value| marks_satisfy(&entry.groups, value))
    }

    /// For each condition, the values that the entries have: what a filter that selects nothing could have said.
    fn known_values(&self, entries: &[&Entry]) -> Vec<String> {
        let values = |name: &str, condition: &Option<OneOrMany>, of: &dyn Fn(&Entry) -> Vec<String>| {
            condition.as_ref()?;
            let known: BTreeSet<String> = entries.iter().flat_map(|entry| of(entry)).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            Some(format!("{name}: {}", if known.is_empty() { "none".to_owned() } else { suggest::list(&known, 20) }))
        };
        [
            values("model", &self.model, &|entry| vec![entry.filters.model.clone()]),
            values("template", &self.template, &|entry| vec![entry.filters.template.clone()]),
            values("sampler", &self.sampler, &|entry| vec![entry.filters.sampler.clone()]),
            values("label", &self.label, &|entry| vec![entry.label.clone()]),
            values("hf_id", &self.hf_id, &|entry| entry.hf_id.clone().into_iter().collect()),
            values("eval_id", &self.eval_id, &|entry| vec![entry.eval_id().to_string()]),
            values("tags", &self.tags, &|entry| entry.tags.clone()),
            values("groups", &self.groups, &|entry| entry.groups.clone()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A dataset that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// There is no such file.
    #[error("no dataset at `{}`", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
        /// Datasets that are there, the nearest names first.
        near: Vec<String>,
    },
    /// The file is a cohort's.
    #[error("`{}` is a cohort; expected a dataset file", path.display())]
    IsCohort {
        /// What was asked for.
        path: PathBuf,
    },
    /// The dataset file is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A path in it is refused.
    #[error("{}: {key}: {source}", path.display())]
    PathRefused {
        /// The dataset file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Why.
        source: PathRefused,
    },
    /// A cohort it names is not there.
    #[error("{}: cohorts[{position}]: no cohort at `{}`", path.display(), cohort.display())]
    MissingCohort {
        /// The dataset file.
        path: PathBuf,
        /// Position of the cohort in it, from 0.
        position: usize,
        /// The cohort's path as the user would type it.
        cohort: PathBuf,
        /// Cohorts that are there, the nearest names first.
        near: Vec<String>,
    },
    /// A cohort is wrong.
    #[error(transparent)]
    Cohort(#[from] CohortError),
    /// One evaluation is in two entries.
    #[error("evaluation `{identity}` is listed twice: as `{}` in {} and as `{}` in {}", first.0, first.1.display(), second.0, second.1.display())]
    ListedTwice {
        /// The identity of both.
        identity: String,
        /// Label and `evals.json` of one.
        first: (String, PathBuf),
        /// Label and `evals.json` of the other.
        second: (String, PathBuf),
    },
    /// Two evaluations have one id.
    #[error("evaluations `{}` ({}) and `{}` ({}) have one eval_id `{eval_id}`", first.0, first.1.display(), second.0, second.1.display())]
    EvalIdTwice {
        /// The id.
        eval_id: EvalId,
        /// Identity and `evals.json` of one.
        first: (String, PathBuf),
        /// Identity and `evals.json` of the other.
        second: (String, PathBuf),
    },
}

/// A dataset file with its paths resolved.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The dataset file as the user would type it.
    pub file: PathBuf,
    /// The dataset's name.
    pub name: String,
    /// Its PointsDB.
    pub db: PathBuf,
    /// The folder of partial results.
    pub cache: Option<PathBuf>,
    /// Its experiment config.
    pub config: Option<PathBuf>,
    /// Its cohorts: resolved path, and which evaluations of it are meant.
    pub cohorts: Vec<(PathBuf, CohortFilter)>,
    /// Things to tell the user that stop nothing.
    pub warnings: Vec<String>,
}

/// The evaluations of a dataset.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The cohorts, each folder once, in dataset order.
    pub cohorts: Vec<Cohort>,
    /// The evaluations that the dataset's filters select: (position in `cohorts`, position in its evaluations), in
    /// dataset order.
    pub evaluations: Vec<(usize, usize)>,
    /// Things to tell the user that stop nothing.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Reads a dataset file; cohorts are not opened.
    ///
    /// # Errors
    /// It is missing, wrong, or names a path outside the project.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        if !path.is_file() {
            return Err(DatasetError::Missing { path: path.to_owned(), near: near_datasets(path) });
        }
        if path.file_name().is_some_and(|name| name == EVALS_FILE) {
            return Err(DatasetError::IsCohort { path: path.to_owned() });
        }
        let document = document::read_json_object::<DatasetFile>(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let resolve = |key: String, relative: &str| {
            paths::check_relative(relative, Climb::ToParent)
                .map(|relative| paths::join(folder, &relative))
                .map_err(|source| DatasetError::PathRefused { path: path.to_owned(), key, source })
        };
        let file = document.value;
        let mut cohorts = Vec::new();
        for (position, reference) in file.cohorts.into_iter().enumerate() {
            cohorts.push((resolve(format!("cohorts[{position}].path"), &reference.path)?, reference.filters));
        }
        Ok(Self {
            file: path.to_owned(),
            name: file.name,
            db: resolve("db".into(), &file.db)?,
            cache: file.cache.map(|cache| resolve("cache".into(), &cache)).transpose()?,
            config: file.config.map(|config| resolve("config".into(), &config)).transpose()?,
            cohorts,
            warnings: document
                .unknown_keys
                .iter()
                .map(|key| format!("{}: unknown key `{key}` is ignored", path.display()))
                .collect(),
        })
    }

    /// Opens the cohorts and selects the dataset's evaluations. One evaluation that is selected twice counts once.
    ///
    /// # Errors
    /// A cohort is missing or wrong, or two evaluations have one id.
    pub fn select(&self) -> Result<Selection, DatasetError> {
        let mut selection = Selection { cohorts: Vec::new(), evaluations: Vec::new(), warnings: self.warnings.clone() };
        let mut libraries = Libraries::default();
        if let Some((first, _)) = self.cohorts.first() {
            // Not by all of them at once; what is wrong with it they tell.
            let _ = libraries.of_cohort(first.parent().filter(|_| first.ends_with(EVALS_FILE)).unwrap_or(first));
        }
        let open = |(path, _): &(PathBuf, CohortFilter)| Cohort::open_among(path, &mut libraries.clone());
        let opened: Vec<_> = self.cohorts.par_iter().map(open).collect();
        for (position, ((path, filter), opened)) in self.cohorts.iter().zip(opened).enumerate() {
            let cohort = match opened {
                Err(CohortError::Missing { .. }) => {
                    return Err(DatasetError::MissingCohort {
                        path: self.file.clone(),
                        position,
                        cohort: path.clone(),
                        near: near_cohorts(path, &self.file),
                    });
                }
                other => other?,
            };
            let at = match selection.cohorts.iter().position(|known| known.file == cohort.file) {
                Some(at) => at,
                None => {
                    selection.warnings.extend(cohort.warnings.iter().cloned());
                    selection.cohorts.push(cohort);
                    selection.cohorts.len() - 1
                }
            };
            let entries: Vec<&Entry> = selection.cohorts[at].evaluations.iter().map(|eval| &eval.entry).collect();
            let selected: Vec<usize> = (0..entries.len()).filter(|entry| filter.selects(entries[*entry])).collect();
            if selected.is_empty() {
                let known = filter.known_values(&entries);
                selection.warnings.push(format!(
                    "{}: cohorts[{position}]: no evaluation of `{}` is selected{}",
                    self.file.display(),
                    path.display(),
                    if known.is_empty() { String::new() } else { format!(" (there are {})", known.join("; ")) },
                ));
            }
            for entry in selected {
                if !selection.evaluations.contains(&(at, entry)) {
                    selection.evaluations.push((at, entry));
                }
            }
        }
        selection.check_ids()?;
        Ok(selection)
    }
}

impl Selection {
    /// The entry of a selected evaluation.
    #[must_use]
    pub fn entry(&self, (cohort, evaluation): (usize, usize)) -> &Entry {
        &self.cohorts[cohort].evaluations[evaluation].entry
    }

    fn check_ids(&self) -> Result<(), DatasetError> {
        let mut seen: BTreeMap<EvalId, (&Entry, &PathBuf)> = BTreeMap::new();
        for &(cohort, evaluation) in &self.evaluations {
            let entry = self.entry((cohort, evaluation));
            let file = &self.cohorts[cohort].file;
            let Some((first, first_file)) = seen.insert(entry.eval_id(), (entry, file)) else { continue };
            let identity = |entry: &Entry| identity_text(&entry.filters, entry.context);
            if identity(first) == identity(entry) {
                return Err(DatasetError::ListedTwice {
                    identity: identity(entry),
                    first: (first.label.clone(), first_file.clone()),
                    second: (entry.label.clone(), file.clone()),
                });
            }
            return Err(DatasetError::EvalIdTwice {
                eval_id: entry.eval_id(),
                first: (identity(first), first_file.clone()),
                second: (identity(entry), file.clone()),
            });
        }
        Ok(())
    }
}

/// Dataset files beside the one that is missing, or where datasets usually are.
fn near_datasets(path: &Path) -> Vec<String> {
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut known = list_datasets(if path.is_dir() { path } else { parent });
    if known.is_empty() {
        // The folder is what people forget to type.
        known = list_datasets(Path::new(DATASETS_FOLDER));
    }
    let known: Vec<String> = known.iter().map(|path| paths::show(path)).collect();
    let near = suggest::nearest(&paths::show(path), known.iter().map(String::as_str));
    if near.is_empty() { known } else { near.into_iter().map(str::to_owned).collect() }
}

/// The dataset files directly in a folder, in order: JSON objects with `db` and `cohorts`. Folders that cannot be read
/// have none.
#[must_use]
pub fn list_datasets(folder: &Path) -> Vec<PathBuf> {
    let Ok(items) = fs_err::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = items
        .flatten()
        .map(|item| item.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| document::read_json::<DatasetFile>(path).is_ok())
        .map(|path| path.strip_prefix("./").map(Path::to_owned).unwrap_or(path))
        .collect();
    found.sort();
    found
}

/// Cohorts near the dataset file, the nearest names first.
fn near_cohorts(path: &Path, dataset: &Path) -> Vec<String> {
    let folder = dataset.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let known: Vec<String> = find_cohorts(folder)
        .unwrap_or_default()
        .iter()
        .map(|path| paths::show(path.strip_prefix("./").unwrap_or(path)))
        .collect();
    let near = suggest::nearest(&paths::show(path), known.iter().map(String::as_str));
    if near.is_empty() { known } else { near.into_iter().map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(model: &str, tags: &[&str], groups: &[&str]) -> String {
        format!(
            r#"{{"evaluate":{{"glob":"*/*"}},"filters":{{"model":"{model}","template":"t","sampler":"s"}},
               "label":"L {model}","tags":{},"groups":{}}}"#,
            serde_json::to_string(tags).expect("serialises"),
            serde_json::to_string(groups).expect("serialises")
        )
    }

    fn project(evals: &str, dataset: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs_err::create_dir_all(root.path().join("data/set/M")).expect("is made");
        fs_err::write(root.path().join("data/set/M/evals.json"), evals).expect("is written");
        fs_err::write(root.path().join("data/d.json"), dataset).expect("is written");
        root
    }

    fn dataset(cohorts: &str) -> String {
        format!(r#"{{"name":"d","db":"d.db","cohorts":{cohorts}}}"#)
    }

    #[track_caller]
    fn check_selected(filters: &str, models: &[&str]) {
        let evals = format!(
            "[{},{},{}]",
            entry("a", &["leaderboard", "open"], &["arch:moe", "size:small"]),
            entry("b", &["leaderboard"], &["arch:dense", "size:small"]),
            entry("c", &[], &[])
        );
        let root = project(&evals, &dataset(&format!(r#"[{{"path":"set/M/evals.json","filters":{filters}}}]"#)));
        let selection = Dataset::open(&root.path().join("data/d.json")).expect("opens").select().expect("selects");
        let found: Vec<&str> =
            selection.evaluations.iter().map(|at| selection.entry(*at).filters.model.as_str()).collect();
        assert_eq!(found, models, "{filters}");
        assert_eq!(selection.warnings.iter().any(|warning| warning.contains("is selected")), models.is_empty());
    }

    #[test]
    fn filters_select() {
        check_selected("{}", &["a", "b", "c"]);
        check_selected(r#"{"model":"a"}"#, &["a"]);
        check_selected(r#"{"model":["a","c"]}"#, &["a", "c"]);
        check_selected(r#"{"tags":"leaderboard"}"#, &["a", "b"]);
        check_selected(r#"{"tags":"leaderboard,open"}"#, &["a"]);
        check_selected(r#"{"groups":["arch:moe","arch:dense"]}"#, &["a", "b"]);
        check_selected(r#"{"groups":["arch:moe,size:small","x:y"]}"#, &["a"]);
        check_selected(r#"{"tags":"leaderboard","model":["b","c"]}"#, &["b"]);
        check_selected(r#"{"eval_id":"b+t+s"}"#, &["b"]);
        check_selected(r#"{"label":"L c"}"#, &["c"]);
        check_selected(r#"{"hf_id":"nobody/x"}"#, &[]);
    }

    #[test]
    fn a_filter_that_selects_nothing_lists_what_there_is() {
        let root = project(
            &format!("[{}]", entry("a", &["t1"], &[])),
            &dataset(r#"[{"path":"set/M","filters":{"tags":"t2"}}]"#),
        );
        let selection = Dataset::open(&root.path().join("data/d.json")).expect("opens").select().expect("selects");
        assert!(
            selection.warnings.iter().any(|warning| warning.ends_with("is selected (there are tags: t1)")),
            "{:?}",
            selection.warnings
        );
    }

    #[test]
    fn one_evaluation_twice_counts_once() {
        let root = project(
            &format!("[{}]", entry("a", &[], &[])),
            &dataset(r#"[{"path":"set/M"},{"path":"set/M/evals.json"}]"#),
        );
        let selection = Dataset::open(&root.path().join("data/d.json")).expect("opens").select().expect("selects");
        assert_eq!(selection.evaluations, [(0, 0)]);
    }

    #[test]
    fn two_identities_with_one_id_are_an_error() {
        // Six hex digits: among a few thousand identities two have one id.
        let mut seen = BTreeMap::new();
        let identity =
            |model: &str| crate::eval_id::Identity { model: model.into(), template: "t".into(), sampler: "s".into() };
        let (first, second) = (0..)
            .find_map(|number: u32| {
                let model = format!("m{number}");
                seen.insert(EvalId::new(&identity(&model), None), model.clone()).map(|first| (first, model))
            })
            .expect("there are enough numbers");
        let root = project(
            &format!("[{},{}]", entry(&first, &[], &[]), entry(&second, &[], &[])),
            &dataset(r#"[{"path":"set/M"}]"#),
        );
        let error = Dataset::open(&root.path().join("data/d.json")).expect("opens").select().expect_err("collide");
        let message = error.to_string();
        assert!(
            message.contains(&format!("`{first}+t+s`")) && message.contains(&format!("`{second}+t+s`")),
            "{message}"
        );
    }

    #[test]
    fn missing_things_list_the_near_ones() {
        let root = project("[]", &dataset(r#"[{"path":"set/N"}]"#));
        match Dataset::open(&root.path().join("data/e.json")).expect_err("is missing") {
            DatasetError::Missing { near, .. } => assert!(near[0].ends_with("data/d.json"), "{near:?}"),
            other => panic!("{other}"),
        }
        match Dataset::open(&root.path().join("data/d.json")).expect("opens").select().expect_err("is missing") {
            DatasetError::MissingCohort { near, position: 0, .. } => {
                assert!(near[0].ends_with("data/set/M"), "{near:?}");
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn paths_that_leave_the_project_are_refused() {
        let root = project("[]", &dataset(r#"[{"path":"../../x"}]"#));
        let error = Dataset::open(&root.path().join("data/d.json")).expect_err("is refused").to_string();
        assert!(error.ends_with("data/d.json: cohorts[0].path: path `../../x` climbs out with `..`"), "{error}");
    }
}
