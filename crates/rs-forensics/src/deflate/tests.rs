//! Sizes compared with the library's.

use fastrand::Rng;
use libdeflater::{CompressionLvl, Compressor};
use proptest::prelude::*;

use super::*;

thread_local! {
    static BOTH: std::cell::RefCell<(Deflate, Compressor)> =
        std::cell::RefCell::new((Deflate::new(), Compressor::new(CompressionLvl::new(6).unwrap())));
}

/// Bytes by this and by the library, which both have seen other texts before.
fn both(text: &[u8]) -> (usize, usize) {
    BOTH.with_borrow_mut(|(deflate, library)| {
        let mut out = vec![0; library.deflate_compress_bound(text.len())];
        (deflate.bytes(text), library.deflate_compress(text, &mut out).unwrap())
    })
}

#[track_caller]
fn check(text: &[u8]) {
    let (bytes, expected) = both(text);
    assert_eq!(bytes, expected, "{} bytes", text.len());
}

/// Bytes of which some repeat earlier ones, the same for the same seed.
fn text(seed: u64, len: usize, alphabet: u8, repetition: u8) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut text: Vec<u8> = Vec::with_capacity(len);
    while text.len() < len {
        if rng.u8(..) < repetition && text.len() > 8 {
            // Now and then a long one, or one that is far away.
            let far = if rng.u8(..4) == 0 { text.len() } else { text.len().min(500) };
            let begin = text.len() - rng.usize(1..far);
            let count = if rng.u8(..32) == 0 { rng.usize(..700) } else { rng.usize(3..15) };
            for at in begin..begin + count {
                text.push(text[at]);
            }
        } else {
            text.push(b' '.wrapping_add(rng.u8(..alphabet)));
        }
    }
    text.truncate(len);
    text
}

#[test]
fn texts_of_every_kind_have_the_librarys_size() {
    for len in (1..700).chain((700..SHORT_BYTES).step_by(97)).chain([8192, 8193, SHORT_BYTES - 1]) {
        for (alphabet, repetition) in
            [(1, 0), (2, 3), (7, 40), (14, 0), (40, 20), (60, 90), (95, 200), (255, 0), (255, 30)]
        {
            check(&text(len as u64, len, alphabet, repetition));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_has_the_librarys_size(seed: u64, len in 1..SHORT_BYTES, alphabet in 1_u8.., repetition: u8) {
        let (bytes, expected) = both(&text(seed, len, alphabet, repetition));
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn any_words_have_the_librarys_size(words in proptest::collection::vec("[a-z]{1,9}|[0-9]{1,4}|\\PC{1,3}|, |\\n", 1..600)) {
        let text = words.join(" ");
        let (bytes, expected) = both(&text.as_bytes()[..text.len().min(SHORT_BYTES - 1)]);
        prop_assert_eq!(bytes, expected);
    }
}
