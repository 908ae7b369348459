//! Reproducible chance: SplitMix64, written out here so that a seed means the same for ever, whatever crates change.

use core::time::Duration;

/// One stream of numbers. Each concern has its own, so that one more draw here does not change what happens there.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

/// One in a million.
pub type Ppm = u32;

impl Rng {
    /// The stream that starts at `state`.
    #[must_use]
    pub const fn new(state: u64) -> Self {
        Self { state }
    }

    /// The stream called `name` of a seed.
    #[must_use]
    pub fn stream(seed: u64, name: &str) -> Self {
        let mut rng = Self::new(seed);
        for byte in name.bytes() {
            rng.state = rng.next() ^ u64::from(byte);
        }
        rng
    }

    /// A stream for one thing out of many, say the fate of one message: what becomes of it does not depend on whether
    /// others were there before it.
    #[must_use]
    pub const fn of(&self, which: u64, count: u64) -> Self {
        let mut first = Self::new(self.state ^ which.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self::new(first.next() ^ count.wrapping_mul(0xa076_1d64_78bd_642f))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// An index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True in `ppm` of a million cases.
    pub const fn chance(&mut self, ppm: Ppm) -> bool {
        ppm > 0 && self.below(1_000_000) < ppm as u64
    }

    /// One of `items`, which may not be empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// A span of time between the two, both included.
    pub fn span(&mut self, (low, high): (Duration, Duration)) -> Duration {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.between(micros(low), micros(high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published test vector of SplitMix64: if it changes, every recorded seed means something else.
    #[test]
    fn known_vector() {
        let mut rng = Rng::new(1_234_567);
        let numbers = [(); 3].map(|()| rng.next());
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn streams_differ_and_bounds_hold() {
        assert_ne!(Rng::stream(1, "network").next(), Rng::stream(1, "crashes").next());
        assert_ne!(Rng::stream(1, "network").next(), Rng::stream(2, "network").next());
        let mut rng = Rng::stream(7, "bounds");
        let mut seen = [0u32; 4];
        for _ in 0..4000 {
            seen[rng.index(4)] += 1;
            assert!((3..=5).contains(&rng.between(3, 5)));
            assert!(!rng.chance(0) && rng.chance(1_000_000));
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }
}
