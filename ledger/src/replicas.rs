//! Replicas: who orders the transactions, under which key and at which address. An admin asks for a change, another one
//! approves it. The consensus brings in the set that the state asks for.

mod draft;
mod event;
mod rejection;

use std::collections::{BTreeMap, BTreeSet};

use pbft_crypto::{Address, Digest, Domain, Hasher, PublicKey};
use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::ids::{ReplicaChangeId, ReplicaId};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::table::{Row, Table, TableId};
use crate::text::{HostPort, Reason};
use crate::time::UnixMillis;

pub use event::ReplicaEvent;
pub use rejection::ReplicaRejection;

/// How many replicas there can be at most, whatever a genesis says: more than that the consensus cannot have.
pub const MAX_REPLICAS: u16 = 256;

/// The domain of the consensus, as both must give a set the same name.
const REPLICA_SET: Domain = Domain::new("pbft/replica-set/v2");

/// Transactions about replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaOp {
    /// Asks for a change. By an admin.
    Propose {
        /// Which.
        edit: ReplicaEdit,
    },
    /// Carries it out. By an admin other than who asked.
    Approve {
        /// Which.
        change: ReplicaChangeId,
    },
    /// Turns it down. By an admin other than who asked.
    Reject {
        /// Which.
        change: ReplicaChangeId,
        /// Why.
        reason: Reason,
    },
}

/// What is to become of the replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaEdit {
    /// One more.
    Add {
        /// The new one.
        replica: NewReplica,
    },
    /// One less.
    Remove {
        /// Which.
        id: ReplicaId,
    },
    /// Another key for one.
    Rotate {
        /// Which.
        id: ReplicaId,
        /// Its new key.
        public_key: PublicKey,
    },
    /// Another address for one. The consensus is not changed by it.
    Move {
        /// Which.
        id: ReplicaId,
        /// Its new address.
        address: HostPort,
    },
    /// Some leave and some join, all at once.
    Replace {
        /// Who leaves.
        remove: Vec<ReplicaId>,
        /// Who joins.
        add: Vec<NewReplica>,
    },
}

/// A replica that is to join. Its id is the lowest above all that were ever given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewReplica {
    /// The key that it signs with. No replica ever had it.
    pub public_key: PublicKey,
    /// Where the others reach it.
    pub address: HostPort,
}

/// Someone who orders transactions, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The key that it signs with.
    pub public_key: PublicKey,
    /// Where the others reach it.
    pub address: HostPort,
    /// Whether it takes part.
    pub status: ReplicaStatus,
    /// Since when.
    pub joined_at: UnixMillis,
    /// When key, address or status changed last.
    pub updated_at: UnixMillis,
}

/// Whether a replica takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaStatus {
    /// It does.
    Active,
    /// It did. It never comes back under its id or one of its keys.
    Left,
}

impl ReplicaStatus {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Left => "LEFT",
        }
    }
}

/// Ids are two bytes, the high one first, so that the order of the entries is theirs.
impl Row for Replica {
    type Key = [u8; 2];
    const TABLE: TableId = TableId::Replicas;
}

/// Whose key a key is or was. Kept for good: a key has one owner, whichever block it is found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaKey {
    /// Whose.
    pub replica: ReplicaId,
    /// Since when.
    pub since: UnixMillis,
}

impl Row for ReplicaKey {
    type Key = PublicKey;
    const TABLE: TableId = TableId::ReplicaKeys;
}

/// A change of the replicas that an admin asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaChange {
    /// Who asks.
    pub proposer: Address,
    /// For what.
    pub edit: ReplicaEdit,
    /// How far it is.
    pub status: ReplicaChangeStatus,
    /// When it was asked for.
    pub proposed_at: UnixMillis,
}

impl Row for ReplicaChange {
    type Key = ReplicaChangeId;
    const TABLE: TableId = TableId::ReplicaChanges;
}

/// How far a change of the replicas is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaChangeStatus {
    /// Nobody has decided.
    Proposed,
    /// It was carried out: the state asks for the new set. The consensus brings it in at a checkpoint.
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

impl ReplicaChangeStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Approved { .. } => "APPROVED",
            Self::Rejected { .. } => "REJECTED",
        }
    }
}

/// What a set of replicas is called: the digest of ids and keys, ascending by id.
pub fn replica_set_hash(members: impl IntoIterator<Item = (ReplicaId, PublicKey)>) -> Digest {
    let members: BTreeMap<ReplicaId, PublicKey> = members.into_iter().collect();
    let mut hasher = Hasher::new(REPLICA_SET);
    for (id, key) in members {
        hasher.update(&id.value().to_le_bytes());
        hasher.update(key.as_bytes());
    }
    hasher.finish()
}

#[derive(Default)]
pub(crate) struct Replicas {
    pub(crate) rows: Table<Replica>,
    pub(crate) keys: Table<ReplicaKey>,
    pub(crate) changes: Table<ReplicaChange>,
}

impl Replicas {
    pub(crate) fn find(&self, id: ReplicaId) -> Option<&Replica> {
        self.rows.find(&id.to_bytes())
    }

