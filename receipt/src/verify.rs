//! Checking receipts: pure, without any I/O.

use ledger::{BlockHeader, Cause, DecodeError, Outcome, Receipt, Transaction, merkle::climb};
use pbft_core::{Config, ReplicaId, Seq, certificate::Certificate, config::ReplicaSet, message::Attestation};
use pbft_crypto::{Digest, Signature};
use thiserror::Error;

use crate::{MAX_RECEIPT_BYTES, TransactionReceipt, form::FORMAT};

/// What is known of the chain from elsewhere: its genesis has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The chain.
    pub chain_id: Digest,
    /// The digest of its replica set.
    pub replica_set_hash: Digest,
}

/// What a receipt shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The transaction, on the chain.
    pub transaction: Transaction,
    /// What came of it.
    pub outcome: Outcome,
    /// The header of its block.
    pub header: BlockHeader,
    /// The replicas that have signed for the block.
    pub signers: Vec<ReplicaId>,
}

/// Why a receipt shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidReceipt {
    /// No receipt is that large.
    #[error("{0} bytes: no receipt has more than {MAX_RECEIPT_BYTES}")]
    TooLarge(usize),
    /// It is not JSON of this form.
    #[error("not a receipt: {0}")]
    Malformed(String),
    /// It could be written in another way.
    #[error("not in the one form that receipts have: something was added or written differently")]
    NotCanonical,
    /// A later form.
    #[error("a receipt of the form {0:?}: only {FORMAT} can be checked")]
    UnknownFormat(String),
    /// Of another chain than the trusted one.
    #[error("the receipt is of another chain")]
    OtherChain,
    /// Not the replicas of the trusted chain.
    #[error("the replicas are not those of the chain")]
    OtherReplicas,
    /// Part of it cannot be read.
    #[error("the {what} cannot be read: {why}")]
    Unreadable {
        /// Which part.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The transaction is another one, for another chain, or not signed by its key.
    #[error("the transaction is not what the receipt says, or its signature is wrong")]
    WrongTransaction,
    /// The outcome is another transaction's.
    #[error("the outcome is not the transaction's")]
    OtherOutcome,
    /// A path does not lead to the header.
    #[error("the {0} is not in the block")]
    NotInBlock(&'static str),
    /// Too few replicas, one twice, or one that is none.
    #[error("signatures of {needed} replicas are needed, each once")]
    TooFewSigners {
        /// How many make a proof.
        needed: usize,
    },
    /// A signature is wrong.
    #[error("the signature of replica {0} is wrong")]
    BadSignature(ReplicaId),
}

/// Checks a receipt, byte for byte.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn verify(bytes: &[u8], trusted: &Trusted) -> Result<Proven, InvalidReceipt> {
    let receipt = parse(bytes)?;
    let replicas = check_chain(&receipt, trusted)?;
    let transaction = check_transaction(&receipt)?;
    let outcome = check_outcome(&receipt)?;
    let signers = check_signatures(&receipt, replicas)?;
    Ok(Proven { transaction, outcome, header: receipt.header, signers })
}

fn parse(bytes: &[u8]) -> Result<TransactionReceipt, InvalidReceipt> {
    if bytes.len() > MAX_RECEIPT_BYTES {
        return Err(InvalidReceipt::TooLarge(bytes.len()));
    }
    let receipt: TransactionReceipt =
        serde_json::from_slice(bytes).map_err(|error| InvalidReceipt::Malformed(error.to_string()))?;
    if receipt.format != FORMAT {
        return Err(InvalidReceipt::UnknownFormat(receipt.format));
    }
    if receipt.encode() == bytes { Ok(receipt) } else { Err(InvalidReceipt::NotCanonical) }
}

