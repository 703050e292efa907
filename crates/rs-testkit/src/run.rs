//! Programs run as processes, or in the process of the test.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use rs_cli::{Program, Screen, Ui};
use serde::de::DeserializeOwned;

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        Self::ended(command.output().unwrap())
    }

    /// What a process left behind that somebody else waited for.
    #[must_use]
    pub fn ended(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The run, if it ended well.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The run with parts that differ from one time to the next, like folders and process ids, under other names.
    #[must_use]
    pub fn without(self, parts: &[(&str, &str)]) -> Self {
        let change = |text: String| parts.iter().fold(text, |text, (part, name)| text.replace(part, name));
        Self { code: self.code, stdout: change(self.stdout), stderr: change(self.stderr) }
    }

    /// What it printed, as a JSON document.
    #[must_use]
    #[track_caller]
    pub fn document<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// The document of a run that ended well and said nothing else.
    #[must_use]
    #[track_caller]
    pub fn document_alone<T: DeserializeOwned>(&self) -> T {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self}");
        self.document()
    }
}

/// For snapshots.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code {code}")?,
            None => writeln!(f, "killed")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "----- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}

/// Runs a program in this process, on a screen of which only the size need be true.
#[must_use]
#[track_caller]
pub fn run_here<P: Program>(arguments: impl IntoIterator<Item = OsString>, screen: Screen) -> Run {
    let program = P::parse_from(arguments);
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut ui = Ui::new(Box::new(out.clone()), Box::new(err.clone()), screen, program.common());
    let code = match program.run(&mut ui) {
        Ok(exit) => exit.exit_code(),
        Err(error) => {
            ui.failure(&error);
            error.exit_code()
        }
    };
    Run { code: Some(code.into()), stdout: out.text(), stderr: err.text() }
}

/// A place to write to that can be read afterwards.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
