//! What one admin approves alone: each charge is bounded, and so is what they add up to in a day. Otherwise many small charges
//! would be worth a large one.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::Charge;
use crate::day_total::DayTotal;
use crate::state::State;
use crate::table::{Row, TableId};
use crate::time::UnixMillis;

/// The charges of an account that one admin alone has approved. One row for an account at most: each day takes the place of the one
/// before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoleApprovals {
    /// What the account approved, as the only admin.
    pub given: DayTotal,
    /// What it got in this way.
    pub received: DayTotal,
}

impl Row for SoleApprovals {
    type Key = Address;
    const TABLE: TableId = TableId::SoleApprovals;
}

/// Whether one admin is enough for a charge now.
pub(super) fn suffices(state: &State, by: Address, charge: &Charge, now: UnixMillis) -> bool {
    let Charge { requester, amount, .. } = *charge;
    let (charges, params) = (&state.charges, &state.params.charges);
    // There is no room for a charge above the limit, not even as the first of a day.
    charges.alone_of(&requester).received.has_room(now, amount, params.two_admins_above)
        && charges.alone_of(&by).given.has_room(now, amount, params.one_admin_per_day)
}

/// One admin alone has approved a charge.
pub(super) fn count(state: &mut State, by: Address, charge: &Charge, now: UnixMillis) {
    let Charge { requester, amount, .. } = *charge;
    let charges = &mut state.charges;
    let row = charges.alone_of(&by);
    charges.alone.put(by, SoleApprovals { given: row.given.plus(now, amount), ..row });
    let row = charges.alone_of(&requester);
    charges.alone.put(requester, SoleApprovals { received: row.received.plus(now, amount), ..row });
}
