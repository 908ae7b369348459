//! Charges: who decided on them, and how many there are.

use std::collections::BTreeMap;

use pbft_crypto::Address;

use super::InvariantViolation;
use crate::amount::Amount;
use crate::charges::{Approver, Charge, ChargeStatus};
use crate::state::State;

/// As many decided on each as it takes, and each account has as many charges as were approved.
pub(super) fn check(state: &State) -> Result<(), InvariantViolation> {
    let two_admins_above = state.params.charges.two_admins_above;
    let mut approved: BTreeMap<Address, u64> = BTreeMap::new();
    for (id, charge) in state.charges.rows.iter() {
        if !is_sound(charge, two_admins_above) {
            return Err(InvariantViolation::Charge(*id));
        }
        if matches!(charge.status, ChargeStatus::Approved { .. }) {
            let count = approved.entry(charge.requester).or_default();
            *count = count.saturating_add(1);
        }
    }
    for (account, row) in state.accounts.rows.iter() {
        let (counted, approved) = (row.charge_count, approved.remove(account).unwrap_or_default());
        if counted != approved {
            return Err(InvariantViolation::ChargeCount { account: *account, counted, approved });
        }
    }
    Ok(())
}

/// Nobody decides on an own charge or twice on one. A large one takes a first approval before the last; a small one may, by what
/// its admin approved alone that day. The policy decides on small ones alone.
fn is_sound(charge: &Charge, two_admins_above: Amount) -> bool {
    let (own, first) = (charge.requester, charge.first_approval);
    let takes_two = charge.amount > two_admins_above;
    let is_decided_well = match charge.status {
        ChargeStatus::Requested => true,
        ChargeStatus::Approved { by: Approver::Admin(by), .. } => {
            by != own && first != Some(by) && (first.is_some() || !takes_two)
        }
        ChargeStatus::Approved { by: Approver::Policy, .. } => !takes_two && first.is_none(),
        ChargeStatus::Rejected { by, .. } => by != own,
    };
    is_decided_well && !charge.amount.is_zero() && first != Some(own)
}
