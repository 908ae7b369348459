//! Making receipts.

use ledger::{Block, Receipt, Transaction};
use pbft_core::{
    ReplicaId, Seq,
    certificate::Certificate,
    config::ReplicaSet,
    message::{Attestation, Handover},
    quorum::QuorumSizes,
    wire,
};
use pbft_crypto::{Digest, Signature};
use thiserror::Error;

use crate::{
    ReplicaSignature, TransactionReceipt,
    form::{FORMAT, HandoverProof},
};

/// Why there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The block has no such transaction.
    #[error("the block has no such transaction")]
    NotInBlock,
    /// The certificate is another block's.
    #[error("the certificate is another block's")]
    OtherBlock,
    /// A handover cannot be written down.
    #[error("a handover cannot be written down")]
    BadHandover,
}

/// The first replicas of a chain, and how they handed over to later ones.
#[derive(Clone, Copy, Debug)]
pub struct Lineage<'a> {
    /// Those of the genesis.
    pub first: &'a ReplicaSet,
    /// All handovers that are known, oldest first.
    pub handovers: &'a [Handover],
}

impl TransactionReceipt {
    /// For the transaction at `index` of a block.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(
        chain_id: Digest,
        replicas: Lineage<'_>,
        block: &Block,
        index: usize,
        certificate: &Certificate<Attestation>,
    ) -> Result<Self, BuildError> {
        let Attestation { seq, digest } = certificate.statement;
        if seq.value() != block.header.seq || digest != block.hash() {
            return Err(BuildError::OtherBlock);
        }
        let transaction = block.transactions.get(index).ok_or(BuildError::NotInBlock)?;
        let (place, outcome) = block.receipt_of(&transaction.id()).ok_or(BuildError::NotInBlock)?;
        let transaction_path = block.prove_transaction(index).ok_or(BuildError::NotInBlock)?.steps();
        let outcome_path = block.prove_receipt(place).ok_or(BuildError::NotInBlock)?.steps();
        let first = replicas.first;
        Ok(Self {
            format: FORMAT.to_owned(),
            chain_id,
            replicas: first.ids().filter_map(|id| first.key(id).copied()).collect(),
            handovers: replicas.until(seq)?,
            header: block.header.clone(),
            tx_id: transaction.id(),
            transaction: hex::encode(Transaction::encode(transaction)),
            transaction_path,
            outcome: hex::encode(Receipt::encode(outcome)),
            outcome_path,
            signatures: certificate.signatures.iter().map(written).collect(),
        })
    }
}

impl Lineage<'_> {
    /// What leads to the replicas that decide on a number.
    fn until(&self, seq: Seq) -> Result<Vec<HandoverProof>, BuildError> {
        let mut count = self.first.count();
        let mut proofs = Vec::new();
        for handover in self.handovers {
            let change = handover.change().ok_or(BuildError::BadHandover)?;
            if change.after >= seq {
                break;
            }
            // More than a quorum could be left out without anyone noticing.
            let quorum = handover.certificate.signatures.iter().take(QuorumSizes::of(count).quorum());
            let summary = wire::encode(&handover.summary).map_err(|_| BuildError::BadHandover)?;
            proofs.push(HandoverProof {
                summary: hex::encode(summary),
                signatures: quorum.map(written).collect(),
            });
            count = change.replicas.count();
        }
        Ok(proofs)
    }
}

fn written((signer, signature): &(ReplicaId, Signature)) -> ReplicaSignature {
    ReplicaSignature { replica: signer.value(), signature: hex::encode(signature.r_and_s()) }
}
