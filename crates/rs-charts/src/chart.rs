//! What all charts can do.

use crate::picture::{Picture, PngError};

/// A chart, ready to be drawn.
pub trait Chart {
    /// The picture, laid out.
    fn picture(&self) -> Picture;

    /// The picture as a whole SVG document: text as paths, light background, no reference to anything outside.
    fn to_svg(&self) -> String {
        self.picture().to_svg()
    }

    /// The picture as a PNG file of this width in pixels; its height follows.
    ///
    /// # Errors
    ///
    /// When the width is zero, or the picture would have more than 2²⁸ pixels.
    fn to_png(&self, width: u32) -> Result<Vec<u8>, PngError> {
        self.picture().to_png(width)
    }
}
