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
    let shown = &text[..text.len().min(2000)];
    assert_eq!(bytes, expected, "{} bytes: {}", text.len(), shown.escape_ascii());
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
    for len in (1..700).chain((700..10_000).step_by(97)).chain([8192, 8193, 32_767, 32_768, 32_769, 65_535, 65_536]) {
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

/// Several kinds of text one behind the other, the same for the same seed.
fn mixed(seed: u64, lens: std::ops::Range<usize>) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut whole = Vec::new();
    for _ in 0..rng.usize(2..6) {
        let (len, alphabet, repetition) = (rng.usize(lens.clone()), rng.u8(1..), rng.u8(..));
        whole.extend(text(rng.u64(..), len, alphabet, repetition));
    }
    whole
}

/// A text that changes its kind is split; each block chooses the shortest match anew.
#[test]
fn texts_in_several_blocks_have_the_librarys_size() {
    for seed in 0..60 {
        check(&mixed(seed, 1000..40_000));
    }
}

/// Each of these has another size if a block may end a byte before or after where it may, if a block is short or long up to a
/// byte more or less, or short to an item more or less, or if the shortest match is chosen again a byte earlier or later.
#[test]
fn texts_at_the_borders_of_every_rule_have_the_librarys_size() {
    // Another stream of random numbers would need other seeds.
    assert_eq!(both(&mixed(53, 1000..9000)).1, 6527, "the seeds below were found for other texts");
    let seeds =
        [53, 72, 154, 296, 417, 1768, 1913, 8796, 11_417, 13_263, 18_225, 25_815, 32_466, 33_723, 102_659, 121_299];
    for seed in seeds {
        check(&mixed(seed, 1000..9000));
    }
    for seed in [6032, 12_352] {
        check(&mixed(seed, 5000..60_000));
    }
}

/// What chooses the shortest match sees the first 4096 bytes of a block.
#[test]
fn a_new_byte_is_seen_up_to_a_place() {
    for n_used in [5, 7, 9, 15, 44, 79] {
        for place in 4094..=4097 {
            let mut whole = text(n_used, 9000, n_used as u8, 60);
            whole[place] = b'!' + n_used as u8;
            check(&whole);
        }
    }
}

/// Of words of four bytes each is a match, so that a block ends by how many there are.
#[test]
fn texts_of_short_matches_have_the_librarys_size() {
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let words: Vec<[u8; 4]> = (0..1000).map(|_| std::array::from_fn(|_| rng.u8(..))).collect();
        let whole: Vec<u8> = (0..100_000).flat_map(|_| words[rng.usize(..words.len())]).collect();
        check(&whole);
    }
}

/// A block is at most about 300,000 bytes long, has at most 50,000 matches, and may be stored in parts.
#[test]
fn texts_with_blocks_of_every_length_have_the_librarys_size() {
    for (len, alphabet, repetition) in [
        (300_000, 60, 30),
        (304_999, 60, 30),
        (305_000, 60, 30),
        (305_001, 255, 0),
        (700_000, 3, 10),
        (700_000, 255, 0),
        (700_000, 90, 240),
        (3_000_000, 60, 60),
    ] {
        check(&text(7, len, alphabet, repetition));
    }
}

/// What comes again is found at most 32,767 bytes later, wherever the window has slid meanwhile.
#[test]
fn matches_out_of_reach_are_not_found() {
    let noise = |seed: u64, len: usize| text(seed, len, 250, 0);
    for lead in [0, 1, 30_000, 64_000, 65_000, 65_200, 97_000] {
        for distance in [32_766, 32_767, 32_768, 32_769] {
            let phrase = noise(1, 400);
            let mut whole = noise(2, lead);
            whole.extend(&phrase);
            whole.extend(noise(3, distance - phrase.len()));
            whole.extend(&phrase);
            check(&whole);
        }
    }
}

/// Where few bytes are used no three are looked for; where more are used later on, they are found all the same.
#[test]
fn three_bytes_are_found_where_they_were_not_looked_for_before() {
    for lead in [4096, 20_000, 64_000, 70_000] {
        let mut whole = text(1, lead, 60, 20);
        whole.extend(text(2, 30_000, 200, 60));
        check(&whole);
        // The same in one block, of which the first choice was another.
        let mut rng = Rng::with_seed(3);
        let mut whole: Vec<u8> =
            (0..lead + 30_000).map(|at| rng.u8(b' '..if at < 4096 { b'a' } else { b'~' })).collect();
        check(&whole);
        // Where all positions that they were looked for at are out of reach.
        whole.extend(text(4, 80_000, 20, 60));
        whole.extend(text(5, 30_000, 200, 60));
        check(&whole);
    }
}

