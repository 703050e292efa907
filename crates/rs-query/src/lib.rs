//! What the programs that ask a PointsDB share: which database is asked, and about which of its points and
//! evaluations.
//!
//! Apart from `rs-pointsdb`, which knows no command line, and from `rs-cli`, which links no database.

pub mod names;
pub mod selection;
pub mod source;

pub use selection::SelectionArgs;
pub use source::Source;
