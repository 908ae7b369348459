//! The durable half of a replica's ledger: the blocks with what happened in them, the state after the last one, and what
//! was answered to the last batches.
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | `meta` | `format`, `chain` | the version of this layout; the chain's id |
//! | `blocks` | height, 8 bytes, big endian | the block |
//! | `events` | height | the block's events |
//! | `transactions` | id of a transaction | its height and index |
//! | `state` | key of an entry | the entry |
//! | `certificates` | sequence number | the proof of the block that this batch made, once `f + 1` replicas have signed for it |
//! | `evidence` | who, what kind, view and number | two signed statements that contradict each other |
//! | `replica_sets` | sequence number of a batch that changed whom the state asks for | ids and keys after it |
//! | `batches` | sequence number, 8 bytes, big endian | a [`BatchRecord`], of the last batches only |
//!
//! All that a batch changes is written in one step, so after a crash the store holds the work of whole batches, up to some
//! batch. Nothing is synced but by [`LedgerStore::sync`]: until then the consensus log has what a power loss takes away.

mod codec;
mod evidence;
mod records;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use ledger::{Applied, Block, Event, Genesis, Height, Ledger, RestoreError, TxId};
use pbft_core::{Seq, certificate::Certificate, config::ReplicaSet, message::Attestation};
use pbft_crypto::Digest;
use thiserror::Error;

use codec::{decode, encode};
pub use evidence::{EvidenceId, MAX_EVIDENCE_EACH};
pub use records::{BatchRecord, StateName, StoredBlock, TxPlace};

const FORMAT: u32 = 3;

/// How a store uses the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// How many batches' outcomes are kept. At least the consensus window, as so many may be asked for again after a
    /// restart.
    pub kept_batches: u64,
    /// Memory for what was read.
    pub cache_bytes: u64,
    /// Memory for what was written and is not in its place yet, for each keyspace.
    pub memtable_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { kept_batches: 4_096, cache_bytes: 16 << 20, memtable_bytes: 8 << 20 }
    }
}

