use ledger::{Height, Operation, Outcome, TxId};
use pbft_core::{ReplicaId, certificate::Certificate, message::Attestation};
use pbft_crypto::{Address, Digest, PublicKey, Signature};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::account::SignedHex;
use super::privacy::{self, Viewer};
use crate::http::code::Code;
use crate::http::timestamp::rfc3339;
use crate::read_model::{BlockRecord, TransactionRecord};

/// A transaction that its sender has signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedTransaction {
    /// Its canonical bytes in hex.
    #[schema(value_type = String)]
    pub transaction: SignedHex,
}

/// A block, without what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockView {
    /// How many blocks come before it.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Its hash.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// The hash of the block before it.
    #[schema(value_type = String)]
    pub parent: Digest,
    /// When it was made.
    #[schema(format = DateTime)]
    pub time: String,
    /// The view in which it was ordered.
    pub view: u64,
    /// The sequence number of its batch.
    pub seq: u64,
    /// The Merkle root of its transactions.
    #[schema(value_type = String)]
    pub tx_root: Digest,
    /// The Merkle root of its receipts.
    #[schema(value_type = String)]
    pub receipts_root: Digest,
    /// The root of the state after it.
    #[schema(value_type = String)]
    pub state_root: Digest,
    /// Who the replicas are.
    #[schema(value_type = String)]
    pub replica_set_hash: Digest,
    /// How many transactions it has.
    pub transaction_count: u32,
}

impl From<BlockRecord> for BlockView {
    fn from(BlockRecord { hash, header, transactions, .. }: BlockRecord) -> Self {
        Self {
            height: header.height,
            hash,
            parent: header.parent,
            time: rfc3339(header.time),
            view: header.view,
            seq: header.seq,
            tx_root: header.tx_root,
            receipts_root: header.receipts_root,
            state_root: header.state_root,
            replica_set_hash: header.replica_set_hash,
            transaction_count: transactions,
        }
    }
}

/// Who has signed for a block: enough replicas that one of them at least is correct.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateView {
    /// The sequence number of the batch that made the block.
    pub seq: u64,
    /// The hash of the block.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// The signatures of both, for this chain.
    pub signatures: Vec<SignerView>,
}

/// One replica's signature.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignerView {
    /// Which replica.
    pub replica: u16,
    /// Its signature.
    #[schema(value_type = String)]
    pub signature: Signature,
}

impl From<Certificate<Attestation>> for CertificateView {
    fn from(certificate: Certificate<Attestation>) -> Self {
        let Attestation { seq, digest } = certificate.statement;
        let signer =
            |(replica, signature): (ReplicaId, Signature)| SignerView { replica: replica.value(), signature };
        let signatures = certificate.signatures.into_iter().map(signer).collect();
        Self { seq: seq.value(), hash: digest, signatures }
    }
}

impl CertificateView {
    /// The replicas that have signed, for people.
    pub fn signers(&self) -> String {
        let ids: Vec<_> = self.signatures.iter().map(|signer| signer.replica.to_string()).collect();
        ids.join(", ")
    }
}

/// A block with its transactions.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockDetails {
    /// The block.
    #[serde(flatten)]
    pub block: BlockView,
    /// Who has signed for it; null in the moment before they have, and for the first block, which needs none.
    pub certificate: Option<CertificateView>,
    /// Its transactions, in the order in which they were carried out.
    pub transactions: Vec<TransactionView>,
    /// Whether it has more of them in the direction in which they were asked for.
    pub has_more: bool,
}

/// What came of a transaction.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    /// `APPLIED` or `REJECTED`.
    #[schema(example = "APPLIED")]
    pub status: &'static str,
    /// Why it was rejected: a name that never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same for people. For the sender and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl From<&Outcome> for OutcomeView {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Applied => Self { status: "APPLIED", code: None, detail: None },
            Outcome::Rejected(why) => {
                let (code, detail) = (why.code().to_owned(), why.to_string());
                Self { status: "REJECTED", code: Some(code), detail: Some(detail) }
            }
        }
    }
}

/// A transaction on the chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionView {
    /// What names it.
    #[schema(value_type = String)]
    pub tx_id: TxId,
    /// Its block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Its place in the block.
    pub index: u32,
    /// The time of the block.
    #[schema(format = DateTime)]
    pub time: String,
    /// What it does, such as `trade.open`.
    #[schema(example = "trade.open")]
    pub kind: String,
    /// What it does and what came of it, in plain words: in Korean, or in English with `Accept-Language: en`.
    #[schema(example = "bob bought “Film camera”: the price is held")]
    pub summary: String,
    /// To what; null where it concerns others.
    #[schema(value_type = Object)]
    pub operation: Value,
    /// Whose account does it.
    #[schema(value_type = String)]
    pub sender: Address,
    /// A number that the sender uses once.
    pub nonce: u64,
    /// Until when it could be recorded.
    #[schema(format = DateTime)]
    pub valid_until: String,
    /// Whatever the sender wants to find it by, in hex. Null for whom something of the operation is hidden from: with it that
    /// could be guessed until the id is right.
    pub client_ref: Option<String>,
    /// The key that signed it.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// The signature.
    #[schema(value_type = String)]
    pub signature: Signature,
    /// What came of it.
    pub outcome: OutcomeView,
}

impl TransactionView {
    /// As someone sees it, with words for it.
    pub fn new(record: &TransactionRecord, viewer: &Viewer, summary: String) -> Self {
        let transaction = &record.transaction;
        let body = transaction.body();
        let (kind, mut operation) = operation(&body.operation);
        let mut outcome = OutcomeView::from(&record.outcome);
        let (other, private) = privacy::of_operation(&body.operation);
        let is_whole = private.is_empty() || viewer.may_see(&[&body.sender, other.unwrap_or(&body.sender)]);
        if !is_whole {
            privacy::hide(&mut operation, private);
        }
        if !viewer.may_see(&[&body.sender]) {
            // It may say how much money the sender has.
            outcome.detail = None;
        }
        Self {
            tx_id: transaction.id(),
            height: record.height,
            index: record.index,
            time: rfc3339(record.time),
            kind,
            summary,
            operation,
            sender: body.sender,
            nonce: body.nonce,
            valid_until: rfc3339(body.valid_until),
            client_ref: is_whole.then(|| hex::encode(body.client_ref)),
            public_key: *transaction.public_key(),
            signature: *transaction.signature(),
            outcome,
        }
    }
}

/// An operation is tagged twice: with its kind of business, and with what it does there.
fn operation(operation: &Operation) -> (String, Value) {
    let Ok(value) = serde_json::to_value(operation) else {
        return (Code::INTERNAL.name.to_owned(), Value::Null);
    };
    let (business, value) = untag(value);
    let (what, value) = untag(value);
    (format!("{business}.{what}"), value)
}

/// Takes the one entry of an object apart.
pub(super) fn untag(value: Value) -> (String, Value) {
    match value {
        Value::Object(map) if map.len() == 1 => map.into_iter().next().unwrap_or_default(),
        value => (String::new(), value),
    }
}

/// Blocks, newest first.
pub type BlockList = super::List<BlockView>;
