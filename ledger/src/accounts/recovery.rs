//! Recovery: guardians whom the owner has named give the account another key, should all of its own be lost. They ask for
//! it together, and then the owner has some time to object: whoever still has a key stops it. The word of a guardian counts
//! until that account is frozen, and not again when the freeze is over: whoever stole its keys must not take other accounts with
//! them, and only the guardian knows whose word it was. So that one says it anew. One who has asked asks for another key as long as
//! too few agree, since the new key may get lost as well: the wish before lapses. That has an end: otherwise a single one could fill
//! the ledger with wishes. What was asked for before a freeze of the guardian does not count there either: whoever stole its keys
//! could use up all of its wishes.

use std::cmp::Reverse;

use pbft_crypto::{Address, PublicKey, Signature};
use serde::{Deserialize, Serialize};

use super::{AccountEvent, AccountOp, AccountRejection, Accounts, Guardians, RecoveryPlace, guardians, keys};
use crate::event::EventKind;
use crate::ids::RecoveryId;
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, TableId};
use crate::text::Label;
use crate::time::UnixMillis;

/// How many wishes of a guardian may have lapsed before it asks no more in the place of one that waits. Others that the owner names,
/// be they the same, begin anew, and so does one who was frozen since.
pub const MAX_LAPSED_WISHES: u8 = 10;

/// A wish of guardians that an account have another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Which account.
    pub account: Address,
    /// The new key.
    pub public_key: PublicKey,
    /// Who agrees, each once, in the order in which they first did. The first one has asked for it.
    pub agreed: Vec<Agreement>,
    /// The generation of the guardians.
    pub generation: u64,
    /// How far it is.
    pub status: RecoveryStatus,
    /// When it was asked for.
    pub proposed_at: UnixMillis,
}

impl Recovery {
    /// Where it stands among others. It is called `id`.
    pub const fn place(&self, id: RecoveryId) -> RecoveryPlace {
        (Reverse(self.proposed_at), id)
    }

    fn word_of(&self, guardian: &Address) -> Option<&Agreement> {
        self.agreed.iter().find(|word| word.guardian == *guardian)
    }

    fn note(&mut self, guardian: Address, at: UnixMillis) {
        match self.agreed.iter_mut().find(|word| word.guardian == guardian) {
            Some(word) => word.at = at,
            None => self.agreed.push(Agreement { guardian, at }),
        }
    }
}

/// The word of a guardian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Whose it is.
    pub guardian: Address,
    /// When it was given, last.
    pub at: UnixMillis,
}

impl Row for Recovery {
    type Key = RecoveryId;
    const TABLE: TableId = TableId::Recoveries;
}

/// How far a recovery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryStatus {
    /// Too few guardians agree.
    Proposed,
    /// Enough do: it takes effect at this time.
    Ready {
        /// When.
        due: UnixMillis,
    },
    /// The account has the new key.
    Done {
        /// Since when.
        at: UnixMillis,
    },
    /// The owner stopped it.
    Cancelled {
        /// When.
        at: UnixMillis,
    },
    /// Its time came, but the guardians were others, too many of them had been frozen since they agreed, or the key was in use. Or it
    /// never came: who had asked for it asked for another key.
    Lapsed {
        /// When.
        at: UnixMillis,
    },
}

impl RecoveryStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Ready { .. } => "READY",
            Self::Done { .. } => "DONE",
            Self::Cancelled { .. } => "CANCELLED",
            Self::Lapsed { .. } => "LAPSED",
        }
    }

    /// Whether something can still come of it.
    const fn is_open(&self) -> bool {
        matches!(self, Self::Proposed | Self::Ready { .. })
    }

    pub(super) const fn due(&self) -> Option<UnixMillis> {
        match self {
            Self::Ready { due } => Some(*due),
            _ => None,
        }
    }
}

