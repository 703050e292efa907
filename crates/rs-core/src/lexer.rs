//! A validating JSON lexer over one line of a raw file: finds where values begin and end without building them.
//!
//! It accepts exactly the grammar of RFC 8259 (with a nesting limit of [`MAX_DEPTH`]); everything a record does not
//! need is checked and skipped. Strings are returned as they stand in the file together with the length they have
//! once decoded, because most of a record's bytes are text of which only the length is wanted.

use std::borrow::Cow;

use crate::block_index::{BlockIndex, WORD_BYTES, Word, escapes_before};
use crate::shape::Position;
use crate::unescape::{UNICODE_ESCAPE_BYTES, has_four_digits, unescape_into, unicode_escape};

/// Deepest nesting of arrays and objects that is accepted, as in `serde_json`.
pub const MAX_DEPTH: usize = 128;

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct LexError {
    /// Offset in bytes from the start of the line.
    pub at: usize,
    /// A lower-case fragment for people.
    pub what: String,
}

impl LexError {
    /// An error at byte `at` of the line.
    pub fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

/// A JSON string as it stands in the file, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RawString<'a> {
    /// The bytes between the quotes, escapes and all; valid UTF-8.
    pub raw: &'a [u8],
    /// Length in bytes of the decoded text (UTF-8).
    pub decoded_bytes: usize,
}

impl<'a> RawString<'a> {
    /// Whether the text holds escapes, so that it differs from its raw form.
    #[must_use]
    pub fn has_escapes(&self) -> bool {
        self.raw.len() != self.decoded_bytes
    }

    /// Adds the decoded text to a buffer.
    pub fn decode_into(&self, out: &mut Vec<u8>) {
        if self.has_escapes() {
            out.reserve(self.decoded_bytes);
            unescape_into(self.raw, out);
        } else {
            out.extend_from_slice(self.raw);
        }
    }

    /// The decoded text. A surrogate that has no partner (legal JSON, but no Unicode) becomes U+FFFD.
    #[must_use]
    pub fn decode(&self) -> Cow<'a, str> {
        if self.has_escapes() {
            let mut out = Vec::with_capacity(self.decoded_bytes);
            unescape_into(self.raw, &mut out);
            Cow::Owned(
                String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            )
        } else {
            String::from_utf8_lossy(self.raw)
        }
    }
}

