//! Checking receipts: pure, without any I/O.

use ledger::{BlockHeader, Cause, DecodeError, Outcome, Receipt, Transaction, merkle::climb};
use pbft_core::{
    Config, ReplicaId, Seq, ValidConfig,
    certificate::Certificate,
    config::ReplicaSet,
    crypto::SignatureCheck,
    message::{Attestation, Checkpoint, Handover, StateSummary},
    verify::succession,
    wire,
};
use pbft_crypto::{Digest, Signature};
use thiserror::Error;

use crate::{HandoverProof, MAX_RECEIPT_BYTES, ReplicaSignature, TransactionReceipt, form::FORMAT};

/// What is known of the chain from elsewhere: its genesis has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The chain.
    pub chain_id: Digest,
    /// The digest of its first replica set.
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
    /// How often the replicas had changed by then.
    pub epoch: u64,
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
    /// A set of replicas does not follow from the one before.
    #[error("change {0} of the replicas does not follow from the replicas before")]
    WrongHandover(usize),
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
    let config = check_chain(&receipt, trusted)?;
    let transaction = check_transaction(&receipt)?;
    let outcome = check_outcome(&receipt)?;
    let signers = check_signatures(&receipt, &config)?;
    Ok(Proven { transaction, outcome, header: receipt.header, signers, epoch: config.epoch().value() })
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

/// The replicas that decided on the block: the first ones, or those that they lead to.
fn check_chain(receipt: &TransactionReceipt, trusted: &Trusted) -> Result<ValidConfig, InvalidReceipt> {
    if receipt.chain_id != trusted.chain_id {
        return Err(InvalidReceipt::OtherChain);
    }
    let replicas = ReplicaSet::new(receipt.replicas.clone());
    if replicas.digest() != trusted.replica_set_hash {
        return Err(InvalidReceipt::OtherReplicas);
    }
    let config = Config::new(receipt.chain_id, replicas).validate();
    let mut config = config.map_err(|_| InvalidReceipt::OtherReplicas)?;
    let decides = Seq::new(receipt.header.seq);
    for (proof, number) in receipt.handovers.iter().zip(1..) {
        let next = check_handover(&config, proof, number)?;
        if next.after() <= config.after() || next.after() >= decides {
            return Err(InvalidReceipt::WrongHandover(number));
        }
        config = next;
    }
    let known = config.replicas.digest() == receipt.header.replica_set_hash;
    if known { Ok(config) } else { Err(InvalidReceipt::OtherReplicas) }
}

fn check_handover(
    config: &ValidConfig,
    proof: &HandoverProof,
    number: usize,
) -> Result<ValidConfig, InvalidReceipt> {
    let wrong = || InvalidReceipt::WrongHandover(number);
    let bytes = from_hex("handover", &proof.summary)?;
    let summary: StateSummary = wire::decode(&bytes)
        .map_err(|why| InvalidReceipt::Unreadable { what: "handover", why: why.to_string() })?;
    if wire::encode(&summary).ok() != Some(bytes) {
        return Err(InvalidReceipt::NotCanonical);
    }
    let needed = config.sizes().quorum();
    if proof.signatures.len() != needed {
        return Err(InvalidReceipt::TooFewSigners { needed });
    }
    let statement = Checkpoint { seq: summary.seq, digest: summary.digest() };
    let certificate = Certificate { statement, signatures: read_signatures(&proof.signatures)? };
    let handover = Handover { certificate, summary };
    let (next, checks) = succession(config, &handover).map_err(|_| wrong())?;
    check_all(&handover.certificate.signatures, checks)?;
    Ok(next)
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
    config: &ValidConfig,
) -> Result<Vec<ReplicaId>, InvalidReceipt> {
    let needed = config.sizes().weak();
    let statement = Attestation { seq: Seq::new(receipt.header.seq), digest: receipt.header.hash() };
    let certificate = Certificate { statement, signatures: read_signatures(&receipt.signatures)? };
    let checks = certificate.signature_checks(config, needed);
    let checks = checks.ok_or(InvalidReceipt::TooFewSigners { needed })?;
    check_all(&certificate.signatures, checks)?;
    Ok(certificate.signatures.into_iter().map(|(signer, _)| signer).collect())
}

fn read_signatures(signatures: &[ReplicaSignature]) -> Result<Vec<(ReplicaId, Signature)>, InvalidReceipt> {
    let read = |signed: &ReplicaSignature| {
        let bytes = from_hex("signature", &signed.signature)?;
        let (r, s) = bytes.split_first_chunk::<32>().ok_or_else(short)?;
        let s = s.try_into().map_err(|_| short())?;
        Ok((ReplicaId::new(signed.replica), Signature::from_r_and_s(r, s)))
    };
    signatures.iter().map(read).collect()
}

/// `checks` are those of the signatures, in their order.
fn check_all(
    signatures: &[(ReplicaId, Signature)],
    checks: Vec<SignatureCheck>,
) -> Result<(), InvalidReceipt> {
    for ((signer, _), check) in signatures.iter().zip(checks) {
        pbft_crypto::verify(&check.key, &check.digest, &check.signature)
            .map_err(|_| InvalidReceipt::BadSignature(*signer))?;
    }
    Ok(())
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
