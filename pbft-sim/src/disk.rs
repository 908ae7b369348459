//! A replica's disk: records wait in memory for a sync that takes its time; a crash keeps any prefix of what waits.

use std::collections::VecDeque;

use pbft_core::{
    storage::{Durable, Log, LogPosition, MemoryLog, Record},
    wire,
};

/// The log of one replica, across its lives.
#[derive(Debug, Default)]
pub struct Disk {
    /// What is durable.
    log: MemoryLog,
    synced: LogPosition,
    /// What is not.
    unsynced: VecDeque<(LogPosition, Record)>,
    /// The sync that is under way covers records up to here.
    syncing: Option<LogPosition>,
}

impl Disk {
    /// Adds a record.
    pub fn append(&mut self, position: LogPosition, record: Record) {
        self.unsynced.push_back((position, record));
    }

    /// Starts to sync what waits. False if a sync is under way or nothing waits.
    pub fn start_sync(&mut self) -> bool {
        let last = self.unsynced.back().map(|(position, _)| *position);
        if self.syncing.is_some() || last.is_none() {
            return false;
        }
        self.syncing = last;
        true
    }

    /// The sync is done. What was appended since it started is not covered.
    pub fn finish_sync(&mut self) -> Option<Durable> {
        let covered = self.syncing.take()?;
        while let Some((position, record)) = self.unsynced.pop_front_if(|(at, _)| *at <= covered) {
            let Ok(()) = self.log.append(position, &record);
        }
        let Ok(_) = self.log.sync();
        self.synced = covered;
        Some(Durable::through(covered))
    }

    /// The last position that is durable.
    #[must_use]
    pub const fn synced(&self) -> LogPosition {
        self.synced
    }

    /// The last position that was written, synced or not.
    #[must_use]
    pub fn last(&self) -> LogPosition {
        self.unsynced.back().map_or(self.synced, |(position, _)| *position)
    }

    /// How many records are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.len() + self.unsynced.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many records a crash could take away.
    #[must_use]
    pub fn at_risk(&self) -> usize {
        self.unsynced.len()
    }

    /// Gives up records before `position`, at once: the cruellest choice that the port allows.
    pub fn truncate(&mut self, position: LogPosition) {
        let Ok(()) = self.log.truncate(position);
        self.unsynced.retain(|(at, _)| *at >= position);
    }

    /// A power cut: the first `kept` unsynced records survive. Returns the last position that is left.
    pub fn crash(&mut self, kept: usize) -> LogPosition {
        for (position, record) in core::mem::take(&mut self.unsynced) {
            let Ok(()) = self.log.append(position, &record);
        }
        self.log.lose_unsynced(kept);
        self.syncing = None;
        let Ok(records) = self.log.load();
        self.synced = records.last().map_or(LogPosition::START, |(position, _)| *position);
        self.synced
    }

    /// A new disk.
    pub fn wipe(&mut self) {
        *self = Self::default();
    }

    /// A broken disk: the last `lost` records vanish although they were synced.
    pub fn forget_synced(&mut self, lost: usize) {
        let Ok(records) = self.log.load();
        let kept = records.len().saturating_sub(lost);
        self.log = MemoryLog::default();
        for (position, record) in records.into_iter().take(kept) {
            let Ok(()) = self.log.append(position, &record);
        }
        let Ok(durable) = self.log.sync();
        self.synced = durable.position();
    }

    /// All records, as they would be read back: encoded and decoded.
    #[must_use]
    pub fn load(&mut self) -> Vec<(LogPosition, Record)> {
        let Ok(records) = self.log.load();
        let reread = |record: Record| {
            let bytes = wire::encode(&record).expect("a record within bounds");
            wire::decode(&bytes).expect("what was encoded")
        };
        records.into_iter().map(|(position, record)| (position, reread(record))).collect()
    }
}
