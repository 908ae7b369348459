//! What only those see whom it concerns, and admins.
//!
//! Who did what with whom, and for how much, is public. Notes between people, how parcels can be followed, charges and
//! balances are not: others get null in their place. This is about the web alone: whoever runs a replica has the whole
//! chain.

use ledger::{
    AccountEvent, AccountOp, ChargeEvent, ChargeOp, EventKind, MoneyEvent, Operation, PaymentEvent,
    PaymentOp, TradeOp, WithdrawalEvent, WithdrawalOp,
};
use pbft_crypto::Address;
use serde_json::Value;

use crate::http::caller::Caller;
use crate::read_model::TransactionRecord;

/// Who looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Viewer {
    address: Option<Address>,
    is_admin: bool,
}

impl From<&Caller> for Viewer {
    fn from(caller: &Caller) -> Self {
        Self { address: caller.address(), is_admin: caller.is_admin() }
    }
}

impl Viewer {
    /// Someone, who may be an admin.
    pub const fn of(address: Address, is_admin: bool) -> Self {
        Self { address: Some(address), is_admin }
    }

    /// Anyone.
    pub const PUBLIC: Self = Self { address: None, is_admin: false };

    /// Whether something that concerns these people may be seen.
    pub(super) fn may_see(&self, concerned: &[&Address]) -> bool {
        self.is_admin || self.address.is_some_and(|me| concerned.contains(&&me))
    }
}

type Fields = &'static [&'static str];

/// What of an event is for these people alone.
pub(super) fn of_event(event: &EventKind) -> (Vec<&Address>, Fields) {
    match event {
        EventKind::Money(MoneyEvent::BalanceChanged { account, .. }) => (vec![account], &["before", "after"]),
        EventKind::Charge(
            ChargeEvent::Requested { requester: owner, .. }
            | ChargeEvent::Approved { requester: owner, .. }
            | ChargeEvent::ApprovedOnce { requester: owner, .. }
            | ChargeEvent::Rejected { requester: owner, .. },
        )
        | EventKind::Withdrawal(
            WithdrawalEvent::Requested { owner, .. }
            | WithdrawalEvent::Settled { owner, .. }
            | WithdrawalEvent::Voided { owner, .. },
        ) => (vec![owner], &["amount", "memo", "reason"]),
        EventKind::Account(AccountEvent::LimitSet { address, .. }) => (vec![address], &["per_day", "raise"]),
        EventKind::Account(
            AccountEvent::KeyAdded { address, .. } | AccountEvent::KeyLabelled { address, .. },
        ) => (vec![address], &["label"]),
        EventKind::Payment(
            PaymentEvent::Paid { from, to, .. } | PaymentEvent::Authorized { from, to, .. },
        ) => (vec![from, to], &["reference", "memo"]),
        EventKind::Trade(trade) => {
            let arbiter = trade.row.dispute.as_ref().and_then(|dispute| dispute.arbiter.as_ref());
            let concerned = [Some(&trade.buyer), Some(&trade.seller), arbiter];
            (concerned.into_iter().flatten().collect(), &["tracking", "reason", "note", "hash"])
        }
        // Who is frozen and why is meant to be seen, and so are the terms of automatic approval.
        EventKind::Account(_)
        | EventKind::Charge(_)
        | EventKind::Payment(_)
        | EventKind::Listing(_)
        | EventKind::Replica(_)
        | EventKind::Review(_)
        | EventKind::Token(_)
        | EventKind::Exchange(_)
        | EventKind::Poll(_) => (Vec::new(), &[]),
    }
}

/// What of an operation is for these people alone, besides its sender.
pub(super) fn of_operation(operation: &Operation) -> (Option<&Address>, Fields) {
    match operation {
        Operation::Charge(ChargeOp::Request { .. }) | Operation::Withdrawal(WithdrawalOp::Request { .. }) => {
            (None, &["amount", "memo"])
        }
        Operation::Charge(ChargeOp::Reject { .. }) | Operation::Withdrawal(WithdrawalOp::Void { .. }) => {
            (None, &["reason"])
        }
        Operation::Account(AccountOp::SetLimit { .. }) => (None, &["per_day"]),
        Operation::Account(
            AccountOp::AddKey { .. } | AccountOp::RotateKey { .. } | AccountOp::LabelKey { .. },
        ) => (None, &["label"]),
        Operation::Payment(PaymentOp::Pay { to, .. } | PaymentOp::Authorize { to, .. }) => {
            (Some(to), &["reference", "memo"])
        }
        Operation::Trade(TradeOp::Ship { .. } | TradeOp::ReturnShip { .. }) => (None, &["tracking"]),
        Operation::Trade(TradeOp::Dispute { .. } | TradeOp::Resolve { .. }) => (None, &["reason"]),
        Operation::Trade(TradeOp::AddEvidence { .. }) => (None, &["hash", "note"]),
        Operation::Account(_)
        | Operation::Charge(_)
        | Operation::Payment(_)
        | Operation::Listing(_)
        | Operation::Trade(_)
        | Operation::Replica(_)
        | Operation::Review(_)
        | Operation::Withdrawal(_)
        | Operation::Token(_)
        | Operation::Exchange(_)
        | Operation::Poll(_) => (None, &[]),
    }
}

/// Whether all of a transaction and of what came of it may be seen: nothing can be left out of a receipt.
pub fn sees_all(record: &TransactionRecord, viewer: &Viewer) -> bool {
    let body = record.transaction.body();
    let (other, private) = of_operation(&body.operation);
    let operation = private.is_empty() || viewer.may_see(&[&body.sender, other.unwrap_or(&body.sender)]);
    // Why something failed is its sender's own business.
    operation && (record.outcome.is_applied() || viewer.may_see(&[&body.sender]))
}

/// Puts null in the place of fields, however deep they are.
pub(super) fn hide(value: &mut Value, fields: Fields) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if fields.contains(&name.as_str()) {
                    *value = Value::Null;
                } else {
                    hide(value, fields);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, fields)),
        _ => {}
    }
}
