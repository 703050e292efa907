//! Statistics of groups of trials (statistics.md): counters are summed first, statistics taken after.
//!
//! A quantity that is not defined is `None`, never 0 or NaN; each function says when that is.

mod comparison;
mod hazard;
mod proportion;
mod quantile;
mod ranking;
mod reason_score;
mod repetitions;

pub use comparison::{
    Asked, PairTable, PairedComparison, benjamini_hochberg, compare_paired, mcnemar_exact, newcombe_paired,
};
pub use hazard::{Events, Hazard, HazardBin, hazard_curves};
pub use proportion::{CONFIDENCE_LEVEL, Counters, Interval, Wilson, Z_95, wilson};
pub use quantile::{Confidence, ConfidenceError};
pub use ranking::{maximal_cliques, rank_tiers};
pub use reason_score::{
    ReasonScore, SCORE_DRAWS, SCORE_SEED, TaskInterval, TaskTrials, reason_score, reason_score_m12x,
};
pub use repetitions::{design_effect, wilson_clustered};
