//! Making receipts.

use ledger::{Block, Receipt, Transaction};
use pbft_core::{certificate::Certificate, config::ReplicaSet, message::Attestation};
use pbft_crypto::Digest;
use thiserror::Error;

use crate::{ReplicaSignature, TransactionReceipt, form::FORMAT};

/// Why there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The block has no such transaction.
    #[error("the block has no such transaction")]
    NotInBlock,
    /// The certificate is another block's.
    #[error("the certificate is another block's")]
    OtherBlock,
}

impl TransactionReceipt {
    /// For the transaction at `index` of a block.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(
        chain_id: Digest,
        replicas: &ReplicaSet,
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
        let signatures = certificate.signatures.iter().map(|(signer, signature)| ReplicaSignature {
            replica: signer.value(),
            signature: hex::encode(signature.r_and_s()),
        });
        Ok(Self {
            format: FORMAT.to_owned(),
            chain_id,
            replicas: replicas.ids().filter_map(|id| replicas.key(id).copied()).collect(),
            header: block.header.clone(),
            tx_id: transaction.id(),
            transaction: hex::encode(Transaction::encode(transaction)),
            transaction_path,
            outcome: hex::encode(Receipt::encode(outcome)),
            outcome_path,
            signatures: signatures.collect(),
        })
    }
}
