//! When a replica gives up on its primary: work that does not move, silence, a request left out, or a pace that falls
//! behind the view before. All of it is opinion, no proof: `f + 1` replicas must share it before others join.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, Step};
use crate::{
    config::{Config, ReplicaSet},
    effect::ViewChangeReason,
    ids::{Epoch, ReplicaId, RequestId, Seq, View},
    time::Now,
};

/// What a replica observes of its primary.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicion {
    /// When each peer was last heard.
    heard: BTreeMap<ReplicaId, Duration>,
    /// In which view each of them said that it is.
    views: BTreeMap<ReplicaId, (Epoch, View)>,
    /// When the view began here.
    entered: Duration,
    /// Since when there is work and none of it gets done.
    stuck_since: Option<Duration>,
    /// View changes since anything got done.
    attempts: u32,
    /// Requests executed in this life.
    executed: u64,
    /// Requests that wait past their time.
    passed_over: Option<PassedOver>,
    pace: Pace,
}

/// Requests that a fair primary comes to next, and that wait past their time: one of each client, so that none can hide behind
/// others that are older.
#[derive(Clone, Debug)]
struct PassedOver {
    ids: BTreeSet<RequestId>,
    /// What is executed up to here does not count: it could not hold them.
    from: Seq,
    /// How many numbers a fair primary may still take to come to them. Known once execution has come to `from`.
    left: Option<u64>,
}

/// Requests executed in a thousand seconds, over stretches in which work never ran out.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    since: Duration,
    executed: u64,
    best: u64,
    best_before: u64,
}

/// A pace is measured over this many request timeouts.
const PACE_STRETCH: u32 = 3;
/// A primary that reaches less than this part of the best pace under the one before it is slow.
const SLOW: u64 = 2;

impl Suspicion {
    pub(super) fn heard(&mut self, from: ReplicaId, now: Duration) {
        self.heard.insert(from, now);
    }

    pub(super) fn found_in(&mut self, peer: ReplicaId, epoch: Epoch, view: View) {
        self.views.insert(peer, (epoch, view));
    }

    pub(super) fn forget_all_but(&mut self, members: &ReplicaSet) {
        self.heard.retain(|replica, _| members.contains(*replica));
        *self = Self { heard: core::mem::take(&mut self.heard), executed: self.executed, ..Self::default() };
    }

    /// Something got done, so patience starts anew.
    pub(super) const fn progressed(&mut self, requests: u64, in_view: bool) {
        self.executed = self.executed.saturating_add(requests);
        self.stuck_since = None;
        if in_view {
            self.attempts = 0;
        }
    }

    pub(super) fn gave_up(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        self.stuck_since = None;
        self.passed_over = None;
    }

    pub(super) fn view_entered(&mut self, now: Duration) {
        self.entered = now;
        self.stuck_since = None;
        self.passed_over = None;
        let Pace { best, best_before, .. } = self.pace;
        // A view too short to be measured says nothing; what came before it fades.
        let before = if best > 0 { best } else { best_before / 2 };
        self.pace = Pace { since: now, executed: self.executed, best: 0, best_before: before };
    }

    /// Others have executed up to `others`: what is fetched up to there was decided before. The pace is measured anew.
    fn judge_later(&mut self, others: Seq, now: Duration) {
        if let Some(passed_over) = &mut self.passed_over {
            passed_over.from = passed_over.from.max(others);
        }
        self.pace.restart(now, self.executed);
    }

    /// VC-9: the timeout doubles with each view change that brings nothing, up to a cap.
    pub(super) fn patience(&self, config: &Config) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(16);
        let timeout = config.request_timeout.saturating_mul(1 << doublings);
        timeout.min(config.max_timeout).max(config.request_timeout)
    }
}

impl Pace {
    fn measure(&mut self, now: Duration, executed: u64) -> u64 {
        let millis = u64::try_from(now.saturating_sub(self.since).as_millis()).unwrap_or(u64::MAX);
        let done = executed.saturating_sub(self.executed);
        let pace = done.saturating_mul(1_000_000).checked_div(millis).unwrap_or(0);
        self.restart(now, executed);
        self.best = self.best.max(pace);
        pace
    }

    const fn restart(&mut self, now: Duration, executed: u64) {
        self.since = now;
        self.executed = executed;
    }
}

