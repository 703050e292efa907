//! Chooses between literals and matches: a match unless the next position has a better one.

use crate::block::Block;
use crate::search::{Kind, Limits, MAX_MATCH_BYTES, Match, Search, better_match, first_match};
use crate::window::Window;

/// Candidates looked at for the match at a position; half as many for a better one at the next.
const MAX_SEARCH_DEPTH: u32 = 35;
/// Shortest match of the format.
const MIN_MATCH_BYTES: u32 = 3;
/// Distance beyond which a match of [`MIN_MATCH_BYTES`] is not worth it.
const MAX_DISTANCE_OF_SHORTEST: u32 = 8192;
/// So far from the end of what is at hand the end need not be thought of. Each literal before a better match adds at least 3
/// to `4 * length - log2(distance)`, which lies between -2 and 256 as long as a better one is looked for (length below 65): at
/// most 87 literals, then a match of 258 bytes.
pub(super) const FAR_FROM_END: u16 = 352;

/// What is chosen, and how much at most.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    /// Shortest match to look for.
    pub(super) min_len: u32,
    /// Most literals and matches, but for those that better matches follow.
    pub(super) most_items: u32,
}

/// Chooses for about so many bytes from a position on, or to the end of what is at hand; returns the next position, and how
/// many literals and matches there are.
pub(super) fn items(window: &mut Window, block: &mut Block, at: u16, bytes: usize, choice: Choice) -> (u16, u32) {
    let has_threes = choice.min_len == MIN_MATCH_BYTES || window.first_is_found();
    if has_threes {
        window.link_threes();
    }
    let left = window.end() - at;
    let until = |left: u16| at + bytes.min(usize::from(left)) as u16;
    match (has_threes, left <= FAR_FROM_END) {
        (false, false) => choose::<Stretch<false, false>>(window, block, at, until(left - FAR_FROM_END), choice),
        (true, false) => choose::<Stretch<true, false>>(window, block, at, until(left - FAR_FROM_END), choice),
        (false, true) => choose::<Stretch<false, true>>(window, block, at, until(left), choice),
        (true, true) => choose::<Stretch<true, true>>(window, block, at, until(left), choice),
    }
}

struct Stretch<const THREES: bool, const NEAR_END: bool>;

impl<const THREES: bool, const NEAR_END: bool> Kind for Stretch<THREES, NEAR_END> {
    const THREES: bool = THREES;
    const NEAR_END: bool = NEAR_END;
}

#[inline(never)]
fn choose<K: Kind>(window: &Window, block: &mut Block, mut at: u16, until: u16, choice: Choice) -> (u16, u32) {
    let Choice { min_len, most_items } = choice;
    let end = window.end();
    let limits_at = |at: u16| {
        debug_assert!(K::NEAR_END || u32::from(end - at) >= MAX_MATCH_BYTES, "a match may run beyond the end");
        if K::NEAR_END { Limits::near_end(end - at) } else { Limits::FAR }
    };
    let mut n_items = 0;
    while at < until && n_items < most_items {
        n_items += 1;
        let mut limits = limits_at(at);
        let search = Search { than: min_len - 1, depth: MAX_SEARCH_DEPTH, limits };
        let (mut len, mut distance) = first_match::<K>(window, at, search);
        at += 1;
        if len < min_len || K::THREES && len == MIN_MATCH_BYTES && distance > MAX_DISTANCE_OF_SHORTEST {
            block.literal(window.byte(at - 1));
            continue;
        }
        // Perhaps the next position has a better match; then this byte is a literal.
        at = loop {
            if len >= limits.nice {
                break at - 1 + len as u16;
            }
            limits = limits_at(at);
            let search = Search { than: len - 1, depth: MAX_SEARCH_DEPTH / 2, limits };
            let next = better_match::<K>(window, at, search);
            at += 1;
            if !is_better((len, distance), next) {
                break at - 2 + len as u16;
            }
            block.literal(window.byte(at - 2));
            n_items += 1;
            (len, distance) = next;
        };
        block.match_of(len, distance);
    }
    (at, n_items)
}

/// Whether a match at the next position is worth the literal before it: longer, and not much farther away.
#[inline(always)]
fn is_better((len, distance): Match, (next_len, next_distance): Match) -> bool {
    next_len >= len && 4 * (next_len - len) + distance.ilog2() > 2 + next_distance.ilog2()
}

/// The shortest match to look for in a block, by its bytes: where few different ones are used, literals are cheap.
pub(super) fn min_match_bytes(block: &[u8]) -> u32 {
    if block.len() < 512 {
        return MIN_MATCH_BYTES;
    }
    let mut is_used = [0_u8; 256];
    for byte in &block[..block.len().min(4096)] {
        is_used[usize::from(*byte)] = 1;
    }
    shortest_worth_it(is_used.iter().map(|is_used| u32::from(*is_used)).sum())
}

/// The same by the literals there are so far, but for the rarest.
pub(super) fn min_match_bytes_of(block: &Block) -> u32 {
    let literals = block.literals();
    let rare = literals.iter().sum::<u32>() >> 10;
    shortest_worth_it(literals.iter().map(|count| u32::from(*count > rare)).sum())
}

fn shortest_worth_it(n_used: u32) -> u32 {
    match n_used {
        0..=5 => 9,
        6..=7 => 8,
        8..=9 => 7,
        10..=15 => 6,
        16..=44 => 5,
        45..=79 => 4,
        _ => MIN_MATCH_BYTES,
    }
}
