//! Pages of lists.

use std::fmt;
use std::str::FromStr;

use ledger::Height;
use thiserror::Error;

/// How many items a page may have: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// The most.
    pub const MAX: Self = Self(100);
    /// If nobody says.
    pub const DEFAULT: Self = Self(20);

    /// So many, if that is allowed.
    pub const fn new(limit: u32) -> Option<Self> {
        if limit >= 1 && limit <= Self::MAX.0 { Some(Self(limit)) } else { None }
    }

    /// The number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// Where a page begins, in the order of its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageStart<K> {
    /// With the first item.
    #[default]
    First,
    /// With the item after this one.
    After(K),
    /// So that it ends with the item before this one.
    Before(K),
}

/// Which page of a list is wanted. `K` names an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest<K> {
    /// How many items at most.
    pub limit: PageLimit,
    /// Where it begins.
    pub start: PageStart<K>,
}

impl<K> Default for PageRequest<K> {
    fn default() -> Self {
        Self { limit: PageLimit::DEFAULT, start: PageStart::First }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Whether the list goes on in the direction in which the page was asked for.
    pub has_more: bool,
}

/// A place in the one order of all that happened: the block, and the place among the block's events. Texts have it as
/// `height-index`. The same on every replica, so that a stream can go on with another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    height: Height,
    index: u32,
}

/// Bits of the number that stands for a position which are left to the index. The least event takes some 30 bytes, so
/// no block has a million.
const INDEX_BITS: u32 = 20;

impl Position {
    /// Before everything.
    pub const START: Self = Self { height: Height::GENESIS, index: 0 };

    /// The event with this index in this block, if a block can have so many.
    pub fn new(height: Height, index: u32) -> Option<Self> {
        let fits = index < 1 << INDEX_BITS && height.value() < 1 << (63 - INDEX_BITS);
        fits.then_some(Self { height, index })
    }

    /// The block.
    pub const fn height(self) -> Height {
        self.height
    }

    /// The place in the block.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// One number in the same order.
    pub(crate) fn to_number(self) -> i64 {
        i64::try_from(self.height.value() << INDEX_BITS | u64::from(self.index)).unwrap_or(i64::MAX)
    }

    /// From that number.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        let number = u64::try_from(number).ok()?;
        let index = u32::try_from(number & ((1 << INDEX_BITS) - 1)).ok()?;
        Some(Self { height: Height::new(number >> INDEX_BITS), index })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.height, self.index)
    }
}

/// A text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a position is a height and an index, such as 12-0")]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (height, index) = text.split_once('-').ok_or(NotAPosition)?;
        let height = height.parse().map_err(|_| NotAPosition)?;
        let index = index.parse().map_err(|_| NotAPosition)?;
        let position = Self::new(Height::new(height), index).ok_or(NotAPosition)?;
        if position.to_string() == text { Ok(position) } else { Err(NotAPosition) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_have_one_text_and_one_number() {
        let position = Position::new(Height::new(12), 7).unwrap();
        assert_eq!(position.to_string(), "12-7");
        assert_eq!("12-7".parse(), Ok(position));
        assert_eq!(Position::from_number(position.to_number()), Some(position));
        for bad in ["", "12", "12-", "-7", "+12-7", "012-7", "12-7-1", "12-1048576", "8796093022208-0"] {
            assert_eq!(bad.parse::<Position>(), Err(NotAPosition), "{bad}");
        }
        let last = Position::new(Height::new((1 << 43) - 1), (1 << 20) - 1).unwrap();
        assert_eq!(last.to_number(), i64::MAX);
        assert!(Position::START < position && position < last);
    }

    #[test]
    fn limits_are_1_to_100() {
        assert_eq!(PageLimit::new(0), None);
        assert_eq!(PageLimit::new(100), Some(PageLimit::MAX));
        assert_eq!(PageLimit::new(101), None);
    }
}
