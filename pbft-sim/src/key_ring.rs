//! The keys of all seats: each has one to begin with, and may get another.

use std::sync::Arc;

use pbft_core::{ReplicaId, config::ReplicaSet, crypto::Crypto};
use pbft_crypto::PublicKey;
use serde::{Deserialize, Serialize};

use crate::oracle::Identity;

/// Which replicas are asked for, bit `i` for replica `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The members.
    pub members: u16,
    /// Those with their second key.
    pub rekeyed: u16,
}

/// The public keys.
#[derive(Clone, Debug)]
pub struct KeyRing {
    first: ReplicaSet,
    second: ReplicaSet,
}

/// A seat's key with the means to sign, and the one that it may get.
#[derive(Clone)]
pub struct SeatKeys {
    /// What it signs with.
    pub crypto: Arc<dyn Crypto>,
    /// What it has to sign with once the replicas know it by that.
    pub next: Arc<dyn Crypto>,
}

impl KeyRing {
    /// Of twice as many identities as there are seats.
    #[must_use]
    pub fn new(identities: &[Identity]) -> Self {
        let (first, second) = identities.split_at(identities.len() / 2);
        let set = |half: &[Identity]| ReplicaSet::new(half.iter().map(|(key, _)| *key).collect());
        Self { first: set(first), second: set(second) }
    }

    /// These replicas, which keep their keys.
    #[must_use]
    pub fn of(replicas: &ReplicaSet) -> Self {
        Self { first: replicas.clone(), second: replicas.clone() }
    }

    /// The first replicas, with their first keys.
    #[must_use]
    pub fn founders(&self, n: u16) -> ReplicaSet {
        ReplicaSet::of(self.first.members().iter().copied().take(usize::from(n)))
    }

    /// The set that was asked for.
    #[must_use]
    pub fn set(&self, wanted: Wanted) -> ReplicaSet {
        let has = |bits: u16, id: ReplicaId| bits >> id.index() & 1 == 1;
        let key = |(id, first): &(ReplicaId, PublicKey)| {
            let second = self.second.key(*id).filter(|_| has(wanted.rekeyed, *id));
            (*id, *second.unwrap_or(first))
        };
        ReplicaSet::of(self.first.members().iter().filter(|(id, _)| has(wanted.members, *id)).map(key))
    }
}
