//! What is over stays as it is. A single state cannot show that, so final rows are remembered and looked at again after each
//! block. The model only says which rows there are.

use std::collections::BTreeMap;

use ledger::{
    Amount, Charge, ChargeId, ChargeStatus, Ledger, Listing, ListingId, ListingStatus, Order, OrderId,
    OrderStatus, Payment, PaymentId, PaymentStatus, Poll, PollId, Recovery, RecoveryId, RecoveryStatus,
    Repeats, ReplicaChange, ReplicaChangeId, ReplicaChangeStatus, Review, ReviewSide, RoleChange,
    RoleChangeId, RoleChangeStatus, StateKey, Trade, TradeId, TradeState, UnixMillis, Vote, Withdrawal,
    WithdrawalId, WithdrawalStatus, state_tree::StateTree,
};
use pbft_crypto::Digest;
use serde::{Serialize, de::DeserializeOwned};

use super::Run;
use crate::model::Model;

/// A row that nothing leads out of, without what may still grow.
#[derive(Clone, Debug, PartialEq)]
enum Row {
    Trade(Box<Trade>),
    Listing(Listing),
    Payment(Payment),
    Charge(Charge),
    Withdrawal(Withdrawal),
    Order(Order),
    /// With its votes.
    Poll(Poll, Vec<Vote>),
    Recovery(Recovery),
    RoleChange(RoleChange),
    ReplicaChange(ReplicaChange),
    Review(Review),
}

/// What is final, each with what has grown of it.
type Rows = BTreeMap<(&'static str, Digest), (Row, Amount)>;

/// What was final after the last block.
#[derive(Default)]
pub(super) struct Finals(Rows);

impl Finals {
    /// Compares with what was final before, and remembers what is now.
    pub(super) fn check(&mut self, ledger: &Ledger, model: &Model) -> Result<(), String> {
        let now = final_rows(ledger, model);
        for (name, (before, had)) in &self.0 {
            match now.get(name) {
                None => return Err(format!("{name:?} was final, and is not: {before:?}")),
                Some((row, has)) if row != before || has < had => {
                    return Err(format!("{name:?} was final as {before:?} ({had}), and is {row:?} ({has})"));
                }
                Some(_) => {}
            }
        }
        self.0 = now;
        Ok(())
    }
}

fn final_rows(ledger: &Ledger, model: &Model) -> Rows {
    let mut rows = Rows::new();
    goods(ledger, model, &mut rows);
    money(ledger, model, &mut rows);
    orders_and_polls(ledger, model, &mut rows);
    decisions(ledger, model, &mut rows);
    rows
}

fn goods(ledger: &Ledger, model: &Model, rows: &mut Rows) {
    for id in model.trades.keys() {
        let trade = *ledger.trade(&TradeId::new(*id)).unwrap();
        if trade.state.is_final() {
            // A seller may give back more and more.
            let (given_back, repeats, updated_at) = (Amount::ZERO, Repeats::default(), UnixMillis::new(0));
            let row = Trade { given_back, repeats, updated_at, ..trade };
            rows.insert(("trade", *id), (Row::Trade(Box::new(row)), trade.given_back));
        }
        for (side, kind) in
            [(ReviewSide::ByBuyer, "buyer's review"), (ReviewSide::BySeller, "seller's review")]
        {
            if let Some(review) = ledger.review(&TradeId::new(*id), side) {
                rows.insert((kind, *id), (Row::Review(*review), Amount::ZERO));
            }
        }
    }
    for id in model.listings.keys() {
        let listing = *ledger.listing(&ListingId::new(*id)).unwrap();
        if matches!(listing.status, ListingStatus::Sold { .. } | ListingStatus::Closed) {
            rows.insert(("listing", *id), (Row::Listing(listing), Amount::ZERO));
        }
    }
}

fn money(ledger: &Ledger, model: &Model, rows: &mut Rows) {
    for (id, _) in &model.payments {
        let payment = *ledger.payment(&PaymentId::new(*id)).unwrap();
        let (row, refunded) = match payment.status {
            PaymentStatus::Authorized { .. } => continue,
            PaymentStatus::Voided => (payment, Amount::ZERO),
            // A payee may give back more and more.
            PaymentStatus::Paid { paid, refunded } => {
                let status = PaymentStatus::Paid { paid, refunded: Amount::ZERO };
                (Payment { status, updated_at: UnixMillis::new(0), ..payment }, refunded)
            }
        };
        rows.insert(("payment", *id), (Row::Payment(row), refunded));
    }
    for id in model.treasury.charges.keys() {
        let charge = *ledger.charge(&ChargeId::new(*id)).unwrap();
        if charge.status != ChargeStatus::Requested {
            rows.insert(("charge", *id), (Row::Charge(charge), Amount::ZERO));
        }
    }
    for id in model.treasury.withdrawals.keys() {
        let withdrawal = *ledger.withdrawal(&WithdrawalId::new(*id)).unwrap();
        if withdrawal.status != WithdrawalStatus::Requested {
            rows.insert(("withdrawal", *id), (Row::Withdrawal(withdrawal), Amount::ZERO));
        }
    }
}

fn orders_and_polls(ledger: &Ledger, model: &Model, rows: &mut Rows) {
    for order in &model.exchange.orders {
        let row = *ledger.order(&OrderId::new(order.id)).unwrap();
        if row.status != OrderStatus::Open {
            rows.insert(("order", order.id), (Row::Order(row), Amount::ZERO));
        }
    }
    for id in model.polls.all.keys() {
        let poll = ledger.poll(&PollId::new(*id)).unwrap();
        if poll.closed.is_some() {
            let votes = model.accounts.keys().filter_map(|who| ledger.vote(&PollId::new(*id), who));
            rows.insert(("poll", *id), (Row::Poll(poll.clone(), votes.collect()), Amount::ZERO));
        }
    }
}

fn decisions(ledger: &Ledger, model: &Model, rows: &mut Rows) {
    for id in model.identity.recoveries.keys() {
        let recovery = ledger.recovery(&RecoveryId::new(*id)).unwrap();
        if !matches!(recovery.status, RecoveryStatus::Proposed | RecoveryStatus::Ready { .. }) {
            rows.insert(("recovery", *id), (Row::Recovery(recovery.clone()), Amount::ZERO));
        }
    }
    for id in model.role_changes.keys() {
        let change = *ledger.role_change(&RoleChangeId::new(*id)).unwrap();
        if change.status != RoleChangeStatus::Proposed {
            rows.insert(("role change", *id), (Row::RoleChange(change), Amount::ZERO));
        }
    }
    for (id, _) in &model.network.changes {
        let change = ledger.replica_change(&ReplicaChangeId::new(*id)).unwrap();
        if change.status != ReplicaChangeStatus::Proposed {
            rows.insert(("replica change", *id), (Row::ReplicaChange(change.clone()), Amount::ZERO));
        }
    }
}

/// The ledger of a run with one row changed, and all that follows from the rows brought up to date.
fn damaged<R: Serialize + DeserializeOwned>(run: &Run, key: &StateKey, change: impl Fn(&mut R)) -> Ledger {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = run.ledger.entries().collect();
    let value = entries.get_mut(&key.to_bytes()).unwrap();
    let mut row: R = postcard::from_bytes(value).unwrap();
    change(&mut row);
    *value = postcard::to_allocvec(&row).unwrap();
    let mut tree = StateTree::new();
    tree.update(entries.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))));
    let mut tip = run.ledger.tip().clone();
    tip.state_root = tree.root();
    Ledger::restore(&run.genesis, tip, entries).unwrap()
}

