//! The rules about charges that operators choose.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;

/// The rules about charges that operators choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeParams {
    /// A charge of more than this takes two admins, and so does what an account would get beyond it in a day, UTC, with the approval
    /// of one.
    pub two_admins_above: Amount,
    /// The most that one admin approves alone in a day, UTC, for all accounts together.
    pub one_admin_per_day: Amount,
    /// How many points approved charges earn.
    pub tiers: [LoyaltyTier; 3],
}

/// What each of some charges of an account earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoyaltyTier {
    /// The first of them: 1 is the first approved charge of an account. They go on up to the next tier.
    pub from: u64,
    /// How many points each of them earns.
    pub points: u64,
}

impl ChargeParams {
    /// Two admins above 1,000,000, and when one has approved 10,000,000 in a day. Each of the first 9 charges earns 10 points, each
    /// from the 10th on 20, from the 50th on 30.
    pub const STANDARD: Self = Self {
        two_admins_above: Amount::new(1_000_000),
        one_admin_per_day: Amount::new(10_000_000),
        tiers: [
            LoyaltyTier { from: 1, points: 10 },
            LoyaltyTier { from: 10, points: 20 },
            LoyaltyTier { from: 50, points: 30 },
        ],
    };

    /// The loyalty points of an account with so many approved charges. They follow from that number alone.
    pub fn points(&self, charge_count: u64) -> u64 {
        let ends = self.tiers.iter().skip(1).map(|next| next.from.saturating_sub(1));
        let of_tier = |(tier, end): (&LoyaltyTier, u64)| {
            let charges = charge_count.min(end).saturating_sub(tier.from.saturating_sub(1));
            charges.saturating_mul(tier.points)
        };
        let tiers = self.tiers.iter().zip(ends.chain([u64::MAX]));
        tiers.map(of_tier).fold(0, u64::saturating_add)
    }

    /// Whether the tiers begin with the first charge and come one after the other.
    pub(crate) fn are_sound(&self) -> bool {
        self.tiers.first().is_some_and(|tier| tier.from == 1)
            && self.tiers.is_sorted_by(|one, next| one.from < next.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_grow_with_the_number_of_charges() {
        let points = |count| ChargeParams::STANDARD.points(count);
        assert_eq!([0, 1, 9].map(points), [0, 10, 90]);
        assert_eq!([10, 49].map(points), [110, 890]);
        assert_eq!([50, 51, 150].map(points), [920, 950, 3_920]);
        assert_eq!(points(u64::MAX), u64::MAX);
        // As naively as possible: one after the other.
        let mut sum = 0;
        for count in 1..=200 {
            sum += if count < 10 {
                10
            } else if count < 50 {
                20
            } else {
                30
            };
            assert_eq!(points(count), sum, "{count}");
        }
    }

    #[test]
    fn tiers_come_one_after_the_other() {
        let with = |from: [u64; 3]| {
            let tiers = from.map(|from| LoyaltyTier { from, points: 1 });
            ChargeParams { tiers, ..ChargeParams::STANDARD }.are_sound()
        };
        assert!(ChargeParams::STANDARD.are_sound() && with([1, 2, 3]));
        assert!(![[0, 2, 3], [2, 3, 4], [1, 3, 3], [1, 5, 4]].into_iter().any(with));
    }
}
