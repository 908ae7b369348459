//! Withdrawals: a member takes money out. It is held until an admin settles, which burns it, and then pays it out elsewhere:
//! in this order, since up to then the owner may have it back.
//!
//! | from | to | who |
//! | --- | --- | --- |
//! | - | REQUESTED (money held) | the owner |
//! | REQUESTED | SETTLED (burned) | an admin other than the owner, unless the owner's account is frozen |
//! | REQUESTED | VOIDED (back to the owner) | the owner; an admin |

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::accounts::{AccountRejection, spend};
use crate::amount::{Amount, AssetId};
use crate::event::{EventKind, event_names};
use crate::ids::WithdrawalId;
use crate::money::{Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, Table, TableId};
use crate::text::{Memo, Reason};
use crate::time::UnixMillis;

/// Transactions about withdrawals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalOp {
    /// Takes money out.
    Request {
        /// How much.
        amount: Amount,
        /// What an admin needs to pay it out. May be empty. It is on the chain for all who run a replica.
        memo: Memo,
    },
    /// It is being paid out: the held money is burned. By an admin other than the owner.
    Settle {
        /// Which.
        withdrawal: WithdrawalId,
    },
    /// Nothing comes of it: the owner has the money back. By the owner or an admin.
    Void {
        /// Which.
        withdrawal: WithdrawalId,
        /// Why.
        reason: Reason,
    },
}

/// How far a withdrawal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalStatus {
    /// The money is held.
    Requested,
    /// It was burned.
    Settled {
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// The owner has it back.
    Voided {
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
}

impl WithdrawalStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Settled { .. } => "SETTLED",
            Self::Voided { .. } => "VOIDED",
        }
    }
}

/// A request to take money out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Whose money it is.
    pub owner: Address,
    /// How much. It is held until somebody decides.
    pub amount: Amount,
    /// How far it is.
    pub status: WithdrawalStatus,
    /// When it was asked for.
    pub requested_at: UnixMillis,
}

impl Row for Withdrawal {
    type Key = WithdrawalId;
    const TABLE: TableId = TableId::Withdrawals;
}

/// Why nothing happens to a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalRejection {
    /// A withdrawal of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// No such withdrawal.
    #[error("there is no such withdrawal")]
    UnknownWithdrawal,
    /// Only admins settle.
    #[error("only an admin settles withdrawals")]
    NotAdmin,
    /// Nobody settles a withdrawal of their own.
    #[error("another admin settles this withdrawal")]
    OwnWithdrawal,
    /// Neither its owner nor an admin.
    #[error("only its owner or an admin may do this")]
    NotOwner,
    /// It is decided.
    #[error("the withdrawal is decided: {}", status.code())]
    AlreadyDecided {
        /// How.
        status: WithdrawalStatus,
    },
}

codes_of! {
    pub(crate) WithdrawalRejection {
        ZeroAmount => "ZERO_AMOUNT",
        UnknownWithdrawal => "UNKNOWN_WITHDRAWAL",
        NotAdmin => "NOT_ADMIN",
        OwnWithdrawal => "OWN_WITHDRAWAL",
        NotOwner => "NOT_WITHDRAWAL_OWNER",
        AlreadyDecided => "WITHDRAWAL_ALREADY_DECIDED",
    }
}

/// What happens to withdrawals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalEvent {
    /// Someone takes money out: it is held.
    Requested {
        /// Which withdrawal.
        withdrawal: WithdrawalId,
        /// Whose.
        owner: Address,
        /// How much.
        amount: Amount,
        /// What an admin needs to pay it out.
        memo: Memo,
        /// When.
        at: UnixMillis,
    },
    /// It is being paid out, and the money was burned.
    Settled {
        /// Which withdrawal.
        withdrawal: WithdrawalId,
        /// Whose.
        owner: Address,
        /// How much.
        amount: Amount,
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// The owner has the money back.
    Voided {
        /// Which withdrawal.
        withdrawal: WithdrawalId,
        /// Whose.
        owner: Address,
        /// How much.
        amount: Amount,
        /// Who decided.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    WithdrawalEvent {
        Self::Requested { .. } => "withdrawal.requested",
        Self::Settled { .. } => "withdrawal.settled",
        Self::Voided { .. } => "withdrawal.voided",
    }
}

