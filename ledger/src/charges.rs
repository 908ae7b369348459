//! Charges: a member asks to be topped up, an admin who saw the money come in mints it.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::Amount;
use crate::event::EventKind;
use crate::ids::ChargeId;
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, TableId};
use crate::text::{Memo, Reason};
use crate::time::UnixMillis;

/// Transactions about charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeOp {
    /// Asks to be topped up.
    Request {
        /// By how much.
        amount: Amount,
        /// What an admin needs to find the deposit. May be empty.
        memo: Memo,
    },
    /// Mints the amount for who asked. By an admin other than that one.
    Approve {
        /// Which.
        charge: ChargeId,
    },
    /// Turns it down. By an admin other than who asked.
    Reject {
        /// Which.
        charge: ChargeId,
        /// Why.
        reason: Reason,
    },
}

/// How far a charge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// Nobody has decided.
    Requested,
    /// The amount was minted.
    Approved {
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// Turned down.
    Rejected {
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
}

impl ChargeStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Approved { .. } => "APPROVED",
            Self::Rejected { .. } => "REJECTED",
        }
    }
}

/// A request to be topped up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Who asks.
    pub requester: Address,
    /// For how much.
    pub amount: Amount,
    /// How far it is.
    pub status: ChargeStatus,
    /// When it was asked for.
    pub requested_at: UnixMillis,
}

impl Row for Charge {
    type Key = ChargeId;
    const TABLE: TableId = TableId::Charges;
}

/// Why nothing happens to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum ChargeRejection {
    /// A charge of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// No such charge.
    #[error("there is no such charge")]
    UnknownCharge,
    /// Only admins decide.
    #[error("only an admin decides on charges")]
    NotAdmin,
    /// Nobody decides on a charge of their own.
    #[error("another admin decides on this charge")]
    OwnCharge,
    /// It is decided.
    #[error("the charge is decided: {}", status.code())]
    AlreadyDecided {
        /// How.
        status: ChargeStatus,
    },
}

impl ChargeRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::ZeroAmount => "ZERO_AMOUNT",
            Self::UnknownCharge => "UNKNOWN_CHARGE",
            Self::NotAdmin => "NOT_ADMIN",
            Self::OwnCharge => "OWN_CHARGE",
            Self::AlreadyDecided { .. } => "CHARGE_ALREADY_DECIDED",
        }
    }
}

/// What happens to charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeEvent {
    /// Someone asks.
    Requested {
        /// Which charge.
        charge: ChargeId,
        /// Who asks.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// What an admin needs to find the deposit.
        memo: Memo,
        /// When.
        at: UnixMillis,
    },
    /// The amount was minted.
    Approved {
        /// Which charge.
        charge: ChargeId,
        /// Who asked.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// Who decided.
        by: Address,
        /// How many charges of the requester were approved, with this one.
        charge_count: u64,
        /// When.
        at: UnixMillis,
    },
    /// It was turned down.
    Rejected {
        /// Which charge.
        charge: ChargeId,
        /// Who asked.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// Who decided.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
}

impl ChargeEvent {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "charge.requested",
            Self::Approved { .. } => "charge.approved",
            Self::Rejected { .. } => "charge.rejected",
        }
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &ChargeOp,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    match op {
        ChargeOp::Request { amount, memo } => request(state, context, *amount, memo, events),
        ChargeOp::Approve { charge } => approve(state, context, *charge, events),
        ChargeOp::Reject { charge, reason } => reject(state, context, *charge, reason, events),
    }
}

fn request(
    state: &mut State,
    context: &Context,
    amount: Amount,
    memo: &Memo,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    if amount.is_zero() {
        return Err(ChargeRejection::ZeroAmount.into());
    }
    let (requester, at) = (context.sender, context.now);
    let charge = ChargeId::from(context.tx);
    let row = Charge { requester, amount, status: ChargeStatus::Requested, requested_at: at };
    state.charges.put(charge, row);
    events.push(ChargeEvent::Requested { charge, requester, amount, memo: memo.clone(), at }.into());
    Ok(())
}

fn approve(
    state: &mut State,
    context: &Context,
    id: ChargeId,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let charge = decidable(state, context, id)?;
    let Charge { requester, amount, .. } = charge;
    let (by, at) = (context.sender, context.now);
    state.money.post(&[Posting::new(amount, Side::Issuer, Side::Available(requester))], events)?;
    state.accounts.count_charge(requester);
    let charge_count = state.accounts.find(&requester).map_or(0, |account| account.charge_count);
    state.charges.put(id, Charge { status: ChargeStatus::Approved { by, at }, ..charge });
    events.push(ChargeEvent::Approved { charge: id, requester, amount, by, charge_count, at }.into());
    Ok(())
}

fn reject(
    state: &mut State,
    context: &Context,
    id: ChargeId,
    reason: &Reason,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let charge = decidable(state, context, id)?;
    let Charge { requester, amount, .. } = charge;
    let (by, at) = (context.sender, context.now);
    state.charges.put(id, Charge { status: ChargeStatus::Rejected { by, at }, ..charge });
    let reason = reason.clone();
    events.push(ChargeEvent::Rejected { charge: id, requester, amount, by, reason, at }.into());
    Ok(())
}

/// The charge, if the sender may decide on it now.
fn decidable(state: &State, context: &Context, id: ChargeId) -> Result<Charge, ChargeRejection> {
    let charge = state.charges.find(&id).ok_or(ChargeRejection::UnknownCharge)?;
    if !state.accounts.is_admin(&context.sender) {
        return Err(ChargeRejection::NotAdmin);
    }
    if charge.requester == context.sender {
        return Err(ChargeRejection::OwnCharge);
    }
    match charge.status {
        ChargeStatus::Requested => Ok(*charge),
        status => Err(ChargeRejection::AlreadyDecided { status }),
    }
}
