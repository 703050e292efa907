//! The figures of one evaluation in one group of points, with their intervals: what most commands show.

use std::collections::{BTreeMap, BTreeSet};

use rs_cli::{Cell, CommandError};
use rs_core::filters::{Filters, Key};
use rs_core::statistics::{self, Confidence, TaskInterval, TaskTrials, Wilson, wilson_clustered};
use rs_pointsdb::queries::groups::{self, GroupSums, QuestionSums, TaskPart};
use serde::Serialize;
use serde_json::Value;

use crate::source::Source;

/// Truncated share of trials above which it is shown beside an accuracy.
pub(crate) const SHOWN_TRUNCATED_RATIO: f64 = 0.02;

/// The sums of one evaluation in one group, and how much its repetitions are worth.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub sums: GroupSums,
    /// Design effect of the answered trials: 1 without repetitions.
    effect_of_answered: f64,
    /// The same of all trials, truncated ones as failures.
    effect_of_trials: f64,
}

/// The figures of each evaluation in each group that the filters leave.
pub(crate) fn load(source: &Source, filters: &Filters, by: &[Key]) -> Result<Vec<Figures>, CommandError> {
    let error = |error| source.error(error);
    let sums = groups::sums(&source.connection, filters, by).map_err(error)?;
    let repeated = repeated(&sums);
    let questions = if repeated.is_empty() {
        Vec::new()
    } else {
        groups::questions(&source.connection, filters, by, &repeated).map_err(error)?
    };
    Ok(with_effects(sums, &questions))
}

/// The same of each of these parts of the points that the filters leave.
pub(crate) fn load_parts(
    source: &Source,
    filters: &Filters,
    parts: &[TaskPart],
) -> Result<Vec<Vec<Figures>>, CommandError> {
    let error = |error| source.error(error);
    let sums = groups::sums_of_parts(&source.connection, filters, parts).map_err(error)?;
    let repeated = repeated(sums.iter().flatten());
    let mut questions = if repeated.is_empty() {
        Vec::new()
    } else {
        groups::questions_of_parts(&source.connection, filters, parts, &repeated).map_err(error)?
    };
    questions.resize_with(parts.len(), Vec::new);
    Ok(sums.into_iter().zip(&questions).map(|(sums, questions)| with_effects(sums, questions)).collect())
}

/// The evaluations that asked some question more than once.
fn repeated<'a>(sums: impl IntoIterator<Item = &'a GroupSums>) -> Vec<String> {
    let repeated: BTreeSet<&str> =
        sums.into_iter().filter(|sums| sums.has_repetitions).map(|sums| sums.eval_id.as_str()).collect();
    repeated.into_iter().map(str::to_owned).collect()
}

/// Adds how much repetitions are worth.
fn with_effects(sums: Vec<GroupSums>, questions: &[QuestionSums]) -> Vec<Figures> {
    let mut effects = BTreeMap::new();
    for questions in questions.chunk_by(|a, b| (&a.eval_id, &a.group) == (&b.eval_id, &b.group)) {
        let key = (questions[0].eval_id.as_str(), Value::from(questions[0].group.clone()).to_string());
        let each = |of: fn(&QuestionSums) -> (u64, u64)| {
            let questions = questions.iter().flat_map(move |sums| (0..sums.n_questions).map(move |_| of(sums)));
            statistics::design_effect(questions)
        };
        let answered = each(|sums| (sums.correct, sums.answered));
        let trials = each(|sums| (sums.correct, sums.trials));
        effects.insert(key, (answered.unwrap_or(1.0), trials.unwrap_or(1.0)));
    }
    let figures = |sums: GroupSums| {
        let key = (sums.eval_id.as_str(), Value::from(sums.group.clone()).to_string());
        let (effect_of_answered, effect_of_trials) = effects.get(&key).copied().unwrap_or((1.0, 1.0));
        Figures { sums, effect_of_answered, effect_of_trials }
    };
    sums.into_iter().map(figures).collect()
}

impl Figures {
    /// The interval of the adjusted accuracy; `None` for N ≤ 0.
    pub(crate) fn wilson(&self, confidence: Confidence) -> Option<Wilson> {
        wilson_clustered(&self.sums.counters, self.effect_of_answered, confidence.z())
    }

    /// What ReasonScore is made of; `None` where there is no trial to speak of.
    pub(crate) fn trials(&self) -> Option<TaskTrials> {
        let (successes, trials) = (self.sums.counters.adjusted_successes(), self.sums.counters.success_trials());
        let effect = self.effect_of_trials;
        (trials > 0.0).then(|| TaskTrials { successes: successes / effect, trials: trials / effect })
    }

    /// What m12x is made of. Where nothing was answered, nothing was right.
    pub(crate) fn task_interval(&self, confidence: Confidence) -> Option<TaskInterval> {
        let truncated_ratio = self.sums.counters.truncated_ratio()?;
        match self.wilson(confidence) {
            Some(wilson) => Some(TaskInterval { upper: wilson.center + wilson.margin, truncated_ratio }),
            None if self.sums.counters.answered == 0 => Some(TaskInterval { upper: 0.0, truncated_ratio }),
            None => None,
        }
    }