/// A position in one line.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    line: &'a [u8],
    at: usize,
    /// What is known of the block that the line lies in; nothing, if there are no words.
    words: &'a [Word],
    /// Where the line begins in that block.
    start: usize,
    /// Whether strings must be searched for control characters: somebody may have seen that there are none.
    check_controls: bool,
    /// Where the last string begins that [`Lexer::value`] has passed and that is no key.
    last_text: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `line`, which must be valid UTF-8 without its line end.
    #[must_use]
    pub fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0, words: &[], start: 0, check_controls: true, last_text: 0 }
    }

    /// The same for a line that begins at `start` of the piece that `index` tells of.
    #[inline]
    pub(crate) fn indexed(line: &'a [u8], index: &'a BlockIndex, start: usize) -> Self {
        Self { line, at: 0, words: &index.words, start, check_controls: index.rare.has_controls, last_text: 0 }
    }

    /// Offset of the next byte.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte after blanks, not taken; `None` at the end of the line.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.line.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes `byte`, after blanks.
    ///
    /// # Errors
    /// Something else is there.
    #[inline]
    pub fn expect(&mut self, byte: u8) -> Result<(), LexError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(&format!("`{}`", char::from(byte))))
    }

    /// Takes `byte` if it is next, after blanks.
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Checks that only blanks are left.
    ///
    /// # Errors
    /// Something follows the value.
    pub fn end(&mut self) -> Result<(), LexError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the line")),
        }
    }

    /// "expected X, found Y" at the next byte.
    #[must_use]
    pub fn unexpected(&self, expected: &str) -> LexError {
        LexError::new(self.at, format!("expected {expected}, found {}", describe(self.line, self.at)))
    }

    /// Takes a string.
    ///
    /// # Errors
    /// No string is there, it does not end, or it holds a bad escape or a control character.
    #[inline]
    pub fn string(&mut self) -> Result<RawString<'a>, LexError> {
        self.expect_quote()?;
        let start = self.at;
        // What is wrong with a string is told by who searches it.
        let (end, n_saved) = match self.indexed_end() {
            Some(found) => found,
            None => self.searched_end()?,
        };
        let raw = &self.line[start..end];
        // Looking at all of them, the compiler makes vectors of it, which it does not of a search.
        if self.check_controls
            && raw.iter().fold(false, |found, byte| found | (*byte < 0x20))
            && let Some(offset) = raw.iter().position(|byte| *byte < 0x20)
        {
            let byte = raw[offset];
            return Err(LexError::new(start + offset, format!("control character 0x{byte:02x} in a string")));
        }
        self.at = end + 1;
        Ok(RawString { raw, decoded_bytes: raw.len() - n_saved })
    }

    /// Where the string ends whose first byte comes next, and how many bytes its escapes save, by what is known of the
    /// block; `None` if that is nothing, or the string is no good.
    #[inline]
    fn indexed_end(&self) -> Option<(usize, usize)> {
        let first = self.start + self.at;
        let mut at = first / WORD_BYTES;
        let mut stops = self.words.get(at)?.stops & (u64::MAX << (first % WORD_BYTES));
        let mut n_saved = 0;
        // Bytes before this one belong to an escape already seen.
        let mut unread = 0;
        let end = loop {
            while stops == 0 {
                at += 1;
                stops = self.words.get(at)?.stops;
            }
            let stop = (at * WORD_BYTES + stops.trailing_zeros() as usize).checked_sub(self.start)?;
            if *self.line.get(stop)? == b'"' {
                break stop;
            }
            stops &= stops - 1;
            if stop >= unread {
                let (raw_bytes, decoded_bytes) = self.long_escape(stop - 1).ok()?;
                unread = stop - 1 + raw_bytes;
                // A byte for each of its backslashes is counted below.
                n_saved += raw_bytes - decoded_bytes - raw_bytes / UNICODE_ESCAPE_BYTES;
            }
        };
        let n_escapes = escapes_before(self.words, self.start + end) - escapes_before(self.words, first);
        Some((end, n_saved + usize::try_from(n_escapes).ok()?))
    }

    /// The same by searching.
    fn searched_end(&self) -> Result<(usize, usize), LexError> {
        let (mut at, mut n_saved) = (self.at, 0);
        loop {
            let Some(step) = memchr::memchr2(b'"', b'\\', &self.line[at..]) else {
                return Err(LexError::new(self.at.saturating_sub(1), "string has no end"));
            };
            at += step;
            if self.line[at] == b'"' {
                return Ok((at, n_saved));
            }
            let (raw_bytes, decoded_bytes) = match self.line.get(at + 1) {
                Some(byte) if SHORT_ESCAPES.contains(byte) => (2, 1),
                _ => self.long_escape(at)?,
            };
            at += raw_bytes;
            n_saved += raw_bytes - decoded_bytes;
        }
    }

    #[inline]
    fn expect_quote(&mut self) -> Result<(), LexError> {
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("a string"))
    }

    /// Raw and decoded length of the escape at `at`, which is none of two bytes.
    #[inline(never)]
    fn long_escape(&self, at: usize) -> Result<(usize, usize), LexError> {
        match self.line.get(at + 1) {
            Some(b'u') => {
                if !has_four_digits(self.line, at + 2) {
                    return Err(LexError::new(at, "`\\u` without four hex digits"));
                }
                let (scalar, used) = unicode_escape(self.line, at + 2);
                let decoded_bytes = match scalar {
                    0..0x80 => 1,
                    0x80..0x800 => 2,
                    0x800..0x1_0000 => 3,
                    _ => 4,
                };
                Ok((2 + used, decoded_bytes))
            }
            Some(_) => Err(LexError::new(at, "unknown escape in a string")),
            None => Err(LexError::new(at, "string has no end")),
        }
    }

    /// Takes a number and returns its text.
    ///
    /// # Errors
    /// No number of the JSON grammar is there.
    #[inline]
    pub fn number(&mut self) -> Result<&'a [u8], LexError> {
        self.peek();
        let start = self.at;
        let mut at = start;
        let digits = |mut at: usize| {
            while matches!(self.line.get(at), Some(b'0'..=b'9')) {
                at += 1;
            }
            at
        };
        if self.line.get(at) == Some(&b'-') {
            at += 1;
        }
        let integer = at;
        at = digits(at);
        if at == integer {
            return Err(self.unexpected("a number"));
        }
        if self.line[integer] == b'0' && at > integer + 1 {
            return Err(LexError::new(start, "number with a leading zero"));
        }
        if self.line.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = digits(fraction);
            if at == fraction {
                return Err(LexError::new(start, "number without digits after the point"));
            }
        }
        if matches!(self.line.get(at), Some(b'e' | b'E')) {
            at += 1;
            if matches!(self.line.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            let exponent = at;
            at = digits(exponent);
            if at == exponent {
                return Err(LexError::new(start, "number without digits in its exponent"));
            }
        }
        self.at = at;
        Ok(&self.line[start..at])
    }

    /// Takes `true`, `false` or `null` as named.
    ///
    /// # Errors
    /// Something else is there.
    pub fn literal(&mut self, word: &str) -> Result<(), LexError> {
        self.peek();
        if self.line[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.unexpected(&format!("`{word}`")))
    }

    /// Takes one value of any kind and returns its text.
    ///
    /// # Errors
    /// The value breaks the grammar or nests deeper than [`MAX_DEPTH`].
    pub fn value(&mut self) -> Result<&'a [u8], LexError> {
        self.peek();
        let start = self.at;
        self.skip(0)?;
        Ok(&self.line[start..self.at])
    }

    fn skip(&mut self, depth: usize) -> Result<(), LexError> {
        if depth > MAX_DEPTH {
            return Err(LexError::new(self.at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        match self.peek() {
            Some(b'"') => {
                self.last_text = self.at;
                self.string().map(drop)
            }
            Some(b'{') => self.members(|lexer, _| lexer.skip(depth + 1)),
            Some(b'[') => {
                self.at += 1;
                if self.take(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if self.take(b']') {
                        return Ok(());
                    }
                    if !self.take(b',') {
                        return Err(self.unexpected("`,` or `]`"));
                    }
                }
            }
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Takes an object; `member` is called with each key, the lexer standing before its value, and takes the value.
    ///
    /// # Errors
    /// No object is there, its punctuation is wrong, or `member` says so.
    #[inline]
    pub fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, RawString<'a>) -> Result<(), LexError>,
    ) -> Result<(), LexError> {
        let mut position = Position::First;
        while let Some(key) = self.next_key(position)? {
            member(self, key)?;
            position = Position::Later;
        }
        Ok(())
    }

    /// Takes what stands before the next value of an object, and the blanks after it; `None` when the object ends.
    ///
    /// # Errors
    /// No object begins there, or its punctuation is wrong.
    #[inline]
    pub(crate) fn next_key(&mut self, position: Position) -> Result<Option<RawString<'a>>, LexError> {
        match position {
            Position::First => self.expect(b'{')?,
            Position::Later if self.take(b',') => {}
            Position::Later => {
                return if self.take(b'}') { Ok(None) } else { Err(self.unexpected("`,` or `}`")) };
            }
        }
        if position == Position::First && self.take(b'}') {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let key = self.string()?;
        self.expect(b':')?;
        self.peek();
        Ok(Some(key))
    }

    /// What has not been taken yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }

    /// What has been taken since the lexer stood at `start`.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.at]
    }

    /// Takes bytes that are known to be there and to be whole tokens.
    #[inline]
    pub(crate) fn advance(&mut self, n_bytes: usize) {
        self.at += n_bytes;
    }

    /// What stands before and after the last string, keys apart, of the value taken last, which began at `start`; `None` if
    /// it holds none.
    pub(crate) fn around_last_text(&self, start: usize) -> Option<(&'a [u8], &'a [u8])> {
        let before = self.line.get(start..self.last_text)?;
        let mut text = Self { at: self.last_text, ..self.clone() };
        text.string().ok()?;
        Some((before, &self.line[text.at..self.at]))
    }

    /// The value of the number that comes next and the bytes it takes, if it is up to 18 digits and no more.
    #[inline]
    pub(crate) fn peek_digits(&mut self) -> Option<(i64, usize)> {
        self.peek();
        let rest = self.rest();
        let (mut value, mut n_digits) = (0_i64, 0);
        while let Some(digit @ b'0'..=b'9') = rest.get(n_digits) {
            if n_digits == 18 {
                return None;
            }
            value = value * 10 + i64::from(digit - b'0');
            n_digits += 1;
        }
        let has_leading_zero = n_digits > 1 && rest[0] == b'0';
        let goes_on = matches!(rest.get(n_digits), Some(b'.' | b'e' | b'E'));
        (n_digits > 0 && !has_leading_zero && !goes_on).then_some((value, n_digits))
    }

    /// Takes `text`, whole tokens that were accepted here before, if it comes next.
    #[inline]
    pub(crate) fn take_same(&mut self, text: &[u8]) -> Option<&'a [u8]> {
        if text.is_empty() || !self.rest().starts_with(text) {
            return None;
        }
        let start = self.at;
        self.at += text.len();
        Some(self.since(start))
    }
}

/// Second bytes of escapes of two bytes, which stand for one.
const SHORT_ESCAPES: &[u8] = br#""\/bfnrt"#;

/// What stands at `at`, for a message.
fn describe(line: &[u8], at: usize) -> String {
    match line.get(at) {
        None => "the end of the line".to_owned(),
        Some(b'"') => "a string".to_owned(),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b'-' | b'0'..=b'9') => "a number".to_owned(),
        Some(byte) if *byte < 0x20 || *byte == 0x7F => format!("control character 0x{byte:02x}"),
        Some(_) => {
            let rest = String::from_utf8_lossy(&line[at..line.len().min(at + 32)]);
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).take(12).collect();
            if word.is_empty() { format!("`{}`", rest.chars().next().unwrap_or(' ')) } else { format!("`{word}`") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(text: &str) -> Result<(), LexError> {
        let mut lexer = Lexer::new(text.as_bytes());
        lexer.value()?;
        lexer.end()
    }

    #[track_caller]
    fn check_string(json: &str, decoded: &str) {
        let string = Lexer::new(json.as_bytes()).string().expect("a valid string");
        assert_eq!(string.decode(), decoded);
        assert_eq!(string.decoded_bytes, decoded.len());
    }

    #[track_caller]
    fn check_error(json: &str, at: usize, what: &str) {
        assert_eq!(accepts(json), Err(LexError::new(at, what)));
    }

    #[test]
    fn strings_decode() {
        check_string(r#""plain""#, "plain");
        check_string(r#""a\nb\t\"\\\/\b\f\r""#, "a\nb\t\"\\/\u{8}\u{c}\r");
        check_string(r#""\u00e9\u20ac\ud83d\ude00é€😀\u0000""#, "é€😀é€😀\0");
        check_string(r#""lone \ud83d end""#, "lone \u{FFFD} end");
        check_string(r#""two \ud83d\ud83d\ude00""#, "two \u{FFFD}😀");
        check_string(r#""\udc00""#, "\u{FFFD}");
    }

    #[test]
    fn errors_say_where_and_what() {
        check_error("", 0, "expected a value, found the end of the line");
        check_error("{\"a\":1,}", 7, "expected a key, found `}`");
        check_error("[1 2]", 3, "expected `,` or `]`, found a number");
        check_error("\"abc", 0, "string has no end");
        check_error("\"a\\x\"", 2, "unknown escape in a string");
        check_error("\"\\u12g4\"", 1, "`\\u` without four hex digits");
        check_error("\"a\u{0}\"", 2, "control character 0x00 in a string");
        check_error("01", 0, "number with a leading zero");
        check_error("1.", 0, "number without digits after the point");
        check_error("1e+", 0, "number without digits in its exponent");
        check_error("nul", 0, "expected `null`, found `nul`");
        check_error("{} x", 3, "expected the end of the line, found `x`");
        check_error("NaN", 0, "expected a value, found `NaN`");
        check_error(&"[".repeat(200), 129, "nested deeper than 128 levels");
    }

    /// JSON text with the odd thing broken.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("[".to_owned()),
            Just("]".to_owned()),
            Just(",".to_owned()),
            Just(":".to_owned()),
            Just("\"a\"".to_owned()),
            Just("\"\\n\\u00e9\"".to_owned()),
            Just("1".to_owned()),
            Just("-0.5e+3".to_owned()),
            Just("true".to_owned()),
            Just("null".to_owned()),
            Just(" ".to_owned()),
            "[\\x00-\\x7f]{0,3}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn accepts_what_serde_json_accepts(text in nearly_json()) {
            // serde_json also refuses numbers beyond f64 and lone surrogates; the pieces above make neither.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            prop_assert_eq!(accepts(&text).is_ok(), theirs.is_ok(), "{:?} {:?}", text, accepts(&text));
        }

        #[test]
        fn decodes_what_serde_json_writes(text in "\\PC*[\\x00-\\x1f\"\\\\]{0,4}\\PC*") {
            let json = serde_json::to_string(&text).expect("a string serialises");
            check_string(&json, &text);
        }
    }
}
