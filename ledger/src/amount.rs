//! Money: whole minor units, checked arithmetic only.

mod asset;

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use thiserror::Error;

pub use asset::{AssetId, SymbolError, TokenId, UnknownAsset};

/// A number of minor units of some asset. JSON has it as a string, since its numbers lose digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that there can be of an asset.
    pub const MAX: Self = Self(u64::MAX);

    /// So many minor units.
    pub const fn new(minor_units: u64) -> Self {
        Self(minor_units)
    }

    /// The number of minor units.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it is above [`Amount::MAX`].
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, unless it is below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// So many times as much, unless it is above [`Amount::MAX`].
    pub const fn checked_mul(self, times: u64) -> Option<Self> {
        match self.0.checked_mul(times) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// How often `part` goes into it, if that leaves nothing over.
    pub const fn whole_parts(self, part: Self) -> Option<u64> {
        match self.0.checked_rem(part.0) {
            Some(0) => self.0.checked_div(part.0),
            _ => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { to.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            String::deserialize(from)?.parse().map_err(D::Error::custom)
        } else {
            u64::deserialize(from).map(Self)
        }
    }
}

/// A share in hundredths of a percent, at most all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// All of it.
    pub const WHOLE: u16 = 10_000;

    /// So many hundredths of a percent, unless above 10,000.
    pub const fn new(points: u16) -> Option<Self> {
        if points <= Self::WHOLE { Some(Self(points)) } else { None }
    }

    /// The number of hundredths of a percent.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// `floor(amount x points / 10000)`: never above `amount`.
    pub fn of(self, amount: Amount) -> Amount {
        let product = u128::from(amount.0).saturating_mul(u128::from(self.0));
        let share = product.checked_div(u128::from(Self::WHOLE)).unwrap_or_default();
        // The points are at most 10,000, so the share is at most the amount.
        Amount(u64::try_from(share).unwrap_or(amount.0))
    }
}

/// More than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a share is at most 10000 basis points")]
pub struct ShareTooLarge;

impl TryFrom<u16> for BasisPoints {
    type Error = ShareTooLarge;

    fn try_from(points: u16) -> Result<Self, ShareTooLarge> {
        Self::new(points).ok_or(ShareTooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_are_checked() {
        assert_eq!(Amount::MAX.checked_add(Amount::new(1)), None);
        assert_eq!(Amount::ZERO.checked_sub(Amount::new(1)), None);
        assert_eq!(Amount::new(2).checked_add(Amount::new(3)), Some(Amount::new(5)));
        assert_eq!(Amount::MAX.checked_mul(2), None);
        assert_eq!(Amount::new(2).checked_mul(3), Some(Amount::new(6)));
        assert_eq!(Amount::new(6).whole_parts(Amount::new(3)), Some(2));
        assert_eq!(Amount::new(7).whole_parts(Amount::new(3)), None);
        assert_eq!(Amount::new(7).whole_parts(Amount::ZERO), None);
    }

    #[test]
    fn a_share_is_rounded_down_and_never_overflows() {
        let share = |points, amount| BasisPoints::new(points).unwrap().of(Amount::new(amount)).value();
        assert_eq!(share(100, 999), 9);
        assert_eq!(share(1, 9_999), 0);
        assert_eq!(share(1, 10_000), 1);
        assert_eq!(share(0, u64::MAX), 0);
        assert_eq!(share(10_000, u64::MAX), u64::MAX);
        assert_eq!(share(9_999, u64::MAX), 18_444_899_399_302_180_659);
        assert_eq!(BasisPoints::new(10_001), None);
    }

    #[test]
    fn json_has_strings_and_postcard_numbers() {
        assert_eq!(serde_json::to_string(&Amount::MAX).unwrap(), "\"18446744073709551615\"");
        assert_eq!(serde_json::from_str::<Amount>("\"7\"").unwrap(), Amount::new(7));
        assert!(serde_json::from_str::<Amount>("7").is_err());
        assert!(serde_json::from_str::<Amount>("\"-7\"").is_err());
        assert_eq!(postcard::to_allocvec(&Amount::new(7)).unwrap(), [7]);
    }
}
