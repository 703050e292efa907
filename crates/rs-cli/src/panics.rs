//! Panics: one that nobody catches is a bug, and ends the process with a bug's exit code.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rs_core::panic_text::panic_text;

use crate::command_error::{CommandError, Kind};

/// Name of threads on which foreign code runs that may panic at a user's input: whoever has started one says what that means,
/// so that the panic itself is not told.
pub const GUARDED_THREAD: &str = "guarded";

/// From now on panics of guarded threads are not told.
pub(crate) fn hush_guarded_threads() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(GUARDED_THREAD) {
            tell(panic);
        }
    }));
}

/// Runs a process; a panic is told and gives the exit code of a bug.
pub(crate) fn or_bug(process: impl FnOnce() -> ExitCode) -> ExitCode {
    // Nothing of the process is looked at afterwards.
    catch_unwind(AssertUnwindSafe(process)).unwrap_or_else(|panic| {
        let error = CommandError::new(Kind::Bug, format!("this is a bug: {}", panic_text(&*panic)))
            .hint("please report it, with what stands above and what was typed");
        // Where nobody can be told the exit code must do.
        let _ = writeln!(std::io::stderr(), "{error}");
        ExitCode::from(error.exit_code())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug() {
        assert_eq!(or_bug(|| ExitCode::from(1)), ExitCode::from(1));
        assert_eq!(or_bug(|| panic!("{}", "made up")), ExitCode::from(70));
    }
}
