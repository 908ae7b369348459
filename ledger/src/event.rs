//! What happened, told in full: for read models, streams and webhooks.

use serde::{Deserialize, Serialize};

use crate::block::Cause;
use crate::{
    AccountEvent, ChargeEvent, ExchangeEvent, ListingEvent, MoneyEvent, PaymentEvent, PollEvent,
    ReplicaEvent, ReviewEvent, TokenEvent, TradeEvent, WithdrawalEvent,
};

/// Names events, and lists the names: both are made of the same lines, so none is left out. The kind at the end, if there is
/// one, has events of its own in it.
macro_rules! event_names {
    ($event:ident { $($kind:pat => $name:expr,)* } $(and $nested:ident in $variant:ident)?) => {
        impl $event {
            pub(crate) const fn name(&self) -> &'static str {
                match self {
                    $($kind => $name,)*
                    $(Self::$variant(event) => event.name(),)?
                }
            }

            /// All names that these events have.
            pub(crate) fn names() -> impl Iterator<Item = &'static str> {
                [$($name),*].into_iter()$(.chain($nested::names()))?
            }
        }
    };
}

pub(crate) use event_names;

/// Something that happened on the ledger. The events of a block come in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The transaction or deadline behind it.
    pub cause: Cause,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, by kind of business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Balances.
    Money(MoneyEvent),
    /// Accounts.
    Account(AccountEvent),
    /// Charges.
    Charge(ChargeEvent),
    /// Payments.
    Payment(PaymentEvent),
    /// Listings.
    Listing(ListingEvent),
    /// Trades.
    Trade(TradeEvent),
    /// Replicas.
    Replica(ReplicaEvent),
    /// Reviews.
    Review(ReviewEvent),
    /// Withdrawals.
    Withdrawal(WithdrawalEvent),
    /// Tokens.
    Token(TokenEvent),
    /// The exchange.
    Exchange(ExchangeEvent),
    /// Polls.
    Poll(PollEvent),
}

macro_rules! kinds {
    ($($variant:ident($event:ty)),*) => {
        impl Event {
            /// A name for the kind of event that never changes, such as `trade.released`.
            pub const fn name(&self) -> &'static str {
                match &self.kind {
                    $(EventKind::$variant(event) => event.name(),)*
                }
            }

            /// All names that events have, by kind of business.
            pub fn names() -> impl Iterator<Item = &'static str> {
                std::iter::empty()$(.chain(<$event>::names()))*
            }
        }

        $(impl From<$event> for EventKind {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        })*
    };
}

kinds!(
    Money(MoneyEvent),
    Account(AccountEvent),
    Charge(ChargeEvent),
    Payment(PaymentEvent),
    Listing(ListingEvent),
    Trade(TradeEvent),
    Replica(ReplicaEvent),
    Review(ReviewEvent),
    Withdrawal(WithdrawalEvent),
    Token(TokenEvent),
    Exchange(ExchangeEvent),
    Poll(PollEvent)
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_what_it_is_about_first() {
        let names: Vec<_> = Event::names().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(["role.changed", "trade.given_back", "listing.sold"].iter().all(|name| names.contains(name)));
        for name in names {
            let (about, what) = name.split_once('.').unwrap();
            let is_word =
                |word: &str| !word.is_empty() && word.bytes().all(|c| matches!(c, b'a'..=b'z' | b'_'));
            assert!(is_word(about) && is_word(what), "{name}");
        }
    }
}
