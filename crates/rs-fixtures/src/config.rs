//! The files that people edit: the config, the datasets, and each cohort's `evals.json`.

use serde::Serialize;

use crate::evaluation::{COHORTS, EVALUATIONS};
use crate::plan::cohort_path;
use crate::task::{Guess, Mode, TASKS, Task, Value, View};

/// A file and its content.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Relative to the root, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) content: String,
}

/// The config, the datasets and the cohorts' lists.
pub(crate) fn tracked_files() -> Vec<TextFile> {
    let mut files = vec![
        TextFile { path: "configs/r12.yaml".to_owned(), content: config_yaml() },
        TextFile { path: "data/r12.json".to_owned(), content: dataset_json("r12", None) },
        TextFile {
            path: "data/r12-leaderboard.json".to_owned(),
            content: dataset_json("r12-leaderboard", Some("leaderboard")),
        },
    ];
    for cohort in 0..COHORTS.len() {
        files.push(TextFile { path: format!("{}/evals.json", cohort_path(cohort)), content: evals_json(cohort) });
    }
    files
}

#[derive(Serialize)]
struct DatasetFile<'a> {
    name: &'a str,
    db: String,
    cache: &'a str,
    config: &'a str,
    cohorts: Vec<CohortEntry<'a>>,
}

#[derive(Serialize)]
struct CohortEntry<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<CohortFilters<'a>>,
}

#[derive(Serialize)]
struct CohortFilters<'a> {
    tags: Vec<&'a str>,
}

fn dataset_json(name: &str, tag: Option<&str>) -> String {
    let cohorts = COHORTS.iter().map(|cohort| CohortEntry {
        path: format!("r12/{}/evals.json", cohort.folder),
        filters: tag.map(|tag| CohortFilters { tags: vec![tag] }),
    });
    pretty(&DatasetFile {
        name,
        db: format!("pointsdb-{name}.db"),
        cache: "r12/.cache",
        config: "../configs/r12.yaml",
        cohorts: cohorts.collect(),
    })
}

#[derive(Serialize)]
struct EvaluationEntry<'a> {
    evaluate: EvaluateEntry,
    filters: IdentityEntry<'a>,
    label: &'a str,
    groups: &'a [&'a str],
    tags: &'a [&'a str],
    hf_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<u64>,
}

#[derive(Serialize)]
struct EvaluateEntry {
    glob: String,
}

#[derive(Serialize)]
struct IdentityEntry<'a> {
    model: &'a str,
    template: &'a str,
    sampler: &'a str,
}

fn evals_json(cohort: usize) -> String {
    let entries =
        EVALUATIONS.iter().filter(|evaluation| evaluation.cohort == cohort).map(|evaluation| EvaluationEntry {
            evaluate: EvaluateEntry { glob: format!("{}/{}", cohort_path(cohort), evaluation.glob) },
            filters: IdentityEntry {
                model: evaluation.identity.model,
                template: evaluation.identity.template,
                sampler: evaluation.identity.sampler,
            },
            label: evaluation.label,
            groups: evaluation.groups,
            tags: evaluation.tags,
            hf_id: evaluation.hf_id,
            context: evaluation.context,
        });
    pretty(&entries.collect::<Vec<_>>())
}

/// JSON with two blanks of indent and a line end, as people and editors keep it.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "plain structs of strings and numbers always serialise")]
    let mut json = serde_json::to_string_pretty(value).expect("no map with other keys than strings");
    json.push('\n');
    json
}

fn config_yaml() -> String {
    let mut out = String::from(
        "# The r12 suite: twelve generated reasoning tasks, each over a grid of difficulty.\n\
         # The first value on every axis is the easiest, the last one the hardest.\n\
         name: r12\n\
         tasks:\n",
    );
    for (number, task) in TASKS.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        push_task(&mut out, task);
    }
    out
}

/// How replies tell their answers: see `trace::write_reply`.
const ANSWER_PATTERNS: [&str; 5] = [
    "<answer>(.*?)</answer>",
    r"\\boxed\{(.*?)\}",
    r"(?:\*\*Answer:\*\*|Answer:) (.*)",
    r"### Result\s+(.*)",
    "The answer is \"(.*)\"\\.",
];

fn push_task(out: &mut String, task: &Task) {
    out.push_str(&format!("  # {}\n", task.about));
    out.push_str(&format!("  - name: {}\n    label: {}\n", task.name, task.label));
    match task.mode {
        Mode::Grid => {
            out.push_str("    mode: grid\n    grid:\n");
            for axis in task.dimensions {
                let values: Vec<String> = axis.values.iter().map(|value| yaml(*value)).collect();
                out.push_str(&format!("      {}: [{}]\n", axis.name, values.join(", ")));
            }
        }
        Mode::Calibrate { target_tokens } => {
            let targets: Vec<String> = target_tokens.iter().map(i64::to_string).collect();
            out.push_str(&format!(
                "    mode: calibrate\n    calibrate: {{param: {}, target_tokens: [{}]}}\n",
                task.dimensions[0].name,
                targets.join(", ")
            ));
        }
    }
    out.push_str("    count: 32\n");
    match task.guess {
        Guess::Hopeless => out.push_str("    guess_chance: 0\n"),
        Guess::OneIn(choices) => {
            out.push_str(&format!("    guess_chance: {}\n", 1.0 / f64::from(choices)));
        }
        Guess::OneInParameter(name) => {
            out.push_str(&format!("    # guess_chance: 1 / {name}, in every record\n"));
        }
    }
    out.push_str("    answer_regex:\n");
    for pattern in ANSWER_PATTERNS {
        out.push_str(&format!("      - '{pattern}'\n"));
    }
    out.push_str("    views:\n");
    for view in task.views {
        push_view(out, view);
    }
}

fn push_view(out: &mut String, view: &View) {
    let kind = if view.y.is_some() { "surface" } else { "projection" };
    out.push_str(&format!("      - id: {}\n        label: {}\n        kind: {kind}\n", view.id, quoted(view.label)));
    out.push_str(&format!("        x: {}\n", view.x));
    if let Some(y) = view.y {
        out.push_str(&format!("        y: {y}\n"));
    }
    if !view.filters.is_empty() {
        let filters: Vec<String> =
            view.filters.iter().map(|(name, value)| format!("{name}: {}", yaml(*value))).collect();
        out.push_str(&format!("        filters: {{{}}}\n", filters.join(", ")));
    }
}

fn yaml(value: Value) -> String {
    value.to_string()
}

/// Labels with a comma or a colon are quoted: not all of them need it, and none is hurt.
fn quoted(label: &str) -> String {
    if label.contains([',', ':']) { format!("\"{label}\"") } else { label.to_owned() }
}
