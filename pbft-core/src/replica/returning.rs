//! A replica that lost its log does not know what it voted for, nor which views it left. It follows the others, votes again
//! only where it cannot have voted before, and takes for left what it may have left (SX-8 to SX-11).

use std::collections::BTreeMap;

use pbft_crypto::Digest;

use super::{Replica, Step};
use crate::{
    effect::{Effect, ViewChangeReason},
    ids::{Epoch, ReplicaId, Seq, View},
    message::{Message, Request, Returned, Standing, Status},
    quorum::QuorumSizes,
    storage::{Durable, LogPosition, Record, ReturnRecord},
    time::UnixMillis,
};

/// What a replica that lost its log may not do yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Returning {
    record: ReturnRecord,
    position: Option<LogPosition>,
    /// The name of this return: only answers to it count.
    since: UnixMillis,
    /// Who has said where it stands.
    reports: BTreeMap<ReplicaId, (Epoch, View)>,
    /// Whether the log will remember what the record says.
    durable: bool,
    /// Requests that the others were told of, and how far they were known to be then.
    told: BTreeMap<Digest, Seq>,
}

impl Returning {
    pub(super) fn recorded(record: ReturnRecord, position: LogPosition) -> Self {
        Self { record, position: Some(position), durable: true, ..Self::default() }
    }

    pub(super) const fn position(&self) -> Option<LogPosition> {
        self.position
    }
}

impl Replica {
    /// SX-9: whether it must not vote yet.
    pub(super) fn is_returning(&self) -> bool {
        let stable = self.stable_seq();
        let waits = |returning: &Returning| returning.record.votes_from.is_none_or(|from| stable < from);
        self.returning.as_ref().is_some_and(waits)
    }

    /// From which stable checkpoint on a replica that lost its log votes again: 0 if it does not know yet, nothing if it
    /// votes.
    #[must_use]
    pub fn votes_from(&self) -> Option<Seq> {
        let returning = self.returning.as_ref().filter(|_| self.is_returning())?;
        Some(returning.record.votes_from.unwrap_or_default())
    }

    /// The first thing that such a replica does: the log must say that it was empty.
    pub(super) fn start_return(&mut self, step: &mut Step<'_>) {
        let Some(returning) = &mut self.returning else { return };
        returning.since = step.now.wall;
        if returning.position.is_none() {
            self.persist_return_record(step);
        }
        self.ask_where_others_are(step);
    }

    fn persist_return_record(&mut self, step: &mut Step<'_>) {
        let Some(record) = self.returning.as_ref().map(|returning| returning.record) else { return };
        let position = self.persist(step, Record::Returned(record));
        if let Some(returning) = &mut self.returning {
            returning.position = Some(position);
        }
    }

    /// At each checkpoint, so that the record does not keep the log from being truncated.
    pub(super) fn persist_return(&mut self, step: &mut Step<'_>) {
        let over = !self.is_returning();
        let (epoch, view, active) = (self.epoch(), self.view, self.views.active);
        let past = |record: &ReturnRecord| {
            epoch > record.epoch || (active && epoch == record.epoch && view >= record.last_view)
        };
        if self.returning.take_if(|returning| over && past(&returning.record)).is_none() {
            self.persist_return_record(step);
        }
    }

    /// SX-8: asks until a quorum of the others has answered.
    pub(super) fn ask_where_others_are(&self, step: &mut Step<'_>) {
        if let Some(returning) = &self.returning
            && returning.record.votes_from.is_none()
        {
            step.push(Effect::Broadcast(Message::Returned(Returned { since: returning.since })));
        }
    }

    pub(super) fn on_returned(&mut self, step: &mut Step<'_>, from: ReplicaId, returned: Returned) {
        // Who may lack a handover does not know where the others are.
        let settled = self.epoch() == self.roster().newest().epoch()
            && self.last_of_epoch().is_none_or(|last| self.execution.executed < last);
        // Nor does one who lost its own, or whose word a crash could take away.
        let certain = settled && !self.is_returning() && self.has_asked();
        if from == self.id || !self.roster().knows(from) || !certain {
            return;
        }
        let (now, pause) = (step.now.elapsed, self.answer_pause());
        let before = self.serving.standings.get(&from);
        if before.is_some_and(|before| now.saturating_sub(*before) < pause) {
            return;
        }
        self.serving.standings.insert(from, now);
        let stable = self.checkpoints.proven.clone();
        let standing = Standing { since: returned.since, epoch: self.epoch(), view: self.view, stable };
        step.push(Effect::Send(from, Message::Standing(standing)));
    }

    /// SX-8 and SX-9: what this replica may have voted for lies at most two windows past the newest checkpoint that a
    /// quorum of the others can prove.
    pub(super) fn on_standing(&mut self, step: &mut Step<'_>, from: ReplicaId, standing: Standing) {
        let member = from != self.id && self.roster().knows(from);
        let Some(returning) = &mut self.returning else { return };
        let open = returning.record.votes_from.is_none() && standing.since == returning.since;
        if !member || !open {
            return;
        }
        returning.reports.insert(from, (standing.epoch, standing.view));
        if let Some(stable) = standing.stable {
            self.on_stable(step, stable);
        }
        self.try_set_return(step);
    }