pub(super) fn propose(
    state: &mut State,
    context: &Context,
    account: Address,
    public_key: PublicKey,
    proof: &Signature,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let (by, at) = (context.sender, context.now);
    let before = check_proposal(state, &by, &account, &public_key, at)?;
    keys::check_new(&state.accounts, context, account, &public_key, proof)?;
    if let Some(before) = before {
        lapse(state, before, at, events);
    }
    let id = RecoveryId::from(context.tx);
    let status = RecoveryStatus::Proposed;
    let generation = state.accounts.guardians.generation(&account);
    let row = Recovery { account, public_key, agreed: Vec::new(), generation, status, proposed_at: at };
    let event = AccountEvent::RecoveryProposed { recovery: id, address: account, public_key, by, at };
    events.push(event.into());
    add_agreement(state, context, id, row, events);
    Ok(())
}

/// Whether a guardian could ask for this new key for an account now, and what lapses then. Not with the same key: a double press
/// would take back what others have agreed to. What was asked for before a freeze of the guardian is in nobody's way: it may be a thief's.
/// Whether the key is one is another question.
pub(crate) fn check_proposal(
    state: &State,
    who: &Address,
    account: &Address,
    public_key: &PublicKey,
    now: UnixMillis,
) -> Result<Option<RecoveryId>, AccountRejection> {
    let accounts = &state.accounts;
    if !accounts.contains(account) {
        return Err(AccountRejection::UnknownAccount);
    }
    guardians::check(state, account, who)?;
    let found = |code: &'static str| asked_for(accounts, who, account, code);
    let waiting = found("PROPOSED").next();
    // What is overdue takes effect before.
    let runs = found("READY").any(|id| accounts.recoveries.due(&id) > Some(now));
    let frozen_at = accounts.freezes.last(who);
    let own = |id: RecoveryId| {
        let row = accounts.recoveries.rows.find(&id)?;
        frozen_at.is_none_or(|at| at < row.proposed_at).then_some(row)
    };
    let own_waiting = waiting.and_then(own);
    let is_same = own_waiting.is_some_and(|row| row.public_key == *public_key);
    let most = usize::from(MAX_LAPSED_WISHES);
    let is_too_often = own_waiting.is_some() && found("LAPSED").filter_map(own).take(most).count() == most;
    if runs || is_same || is_too_often { Err(AccountRejection::RecoveryOpen) } else { Ok(waiting) }
}

/// What keeps a guardian from asking until its time comes.
pub(crate) fn in_the_way_of(accounts: &Accounts, who: &Address, op: &AccountOp) -> Option<RecoveryId> {
    let AccountOp::ProposeRecovery { account, .. } = op else { return None };
    asked_for(accounts, who, account, "READY").next()
}

/// What a guardian has asked for, since guardians were named, that has this status.
fn asked_for(
    accounts: &Accounts,
    who: &Address,
    account: &Address,
    code: &'static str,
) -> impl Iterator<Item = RecoveryId> {
    let generation = accounts.guardians.generation(account);
    accounts.recoveries.asked_for((*account, *who, generation), code)
}

pub(super) fn agree(
    state: &mut State,
    context: &Context,
    id: RecoveryId,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let row = check_agreement(state, &context.sender, &id)?.clone();
    add_agreement(state, context, id, row, events);
    Ok(())
}

/// The recovery, if a guardian could agree to it now: also when it runs, in the place of one who was frozen since. Whoever has
/// agreed says so again only if that does not count any more.
pub(crate) fn check_agreement<'a>(
    state: &'a State,
    who: &Address,
    id: &RecoveryId,
) -> Result<&'a Recovery, AccountRejection> {
    let row = state.accounts.recoveries.rows.find(id).ok_or(AccountRejection::UnknownRecovery)?;
    guardians::check(state, &row.account, who)?;
    if row.word_of(who).is_some_and(|word| counts(state, word)) {
        return Err(AccountRejection::AlreadyAgreed);
    }
    let is_current = row.generation == state.accounts.guardians.generation(&row.account);
    if is_current && row.status.is_open() {
        Ok(row)
    } else {
        Err(AccountRejection::RecoveryOver { status: row.status })
    }
}

pub(super) fn cancel(
    state: &mut State,
    context: &Context,
    id: RecoveryId,
    events: &mut Vec<EventKind>,
) -> Result<(), AccountRejection> {
    let row = state.accounts.recoveries.rows.find(&id).ok_or(AccountRejection::UnknownRecovery)?.clone();
    if row.account != context.sender {
        return Err(AccountRejection::NotOwner);
    }
    if !row.status.is_open() {
        return Err(AccountRejection::RecoveryOver { status: row.status });
    }
    let (address, at) = (row.account, context.now);
    let row = Recovery { status: RecoveryStatus::Cancelled { at }, ..row };
    state.accounts.recoveries.put(&mut state.deadlines, id, row);
    events.push(AccountEvent::RecoveryCancelled { recovery: id, address, at }.into());
    Ok(())
}

