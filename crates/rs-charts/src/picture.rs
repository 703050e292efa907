//! A picture as a tree of shapes and text, made by charts and written as SVG or PNG.

mod canvas;
mod svg;

use resvg::{tiny_skia, usvg};
use thiserror::Error;

use crate::font::{self, Weight};
use crate::palette::{Colour, INK};

pub(crate) use canvas::Canvas;
#[cfg(test)]
use canvas::Node;

/// The most pixels that a PNG may have: a gibibyte of them in memory.
const MOST_PIXELS: u64 = 1 << 28;

/// Why a picture cannot be made a PNG.
#[derive(Debug, Error)]
pub enum PngError {
    /// Nothing to draw on, or too much.
    #[error("a picture of {width} × {height} pixels cannot be drawn; from 1 to {MOST_PIXELS} pixels can")]
    Size {
        /// The width that was asked for.
        width: u32,
        /// The height that follows from it.
        height: u32,
    },
    /// The picture's own SVG cannot be read: a bug.
    #[error("the picture is not an SVG that can be drawn")]
    Svg(#[from] usvg::Error),
    /// The pixels cannot be written as PNG.
    #[error("the pixels cannot be written as PNG: {message}")]
    Encode {
        /// What the encoder says.
        message: String,
    },
}

/// A picture that is laid out: [`Chart::picture`](crate::Chart::picture).
#[derive(Debug, Clone)]
pub struct Picture {
    width: f64,
    height: f64,
    title: String,
    canvas: Canvas,
    has_data: bool,
}

impl Picture {
    pub(crate) fn new(width: f64, height: f64, title: &str, canvas: Canvas) -> Self {
        Self { width: width.ceil(), height: height.ceil(), title: title.to_owned(), canvas, has_data: true }
    }

    /// The same picture, of which it is known that it shows nothing.
    pub(crate) fn without_data(self) -> Self {
        Self { has_data: false, ..self }
    }

    /// Whether it shows any data, and not only that there is none.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.has_data
    }

    /// Its width and height in CSS pixels, 1/96 inch.
    #[must_use]
    pub fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// The picture as an SVG document.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::document(self)
    }

    /// The picture as a PNG file of this width in pixels.
    ///
    /// # Errors
    ///
    /// When the width is zero, or the picture would have more than 2²⁸ pixels.
    pub fn to_png(&self, width: u32) -> Result<Vec<u8>, PngError> {
        let scale = f64::from(width) / self.width;
        let height = (self.height * scale).ceil() as u32;
        let size = PngError::Size { width, height };
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(size);
        }
        let Some(mut pixels) = tiny_skia::Pixmap::new(width, height) else { return Err(size) };
        let tree = usvg::Tree::from_str(&self.to_svg(), &usvg::Options::default())?;
        let scale = scale as f32;
        resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| PngError::Encode { message: error.to_string() })
    }
}

/// A text and the corners of the box that its capitals are in.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct PlacedText {
    pub(crate) text: String,
    pub(crate) corners: [(f64, f64); 4],
}

#[cfg(test)]
impl Picture {
    /// All texts, in the order they are drawn.
    pub(crate) fn texts(&self) -> Vec<PlacedText> {
        fn collect(nodes: &[Node], (dx, dy): (f64, f64), texts: &mut Vec<PlacedText>) {
            for node in nodes {
                match node {
                    Node::Shape { .. } => {}
                    Node::Group { offset, nodes, .. } => collect(nodes, (dx + offset.0, dy + offset.1), texts),
                    Node::Text { text, x, y, style } => {
                        let width = style.width(text);
                        let start = style.anchor.start(width);
                        let (sine, cosine) = style.angle.to_radians().sin_cos();
                        let top = -style.size * font::CAPITAL_HEIGHT;
                        let corners = [(start, 0.0), (start + width, 0.0), (start + width, top), (start, top)]
                            .map(|(u, v)| (dx + x + u * cosine - v * sine, dy + y + u * sine + v * cosine));
                        texts.push(PlacedText { text: text.clone(), corners });
                    }
                }
            }
        }
        let mut texts = Vec::new();
        collect(&self.canvas.nodes, (0.0, 0.0), &mut texts);
        texts
    }
}

/// A rectangle: left, top, width, height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width, height }
    }

    pub(crate) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(self) -> f64 {
        self.y + self.height
    }

    pub(crate) fn contains(self, (x, y): (f64, f64)) -> bool {
        (self.x..=self.right()).contains(&x) && (self.y..=self.bottom()).contains(&y)
    }

    pub(crate) fn centre(self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// How a shape is filled and outlined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paint {
    fill: Option<Colour>,
    fill_opacity: f64,
    stroke: Option<(Colour, f64)>,
    dash: Option<&'static str>,
}

impl Paint {
    pub(crate) fn fill(colour: Colour) -> Self {
        Self { fill: Some(colour), fill_opacity: 1.0, stroke: None, dash: None }
    }

    pub(crate) fn stroke(colour: Colour, width: f64) -> Self {
        Self { fill: None, fill_opacity: 1.0, stroke: Some((colour, width)), dash: None }
    }

    pub(crate) fn outlined(self, colour: Colour, width: f64) -> Self {
        Self { stroke: Some((colour, width)), ..self }
    }

    pub(crate) fn opacity(self, fill_opacity: f64) -> Self {
        Self { fill_opacity, ..self }
    }

    pub(crate) fn dash(self, dash: Option<&'static str>) -> Self {
        Self { dash, ..self }
    }
}

/// Where text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Anchor {
    #[default]
    Start,
    Middle,
    End,
}

impl Anchor {
    /// Where a text of this width begins, relative to its place.
    fn start(self, width: f64) -> f64 {
        match self {
            Self::Start => 0.0,
            Self::Middle => -width / 2.0,
            Self::End => -width,
        }
    }
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TextStyle {
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) colour: Colour,
    pub(crate) anchor: Anchor,
    /// Clockwise, in degrees.
    pub(crate) angle: f64,
}

impl TextStyle {
    pub(crate) fn new(size: f64) -> Self {
        Self { size, weight: Weight::Regular, colour: INK, anchor: Anchor::Start, angle: 0.0 }
    }

    pub(crate) fn bold(self) -> Self {
        Self { weight: Weight::Bold, ..self }
    }

    pub(crate) fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    pub(crate) fn middle(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }

    pub(crate) fn end(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }

    pub(crate) fn angle(self, angle: f64) -> Self {
        Self { angle, ..self }
    }

    /// How wide a text is in this style.
    pub(crate) fn width(self, text: &str) -> f64 {
        font::width(text, self.size, self.weight)
    }

    /// The text, shortened to this width.
    pub(crate) fn shortened(self, text: &str, room: f64) -> String {
        font::shortened(text, self.size, self.weight, room)
    }

    /// The texts, shortened to this width so that they are told apart if possible.
    pub(crate) fn shortened_apart(self, texts: &[&str], room: f64) -> Vec<String> {
        font::shortened_apart(texts, self.size, self.weight, room)
    }

    /// The text in lines of at most this width.
    pub(crate) fn wrapped(self, text: &str, room: f64) -> Vec<String> {
        font::wrapped(text, self.size, self.weight, room)
    }

    /// How far the baseline is below the middle of the line's capitals.
    pub(crate) fn drop(self) -> f64 {
        self.size * font::CAPITAL_HEIGHT / 2.0
    }
}
