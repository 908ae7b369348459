//! Executed batches below the low water mark, kept for peers that lag.

use std::collections::BTreeMap;

use crate::{ids::Seq, message::CommittedBatch, storage::LogPosition};

/// The most recent final batches, without a gap, up to a number of bytes.
#[derive(Clone, Debug)]
pub struct Archive {
    limit: usize,
    bytes: usize,
    batches: BTreeMap<Seq, Archived>,
}

#[derive(Clone, Debug)]
struct Archived {
    position: LogPosition,
    batch: CommittedBatch,
}

/// What a batch costs besides its operations: certificate and headers, generously.
const BATCH_OVERHEAD: usize = 1024;
/// What a request costs besides its operation.
const REQUEST_OVERHEAD: usize = 64;

fn cost(batch: &CommittedBatch) -> usize {
    let requests = batch.batch.requests.len().saturating_mul(REQUEST_OVERHEAD);
    batch.batch.operation_bytes().saturating_add(requests).saturating_add(BATCH_OVERHEAD)
}

impl Archive {
    /// An empty one.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, batches: BTreeMap::new() }
    }

    /// Adds a final batch; the oldest make room.
    pub fn push(&mut self, seq: Seq, position: LogPosition, batch: CommittedBatch) {
        if self.last().is_some_and(|last| last.next() != seq) {
            self.clear();
        }
        self.bytes = self.bytes.saturating_add(cost(&batch));
        self.batches.insert(seq, Archived { position, batch });
        while self.bytes > self.limit
            && let Some((_, oldest)) = self.batches.pop_first()
        {
            self.bytes = self.bytes.saturating_sub(cost(&oldest.batch));
        }
    }

    /// A batch, if it is still here.
    #[must_use]
    pub fn batch(&self, seq: Seq) -> Option<&CommittedBatch> {
        self.batches.get(&seq).map(|archived| &archived.batch)
    }

    /// Where their records start. Records need not lie in the order of numbers.
    #[must_use]
    pub fn first_position(&self) -> Option<LogPosition> {
        self.batches.values().map(|archived| archived.position).min()
    }

    /// The oldest number that is here.
    #[must_use]
    pub fn first(&self) -> Option<Seq> {
        self.batches.keys().next().copied()
    }

    /// The newest number that is here.
    #[must_use]
    pub fn last(&self) -> Option<Seq> {
        self.batches.keys().next_back().copied()
    }

    /// Gives up all of it.
    pub fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// The memory in use.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}