/// Why the store does not work.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the ledger store: {0}")]
    Database(#[from] fjall::Error),
    /// Written by another version of this program.
    #[error("the ledger store has the format {0}: this program knows {FORMAT}")]
    UnknownFormat(u32),
    /// Another chain's.
    #[error("the ledger store is of the chain {found}, not {expected}")]
    OtherChain {
        /// The chain that it is of.
        found: Digest,
        /// The chain that was asked for.
        expected: Digest,
    },
    /// Something in it is not what was written there, or is missing.
    #[error("the ledger store is damaged: {0}")]
    Damaged(&'static str),
    /// The state in it is not that of the last block.
    #[error("the ledger store is damaged: {0}")]
    State(#[from] RestoreError),
    /// The genesis is not one.
    #[error(transparent)]
    Genesis(#[from] ledger::GenesisError),
}

/// The store of one replica. Clones share it.
#[derive(Clone)]
pub struct LedgerStore {
    database: Database,
    meta: Keyspace,
    blocks: Keyspace,
    events: Keyspace,
    transactions: Keyspace,
    state: Keyspace,
    certificates: Keyspace,
    evidence: Keyspace,
    replica_sets: Keyspace,
    batches: Keyspace,
    kept_batches: u64,
}

impl LedgerStore {
    /// Opens the store in a folder, or begins it, and gives the ledger as it was after the last batch.
    ///
    /// # Errors
    /// [`StoreError`], also if a single byte of the state differs from what the last block says.
    pub fn open(
        folder: &Path,
        genesis: &Genesis,
        options: &StoreOptions,
    ) -> Result<(Self, Ledger), StoreError> {
        let store = Self::open_keyspaces(folder, options)?;
        let ledger = match store.meta.get("format")? {
            None => store.begin(genesis)?,
            Some(format) => store.resume(genesis, &format)?,
        };
        Ok((store, ledger))
    }

    fn open_keyspaces(folder: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let database = Database::builder(folder)
            .cache_size(options.cache_bytes)
            .max_journaling_size(128 << 20)
            .worker_threads(1)
            .open()?;
        let keyspace = |name: &str| {
            let create = || KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes);
            database.keyspace(name, create)
        };
        Ok(Self {
            meta: keyspace("meta")?,
            blocks: keyspace("blocks")?,
            events: keyspace("events")?,
            transactions: keyspace("transactions")?,
            state: keyspace("state")?,
            certificates: keyspace("certificates")?,
            evidence: keyspace("evidence")?,
            replica_sets: keyspace("replica_sets")?,
            batches: keyspace("batches")?,
            kept_batches: options.kept_batches,
            database,
        })
    }

    /// The genesis block counts as the work of batch 0, the state before the first batch.
    fn begin(&self, genesis: &Genesis) -> Result<Ledger, StoreError> {
        let (ledger, applied) = Ledger::begin(genesis)?;
        let record = BatchRecord::of(&ledger, Vec::new(), true);
        let mut batch = self.batch_of(Seq::ZERO, &applied, &record, None);
        batch.insert(&self.meta, "format", encode(&FORMAT));
        batch.insert(&self.meta, "chain", encode(&genesis.chain_id()));
        batch.durability(Some(PersistMode::SyncAll)).commit()?;
        Ok(ledger)
    }

    fn resume(&self, genesis: &Genesis, format: &[u8]) -> Result<Ledger, StoreError> {
        let format: u32 = decode(format, "the format's version")?;
        if format != FORMAT {
            return Err(StoreError::UnknownFormat(format));
        }
        let found = self.meta.get("chain")?.ok_or(StoreError::Damaged("the chain's id is missing"))?;
        let (found, expected) = (decode(&found, "the chain's id")?, genesis.chain_id());
        if found != expected {
            return Err(StoreError::OtherChain { found, expected });
        }
        let (_, tip) =
            self.blocks.last_key_value().ok_or(StoreError::Damaged("there is no block"))?.into_inner()?;
        let tip: Block = codec::block(&tip)?;
        let entries = self.state.iter().map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((key.to_vec(), value.to_vec()))
        });
        let entries = entries.collect::<Result<Vec<_>, StoreError>>()?;
        let ledger = Ledger::restore(genesis, tip.header, entries)?;
        let last = self.batch_record(self.last_batch()?)?;
        if last.map(|record| record.after) != Some(StateName::of(&ledger)) {
            return Err(StoreError::Damaged("the last batch led to another state"));
        }
        Ok(ledger)
    }

    /// Writes all that a batch has changed, in one step; the replicas only if they are others than before.
    ///
    /// # Errors
    /// [`StoreError::Database`]. Nothing may be written after that.
    pub fn append(
        &self,
        seq: Seq,
        applied: &Applied,
        record: &BatchRecord,
        replicas: Option<&ReplicaSet>,
    ) -> Result<(), StoreError> {
        Ok(self.batch_of(seq, applied, record, replicas).commit()?)
    }

    fn batch_of(
        &self,
        seq: Seq,
        applied: &Applied,
        record: &BatchRecord,
        replicas: Option<&ReplicaSet>,
    ) -> fjall::OwnedWriteBatch {
        let mut batch = self.database.batch();
        if let Some(replicas) = replicas {
            batch.insert(&self.replica_sets, seq.value().to_be_bytes(), encode(replicas));
        }
        batch.insert(&self.batches, seq.value().to_be_bytes(), encode(record));
        if let Some(outdated) = seq.value().checked_sub(self.kept_batches) {
            batch.remove(&self.batches, outdated.to_be_bytes());
        }
        for change in &applied.changes {
            match &change.value {
                Some(value) => batch.insert(&self.state, change.key.as_slice(), value.as_slice()),
                None => batch.remove(&self.state, change.key.as_slice()),
            }
        }
        if let Some(block) = &applied.block {
            let height = block.header.height;
            batch.insert(&self.blocks, height.value().to_be_bytes(), block.encode());
            batch.insert(&self.events, height.value().to_be_bytes(), encode(&applied.events));
            for (transaction, index) in block.transactions.iter().zip(0..) {
                let place = encode(&TxPlace { height, index });
                batch.insert(&self.transactions, transaction.id().as_bytes().as_slice(), place);
            }
        }
        batch
    }

    /// The sets of replicas that the state has asked for since the first one, by the batch that led to them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn replica_sets(&self) -> Result<BTreeMap<Seq, Arc<ReplicaSet>>, StoreError> {
        let read = |entry: fjall::Guard| {
            let (key, value) = entry.into_inner()?;
            let set = decode(&value, "a set of replicas")?;
            Ok((seq_of(&key)?, Arc::new(set)))
        };
        self.replica_sets.iter().map(read).collect()
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    /// The last batch whose work is in here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last_batch(&self) -> Result<Seq, StoreError> {
        let last = self.batches.last_key_value().ok_or(StoreError::Damaged("there is no batch"))?;
        seq_of(&last.key()?)
    }

    /// What was answered to a batch, if it is one of the last ones.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn batch_record(&self, seq: Seq) -> Result<Option<BatchRecord>, StoreError> {
        let record = self.batches.get(seq.value().to_be_bytes())?;
        record.map(|bytes| decode(&bytes, "the record of a batch")).transpose()
    }

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

fn seq_of(key: &[u8]) -> Result<Seq, StoreError> {
    let bytes = key.try_into().map_err(|_| StoreError::Damaged("the key of a batch"))?;
    Ok(Seq::new(u64::from_be_bytes(bytes)))
}
