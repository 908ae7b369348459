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
//! | `volumes` | number, 4 bytes, big endian | the [`Boundary`] of a closed volume |
//! | `checkpoints` | sequence number | the [`CheckpointName`] of a checkpoint that peers may fetch |
//! | `waiting` | number of a part | a part of a chain that is taken over; which chain is in `meta`, `install` |
//!
//! All that a batch changes is written in one step, so after a crash the store holds the work of whole batches, up to some
//! batch. Nothing is synced but by [`LedgerStore::sync`]: until then the consensus log has what a power loss takes away.

mod chain;
mod codec;
mod evidence;
mod records;
mod transfer;
mod volumes;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use ledger::{Applied, Block, Genesis, Height, InvariantViolation, Ledger, RestoreError};
use pbft_core::{Seq, config::ReplicaSet};
use pbft_crypto::Digest;
use thiserror::Error;

use codec::{decode, encode};
pub use evidence::{EvidenceId, MAX_EVIDENCE_EACH};
pub use records::{BatchRecord, StateName, StoredBlock, TxPlace};
pub use transfer::Install;
pub use volumes::{
    BareBlock, Boundary, CheckpointName, MAX_VOLUMES, Manifest, VOLUME_BYTES, Volumes, VolumesName,
    check_part,
};

const FORMAT: u32 = 8;

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
    /// How the chain is cut for those who take it over: see [`VOLUME_BYTES`]. The same on all replicas of a chain, since
    /// their checkpoints say so.
    pub volume_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            kept_batches: 4_096,
            cache_bytes: 16 << 20,
            memtable_bytes: 8 << 20,
            volume_bytes: VOLUME_BYTES,
        }
    }
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::InUse,
            error => Self::Database(error),
        }
    }
}

/// Why the store does not work.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it.
    #[error(
        "the ledger store is in use: another node runs on this folder; stop it first, or choose another folder"
    )]
    InUse,
    /// The database said no.
    #[error("the ledger store: {0}")]
    Database(fjall::Error),
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
    /// Its chain, or what this program makes of it, is not the one that the replicas have.
    #[error("the ledger store is damaged: block {0} is not the one that a quorum of the replicas certified")]
    NotCertified(Height),
    /// What must hold of every ledger does not hold of this one. Nothing of the block is stored.
    #[error(
        "block {height} breaks what must always hold of the ledger: {violation}; see \"A broken invariant\" in \
         docs/OPERATIONS.md"
    )]
    Broken {
        /// The last block.
        height: Height,
        /// What does not hold.
        violation: InvariantViolation,
    },
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
    volumes: Keyspace,
    checkpoints: Keyspace,
    waiting: Keyspace,
    kept_batches: u64,
    volume_bytes: usize,
}

/// What a batch did, to be stored.
pub struct Work<'a> {
    /// Its number.
    pub seq: Seq,
    /// What it did to the ledger.
    pub applied: &'a Applied,
    /// What is remembered of it.
    pub record: &'a BatchRecord,
    /// Whom the state asks for, if others than before.
    pub replicas: Option<&'a ReplicaSet>,
    /// The volume that its block closes.
    pub closed: Option<(u32, Boundary)>,
    /// Whether it is known from a chain that is taken over.
    pub from: Source,
}

/// Where a batch comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the consensus.
    Order,
    /// From a chain that is taken over.
    Chain {
        /// The batch that was executed before it. Its record is not needed any more.
        before: Seq,
        /// The part that ends with its block.
        part: Option<u32>,
    },
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
            volumes: keyspace("volumes")?,
            checkpoints: keyspace("checkpoints")?,
            waiting: keyspace("waiting")?,
            kept_batches: options.kept_batches,
            volume_bytes: options.volume_bytes,
            database,
        })
    }

    /// The genesis block counts as the work of batch 0, the state before the first batch.
    fn begin(&self, genesis: &Genesis) -> Result<Ledger, StoreError> {
        let (ledger, applied) = Ledger::begin(genesis)?;
        let volumes = Volumes::new(self.volume_bytes);
        let record = BatchRecord::of(&ledger, volumes.name(), Vec::new(), true);
        let mut batch = self.batch_of(&Work {
            seq: Seq::ZERO,
            applied: &applied,
            record: &record,
            replicas: None,
            closed: None,
            from: Source::Order,
        });
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

    /// The volumes of the chain up to the last batch.
    ///
    /// # Errors
    /// [`StoreError`], also if they are not what the last batch says.
    pub fn volumes(&self) -> Result<Volumes, StoreError> {
        let volumes = self.count_volumes()?;
        let last = self.batch_record(self.last_batch()?)?;
        if last.map(|record| record.volumes) == Some(volumes.name()) {
            Ok(volumes)
        } else {
            Err(StoreError::Damaged("the last batch led to other volumes"))
        }
    }

    /// Writes all that a batch has changed, in one step.
    ///
    /// # Errors
    /// [`StoreError::Database`]. Nothing may be written after that.
    pub fn append(&self, work: &Work<'_>) -> Result<(), StoreError> {
        Ok(self.batch_of(work).commit()?)
    }

    fn batch_of(&self, work: &Work<'_>) -> fjall::OwnedWriteBatch {
        let mut batch = self.database.batch();
        let key = work.seq.value().to_be_bytes();
        if let Some(replicas) = work.replicas {
            batch.insert(&self.replica_sets, key, encode(replicas));
        }
        batch.insert(&self.batches, key, encode(work.record));
        self.remove_outdated(work, &mut batch);
        self.insert_chain(work, &mut batch);
        batch
    }

    fn remove_outdated(&self, work: &Work<'_>, batch: &mut fjall::OwnedWriteBatch) {
        match work.from {
            Source::Order => {
                if let Some(outdated) = work.seq.value().checked_sub(self.kept_batches) {
                    batch.remove(&self.batches, outdated.to_be_bytes());
                }
            }
            Source::Chain { before, part } => {
                batch.remove(&self.batches, before.value().to_be_bytes());
                if let Some(part) = part {
                    batch.remove(&self.waiting, part.to_be_bytes());
                }
            }
        }
    }

    fn insert_chain(&self, Work { applied, closed, .. }: &Work<'_>, batch: &mut fjall::OwnedWriteBatch) {
        for change in &applied.changes {
            match &change.value {
                Some(value) => batch.insert(&self.state, change.key.as_slice(), value.as_slice()),
                None => batch.remove(&self.state, change.key.as_slice()),
            }
        }
        if let Some(block) = &applied.block {
            let height = block.header.height;
            // Reads see a batch while it is applied, item by item: who sees the block must find its events.
            batch.insert(&self.events, height.value().to_be_bytes(), encode(&applied.events));
            batch.insert(&self.blocks, height.value().to_be_bytes(), block.encode());
            for (transaction, index) in block.transactions.iter().zip(0..) {
                let place = encode(&TxPlace { height, index });
                batch.insert(&self.transactions, transaction.id().as_bytes().as_slice(), place);
            }
        }
        if let Some((index, last)) = closed {
            batch.insert(&self.volumes, index.to_be_bytes(), encode(last));
        }
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
}

fn seq_of(key: &[u8]) -> Result<Seq, StoreError> {
    let bytes = key.try_into().map_err(|_| StoreError::Damaged("the key of a batch"))?;
    Ok(Seq::new(u64::from_be_bytes(bytes)))
}