    fn try_set_return(&mut self, step: &mut Step<'_>) {
        let newest = self.roster().newest().clone();
        let votes_from = self.past_all_votes();
        let Some(returning) = &mut self.returning else { return };
        // The handovers come with statuses; until this replica knows the epoch of the others it waits.
        let counts = |(from, (epoch, view)): (&ReplicaId, &(Epoch, View))| {
            (*epoch == newest.epoch() && newest.replicas.contains(*from)).then_some(*view)
        };
        let reported: Vec<_> = returning.reports.iter().filter_map(counts).collect();
        let Some(wanted) = wanted_by_a_quorum(reported, newest.sizes()) else { return };
        let epoch = newest.epoch();
        let record = ReturnRecord { votes_from: Some(votes_from), last_view: wanted.next(), epoch };
        (returning.record, returning.durable) = (record, false);
        self.persist_return_record(step);
        self.leave_as_returned();
    }

    /// SX-10: it may have left all views before this one, so it has; and asks for none of them, as it may have before, in
    /// other words.
    pub(super) fn leave_as_returned(&mut self) {
        let counts = |record: &ReturnRecord| record.votes_from.is_some() && record.epoch == self.epoch();
        let record = self.returning.as_ref().map(|returning| returning.record).filter(counts);
        if let Some(record) = record.filter(|_| self.is_member()) {
            self.leave_views_before(record.last_view);
        }
    }

    /// The others may count on it.
    pub(super) fn on_return_durable(&mut self, step: &mut Step<'_>, through: Durable) {
        let Some(returning) = &mut self.returning else { return };
        let written = returning.position.is_some_and(|position| position <= through.position());
        if written && returning.record.votes_from.is_some() && !returning.durable {
            returning.durable = true;
            self.send_status(step);
            self.try_await_new_view(step);
        }
    }

    /// SX-10: whether it waits for its view without having asked for it.
    pub(super) fn has_left(&self) -> bool {
        let left = |returning: &Returning| {
            let ReturnRecord { last_view, epoch, .. } = returning.record;
            returning.durable && (epoch, last_view) == (self.epoch(), self.view)
        };
        !self.views.active && self.returning.as_ref().is_some_and(left)
    }

    /// hands requests to all members but those who wait like this one: they would hand them back.
    pub(super) fn tell_others(&mut self, step: &mut Step<'_>, requests: &[Request]) {
        let reached = self.credible_claim().max(self.execution.executed);
        let lately = self.lately(step.now.elapsed);
        let waits = |other: ReplicaId| other == self.id || self.views.has_left(other, lately);
        for other in self.roster().newest().replicas.ids().filter(|other| !waits(*other)) {
            step.push(Effect::Send(other, Message::Forward(requests.to_vec())));
        }
        let Some(returning) = &mut self.returning else { return };
        let before = |digest: &Digest| returning.told.get(digest).copied();
        let told = requests.iter().map(Request::digest);
        returning.told = told.map(|digest| (digest, before(&digest).unwrap_or(reached))).collect();
    }

    /// whether the others were told of a request before they got to `seq`.
    pub(super) fn told_before(&self, request: &Request, seq: Seq) -> bool {
        let told = self.returning.as_ref().map(|returning| &returning.told).filter(|told| !told.is_empty());
        told.and_then(|told| told.get(&request.digest())).is_some_and(|reached| *reached < seq)
    }

    /// What comes again is told again.
    pub(super) fn forget_told_before(&mut self, seq: Seq) {
        if let Some(returning) = &mut self.returning {
            returning.told.retain(|_, reached| *reached >= seq);
        }
    }

    /// The first checkpoint at which nothing that this replica may have voted for is in flight any more.
    fn past_all_votes(&self) -> Seq {
        let past = self.proven_seq().plus(self.config.window.saturating_mul(2)).value();
        let periods = past.div_ceil(self.config.checkpoint_period.max(1));
        Seq::new(periods.saturating_mul(self.config.checkpoint_period))
    }

    /// SX-11: a primary that does not vote cannot lead. What it says in an earlier view may be old, and VC-11 remains.
    pub(super) fn judge_leader(&mut self, step: &mut Step<'_>, from: ReplicaId, status: &Status) {
        let leads = status.votes && !status.left;
        let says_so_now = !leads && (status.epoch, status.view) >= (self.epoch(), self.view);
        let is_followed = from == self.primary() && self.views.active;
        if says_so_now && is_followed && self.hears_quorum(step.now.elapsed) {
            self.start_view_change(step, self.view.next(), ViewChangeReason::NotVoting);
        }
    }
}

/// SX-10: the latest view of which one who lost its log can be sure that a quorum wanted no later one. That quorum shares
/// this many correct replicas with those who reported, when `f - 1` of the others lie; so one of the latest as many
/// reports is not too early. Nothing until a quorum has reported.
fn wanted_by_a_quorum(mut reported: Vec<View>, sizes: QuorumSizes) -> Option<View> {
    if reported.len() < sizes.quorum() {
        return None;
    }
    let strangers = sizes.n().saturating_sub(sizes.quorum());
    let liars = sizes.f().saturating_sub(1);
    let shared = reported.len().saturating_sub(strangers.saturating_add(liars)).max(1);
    reported.sort_unstable_by(|left, right| right.cmp(left));
    reported.get(shared.saturating_sub(1)).copied()
}
