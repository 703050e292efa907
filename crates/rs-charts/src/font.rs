//! The font that all text is drawn with: how wide text is, and the outlines of its characters.
//!
//! Noto Sans, cut down to Latin, Greek, Cyrillic and mathematical signs (`fonts/`). Its digits are all of one width, so
//! that columns of numbers stand in line. A character that it lacks is drawn as its box, visibly.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::OnceLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// Height of capital letters, as a share of the font's size.
pub(crate) const CAPITAL_HEIGHT: f64 = 0.714;

/// Units per em of all the files.
const UNITS: f64 = 1000.0;

/// How heavy text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Weight {
    #[default]
    Regular,
    Bold,
}

/// One character's shape: in which file, and where there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Glyph {
    face: usize,
    id: u16,
}

impl Glyph {
    /// A name for it that is the same in every picture.
    pub(crate) fn name(self) -> String {
        format!("{}{:x}", ['r', 'b', 'm'][self.face], self.id)
    }

    /// Its width in thousandths of the size.
    pub(crate) fn advance(self) -> u32 {
        let face = &faces()[self.face];
        face.glyph_hor_advance(GlyphId(self.id)).unwrap_or(0).into()
    }

    /// Its outline as SVG path data in thousandths of the size, y upwards; empty for blanks.
    pub(crate) fn outline(self) -> String {
        let mut path = PathData::default();
        let _bounds = faces()[self.face].outline_glyph(GlyphId(self.id), &mut path);
        path.data
    }
}

fn faces() -> &'static [Face<'static>; 3] {
    static FACES: OnceLock<[Face<'static>; 3]> = OnceLock::new();
    FACES.get_or_init(|| {
        let files: [&'static [u8]; 3] = [
            include_bytes!("../fonts/NotoSans-Regular.ttf"),
            include_bytes!("../fonts/NotoSans-Bold.ttf"),
            include_bytes!("../fonts/NotoSansMath-Regular.ttf"),
        ];
        files.map(|bytes| Face::parse(bytes, 0).expect("the shipped fonts are whole"))
    })
}

/// The shape of a character: in the font of that weight, in the one of mathematical signs, or the box of the first.
pub(crate) fn glyph(character: char, weight: Weight) -> Glyph {
    let first = match weight {
        Weight::Regular => 0,
        Weight::Bold => 1,
    };
    [first, 2]
        .into_iter()
        .find_map(|face| Some(Glyph { face, id: faces()[face].glyph_index(character)?.0 }))
        .unwrap_or(Glyph { face: first, id: 0 })
}

/// Characters as they are drawn: white space is one blank, and what neither XML nor a picture can hold is replaced.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter(|character| !is_invisible(*character))
        .map(|character| match character {
            character if character.is_whitespace() => ' ',
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
            character => character,
        })
        .collect()
}

/// Marks of writing direction and joining, which have no shape. They would also make neighbours read differently.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How wide text is in pixels at this size.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let units: u32 = printable(text).chars().map(|character| glyph(character, weight).advance()).sum();
    f64::from(units) * size / UNITS
}

/// Which part of a text stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Beginning,
    BothEnds,
}

/// The text, or as much of its beginning and end as fits around an ellipsis: names often differ at their end.
pub(crate) fn shortened(text: &str, size: f64, weight: Weight, room: f64) -> String {
    cut(text, size, weight, room, Kept::BothEnds)
}

/// The texts, cut at their end where they are too long, or in their middle if some could not be told apart otherwise.
pub(crate) fn shortened_apart(texts: &[&str], size: f64, weight: Weight, room: f64) -> Vec<String> {
    let all = |kept: Kept| -> Vec<String> { texts.iter().map(|text| cut(text, size, weight, room, kept)).collect() };
    let beginnings = all(Kept::Beginning);
    let count = |texts: &mut dyn Iterator<Item = &str>| texts.collect::<BTreeSet<&str>>().len();
    if count(&mut beginnings.iter().map(String::as_str)) == count(&mut texts.iter().copied()) {
        return beginnings;
    }
    all(Kept::BothEnds)
}

