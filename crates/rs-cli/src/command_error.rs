//! How a command ends, and what it says when it fails.

use std::error::Error;
use std::fmt;

use rs_config::ConfigError;
use rs_core::cohort::CohortError;
use rs_core::dataset::DatasetError;
use rs_core::document::DocumentError;
use rs_core::filters::FilterError;
use rs_core::library::LibraryError;
use rs_core::manifest::ManifestError;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, and the answer is negative: malformed records, differences, damage.
    Negative,
}

/// What kind of failure it was; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the user gave is wrong.
    Input,
    /// Done as far as asked, and the answer is negative.
    Negative,
    /// Disk, network, lock, or a stop from outside.
    Environment,
    /// Nobody reads the output any more.
    ClosedPipe,
    /// A mistake of this program.
    Bug,
}

/// Why a command failed, and what the user can do.
#[derive(Debug)]
pub struct CommandError {
    /// The kind.
    pub kind: Kind,
    /// The error and its causes.
    pub error: Box<dyn Error + Send + Sync>,
    /// Commands or changes that would work.
    pub hints: Vec<String>,
}

impl CommandError {
    /// A failure without hints.
    pub fn new(kind: Kind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new() }
    }

    /// The user's input is wrong.
    pub fn input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Input, error)
    }

    /// The environment failed.
    pub fn environment(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Environment, error)
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a hint if there is one.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::ClosedPipe => 0,
            Kind::Negative => 1,
            Kind::Input => 2,
            Kind::Environment => 3,
            Kind::Bug => 70,
        }
    }
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Negative => 1,
        }
    }
}

/// `error: what`, its causes, and hints, a line each.
impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        let mut said = self.error.to_string();
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors repeat their cause in their own words.
            if !said.contains(&text) {
                write!(f, "\n  caused by: {text}")?;
            }
            said = text;
            cause = error.source();
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// A missing or wrong file is the user's input; a file that is there and cannot be read is the environment.
fn kind_of_io(error: &std::io::Error) -> Kind {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory | std::io::ErrorKind::NotADirectory => {
            Kind::Input
        }
        std::io::ErrorKind::BrokenPipe => Kind::ClosedPipe,
        _ => Kind::Environment,
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::new(kind_of_io(&error), error)
    }
}

impl From<DocumentError> for CommandError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Io(error) => error.into(),
            other => Self::input(other),
        }
    }
}

impl From<CohortError> for CommandError {
    fn from(error: CohortError) -> Self {
        match error {
            CohortError::Document(error) => error.into(),
            CohortError::Library(error) => error.into(),
            CohortError::Missing { .. } => Self::input(error).hint("`cohort list` shows the cohorts there are"),
            CohortError::List { .. } | CohortError::CurrentFolder(_) => Self::environment(error),
            other => Self::input(other),
        }
    }
}

impl From<DatasetError> for CommandError {
    fn from(error: DatasetError) -> Self {
        match error {
            DatasetError::Document(error) => error.into(),
            DatasetError::Cohort(error) => error.into(),
            DatasetError::Missing { ref near, .. } | DatasetError::MissingCohort { ref near, .. } => {
                let near = near.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let hint = (!near.is_empty()).then(|| format!("there are {near}"));
                Self::input(error).maybe_hint(hint)
            }
            other => Self::input(other),
        }
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Document(error) => error.into(),
            other => Self::input(other),
        }
    }
}

impl From<ManifestError> for CommandError {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::Document(error) => error.into(),
            ManifestError::Write(error) => Self::environment(error),
            ManifestError::Conflict { .. } => Self::input(error)
                .hint("resolve the merge conflict: each line stands for itself, so what both sides have added stays"),
            other => Self::input(other),
        }
    }
}

impl From<LibraryError> for CommandError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Manifest(error) => error.into(),
            LibraryError::CurrentFolder(_) => Self::environment(error),
        }
    }
}

impl From<FilterError> for CommandError {
    fn from(error: FilterError) -> Self {
        let hint = match &error {
            FilterError::UnknownKey { hint, .. } => Some(hint.clone()),
            _ => None,
        };
        Self::input(error).maybe_hint(hint)
    }
}
