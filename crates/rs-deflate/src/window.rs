//! The text at hand, and where what stands at each position stood before.
//!
//! Where libdeflate files a position when it comes to it, all positions of a stretch are linked ahead, in a loop without
//! branches: what the parser skips costs nothing then, and it can ask of any four bytes whether they came before.

/// Positions there are; 0 is none.
const N_POSITIONS: usize = 1 << 16;
/// Positions are kept so far back: matches are nearer.
const REACH: u16 = 1 << 15;
/// What may be read behind the last position is of no text.
const SLACK: usize = 1024;
/// Bytes from a position on that can be read.
const AHEAD: usize = SLACK / 2;
/// A position needs so many bytes from itself on to be searched for, as libdeflate has it.
pub(super) const SEARCHED_BYTES: u16 = 5;
/// Bits of the hash of three bytes: of a hash only the latest position counts.
const HASH3_BITS: u32 = 15;
/// Bits of the hash of four bytes.
const HASH4_BITS: u32 = 16;

/// Positions count on from text to text: those of earlier texts are lower, and need not be cleared before there are no more.
pub(super) struct Window {
    bytes: [u8; N_POSITIONS + SLACK],
    threes: Links<{ 1 << HASH3_BITS }>,
    fours: Links<{ 1 << HASH4_BITS }>,
    /// Where the text begins, or what is at hand of it.
    first: u16,
    /// Behind the last byte at hand.
    end: u16,
}

/// Positions by the hash of what stands there.
struct Links<const N_HASHES: usize> {
    /// The latest position of each hash.
    latest: [u16; N_HASHES],
    /// The position before each with the same hash.
    before: [u16; N_POSITIONS],
    /// The first position that is not linked yet.
    next: u16,
}

impl Window {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { bytes: [0; N_POSITIONS + SLACK], threes: Links::new(), fours: Links::new(), first: 1, end: 1 })
    }

    /// Takes in a new text, or its beginning; returns how much.
    pub(super) fn begin(&mut self, text: &[u8]) -> usize {
        if usize::from(self.end) + text.len() >= N_POSITIONS {
            self.threes.latest.fill(0);
            self.fours.latest.fill(0);
            self.end = 1;
        }
        self.first = self.end;
        let count = self.append(text);
        // As libdeflate has it: the first position is filed under no hash of its own.
        self.threes.file(self.first, 0);
        self.fours.file(self.first, 0);
        self.link_fours();
        count
    }

    /// Forgets what is out of reach of a position, and takes in what follows in the text; returns the position now, and how
    /// much of the rest was taken in.
    pub(super) fn slide(&mut self, at: u16, rest: &[u8]) -> (u16, usize) {
        let by = at - REACH;
        self.bytes.copy_within(usize::from(by)..usize::from(self.end), 0);
        self.threes.slide(by);
        self.fours.slide(by);
        self.first = 1;
        self.end -= by;
        let count = self.append(rest);
        self.link_fours();
        (REACH, count)
    }

    fn append(&mut self, text: &[u8]) -> usize {
        let room = &mut self.bytes[usize::from(self.end)..N_POSITIONS - 1];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text[..count]);
        self.end += count as u16;
        count
    }

    fn link_fours(&mut self) {
        self.fours.link(&self.bytes, self.end, |four| hash(four, HASH4_BITS));
    }

    /// Links what is at hand by three bytes, too; few texts need it.
    pub(super) fn link_threes(&mut self) {
        self.threes.link(&self.bytes, self.end, |four| hash(four & 0xFF_FFFF, HASH3_BITS));
    }

    /// The position of the first byte at hand.
    pub(super) fn first(&self) -> u16 {
        self.first
    }

    /// The position behind the last byte at hand.
    pub(super) fn end(&self) -> u16 {
        self.end
    }

    /// The lowest position that a match at this one can begin at.
    #[inline(always)]
    pub(super) fn least(&self, at: u16) -> u16 {
        self.first.max(at.saturating_sub(REACH - 1))
    }

    #[inline(always)]
    pub(super) fn byte(&self, at: u16) -> u8 {
        self.bytes[usize::from(at)]
    }

    /// Four bytes some way behind a position, the first lowest.
    #[inline(always)]
    pub(super) fn four(&self, at: u16, behind: u32) -> u32 {
        // The remainder is the number itself, and spares a check.
        let at = usize::from(at) + behind as usize % AHEAD;
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("are four"))
    }

    /// Sixteen bytes some way behind a position, the first lowest.
    #[inline(always)]
    pub(super) fn sixteen(&self, at: u16, behind: u32) -> u128 {
        let at = usize::from(at) + behind as usize % AHEAD;
        u128::from_le_bytes(self.bytes[at..at + 16].try_into().expect("are sixteen"))
    }

    /// The position before this one whose four bytes have the same hash.
    #[inline(always)]
    pub(super) fn before(&self, at: u16) -> u16 {
        self.fours.before[usize::from(at)]
    }

    /// The latest position before this one whose three bytes have the same hash, once these are linked.
    #[inline(always)]
    pub(super) fn three_before(&self, at: u16) -> u16 {
        self.threes.before[usize::from(at)]
    }

    /// Whether the first position, which is filed under hash 0, is found by what stands there all the same. Once the text's
    /// first is out of reach it does not matter, and the answer is that of another one.
    pub(super) fn first_is_found(&self) -> bool {
        hash(self.four(self.first, 0), HASH4_BITS) == 0
    }
}

impl<const N_HASHES: usize> Links<N_HASHES> {
    fn new() -> Self {
        Self { latest: [0; N_HASHES], before: [0; N_POSITIONS], next: 1 }
    }

    /// Files a text's first position under a hash; the next are behind it.
    fn file(&mut self, position: u16, hash: u16) {
        // The remainder is the hash, and spares a check.
        let latest = &mut self.latest[usize::from(hash) % N_HASHES];
        self.before[usize::from(position)] = std::mem::replace(latest, position);
        self.next = position + 1;
    }

    /// Files all positions that can be searched for, given a hash of four bytes.
    #[inline(always)]
    fn link(&mut self, bytes: &[u8; N_POSITIONS + SLACK], end: u16, hash: impl Fn(u32) -> u16) {
        let next = usize::from(self.next);
        let bytes = &bytes[next..usize::from(end - (SEARCHED_BYTES - 4)).max(next)];
        let before = &mut self.before[next..];
        let mut position = self.next;
        for (four, before) in bytes.windows(4).zip(before) {
            let four = u32::from_le_bytes(four.try_into().expect("are four"));
            *before = std::mem::replace(&mut self.latest[usize::from(hash(four)) % N_HASHES], position);
            position += 1;
        }
        self.next = position;
    }

    /// Lowers all positions; what goes below the first is none.
    fn slide(&mut self, by: u16) {
        let lower =
            |positions: &mut [u16]| positions.iter_mut().for_each(|position| *position = position.saturating_sub(by));
        let next = usize::from(self.next);
        let kept = usize::from(by).min(next)..next;
        let n_kept = kept.len();
        self.before.copy_within(kept, 0);
        lower(&mut self.before[..n_kept]);
        lower(&mut self.latest);
        self.next = self.next.saturating_sub(by);
    }
}

#[inline(always)]
fn hash(bytes: u32, bits: u32) -> u16 {
    (bytes.wrapping_mul(0x1E35_A7BD) >> (32 - bits)) as u16
}
