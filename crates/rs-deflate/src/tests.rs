//! Sizes compared with the library's.

use fastrand::Rng;
use libdeflater::{CompressionLvl, Compressor};
use proptest::prelude::*;

use super::*;

thread_local! {
    static BOTH: std::cell::RefCell<(Deflate, Compressor)> =
        std::cell::RefCell::new((Deflate::default(), Compressor::new(CompressionLvl::new(LEVEL).unwrap())));
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
    assert_eq!(bytes, expected, "{} bytes: {}", text.len(), text.escape_ascii());
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

/// The shortest match to look for depends on how many different bytes there are.
#[test]
fn texts_of_every_alphabet_have_the_librarys_size() {
    for alphabet in 1..=96 {
        for (len, repetition) in [(511, 30), (512, 30), (4096, 10), (5000, 60)] {
            check(&text(u64::from(alphabet), len, alphabet, repetition));
        }
    }
}

/// Three bytes that came before are worth a match up to a certain distance.
#[test]
fn near_and_far_matches_of_three_bytes_have_the_librarys_size() {
    for distance in [8191, 8192, 8193, 8194] {
        // Words that come again, each between other bytes than before.
        let mut rng = Rng::with_seed(1);
        let words: Vec<[u8; 3]> = (0..40).map(|_| std::array::from_fn(|_| rng.u8(b'a'..=b'z'))).collect();
        let mut put =
            |text: &mut Vec<u8>| words.iter().for_each(|word| text.extend([rng.u8(128..), word[0], word[1], word[2]]));
        let mut text = Vec::new();
        put(&mut text);
        text.extend((text.len()..distance).map(|at| b' ' + (at % 64) as u8));
        put(&mut text);
        check(&text);
    }
}

/// The last position there is belongs to a text; then the next one begins anew.
#[test]
fn positions_run_out_unseen() {
    let texts: Vec<Vec<u8>> = (0..7).map(|seed| text(seed, 9000, 60, 90)).chain([text(7, 2535, 60, 90)]).collect();
    let mut deflate = Deflate::default();
    let sizes = |deflate: &mut Deflate| -> Vec<usize> { texts.iter().map(|text| deflate.bytes(text)).collect() };
    let first = sizes(&mut deflate);
    assert_eq!(first, texts.iter().map(|text| both(text).1).collect::<Vec<_>>());
    assert_eq!(sizes(&mut deflate), first);
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
