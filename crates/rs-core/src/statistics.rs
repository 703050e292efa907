//! Statistics of groups of trials (statistics.md): counters are summed first, statistics taken after.
//!
//! A quantity that is not defined is `None`, never 0 or NaN; each function says when that is.

mod comparison;
mod proportion;
mod reason_score;
mod repetitions;

pub use comparison::{mcnemar_exact, newcombe_difference};
pub use proportion::{CONFIDENCE_LEVEL, Counters, Interval, Wilson, Z_95, wilson};
pub use reason_score::{TaskInterval, reason_score_m12x};
pub use repetitions::{design_effect, wilson_clustered};
