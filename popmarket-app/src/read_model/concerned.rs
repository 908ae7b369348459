//! Whom events are about.

use ledger::{AccountEvent, ChargeEvent, EventKind, ListingEvent, MoneyEvent, ReplicaEvent};
use pbft_crypto::Address;

use super::records::EventRecord;

impl EventRecord {
    /// Whether it is about this account.
    pub fn concerns(&self, account: &Address) -> bool {
        concerned(&self.event.kind).any(|other| other == *account)
    }
}

/// Whom an event is about.
pub(crate) fn concerned(event: &EventKind) -> impl Iterator<Item = Address> + use<> {
    let (one, other) = match event {
        EventKind::Money(MoneyEvent::BalanceChanged { account, .. }) => (Some(*account), None),
        EventKind::Account(AccountEvent::Registered { address, .. }) => (Some(*address), None),
        EventKind::Charge(ChargeEvent::Requested { requester, .. }) => (Some(*requester), None),
        EventKind::Charge(
            ChargeEvent::Approved { requester, by, .. } | ChargeEvent::Rejected { requester, by, .. },
        ) => (Some(*requester), Some(*by)),
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
    };
    one.into_iter().chain(other)
}
