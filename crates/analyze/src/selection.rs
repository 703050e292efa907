//! `--filters` and `--where`: which points a command is about.

use clap::Args;
use rs_cli::CommandError;
use rs_core::filters::Filters;
use rs_core::suggest;
use rs_pointsdb::queries;

use crate::source::Source;

/// Which points the command is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which points")]
pub(crate) struct SelectionArgs {
    /// Conditions as one JSON object, like '{"base_task": "arithmetic", "params.length": {">=": 16}}'.
    #[arg(long, value_name = "JSON")]
    filters: Option<String>,
    /// One condition, like base_task=arithmetic or params.length>=16; `|` parts alternatives. Can be repeated: all must hold.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
}

impl SelectionArgs {
    /// The conditions as typed, before anybody has looked whether the database knows their values.
    pub(crate) fn parse(&self) -> Result<Filters, CommandError> {
        let mut filters = self.filters.as_deref().map(Filters::parse).transpose()?.unwrap_or_default();
        for condition in &self.conditions {
            filters.add_where(condition)?;
        }
        Ok(filters)
    }
}

/// Refuses conditions on values that nothing in the database has: most are misspelt.
pub(crate) fn check(source: &Source, filters: &Filters) -> Result<(), CommandError> {
    let Some(unknown) = queries::unknown_value(&source.connection, filters).map_err(|error| source.error(error))?
    else {
        return Ok(());
    };
    let known: Vec<&str> = unknown.known.iter().map(String::as_str).collect();
    let (message, typed) = match &unknown.value {
        Some(value) => (format!("no `{}` is `{value}`", unknown.key), value.as_str()),
        None => (format!("no point has `{}`", unknown.key), unknown.key.as_str()),
    };
    Err(CommandError::input(message).maybe_hint(suggest::hint(typed, &known)))
}
