//! `data`: keeps raw data and databases as blobs, here and in remotes. One file per command in `commands/`.

mod batches;
mod commands;
mod contents;
#[doc(hidden)]
pub mod credentials;
#[doc(hidden)]
pub mod disk;
mod items;
mod leftovers;
mod library;
#[doc(hidden)]
pub mod remote;
mod retry;
mod runs;
mod seen;
mod states;
#[doc(hidden)]
pub mod transfer;
mod work;

use clap::{Parser, Subcommand};
use rs_cli::{CommandError, CommonArgs, Exit, Program, Ui};

/// Keeps raw data and databases as blobs, here and in remotes.
///
/// Exit codes: 0 done; 1 done, and something is missing, wrong, changed, damaged or different; 2 the input is wrong; 3 a
/// disk, remote or lock failed, or it was stopped; 70 a bug.
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
    Verify(commands::verify::Args),
    Gc(commands::gc::Args),
    Remote(commands::remote::Args),
    Ls(commands::ls::Args),
    Diff(commands::diff::Args),
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
            Command::Verify(args) => commands::verify::run(&args, ui),
            Command::Gc(args) => commands::gc::run(&args, ui),
            Command::Remote(args) => commands::remote::run(&args, ui),
            Command::Ls(args) => commands::ls::run(&args, ui),
            Command::Diff(args) => commands::diff::run(&args, ui),
        }
    }
}