    /// Mean completion tokens of answered trials; `None` if none tells them.
    pub(crate) fn mean_tokens(&self) -> Option<f64> {
        (self.sums.n_with_tokens > 0).then(|| self.sums.tokens_sum / self.sums.n_with_tokens as f64)
    }

    /// `.87 ±.02`, with the truncated share where it matters.
    pub(crate) fn cell(&self, confidence: Confidence) -> Cell {
        let wilson = self.wilson(confidence);
        Cell::Share {
            center: wilson.map(|wilson| wilson.center),
            margin: wilson.map_or(0.0, |wilson| wilson.margin),
            truncated: self.sums.counters.truncated_ratio().filter(|ratio| *ratio > SHOWN_TRUNCATED_RATIO),
            trials: None,
        }
    }

    /// For machines.
    pub(crate) fn row(&self, confidence: Confidence) -> FiguresRow {
        let counters = &self.sums.counters;
        let wilson = self.wilson(confidence);
        let success = self.trials();
        let success_wilson = success.and_then(|task| statistics::wilson(task.successes, task.trials, confidence.z()));
        FiguresRow {
            points: self.sums.n_points,
            correct: counters.correct,
            invalid: counters.invalid,
            answered: counters.answered,
            truncated: counters.truncated,
            guess_sum: counters.guess_sum,
            truncated_ratio: counters.truncated_ratio(),
            accuracy: counters.adjusted_accuracy(),
            center: wilson.map(|wilson| wilson.center),
            margin: wilson.map(|wilson| wilson.margin),
            lower: wilson.map(|wilson| wilson.interval().lower),
            upper: wilson.map(|wilson| wilson.interval().upper),
            p_success: counters.p_success(),
            p_success_lower: success_wilson.map(|wilson| wilson.interval().lower),
            p_success_upper: success_wilson.map(|wilson| wilson.interval().upper),
            design_effect: self.effect_of_answered,
            p_success_design_effect: self.effect_of_trials,
            mean_tokens: self.mean_tokens(),
        }
    }
}

/// What machines get of [`Figures`]; part of several documents.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FiguresRow {
    pub points: u64,
    pub correct: u64,
    pub invalid: u64,
    /// Answered trials: truncated ones are not among them.
    pub answered: u64,
    pub truncated: u64,
    pub guess_sum: f64,
    pub truncated_ratio: Option<f64>,
    /// Adjusted accuracy; null for N ≤ 0.
    pub accuracy: Option<f64>,
    /// Centre and half-width of its Wilson interval, and the interval, clamped to 0..=1; repetitions are accounted for.
    pub center: Option<f64>,
    pub margin: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    /// The same with truncated trials as failures.
    pub p_success: Option<f64>,
    pub p_success_lower: Option<f64>,
    pub p_success_upper: Option<f64>,
    /// How many trials are worth one independent trial: 1 without repetitions.
    pub design_effect: f64,
    /// The same of answered and truncated trials, for `p_success`.
    pub p_success_design_effect: f64,
    /// Of answered trials.
    pub mean_tokens: Option<f64>,
}

/// What cells of [`Figures::cell`] show: not the plain ratio, which lies farther from one half.
pub(crate) const CELL_HEADING: &str = "Accuracy less guesses, as Wilson centre ±margin; t: % truncated, above 2 %";

/// Columns of [`FiguresRow::facts`].
pub(crate) const FACTS: [&str; 21] = [
    "eval_id",
    "label",
    "group",
    "points",
    "answered",
    "correct",
    "invalid",
    "truncated",
    "truncated_ratio",
    "accuracy",
    "center",
    "lower",
    "upper",
    "p_success",
    "p_success_lower",
    "p_success_upper",
    "mean_tokens",
    "guess_sum",
    "margin",
    "design_effect",
    "p_success_design_effect",
];

impl FiguresRow {
    /// A row of CSV.
    pub(crate) fn facts(&self, eval_id: &str, label: &str, group: &str) -> Vec<Cell> {
        let text = |text: &str| Cell::Text(text.to_owned());
        let counts = [self.points, self.answered, self.correct, self.invalid, self.truncated];
        let numbers = [
            self.truncated_ratio,
            self.accuracy,
            self.center,
            self.lower,
            self.upper,
            self.p_success,
            self.p_success_lower,
            self.p_success_upper,
            self.mean_tokens,
            Some(self.guess_sum),
            self.margin,
            Some(self.design_effect),
            Some(self.p_success_design_effect),
        ];
        let numbers = numbers.map(|number| Cell::option(number, |number| Cell::Number(number, 4)));
        [text(eval_id), text(label), text(group)].into_iter().chain(counts.map(Cell::Count)).chain(numbers).collect()
    }
}

/// Mean tokens of some groups of one evaluation taken together.
pub(crate) fn total_mean_tokens<'a>(figures: impl Iterator<Item = &'a Figures>) -> Option<f64> {
    let (sum, n) =
        figures.fold((0.0, 0), |(sum, n), figures| (sum + figures.sums.tokens_sum, n + figures.sums.n_with_tokens));
    (n > 0).then(|| sum / n as f64)
}
