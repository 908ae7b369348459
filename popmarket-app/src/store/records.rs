//! What the store holds besides blocks.

use ledger::{Block, Event, Height, Ledger, UnixMillis};
use pbft_core::service::Outcome;
use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};

use super::volumes::{CheckpointName, VolumesName};

/// Names the ledger at some point of its chain. Equal on all replicas that executed the same batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateName {
    /// The height of the last block.
    pub height: Height,
    /// Its hash.
    pub tip_hash: Digest,
    /// The root of the state.
    pub state_root: Digest,
}

impl StateName {
    /// Of a ledger as it is now.
    pub fn of(ledger: &Ledger) -> Self {
        Self { height: ledger.height(), tip_hash: *ledger.tip_hash(), state_root: ledger.tip().state_root }
    }
}

/// What a batch led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// What was answered to its requests.
    pub outcomes: Vec<Outcome>,
    /// The ledger after it.
    pub after: StateName,
    /// The closed volumes after it.
    pub volumes: VolumesName,
    /// Whether it made a block.
    pub made_block: bool,
    /// The ledger's next deadline after it.
    pub wake_at: Option<UnixMillis>,
}

impl BatchRecord {
    /// Of a batch that led to the ledger as it is now.
    pub fn of(ledger: &Ledger, volumes: VolumesName, outcomes: Vec<Outcome>, made_block: bool) -> Self {
        let (after, wake_at) = (StateName::of(ledger), ledger.next_deadline());
        Self { outcomes, after, volumes, made_block, wake_at }
    }

    /// What a checkpoint after it is called.
    pub const fn name(&self) -> CheckpointName {
        CheckpointName { state: self.after, volumes: self.volumes }
    }

    /// What of it is certified: the hash of its block.
    pub fn result(&self) -> Option<Digest> {
        self.made_block.then_some(self.after.tip_hash)
    }
}

/// A block with what happened in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// The block.
    pub block: Block,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Where a transaction is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxPlace {
    /// The block.
    pub height: Height,
    /// The place among the block's transactions.
    pub index: u32,
}
