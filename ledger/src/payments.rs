//! Payments: money from one account to another, at once.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::accounts::spend;
use crate::amount::{Amount, AssetId};
use crate::event::EventKind;
use crate::ids::TxId;
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, TableId};
use crate::text::{Memo, Reference};
use crate::time::UnixMillis;

/// Transactions about payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentOp {
    /// Pays.
    Pay {
        /// Whom.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The payee's own number for it, which can be paid once only.
        reference: Option<Reference>,
        /// A note to the payee. May be empty.
        memo: Memo,
    },
}

/// The payment that used up one of a payee's references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencedPayment {
    /// The payment.
    pub tx: TxId,
}

impl Row for ReferencedPayment {
    type Key = (Address, Reference);
    const TABLE: TableId = TableId::References;
}

/// Why nothing is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum PaymentRejection {
    /// A payment of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// A payment to oneself.
    #[error("payer and payee are the same")]
    SelfPayment,
    /// The payee has no account.
    #[error("the payee has no account")]
    UnknownPayee,
    /// The reference was paid.
    #[error("the reference was paid by transaction {tx}")]
    ReferenceUsed {
        /// By which transaction.
        tx: TxId,
    },
}

impl PaymentRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::ZeroAmount => "ZERO_AMOUNT",
            Self::SelfPayment => "SELF_PAYMENT",
            Self::UnknownPayee => "UNKNOWN_PAYEE",
            Self::ReferenceUsed { .. } => "REFERENCE_USED",
        }
    }
}

/// What happens to payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentEvent {
    /// Money went from one account to another.
    Paid {
        /// The payment.
        tx: TxId,
        /// Who pays.
        from: Address,
        /// Who is paid.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The payee's own number for it.
        reference: Option<Reference>,
        /// A note to the payee.
        memo: Memo,
        /// When.
        at: UnixMillis,
    },
}

impl PaymentEvent {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Paid { .. } => "payment.paid",
        }
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &PaymentOp,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let PaymentOp::Pay { to, asset, amount, reference, memo } = op;
    let (from, to, asset, amount) = (context.sender, *to, *asset, *amount);
    if amount.is_zero() {
        return Err(PaymentRejection::ZeroAmount.into());
    }
    if from == to {
        return Err(PaymentRejection::SelfPayment.into());
    }
    if !state.accounts.contains(&to) {
        return Err(PaymentRejection::UnknownPayee.into());
    }
    let reference_key = reference.clone().map(|reference| (to, reference));
    if let Some(payment) = reference_key.as_ref().and_then(|key| state.references.find(key)) {
        return Err(PaymentRejection::ReferenceUsed { tx: payment.tx }.into());
    }
    let posting = Posting { asset, amount, from: Side::Available(from), to: Side::Available(to) };
    spend(state, context.now, from, (asset, amount), &[posting], events)?;
    if let Some(key) = reference_key {
        state.references.put(key, ReferencedPayment { tx: context.tx });
    }
    let (reference, memo) = (reference.clone(), memo.clone());
    let (tx, at) = (context.tx, context.now);
    events.push(PaymentEvent::Paid { tx, from, to, asset, amount, reference, memo, at }.into());
    Ok(())
}
