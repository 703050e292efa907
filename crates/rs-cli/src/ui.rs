//! What a command says: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rs_core::monitor::Monitor;

use crate::command_error::{CommandError, Kind};
use crate::common_args::{ColorChoice, CommonArgs};
use crate::progress::Progress;

/// What to do about blobs that cannot be read: a note.
pub const DAMAGED_BLOBS: &str = "a blob is damaged: `data verify --repair` fetches a good copy";

/// Columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// What is known of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Screen {
    /// Columns of the terminal that standard output is; `None` for a pipe or file, which is as wide as needed. With
    /// `RS_COLUMNS` set, a pipe is like a terminal of that width: documents show what people see.
    pub width: Option<usize>,
    /// Whether standard error is a terminal.
    pub is_live: bool,
    /// Whether messages are coloured.
    pub has_color: bool,
}

/// The way to the user.
pub struct Ui {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    screen: Screen,
    is_quiet: bool,
    is_verbose: bool,
}

impl Ui {
    /// Standard output and standard error of this process.
    #[must_use]
    pub fn of_process(common: &CommonArgs) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks about the terminal")]
        let (no_color, columns, forced) =
            (std::env::var_os("NO_COLOR"), std::env::var("COLUMNS"), std::env::var("RS_COLUMNS"));
        let is_live = io::stderr().is_terminal();
        let terminal_width = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        let width = || columns.ok().and_then(|text| text.parse().ok()).or_else(terminal_width).unwrap_or(USUAL_WIDTH);
        let screen = Screen {
            width: forced.ok().and_then(|text| text.parse().ok()).or_else(|| io::stdout().is_terminal().then(width)),
            is_live,
            has_color: match common.color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => is_live && no_color.is_none_or(|value| value.is_empty()),
            },
        };
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), screen, common)
    }

    /// Output to anywhere, for tests.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, screen: Screen, common: &CommonArgs) -> Self {
        Self { out, err, screen, is_quiet: common.quiet, is_verbose: common.verbose }
    }

    /// What is known of the screen.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.screen
    }

    /// Prints results.
    ///
    /// # Errors
    /// The output is closed, or cannot be written.
    pub fn print(&mut self, text: &str) -> Result<(), CommandError> {
        let text = if self.screen.width.is_some() { &sanitized(text) } else { text };
        self.print_bytes(text.as_bytes())
    }

    /// Prints results that are no text: not to a terminal.
    ///
    /// # Errors
    /// The output is closed, or cannot be written.
    pub fn print_bytes(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CommandError::new(Kind::ClosedPipe, error),
            _ => CommandError::environment(format!("cannot write to standard output: {error}")),
        })
    }

    /// Something is odd; the work goes on.
    pub fn warn(&mut self, text: &str) {
        self.say("33", "warning: ", text);
    }

    /// Something worth knowing.
    pub fn note(&mut self, text: &str) {
        if !self.is_quiet {
            self.say("36", "note: ", text);
        }
    }

    /// A step of the work, under `--verbose`.
    pub fn step(&mut self, text: &str) {
        if self.is_verbose {
            self.say("2", "", text);
        }
    }

    /// A line as it is: a problem with its place.
    pub fn problem(&mut self, text: &str) {
        self.say("", "", text);
    }

    /// A failure, with its causes and hints.
    pub fn failure(&mut self, error: &CommandError) {
        for line in error.to_string().lines() {
            let (color, label, rest) = if let Some(rest) = line.strip_prefix("error: ") {
                ("1;31", "error: ", rest)
            } else if let Some(rest) = line.strip_prefix("hint: ") {
                ("32", "hint: ", rest)
            } else {
                ("", "", line)
            };
            self.say(color, label, rest);
        }
    }

    /// Progress over `total_bytes`, shown once the work takes over a second.
    #[must_use]
    fn progress(&self, what: &str, total_bytes: u64) -> Progress {
        if self.is_quiet { Progress::hidden() } else { Progress::new(what, total_bytes, self.screen.is_live) }
    }

    /// Progress over `total_bytes` of those that a monitor counts from now on.
    #[must_use]
    pub fn watch(&self, what: &str, total_bytes: u64, monitor: &Arc<Monitor>) -> Progress {
        let mut progress = self.progress(what, total_bytes);
        let watched = Arc::clone(monitor);
        let before = watched.done_bytes.load(Ordering::Relaxed);
        progress.watch(move || watched.done_bytes.load(Ordering::Relaxed).saturating_sub(before));
        progress
    }

    fn say(&mut self, color: &str, label: &str, text: &str) {
        let text = sanitized(text);
        let line = if self.screen.has_color && !label.is_empty() {
            format!("\x1b[{color}m{label}\x1b[0m{text}\n")
        } else {
            format!("{label}{text}\n")
        };
        // If nobody hears messages, there is nobody to tell.
        let _ = self.err.write_all(line.as_bytes());
    }
}

/// Text without characters that would move the cursor or turn the direction of writing: names come from files.
fn sanitized(text: &str) -> String {
    let is_harmful = |character: char| {
        character.is_control() && character != '\n' && character != '\t'
            || matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if is_harmful(character) { '\u{FFFD}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(sanitized("a\x1b[2Jb\u{202E}c\n\td é"), "a\u{FFFD}[2Jb\u{FFFD}c\n\td é");
    }
}
