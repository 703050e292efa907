//! A screen that can be read afterwards, and what is said on it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use rs_cli::{CommandError, CommonArgs, Kind, Screen, Ui};

/// Standard output and standard error of a test.
#[derive(Default)]
pub(crate) struct Seen {
    out: Buffer,
    err: Buffer,
}

impl Seen {
    pub(crate) fn ui(&self, screen: Screen, common: &CommonArgs) -> Ui {
        Ui::new(Box::new(self.out.clone()), Box::new(self.err.clone()), screen, common)
    }

    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    pub(crate) fn err(&self) -> String {
        self.err.text()
    }
}

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

/// Writes nowhere.
struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that a command can say.
fn say_all(ui: &mut Ui) {
    ui.step("a step");
    ui.note("a note");
    ui.warn("a warning");
    ui.problem("a/file:1: a problem");
    ui.failure(&CommandError::input("wrong").hint("right"));
}

#[test]
fn what_is_said() {
    let seen = Seen::default();
    say_all(&mut seen.ui(Screen::default(), &CommonArgs::default()));
    assert_eq!(seen.out(), "");
    insta::assert_snapshot!(seen.err(), @"
    note: a note
    warning: a warning
    a/file:1: a problem
    error: wrong
    hint: right
    ");
}

#[test]
fn what_is_said_quietly() {
    let seen = Seen::default();
    say_all(&mut seen.ui(Screen::default(), &CommonArgs { quiet: true, ..CommonArgs::default() }));
    insta::assert_snapshot!(seen.err(), @"
    warning: a warning
    a/file:1: a problem
    error: wrong
    hint: right
    ");
}

#[test]
fn what_is_said_at_length() {
    let seen = Seen::default();
    say_all(&mut seen.ui(Screen::default(), &CommonArgs { verbose: true, ..CommonArgs::default() }));
    assert!(seen.err().starts_with("a step\nnote: a note\n"), "{}", seen.err());
}

#[test]
fn labels_are_coloured_and_nothing_else() {
    let seen = Seen::default();
    say_all(&mut seen.ui(Screen { has_color: true, ..Screen::default() }, &CommonArgs::default()));
    let visible = seen.err().replace('\u{1b}', "ESC");
    insta::assert_snapshot!(visible, @"
    ESC[36mnote: ESC[0ma note
    ESC[33mwarning: ESC[0ma warning
    a/file:1: a problem
    ESC[1;31merror: ESC[0mwrong
    ESC[32mhint: ESC[0mright
    ");
}

#[test]
fn results_on_a_terminal_cannot_move_the_cursor_and_are_raw_in_a_pipe() {
    let text = "a\u{1b}[2Jb\u{202E}c\n";
    for (width, printed) in [(None, text), (Some(80), "a\u{FFFD}[2Jb\u{FFFD}c\n")] {
        let seen = Seen::default();
        seen.ui(Screen { width, ..Screen::default() }, &CommonArgs::default()).print(text).unwrap();
        assert_eq!(seen.out(), printed);
    }
}

#[test]
fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
    let print = |kind| {
        let mut ui = Ui::new(Box::new(Failing(kind)), Box::new(io::sink()), Screen::default(), &CommonArgs::default());
        ui.print("a result").unwrap_err()
    };
    let closed = print(io::ErrorKind::BrokenPipe);
    assert_eq!((closed.kind, closed.exit_code()), (Kind::ClosedPipe, 0));
    let full = print(io::ErrorKind::StorageFull);
    assert_eq!((full.kind, full.exit_code()), (Kind::Environment, 3));
    assert_eq!(full.to_string(), "error: cannot write to standard output: no storage space");
}

#[test]
fn messages_that_nobody_hears_are_no_failure() {
    let (seen, failing) = (Seen::default(), Box::new(Failing(io::ErrorKind::BrokenPipe)));
    let mut ui = Ui::new(Box::new(seen.out.clone()), failing, Screen::default(), &CommonArgs::default());
    say_all(&mut ui);
    ui.print("a result").unwrap();
    assert_eq!(seen.out(), "a result");
}
