//! Who may pay, take and give back what.

use pbft_crypto::Address;

use super::{Payment, PaymentEvent, PaymentOp, PaymentRejection, PaymentStatus, ReferencedPayment, VoidedBy};
use crate::accounts::spend;
use crate::amount::{Amount, AssetId};
use crate::event::EventKind;
use crate::ids::{PaymentId, TxId};
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::text::{Memo, Reference};
use crate::time::UnixMillis;

type Events = Vec<EventKind>;

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &PaymentOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    match op {
        PaymentOp::Pay { to, asset, amount, reference, memo } => {
            let order = Order { to: *to, asset: *asset, amount: *amount, reference, memo };
            pay(state, context, order, events)
        }
        PaymentOp::Authorize { to, asset, amount, reference, memo, until } => {
            let order = Order { to: *to, asset: *asset, amount: *amount, reference, memo };
            authorize(state, context, order, *until, events)
        }
        PaymentOp::Capture { payment, amount } => capture(state, context, *payment, *amount, events),
        PaymentOp::Void { payment } => void_by_payee(state, context, *payment, events),
        PaymentOp::Refund { payment, amount } => refund(state, context, *payment, *amount, events),
    }
}

/// What a payer asks for.
#[derive(Clone, Copy)]
struct Order<'a> {
    to: Address,
    asset: AssetId,
    amount: Amount,
    reference: &'a Option<Reference>,
    memo: &'a Memo,
}

impl Order<'_> {
    fn check(&self, state: &State, from: Address) -> Result<(), PaymentRejection> {
        if self.amount.is_zero() {
            return Err(PaymentRejection::ZeroAmount);
        }
        if from == self.to {
            return Err(PaymentRejection::SelfPayment);
        }
        if !state.accounts.contains(&self.to) {
            return Err(PaymentRejection::UnknownPayee);
        }
        match self.reference.as_ref().and_then(|reference| payment_for(state, self.to, reference)) {
            Some(tx) => Err(PaymentRejection::ReferenceUsed { tx }),
            None => Ok(()),
        }
    }

    /// Writes the new payment, and that its reference is used.
    fn record(&self, state: &mut State, context: &Context, status: PaymentStatus) {
        let (payer, now) = (context.sender, context.now);
        if let Some(reference) = self.reference.clone() {
            state.payments.references.put((self.to, reference), ReferencedPayment { tx: context.tx });
        }
        let payment = Payment {
            payer,
            payee: self.to,
            asset: self.asset,
            amount: self.amount,
            status,
            created_at: now,
            updated_at: now,
        };
        state.payments.put(&mut state.deadlines, context.tx.into(), payment);
    }
}

/// The payment that has used the reference up. One that went back has not.
fn payment_for(state: &State, payee: Address, reference: &Reference) -> Option<TxId> {
    let tx = state.payments.references.find(&(payee, reference.clone()))?.tx;
    state.payments.find(&tx.into()).is_some_and(Payment::is_worth_something).then_some(tx)
}

fn pay(state: &mut State, context: &Context, order: Order<'_>, events: &mut Events) -> Result<(), Rejection> {
    let (tx, from, at) = (context.tx, context.sender, context.now);
    order.check(state, from)?;
    let Order { to, asset, amount, .. } = order;
    let posting = Posting { asset, amount, from: Side::Available(from), to: Side::Available(to) };
    spend(state, at, from, (asset, amount), &[posting], events)?;
    order.record(state, context, PaymentStatus::Paid { paid: amount, refunded: Amount::ZERO });
    let (reference, memo) = (order.reference.clone(), order.memo.clone());
    events.push(PaymentEvent::Paid { tx, from, to, asset, amount, reference, memo, at }.into());
    Ok(())
}

fn authorize(
    state: &mut State,
    context: &Context,
    order: Order<'_>,
    until: UnixMillis,
    events: &mut Events,
) -> Result<(), Rejection> {
    let (from, at) = (context.sender, context.now);
    order.check(state, from)?;
    if until <= at {
        return Err(PaymentRejection::DeadlinePassed.into());
    }
    let latest = at.plus(state.params.payments.longest_hold);
    if until > latest {
        return Err(PaymentRejection::HoldTooLong { latest }.into());
    }
    let Order { to, asset, amount, .. } = order;
    let posting = Posting { asset, amount, from: Side::Available(from), to: Side::Held(from) };
    spend(state, at, from, (asset, amount), &[posting], events)?;
    order.record(state, context, PaymentStatus::Authorized { until });
    let (payment, reference, memo) = (context.tx.into(), order.reference.clone(), order.memo.clone());
    let event = PaymentEvent::Authorized { payment, from, to, asset, amount, reference, memo, until, at };
    events.push(event.into());
    Ok(())
}

