//! Guardians: other accounts that the owner has named, who bring the account back should all of its keys be lost. What they do
//! for it is in `recovery.rs`.

use std::collections::BTreeSet;
use std::ops::Bound;

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{AccountEvent, AccountRejection};
use crate::event::EventKind;
use crate::state::{Context, State};
use crate::table::{EntryError, Row, Table, TableId};
use crate::time::{Millis, UnixMillis};

/// How many guardians an account may have.
pub const MAX_GUARDIANS: u16 = 16;

/// Who may bring an account back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guardians {
    /// Their accounts, ascending.
    pub guardians: Vec<Address>,
    /// How many of them it takes.
    pub threshold: u8,
    /// How long the owner may object.
    pub delay: Millis,
    /// How often guardians were set or the account was brought back. What was begun under another number is over.
    pub generation: u64,
    /// Since when.
    pub since: UnixMillis,
}

impl Row for Guardians {
    type Key = Address;
    const TABLE: TableId = TableId::Guardians;
}

/// The guardians of all accounts.
#[derive(Default)]
pub(crate) struct AllGuardians {
    pub(crate) rows: Table<Guardians>,
    /// Each guardian with each account that names it. Follows from the rows.
    guarded: BTreeSet<(Address, Address)>,
}

impl AllGuardians {
    pub(crate) fn find(&self, account: &Address) -> Option<&Guardians> {
        self.rows.find(account)
    }

    /// Whose guardian an account is, after one of them, in the order of their addresses.
    pub(crate) fn guarded_by(
        &self,
        guardian: &Address,
        after: Option<Address>,
    ) -> impl Iterator<Item = &Address> {
        let guardian = *guardian;
        let first = Bound::Included((guardian, Address::from_bytes([0; 32])));
        let from = after.map_or(first, |after| Bound::Excluded((guardian, after)));
        let lines = self.guarded.range((from, Bound::Unbounded));
        lines.take_while(move |(by, _)| *by == guardian).map(|(_, account)| account)
    }

    pub(super) fn generation(&self, account: &Address) -> u64 {
        self.find(account).map_or(0, |row| row.generation)
    }

    pub(crate) fn put(&mut self, account: Address, row: Guardians) {
        if let Some(before) = self.rows.find(&account) {
            for guardian in &before.guardians {
                self.guarded.remove(&(*guardian, account));
            }
        }
        self.guarded.extend(row.guardians.iter().map(|guardian| (*guardian, account)));
        self.rows.put(account, row);
    }

    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), EntryError> {
        let (account, row) = self.rows.load(key, value)?;
        self.guarded.extend(row.guardians.iter().map(|guardian| (*guardian, account)));
        Ok(())
    }

    /// The index is that of the rows.
    pub(crate) fn index_is_sound(&self) -> bool {
        let mut guarded: BTreeSet<(Address, Address)> = BTreeSet::new();
        for (account, row) in self.rows.iter() {
            guarded.extend(row.guardians.iter().map(|guardian| (*guardian, *account)));
        }
        guarded == self.guarded
    }
}

pub(super) fn set(
    state: &mut State,
    context: &Context,
    guardians: &[Address],
    threshold: u8,
    delay: Millis,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let (address, at) = (context.sender, context.now);
    // A thief would name an accomplice, who is still there when the freeze is over.
    state.accounts.freezes.check(&address)?;
    let distinct: BTreeSet<Address> = guardians.iter().copied().collect();
    let is_other = |guardian: &Address| *guardian != address && state.accounts.contains(guardian);
    if distinct.len() != guardians.len()
        || distinct.len() > usize::from(MAX_GUARDIANS)
        || !distinct.iter().all(is_other)
    {
        return Err(AccountRejection::BadGuardians { max: MAX_GUARDIANS });
    }
    let (least, most) = (usize::from(!distinct.is_empty()), distinct.len());
    if !(least..=most).contains(&usize::from(threshold)) {
        return Err(AccountRejection::BadThreshold);
    }
    let params = &state.params.accounts;
    if !(params.min_recovery_delay..=params.max_recovery_delay).contains(&delay) {
        return Err(AccountRejection::BadDelay);
    }
    let guardians: Vec<Address> = distinct.into_iter().collect();
    let generation = state.accounts.guardians.generation(&address).saturating_add(1);
    let row = Guardians { guardians: guardians.clone(), threshold, delay, generation, since: at };
    state.accounts.guardians.put(address, row);
    events.push(AccountEvent::GuardiansSet { address, guardians, threshold, delay, at }.into());
    Ok(())
}

/// Whether somebody is a guardian of an account whose word counts now.
pub(super) fn check(state: &State, account: &Address, who: &Address) -> Result<(), AccountRejection> {
    let guardians = state.accounts.guardians.find(account);
    let is_one = guardians.is_some_and(|row| row.guardians.contains(who));
    if is_one { state.accounts.freezes.check(who) } else { Err(AccountRejection::NotGuardian) }
}
