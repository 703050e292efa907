//! The config's views as selections of points.

use rs_cli::{CommandError, Ui};
use rs_core::filters::{Condition, Filters, Key, Test};
use rs_core::suggest;
use rs_pointsdb::queries::groups;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::source::Source;

/// A view of a task that has points.
pub(crate) struct TaskView {
    pub base_task: String,
    pub id: String,
    /// The task's and the view's.
    pub label: String,
    pub x: Dimension,
    pub y: Option<Dimension>,
    /// Which of the task's points are in it.
    pub conditions: Filters,
}

impl TaskView {
    /// The points in it, of those that the filters leave.
    pub(crate) fn within(&self, filters: &Filters) -> Filters {
        let mut filters = filters.clone();
        let test = Test::AnyOf(vec![Value::from(self.base_task.as_str())]);
        filters.conditions.push(Condition { key: Key::Column("base_task"), test });
        filters.conditions.extend(self.conditions.conditions.iter().cloned());
        filters
    }
}

/// The config's views, those of this id if there is one, of the tasks that have points under the filters. None only where
/// there are no points.
///
/// # Errors
/// There is no config, it has no such view, or the database cannot be read; `otherwise` tells how to do without views.
pub(crate) fn of_tasks(
    id: Option<&str>,
    filters: &Filters,
    source: &Source,
    otherwise: &str,
    ui: &mut Ui,
) -> Result<Vec<TaskView>, CommandError> {
    let Some(config) = source.config(ui)? else {
        let what =
            if source.dataset.is_some() { "the dataset names no config" } else { "a bare database has no config" };
        return Err(CommandError::input(format!("{what}, and so no views")).hint(otherwise));
    };
    let base_task = Key::Column("base_task");
    let present = groups::sums(&source.connection, filters, std::slice::from_ref(&base_task));
    let mut present: Vec<Value> =
        present.map_err(|error| source.error(error))?.into_iter().flat_map(|sums| sums.group).collect();
    present.sort_by(dimension::compare);
    present.dedup();
    let mut found = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for task in config.tasks.iter().filter(|task| present.iter().any(|name| name.as_str() == Some(task.name.as_str())))
    {
        for view in &task.views {
            known.push(&view.id);
            if id.is_some_and(|id| id != view.id) {
                continue;
            }
            let mut conditions = Filters::default();
            for (key, values) in view.conditions() {
                if let Some(key) = member(key) {
                    let test = Test::AnyOf(values.into_iter().cloned().collect());
                    conditions.conditions.push(Condition { key, test });
                }
            }
            let dimension = |text: &str| text.parse::<Dimension>().map_err(CommandError::input);
            found.push(TaskView {
                base_task: task.name.clone(),
                id: view.id.clone(),
                label: format!("{}: {}", task.label, view.label),
                x: dimension(&view.x)?,
                y: view.y.as_deref().map(dimension).transpose()?,
                conditions,
            });
        }
    }
    if let Some(typed) = id.filter(|_| found.is_empty() && !present.is_empty()) {
        known.sort_unstable();
        known.dedup();
        let message = format!("no task here has a view `{typed}`");
        return Err(CommandError::input(message).maybe_hint(suggest::hint(typed, &known)));
    }
    if found.is_empty() && !present.is_empty() {
        return Err(CommandError::input("the config has no views of these tasks").hint(otherwise));
    }
    Ok(found)
}

fn member(text: &str) -> Option<Key> {
    match text.split_once('.')? {
        ("params", name) => Some(Key::Member("params", name.to_owned())),
        ("manifold", name) => Some(Key::Member("manifold", name.to_owned())),
        _ => None,
    }
}
