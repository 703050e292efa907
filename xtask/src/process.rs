//! Running other programs.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitStatus};

use crate::workspace;

/// Why another program did not do its job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// It could not be started.
    #[error("could not start `{program}`")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// It ended, and not well.
    #[error("`{command}` ended with {status}")]
    Failed { command: String, status: ExitStatus },
    /// It wrote something that is no text.
    #[error("`{command}` wrote something that is not UTF-8")]
    NotText { command: String },
}

/// A cargo command in the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    #[expect(clippy::disallowed_methods, reason = "cargo says here which cargo started this program")]
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root());
    command
}

/// Runs a command with this one's stdout and stderr.
///
/// # Errors
///
/// If it does not start, or does not end with 0.
pub(crate) fn run(command: &mut Command) -> Result<(), ProcessError> {
    let status = command.status().map_err(|source| start_error(command, source))?;
    if status.success() { Ok(()) } else { Err(ProcessError::Failed { command: shown(command), status }) }
}

/// Runs a command and returns what it wrote to stdout; its stderr goes to this one's.
///
/// # Errors
///
/// If it does not start, does not end with 0, or writes something other than UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String, ProcessError> {
    let output =
        command.stderr(std::process::Stdio::inherit()).output().map_err(|source| start_error(command, source))?;
    if !output.status.success() {
        return Err(ProcessError::Failed { command: shown(command), status: output.status });
    }
    String::from_utf8(output.stdout).map_err(|_| ProcessError::NotText { command: shown(command) })
}

fn start_error(command: &Command, source: io::Error) -> ProcessError {
    ProcessError::Start { program: command.get_program().display().to_string(), source }
}

/// A command as one would type it: the program's own name, and its arguments.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=,:@+%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::shown;

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("/a/b/analyze");
        command.args(["tasks", "data/r12.json", "--where", "params.length>=16"]);
        assert_eq!(shown(&command), "analyze tasks data/r12.json --where 'params.length>=16'");
    }
}