/// A run that goes on until there is a row as wanted, and that row.
fn run_until<I>(wanted: impl Fn(&Run) -> Option<I>) -> (Run, I) {
    let mut run = Run::new(3, false);
    for _ in 0..1_000 {
        run.step();
        if let Some(id) = wanted(&run) {
            return (run, id);
        }
    }
    panic!("nothing of the kind came about");
}

fn changed(mut run: Run, ledger: &Ledger) -> String {
    let model = &run.model;
    assert_eq!(run.finals.check(&run.ledger, model), Ok(()), "without the damage");
    run.finals.check(ledger, model).unwrap_err()
}

#[test]
fn a_trade_that_goes_on_after_its_end_is_found() {
    let over = |state: TradeState| {
        run_until(|run| {
            let mut ids = run.model.trades.keys().map(|id| TradeId::new(*id));
            ids.find(|id| run.ledger.trade(id).unwrap().state == state)
        })
    };
    let (run, id) = over(TradeState::Refunded);
    let other_end = |trade: &mut Trade| trade.state = TradeState::Cancelled;
    let ledger = damaged(&run, &StateKey::Trade(id), other_end);
    let name = format!("{:?} was final as", ("trade", *id.digest()));
    assert!(changed(run, &ledger).starts_with(&name));

    let (run, id) = over(TradeState::Cancelled);
    let goes_on = |trade: &mut Trade| trade.state = TradeState::Shipped;
    let ledger = damaged(&run, &StateKey::Trade(id), goes_on);
    let name = format!("{:?} was final, and is not", ("trade", *id.digest()));
    assert!(changed(run, &ledger).starts_with(&name));
}

#[test]
fn a_refund_that_shrinks_is_found() {
    let refunded = |payment: &Payment| match payment.status {
        PaymentStatus::Paid { refunded, .. } => refunded,
        PaymentStatus::Authorized { .. } | PaymentStatus::Voided => Amount::ZERO,
    };
    let (run, id) = run_until(|run| {
        let mut ids = run.model.payments.iter().map(|(id, _)| PaymentId::new(*id));
        ids.find(|id| !refunded(run.ledger.payment(id).unwrap()).is_zero())
    });
    let shrink = |payment: &mut Payment| {
        if let PaymentStatus::Paid { refunded, .. } = &mut payment.status {
            *refunded = Amount::ZERO;
        }
    };
    let ledger = damaged(&run, &StateKey::Payment(id), shrink);
    assert!(changed(run, &ledger).starts_with(&format!("{:?} was final as", ("payment", *id.digest()))));
}

#[test]
fn a_decision_that_is_made_again_is_found() {
    let (run, id) = run_until(|run| {
        let mut ids = run.model.treasury.charges.keys().map(|id| ChargeId::new(*id));
        ids.find(|id| run.ledger.charge(id).unwrap().status.code() == "REJECTED")
    });
    let reopen = |charge: &mut Charge| charge.status = ChargeStatus::Requested;
    let ledger = damaged(&run, &StateKey::Charge(id), reopen);
    assert!(changed(run, &ledger).starts_with(&format!("{:?} was final, and is", ("charge", *id.digest()))));
}
