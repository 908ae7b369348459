//! What a receipt looks like.

use ledger::{BlockHeader, TxId, merkle::Step};
use pbft_crypto::{Digest, PublicKey};
use serde::{Deserialize, Serialize};

/// Larger receipts are not read: the largest transaction, and far more replicas than there can be.
pub const MAX_RECEIPT_BYTES: usize = 1 << 20;

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
    /// The keys of the replicas, by id. Whoever checks a receipt knows their hash from elsewhere.
    pub replicas: Vec<PublicKey>,
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

/// One replica's word for the block.
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
