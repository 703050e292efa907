//! Colours that people with any colour vision can tell apart.

use std::fmt;

use crate::series::Series;

/// A colour, sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// Text and what has to be seen.
pub(crate) const INK: Colour = Colour(0x22, 0x22, 0x22);
/// Text of less weight.
pub(crate) const SOFT_INK: Colour = Colour(0x5a, 0x5a, 0x5a);
/// Axes and frames.
pub(crate) const FRAME: Colour = Colour(0x99, 0x99, 0x99);
/// Lines behind the data.
pub(crate) const GRID: Colour = Colour(0xe6, 0xe6, 0xe6);
/// Every second row.
pub(crate) const STRIPE: Colour = Colour(0xf6, 0xf6, 0xf6);
/// Where there is no data.
pub(crate) const BLANK: Colour = Colour(0xef, 0xef, 0xef);
/// The background.
pub(crate) const PAPER: Colour = Colour(0xff, 0xff, 0xff);

/// Okabe and Ito (2008), "Color Universal Design", without yellow, which is hard to see on white, and with dark grey for
/// black, which is the text's.
const SERIES: [Colour; 7] = [
    Colour(0x00, 0x72, 0xb2),
    Colour(0xd5, 0x5e, 0x00),
    Colour(0x00, 0x9e, 0x73),
    Colour(0xcc, 0x79, 0xa7),
    Colour(0xe6, 0x9f, 0x00),
    Colour(0x56, 0xb4, 0xe9),
    Colour(0x44, 0x44, 0x44),
];

/// Paul Tol, "Colour Schemes" (2021), muted, without sand, which is hard to see on white; in an order in which neighbours
/// differ. Of other tones than [`SERIES`]: a clique is no evaluation.
const CLIQUES: [Colour; 8] = [
    Colour(0x33, 0x22, 0x88),
    Colour(0xcc, 0x66, 0x77),
    Colour(0x11, 0x77, 0x33),
    Colour(0x88, 0xcc, 0xee),
    Colour(0x88, 0x22, 0x55),
    Colour(0x99, 0x99, 0x33),
    Colour(0xaa, 0x44, 0x99),
    Colour(0x44, 0xaa, 0x99),
];

/// The colour of a clique. Cliques that are so many apart have the same, and are told by their names.
pub(crate) fn clique_colour(place: usize) -> Colour {
    CLIQUES[place % CLIQUES.len()]
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(red, green, blue) = self;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// Relative luminance, 0 to 1: WCAG 2.1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// Black or white, whichever is read better on this; a contrast of at least 4.5.
    pub(crate) fn contrast(self) -> Self {
        // Both contrasts, (l + .05) / .05 and 1.05 / (l + .05), are equal here.
        if self.luminance() > 0.179 { Self(0, 0, 0) } else { PAPER }
    }

    /// This colour with a share of another.
    pub(crate) fn mixed(self, other: Self, share: f64) -> Self {
        let mix = |own: u8, other: u8| (f64::from(own) + (f64::from(other) - f64::from(own)) * share).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

/// Dark for 0, bright for 1, in steps that look equal (viridis).
pub(crate) fn sequential(share: f64) -> Colour {
    let colorous::Color { r, g, b } = colorous::VIRIDIS.eval_continuous(share.clamp(0.0, 1.0));
    Colour(r, g, b)
}

/// What a point is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
}

impl Series {
    /// Its colour.
    pub(crate) fn colour(self) -> Colour {
        SERIES[self.0 % SERIES.len()]
    }

    /// Its colour where there is no marker and no dash to tell it by: paler in each second round.
    pub(crate) fn area_colour(self) -> Colour {
        if (self.0 / SERIES.len()).is_multiple_of(2) { self.colour() } else { self.colour().mixed(PAPER, 0.5) }
    }

    /// Its marker: five of them over seven colours, so that the two together repeat after 35 only.
    pub(crate) fn marker(self) -> Marker {
        const MARKERS: [Marker; 5] = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Cross];
        MARKERS[self.0 % MARKERS.len()]
    }

    /// Its dash pattern: solid for the first round of colours.
    pub(crate) fn dash(self) -> Option<&'static str> {
        [None, Some("6 3"), Some("2 2"), Some("8 3 2 3")][self.0 / SERIES.len() % 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_readable_on_every_value() {
        for step in 0..=100 {
            let colour = sequential(f64::from(step) / 100.0);
            let (a, b) = (colour.luminance() + 0.05, colour.contrast().luminance() + 0.05);
            assert!(a.max(b) / a.min(b) >= 4.5, "{colour}");
        }
    }

    #[test]
    fn twenty_eight_series_look_different() {
        let looks: std::collections::BTreeSet<_> =
            (0..28).map(|index| (Series(index).colour(), Series(index).dash())).collect();
        assert_eq!(looks.len(), 28);
    }
}
