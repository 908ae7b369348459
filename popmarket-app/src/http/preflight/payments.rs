//! Payments.

use ledger::{
    Amount, AssetId, Ledger, Payment, PaymentId, PaymentOp, PaymentRejection, PaymentStatus, Reference,
    Rejection,
};
use pbft_crypto::Address;

use super::has;

pub(super) fn check(ledger: &Ledger, sender: &Address, op: &PaymentOp) -> Result<(), Rejection> {
    match op {
        PaymentOp::Pay { to, asset, amount, reference, .. }
        | PaymentOp::Authorize { to, asset, amount, reference, .. } => {
            begin(ledger, sender, to, (*asset, *amount), reference.as_ref())
        }
        PaymentOp::Capture { payment, amount } => {
            let payment = held(ledger, sender, payment)?;
            if amount.is_zero() {
                return Err(PaymentRejection::ZeroAmount.into());
            }
            let authorized = payment.amount;
            let fits = *amount <= authorized;
            if fits { Ok(()) } else { Err(PaymentRejection::CaptureTooLarge { authorized }.into()) }
        }
        PaymentOp::Void { payment } => held(ledger, sender, payment).map(drop).map_err(Rejection::from),
        PaymentOp::Refund { payment, amount } => refund(ledger, sender, payment, *amount),
    }
}

/// Whether time is left to take it is for the ledger to say.
fn begin(
    ledger: &Ledger,
    sender: &Address,
    to: &Address,
    (asset, amount): (AssetId, Amount),
    reference: Option<&Reference>,
) -> Result<(), Rejection> {
    if amount.is_zero() {
        return Err(PaymentRejection::ZeroAmount.into());
    }
    if to == sender {
        return Err(PaymentRejection::SelfPayment.into());
    }
    ledger.account(to).ok_or(PaymentRejection::UnknownPayee)?;
    let earlier = reference.and_then(|reference| ledger.payment_by_reference(to, reference));
    // What is overdue goes back before the reference is used.
    let now = ledger.tip().time;
    let holds = |payment: &Payment| {
        let is_overdue = matches!(payment.status, PaymentStatus::Authorized { until } if until <= now);
        payment.is_worth_something() && !is_overdue
    };
    let uses_it = |tx: &_| ledger.payment(&PaymentId::from(*tx)).is_some_and(holds);
    if let Some(tx) = earlier.filter(uses_it) {
        return Err(PaymentRejection::ReferenceUsed { tx }.into());
    }
    has(ledger, sender, asset, amount)
}

fn refund(ledger: &Ledger, sender: &Address, id: &PaymentId, amount: Amount) -> Result<(), Rejection> {
    let payment = of_payee(ledger, sender, id)?;
    if !matches!(payment.status, PaymentStatus::Paid { .. }) {
        return Err(PaymentRejection::WrongStatus { status: payment.status }.into());
    }
    let refundable = payment.refundable();
    if amount > refundable {
        return Err(PaymentRejection::RefundTooLarge { refundable }.into());
    }
    if amount.is_zero() {
        return Err(PaymentRejection::ZeroAmount.into());
    }
    has(ledger, sender, payment.asset, amount)
}

fn held(ledger: &Ledger, sender: &Address, id: &PaymentId) -> Result<Payment, PaymentRejection> {
    let payment = of_payee(ledger, sender, id)?;
    match payment.status {
        PaymentStatus::Authorized { .. } => Ok(payment),
        status => Err(PaymentRejection::WrongStatus { status }),
    }
}

fn of_payee(ledger: &Ledger, sender: &Address, id: &PaymentId) -> Result<Payment, PaymentRejection> {
    let payment = ledger.payment(id).ok_or(PaymentRejection::UnknownPayment)?;
    if payment.payee == *sender { Ok(*payment) } else { Err(PaymentRejection::NotPayee) }
}
