//! Fingerprints over tasks as a spiderweb.

use crate::caption::Caption;
use crate::chart::Chart;
use crate::fingerprint::Fingerprint;
use crate::page::{Body, compose};
use crate::picture::Picture;

/// Fingerprints over tasks as a spiderweb, several overlaid; from 0 in the middle to 1 at the rim. With fewer than three
/// tasks there is no web: use [`crate::Bars`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Radar {
    /// Title and foot.
    pub caption: Caption,
    /// The spokes' names, clockwise from the top.
    pub tasks: Vec<String>,
    /// What the distance from the middle means: `accuracy`.
    pub value_label: String,
    /// The evaluations, drawn in this order.
    pub fingerprints: Vec<Fingerprint>,
    /// The truncated ratio over which a corner is marked.
    pub truncation_mark: Option<f64>,
}

impl Chart for Radar {
    fn picture(&self) -> Picture {
        compose(&self.caption, &[], Body::no_data(), &[])
    }
}
