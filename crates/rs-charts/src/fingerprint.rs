//! What a radar and bars are drawn of.

use crate::estimate::{Estimate, Interval};
use crate::number;
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
    pub interval: Option<Interval>,
    /// The share of trials that were cut off, 0 to 1: the hatched part.
    pub truncated_ratio: Option<f64>,
    /// Mean tokens; only [`crate::Bars`] show them.
    pub tokens: Option<f64>,
}

impl FingerprintValue {
    /// What a reader sees who points at it.
    pub(crate) fn describe(self) -> String {
        let mut text = number::estimate(Estimate { value: self.value, interval: self.interval });
        if let Some(ratio) = self.truncated_ratio.filter(|ratio| ratio.is_finite()) {
            text.push_str(&format!(", {} truncated", number::percent(ratio)));
        }
        if let Some(tokens) = self.tokens.filter(|tokens| tokens.is_finite()) {
            text.push_str(&format!(", {} tokens", number::compact(tokens)));
        }
        text
    }
}
