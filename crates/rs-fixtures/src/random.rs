//! A small random generator, keyed instead of seeded in sequence: every record draws from a stream of its own, so that
//! any record can be made alone, in any order, on any thread.

/// What a stream of random numbers is for; streams of different purposes are independent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// The question: the same for every evaluation.
    Question = 1,
    /// How an evaluation does on a question.
    Behaviour = 2,
    /// The words of a trace.
    Text = 3,
    /// When a record was finished.
    Clock = 4,
    /// Names that servers give to requests.
    Identifier = 5,
}

/// xoshiro256** (Blackman and Vigna, 2018), its state filled by SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of `purpose` for this `key`.
    pub(crate) fn keyed(seed: u64, purpose: Stream, key: &[u64]) -> Self {
        let mut mixed = split_mix(seed ^ (purpose as u64).wrapping_mul(0xA076_1D64_78BD_642F));
        for part in key {
            mixed = split_mix(mixed ^ part.wrapping_add(0x9E37_79B9_7F4A_7C15));
        }
        let mut state = [0; 4];
        for word in &mut state {
            mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            *word = split_mix(mixed);
        }
        Self { state }
    }

    /// The next 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform in `0..bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.bits()) * bound as u128;
        (product >> 64) as usize
    }

    /// Uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Roughly normal, mean 0, standard deviation 1, never beyond ±3.5: a sum of four uniform numbers.
    pub(crate) fn bell(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 1.732_050_807_568_877_2
    }

    /// One of `items`, which must not be empty.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// Shuffles in place (Fisher-Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }

    /// `n` different numbers of `0..bound`, in random order; all of them if there are fewer.
    pub(crate) fn sample(&mut self, bound: usize, n: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..bound).collect();
        self.shuffle(&mut all);
        all.truncate(n);
        all
    }
}

fn split_mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Random, Stream};

    #[test]
    fn a_key_decides_the_stream() {
        let first: Vec<u64> = draw(&[1, 2]);
        assert_eq!(first, draw(&[1, 2]));
        assert_ne!(first, draw(&[2, 1]));
        assert_ne!(first, draw(&[1, 2, 0]));
    }

    #[test]
    fn numbers_fill_their_range() {
        let mut random = Random::keyed(7, Stream::Text, &[]);
        let mut seen = [0_u32; 6];
        let mut sum = 0.0;
        for _ in 0..60_000 {
            seen[random.below(6)] += 1;
            sum += random.bell();
        }
        assert!(seen.iter().all(|n| (9_500..10_500).contains(n)), "{seen:?}");
        assert!((sum / 60_000.0).abs() < 0.02, "{sum}");
    }

    fn draw(key: &[u64]) -> Vec<u64> {
        let mut random = Random::keyed(1, Stream::Question, key);
        (0..8).map(|_| random.bits()).collect()
    }
}
