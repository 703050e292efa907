//! How far traces can be compressed: a trace that repeats itself shrinks to little.

use std::cell::RefCell;

use rs_deflate::Deflate;
pub use rs_deflate::LEVEL;

/// Codec, level and library version whose sizes these are, as `meta.compressor` has them: sizes of different ones cannot be
/// compared.
pub const COMPRESSOR: &str = "gzip, libdeflate level 6, crate libdeflater 1.26";

/// Bytes of a gzip member beside its DEFLATE stream (RFC 1952).
const GZIP_BYTES: usize = 18;

thread_local! {
    /// Half a megabyte that is used again for the next trace.
    static DEFLATE: RefCell<Option<Deflate>> = const { RefCell::new(None) };
}

/// Bytes of a trace as one gzip member; 0 for an empty trace, which has no ratio.
#[must_use]
pub fn compressed_bytes(trace: &[u8]) -> u32 {
    if trace.is_empty() {
        return 0;
    }
    let bytes = DEFLATE.with_borrow_mut(|deflate| deflate.get_or_insert_default().bytes(trace));
    u32::try_from(bytes + GZIP_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_size() {
        assert_eq!(compressed_bytes(b""), 0);
    }

    #[test]
    fn repetition_shrinks_and_noise_does_not() {
        let loops = b"Wait, let me check that again. ".repeat(1000);
        let noise: Vec<u8> =
            (0_u32..8192).flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..4].to_vec()).collect();
        assert!(compressed_bytes(&loops) < 300, "{}", compressed_bytes(&loops));
        assert!(compressed_bytes(&noise) as usize > noise.len());
    }

    #[track_caller]
    fn check(trace: &str, bytes: usize, compressed: u32) {
        assert_eq!((trace.len(), compressed_bytes(trace.as_bytes())), (bytes, compressed));
    }

    /// Sizes that another binding of the C library gives (PyPI's `deflate`, `gzip_compress(trace, 6)`).
    #[test]
    fn vectors() {
        check(&"The quick brown fox jumps over the lazy dog. ".repeat(40), 1800, 81);
        check(&"Wait, let me check that again. ".repeat(1000), 31_000, 142);
        check(&(0..2000).map(|number| (number * number).to_string()).collect::<String>(), 12_537, 5294);
        check(&"Ein Rätsel: ∑ 1/n² = π²/6 – warum? ".repeat(25), 1075, 74);
    }

    #[test]
    fn what_came_before_does_not_matter() {
        let text = b"The answer is 42, because six times seven is forty-two.";
        let first = compressed_bytes(text);
        assert!(compressed_bytes(&vec![b'x'; 1 << 20]) < 2000);
        assert_eq!(compressed_bytes(text), first);
    }
}
