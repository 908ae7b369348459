//! What a replica knows of the numbers between its water marks, and of older ones for peers that lag.

mod archive;
mod slot;
mod votes;

use std::collections::BTreeMap;

pub use archive::Archive;
pub use slot::Slot;
pub use votes::{Added, Votes};

use crate::{
    ids::Seq,
    message::{CommittedBatch, SlotStatus},
    storage::LogPosition,
};

/// The numbers in `(low, low + window]`, and an archive of executed ones up to `low`.
#[derive(Clone, Debug)]
pub struct MessageLog {
    low: Seq,
    window: u64,
    /// Numbers past this one are not this epoch's.
    last: Seq,
    slots: BTreeMap<Seq, Slot>,
    archive: Archive,
}

impl MessageLog {
    /// An empty log after `low`.
    #[must_use]
    pub const fn new(low: Seq, window: u64, archive_bytes: usize) -> Self {
        Self {
            low,
            window,
            last: Seq::new(u64::MAX),
            slots: BTreeMap::new(),
            archive: Archive::new(archive_bytes),
        }
    }

    /// The low water mark.
    #[must_use]
    pub const fn low(&self) -> Seq {
        self.low
    }

    /// The high water mark.
    #[must_use]
    pub fn high(&self) -> Seq {
        self.low.plus(self.window).min(self.last)
    }

    /// RE-3: nothing past `last` is decided on in this epoch.
    pub(crate) fn end_at(&mut self, last: Option<Seq>) {
        self.last = last.unwrap_or(Seq::new(u64::MAX));
        self.slots.split_off(&self.last.next());
    }

    /// The same log with another window. Recovery reads records without one: they were within it when written.
    pub(crate) fn set_window(&mut self, window: u64) {
        self.window = window;
        // A view may assign numbers that this replica's window has not reached; nothing was written about them.
        self.slots.split_off(&self.high().next());
    }

    /// What is known of a number in the window.
    #[must_use]
    pub fn slot(&self, seq: Seq) -> Option<&Slot> {
        self.slots.get(&seq)
    }

    /// The slot of a number, made if need be; nothing outside the window.
    pub fn slot_mut(&mut self, seq: Seq) -> Option<&mut Slot> {
        let inside = seq > self.low && seq <= self.high();
        inside.then(|| self.slots.entry(seq).or_default())
    }

    /// The view ends: votes go, batches and proofs stay.
    pub fn leave_view(&mut self) {
        self.slots.values_mut().for_each(Slot::leave_view);
    }

    /// All slots in order.
    pub fn slots(&self) -> impl DoubleEndedIterator<Item = (Seq, &Slot)> {
        self.slots.iter().map(|(seq, slot)| (*seq, slot))
    }

    /// How far each number after `executed` got, up to the last one heard of.
    #[must_use]
    pub fn progress_after(&self, executed: Seq) -> Vec<SlotStatus> {
        let last = self.slots.keys().next_back().copied().unwrap_or(executed);
        let numbers = (executed.next().value()..=last.value()).map(Seq::new);
        numbers.map(|seq| self.slot(seq).map_or(SlotStatus::Empty, Slot::status)).collect()
    }

    /// A batch that is final, if it is still here.
    #[must_use]
    pub fn committed(&self, seq: Seq) -> Option<CommittedBatch> {
        match self.slot(seq) {
            Some(slot) => slot.committed_batch(),
            None => self.archive.batch(seq).cloned(),
        }
    }

    /// Moves the low water mark up to `low`; final batches go to the archive.
    pub fn advance_to(&mut self, low: Seq) {
        if low <= self.low {
            return;
        }
        let above = self.slots.split_off(&low.next());
        for (seq, slot) in core::mem::replace(&mut self.slots, above) {
            if let Some(batch) = slot.committed_batch() {
                self.archive.push(seq, slot.position(), batch);
            }
        }
        self.low = low;
        // The replica jumped over what lies between: what it has of it is of no use to a peer.
        if self.archive.last() != Some(low) {
            self.archive.clear();
        }
    }

    /// The oldest batch that can be handed out, given how far this replica executed.
    #[must_use]
    pub fn first_available(&self, executed: Seq) -> Seq {
        self.archive.first().unwrap_or(self.low.next()).min(executed.next())
    }

    /// The place of the oldest record that is still of use, if there is any.
    #[must_use]
    pub fn first_needed(&self) -> Option<LogPosition> {
        let slots = self.slots.values().map(Slot::position).filter(|position| *position > LogPosition::START);
        self.archive.first_position().into_iter().chain(slots).min()
    }

    /// The number before the oldest one that is of use to anyone.
    #[must_use]
    pub fn floor(&self) -> Seq {
        self.archive.first().map_or(self.low, |first| Seq::new(first.value().saturating_sub(1)).min(self.low))
    }

    /// The executed batches kept for peers.
    #[must_use]
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }
}
