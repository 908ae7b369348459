//! A replica's disk: records wait in memory for a sync that takes its time; a crash keeps any prefix of what waits.

use std::collections::VecDeque;

use pbft_core::{
    storage::{Durable, Log, LogPosition, MemoryLog, Record},
    wire,
};

use crate::rng::Rng;

/// What the log is on. In memory as a rule; a test may bring a real log on a disk that tears and forgets.
pub trait Medium: Send {
    /// Adds a record.
    fn append(&mut self, position: LogPosition, record: &Record);

    /// Makes all records durable.
    fn sync(&mut self);

    /// Records before `position` may go.
    fn truncate(&mut self, position: LogPosition);

    /// All that there is.
    fn load(&mut self) -> Vec<(LogPosition, Record)>;

    /// Cuts the power, in the middle of a sync of all that was appended, and turns it on again.
    fn power_cut(&mut self, chance: &mut Rng);

    /// A broken medium: the last `lost` records vanish although they were synced. A sound one need not know how to.
    fn forget_synced(&mut self, _lost: usize) {}
}

impl Medium for MemoryLog {
    fn append(&mut self, position: LogPosition, record: &Record) {
        let Ok(()) = Log::append(self, position, record);
    }

    fn sync(&mut self) {
        let Ok(_) = Log::sync(self);
    }

    fn truncate(&mut self, position: LogPosition) {
        let Ok(()) = Log::truncate(self, position);
    }

    /// As they would be read back: encoded and decoded.
    fn load(&mut self) -> Vec<(LogPosition, Record)> {
        let Ok(records) = Log::load(self);
        let reread = |record: Record| {
            let bytes = wire::encode(&record).expect("a record within bounds");
            wire::decode(&bytes).expect("what was encoded")
        };
        records.into_iter().map(|(position, record)| (position, reread(record))).collect()
    }

    fn power_cut(&mut self, chance: &mut Rng) {
        let kept = chance.index(self.unsynced() + 1);
        self.lose_unsynced(kept);
    }

    fn forget_synced(&mut self, lost: usize) {
        let Ok(records) = Log::load(self);
        let kept = records.len().saturating_sub(lost);
        *self = Self::default();
        records.iter().take(kept).for_each(|(position, record)| Medium::append(self, *position, record));
        Medium::sync(self);
    }
}

/// The log of one replica, across its lives.
pub struct Disk {
    /// What is durable.
    log: Box<dyn Medium>,
    /// How many records that are.
    kept: usize,
    synced: LogPosition,
    /// What is not.
    unsynced: VecDeque<(LogPosition, Record)>,
    /// The sync that is under way covers records up to here.
    syncing: Option<LogPosition>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new(Box::new(MemoryLog::default()))
    }
}

impl Disk {
    /// An empty one.
    #[must_use]
    pub fn new(log: Box<dyn Medium>) -> Self {
        Self { log, kept: 0, synced: LogPosition::START, unsynced: VecDeque::new(), syncing: None }
    }

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
            self.log.append(position, &record);
            self.kept += 1;
        }
        self.log.sync();
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
        self.kept + self.unsynced.len()
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
        self.log.truncate(position);
        self.unsynced.retain(|(at, _)| *at >= position);
        // Positions have no gaps.
        let span = self.synced.value().saturating_add(1).saturating_sub(position.value());
        self.kept = self.kept.min(usize::try_from(span).unwrap_or(usize::MAX));
    }

    /// A power cut: some first unsynced records survive. Returns the last position that is left.
    pub fn crash(&mut self, chance: &mut Rng) -> LogPosition {
        for (position, record) in core::mem::take(&mut self.unsynced) {
            self.log.append(position, &record);
        }
        self.log.power_cut(chance);
        self.syncing = None;
        self.look_again()
    }

    /// A new disk.
    pub fn wipe(&mut self) {
        *self = Self::default();
    }

    /// A broken disk: the last `lost` records vanish although they were synced.
    pub fn forget_synced(&mut self, lost: usize) {
        self.log.forget_synced(lost);
        self.look_again();
    }

    fn look_again(&mut self) -> LogPosition {
        let records = self.log.load();
        self.kept = records.len();
        self.synced = records.last().map_or(LogPosition::START, |(position, _)| *position);
        self.synced
    }

    /// All records.
    #[must_use]
    pub fn load(&mut self) -> Vec<(LogPosition, Record)> {
        self.log.load()
    }
}
