//! What was typed.

use std::path::PathBuf;

use clap::Parser;
use rs_cli::{CommonArgs, OutputArgs};

/// Reads the raw records of a dataset's evaluations and builds or updates its PointsDB.
///
/// Evaluations whose entry and raw files have not changed are taken over from the old database. The new one is built
/// beside the old and renamed over it: whatever happens, readers see one of the two, whole.
///
/// Exit codes: 0 done; 1 done, and some lines are malformed (or --strict met one); 2 the input is wrong; 3 disk, lock
/// or a stop from outside; 70 a bug.
#[derive(Debug, Clone, Parser)]
#[command(name = "evaluate", version, max_term_width = 100)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["dataset", "interview"])))]
pub struct Arguments {
    /// The dataset, like data/r12.json.
    #[arg(long, value_name = "FILE")]
    pub dataset: Option<PathBuf>,
    /// Loose raw files instead of a dataset: globs, files or folders. Every identity found in them is an evaluation.
    #[arg(long, value_name = "GLOB", num_args = 1.., requires = "db")]
    pub interview: Vec<String>,
    /// The database to write instead of the dataset's own.
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Bring only this evaluation up to date (id, longer hash prefix or identity; can be repeated). Others stay as they
    /// are in the database.
    #[arg(long, value_name = "ID")]
    pub eval_id: Vec<String>,
    /// Clip every evaluation to this context: more completion tokens count as truncated. Ids get `+ctx<N>`, and the
    /// database then holds these evaluations instead of the others; `--db` keeps them apart.
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=2_147_483_647))]
    pub context: Option<u32>,
    /// Read everything again, changed or not.
    #[arg(long)]
    pub force: bool,
    /// Do not compress traces and not look at prompts: the columns of forensics stay empty.
    #[arg(long)]
    pub no_forensics: bool,
    /// Where tokenizers are, as `<hf_id>/tokenizer.json` [default: `tokenizers` beside the dataset].
    ///
    /// While the program runs, what it finds of each prompt takes half a kilobyte of the disk that the database is on.
    #[arg(long, value_name = "DIR")]
    pub tokenizers: Option<PathBuf>,
    /// Tell what would be reused of each evaluation, and why not; evaluate nothing.
    #[arg(long)]
    pub explain: bool,
    /// Stop at the first malformed line; the old database stays.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}
