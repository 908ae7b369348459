//! What a receipt looks like.

use ledger::{BlockHeader, TxId, merkle::Step};
use pbft_crypto::{Digest, PublicKey};
use serde::{Deserialize, Serialize};

/// Larger receipts are not read: the largest transaction, and hundreds of changes of a few replicas.
pub const MAX_RECEIPT_BYTES: usize = 4 << 20;

/// The only form so far.
pub(crate) const FORMAT: &str = "popmarket-receipt-v1";

/// A transaction with all that proves it. Binary values are lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionReceipt {
    /// `popmarket-receipt-v1`.
    pub format: String,
    /// The chain: what the replicas sign for this one cannot be used for another.
    pub chain_id: Digest,
    /// The keys of the first replicas, by id. Whoever checks a receipt knows their hash from elsewhere.
    pub replicas: Vec<PublicKey>,
    /// How these handed over, set by set, to those that have signed for the block; left out if they are the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handovers: Vec<HandoverProof>,
    /// The header of the block.
    pub header: BlockHeader,
    /// What names the transaction.
    pub tx_id: TxId,
    /// The canonical bytes of the transaction.
    pub transaction: String,
    /// The way from them to the header's `tx_root`.
    pub transaction_path: Vec<Step>,
    /// The canonical bytes of what came of it: the ledger's receipt.
    pub outcome: String,
    /// The way from them to the header's `receipts_root`.
    pub outcome_path: Vec<Step>,
    /// Who has signed for the block, ascending by replica.
    pub signatures: Vec<ReplicaSignature>,
}

/// One set of replicas says which set follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoverProof {
    /// The canonical bytes of what is certified at the last checkpoint of the set, in which the next set stands.
    pub summary: String,
    /// The signatures of just a quorum of the set for that checkpoint, ascending by replica.
    pub signatures: Vec<ReplicaSignature>,
}

/// One replica's word for the block, or for a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaSignature {
    /// Which replica.
    pub replica: u16,
    /// r and s, 64 bytes. Without the hint, which does not decide anything and could be changed.
    pub signature: String,
}

impl TransactionReceipt {
    /// The bytes of the receipt.
    ///
    /// # Panics
    /// Never: all of it can be written as JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, numbers and lists can be written as JSON")
    }
}
