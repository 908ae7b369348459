//! What must hold of a replica after each step, and what it may keep at most.

use pbft_core::{
    ReplicaId, Seq, View,
    storage::{LogPosition, Record},
};

use super::Simulation;
use crate::{checks::Violation, counters::Sometimes, plan::Tuning};

/// Where in its log a replica came to another view, as far back as the log goes.
#[derive(Default)]
pub(super) struct Kept {
    views: Vec<(LogPosition, Option<View>)>,
}

impl Kept {
    /// VIEW-CHANGE, NEW-VIEW, and both again after each checkpoint: a view counts once. So does an epoch.
    pub(super) fn on_record(&mut self, position: LogPosition, record: &Record) {
        let view = match record {
            Record::ViewChange(proven) => Some(proven.vote.statement.view),
            Record::NewView(new_view) => Some(new_view.view()),
            Record::Handover(_) => None,
            _ => return,
        };
        if self.views.last().is_none_or(|(_, last)| *last != view) {
            self.views.push((position, view));
        }
    }

    /// Records after `last` are gone: a crash took them.
    pub(super) fn cut(&mut self, last: LogPosition) {
        self.views.retain(|(position, _)| *position <= last);
    }

    /// Records before `first` are given up.
    pub(super) fn truncate(&mut self, first: LogPosition) {
        self.views.retain(|(position, _)| *position >= first);
    }

    /// How many records a log can have (CK-6).
    ///
    /// *Numbers.* The log keeps what was written of the numbers in the archive and past the low water mark `h`, and all
    /// after the first such record. A number is written about once it is in the window, so that record is at most a window
    /// older than its number, and no record is about a number past `h + L`: with an archive of `A` batches these are
    /// `A + 2L` numbers. Truncation waits for a sync, in which others may take this replica further: two windows more.
    /// *For each number:* proposal, prepare, commit, and what makes it final. *For each checkpoint:* the checkpoint, its
    /// proof (when it comes, and with the next checkpoint), the view, the return from a lost disk, the handovers; the same if a state was
    /// taken over instead. *For each view:* VIEW-CHANGE and NEW-VIEW, and new votes for the numbers in flight, at most a
    /// window. Views are the one thing that the window does not bound: without progress they follow each other, no
    /// faster than timeouts grow.
    fn most_records(&self, tuning: &Tuning) -> usize {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (window, period) = (size(tuning.window), size(tuning.checkpoint_period));
        // An archived batch weighs 1 KiB at least.
        let numbers = tuning.archive_bytes / 1024 + 4 * window;
        let checkpoints = numbers / period + 2;
        4 * numbers + 6 * checkpoints + (2 + 3 * window) * self.views.len() + RETURN_RECORDS
    }
}

/// A replica that lost its disk says so, and when it votes again.
const RETURN_RECORDS: usize = 2;

impl Simulation {
    /// What must hold of a replica after each step.
    pub(super) fn check_node(&mut self, replica: ReplicaId) -> Result<(), Violation> {
        if self.plan.is_byzantine(replica) {
            return Ok(());
        }
        let node = &mut self.nodes[replica.index()];
        let Some(life) = &node.life else { return Ok(()) };
        life.replica.check_invariants().map_err(|broken| Violation::Invariant { replica, broken })?;
        let progress = life.replica.progress();
        if node.wiped && !node.is_returning() {
            self.counters.saw(Sometimes::VotesAgain);
        }
        if progress.proposed > progress.executed.next() {
            self.counters.saw(Sometimes::SeveralInFlight);
        }
        let moved = |what, before: Seq, after: Seq| Violation::MovedBack { replica, what, before, after };
        if progress.low < node.low {
            return Err(moved("the low water mark", node.low, progress.low));
        }
        if progress.executed != life.cursor {
            return Err(moved("the cursor", life.cursor, progress.executed));
        }
        if node.disk.at_risk() == 0 {
            node.low = progress.low;
        }
        let (tuning, waiting) = (&self.plan.tuning, progress.waiting_requests);
        let bounds = [
            ("records", node.disk.len(), node.kept.most_records(tuning)),
            ("waiting requests", usize::try_from(waiting).unwrap_or(usize::MAX), tuning.buffered_requests),
        ];
        match bounds.into_iter().find(|(_, count, limit)| count > limit) {
            Some((what, count, limit)) => Err(Violation::Unbounded { replica, what, count, limit }),
            None => Ok(()),
        }
    }
}
