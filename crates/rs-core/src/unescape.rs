//! Escapes of JSON strings, decoded.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

/// Bytes of a `\u` escape; a pair of surrogates takes two of them.
pub(crate) const UNICODE_ESCAPE_BYTES: usize = 6;

/// Bytes searched at a time.
const CHUNK_BYTES: usize = 64;

/// Adds the decoded text of a string that [`Lexer::string`](crate::lexer::Lexer::string) has accepted.
pub(crate) fn unescape_into(raw: &[u8], out: &mut Vec<u8>) {
    dispatch!(Level::new(), simd => unescape_with(simd, raw, out));
}

#[inline(always)]
fn unescape_with<S: Simd>(simd: S, raw: &[u8], out: &mut Vec<u8>) {
    simd.vectorize(
        #[inline(always)]
        || {
            // Bytes before this one have been decoded.
            let mut from = 0;
            let (chunks, rest) = raw.as_chunks::<CHUNK_BYTES>();
            let mut last = [0; CHUNK_BYTES];
            last[..rest.len()].copy_from_slice(rest);
            for (at, chunk) in chunks.iter().chain([&last]).enumerate() {
                let mut backslashes = u8x64::from_slice(simd, chunk).simd_eq(b'\\').to_bitmask();
                while backslashes != 0 {
                    let escape = at * CHUNK_BYTES + backslashes.trailing_zeros() as usize;
                    backslashes &= backslashes - 1;
                    // The second of two backslashes begins no escape.
                    if escape >= from {
                        out.extend_from_slice(&raw[from..escape]);
                        from = escape + decode(raw, escape, out);
                    }
                }
            }
            out.extend_from_slice(&raw[from..]);
        },
    );
}

/// Adds what the escape at `at` stands for. Returns how many bytes it takes.
#[inline(always)]
fn decode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let plain = match raw[at + 1] {
        b'n' => b'\n',
        b'b' => 0x08,
        b'f' => 0x0C,
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return decode_unicode(raw, at, out),
        other => other,
    };
    out.push(plain);
    2
}

#[inline(never)]
fn decode_unicode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let (unit, n_bytes) = unicode_escape(raw, at + 2);
    let character = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    2 + n_bytes
}

/// The scalar value of a `\u` escape whose digits begin at `at`, and the bytes it takes after the `u`
/// (4, or 10 with the second half of a surrogate pair). A lone surrogate is returned as it is.
pub(crate) fn unicode_escape(raw: &[u8], at: usize) -> (u32, usize) {
    let Some(first) = hex4(raw, at) else { return (0xFFFD, 4) };
    if (0xD800..0xDC00).contains(&first)
        && raw.get(at + 4) == Some(&b'\\')
        && raw.get(at + 5) == Some(&b'u')
        && let Some(second) = hex4(raw, at + 6)
        && (0xDC00..0xE000).contains(&second)
    {
        return (0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00), 10);
    }
    (first, 4)
}

/// Whether four hexadecimal digits stand at `at`.
pub(crate) fn has_four_digits(raw: &[u8], at: usize) -> bool {
    hex4(raw, at).is_some()
}

fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let digits = raw.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_index::tests::levels;
    use crate::lexer::Lexer;
    use proptest::prelude::*;

    proptest! {
        /// Escapes that cross from one chunk into the next are decoded once.
        #[test]
        fn decodes_what_serde_json_does(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "thirty-one bytes without escapes.", "\\n", "\\\\", "\\\"", "\\/", "\\u00e9", "\\ud83d\\ude00", "é",
                ]),
                0..60,
            ),
        ) {
            let json = format!("\"{}\"", pieces.concat());
            let expected: String = serde_json::from_str(&json).expect("is JSON");
            let found = Lexer::new(json.as_bytes()).string().expect("is a string");
            prop_assert_eq!(found.decode(), expected.as_str());
            prop_assert_eq!(found.decoded_bytes, expected.len());
            for level in levels() {
                let mut out = Vec::new();
                dispatch!(level, simd => unescape_with(simd, found.raw, &mut out));
                prop_assert_eq!(&out, expected.as_bytes(), "{:?}", level);
            }
        }
    }
}