/// The first position is filed under hash 0, which what stands there seldom has: here it has.
#[test]
fn a_first_position_that_has_its_own_hash_counts() {
    let has_hash_0 =
        |text: &[u8]| u32::from_le_bytes(text[..4].try_into().unwrap()).wrapping_mul(0x1E35_A7BD) >> 16 == 0;
    let mut n_checked = 0;
    for seed in 0..400_000 {
        let mut rng = Rng::with_seed(seed);
        let start: [u8; 4] = std::array::from_fn(|_| rng.u8(b' '..b'~'));
        if has_hash_0(&start) {
            n_checked += 1;
            for alphabet in [10, 50, 90] {
                let mut whole = start.to_vec();
                whole.extend(text(seed, 900, alphabet, 60));
                whole.extend(start);
                whole.extend(text(seed + 1, 300, alphabet, 60));
                whole.extend(&start[..3]);
                whole.extend(text(seed + 2, 300, alphabet, 60));
                check(&whole);
            }
        }
    }
    assert!(n_checked > 2, "{n_checked}");
}

/// Filed under hash 0, the first position may be met where its hash is another: three bytes alike are no match there.
#[test]
fn a_first_position_met_by_chance_is_no_match_of_three_bytes() {
    let hash = |four: [u8; 4]| u32::from_le_bytes(four).wrapping_mul(0x1E35_A7BD);
    let (three, same_hash_of_three) = ([0x95, 0x4B, 0xB5], [0xEC, 0xB6, 0x7D]);
    assert_eq!(hash([0x95, 0x4B, 0xB5, 0]) >> 17, hash([0xEC, 0xB6, 0x7D, 0]) >> 17);
    assert_eq!(hash([0x95, 0x4B, 0xB5, 0x22]) >> 16, 0);
    check(&[&three[..], b"!abcdefgh", &same_hash_of_three, b"ijklmnopq", &three, &[0x22], b"rstuvwxyz"].concat());
}

/// A stored block begins at a byte, wherever the one before it ends.
#[test]
fn texts_with_stored_blocks_have_the_librarys_size() {
    let mut rng = Rng::with_seed(1);
    for more in 0..16 {
        for len in [20_000, 140_000] {
            let mut whole = text(more, 9000 + more as usize, 60, 90);
            whole.extend(std::iter::repeat_with(|| rng.u8(..)).take(len));
            check(&whole);
        }
    }
}

/// The last position there is belongs to a text; then the next one begins anew.
#[test]
fn positions_run_out_unseen() {
    // The first eight take all positions that there are; the next begins anew, and so does the one that just fits. One byte more
    // has to slide, and the next follows on what has slid.
    let lens = [9000, 9000, 9000, 9000, 9000, 9000, 9000, 2534, 100, 65_534, 65_535, 50, 200_000, 300];
    let texts: Vec<Vec<u8>> = (0..).zip(lens).map(|(seed, len)| text(seed, len, 60, 90)).collect();
    let mut deflate = Deflate::default();
    let sizes = |deflate: &mut Deflate| -> Vec<usize> { texts.iter().map(|text| deflate.bytes(text)).collect() };
    let first = sizes(&mut deflate);
    assert_eq!(first, texts.iter().map(|text| both(text).1).collect::<Vec<_>>());
    assert_eq!(sizes(&mut deflate), first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_has_the_librarys_size(seed: u64, len in 1..100_000_usize, alphabet in 1_u8.., repetition: u8) {
        let (bytes, expected) = both(&text(seed, len, alphabet, repetition));
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn any_words_have_the_librarys_size(words in proptest::collection::vec("[a-z]{1,9}|[0-9]{1,4}|\\PC{1,3}|, |\\n", 1..100), times in 1..60_usize) {
        let text = words.join(" ").repeat(times);
        let (bytes, expected) = both(text.as_bytes());
        prop_assert_eq!(bytes, expected);
    }
}
