//! What is to be pulled, before anybody looks what is here.

use std::collections::{BTreeMap, BTreeSet};

use rs_cli::{CommandError, Ui};
use rs_core::dataset::Dataset;
use rs_core::manifest::EvalBlobs;
use rs_core::pack::Existing;
use rs_core::{paths, suggest};

use super::{Common, What};
use crate::items::Items;
use crate::library::Library;

/// What is wanted, from where, and how.
pub(super) struct Plan<'a> {
    pub(super) library: Library,
    pub(super) common: &'a Common,
    pub(super) wanted: Items,
    /// What becomes of a database that is here and is another one.
    pub(super) existing: Existing,
}

/// Finds what the manifest has of what was named.
pub(super) fn plan<'a>(what: &'a What, ui: &mut Ui) -> Result<Plan<'a>, CommandError> {
    let mut wanted = Items::default();
    match what {
        What::Dataset { file, raw, force, common } => {
            let dataset = Dataset::open(file)?;
            let library = Library::of_dataset(file)?;
            match library.manifest.databases.get(&dataset.name) {
                Some(database) => wanted.add_database(&dataset, database, ui)?,
                None if *raw => {
                    ui.note(&format!("{} has no database of `{}`", paths::show(&library.file), dataset.name));
                }
                None => {
                    let names: Vec<&str> = library.manifest.databases.keys().map(String::as_str).collect();
                    return Err(CommandError::input(format!(
                        "{} has no database of dataset `{}`",
                        paths::show(&library.file),
                        dataset.name
                    ))
                    .maybe_hint(suggest::hint(&dataset.name, &names).or(Some("data push dataset FILE".into()))));
                }
            }
            if *raw {
                wanted.add_selection(&library, dataset.select()?, ui)?;
            }
            let existing = if *force { Existing::Replace } else { Existing::Refuse };
            Ok(Plan { library, common, wanted, existing })
        }
        What::Cohort { folders, common } => {
            let library = Library::of_pushed_cohort(&folders[0])?;
            let mut named = BTreeSet::new();
            for folder in folders {
                let name = library.name_of(folder)?;
                if !named.insert(name.clone()) {
                    continue;
                }
                let evals: Vec<&EvalBlobs> = library.evals_of(&name).map(|(_, eval)| eval).collect();
                if evals.is_empty() {
                    return Err(library.unknown_cohort(&name));
                }
                wanted.add_evals(&library, &name, &evals);
            }
            Ok(Plan { library, common, wanted, existing: Existing::Refuse })
        }
        What::Eval { ids, data, common } => {
            let library = Library::open_named(data)?;
            let mut chosen: BTreeMap<&str, Vec<&EvalBlobs>> = BTreeMap::new();
            for typed in ids {
                let eval = library.eval(typed)?;
                chosen.entry(&eval.cohort).or_default().push(eval);
            }
            for (cohort, evals) in chosen {
                wanted.add_evals(&library, cohort, &evals);
            }
            Ok(Plan { library, common, wanted, existing: Existing::Refuse })
        }
    }
}
