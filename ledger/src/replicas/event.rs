//! What happens to the replicas.

use pbft_crypto::{Address, PublicKey};
use serde::{Deserialize, Serialize};

use super::ReplicaEdit;
use crate::event::event_names;
use crate::ids::{ReplicaChangeId, ReplicaId};
use crate::text::{HostPort, Reason};
use crate::time::UnixMillis;

/// What happens to the replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaEvent {
    /// An admin asks for a change.
    Proposed {
        /// Which.
        change: ReplicaChangeId,
        /// Who asks.
        proposer: Address,
        /// For what.
        edit: ReplicaEdit,
        /// When.
        at: UnixMillis,
    },
    /// It was approved. What changes is told by the events after it.
    Approved {
        /// Which.
        change: ReplicaChangeId,
        /// Who asked.
        proposer: Address,
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// It was turned down.
    Rejected {
        /// Which.
        change: ReplicaChangeId,
        /// Who asked.
        proposer: Address,
        /// Who decided.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
    /// A replica is to take part.
    Joined {
        /// Its id.
        replica: ReplicaId,
        /// Its key.
        public_key: PublicKey,
        /// Where the others reach it.
        address: HostPort,
        /// When.
        at: UnixMillis,
    },
    /// A replica is to take part no more.
    Left {
        /// Its id.
        replica: ReplicaId,
        /// When.
        at: UnixMillis,
    },
    /// A replica is to sign with another key.
    KeyRotated {
        /// Its id.
        replica: ReplicaId,
        /// Its new key.
        public_key: PublicKey,
        /// When.
        at: UnixMillis,
    },
    /// A replica is reached elsewhere.
    Moved {
        /// Its id.
        replica: ReplicaId,
        /// Its new address.
        address: HostPort,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    ReplicaEvent {
        Self::Proposed { .. } => "replica.change_proposed",
        Self::Approved { .. } => "replica.change_approved",
        Self::Rejected { .. } => "replica.change_rejected",
        Self::Joined { .. } => "replica.joined",
        Self::Left { .. } => "replica.left",
        Self::KeyRotated { .. } => "replica.key_rotated",
        Self::Moved { .. } => "replica.moved",
    }
}