/// What the withdrawals hold: of whom, and how much.
pub(crate) fn holds(rows: &Table<Withdrawal>) -> impl Iterator<Item = (Address, AssetId, Amount)> {
    let live = rows.iter().filter(|(_, row)| row.status == WithdrawalStatus::Requested);
    live.map(|(_, row)| (row.owner, AssetId::Pop, row.amount))
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &WithdrawalOp,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    match op {
        WithdrawalOp::Request { amount, memo } => request(state, context, *amount, memo, events),
        WithdrawalOp::Settle { withdrawal } => settle(state, context, *withdrawal, events),
        WithdrawalOp::Void { withdrawal, reason } => void(state, context, *withdrawal, reason, events),
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
        return Err(WithdrawalRejection::ZeroAmount.into());
    }
    let (owner, at) = (context.sender, context.now);
    let hold = Posting::new(amount, Side::Available(owner), Side::Held(owner));
    spend(state, at, owner, (AssetId::Pop, amount), &[hold], events)?;
    let withdrawal = WithdrawalId::from(context.tx);
    let status = WithdrawalStatus::Requested;
    state.withdrawals.put(withdrawal, Withdrawal { owner, amount, status, requested_at: at });
    events.push(WithdrawalEvent::Requested { withdrawal, owner, amount, memo: memo.clone(), at }.into());
    Ok(())
}

fn settle(
    state: &mut State,
    context: &Context,
    id: WithdrawalId,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let row = find(state, id)?;
    let Withdrawal { owner, amount, .. } = row;
    let (by, at) = (context.sender, context.now);
    let (not_admin, own) = (WithdrawalRejection::NotAdmin, WithdrawalRejection::OwnWithdrawal);
    state.accounts.may_decide(&by, &owner, not_admin, own)?;
    check_open(&row)?;
    if state.accounts.freezes.holds(&owner) {
        return Err(AccountRejection::Frozen.into());
    }
    state.money.post(&[Posting::new(amount, Side::Held(owner), Side::Issuer)], events)?;
    state.withdrawals.put(id, Withdrawal { status: WithdrawalStatus::Settled { by, at }, ..row });
    events.push(WithdrawalEvent::Settled { withdrawal: id, owner, amount, by, at }.into());
    Ok(())
}

fn void(
    state: &mut State,
    context: &Context,
    id: WithdrawalId,
    reason: &Reason,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let row = find(state, id)?;
    let Withdrawal { owner, amount, .. } = row;
    let (by, at) = (context.sender, context.now);
    if by != owner && !state.accounts.is_admin(&by) {
        return Err(WithdrawalRejection::NotOwner.into());
    }
    check_open(&row)?;
    state.money.post(&[Posting::new(amount, Side::Held(owner), Side::Available(owner))], events)?;
    state.withdrawals.put(id, Withdrawal { status: WithdrawalStatus::Voided { by, at }, ..row });
    let reason = reason.clone();
    events.push(WithdrawalEvent::Voided { withdrawal: id, owner, amount, by, reason, at }.into());
    Ok(())
}

fn find(state: &State, id: WithdrawalId) -> Result<Withdrawal, WithdrawalRejection> {
    state.withdrawals.find(&id).copied().ok_or(WithdrawalRejection::UnknownWithdrawal)
}

fn check_open(row: &Withdrawal) -> Result<(), WithdrawalRejection> {
    match row.status {
        WithdrawalStatus::Requested => Ok(()),
        status => Err(WithdrawalRejection::AlreadyDecided { status }),
    }
}
