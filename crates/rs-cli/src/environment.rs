//! What the environment says, as a value that is handed on: tests give their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Finds the value of a variable.
type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// Environment variables, asked by name.
#[derive(Clone)]
pub struct Environment {
    lookup: Arc<Lookup>,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks for what others are told")]
        Self { lookup: Arc::new(|name| std::env::var_os(name)) }
    }

    /// Variables with their values, and no others.
    pub fn of<N: Into<String>, V: Into<OsString>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables: BTreeMap<String, OsString> =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { lookup: Arc::new(move |name| variables.get(name).cloned()) }
    }

    /// The text of a variable; `None` where it is not set, blank, or not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let text = (self.lookup)(name)?.into_string().ok()?;
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    }

    /// The text of the first of these variables that has one.
    #[must_use]
    pub fn first_text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// The path in a variable; `None` where it is not set or empty.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        (self.lookup)(name).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// The user's home folder, if there is one.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }
}

/// Without names and values: the environment holds secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_is_not_set() {
        let environment = Environment::of([("A", " a "), ("B", " "), ("C", "")]);
        assert_eq!(environment.text("A").as_deref(), Some("a"));
        assert_eq!((environment.text("B"), environment.text("C"), environment.text("D")), (None, None, None));
        assert_eq!(environment.first_text(&["D", "B", "A"]).as_deref(), Some("a"));
        assert_eq!((environment.path("C"), environment.home()), (None, None));
        assert_eq!(Environment::of([("HOME", "/home/u")]).home(), Some(PathBuf::from("/home/u")));
        assert_eq!(format!("{environment:?}"), "Environment { .. }");
    }
}
