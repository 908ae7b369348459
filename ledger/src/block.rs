//! Blocks: what was recorded, what came of it, and the state after it, in one hash.

use pbft_crypto::{Digest, Domain, digest};
use serde::{Deserialize, Serialize};

use crate::codec::{DecodeError, decode, encode};
use crate::deadlines::ObjectId;
use crate::ids::{Height, TxId};
use crate::merkle::{InclusionProof, MerkleTree};
use crate::rejection::Rejection;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

const DOMAIN: Domain = Domain::new("popmarket.block.v1");

/// The most bytes of an encoded block that are read.
pub const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// Everything that a block stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// How many blocks come before it.
    pub height: Height,
    /// The hash of the block before it; of the genesis block, the chain id.
    pub parent: Digest,
    /// Its time: later than that of its parent.
    pub time: UnixMillis,
    /// The view in which its batch was ordered.
    pub view: u64,
    /// The sequence number of its batch.
    pub seq: u64,
    /// The Merkle root of the encoded transactions.
    pub tx_root: Digest,
    /// The Merkle root of the encoded receipts.
    pub receipts_root: Digest,
    /// The root of the state after it.
    pub state_root: Digest,
    /// What the set of replicas that decided on the batch is called: see [`replica_set_hash`](crate::replica_set_hash).
    pub replica_set_hash: Digest,
}

impl BlockHeader {
    /// The hash of the block: the digest of the header's canonical bytes.
    pub fn hash(&self) -> Digest {
        digest(DOMAIN, &self.encode())
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, MAX_BLOCK_BYTES)
    }
}

/// Why something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The chain begins with it.
    Genesis,
    /// A transaction of the block.
    Transaction {
        /// Its place among the block's transactions.
        index: u32,
        /// Its id.
        id: TxId,
    },
    /// Time ran out for something.
    Deadline {
        /// For what.
        object: ObjectId,
        /// When.
        due: UnixMillis,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out.
    Applied,
    /// It failed by the rules of the business and changed nothing else.
    Rejected(Rejection),
}

impl Outcome {
    /// Whether it was carried out.
    pub const fn is_applied(&self) -> bool {
        matches!(self, Self::Applied)
    }
}

/// What came of a transaction or of a deadline that passed. Events are not in it: they follow from it, and readers of the
/// chain may want more of them one day without a change of the chain's format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The transaction or the deadline.
    pub cause: Cause,
    /// What came of it.
    pub outcome: Outcome,
}

impl Receipt {
    /// The canonical bytes: a leaf below `receipts_root`.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, MAX_BLOCK_BYTES)
    }
}

/// A block with everything in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What the rest hashes to.
    pub header: BlockHeader,
    /// The transactions, in the order in which they were carried out.
    pub transactions: Vec<Transaction>,
    /// What happened, in order: first the deadlines that were due, then each transaction. In a block in which more
    /// deadlines were due than may fire, one that was left over stands before the transaction that touched its object.
    pub receipts: Vec<Receipt>,
}

impl Block {
    /// The hash of the header.
    pub fn hash(&self) -> Digest {
        self.header.hash()
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads canonical bytes. Does not check that the header fits the contents: see [`roots_match`](Self::roots_match).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(bytes, MAX_BLOCK_BYTES)
    }

    /// Whether transactions and receipts are those of the header.
    pub fn roots_match(&self) -> bool {
        self.header.tx_root == self.transaction_tree().root()
            && self.header.receipts_root == self.receipt_tree().root()
    }

    /// The receipt of a transaction, and its place among the receipts.
    pub fn receipt_of(&self, tx: &TxId) -> Option<(usize, &Receipt)> {
        let is_its = |cause: &Cause| matches!(cause, Cause::Transaction { id, .. } if id == tx);
        self.receipts.iter().enumerate().find(|(_, receipt)| is_its(&receipt.cause))
    }

    /// Shows that the transaction at `index` is below `tx_root`.
    pub fn prove_transaction(&self, index: usize) -> Option<InclusionProof> {
        self.transaction_tree().prove(index)
    }

    /// Shows that the receipt at `index` is below `receipts_root`.
    pub fn prove_receipt(&self, index: usize) -> Option<InclusionProof> {
        self.receipt_tree().prove(index)
    }

    fn transaction_tree(&self) -> MerkleTree {
        transaction_tree(&self.transactions)
    }

    fn receipt_tree(&self) -> MerkleTree {
        receipt_tree(&self.receipts)
    }
}

/// The root below which transactions stand in a header ([`BlockHeader::tx_root`]).
pub fn transactions_root(transactions: &[Transaction]) -> Digest {
    transaction_tree(transactions).root()
}

pub(crate) fn transaction_tree(transactions: &[Transaction]) -> MerkleTree {
    transactions.iter().map(Transaction::encode).collect()
}

pub(crate) fn receipt_tree(receipts: &[Receipt]) -> MerkleTree {
    receipts.iter().map(Receipt::encode).collect()
}