    /// All that there ever were, ascending by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.rows.iter().map(|(id, row)| (ReplicaId::from_bytes(*id), row))
    }

    /// Those that take part.
    pub(crate) fn members(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.iter().filter(|(_, row)| row.status == ReplicaStatus::Active)
    }

    /// What the set of those that take part is called.
    pub(crate) fn set_hash(&self) -> Digest {
        replica_set_hash(self.members().map(|(id, row)| (id, row.public_key)))
    }

    /// Whether an edit could be carried out now.
    pub(crate) fn check(&self, edit: &ReplicaEdit, max: u16) -> Result<(), ReplicaRejection> {
        draft::draft(self, edit, max).map(drop)
    }

    /// The first ones join.
    pub(crate) fn begin(
        &mut self,
        replicas: &[NewReplica],
        max: u16,
        at: UnixMillis,
        events: &mut Vec<EventKind>,
    ) -> Result<(), ReplicaRejection> {
        let edit = ReplicaEdit::Replace { remove: Vec::new(), add: replicas.to_vec() };
        let draft = draft::draft(self, &edit, max)?;
        draft::settle(self, &draft, at, events);
        Ok(())
    }

    /// Someone takes part, and each has an id, a key and an address of its own; the table of keys knows all of them.
    pub(crate) fn are_sound(&self, max: u16) -> bool {
        let count = |n: usize| n > 0 && n <= usize::from(max);
        let addresses: BTreeSet<_> = self.members().map(|(_, row)| &row.address).collect();
        let is_owner = |(id, row): (ReplicaId, &Replica)| {
            self.keys.find(&row.public_key).is_some_and(|key| key.replica == id)
        };
        let owned = self.keys.iter().all(|(_, key)| self.find(key.replica).is_some());
        count(self.members().count())
            && addresses.len() == self.members().count()
            && self.iter().all(is_owner)
            && owned
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &ReplicaOp,
    events: &mut Vec<EventKind>,
) -> Result<(), Rejection> {
    match op {
        ReplicaOp::Propose { edit } => propose(state, context, edit, events)?,
        ReplicaOp::Approve { change } => approve(state, context, *change, events)?,
        ReplicaOp::Reject { change, reason } => reject(state, context, *change, reason, events)?,
    }
    Ok(())
}

fn propose(
    state: &mut State,
    context: &Context,
    edit: &ReplicaEdit,
    events: &mut Vec<EventKind>,
) -> Result<(), ReplicaRejection> {
    if !state.accounts.is_admin(&context.sender) {
        return Err(ReplicaRejection::NotAdmin);
    }
    // What could not be carried out now is not worth a decision.
    state.replicas.check(edit, state.params.max_replicas)?;
    let (proposer, at) = (context.sender, context.now);
    let change = ReplicaChangeId::from(context.tx);
    let status = ReplicaChangeStatus::Proposed;
    let row = ReplicaChange { proposer, edit: edit.clone(), status, proposed_at: at };
    state.replicas.changes.put(change, row);
    events.push(ReplicaEvent::Proposed { change, proposer, edit: edit.clone(), at }.into());
    Ok(())
}

fn approve(
    state: &mut State,
    context: &Context,
    id: ReplicaChangeId,
    events: &mut Vec<EventKind>,
) -> Result<(), ReplicaRejection> {
    let change = decidable(state, context, id)?.clone();
    if !state.accounts.is_admin(&change.proposer) {
        return Err(ReplicaRejection::ProposerNotAdmin);
    }
    // The replicas may be others than when it was asked for.
    let draft = draft::draft(&state.replicas, &change.edit, state.params.max_replicas)?;
    let (by, at) = (context.sender, context.now);
    let proposer = change.proposer;
    let status = ReplicaChangeStatus::Approved { by, at };
    state.replicas.changes.put(id, ReplicaChange { status, ..change });
    events.push(ReplicaEvent::Approved { change: id, proposer, by, at }.into());
    draft::settle(&mut state.replicas, &draft, at, events);
    Ok(())
}

fn reject(
    state: &mut State,
    context: &Context,
    id: ReplicaChangeId,
    reason: &Reason,
    events: &mut Vec<EventKind>,
) -> Result<(), ReplicaRejection> {
    let change = decidable(state, context, id)?.clone();
    let (by, at) = (context.sender, context.now);
    let proposer = change.proposer;
    let status = ReplicaChangeStatus::Rejected { by, at };
    state.replicas.changes.put(id, ReplicaChange { status, ..change });
    events.push(ReplicaEvent::Rejected { change: id, proposer, by, reason: reason.clone(), at }.into());
    Ok(())
}

/// The change, if the sender may decide on it now.
fn decidable<'a>(
    state: &'a State,
    context: &Context,
    id: ReplicaChangeId,
) -> Result<&'a ReplicaChange, ReplicaRejection> {
    let change = state.replicas.changes.find(&id).ok_or(ReplicaRejection::UnknownChange)?;
    let (not_admin, own) = (ReplicaRejection::NotAdmin, ReplicaRejection::OwnChange);
    state.accounts.may_decide(&context.sender, &change.proposer, not_admin, own)?;
    match change.status {
        ReplicaChangeStatus::Proposed => Ok(change),
        status => Err(ReplicaRejection::AlreadyDecided { status }),
    }
}
