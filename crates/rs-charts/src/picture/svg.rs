//! Pictures as SVG documents.
//!
//! An outline is written once for each character, a text once for each size; where they stand refers to them. Names of
//! what is referred to follow from what it is, so that several pictures can stand in one web page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::canvas::{Geometry, Node};
use super::{Paint, Picture, Rect, TextStyle};
use crate::font::{self, Weight};
use crate::number::coordinate;
use crate::palette::PAPER;

/// The picture as a whole document.
pub(super) fn document(picture: &Picture) -> String {
    let mut writer = Writer::default();
    writer.nodes(&picture.canvas.nodes);
    let Writer { body, texts, .. } = writer;

    let mut svg = String::with_capacity(body.len() * 2);
    let (width, height) = (picture.width, picture.height);
    let title = escaped(&picture.title);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
         {height}\" role=\"img\">\n<title>{title}</title>\n<defs>"
    );
    let glyphs: BTreeSet<_> = texts
        .values()
        .flat_map(|run| run.text.chars().map(|character| font::glyph(character, run.weight)))
        .filter(|glyph| !glyph.outline().is_empty())
        .collect();
    for glyph in &glyphs {
        let _ = writeln!(svg, "<path id=\"{}\" d=\"{}\"/>", glyph.name(), glyph.outline());
    }
    for (name, run) in &texts {
        let scale = run.size / 1000.0;
        let label = escaped(&run.text);
        let _ = write!(svg, "<g id=\"{name}\" aria-label=\"{label}\" transform=\"scale({scale} -{scale})\">");
        let mut x = 0;
        for character in run.text.chars() {
            let glyph = font::glyph(character, run.weight);
            if glyphs.contains(&glyph) {
                let _ = write!(svg, "<use href=\"#{}\" x=\"{x}\"/>", glyph.name());
            }
            x += glyph.advance();
        }
        svg.push_str("</g>\n");
    }
    let _ = writeln!(svg, "</defs>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{PAPER}\"/>");
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    svg
}

/// A text that is written once.
struct Run {
    text: String,
    size: f64,
    weight: Weight,
}

#[derive(Default)]
struct Writer {
    body: String,
    texts: BTreeMap<String, Run>,
    clips: BTreeSet<String>,
}

impl Writer {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Shape { geometry, paint } => self.shape(geometry, *paint),
            Node::Text { text, x, y, style } => self.text(text, (*x, *y), *style),
            Node::Group { class, tooltip, offset, clip, nodes } => {
                let clip = clip.map(|clip| self.clip(clip));
                let _ = write!(self.body, "<g class=\"{class}\"");
                if *offset != (0.0, 0.0) {
                    self.body.push_str(" transform=\"translate(");
                    self.numbers(&[offset.0, offset.1]);
                    self.body.push_str(")\"");
                }
                if let Some(name) = clip {
                    let _ = write!(self.body, " clip-path=\"url(#{name})\"");
                }
                self.body.push('>');
                if let Some(tooltip) = tooltip {
                    let _ = write!(self.body, "<title>{}</title>", escaped(&font::printable(tooltip)));
                }
                self.nodes(nodes);
                self.body.push_str("</g>\n");
            }
        }
    }

    fn shape(&mut self, geometry: &Geometry, paint: Paint) {
        match geometry {
            Geometry::Rect(rect) => {
                self.body.push_str("<rect");
                self.rect(*rect);
            }
            Geometry::Circle { x, y, radius } => {
                self.body.push_str("<circle");
                self.attributes(&[("cx", *x), ("cy", *y), ("r", *radius)]);
            }
            Geometry::Path { runs, closed } => {
                self.body.push_str("<path d=\"");
                for run in runs {
                    for (index, (x, y)) in run.iter().enumerate() {
                        self.body.push(if index == 0 { 'M' } else { 'L' });
                        self.numbers(&[*x, *y]);
                    }
                    if *closed {
                        self.body.push('Z');
                    }
                }
                self.body.push('"');
            }
        }
        self.paint(paint);
        self.body.push_str("/>");
    }

    fn rect(&mut self, rect: Rect) {
        self.attributes(&[("x", rect.x), ("y", rect.y), ("width", rect.width), ("height", rect.height)]);
    }

    fn paint(&mut self, paint: Paint) {
        match paint.fill {
            Some(colour) => {
                let _ = write!(self.body, " fill=\"{colour}\"");
                if paint.fill_opacity < 1.0 {
                    self.attributes(&[("fill-opacity", paint.fill_opacity)]);
                }
            }
            None => self.body.push_str(" fill=\"none\""),
        }
        if let Some((colour, width)) = paint.stroke {
            let _ = write!(self.body, " stroke=\"{colour}\"");
            self.attributes(&[("stroke-width", width)]);
            if let Some(dash) = paint.dash {
                let _ = write!(self.body, " stroke-dasharray=\"{dash}\"");
            }
        }
    }

    fn text(&mut self, text: &str, (x, y): (f64, f64), style: TextStyle) {
        let name = name_of(&format!("{text}\0{}\0{:?}", style.size, style.weight), 't');
        let start = style.anchor.start(style.width(text));
        let _ = write!(self.body, "<use href=\"#{name}\"");
        if style.angle == 0.0 {
            self.attributes(&[("x", x + start), ("y", y)]);
        } else {
            self.body.push_str(" transform=\"translate(");
            self.numbers(&[x, y]);
            self.body.push_str(")rotate(");
            self.numbers(&[style.angle]);
            self.body.push_str(")translate(");
            self.numbers(&[start]);
            self.body.push_str(")\"");
        }
        let _ = write!(self.body, " fill=\"{}\"/>", style.colour);
        self.texts.entry(name).or_insert_with(|| Run { text: text.to_owned(), size: style.size, weight: style.weight });
    }

    /// Defines the clip, once, and says its name.
    fn clip(&mut self, clip: Rect) -> String {
        let name = name_of(&format!("{clip:?}"), 'c');
        if self.clips.insert(name.clone()) {
            let _ = write!(self.body, "<clipPath id=\"{name}\"><rect");
            self.rect(clip);
            self.body.push_str("/></clipPath>");
        }
        name
    }

    fn attributes(&mut self, attributes: &[(&str, f64)]) {
        for (name, value) in attributes {
            let _ = write!(self.body, " {name}=\"");
            coordinate(&mut self.body, *value);
            self.body.push('"');
        }
    }

    fn numbers(&mut self, numbers: &[f64]) {
        for (index, number) in numbers.iter().enumerate() {
            if index > 0 {
                self.body.push(' ');
            }
            coordinate(&mut self.body, *number);
        }
    }
}

/// A short name that is the same wherever the same thing is named (FNV-1a).
fn name_of(what: &str, kind: char) -> String {
    let hash = what
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // 52 bits: two of ten thousand texts are mistaken for each other once in a hundred million pictures.
    format!("{kind}{:x}", hash >> 12)
}

/// Text as XML holds it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in font::printable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character => escaped.push(character),
        }
    }
    escaped
}
