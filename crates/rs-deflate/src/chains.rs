//! Earlier places that a text may repeat: chains of positions whose next four bytes have one hash.

/// Bits of the hash of three bytes: only the latest position of each is kept.
const HASH3_BITS: u32 = 15;
/// Bits of the hash of four bytes.
const HASH4_BITS: u32 = 16;
/// Longest match of the format.
const MAX_MATCH_BYTES: u32 = 258;
/// A match of this length is long enough to look no further.
const NICE_MATCH_BYTES: u32 = 65;
/// Positions there are; 0 is none.
const N_POSITIONS: usize = 1 << 16;

/// How long a match may be, and how long it need be.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    max: u32,
    pub(super) nice: u32,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { max: MAX_MATCH_BYTES, nice: NICE_MATCH_BYTES }
    }

    /// No match is longer than what is left.
    #[inline(always)]
    pub(super) fn near_end(&mut self, left: usize) {
        if left < MAX_MATCH_BYTES as usize {
            self.max = left as u32;
            self.nice = self.nice.min(self.max);
        }
    }
}

/// Positions by what stands there. They count on from text to text: those of earlier texts are lower, and need not be
/// cleared before there are no more.
pub(super) struct Chains {
    /// The latest position of each hash of three bytes.
    hash3: [u16; 1 << HASH3_BITS],
    /// The latest position of each hash of four bytes.
    hash4: [u16; 1 << HASH4_BITS],
    /// The position before each with the same hash of four bytes.
    before: [u16; N_POSITIONS],
    /// Where the next text begins.
    next_start: usize,
}

impl Chains {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            hash3: [0; 1 << HASH3_BITS],
            hash4: [0; 1 << HASH4_BITS],
            before: [0; N_POSITIONS],
            next_start: 1,
        })
    }

    /// Goes through a new text, which must be a short one: all its positions are within reach.
    pub(super) fn walk<'a>(&'a mut self, text: &'a [u8]) -> Walk<'a> {
        if self.next_start + text.len() > N_POSITIONS {
            self.hash3.fill(0);
            self.hash4.fill(0);
            self.next_start = 1;
        }
        let start = self.next_start as u16;
        self.next_start += text.len();
        // As libdeflate has it: the first position is filed under no hash of its own.
        Walk { text, chains: self, start, hashes: (0, 0) }
    }

    /// Files positions from one on, given the hashes of the bytes there and the bytes behind its first, four for each;
    /// returns the hashes of the last four. By itself, so that everything is in registers.
    #[inline(never)]
    fn file(&mut self, position: u16, (mut hash3, mut hash4): (u16, u16), bytes: &[u8]) -> (u16, u16) {
        for (position, next) in (position..).zip(bytes.windows(4)) {
            self.hash3[usize::from(hash3) % (1 << HASH3_BITS)] = position;
            self.before[usize::from(position)] = std::mem::replace(&mut self.hash4[usize::from(hash4)], position);
            (hash3, hash4) = hashes(load(next, 0));
        }
        (hash3, hash4)
    }
}

/// A text on its way through the chains.
pub(super) struct Walk<'a> {
    text: &'a [u8],
    chains: &'a mut Chains,
    /// The position of the text's first byte.
    start: u16,
    /// Hashes of the bytes at hand.
    hashes: (u16, u16),
}

impl Walk<'_> {
    /// The longest match at a place that is longer than `best_len`, and its distance; `best_len` and 0 if there is none.
    #[inline(always)]
    pub(super) fn longest_match(&mut self, at: usize, best_len: u32, limits: Limits, depth: u32) -> (u32, u32) {
        let mut best = (best_len, 0);
        if limits.max < 5 {
            return best;
        }
        let (text, start) = (self.text, self.start);
        let Chains { hash3: by_hash3, hash4: by_hash4, before, .. } = &mut *self.chains;
        let bytes = &text[at..at + 5];
        let here = load(bytes, 0);
        let position = start + at as u16;
        // The remainder is the hash, and spares a check.
        let (hash3, hash4) = (usize::from(self.hashes.0) % by_hash3.len(), usize::from(self.hashes.1));
        let (node3, mut node) = (by_hash3[hash3], by_hash4[hash4]);
        by_hash3[hash3] = position;
        by_hash4[hash4] = position;
        before[usize::from(position)] = node;
        self.hashes = hashes(load(bytes, 1));
        let place = |node: u16| usize::from(node - start);
        let mut depth = depth;
        // Goes to the position before with the same hash; whether that is of this text and not too many have been seen.
        let mut go_back = |node: &mut u16| {
            *node = before[usize::from(*node)];
            depth -= 1;
            *node >= start && depth > 0
        };
        if best_len < 4 {
            if node3 < start {
                return best;
            }
            if best_len < 3 && (load(text, place(node3)) ^ here) & 0xFF_FFFF == 0 {
                best = (3, u32::from(position - node3));
            }
            if node < start {
                return best;
            }
            while load(text, place(node)) != here {
                if !go_back(&mut node) {
                    return best;
                }
            }
            best = (match_bytes(text, place(node), at, limits.max), u32::from(position - node));
            if best.0 >= limits.nice || !go_back(&mut node) {
                return best;
            }
        } else if node < start || best_len >= limits.nice {
            return best;
        }
        // A longer one has the byte behind the best so far, and is likely to be one if it has those before as well.
        let mut tail = load(text, at + best.0 as usize - 3);
        loop {
            if load(text, place(node) + best.0 as usize - 3) == tail && load(text, place(node)) == here {
                let len = match_bytes(text, place(node), at, limits.max);
                if len > best.0 {
                    best = (len, u32::from(position - node));
                    if len >= limits.nice {
                        return best;
                    }
                    tail = load(text, at + len as usize - 3);
                }
            }
            if !go_back(&mut node) {
                return best;
            }
        }
    }

    /// Files the places of a match without looking for others.
    #[inline]
    pub(super) fn skip(&mut self, at: usize, count: usize) {
        // Behind the last place there must be four bytes.
        if at + count + 5 <= self.text.len() {
            let bytes = &self.text[at + 1..at + count + 4];
            self.hashes = self.chains.file(self.start + at as u16, self.hashes, bytes);
        }
    }
}

/// Hashes of the first three and of all four bytes.
#[inline(always)]
fn hashes(bytes: u32) -> (u16, u16) {
    let hash = |bytes: u32, bits: u32| (bytes.wrapping_mul(0x1E35_A7BD) >> (32 - bits)) as u16;
    (hash(bytes & 0xFF_FFFF, HASH3_BITS), hash(bytes, HASH4_BITS))
}

/// Four bytes of the text, the first lowest.
#[inline(always)]
fn load(text: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(text[at..at + 4].try_into().expect("are four"))
}

/// How far the texts at two places are alike, at most `max` bytes; the first four are.
#[inline(always)]
fn match_bytes(text: &[u8], earlier: usize, at: usize, max: u32) -> u32 {
    let max = max as usize;
    let (earlier, here) = (&text[earlier..earlier + max], &text[at..at + max]);
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("are eight"));
    let mut len = 4;
    while len + 8 <= max {
        let differs = word(&earlier[len..len + 8]) ^ word(&here[len..len + 8]);
        if differs != 0 {
            return (len + differs.trailing_zeros() as usize / 8) as u32;
        }
        len += 8;
    }
    while len < max && earlier[len] == here[len] {
        len += 1;
    }
    len as u32
}
