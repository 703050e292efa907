//! `data`: shows what is here of cohorts and datasets. One file per command in `commands/`.

mod commands;
#[doc(hidden)]
pub mod credentials;
#[doc(hidden)]
pub mod disk;
#[doc(hidden)]
pub mod key;
mod library;
#[doc(hidden)]
pub mod monitor;
#[doc(hidden)]
pub mod remote;
mod retry;
mod runs;
mod seen;
#[doc(hidden)]
pub mod transfer;
mod work;

use clap::{Parser, Subcommand};
use rs_cli::{CommandError, CommonArgs, Exit, Program, Ui};

/// Looks after raw data and databases.
///
/// Exit codes: 0 done; 1 done, and a dataset or cohort is missing or wrong; 2 the input is wrong; 3 the disk failed; 70 a
/// bug.
#[derive(Debug, Clone, Parser)]
#[command(name = "data", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    Status(commands::status::Args),
    Push(commands::push::Args),
    Pull(commands::pull::Args),
}

impl Program for Arguments {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn run(self, ui: &mut Ui) -> Result<Exit, CommandError> {
        match self.command {
            Command::Status(args) => commands::status::run(&args, ui),
            Command::Push(args) => commands::push::run(&args, ui),
            Command::Pull(args) => commands::pull::run(&args, ui),
        }
    }
}
