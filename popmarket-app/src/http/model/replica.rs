use ledger::{
    HostPort, NewReplica, Reason, Replica, ReplicaChange, ReplicaChangeId, ReplicaChangeStatus, ReplicaEdit,
    ReplicaId,
};
use pbft_crypto::{Address, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;

/// A replica of the address book: one that the state of the ledger asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookEntry {
    /// Its number, which no other replica ever has.
    pub id: u16,
    /// The key that it signs with.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// Where the others reach it.
    #[schema(value_type = String, example = "10.0.0.7:7000")]
    pub address: HostPort,
    /// Since when it is one.
    #[schema(format = DateTime)]
    pub since: String,
}

impl BookEntry {
    /// Of a row of the ledger.
    pub fn new(id: ReplicaId, replica: &Replica) -> Self {
        let Replica { public_key, address, joined_at, .. } = replica;
        let (public_key, address) = (*public_key, address.clone());
        Self { id: id.value(), public_key, address, since: rfc3339(*joined_at) }
    }
}

/// The replicas that the state of the ledger asks for.
pub type AddressBook = super::List<BookEntry>;

/// A replica that is to join.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Joining {
    /// The key that it signs with. No replica ever had it.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// Where the others reach it.
    #[schema(value_type = String, max_length = 259, example = "10.0.0.7:7000")]
    pub address: HostPort,
}

impl From<Joining> for NewReplica {
    fn from(Joining { public_key, address }: Joining) -> Self {
        Self { public_key, address }
    }
}

/// What is to become of the replicas.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewReplicaChange {
    /// One more.
    Add {
        /// The key that it signs with. No replica ever had it.
        #[schema(value_type = String)]
        public_key: PublicKey,
        /// Where the others reach it.
        #[schema(value_type = String, max_length = 259, example = "10.0.0.7:7000")]
        address: HostPort,
    },
    /// One less.
    Remove {
        /// Which.
        id: u16,
    },
    /// Another key for one.
    Rotate {
        /// Which.
        id: u16,
        /// Its new key.
        #[schema(value_type = String)]
        public_key: PublicKey,
    },
    /// Another address for one.
    Move {
        /// Which.
        id: u16,
        /// Its new address.
        #[schema(value_type = String, max_length = 259, example = "10.0.0.7:7000")]
        address: HostPort,
    },
    /// Some leave and some join, all at once.
    Replace {
        /// Who leaves.
        remove: Vec<u16>,
        /// Who joins.
        add: Vec<Joining>,
    },
}

impl From<NewReplicaChange> for ReplicaEdit {
    fn from(change: NewReplicaChange) -> Self {
        let id = ReplicaId::new;
        match change {
            NewReplicaChange::Add { public_key, address } => {
                Self::Add { replica: NewReplica { public_key, address } }
            }
            NewReplicaChange::Remove { id: leaving } => Self::Remove { id: id(leaving) },
            NewReplicaChange::Rotate { id: which, public_key } => Self::Rotate { id: id(which), public_key },
            NewReplicaChange::Move { id: which, address } => Self::Move { id: id(which), address },
            NewReplicaChange::Replace { remove, add } => Self::Replace {
                remove: remove.into_iter().map(id).collect(),
                add: add.into_iter().map(NewReplica::from).collect(),
            },
        }
    }
}

/// Why a change of the replicas is turned down.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectingChange {
    /// For the one who asked.
    #[schema(value_type = String, max_length = 200, example = "not before Monday")]
    pub reason: Reason,
}

/// A change of the replicas that an admin asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplicaChangeView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: ReplicaChangeId,
    /// Who asks.
    #[schema(value_type = String)]
    pub proposer: Address,
    /// For what.
    #[schema(value_type = Object)]
    pub edit: Value,
    /// `PROPOSED`, `APPROVED` or `REJECTED`.
    #[schema(example = "PROPOSED")]
    pub status: &'static str,
    /// Who decided.
    #[schema(value_type = Option<String>)]
    pub decided_by: Option<Address>,
    /// When that was.
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub proposed_at: String,
}

impl ReplicaChangeView {
    /// Of a row of the ledger.
    pub fn new(id: ReplicaChangeId, change: &ReplicaChange) -> Self {
        let decided = match change.status {
            ReplicaChangeStatus::Proposed => None,
            ReplicaChangeStatus::Approved { by, at } | ReplicaChangeStatus::Rejected { by, at } => {
                Some((by, at))
            }
        };
        Self {
            id,
            proposer: change.proposer,
            edit: serde_json::to_value(&change.edit).unwrap_or_default(),
            status: change.status.code(),
            decided_by: decided.map(|(by, _)| by),
            decided_at: decided.map(|(_, at)| rfc3339(at)),
            proposed_at: rfc3339(change.proposed_at),
        }
    }
}

/// Changes of the replicas, newest first.
pub type ReplicaChangeList = super::List<ReplicaChangeView>;
