//! A picture as a tree of shapes and text, made by charts and written as SVG or PNG.

mod svg;

use resvg::{tiny_skia, usvg};
use thiserror::Error;

use crate::font::{self, Weight};
use crate::palette::{Colour, INK, Marker};

/// The most pixels that a PNG may have: a gibibyte of them in memory.
const MOST_PIXELS: u64 = 1 << 28;

/// How far the lines of a hatching are apart, measured along an edge.
const HATCH_SPACING: f64 = 6.0;

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
}

impl Picture {
    pub(crate) fn new(width: f64, height: f64, title: &str, canvas: Canvas) -> Self {
        Self { width: width.ceil(), height: height.ceil(), title: title.to_owned(), canvas }
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

    /// The text in lines of at most this width.
    pub(crate) fn wrapped(self, text: &str, room: f64) -> Vec<String> {
        font::wrapped(text, self.size, self.weight, room)
    }

    /// How far the baseline is below the middle of the line's capitals.
    pub(crate) fn drop(self) -> f64 {
        self.size * font::CAPITAL_HEIGHT / 2.0
    }
}

#[derive(Debug, Clone)]
enum Geometry {
    Rect(Rect),
    Circle {
        x: f64,
        y: f64,
        radius: f64,
    },
    /// Runs of points; each is closed or not.
    Path {
        runs: Vec<Vec<(f64, f64)>>,
        closed: bool,
    },
}

#[derive(Debug, Clone)]
enum Node {
    Shape { geometry: Geometry, paint: Paint },
    Text { text: String, x: f64, y: f64, style: TextStyle },
    Group { class: &'static str, tooltip: Option<String>, offset: (f64, f64), clip: Option<Rect>, nodes: Vec<Node> },
}

/// What is drawn on, later over earlier. What has a coordinate that is not a finite number is not drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canvas {
    nodes: Vec<Node>,
}

impl Canvas {
    pub(crate) fn rect(&mut self, rect: Rect, paint: Paint) {
        if [rect.x, rect.y, rect.width, rect.height].iter().all(|number| number.is_finite())
            && rect.width >= 0.0
            && rect.height >= 0.0
        {
            self.nodes.push(Node::Shape { geometry: Geometry::Rect(rect), paint });
        }
    }

    pub(crate) fn circle(&mut self, (x, y): (f64, f64), radius: f64, paint: Paint) {
        if x.is_finite() && y.is_finite() {
            self.nodes.push(Node::Shape { geometry: Geometry::Circle { x, y, radius }, paint });
        }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), paint: Paint) {
        self.path(vec![vec![from, to]], false, paint);
    }

    pub(crate) fn polyline(&mut self, points: Vec<(f64, f64)>, paint: Paint) {
        self.path(vec![points], false, paint);
    }

    pub(crate) fn polygon(&mut self, points: Vec<(f64, f64)>, paint: Paint) {
        self.path(vec![points], true, paint);
    }

    /// Several lines as one shape.
    pub(crate) fn lines(&mut self, runs: Vec<Vec<(f64, f64)>>, paint: Paint) {
        self.path(runs, false, paint);
    }

    fn path(&mut self, mut runs: Vec<Vec<(f64, f64)>>, closed: bool, paint: Paint) {
        runs.retain(|run| run.len() > 1 && run.iter().all(|(x, y)| x.is_finite() && y.is_finite()));
        if !runs.is_empty() {
            self.nodes.push(Node::Shape { geometry: Geometry::Path { runs, closed }, paint });
        }
    }