/// Its time has come: the new key is the only one. Whoever stole another one is locked out as well.
pub(crate) fn expire(
    state: &mut State,
    now: UnixMillis,
    id: RecoveryId,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    let row = state.accounts.recoveries.rows.find(&id).ok_or(AccountRejection::UnknownRecovery)?.clone();
    let Recovery { account: address, public_key, .. } = row;
    let is_outdated = row.generation != state.accounts.guardians.generation(&address);
    if is_outdated || !has_enough(state, &row) || state.accounts.keys.find(&public_key).is_some() {
        lapse(state, id, now, events);
        return Ok(());
    }
    replace_keys(state, address, public_key, now, events);
    let done = Recovery { status: RecoveryStatus::Done { at: now }, ..row };
    state.accounts.recoveries.put(&mut state.deadlines, id, done);
    events.push(AccountEvent::Recovered { recovery: id, address, public_key, at: now }.into());
    Ok(())
}

/// Nothing comes of it any more, whoever has agreed.
fn lapse(state: &mut State, id: RecoveryId, at: UnixMillis, events: &mut Vec<EventKind>) {
    let Some(row) = state.accounts.recoveries.rows.find(&id).cloned() else { return };
    let address = row.account;
    let row = Recovery { status: RecoveryStatus::Lapsed { at }, ..row };
    state.accounts.recoveries.put(&mut state.deadlines, id, row);
    events.push(AccountEvent::RecoveryLapsed { recovery: id, address, at }.into());
}

fn replace_keys(
    state: &mut State,
    address: Address,
    public_key: PublicKey,
    at: UnixMillis,
    events: &mut Vec<EventKind>,
) {
    let accounts = &mut state.accounts;
    let live = accounts.keys.of(&address).filter(|(_, row)| row.is_live());
    let old: Vec<PublicKey> = live.map(|(key, _)| key).collect();
    keys::put_new(accounts, address, public_key, &Label::default(), at, events);
    for key in old {
        keys::put_revoked(accounts, address, key, at, events);
    }
    if let Some(row) = accounts.guardians.find(&address) {
        let generation = row.generation.saturating_add(1);
        let row = Guardians { generation, ..row.clone() };
        accounts.guardians.put(address, row);
    }
}

/// One more guardian agrees, or one once more. If these are enough now and were not before, the delay begins. It begins anew for
/// one that runs and had too few left: otherwise void words could use up the time that the owner has. Else it stays as it is.
fn add_agreement(
    state: &mut State,
    context: &Context,
    id: RecoveryId,
    mut row: Recovery,
    events: &mut Vec<EventKind>,
) {
    let (by, at) = (context.sender, context.now);
    let had_enough = has_enough(state, &row);
    row.note(by, at);
    if let Some(guardians) = state.accounts.guardians.find(&row.account)
        && !had_enough
        && has_enough(state, &row)
    {
        row.status = RecoveryStatus::Ready { due: at.plus(guardians.delay) };
    }
    let (address, due) = (row.account, row.status.due());
    state.accounts.recoveries.put(&mut state.deadlines, id, row);
    events.push(AccountEvent::RecoveryAgreed { recovery: id, address, by, due, at }.into());
}

/// Whether so many agree as it takes, those left out whose word does not count any more.
fn has_enough(state: &State, recovery: &Recovery) -> bool {
    let agreed = recovery.agreed.iter().filter(|word| counts(state, word)).count();
    let guardians = state.accounts.guardians.find(&recovery.account);
    guardians.is_some_and(|row| agreed >= usize::from(row.threshold))
}

/// Whether the guardian was not frozen when it said so, nor since. Whoever is frozen now has said nothing since; and in one block
/// there is no before.
fn counts(state: &State, word: &Agreement) -> bool {
    let frozen_at = state.accounts.freezes.last(&word.guardian);
    frozen_at.is_none_or(|at| at < word.at)
}
