//! Panics: one that nobody catches is a bug, and ends the process with a bug's exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rs_core::panics;

use crate::command_error::{CommandError, Kind};
use crate::common_args::CommonArgs;
use crate::ui::Ui;

/// From now on a panic that is caught is told by whoever catches it alone.
pub(crate) fn hush_caught() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panics::is_caught() {
            tell(panic);
        }
    }));
}

/// Runs a process; a panic is told and gives the exit code of a bug.
pub(crate) fn or_bug(process: impl FnOnce() -> ExitCode) -> ExitCode {
    // Nothing of the process is looked at afterwards.
    catch_unwind(AssertUnwindSafe(process)).unwrap_or_else(|panic| {
        let error = CommandError::new(Kind::Bug, format!("this is a bug: {}", panics::text(&*panic)))
            .hint("please report it, with what stands above and what was typed");
        Ui::of_process(&CommonArgs::default()).failure(&error);
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
