//! How long it takes until what an owner asked for holds.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// The rules about accounts that operators choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountParams {
    /// How long it takes until a higher spending limit holds.
    pub limit_raise_delay: Millis,
    /// The shortest delay before a recovery takes effect that an owner may choose.
    pub min_recovery_delay: Millis,
    /// The longest one.
    pub max_recovery_delay: Millis,
}

impl AccountParams {
    /// A day until a higher limit holds, recoveries after 1 to 30 days.
    pub const STANDARD: Self = Self {
        limit_raise_delay: Millis::days(1),
        min_recovery_delay: Millis::days(1),
        max_recovery_delay: Millis::days(30),
    };

    /// A second for each day of [`STANDARD`](Self::STANDARD): to see what happens when time runs out.
    pub const SHORT: Self = Self {
        limit_raise_delay: Millis::new(1_000),
        min_recovery_delay: Millis::new(1_000),
        max_recovery_delay: Millis::new(30_000),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_second_for_short() {
        let spans = |params: &AccountParams| {
            [params.limit_raise_delay, params.min_recovery_delay, params.max_recovery_delay]
                .map(Millis::value)
        };
        let seconds = spans(&AccountParams::SHORT).map(|span| span * 24 * 3_600);
        assert_eq!(seconds, spans(&AccountParams::STANDARD));
    }
}
