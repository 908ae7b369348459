//! What a node's replica waits for, and since when.

use std::time::{Duration, Instant};

use pbft_core::{Replica, Seq, replica::WaitsFor};

/// What stands in the way of a replica.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Since when it has waited for something of this kind, and executed nothing.
    pub since: Instant,
    executed: Seq,
}

impl Diagnosis {
    pub(crate) fn of(replica: &Replica) -> Self {
        let executed = replica.progress().executed;
        Self { waits_for: replica.diagnose(), since: Instant::now(), executed }
    }

    /// Looks again.
    pub(crate) fn look(&mut self, replica: &Replica) {
        let now = Self::of(replica);
        let same = now.waits_for.kind() == self.waits_for.kind() && now.executed == self.executed;
        *self = Self { since: if same { self.since } else { now.since }, ..now };
    }

    /// How long it has waited by now; no time at all if it waits for nothing.
    #[must_use]
    pub fn waited(&self) -> Duration {
        if self.waits_for == WaitsFor::Nothing { Duration::ZERO } else { self.since.elapsed() }
    }
}