impl Replica {
    /// Keeps the clocks of this module; called after every step.
    pub(super) fn observe(&mut self, now: Now) {
        // What falls due is work, too, though nobody asks for it: a primary must not hold up deadlines.
        let work = self.is_service_due(now)
            || self.is_needed_of_primary(now.elapsed)
            || self.last_of_epoch().is_some()
            || self.buffer.waiting().requests > 0
            || self.proposed > self.execution.executed;
        let (now, suspicion) = (now.elapsed, &mut self.suspicion);
        if work {
            suspicion.stuck_since.get_or_insert(now);
        } else {
            suspicion.stuck_since = None;
            suspicion.pace.restart(now, suspicion.executed);
        }
    }

    fn judges_primary(&self) -> bool {
        // RE-3: who has successors asks for no other primary. A deadline that it does not act on would fall due for ever.
        let has_a_say = self.is_member() && !self.is_returning() && !self.is_succeeded();
        self.views.active && !self.is_primary() && has_a_say
    }

    /// When to look at the primary next.
    pub(super) fn suspect_at(&self) -> Option<Duration> {
        if !self.judges_primary() {
            return self.views.deadline;
        }
        let stuck = self.suspicion.stuck_since.map(|since| since.saturating_add(self.patience()));
        stuck.into_iter().chain([self.silent_at()]).min()
    }

    fn patience(&self) -> Duration {
        self.suspicion.patience(&self.config)
    }

    /// VC-10: an idle primary is heard, too: its status is its heartbeat.
    fn silent_at(&self) -> Duration {
        let heard = self.suspicion.heard.get(&self.primary()).copied().unwrap_or_default();
        let statuses = self.config.idle_status_period.saturating_mul(3);
        heard.max(self.suspicion.entered).saturating_add(self.patience().max(statuses))
    }

    /// VC-11: gives up on a primary that is silent, or under which nothing gets done.
    pub(super) fn judge_primary(&mut self, step: &mut Step<'_>) {
        let now = step.now.elapsed;
        if !self.judges_primary() || self.suspect_at().is_none_or(|at| now < at) {
            return;
        }
        if !self.another_could_mend_it(now) {
            // Looks again after a while.
            self.suspicion.stuck_since = None;
            self.suspicion.entered = now;
            return;
        }
        let silent = self.silent_at() <= now;
        let why = if silent { ViewChangeReason::Silent } else { ViewChangeReason::NoProgress };
        self.start_view_change(step, self.view.next(), why);
    }

    /// Not if this replica is what is left behind, or cut off.
    pub(super) fn another_could_mend_it(&self, now: Duration) -> bool {
        !self.is_outrun() && self.hears_quorum(now)
    }

    /// Others got further, as at least one correct replica says: this one has to catch up.
    fn is_outrun(&self) -> bool {
        self.credible_claim() > self.execution.executed
    }

    /// VC-12: who hears less than a quorum could not get a new view, but would leave the present one. Whoever spoke from an
    /// earlier view did so before it could say anything about this one: what is heard now may be long past.
    pub(super) fn hears_quorum(&self, now: Duration) -> bool {
        let (since, here) = (self.lately(now), (self.epoch(), self.view));
        let Suspicion { heard, views, .. } = &self.suspicion;
        let is_here = |replica: &ReplicaId| views.get(replica).is_some_and(|said| *said >= here);
        let counts = |(replica, at): &(&ReplicaId, &Duration)| {
            self.config.replicas.contains(**replica) && **at >= since && is_here(replica)
        };
        heard.iter().filter(counts).count().saturating_add(1) >= self.quorum()
    }

    /// Looks, once in a while, whether the primary is fair and fast. What is fetched from others tells neither, and who is cut
    /// off cannot tell (VC-12).
    pub(super) fn judge_service(&mut self, step: &mut Step<'_>) {
        if !self.judges_primary() {
            return;
        }
        let now = step.now.elapsed;
        if self.is_far_behind() || !self.hears_quorum(now) {
            let others = self.credible_claim().max(self.execution.executed);
            self.suspicion.judge_later(others, now);
            return;
        }
        let why = if self.leaves_out_a_request(now) {
            ViewChangeReason::LeftOut
        } else if self.is_slow(now) {
            ViewChangeReason::Slow
        } else {
            return;
        };
        self.start_view_change(step, self.view.next(), why);
    }

