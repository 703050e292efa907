//! `cargo xtask fixtures`: raw data for the r12 cohorts, and what every tool must report about it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};

use crate::{Outcome, workspace};

/// Write deterministic raw data for the r12 cohorts, and say what every tool must report about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How much: small (a few MB), medium (some 100 MB) or large (several GB).
    #[arg(long, default_value = "small")]
    pub(crate) scale: Scale,
    /// Other data of the same kind.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub(crate) seed: u64,
    /// Compare with what is there instead of writing; exit 1 if anything differs.
    #[arg(long)]
    pub(crate) check: bool,
    /// Where `configs/` and `data/` are; the workspace by default.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let root = arguments.root.clone().unwrap_or_else(workspace::root);
    let model = FixtureModel::new(arguments.scale, arguments.seed);
    if arguments.check { check(&model, arguments.scale, &root) } else { write(&model, arguments.scale, &root) }
}

fn write(model: &FixtureModel, scale: Scale, root: &std::path::Path) -> Outcome {
    let began = Instant::now();
    let written = model.write(root)?;
    say!(
        "fixtures ({scale}): {} records, {:.1} MB in {} files below {} ({:.1} s)\n",
        written.n_records,
        written.bytes as f64 / 1e6,
        written.n_files,
        workspace::shown(&root.join("data").join("r12")),
        began.elapsed().as_secs_f64(),
    );
    say!("What every tool must report:\n\n{}", model.expected().table());
    Ok(ExitCode::SUCCESS)
}

fn check(model: &FixtureModel, scale: Scale, root: &std::path::Path) -> Outcome {
    let began = Instant::now();
    let differences = model.check(root)?;
    for difference in &differences {
        say!("{difference}");
    }
    if differences.is_empty() {
        say!("fixtures ({scale}): as they should be ({:.1} s)", began.elapsed().as_secs_f64());
        return Ok(ExitCode::SUCCESS);
    }
    say!("fixtures ({scale}): {} differences; `cargo xtask fixtures` writes them anew", differences.len());
    Ok(ExitCode::FAILURE)
}
