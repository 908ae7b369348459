//! How long everyone may take.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// How long everyone may take in a trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeParams {
    /// A seller, from the purchase to the shipping.
    pub ship_within: Millis,
    /// A buyer, from the shipping to the confirmation.
    pub confirm_within: Millis,
    /// A seller, to answer a buyer who asks to cancel.
    pub cancel_answer_within: Millis,
    /// A buyer, from an attested delivery to the confirmation.
    pub confirm_after_delivery: Millis,
    /// What the buyer gets on top of the time to confirm, once, if they ask.
    pub extension: Millis,
    /// An arbiter, from the dispute to the ruling.
    pub resolve_within: Millis,
    /// A second arbiter, after the first one stayed silent.
    pub second_resolve_within: Millis,
    /// A buyer who is to send the goods back.
    pub return_within: Millis,
    /// A seller, from the buyer's word that the goods are on their way back to an objection.
    pub return_confirm_within: Millis,
    /// A seller, from an attested return to an objection.
    pub return_confirm_after_delivery: Millis,
    /// How long before each deadline there is a reminder. There is none where there is less time than that.
    pub remind_before: Millis,
}

impl TradeParams {
    /// Whether everyone has some time. There may be no reminders.
    pub(crate) fn are_sound(&self) -> bool {
        let spans = [
            self.ship_within,
            self.confirm_within,
            self.cancel_answer_within,
            self.confirm_after_delivery,
            self.extension,
            self.resolve_within,
            self.second_resolve_within,
            self.return_within,
            self.return_confirm_within,
            self.return_confirm_after_delivery,
        ];
        spans.into_iter().all(|span| span.value() > 0)
    }

    /// 5 days to ship, 10 to confirm (3 after an attested delivery, 7 more on request), 24 hours to answer a wish to cancel,
    /// 14 days to rule and 7 more for a second arbiter, 5 to send back, 10 to object to a return (3 after an attested
    /// one), reminders 24 hours before.
    pub const STANDARD: Self = Self {
        ship_within: Millis::days(5),
        confirm_within: Millis::days(10),
        cancel_answer_within: Millis::hours(24),
        confirm_after_delivery: Millis::days(3),
        extension: Millis::days(7),
        resolve_within: Millis::days(14),
        second_resolve_within: Millis::days(7),
        return_within: Millis::days(5),
        return_confirm_within: Millis::days(10),
        return_confirm_after_delivery: Millis::days(3),
        remind_before: Millis::hours(24),
    };

    /// A second for each day of [`STANDARD`](Self::STANDARD): to see what happens when time runs out.
    pub const SHORT: Self = Self {
        ship_within: Millis::new(5_000),
        confirm_within: Millis::new(10_000),
        cancel_answer_within: Millis::new(1_000),
        confirm_after_delivery: Millis::new(3_000),
        extension: Millis::new(7_000),
        resolve_within: Millis::new(14_000),
        second_resolve_within: Millis::new(7_000),
        return_within: Millis::new(5_000),
        return_confirm_within: Millis::new(10_000),
        return_confirm_after_delivery: Millis::new(3_000),
        remind_before: Millis::new(1_000),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_second_for_short() {
        let spans = |params: &TradeParams| {
            [
                params.ship_within,
                params.confirm_within,
                params.cancel_answer_within,
                params.confirm_after_delivery,
                params.extension,
                params.resolve_within,
                params.second_resolve_within,
                params.return_within,
                params.return_confirm_within,
                params.return_confirm_after_delivery,
                params.remind_before,
            ]
            .map(Millis::value)
        };
        let seconds = spans(&TradeParams::SHORT).map(|span| span * 24 * 3_600);
        assert_eq!(seconds, spans(&TradeParams::STANDARD));
    }
}
