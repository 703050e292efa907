//! `analyze`: discovery and analysis of a PointsDB. One file per command in `commands/`.

mod commands;
mod dimension;
mod figures;
mod matrix;
mod pictures;
mod series;
mod views;

use clap::{Parser, Subcommand};
use rs_cli::{CommandError, CommonArgs, Exit, Program, Ui};
// What a command is asked about, under the names that commands know it by.
use rs_query::{names, selection, source};

/// Answers questions about evaluated datasets.
///
/// DATASET is a dataset file (data/r12.json) or a database (.db). Every command takes --filters and --where.
///
/// Exit codes: 0 done; 2 the input is wrong; 3 disk or lock; 70 a bug.
#[derive(Debug, Clone, Parser)]
#[command(name = "analyze", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    Evals(commands::evals::Args),
    Tasks(commands::tasks::Args),
    Modelinfo(commands::modelinfo::Args),
    Scores(commands::scores::Args),
    Compare(commands::compare::Args),
    Cluster(commands::cluster::Args),
    Spiderweb(commands::spiderweb::Args),
    Surface(commands::surface::Args),
    Export(commands::export::Args),
    Compression(commands::compression::Args),
    Hazard(commands::hazard::Args),
    Fft(commands::fft::Args),
}

impl Program for Arguments {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn run(self, ui: &mut Ui) -> Result<Exit, CommandError> {
        match self.command {
            Command::Evals(args) => commands::evals::run(&args, &self.common, ui),
            Command::Tasks(args) => commands::tasks::run(&args, &self.common, ui),
            Command::Modelinfo(args) => commands::modelinfo::run(&args, &self.common, ui),
            Command::Scores(args) => commands::scores::run(&args, &self.common, ui),
            Command::Compare(args) => commands::compare::run(&args, &self.common, ui),
            Command::Cluster(args) => commands::cluster::run(&args, &self.common, ui),
            Command::Spiderweb(args) => commands::spiderweb::run(&args, &self.common, ui),
            Command::Surface(args) => commands::surface::run(&args, &self.common, ui),
            Command::Export(args) => commands::export::run(&args, &self.common, ui),
            Command::Compression(args) => commands::compression::run(&args, &self.common, ui),
            Command::Hazard(args) => commands::hazard::run(&args, &self.common, ui),
            Command::Fft(args) => commands::fft::run(&args, &self.common, ui),
        }
    }
}
