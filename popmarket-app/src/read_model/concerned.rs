//! Whom events are about.

use ledger::{
    AccountEvent, Approver, ChargeEvent, EventKind, ExchangeEvent, ListingEvent, MoneyEvent, ReplicaEvent,
    ReviewEvent, TokenEvent, WithdrawalEvent,
};
use pbft_crypto::Address;

/// Whom an event is about: it is in the history of their accounts. Whom it is told to: [`super::audience`].
pub(crate) fn concerned(event: &EventKind) -> impl Iterator<Item = Address> + use<> {
    let (one, other) = match event {
        EventKind::Money(MoneyEvent::BalanceChanged { account, .. }) => (Some(*account), None),
        EventKind::Account(event) => (Some(*event.address()), by_whom(event)),
        EventKind::Charge(
            ChargeEvent::Requested { requester, .. }
            | ChargeEvent::Approved { requester, by: Approver::Policy, .. },
        ) => (Some(*requester), None),
        EventKind::Charge(
            ChargeEvent::Approved { requester: one, by: Approver::Admin(by), .. }
            | ChargeEvent::Rejected { requester: one, by, .. }
            | ChargeEvent::ApprovedOnce { requester: one, by, .. }
            | ChargeEvent::PolicySet { proposer: one, by, .. }
            | ChargeEvent::PolicyRejected { proposer: one, by, .. },
        ) => (Some(*one), Some(*by)),
        EventKind::Charge(ChargeEvent::PolicyProposed { proposer, .. }) => (Some(*proposer), None),
        EventKind::Withdrawal(WithdrawalEvent::Requested { owner, .. }) => (Some(*owner), None),
        EventKind::Withdrawal(
            WithdrawalEvent::Settled { owner, by, .. } | WithdrawalEvent::Voided { owner, by, .. },
        ) => (Some(*owner), Some(*by)),
        EventKind::Payment(payment) => {
            let [payer, payee] = payment.parties();
            (Some(*payer), Some(*payee))
        }
        EventKind::Poll(poll) => (Some(*poll.who()), None),
        EventKind::Listing(
            ListingEvent::Created { seller, .. }
            | ListingEvent::Updated { seller, .. }
            | ListingEvent::StatusChanged { seller, .. },
        ) => (Some(*seller), None),
        EventKind::Trade(trade) => (Some(trade.buyer), Some(trade.seller)),
        EventKind::Review(ReviewEvent::Posted { author, subject, .. }) => (Some(*author), Some(*subject)),
        EventKind::Replica(ReplicaEvent::Proposed { proposer, .. }) => (Some(*proposer), None),
        EventKind::Replica(
            ReplicaEvent::Approved { proposer, by, .. } | ReplicaEvent::Rejected { proposer, by, .. },
        ) => (Some(*proposer), Some(*by)),
        EventKind::Replica(
            ReplicaEvent::Joined { .. }
            | ReplicaEvent::Left { .. }
            | ReplicaEvent::KeyRotated { .. }
            | ReplicaEvent::Moved { .. },
        ) => (None, None),
        EventKind::Token(event) => concerned_by_token(event),
        EventKind::Exchange(event) => concerned_by_exchange(event),
    };
    one.into_iter().chain(other)
}

/// Who did something to an account that is not the doer's own.
const fn by_whom(event: &AccountEvent) -> Option<Address> {
    match event {
        AccountEvent::RecoveryProposed { by, .. }
        | AccountEvent::RecoveryAgreed { by, .. }
        | AccountEvent::Frozen { by, .. }
        | AccountEvent::Unfrozen { by, .. } => Some(*by),
        _ => None,
    }
}

const fn concerned_by_token(event: &TokenEvent) -> (Option<Address>, Option<Address>) {
    match event {
        TokenEvent::Created { issuer, .. } => (Some(*issuer), None),
        TokenEvent::Minted { issuer, to, .. } => (Some(*issuer), Some(*to)),
        TokenEvent::Burned { owner, .. } => (Some(*owner), None),
        // A spender is the sender of the transaction.
        TokenEvent::Transferred { from, to, .. } | TokenEvent::HandedOver { from, to, .. } => {
            (Some(*from), Some(*to))
        }
        TokenEvent::Approved { owner, spender, .. } => (Some(*owner), Some(*spender)),
    }
}

const fn concerned_by_exchange(event: &ExchangeEvent) -> (Option<Address>, Option<Address>) {
    match event {
        ExchangeEvent::MarketOpened { by, .. }
        | ExchangeEvent::MarketHalted { by, .. }
        | ExchangeEvent::MarketResumed { by, .. } => (Some(*by), None),
        ExchangeEvent::Filled { buyer, seller, .. } => (Some(*buyer), Some(*seller)),
        ExchangeEvent::OrderPlaced { owner, .. }
        | ExchangeEvent::OrderReduced { owner, .. }
        | ExchangeEvent::OrderCancelled { owner, .. } => (Some(*owner), None),
    }
}