fn check_chain(receipt: &TransactionReceipt, trusted: &Trusted) -> Result<ReplicaSet, InvalidReceipt> {
    if receipt.chain_id != trusted.chain_id {
        return Err(InvalidReceipt::OtherChain);
    }
    let replicas = ReplicaSet::new(receipt.replicas.clone());
    let hash = replicas.digest();
    let known = hash == trusted.replica_set_hash && hash == receipt.header.replica_set_hash;
    if known { Ok(replicas) } else { Err(InvalidReceipt::OtherReplicas) }
}

fn check_transaction(receipt: &TransactionReceipt) -> Result<Transaction, InvalidReceipt> {
    let bytes = from_hex("transaction", &receipt.transaction)?;
    let transaction = Transaction::decode(&bytes).map_err(|why| unreadable("transaction", &why))?;
    if transaction.id() != receipt.tx_id
        || transaction.body().chain_id != receipt.chain_id
        || transaction.verify_signature().is_err()
    {
        return Err(InvalidReceipt::WrongTransaction);
    }
    let root = climb(&bytes, &receipt.transaction_path);
    if root == receipt.header.tx_root {
        Ok(transaction)
    } else {
        Err(InvalidReceipt::NotInBlock("transaction"))
    }
}

fn check_outcome(receipt: &TransactionReceipt) -> Result<Outcome, InvalidReceipt> {
    let bytes = from_hex("outcome", &receipt.outcome)?;
    let recorded = Receipt::decode(&bytes).map_err(|why| unreadable("outcome", &why))?;
    if !matches!(recorded.cause, Cause::Transaction { id, .. } if id == receipt.tx_id) {
        return Err(InvalidReceipt::OtherOutcome);
    }
    let root = climb(&bytes, &receipt.outcome_path);
    if root == receipt.header.receipts_root {
        Ok(recorded.outcome)
    } else {
        Err(InvalidReceipt::NotInBlock("outcome"))
    }
}

fn check_signatures(
    receipt: &TransactionReceipt,
    replicas: ReplicaSet,
) -> Result<Vec<ReplicaId>, InvalidReceipt> {
    let needed = replicas.sizes().weak();
    let statement = Attestation { seq: Seq::new(receipt.header.seq), digest: receipt.header.hash() };
    let signatures = receipt.signatures.iter().map(|signed| {
        let bytes = from_hex("signature", &signed.signature)?;
        let (r, s) = bytes.split_first_chunk::<32>().ok_or_else(short)?;
        let s = s.try_into().map_err(|_| short())?;
        Ok((ReplicaId::new(signed.replica), Signature::from_r_and_s(r, s)))
    });
    let signatures = signatures.collect::<Result<Vec<_>, InvalidReceipt>>()?;
    let signers: Vec<_> = signatures.iter().map(|(signer, _)| *signer).collect();
    let certificate = Certificate { statement, signatures };
    // The first epoch's: see docs/adr/0008-receipts.md.
    let config = Config::new(receipt.chain_id, replicas).validate();
    let config = config.map_err(|_| InvalidReceipt::OtherReplicas)?;
    let checks = certificate.signature_checks(&config, needed);
    let checks = checks.ok_or(InvalidReceipt::TooFewSigners { needed })?;
    for (signer, check) in signers.iter().zip(checks) {
        pbft_crypto::verify(&check.key, &check.digest, &check.signature)
            .map_err(|_| InvalidReceipt::BadSignature(*signer))?;
    }
    Ok(signers)
}

fn short() -> InvalidReceipt {
    InvalidReceipt::Unreadable { what: "signature", why: "it has not 64 bytes".to_owned() }
}

fn from_hex(what: &'static str, text: &str) -> Result<Vec<u8>, InvalidReceipt> {
    // The form has one spelling, so upper case is another text.
    let bytes = hex::decode(text);
    let bytes = bytes.map_err(|why| InvalidReceipt::Unreadable { what, why: why.to_string() })?;
    if hex::encode(&bytes) == text { Ok(bytes) } else { Err(InvalidReceipt::NotCanonical) }
}

fn unreadable(what: &'static str, why: &DecodeError) -> InvalidReceipt {
    InvalidReceipt::Unreadable { what, why: why.to_string() }
}
