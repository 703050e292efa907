//! What the charts' SVG holds: which marks, how often, and which texts.

mod hostile;
mod outline;
mod structure;