fn capture(
    state: &mut State,
    context: &Context,
    id: PaymentId,
    amount: Amount,
    events: &mut Events,
) -> Result<(), Rejection> {
    let payment = as_payee(state, context, id)?;
    let Payment { payer: from, payee: to, asset, status, .. } = payment;
    if !matches!(status, PaymentStatus::Authorized { .. }) {
        return Err(PaymentRejection::WrongStatus { status }.into());
    }
    if amount.is_zero() {
        return Err(PaymentRejection::ZeroAmount.into());
    }
    let too_large = PaymentRejection::CaptureTooLarge { authorized: payment.amount };
    let returned = payment.amount.checked_sub(amount).ok_or(too_large)?;
    let postings = [
        Posting { asset, amount, from: Side::Held(from), to: Side::Available(to) },
        Posting { asset, amount: returned, from: Side::Held(from), to: Side::Available(from) },
    ];
    state.money.post(&postings, events)?;
    let paid = PaymentStatus::Paid { paid: amount, refunded: Amount::ZERO };
    change_status(state, id, payment, paid, context.now);
    let at = context.now;
    events.push(PaymentEvent::Captured { payment: id, from, to, asset, amount, returned, at }.into());
    Ok(())
}

fn void_by_payee(
    state: &mut State,
    context: &Context,
    id: PaymentId,
    events: &mut Events,
) -> Result<(), Rejection> {
    let payment = as_payee(state, context, id)?;
    void(state, id, payment, VoidedBy::Payee, context.now, events)
}

/// Voids a payment whose deadline has passed.
pub(crate) fn expire(
    state: &mut State,
    now: UnixMillis,
    id: PaymentId,
    events: &mut Events,
) -> Result<(), Rejection> {
    let payment = find(state, id)?;
    void(state, id, payment, VoidedBy::Deadline, now, events)
}

fn void(
    state: &mut State,
    id: PaymentId,
    payment: Payment,
    by: VoidedBy,
    at: UnixMillis,
    events: &mut Events,
) -> Result<(), Rejection> {
    let Payment { payer: from, payee: to, asset, amount, status, .. } = payment;
    if !matches!(status, PaymentStatus::Authorized { .. }) {
        return Err(PaymentRejection::WrongStatus { status }.into());
    }
    let posting = Posting { asset, amount, from: Side::Held(from), to: Side::Available(from) };
    state.money.post(&[posting], events)?;
    change_status(state, id, payment, PaymentStatus::Voided, at);
    events.push(PaymentEvent::Voided { payment: id, from, to, asset, amount, by, at }.into());
    Ok(())
}

fn refund(
    state: &mut State,
    context: &Context,
    id: PaymentId,
    amount: Amount,
    events: &mut Events,
) -> Result<(), Rejection> {
    let payment = as_payee(state, context, id)?;
    let Payment { payer: from, payee: to, asset, status, .. } = payment;
    let PaymentStatus::Paid { paid, refunded } = status else {
        return Err(PaymentRejection::WrongStatus { status }.into());
    };
    if amount.is_zero() {
        return Err(PaymentRejection::ZeroAmount.into());
    }
    let too_large = PaymentRejection::RefundTooLarge { refundable: payment.refundable() };
    let refunded = refunded.checked_add(amount).filter(|sum| *sum <= paid).ok_or(too_large)?;
    let at = context.now;
    let posting = Posting { asset, amount, from: Side::Available(to), to: Side::Available(from) };
    spend(state, at, to, (asset, amount), &[posting], events)?;
    change_status(state, id, payment, PaymentStatus::Paid { paid, refunded }, at);
    events.push(PaymentEvent::Refunded { payment: id, from, to, asset, amount, refunded, at }.into());
    Ok(())
}

fn change_status(state: &mut State, id: PaymentId, payment: Payment, status: PaymentStatus, now: UnixMillis) {
    let next = Payment { status, updated_at: now, ..payment };
    state.payments.put(&mut state.deadlines, id, next);
}

fn find(state: &State, id: PaymentId) -> Result<Payment, PaymentRejection> {
    state.payments.find(&id).copied().ok_or(PaymentRejection::UnknownPayment)
}

fn as_payee(state: &State, context: &Context, id: PaymentId) -> Result<Payment, PaymentRejection> {
    let payment = find(state, id)?;
    if payment.payee == context.sender { Ok(payment) } else { Err(PaymentRejection::NotPayee) }
}
