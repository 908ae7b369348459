//! Automatic approval: terms that two admins have set, kept on the chain, so that everybody sees what nobody looks at.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{Charge, ChargeEvent, ChargeRejection, Charges};
use crate::amount::Amount;
use crate::day_total::DayTotal;
use crate::event::EventKind;
use crate::ids::PolicyProposalId;
use crate::state::{Context, State};
use crate::table::{Row, TableId};
use crate::text::Reason;
use crate::time::UnixMillis;

/// Which charges are approved as soon as they are asked for: all of it must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargePolicy {
    /// The most that one charge may be.
    pub per_charge: Amount,
    /// The most that an account may get in this way in a day, UTC.
    pub per_day: Amount,
    /// The most that all accounts together may get in this way in a day, UTC.
    pub all_per_day: Amount,
    /// How many charges of the account were approved before, at least.
    pub min_charges: u64,
}

/// The one row of rules about charges that change while the chain goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRules {
    /// What is approved automatically. `None`: nothing.
    pub policy: Option<ChargePolicy>,
    /// What an admin asks for.
    pub proposal: Option<PolicyProposal>,
    /// What all accounts together got by policies on the last day on which one did.
    pub automatic: DayTotal,
}

impl Row for ChargeRules {
    type Key = ();
    const TABLE: TableId = TableId::ChargeRules;
}

/// Terms that an admin asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyProposal {
    /// What names it.
    pub id: PolicyProposalId,
    /// Who asks.
    pub proposer: Address,
    /// For what.
    pub policy: Option<ChargePolicy>,
    /// Since when.
    pub at: UnixMillis,
}

/// What an account got by the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoCharges {
    /// On the last day on which it got something.
    pub total: DayTotal,
}

impl Row for AutoCharges {
    type Key = Address;
    const TABLE: TableId = TableId::AutoCharges;
}

/// Whether the policy approves a charge.
pub(super) fn covers(state: &State, charge: &Charge) -> bool {
    let Charge { requester, amount, requested_at: now, .. } = *charge;
    let rules = state.charges.rules();
    let (Some(policy), Some(account)) = (rules.policy, state.accounts.find(&requester)) else {
        return false;
    };
    amount <= policy.per_charge
        && amount <= state.params.charges.two_admins_above
        && state.charges.automatic_of(&requester).total.has_room(now, amount, policy.per_day)
        && rules.automatic.has_room(now, amount, policy.all_per_day)
        && account.charge_count >= policy.min_charges
        && !state.accounts.freezes.holds(&requester)
}

/// The policy has approved a charge.
pub(super) fn count(charges: &mut Charges, charge: &Charge) {
    let Charge { requester, amount, requested_at: now, .. } = *charge;
    let rules = charges.rules();
    charges.rules.put((), ChargeRules { automatic: rules.automatic.plus(now, amount), ..rules });
    let total = charges.automatic_of(&requester).total.plus(now, amount);
    charges.automatic.put(requester, AutoCharges { total });
}

pub(super) fn propose(
    state: &mut State,
    context: &Context,
    policy: Option<ChargePolicy>,
    events: &mut Vec<EventKind>,
) -> Result<(), ChargeRejection> {
    let (proposer, at) = (context.sender, context.now);
    if !state.accounts.is_admin(&proposer) {
        return Err(ChargeRejection::NotAdmin);
    }
    let id = PolicyProposalId::from(context.tx);
    let rules =
        ChargeRules { proposal: Some(PolicyProposal { id, proposer, policy, at }), ..state.charges.rules() };
    state.charges.rules.put((), rules);
    events.push(ChargeEvent::PolicyProposed { proposal: id, proposer, policy, at }.into());
    Ok(())
}

pub(super) fn approve(
    state: &mut State,
    context: &Context,
    id: PolicyProposalId,
    events: &mut Vec<EventKind>,
) -> Result<(), ChargeRejection> {
    let PolicyProposal { proposer, policy, .. } = decidable(state, context, id)?;
    if !state.accounts.is_admin(&proposer) {
        return Err(ChargeRejection::ProposerNotAdmin);
    }
    let rules = ChargeRules { policy, proposal: None, ..state.charges.rules() };
    state.charges.rules.put((), rules);
    let (by, at) = (context.sender, context.now);
    events.push(ChargeEvent::PolicySet { proposal: id, proposer, by, policy, at }.into());
    Ok(())
}

pub(super) fn reject(
    state: &mut State,
    context: &Context,
    id: PolicyProposalId,
    reason: &Reason,
    events: &mut Vec<EventKind>,
) -> Result<(), ChargeRejection> {
    let PolicyProposal { proposer, .. } = decidable(state, context, id)?;
    let rules = ChargeRules { proposal: None, ..state.charges.rules() };
    state.charges.rules.put((), rules);
    let (by, at, reason) = (context.sender, context.now, reason.clone());
    events.push(ChargeEvent::PolicyRejected { proposal: id, proposer, by, reason, at }.into());
    Ok(())
}

/// What is asked for, if the sender may decide on it now.
fn decidable(
    state: &State,
    context: &Context,
    id: PolicyProposalId,
) -> Result<PolicyProposal, ChargeRejection> {
    let proposal = state.charges.rules().proposal.filter(|proposal| proposal.id == id);
    let proposal = proposal.ok_or(ChargeRejection::UnknownPolicyProposal)?;
    let (not_admin, own) = (ChargeRejection::NotAdmin, ChargeRejection::OwnPolicyProposal);
    state.accounts.may_decide(&context.sender, &proposal.proposer, not_admin, own)?;
    Ok(proposal)
}
