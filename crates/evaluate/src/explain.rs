//! `evaluate --explain`: what would be reused, and why not.

use rs_cli::{CommandError, Exit, Ui};
use rs_core::collect::{self, Cache, UseOfEntries};

use crate::arguments::Arguments;
use crate::batch::{forensics, inputs};
use crate::old::{OldDatabase, Way, reasoned_way};
use crate::plan::Plan;
use crate::report::{Explanation, ExplanationRow};
use crate::run::now_nanos;

/// Tells what would be reused of each evaluation, and why not; does nothing.
pub(crate) fn explain(
    plan: &Plan,
    arguments: &Arguments,
    old: &OldDatabase,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let use_of_entries = if arguments.force { UseOfEntries::Replaced } else { UseOfEntries::Used };
    let cache = plan.cache.as_ref().map(|folder| Cache::open(folder, now_nanos(), use_of_entries));
    let mut explanation =
        Explanation { schema: "evaluate.explain/1", dataset: plan.dataset.clone(), evaluations: Vec::new() };
    for evaluation in &plan.evaluations {
        let (way, reason) = reasoned_way(evaluation, plan, arguments, old);
        let (wanted, inputs) = inputs(plan, &[evaluation]);
        let kept = match (&cache, forensics(plan, &[evaluation])) {
            (Some(cache), Some(forensics)) => collect::count_kept(&wanted, &inputs, &forensics, cache),
            _ => 0,
        };
        explanation.evaluations.push(ExplanationRow {
            eval_id: evaluation.eval_id.to_string(),
            label: evaluation.entry.label.clone(),
            rows: match way {
                Way::Read => "made anew",
                Way::Reuse => "taken over",
                Way::LeaveOut => "left out",
            },
            reason,
            files: inputs.len() as u64,
            files_in_cache: kept,
        });
    }
    arguments.output.print(ui, &explanation)?;
    Ok(Exit::Done)
}