fn cut(text: &str, size: f64, weight: Weight, room: f64, part: Kept) -> String {
    let text = printable(text);
    if width(&text, size, weight) <= room {
        return text;
    }
    let characters: Vec<char> = text.chars().collect();
    let candidate = |kept: usize| -> String {
        let tail = if part == Kept::Beginning { 0 } else { kept / 2 };
        let head = kept - tail;
        let mut shortened: String = characters[..head].iter().collect();
        shortened.push('…');
        shortened.extend(&characters[characters.len() - tail..]);
        shortened
    };
    // Widths grow with what is kept: the most that fits is found by halving.
    let (mut fits, mut too_many) = (0, characters.len());
    while too_many - fits > 1 {
        let middle = fits.midpoint(too_many);
        if width(&candidate(middle), size, weight) <= room {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    candidate(fits)
}

/// The text in lines of at most this width, broken at blanks; words that are wider alone are shortened.
pub(crate) fn wrapped(text: &str, size: f64, weight: Weight, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in printable(text).split(' ').filter(|word| !word.is_empty()) {
        let word = shortened(word, size, weight, room);
        let longer = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
        if width(&longer, size, weight) <= room {
            line = longer;
        } else {
            lines.push(std::mem::replace(&mut line, word));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Collects an outline as path data; coordinates are whole units.
#[derive(Default)]
struct PathData {
    data: String,
}

impl PathData {
    fn push(&mut self, command: char, points: &[f32]) {
        self.data.push(command);
        for (index, coordinate) in points.iter().enumerate() {
            let separator = if index == 0 || *coordinate < 0.0 { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(self.data, "{separator}{}", coordinate.round() as i32);
        }
    }
}

impl OutlineBuilder for PathData {
    fn move_to(&mut self, x: f32, y: f32) {
        self.push('M', &[x, y]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.push('L', &[x, y]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.push('Q', &[x1, y1, x, y]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.push('C', &[x1, y1, x2, y2, x, y]);
    }

    fn close(&mut self) {
        self.data.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_of_one_width() {
        let widths: Vec<u32> = ('0'..='9').map(|digit| glyph(digit, Weight::Regular).advance()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?}");
    }

    #[test]
    fn a_character_that_no_font_has_is_a_visible_box() {
        for character in ['漢', 'ع', '\u{1f600}'] {
            let glyph = glyph(character, Weight::Regular);
            assert_eq!(glyph.id, 0);
            assert!(!glyph.outline().is_empty());
            assert!(glyph.advance() > 0);
        }
    }

    #[test]
    fn signs_of_the_charts_are_there() {
        for character in "−±×≤≥≈≠→…·–—²µΔσ∞".chars() {
            assert_ne!(glyph(character, Weight::Bold).id, 0, "{character}");
        }
    }

    #[test]
    fn long_text_keeps_both_ends() {
        assert_eq!(shortened("short", 12.0, Weight::Regular, 100.0), "short");
        let text = shortened("a-very-long-model-name-instruct-q4", 12.0, Weight::Regular, 100.0);
        assert!(text.starts_with("a-very") && text.ends_with("t-q4") && text.contains('…'), "{text}");
        assert!(width(&text, 12.0, Weight::Regular) <= 100.0);
        assert_eq!(shortened("anything", 12.0, Weight::Regular, 0.0), "…");
    }

    #[test]
    fn names_are_cut_so_that_they_are_told_apart() {
        let cut = |texts: [&str; 2]| shortened_apart(&texts, 12.0, Weight::Regular, 100.0);
        let [first, second] = ["alpha-with-a-very-long-name", "beta-with-a-very-long-name"];
        let names = cut([first, second]);
        assert!(names[0].starts_with("alpha-with") && names[0].ends_with('…'), "{names:?}");
        assert!(names[1].starts_with("beta-with") && names[1].ends_with('…'), "{names:?}");
        let names = cut(["the-same-very-long-beginning-q4", "the-same-very-long-beginning-q8"]);
        assert!(names[0].ends_with("q4") && names[1].ends_with("q8"), "{names:?}");
        assert_eq!(cut(["short", first])[0], "short");
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrapped("one two  three", 10.0, Weight::Regular, 45.0), ["one two", "three"]);
        assert_eq!(wrapped("", 10.0, Weight::Regular, 45.0), Vec::<String>::new());
    }
}
