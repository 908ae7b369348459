//! Timers. Each part of the protocol says when it wants to be called next ([`Replica::update_timer`] has the list); the
//! host sees only the earliest, as one timer.

use core::time::Duration;

use super::{Replica, Step};
use crate::{effect::Effect, message::Message, time::Now};

/// When what falls due.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    status_at: Duration,
    forward_at: Option<Duration>,
    last_progress: Option<Duration>,
    armed: Option<Duration>,
    /// When the replica was last called.
    last_step: Now,
}

impl Timers {
    pub(super) const fn last_step(&self) -> Now {
        self.last_step
    }

    pub(super) const fn progressed(&mut self, now: Duration) {
        self.last_progress = Some(now);
    }
}

impl Replica {
    pub(super) fn on_timer(&mut self, step: &mut Step<'_>) {
        self.timers.armed = None;
        let now = step.now.elapsed;
        // What nobody has said for a while is no work any more.
        self.observe(step.now);
        if now >= self.timers.status_at {
            self.on_status_timer(step);
        }
        if self.timers.forward_at.is_some_and(|at| now >= at) {
            self.timers.forward_at = None;
            self.forward_overdue(step);
        }
        self.on_view_change_timer(step);
        self.judge_primary(step);
        self.try_wake_service(step);
        self.on_transfer_timer(step);
    }

    /// ST-1, and CU-1 when nothing has moved since the last time, or a peer takes too long.
    fn on_status_timer(&mut self, step: &mut Step<'_>) {
        self.timers.status_at = step.now.elapsed.saturating_add(self.status_period(step.now.elapsed));
        self.send_status(step);
        self.grant(step);
        self.send_view_change_again(step);
        self.ask_where_others_are(step);
        self.watch_gap(step);
        self.judge_service(step);
        if self.is_stalled(step) || self.is_kept_waiting(step.now.elapsed) {
            self.try_fetch(step);
        }
    }

    fn status_period(&self, now: Duration) -> Duration {
        if self.has_unfinished_work(now) { self.config.status_period } else { self.config.idle_status_period }
    }

    fn has_unfinished_work(&self, now: Duration) -> bool {
        let executed = self.execution.executed;
        self.proposed > executed
            || self.certified() < executed
            || self.buffer.waiting().requests > 0
            || self.credible_claim() > executed
            || self.proven_seq() > executed
            || !self.views.active
            || self.last_of_epoch().is_some()
            || self.is_returning()
            || self.transfer.is_running()
            || self.is_needed(now)
            || self.log.slots().next_back().is_some_and(|(seq, _)| seq > executed)
    }

    /// Nothing was executed for a status period.
    pub(super) fn is_stalled(&self, step: &Step<'_>) -> bool {
        let since = |progress: Duration| step.now.elapsed.saturating_sub(progress);
        self.timers.last_progress.is_none_or(|progress| since(progress) >= self.config.status_period)
    }

    /// what does not execute in time is handed to the primary (again). Who is behind, or hears no statuses since it is
    /// no member, cannot tell what was executed.
    fn forward_overdue(&mut self, step: &mut Step<'_>) {
        let behind = self.is_far_behind() || self.batches_are_gone() || self.transfer.is_running();
        if behind || !self.has_place_in(&self.roster().newest().replicas) {
            return;
        }
        let now = step.now.elapsed;
        let since = now.saturating_sub(self.config.forward_after);
        let overdue = self.buffer.overdue(now, since, self.batch_limits());
        if overdue.is_empty() {
            return;
        }
        if self.has_left() {
            // The others may be content in a view whose primary it does not follow.
            self.tell_others(step, &overdue);
        } else if !self.is_primary() && self.views.active {
            step.push(Effect::Send(self.primary(), Message::Forward(overdue)));
        }
    }

    /// T-2: the primary moves time on with an empty batch when the service has something due and nothing else comes.
    fn try_wake_service(&mut self, step: &mut Step<'_>) {
        if self.is_service_due(step.now) && self.in_flight() == 0 && self.may_propose() {
            self.propose(step, Vec::new());
        }
    }

    /// Whether something in the service falls due, so that time has to move on.
    pub(super) fn is_service_due(&self, now: Now) -> bool {
        self.execution.wake_at.is_some_and(|at| at <= now.wall)
    }

    fn wake_service_at(&self, step: &Step<'_>) -> Option<Duration> {
        let at = self.execution.wake_at?;
        // A primary whose window is full cannot act on it: a deadline now, and again now, would never end.
        let may_act = self.in_flight() == 0 && self.may_propose();
        may_act.then(|| step.now.elapsed.saturating_add(at.since(step.now.wall)))
    }

    /// Tells the host the earliest deadline, if it has changed.
    pub(super) fn update_timer(&mut self, step: &mut Step<'_>) {
        let now = step.now.elapsed;
        self.timers.last_step = step.now;
        self.timers.status_at = self.timers.status_at.min(now.saturating_add(self.status_period(now)));
        if self.timers.forward_at.is_none() && self.buffer.waiting().requests > 0 {
            self.timers.forward_at = Some(now.saturating_add(self.config.forward_after));
        }
        let deadlines = [
            Some(self.timers.status_at),
            self.timers.forward_at,
            self.wake_service_at(step),
            self.suspect_at(),
            self.transfer_at(step),
        ];
        let Some(next) = deadlines.into_iter().flatten().min() else { return };
        // A little late is good enough: a deadline that moves by microseconds is not worth a system call.
        let moved = self.timers.armed.is_none_or(|armed| next < armed || next > armed.saturating_add(SLACK));
        if moved {
            self.timers.armed = Some(next);
            step.push(Effect::SetTimer(next));
        }
    }
}

const SLACK: Duration = Duration::from_millis(50);
