//! `evaluate`: raw records to points to a PointsDB.
//!
//! `arguments.rs` is what was typed, `plan.rs` what will be done (`resolve.rs` finds out), `run.rs` does it
//! (`forensics.rs` looks at texts), `report.rs` tells it, `errors.rs` tells what went wrong.

mod arguments;
mod batch;
mod clock;
mod errors;
mod explain;
mod forensics;
mod loose;
mod old;
mod plan;
mod report;
mod resolve;
mod run;

use rs_cli::{CommandError, CommonArgs, Exit, Program, Ui};

pub use arguments::Arguments;
use resolve::resolve;

impl Program for Arguments {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn run(self, ui: &mut Ui) -> Result<Exit, CommandError> {
        self.output.check()?;
        let plan = tracing::info_span!("plan").in_scope(|| resolve(&self, ui))?;
        run::run(&plan, &self, ui)
    }
}
