//! `probe`: what models really wrote. One file per command in `commands/`.

mod commands;
mod output;
mod page;
mod records;
mod repetition;

use clap::{Parser, Subcommand};
use rs_cli::{CommandError, CommonArgs, Exit, Program, Ui};

/// Reads single raw records of evaluated datasets: what models really wrote.
///
/// DATASET is a dataset file (data/r12.json) or a database (.db). The database tells where each record is, in files or
/// blobs, so that only what is shown is read.
///
/// Exit codes: 0 done; 1 done, but some records could not be read; 2 the input is wrong; 3 disk or lock; 70 a bug.
#[derive(Debug, Clone, Parser)]
#[command(name = "probe", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    Show(commands::show::Args),
    Diff(commands::diff::Args),
    Loops(commands::loops::Args),
}

impl Program for Arguments {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn run(self, ui: &mut Ui) -> Result<Exit, CommandError> {
        match self.command {
            Command::Show(args) => commands::show::run(&args, &self.common, ui),
            Command::Diff(args) => commands::diff::run(&args, &self.common, ui),
            Command::Loops(args) => commands::loops::run(&args, &self.common, ui),
        }
    }
}
