//! A sum that begins anew each day.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::time::UnixMillis;

/// How much there was of something on one day, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotal {
    /// Which day: so many after the start of 1970.
    pub day: u64,
    /// How much.
    pub amount: Amount,
}

impl DayTotal {
    /// How much there was on the day of this time.
    pub fn on(&self, now: UnixMillis) -> Amount {
        if self.day == now.day() { self.amount } else { Amount::ZERO }
    }

    /// Whether with some more at this time it is at most so much.
    pub(crate) fn has_room(&self, now: UnixMillis, more: Amount, most: Amount) -> bool {
        self.on(now).checked_add(more).is_some_and(|sum| sum <= most)
    }

    /// With some more at this time.
    pub(crate) fn plus(&self, now: UnixMillis, amount: Amount) -> Self {
        Self { day: now.day(), amount: self.on(now).checked_add(amount).unwrap_or(Amount::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_begins_with_nothing() {
        let (evening, midnight) = (UnixMillis::new(86_399_999), UnixMillis::new(86_400_000));
        let total = DayTotal::default().plus(evening, Amount::new(3)).plus(evening, Amount::new(4));
        assert_eq!((total.on(evening), total.on(midnight)), (Amount::new(7), Amount::ZERO));
        let has_room = |at, more| total.has_room(at, Amount::new(more), Amount::new(9));
        assert!(has_room(evening, 2) && !has_room(evening, 3) && has_room(midnight, 9));
        assert!(!total.has_room(evening, Amount::MAX, Amount::MAX));
        let next = total.plus(midnight, Amount::new(5));
        assert_eq!((next.on(evening), next.on(midnight)), (Amount::ZERO, Amount::new(5)));
        assert_eq!(next.plus(midnight, Amount::MAX).amount, Amount::MAX);
    }
}
