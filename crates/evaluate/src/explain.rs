//! `evaluate --explain`: what would be reused, and why not.

use std::borrow::Cow;

use rs_cli::{CommandError, Exit, Ui};
use rs_core::collect;

use crate::arguments::Arguments;
use crate::batch::{forensics, inputs};
use crate::forensics::Loaded;
use crate::old::{OldDatabase, Way, reasoned_way};
use crate::plan::{Plan, PlannedEval};
use crate::report::{Explanation, ExplanationRow};

/// Tells what would be reused of each evaluation, and why not; does nothing.
pub(crate) fn explain(
    plan: &Plan,
    arguments: &Arguments,
    old: &OldDatabase,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let mut explanation =
        Explanation { schema: "evaluate.explain/1", dataset: plan.dataset.clone(), evaluations: Vec::new() };
    let ways: Vec<(Way, Cow<'static, str>)> =
        plan.evaluations.iter().map(|evaluation| reasoned_way(evaluation, plan, arguments, old)).collect();
    // Whose records are wanted of a file is told by all evaluations that are read.
    let read: Vec<&PlannedEval> =
        plan.evaluations.iter().zip(&ways).filter(|(_, (way, _))| *way == Way::Read).map(|(eval, _)| eval).collect();
    let (wanted, inputs) = inputs(plan, &read);
    let loaded = Loaded::default();
    let kept = match (&plan.cache, forensics(plan, &read, &loaded)) {
        (Some(cache), Some(forensics)) => collect::find_kept(&wanted, &inputs, &forensics, cache),
        _ => vec![false; inputs.len()],
    };
    for (evaluation, (way, reason)) in plan.evaluations.iter().zip(ways) {
        let position = read.iter().position(|read| read.eval_id == evaluation.eval_id);
        let n_kept = position.map(|position| {
            inputs.iter().zip(&kept).filter(|(input, kept)| **kept && input.evaluations.contains(&position)).count()
        });
        explanation.evaluations.push(ExplanationRow {
            eval_id: evaluation.eval_id.to_string(),
            label: evaluation.entry.label.clone(),
            rows: match way {
                Way::Read => "made anew",
                Way::Reuse => "taken over",
                Way::LeaveOut => "left out",
            },
            reason,
            files: evaluation.files.len() as u64,
            files_in_cache: n_kept.map(|n_kept| n_kept as u64),
        });
    }
    arguments.output.print(ui, &explanation)?;
    Ok(Exit::Done)
}
