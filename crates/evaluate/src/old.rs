//! The old database, and what becomes of each evaluation because of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rs_cli::{CommandError, Ui};
use rs_core::eval_id::EvalId;
use rs_pointsdb::PointsDbError;
use rs_pointsdb::connection::{Limits, open_to_read};
use rs_pointsdb::queries::{self, EvalSummary};

use crate::arguments::Arguments;
use crate::errors::db_error;
use crate::plan::{Plan, PlannedEval};

/// What is to become of an evaluation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Read its files.
    Read,
    /// Take its rows over from the old database.
    Reuse,
    /// It was not asked for, and the old database has none of it.
    LeaveOut,
}

/// Whether nothing of the old database is wanted.
pub(crate) fn reads_all(arguments: &Arguments) -> bool {
    arguments.force && arguments.eval_id.is_empty()
}

/// What the old database holds.
#[derive(Default)]
pub(crate) struct OldDatabase {
    /// Its evaluations by id.
    pub(crate) evals: BTreeMap<String, EvalSummary>,
    /// Name of the config in force when it was made; `None` if there is no database that can be used.
    pub(crate) config: Option<String>,
    /// Whether there is a database whose rows cannot be taken over.
    is_lost: bool,
}

impl OldDatabase {
    pub(crate) fn read(plan: &Plan, limits: Limits, ui: &mut Ui) -> Result<Self, CommandError> {
        let _span = tracing::info_span!("read old").entered();
        let connection = match open_to_read(&plan.db, limits) {
            Ok(connection) => connection,
            Err(PointsDbError::Missing { .. }) => return Ok(Self::default()),
            Err(error @ PointsDbError::SchemaVersion { .. }) => {
                ui.note(&format!("{error}; everything is read again"));
                return Ok(Self { is_lost: true, ..Self::default() });
            }
            Err(error) => return Err(unusable(error)),
        };
        let refused = |source| unusable(PointsDbError::DuckDb { path: plan.db.clone(), source });
        let dataset = queries::meta(&connection, "dataset").map_err(refused)?.unwrap_or_default();
        if dataset != plan.dataset {
            let what = format!("`{}` holds dataset `{dataset}`, not `{}`", plan.db.display(), plan.dataset);
            return Err(CommandError::input(what)
                .hint("write elsewhere with `--db FILE`; `--force` without `--eval-id` replaces it"));
        }
        let config = queries::meta(&connection, "config").map_err(refused)?;
        let evals = queries::evals(&connection, &rs_core::filters::Filters::default()).map_err(refused)?;
        let evals = evals.into_iter().map(|summary| (summary.eval_id.clone(), summary)).collect();
        Ok(Self { evals, config, is_lost: false })
    }
}

/// An old database that cannot be read: it may be worth a repair, so that it is for the user to remove.
pub(crate) fn unusable(error: PointsDbError) -> CommandError {
    let is_damaged = matches!(error, PointsDbError::DuckDb { .. });
    let hint = "remove it, and it is built anew; or write elsewhere with `--db FILE`";
    db_error(error).maybe_hint(is_damaged.then(|| hint.to_owned()))
}

/// What becomes of each evaluation.
pub(crate) type Ways<'a> = BTreeMap<&'a EvalId, Way>;

pub(crate) fn ways<'a>(plan: &'a Plan, arguments: &Arguments, old: &OldDatabase) -> Ways<'a> {
    let way = |evaluation: &PlannedEval| reasoned_way(evaluation, plan, arguments, old).0;
    plan.evaluations.iter().map(|evaluation| (&evaluation.eval_id, way(evaluation))).collect()
}

/// Whether rows are of files that are elsewhere now.
pub(crate) fn is_lessened(evaluation: &PlannedEval, old: &EvalSummary) -> bool {
    evaluation.is_partly_absent && old.n_points > 0 && old.n_files > evaluation.files.len() as u64
}

/// What becomes of an evaluation, and why, for people.
pub(crate) fn reasoned_way(
    evaluation: &PlannedEval,
    plan: &Plan,
    arguments: &Arguments,
    old: &OldDatabase,
) -> (Way, Cow<'static, str>) {
    let Some(rows) = old.evals.get(evaluation.eval_id.as_str()) else {
        return match (evaluation.is_asked_for, old.is_lost) {
            (false, false) => (Way::LeaveOut, "not asked for, and not in the database".into()),
            (_, true) => (Way::Read, "the database is of another version".into()),
            (true, false) => (Way::Read, "not in the database".into()),
        };
    };
    let tokenizers = plan.tokenizers.as_ref();
    let (way, reason) = if !evaluation.is_asked_for {
        (Way::Reuse, "not asked for")
    } else if arguments.force {
        (Way::Read, "--force")
    } else if evaluation.files.is_empty() && rows.n_points > 0 {
        // Raw data may be elsewhere; that is no reason to lose its points.
        (Way::Reuse, "no raw file is here")
    } else if is_lessened(evaluation, rows) {
        (Way::Reuse, "not all raw files are here")
    } else if arguments.strict && rows.n_malformed > 0 {
        // `--strict` is to meet the malformed lines.
        (Way::Read, "--strict, and malformed lines")
    } else if evaluation.is_current(&rows.fingerprint, tokenizers) {
        (Way::Reuse, "unchanged")
    } else if evaluation.is_current(&rows.fingerprint, None) {
        (Way::Read, "no forensics, or another tokenizer's")
    } else if rows.n_files != evaluation.files.len() as u64 {
        return (Way::Read, format!("{} raw files, before {}", evaluation.files.len(), rows.n_files).into());
    } else {
        (Way::Read, "entry, sizes or times of files changed")
    };
    (way, reason.into())
}

/// The evaluations that go this way.
pub(crate) fn ids(ways: &Ways<'_>, wanted: Way) -> Vec<EvalId> {
    ways.iter().filter(|(_, way)| **way == wanted).map(|(id, _)| (*id).clone()).collect()
}
