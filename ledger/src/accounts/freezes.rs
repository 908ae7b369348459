//! Freezes: one admin, who sees that something is wrong, stops an account from spending; another one lets it go on. So stopping
//! is quick, and nobody both takes and gives. What others trust the account with rests, too: it makes and issues no tokens,
//! opens no market for one, moves nobody's, and neither decides nor attests in trades of others; as a guardian it brings
//! nobody's account back, and what it agreed to before does not count any more, not even when the freeze is over. It names no
//! guardians, who would outlast the freeze. Nor does it let anybody move more of what it has: allowances only become smaller.
//! Its orders trade no more: one that is met is taken away, and what it held is its owner's, who cannot spend it. What was set
//! aside for one certain person before stays that one's: a payee takes it, a buyer may say that the goods came. Money still
//! comes in, deadlines fire, and the owner may still change keys.
//! The events are the public record of it.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{AccountEvent, AccountRejection, Accounts};
use crate::event::EventKind;
use crate::state::Context;
use crate::table::{Row, Table, TableId};
use crate::text::Reason;
use crate::time::UnixMillis;

/// The last time that an admin stopped an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Who did.
    pub by: Address,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub at: UnixMillis,
    /// When another admin lifted it, if one did.
    pub lifted_at: Option<UnixMillis>,
}

impl Row for Freeze {
    type Key = Address;
    const TABLE: TableId = TableId::Freezes;
}

#[derive(Default)]
pub(crate) struct Freezes {
    pub(crate) rows: Table<Freeze>,
}

impl Freezes {
    /// The freeze of an account, if it is not lifted.
    pub(crate) fn of(&self, account: &Address) -> Option<&Freeze> {
        self.rows.find(account).filter(|row| row.lifted_at.is_none())
    }

    /// When an account was frozen, whether or not that is over. If that was often, the last time.
    pub(crate) fn last(&self, account: &Address) -> Option<UnixMillis> {
        self.rows.find(account).map(|row| row.at)
    }

    /// Whether an account may not spend.
    pub(crate) fn holds(&self, account: &Address) -> bool {
        self.of(account).is_some()
    }

    /// For what an account does with the trust of others: whoever stole its keys must not.
    pub(crate) fn check(&self, account: &Address) -> Result<(), AccountRejection> {
        if self.holds(account) { Err(AccountRejection::Frozen) } else { Ok(()) }
    }
}

pub(super) fn freeze(
    accounts: &mut Accounts,
    context: &Context,
    address: Address,
    reason: &Reason,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let (by, at) = (context.sender, context.now);
    if !accounts.is_admin(&by) {
        return Err(AccountRejection::NotAdmin);
    }
    if !accounts.contains(&address) {
        return Err(AccountRejection::UnknownAccount);
    }
    if accounts.is_admin(&address) {
        return Err(AccountRejection::AdminAccount);
    }
    if accounts.freezes.holds(&address) {
        return Err(AccountRejection::AlreadyFrozen);
    }
    let reason = reason.clone();
    accounts.freezes.rows.put(address, Freeze { by, reason: reason.clone(), at, lifted_at: None });
    events.push(AccountEvent::Frozen { address, by, reason, at }.into());
    Ok(())
}

pub(super) fn unfreeze(
    accounts: &mut Accounts,
    context: &Context,
    address: Address,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let (by, at) = (context.sender, context.now);
    if !accounts.is_admin(&by) {
        return Err(AccountRejection::NotAdmin);
    }
    if !accounts.contains(&address) {
        return Err(AccountRejection::UnknownAccount);
    }
    let row = accounts.freezes.of(&address).ok_or(AccountRejection::NotFrozen)?.clone();
    if row.by == by {
        return Err(AccountRejection::OwnFreeze);
    }
    accounts.freezes.rows.put(address, Freeze { lifted_at: Some(at), ..row });
    events.push(AccountEvent::Unfrozen { address, by, at }.into());
    Ok(())
}
