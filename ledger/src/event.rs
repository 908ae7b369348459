//! What happened, told in full: for read models, streams and webhooks.

use serde::{Deserialize, Serialize};

use crate::block::Cause;
use crate::{
    AccountEvent, ChargeEvent, ExchangeEvent, ListingEvent, MoneyEvent, PaymentEvent, PollEvent,
    ReplicaEvent, ReviewEvent, TokenEvent, TradeEvent, WithdrawalEvent,
};

/// Something that happened on the ledger. The events of a block come in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The transaction or deadline behind it.
    pub cause: Cause,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// A name for the kind of event that never changes, such as `trade.released`.
    pub const fn name(&self) -> &'static str {
        match &self.kind {
            EventKind::Money(event) => event.name(),
            EventKind::Account(event) => event.name(),
            EventKind::Charge(event) => event.name(),
            EventKind::Payment(event) => event.name(),
            EventKind::Listing(event) => event.name(),
            EventKind::Trade(event) => event.name(),
            EventKind::Replica(event) => event.name(),
            EventKind::Review(event) => event.name(),
            EventKind::Withdrawal(event) => event.name(),
            EventKind::Token(event) => event.name(),
            EventKind::Exchange(event) => event.name(),
            EventKind::Poll(event) => event.name(),
        }
    }
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

macro_rules! kind_from {
    ($($variant:ident($event:ty)),*) => {
        $(impl From<$event> for EventKind {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        })*
    };
}

kind_from!(
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
