//! What the store has for those who take its chain over, and what waits in it while this replica does so.
//!
//! A part that waits goes with the same write that stores the last block of it, so wherever the process ends, what is left
//! to do is what waits past the store's own chain.

use std::collections::BTreeSet;

use ledger::Height;
use pbft_core::Seq;
use serde::{Deserialize, Serialize};

use super::codec::{decode, encode};
use super::volumes::{BareBlock, Boundary, CheckpointName, Manifest, Volumes, decode_part, encode_part};
use super::{BatchRecord, LedgerStore, StoreError};

/// Where a chain that is taken over is noted, among the metadata.
const INSTALL: &str = "install";

/// A checkpoint that is taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Install {
    /// The batch that it was made after.
    pub seq: Seq,
    /// Its parts.
    pub manifest: Manifest,
    /// The first block of the chain.
    pub first: Boundary,
}

impl Install {
    /// The blocks of a part: after the first of these, up to the second.
    pub fn span(&self, index: u32) -> Option<(Boundary, Boundary)> {
        Some((self.manifest.start(index).unwrap_or(self.first), self.manifest.end(index)?))
    }

    /// The parts that hold something past a height.
    pub fn past(&self, height: Height) -> impl Iterator<Item = u32> {
        (0..self.manifest.parts())
            .filter(move |index| self.manifest.end(*index).is_some_and(|end| end.height > height))
    }
}

impl LedgerStore {
    // --- To be handed out -----------------------------------------------------------------------------------------

    /// The volumes of the chain as it is.
    pub(super) fn count_volumes(&self) -> Result<Volumes, StoreError> {
        let mut volumes = Volumes::new(self.volume_bytes);
        let mut last = Height::GENESIS;
        for entry in self.volumes.iter() {
            let end: Boundary = decode(&entry.value()?, "a volume")?;
            volumes.close(end);
            last = end.height;
        }
        for entry in self.blocks.range(last.next().value().to_be_bytes()..) {
            if volumes.push(&super::codec::block(&entry.value()?)?).is_some() {
                return Err(StoreError::Damaged("a volume is missing"));
            }
        }
        Ok(volumes)
    }

    /// Keeps what a checkpoint is called, so that peers can be given its chain.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn keep_checkpoint(&self, seq: Seq, name: &CheckpointName) -> Result<(), StoreError> {
        Ok(self.checkpoints.insert(seq.value().to_be_bytes(), encode(name))?)
    }

    /// Forgets the checkpoints before the newest, but for some.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_checkpoints(&self, but: &[Seq]) -> Result<(), StoreError> {
        let Some(newest) = self.checkpoints.last_key_value() else { return Ok(()) };
        for entry in self.checkpoints.range(..newest.key()?) {
            let key = entry.key()?;
            if !but.contains(&super::seq_of(&key)?) {
                self.checkpoints.remove(key)?;
            }
        }
        Ok(())
    }

    /// What a checkpoint is called, if it is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn checkpoint(&self, seq: Seq) -> Result<Option<CheckpointName>, StoreError> {
        let name = self.checkpoints.get(seq.value().to_be_bytes())?;
        name.map(|bytes| decode(&bytes, "the name of a checkpoint")).transpose()
    }

    /// The parts of a checkpoint that is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn manifest(&self, seq: Seq) -> Result<Option<Manifest>, StoreError> {
        let Some(name) = self.checkpoint(seq)? else { return Ok(None) };
        let read = |entry: fjall::Guard| decode(&entry.value()?, "a volume");
        let volumes = self.volumes.range(..name.volumes.count.to_be_bytes()).map(read);
        Ok(Some(Manifest { name, volumes: volumes.collect::<Result<_, _>>()? }))
    }

    /// The blocks of a part of a checkpoint that is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn part(&self, seq: Seq, index: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(name) = self.checkpoint(seq)? else { return Ok(None) };
        let end = |index: u32| -> Result<Height, StoreError> {
            let end =
                self.volumes.get(index.to_be_bytes())?.ok_or(StoreError::Damaged("a volume is missing"))?;
            decode(&end, "a volume").map(|end: Boundary| end.height)
        };
        let before = index.checked_sub(1).filter(|index| *index < name.volumes.count);
        let before = before.map(end).transpose()?.unwrap_or(Height::GENESIS);
        let last = if index < name.volumes.count { end(index)? } else { name.state.height };
        if index > name.volumes.count || last <= before {
            return Ok(None);
        }
        let heights = before.next().value().to_be_bytes()..=last.value().to_be_bytes();
        let read = |entry: fjall::Guard| super::codec::block(&entry.value()?).map(BareBlock::from);
        let blocks = self.blocks.range(heights).map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(encode_part(&blocks)))
    }

    // --- To be taken over -----------------------------------------------------------------------------------------

    /// The install that was begun, if one was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn install(&self) -> Result<Option<Install>, StoreError> {
        let install = self.meta.get(INSTALL)?;
        install.map(|bytes| decode(&bytes, "what is taken over")).transpose()
    }

    /// The parts that have come.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn waiting(&self) -> Result<BTreeSet<u32>, StoreError> {
        let number = |key: &[u8]| key.try_into().map(u32::from_be_bytes);
        let read =
            |entry: fjall::Guard| number(&entry.key()?).map_err(|_| StoreError::Damaged("a part's key"));
        self.waiting.iter().map(read).collect()
    }

    /// Begins an install in place of any other. Of what waits only `kept` stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn begin_install(&self, install: &Install, kept: &BTreeSet<u32>) -> Result<(), StoreError> {
        let mut batch = self.database.batch();
        batch.insert(&self.meta, INSTALL, encode(install));
        for index in self.waiting()?.difference(kept) {
            batch.remove(&self.waiting, index.to_be_bytes());
        }
        Ok(batch.commit()?)
    }

    /// Has a part wait that was checked.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn keep_part(&self, index: u32, part: &[u8]) -> Result<(), StoreError> {
        Ok(self.waiting.insert(index.to_be_bytes(), part)?)
    }

    /// The blocks of a part that waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn waiting_part(&self, index: u32) -> Result<Vec<BareBlock>, StoreError> {
        let part = self.waiting.get(index.to_be_bytes())?;
        decode_part(&part.ok_or(StoreError::Damaged("a part that was taken in is missing"))?)
    }

    /// The chain is that of the install: from now on its batch is the last one. What was answered before it is not asked
    /// for again, and nothing waits any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn finish_install(&self, seq: Seq, record: &BatchRecord) -> Result<(), StoreError> {
        let mut batch = self.database.batch();
        let key = seq.value().to_be_bytes();
        for entry in self.batches.range(..key) {
            batch.remove(&self.batches, entry.key()?);
        }
        batch.insert(&self.batches, key, encode(record));
        batch.insert(&self.checkpoints, key, encode(&record.name()));
        self.forget_waiting(&mut batch)?;
        batch.commit()?;
        self.sync()
    }

    /// Nothing is taken over any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn give_up_install(&self) -> Result<(), StoreError> {
        let mut batch = self.database.batch();
        self.forget_waiting(&mut batch)?;
        Ok(batch.commit()?)
    }

    fn forget_waiting(&self, batch: &mut fjall::OwnedWriteBatch) -> Result<(), StoreError> {
        batch.remove(&self.meta, INSTALL);
        for index in self.waiting()? {
            batch.remove(&self.waiting, index.to_be_bytes());
        }
        Ok(())
    }
}
