//! Pace: where nothing goes wrong nothing waits for a timer. Only in runs in which it is clear how long things may take.

use core::time::Duration;
use std::collections::BTreeMap;

use pbft_core::{ReplicaId, Seq};

use super::Violation;
use crate::plan::Plan;

/// When what was done, and how long it may take.
#[derive(Debug, Default)]
pub struct Pace {
    limits: Option<Limits>,
    proposed: BTreeMap<Seq, Duration>,
    executed: BTreeMap<Seq, Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    /// From the proposal to the first execution, and from one execution to the next.
    order: Duration,
    /// From the first execution to the last.
    follow: Duration,
}

/// A replica can fall behind only by so many numbers.
const WIDE_WINDOW: u64 = 16;
const FAST: Duration = Duration::from_millis(4);

impl Pace {
    pub(super) fn new(plan: &Plan) -> Self {
        let (delay, sync, execute) = (plan.network.delay.1, plan.sync.1, plan.execute.1);
        let fast = delay <= FAST && sync <= FAST && execute <= FAST;
        let tuning = &plan.tuning;
        let steady = tuning.rotation_period == 0 && tuning.window >= WIDE_WINDOW;
        let slack = Duration::from_millis(10) + execute * 20;
        let limits = Limits { order: delay * 4 + sync * 6 + slack, follow: delay * 2 + slack };
        Self { limits: (plan.is_calm() && fast && steady).then_some(limits), ..Self::default() }
    }

    /// A view that changes is a good reason to wait.
    pub(super) fn on_view_change(&mut self) {
        self.limits = None;
    }

    pub(super) fn on_proposed(&mut self, now: Duration, seq: Seq) {
        if self.limits.is_some() {
            self.proposed.entry(seq).or_insert(now);
        }
    }

    pub(super) fn on_execute(
        &mut self,
        now: Duration,
        replica: ReplicaId,
        seq: Seq,
    ) -> Result<(), Violation> {
        let Some(limits) = self.limits else { return Ok(()) };
        let before = seq.value().checked_sub(1).and_then(|before| self.executed.get(&Seq::new(before)));
        let could_begin = self.proposed.get(&seq).max(before).copied().unwrap_or(now);
        let first = self.executed.entry(seq).or_insert(now);
        let late = |since: Duration, limit: Duration| {
            let behind = now.saturating_sub(since);
            (behind > limit).then_some(Violation::Dawdles { replica, seq, behind })
        };
        let follows = late(*first, limits.follow);
        match follows.or_else(|| if *first == now { late(could_begin, limits.order) } else { None }) {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }
}