    /// the primary of a view has signed two batches for one number, or the others could not have agreed on another one
    /// than this replica was shown. No proof for anybody else, but all that it takes here.
    pub(super) fn give_up_on_deceiver(&mut self, step: &mut Step<'_>, view: View) {
        if self.view == view && self.judges_primary() {
            self.start_view_change(step, view.next(), ViewChangeReason::TwoBatches);
        }
    }

    /// VC-15: after so many stable checkpoints it is the next replica's turn, if the configuration says so.
    pub(super) fn try_rotate(&mut self, step: &mut Step<'_>) {
        let stable = self.stable_seq();
        let span = self.config.checkpoint_period.saturating_mul(self.config.rotation_period);
        let due = stable > self.views.floor() && stable.value().checked_rem(span) == Some(0);
        if due && self.views.active && self.config.sizes().n() > 1 {
            self.start_view_change(step, self.view.next(), ViewChangeReason::Rotation);
        }
    }

    /// VC-13: a request that was next in its client's turn waits past its time, and goes on waiting while twice as many numbers
    /// are executed as all that waits would need.
    fn leaves_out_a_request(&mut self, now: Duration) -> bool {
        let Some(mut passed_over) = self.suspicion.passed_over.take().or_else(|| self.notice(now)) else {
            return false;
        };
        let executed = self.execution.executed;
        let left = match passed_over.left {
            Some(left) => Some(left.saturating_sub(executed.since(passed_over.from))),
            None => (executed >= passed_over.from).then(|| self.turn()),
        };
        if left == Some(0) {
            // Whatever came in before it, of the same client, goes first.
            let next = self.buffer.next_in_turn(now, now);
            return next.iter().any(|id| passed_over.ids.contains(id));
        }
        passed_over.left = left;
        passed_over.from = passed_over.from.max(executed);
        self.suspicion.passed_over = Some(passed_over);
        false
    }

    fn notice(&mut self, now: Duration) -> Option<PassedOver> {
        let since = now.saturating_sub(self.config.request_timeout);
        let ids: BTreeSet<_> = self.buffer.next_in_turn(now, since).into_iter().collect();
        (!ids.is_empty()).then(|| PassedOver { ids, from: self.under_way(), left: None })
    }

    /// The last number that a fair primary may have given away by now: what the view began with, and then no more than can be
    /// in flight, past an execution that is ahead of this one by no more than that (who is farther behind judges nobody).
    /// Another primary may have proposed anything at the end of the window.
    fn under_way(&self) -> Seq {
        let begun =
            self.views.new_view.as_ref().and_then(|begun| begun.announcement.statement.pre_prepares.last());
        let begun = begun.map_or(Seq::ZERO, |assigned| assigned.statement.seq);
        let in_flight = self.config.max_in_flight.saturating_mul(2);
        begun.max(self.proposed.min(self.execution.executed.plus(in_flight)))
    }

    /// In how many numbers a fair primary comes to what waits here, one after the other: twice as many as that would take with
    /// the tenth of each batch that is left to whatever is not urgent, and two.
    fn turn(&self) -> u64 {
        let (waiting, config) = (self.buffer.waiting(), &self.config);
        let tenths = |waiting: usize, room: usize| waiting.saturating_mul(10).div_ceil(room.max(1)) as u64;
        let batches = tenths(waiting.requests, config.max_batch_requests);
        batches.max(tenths(waiting.bytes, config.max_batch_bytes)).saturating_mul(2).saturating_add(2)
    }

    /// VC-14: work never runs out, requests wait long, and less than half gets done of what did under the primary
    /// before (Clement et al., NSDI '09).
    fn is_slow(&mut self, now: Duration) -> bool {
        let stretch = self.config.request_timeout.saturating_mul(PACE_STRETCH);
        let Suspicion { pace, executed, .. } = &mut self.suspicion;
        if now.saturating_sub(pace.since) < stretch {
            return false;
        }
        let best_before = pace.best_before;
        let reached = pace.measure(now, *executed);
        let waiting = (self.buffer.waiting().requests as u64).saturating_mul(1_000_000);
        let millis = u64::try_from(self.config.request_timeout.as_millis()).unwrap_or(u64::MAX);
        let wait_long = waiting > reached.saturating_mul(millis);
        wait_long && reached.saturating_mul(SLOW) < best_before
    }
}
