//! The longest match at a position.

use crate::window::{SEARCHED_BYTES, Window};

/// Longest match of the format.
pub(super) const MAX_MATCH_BYTES: u32 = 258;
/// A match of this length is long enough to look no further.
const NICE_MATCH_BYTES: u32 = 65;

/// What a match is looked for with.
#[derive(Clone, Copy)]
pub(super) struct Search {
    /// It must be longer.
    pub(super) than: u32,
    /// Candidates looked at.
    pub(super) depth: u32,
    pub(super) limits: Limits,
}

/// How long a match may be, and how long it need be.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    max: u32,
    pub(super) nice: u32,
}

impl Limits {
    /// Where much follows.
    pub(super) const FAR: Self = Self { max: MAX_MATCH_BYTES, nice: NICE_MATCH_BYTES };

    /// No match is longer than what is left.
    #[inline(always)]
    pub(super) fn near_end(left: u16) -> Self {
        let max = u32::from(left).min(MAX_MATCH_BYTES);
        Self { max, nice: max.min(NICE_MATCH_BYTES) }
    }
}

/// A match: its length and its distance; where none was found, the length that it had to be longer than, and 0.
pub(super) type Match = (u32, u32);

/// Which places are looked at, known when the program is compiled.
pub(super) trait Kind {
    /// Three bytes may be a match, too.
    const THREES: bool;
    /// The text's end may be within reach of a match.
    const NEAR_END: bool;
}

/// Finds the longest match, and of several the nearest, among as many of the latest positions with the same hash as
/// libdeflate looks at.
#[inline(always)]
pub(super) fn first_match<K: Kind>(window: &Window, at: u16, search: Search) -> Match {
    find::<K, true>(window, at, search)
}

/// The same where a match is known already, so that hardly any candidate is better.
#[inline(always)]
pub(super) fn better_match<K: Kind>(window: &Window, at: u16, search: Search) -> Match {
    find::<K, false>(window, at, search)
}

#[inline(always)]
fn find<K: Kind, const FIRST: bool>(window: &Window, at: u16, Search { than, mut depth, limits }: Search) -> Match {
    // The length, and where the match was found: here, if none was.
    let mut best = (than, at);
    macro_rules! found {
        () => {
            return (best.0, u32::from(at - best.1))
        };
    }
    if K::NEAR_END && limits.max < u32::from(SEARCHED_BYTES) {
        found!()
    }
    let least = window.least(at);
    if K::THREES && than < 4 {
        let three = window.three_before(at);
        if three < least {
            found!()
        }
        if than < 3 && (window.four(three, 0) ^ window.four(at, 0)) & 0xFF_FFFF == 0 {
            best = (3, three);
        }
    }
    let mut node = window.before(at);
    if node < least || K::NEAR_END && than >= limits.nice {
        found!()
    }
    let here = window.sixteen(at, 0);
    let len_at = |node: u16| {
        let same = (window.sixteen(node, 0) ^ here).trailing_zeros() / 8;
        let len = if same < 16 { same } else { extend(window, node, at) };
        if K::NEAR_END { len.min(limits.max) } else { len }
    };
    // Goes on to the next candidate, unless there is none or so many have been seen.
    macro_rules! go_back {
        () => {
            node = window.before(node);
            depth -= 1;
            if node < least || depth == 0 {
                found!()
            }
        };
    }
    if FIRST || K::THREES && than < 4 {
        // Until there are four bytes. Nearly always the first candidate has them; three has only a text's first position, and are
        // no match there.
        loop {
            let len = len_at(node);
            best = if len > best.0.max(3) { (len, node) } else { best };
            if len >= limits.nice {
                found!()
            }
            go_back!();
            if best.0 >= 4 {
                break;
            }
        }
    }
    loop {
        // A longer one has the byte behind the best so far, and is likely to be one if it has those before as well; if
        // those four came nowhere before, there is none.
        let behind = best.0 - 3;
        if !K::NEAR_END && window.before(at + behind as u16) < least {
            found!()
        }
        let tail = window.four(at, behind);
        while window.four(node, behind) != tail {
            go_back!();
        }
        let len = len_at(node);
        if len > best.0 {
            best = (len, node);
            if len >= limits.nice {
                found!()
            }
        }
        go_back!();
    }
}

/// How far the texts at two positions are alike, of which sixteen bytes are.
#[inline(always)]
fn extend(window: &Window, node: u16, at: u16) -> u32 {
    let mut len = 16;
    while len < MAX_MATCH_BYTES {
        let differs = window.sixteen(node, len) ^ window.sixteen(at, len);
        if differs != 0 {
            return (len + differs.trailing_zeros() / 8).min(MAX_MATCH_BYTES);
        }
        len += 16;
    }
    MAX_MATCH_BYTES
}
