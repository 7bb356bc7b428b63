//! Choices that a seed decides, so that a run can be told from its number.
//!
//! Promise: the same seed gives the same choices on every machine. Nothing secret comes from here.

/// A row of choices (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The row of this seed.
    pub fn of(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let number = self.number();
        number.checked_rem(bound).unwrap_or(0)
    }

    /// True once in `times` on average.
    pub fn is_once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_row_again_and_another_seed_another() {
        let row = |seed| {
            let mut chance = Chance::of(seed);
            [chance.number(), chance.below(10), chance.below(0)]
        };
        assert_eq!(row(7), row(7));
        assert_ne!(row(7), row(8));
        assert_eq!(row(7)[2], 0);
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut chance = Chance::of(1_234_567);
        assert_eq!(chance.number(), 6_457_827_717_110_365_317);
        assert_eq!(chance.number(), 3_203_168_211_198_807_973);
    }
}
