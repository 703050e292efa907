//! What the charts' SVG holds: which marks, how often, and which texts.

mod hostile;
mod large;
mod outline;
mod structure;
