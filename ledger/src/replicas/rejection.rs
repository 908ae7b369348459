//! Why nothing happens to the replicas.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ReplicaChangeStatus;
use crate::ids::ReplicaId;

/// Why nothing happens to the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaRejection {
    /// Only admins ask and decide.
    #[error("only an admin changes the replicas")]
    NotAdmin,
    /// No such change.
    #[error("nobody asked for such a change of the replicas")]
    UnknownChange,
    /// Nobody decides on a change of their own.
    #[error("another admin decides on this change of the replicas")]
    OwnChange,
    /// It is decided.
    #[error("the change of the replicas is decided: {}", status.code())]
    AlreadyDecided {
        /// How.
        status: ReplicaChangeStatus,
    },
    /// It leaves all as it is.
    #[error("nobody would leave or join")]
    NothingToChange,
    /// Nobody of this id takes part.
    #[error("no replica has the id {id}")]
    UnknownReplica {
        /// Which id.
        id: ReplicaId,
    },
    /// Not a point of the curve: nobody could sign with it.
    #[error("the key is not a point of the curve")]
    BadKey,
    /// A replica has the key, or had it.
    #[error("a replica has or had this key")]
    KeyUsed,
    /// Another replica is there.
    #[error("replica {id} has this address")]
    AddressInUse {
        /// Which.
        id: ReplicaId,
    },
    /// Nobody would be left, or a single fault could stop the replicas, and now it cannot.
    #[error("{count} replicas would be left, too few to tolerate a fault")]
    TooFew {
        /// How many would be left.
        count: u64,
    },
    /// More than the chain allows.
    #[error("{count} replicas would be more than {max}")]
    TooMany {
        /// How many there would be.
        count: u64,
        /// How many there may be.
        max: u16,
    },
    /// All ids were given.
    #[error("all ids of replicas were given")]
    NoIdLeft,
    /// Two admins change the replicas: who asked is none any more.
    #[error("who asked for it is no admin any more")]
    ProposerNotAdmin,
}

impl ReplicaRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotAdmin => "NOT_ADMIN",
            Self::UnknownChange => "UNKNOWN_REPLICA_CHANGE",
            Self::OwnChange => "OWN_REPLICA_CHANGE",
            Self::AlreadyDecided { .. } => "REPLICA_CHANGE_ALREADY_DECIDED",
            Self::NothingToChange => "NOTHING_TO_CHANGE",
            Self::UnknownReplica { .. } => "UNKNOWN_REPLICA",
            Self::BadKey => "BAD_REPLICA_KEY",
            Self::KeyUsed => "REPLICA_KEY_USED",
            Self::AddressInUse { .. } => "REPLICA_ADDRESS_IN_USE",
            Self::TooFew { .. } => "TOO_FEW_REPLICAS",
            Self::TooMany { .. } => "TOO_MANY_REPLICAS",
            Self::NoIdLeft => "NO_REPLICA_ID_LEFT",
            Self::ProposerNotAdmin => "PROPOSER_NOT_ADMIN",
        }
    }
}
