//! What the command lines share: arguments, output, errors and exit codes, tables, progress.
//!
//! Apart from `rs-core` because it reads the terminal and the environment, which `rs-core` never does.

mod command_error;
mod common_args;
mod environment;
mod format;
mod interrupt;
mod panics;
mod program;
mod progress;
mod table;
mod ui;

pub use command_error::{CommandError, Exit, Kind};
pub use common_args::{ColorChoice, CommonArgs};
pub use environment::Environment;
pub use format::{Format, OutputArgs, Report, check_output, print_text, write_whole};
pub use interrupt::stoppable;
pub use program::{Program, main};
pub use progress::Progress;
pub use table::{Cell, Column, Cut, Table};
pub use ui::{DAMAGED_BLOBS, Screen, Ui};
