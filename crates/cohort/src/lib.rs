//! `cohort`: lists, inspects, validates and maintains cohorts of raw data. One file per command in `commands/`.

mod commands;
mod postprocess;
mod scan;
mod smaller_context;

use clap::{Parser, Subcommand};
use rs_cli::{CommandError, CommonArgs, Exit, Program, Ui};

/// Looks after cohorts: one model's folder of raw results, and the evals.json that says which evaluations are in it.
///
/// Exit codes: 0 done; 1 done, and there are problems in the data; 2 the input is wrong; 3 the disk failed; 70 a bug.
#[derive(Debug, Clone, Parser)]
#[command(name = "cohort", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    List(commands::list::Args),
    Info(commands::info::Args),
    Validate(commands::validate::Args),
    Context(commands::context::Args),
    Postprocess(commands::postprocess::Args),
}

impl Program for Arguments {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn run(self, ui: &mut Ui) -> Result<Exit, CommandError> {
        match self.command {
            Command::List(args) => commands::list::run(&args, ui),
            Command::Info(args) => commands::info::run(&args, ui),
            Command::Validate(args) => commands::validate::run(&args, ui),
            Command::Context(args) => commands::context::run(&args, ui),
            Command::Postprocess(args) => commands::postprocess::run(&args, ui),
        }
    }
}
