//! From what was typed to what will be done.

use rs_cli::{CommandError, Ui};

use crate::arguments::Arguments;
use crate::forensics::Tokenizers;
use crate::loose;
use crate::plan::Plan;

/// Finds out what is to be done: of a dataset, or of loose files.
pub(crate) fn resolve(arguments: &Arguments, ui: &mut Ui) -> Result<Plan, CommandError> {
    let mut plan = match &arguments.dataset {
        Some(path) => Plan::of_dataset(path, arguments, ui)?,
        None => loose::plan(arguments, ui)?,
    };
    plan.check_ids(ui)?;
    if !arguments.eval_id.is_empty() {
        plan.ask_for(&arguments.eval_id)?;
    }
    if !arguments.no_forensics {
        let hf_ids = plan.evaluations.iter().filter_map(|evaluation| evaluation.entry.hf_id.as_deref());
        plan.tokenizers = Some(Tokenizers::find(&plan.tokenizer_folder, hf_ids, plan.cache.as_ref())?);
    }
    Ok(plan)
}
