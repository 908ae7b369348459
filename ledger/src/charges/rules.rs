//! Who may ask for a charge, and who decides on it.

use super::{Approver, Charge, ChargeEvent, ChargeOp, ChargeRejection, ChargeStatus, alone, policy};
use crate::amount::Amount;
use crate::event::EventKind;
use crate::ids::ChargeId;
use crate::money::{MoneyRejection, Posting, Side};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::text::{Memo, Reason};
use crate::time::UnixMillis;

type Events = Vec<EventKind>;

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &ChargeOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    match op {
        ChargeOp::Request { amount, memo } => Ok(request(state, context, *amount, memo, events)?),
        ChargeOp::Approve { charge } => approve(state, context, *charge, events),
        ChargeOp::Reject { charge, reason } => Ok(reject(state, context, *charge, reason, events)?),
        ChargeOp::ProposePolicy { policy } => Ok(policy::propose(state, context, *policy, events)?),
        ChargeOp::ApprovePolicy { proposal } => Ok(policy::approve(state, context, *proposal, events)?),
        ChargeOp::RejectPolicy { proposal, reason } => {
            Ok(policy::reject(state, context, *proposal, reason, events)?)
        }
    }
}

fn request(
    state: &mut State,
    context: &Context,
    amount: Amount,
    memo: &Memo,
    events: &mut Events,
) -> Result<(), ChargeRejection> {
    if amount.is_zero() {
        return Err(ChargeRejection::ZeroAmount);
    }
    let (requester, at) = (context.sender, context.now);
    let id = ChargeId::from(context.tx);
    let status = ChargeStatus::Requested;
    let charge = Charge { requester, amount, status, requested_at: at, first_approval: None };
    state.charges.rows.put(id, charge);
    events.push(ChargeEvent::Requested { charge: id, requester, amount, memo: memo.clone(), at }.into());
    // What cannot be minted stays asked for.
    if policy::covers(state, &charge) && mint(state, id, charge, Approver::Policy, at, events).is_ok() {
        policy::count(&mut state.charges, &charge);
    }
    Ok(())
}

fn approve(state: &mut State, context: &Context, id: ChargeId, events: &mut Events) -> Result<(), Rejection> {
    let charge = decidable(state, context, id)?;
    let Charge { requester, amount, first_approval, .. } = charge;
    let (by, at) = (context.sender, context.now);
    let first = first_approval.filter(|first| state.accounts.is_admin(first));
    if first == Some(by) {
        return Err(ChargeRejection::AlreadyApproved.into());
    }
    if first.is_none() && !alone::suffices(state, by, &charge, at) {
        state.charges.rows.put(id, Charge { first_approval: Some(by), ..charge });
        events.push(ChargeEvent::ApprovedOnce { charge: id, requester, amount, by, at }.into());
        return Ok(());
    }
    mint(state, id, Charge { first_approval: first, ..charge }, Approver::Admin(by), at, events)?;
    if first.is_none() {
        alone::count(state, by, &charge, at);
    }
    Ok(())
}

/// The requester gets the money, and the charge counts.
fn mint(
    state: &mut State,
    id: ChargeId,
    charge: Charge,
    by: Approver,
    at: UnixMillis,
    events: &mut Events,
) -> Result<(), MoneyRejection> {
    let Charge { requester, amount, .. } = charge;
    state.money.post(&[Posting::new(amount, Side::Issuer, Side::Available(requester))], events)?;
    state.accounts.count_charge(requester);
    let charge_count = state.accounts.find(&requester).map_or(0, |account| account.charge_count);
    let points = state.params.charges.points(charge_count);
    state.charges.rows.put(id, Charge { status: ChargeStatus::Approved { by, at }, ..charge });
    events.push(ChargeEvent::Approved { charge: id, requester, amount, by, charge_count, points, at }.into());
    Ok(())
}

/// One admin is enough, also if another one has approved it.
fn reject(
    state: &mut State,
    context: &Context,
    id: ChargeId,
    reason: &Reason,
    events: &mut Events,
) -> Result<(), ChargeRejection> {
    let charge = decidable(state, context, id)?;
    let Charge { requester, amount, .. } = charge;
    let (by, at) = (context.sender, context.now);
    state.charges.rows.put(id, Charge { status: ChargeStatus::Rejected { by, at }, ..charge });
    let reason = reason.clone();
    events.push(ChargeEvent::Rejected { charge: id, requester, amount, by, reason, at }.into());
    Ok(())
}

/// The charge, if the sender may decide on it now.
fn decidable(state: &State, context: &Context, id: ChargeId) -> Result<Charge, ChargeRejection> {
    let charge = state.charges.find(&id).ok_or(ChargeRejection::UnknownCharge)?;
    let (not_admin, own) = (ChargeRejection::NotAdmin, ChargeRejection::OwnCharge);
    state.accounts.may_decide(&context.sender, &charge.requester, not_admin, own)?;
    match charge.status {
        ChargeStatus::Requested => Ok(*charge),
        status => Err(ChargeRejection::AlreadyDecided { status }),
    }
}