    /// A marker whose area is that of a circle of this radius, more or less.
    pub(crate) fn marker(&mut self, marker: Marker, (x, y): (f64, f64), radius: f64, paint: Paint) {
        let at = |points: &[(f64, f64)]| points.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
        match marker {
            Marker::Circle => self.circle((x, y), radius, paint),
            Marker::Square => self.polygon(at(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]), paint),
            Marker::Triangle => self.polygon(at(&[(0.0, -1.2), (1.15, 0.8), (-1.15, 0.8)]), paint),
            Marker::Diamond => self.polygon(at(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]), paint),
            Marker::Cross => {
                let (a, b) = (0.4, 1.15);
                let plus =
                    [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b), (-a, b), (-a, a), (-b, a), (-b, -a)];
                let mut points: Vec<_> = at(&plus);
                points.push((x - a * radius, y - a * radius));
                self.polygon(points, paint);
            }
        }
    }

    /// Slanted lines over a rectangle: the sign of truncation in all charts.
    pub(crate) fn hatch(&mut self, rect: Rect, paint: Paint) {
        let (right, bottom) = (rect.right(), rect.bottom());
        self.hatch_polygon(&[(rect.x, rect.y), (right, rect.y), (right, bottom), (rect.x, bottom)], paint);
    }

    /// Slanted lines over a polygon. They are cut here, since patterns and clips are drawn differently by every viewer.
    pub(crate) fn hatch_polygon(&mut self, polygon: &[(f64, f64)], paint: Paint) {
        if polygon.iter().any(|(x, y)| !(x.abs() < 1e6 && y.abs() < 1e6)) {
            return;
        }
        let sums = polygon.iter().map(|(x, y)| x + y);
        let (first, last) =
            sums.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), sum| (low.min(sum), high.max(sum)));
        let mut runs = Vec::new();
        // Lines x + y = c. Those of neighbours meet, since c counts from the canvas' corner.
        let mut sum = (first / HATCH_SPACING).floor().mul_add(HATCH_SPACING, HATCH_SPACING / 2.0);
        while sum < last {
            let mut crossings: Vec<f64> = polygon
                .iter()
                .zip(polygon.iter().cycle().skip(1))
                .filter(|((x1, y1), (x2, y2))| (x1 + y1 < sum) != (x2 + y2 < sum))
                .map(|((x1, y1), (x2, y2))| x1 + (x2 - x1) * (sum - x1 - y1) / (x2 + y2 - x1 - y1))
                .collect();
            crossings.sort_by(f64::total_cmp);
            runs.extend(crossings.chunks_exact(2).map(|pair| vec![(pair[0], sum - pair[0]), (pair[1], sum - pair[1])]));
            sum += HATCH_SPACING;
        }
        self.lines(runs, paint);
    }

    /// Text whose baseline is at `y`.
    pub(crate) fn text(&mut self, text: &str, (x, y): (f64, f64), style: TextStyle) {
        if x.is_finite() && y.is_finite() && !text.trim().is_empty() {
            self.nodes.push(Node::Text { text: font::printable(text), x, y, style });
        }
    }

    /// Text whose capitals are centred on `y`.
    pub(crate) fn centred(&mut self, text: &str, (x, y): (f64, f64), style: TextStyle) {
        self.text(text, (x, y + style.drop()), style);
    }

    /// Shapes that belong together, with what a reader sees who points at them.
    pub(crate) fn group(&mut self, class: &'static str, tooltip: Option<String>, draw: impl FnOnce(&mut Self)) {
        let mut canvas = Self::default();
        draw(&mut canvas);
        self.nodes.push(Node::Group { class, tooltip, offset: (0.0, 0.0), clip: None, nodes: canvas.nodes });
    }

    /// Shapes of which only what lies in the rectangle is seen.
    pub(crate) fn clipped(&mut self, clip: Rect, draw: impl FnOnce(&mut Self)) {
        let mut canvas = Self::default();
        draw(&mut canvas);
        self.nodes.push(Node::Group {
            class: "clipped",
            tooltip: None,
            offset: (0.0, 0.0),
            clip: Some(clip),
            nodes: canvas.nodes,
        });
    }

    /// What was drawn elsewhere, moved.
    pub(crate) fn place(&mut self, class: &'static str, offset: (f64, f64), canvas: Self) {
        self.nodes.push(Node::Group { class, tooltip: None, offset, clip: None, nodes: canvas.nodes });
    }
}
