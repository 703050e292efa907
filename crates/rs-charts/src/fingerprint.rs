//! What a radar and bars are drawn of.

use crate::series::Series;

/// The values of one evaluation over the tasks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fingerprint {
    /// What the evaluation is called.
    pub label: String,
    /// Its looks.
    pub series: Series,
    /// One for each task, in the chart's order; missing ones and `None` are gaps.
    pub values: Vec<Option<FingerprintValue>>,
}

/// One evaluation in one task.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FingerprintValue {
    /// The accuracy, 0 to 1 (clamped).
    pub value: f64,
    /// Lower and upper end of its interval.
    pub interval: Option<crate::Interval>,
    /// The share of trials that were cut off, 0 to 1: the hatched part.
    pub truncated_ratio: Option<f64>,
    /// Mean tokens; only [`crate::Bars`] show them.
    pub tokens: Option<f64>,
}
