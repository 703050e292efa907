//! Fingerprints over tasks as bars.

use crate::caption::Caption;
use crate::chart::Chart;
use crate::fingerprint::Fingerprint;
use crate::page::{Body, compose};
use crate::picture::Picture;

/// Fingerprints over tasks as bars: what was right filled, what was cut off hatched after it, and mean tokens in a second
/// plot where any are known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Title and foot.
    pub caption: Caption,
    /// The tasks, top to bottom.
    pub tasks: Vec<String>,
    /// What the bars' length means: `accuracy`.
    pub value_label: String,
    /// The evaluations, a bar each in every task.
    pub fingerprints: Vec<Fingerprint>,
}

impl Chart for Bars {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
