//! Numeric axes: what they are called, how they are scaled, what they span.

/// A numeric axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What is measured, with its unit: `completion tokens`, `accuracy [%]`.
    pub label: String,
    /// How values become positions.
    pub scale: Scale,
    /// What the axis spans.
    pub bounds: Bounds,
    /// Tick labels are shares of one, shown in percent.
    pub percent: bool,
}

impl Axis {
    /// A linear axis that spans its data.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// An axis of a share from 0 to 1, its ticks in percent.
    #[must_use]
    pub fn ratio(label: impl Into<String>) -> Self {
        Self { label: label.into(), bounds: Bounds::Fixed(0.0, 1.0), percent: true, ..Self::default() }
    }

    /// The same axis, logarithmic.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        Self { scale: Scale::Logarithmic, ..self }
    }

    /// The same axis with other bounds.
    #[must_use]
    pub fn bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }
}

/// How values become positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart; values that are not above zero are left out.
    Logarithmic,
}

/// What an axis spans.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Bounds {
    /// The data, rounded outwards to ticks.
    #[default]
    Data,
    /// The data and zero (the data alone on a logarithmic axis).
    DataAndZero,
    /// From the first to the second; what lies outside is clipped. Taken as [`Bounds::Data`] unless both are finite and
    /// the first is the smaller.
    Fixed(f64, f64),
}
