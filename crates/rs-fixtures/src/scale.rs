//! How much data: the same questions and the same behaviour, more or fewer points, samples and words.

use std::fmt;
use std::str::FromStr;

/// How much raw data the model makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A few MB in a second: the corners of each task's grid, short traces. For tests and the demo.
    Small,
    /// 300 to 400 MB: the full grids, about 1,000 points per evaluation, few samples a point. For timing.
    Medium,
    /// At least 5 GB: the full grids, many samples a point, long traces. For memory.
    Large,
}

impl Scale {
    /// Every scale, the smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The name it has on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// Samples of each point in an evaluation's own runs.
    pub(crate) fn samples(self) -> u32 {
        match self {
            Self::Small => 4,
            Self::Medium => 10,
            Self::Large => 62,
        }
    }

    /// Bytes that a trace approaches, however many tokens its record claims.
    pub(crate) fn trace_bytes(self) -> f64 {
        match self {
            Self::Small => 850.0,
            Self::Medium => 3_600.0,
            Self::Large => 16_000.0,
        }
    }

    /// Whether only the corners of each grid are used.
    pub(crate) fn corners_only(self) -> bool {
        self == Self::Small
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A scale of a name that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("no scale `{0}`: small, medium or large")]
pub struct UnknownScale(String);

impl FromStr for Scale {
    type Err = UnknownScale;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scale| scale.name() == name).ok_or_else(|| UnknownScale(name.to_owned()))
    }
}
