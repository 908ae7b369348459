//! Names of the entries of the state, for those who want proof of one.

use pbft_crypto::{Address, Digest, PublicKey};
use serde::{Deserialize, Serialize};

use crate::amount::AssetId;
use crate::ids::{ChargeId, ListingId, PaymentId, PollId, ReplicaChangeId, ReplicaId, TradeId};
use crate::nonce::NonceWindow;
use crate::payments::ReferencedPayment;
use crate::state_tree::StateProof;
use crate::table::entry_key;
use crate::text::Reference;
use crate::{
    Account, Balance, Charge, Listing, Payment, Poll, Replica, ReplicaChange, ReplicaKey, Supply, Trade,
    Vote, Voters,
};

/// An entry of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateKey {
    /// An [`Account`].
    Account(Address),
    /// A [`NonceWindow`].
    Nonces(Address),
    /// A [`Balance`].
    Balance(Address, AssetId),
    /// A [`Supply`].
    Supply(AssetId),
    /// A [`Charge`].
    Charge(ChargeId),
    /// A [`ReferencedPayment`].
    Reference(Address, Reference),
    /// A [`Listing`].
    Listing(ListingId),
    /// A [`Trade`].
    Trade(TradeId),
    /// A [`Replica`].
    Replica(ReplicaId),
    /// A [`ReplicaKey`].
    ReplicaKey(PublicKey),
    /// A [`ReplicaChange`].
    ReplicaChange(ReplicaChangeId),
    /// A [`Poll`].
    Poll(PollId),
    /// A [`Vote`].
    Vote(PollId, Address),
    /// The [`Voters`] that a poll names.
    Census(PollId),
    /// A [`Payment`].
    Payment(PaymentId),
}

impl StateKey {
    /// The key under which a host stores the entry, and which the state tree is over.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Account(address) => entry_key::<Account>(address),
            Self::Nonces(address) => entry_key::<NonceWindow>(address),
            Self::Balance(address, asset) => entry_key::<Balance>(&(*address, *asset)),
            Self::Supply(asset) => entry_key::<Supply>(asset),
            Self::Charge(id) => entry_key::<Charge>(id),
            Self::Reference(payee, reference) => entry_key::<ReferencedPayment>(&(*payee, reference.clone())),
            Self::Listing(id) => entry_key::<Listing>(id),
            Self::Trade(id) => entry_key::<Trade>(id),
            Self::Replica(id) => entry_key::<Replica>(&id.to_bytes()),
            Self::ReplicaKey(key) => entry_key::<ReplicaKey>(key),
            Self::ReplicaChange(id) => entry_key::<ReplicaChange>(id),
            Self::Poll(id) => entry_key::<Poll>(id),
            Self::Vote(poll, voter) => entry_key::<Vote>(&(*poll, *voter)),
            Self::Census(id) => entry_key::<Voters>(id),
            Self::Payment(id) => entry_key::<Payment>(id),
        }
    }
}

/// An entry of the state with the way up to the state root of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenEntry {
    /// The key.
    pub key: Vec<u8>,
    /// The encoded row.
    pub value: Vec<u8>,
    /// The way up.
    pub proof: StateProof,
}

impl ProvenEntry {
    /// Whether the state with this root has the entry.
    pub fn verify(&self, state_root: &Digest) -> bool {
        self.proof.verify(state_root, &self.key, &self.value)
    }
}
