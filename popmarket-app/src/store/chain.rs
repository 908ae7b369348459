//! The chain, for those who read it.

use ledger::{Block, Event, Height, TxId};
use pbft_core::{Seq, certificate::Certificate, message::Attestation};

use super::codec::{self, decode, encode};
use super::{LedgerStore, StoreError, StoredBlock, TxPlace};

impl LedgerStore {
    /// Keeps the proof of what a batch made. Durable with the next [`sync`](Self::sync), as all else.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn keep_certificate(&self, certificate: &Certificate<Attestation>) -> Result<(), StoreError> {
        let seq = certificate.statement.seq.value().to_be_bytes();
        Ok(self.certificates.insert(seq, encode(certificate))?)
    }

    /// The proof of the block that a batch made, if it has come.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn certificate(&self, seq: Seq) -> Result<Option<Certificate<Attestation>>, StoreError> {
        let certificate = self.certificates.get(seq.value().to_be_bytes())?;
        certificate.map(|bytes| decode(&bytes, "a certificate")).transpose()
    }

    /// A block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let block = self.blocks.get(height.value().to_be_bytes())?;
        block.map(|bytes| codec::block(&bytes)).transpose()
    }

    /// The blocks from one on, with what happened in them, up to a number of blocks or the block with which they have so
    /// many transactions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn blocks_from(
        &self,
        height: Height,
        max_blocks: usize,
        max_transactions: usize,
    ) -> Result<Vec<StoredBlock>, StoreError> {
        let mut blocks = Vec::new();
        let mut transactions = 0;
        for entry in self.blocks.range(height.value().to_be_bytes()..).take(max_blocks) {
            let (key, value) = entry.into_inner()?;
            let block = codec::block(&value)?;
            let events =
                self.events.get(&key)?.ok_or(StoreError::Damaged("the events of a block are missing"))?;
            let events: Vec<Event> = decode(&events, "the events of a block")?;
            transactions += block.transactions.len();
            blocks.push(StoredBlock { block, events });
            if transactions >= max_transactions {
                break;
            }
        }
        Ok(blocks)
    }

    /// Where a transaction is on the chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn place_of(&self, id: &TxId) -> Result<Option<TxPlace>, StoreError> {
        let place = self.transactions.get(id.as_bytes())?;
        place.map(|bytes| decode(&bytes, "the place of a transaction")).transpose()
    }
}
