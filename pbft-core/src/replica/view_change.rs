//! VIEW-CHANGE: replicas give up on a primary together. When a replica does so by itself is in [`super::suspicion`].

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::{Replica, Step, outbox::Vote};
use crate::{
    effect::{Effect, ViewChangeReason},
    evidence::Evidence,
    ids::{ReplicaId, Seq, View},
    message::{Message, PreparedCertificate, ProvenNewView, ProvenViewChange, Status, ViewChange},
    storage::{LogPosition, Record},
};

/// What a replica knows of views.
#[derive(Clone, Debug)]
pub(super) struct Views {
    /// Whether it takes part in its view: not between its VIEW-CHANGE and a NEW-VIEW.
    pub(super) active: bool,
    /// Its own VIEW-CHANGE, while it waits for the view.
    pub(super) own: Option<Box<ProvenViewChange>>,
    /// What began the present view; view 0 needs nothing.
    pub(super) new_view: Option<Box<ProvenNewView>>,
    /// Whether this replica's own NEW-VIEW is durable.
    pub(super) announced: bool,
    /// Where the log says in which view this replica is.
    pub(super) position: Option<LogPosition>,
    /// When to give up on a view that does not begin.
    pub(super) deadline: Option<Duration>,
    /// The newest VIEW-CHANGE of each replica.
    votes: BTreeMap<ReplicaId, Box<ProvenViewChange>>,
    /// Which view each replica waits for that may not ask for it (SX-10), and when it said so.
    left: BTreeMap<ReplicaId, (View, Duration)>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            active: true,
            own: None,
            new_view: None,
            announced: false,
            position: None,
            deadline: None,
            votes: BTreeMap::new(),
            left: BTreeMap::new(),
        }
    }
}

impl Views {
    /// The view began after this checkpoint: its primary assigns nothing up to it.
    pub(super) fn floor(&self) -> Seq {
        let stable = self.new_view.as_ref().and_then(|new_view| new_view.stable.as_ref());
        stable.map_or(Seq::ZERO, |stable| stable.statement.seq)
    }

    /// The view-changes for exactly this view, ascending by signer.
    pub(super) fn votes_for(&self, view: View) -> impl Iterator<Item = &ProvenViewChange> {
        self.votes.values().map(|proven| &**proven).filter(move |proven| proven.vote.statement.view == view)
    }

    /// SX-10: whether it has said since then, and last, that it waits for a view for which it only left.
    pub(super) fn has_left(&self, replica: ReplicaId, since: Duration) -> bool {
        self.left.get(&replica).is_some_and(|(_, at)| *at >= since)
    }

    /// Who wants this view or a later one, or has said since then that it has left for one.
    fn wanted_by(&self, view: View, since: Duration) -> BTreeSet<ReplicaId> {
        let asked = self.votes.values().map(|proven| (proven.vote.signer, proven.vote.statement.view));
        let left = self.left.iter().filter(|(_, (_, at))| *at >= since);
        let left = left.map(|(replica, (view, _))| (*replica, *view));
        asked.chain(left).filter(|(_, wanted)| *wanted >= view).map(|(replica, _)| replica).collect()
    }

    pub(super) fn keep_vote(&mut self, proven: Box<ProvenViewChange>) {
        self.votes.insert(proven.vote.signer, proven);
    }
}

impl Replica {
    /// VC-1: takes no further part in earlier views, and tells what the next primary must not forget.
    pub(super) fn start_view_change(&mut self, step: &mut Step<'_>, view: View, why: ViewChangeReason) {
        if !self.is_member() || self.is_returning() || self.is_succeeded() {
            return;
        }
        step.push(Effect::ViewChange { view, why });
        self.suspicion.gave_up();
        self.leave_views_before(view);
        let proven = self.make_view_change();
        let record = Record::ViewChange(proven.clone());
        let position = self.persist_then_vote(step, record, Vote::ViewChange(proven.clone()));
        self.views.position = Some(position);
        self.views.own = Some(proven);
        self.try_await_new_view(step);
    }

    /// The view is `view` from now on, and waits to begin. What was prepared before stays known.
    pub(super) fn leave_views_before(&mut self, view: View) {
        if view <= self.view {
            return;
        }
        self.view = view;
        self.views.active = false;
        self.views.own = None;
        self.views.new_view = None;
        self.views.announced = false;
        self.views.deadline = None;
        self.views.position = None;
        self.views.left.clear();
        self.log.leave_view();
        self.buffer.release();
    }

    fn make_view_change(&self) -> Box<ProvenViewChange> {
        let stable = self.checkpoints.proven.clone();
        let reached = stable.as_ref().map_or(Seq::ZERO, |proven| proven.statement.seq);
        let proofs = self.log.slots().filter(|(seq, _)| *seq > reached).filter_map(|(_, slot)| slot.proof());
        let prepared: Vec<_> = proofs.cloned().collect();
        let statement = ViewChange {
            view: self.view,
            stable: reached,
            prepared: prepared.iter().map(PreparedCertificate::statement).collect(),
        };
        Box::new(ProvenViewChange { vote: self.sign(statement), stable, prepared })
    }

    /// VC-3: the newest vote of each replica counts; each fact in it was proven before (VC-2).
    pub(super) fn on_view_change(&mut self, step: &mut Step<'_>, proven: Box<ProvenViewChange>) {
        if !self.goes_on_after(step, proven.stable.as_ref()) {
            return;
        }
        let vote = &proven.vote;
        if let Some(known) = self.views.votes.get(&vote.signer) {
            let (first, view) = (&known.vote, known.vote.statement.view);
            if vote.statement.view == view && vote.statement != first.statement {
                let pair = Box::new([first.clone(), vote.clone()]);
                step.push(Effect::Evidence(Evidence::ViewChanges(pair)));
            }
            if vote.statement.view <= view {
                return;
            }
        }
        self.views.keep_vote(proven);
        self.try_join(step);
        self.try_await_new_view(step);
        self.try_new_view(step);
    }

    /// VC-4: a weak quorum wants a later view than this replica does, so a correct one does. One replica alone moves
    /// nobody.
    pub(super) fn try_join(&mut self, step: &mut Step<'_>) {
        let mut wanted: Vec<_> = self.views.votes.values().map(|proven| proven.vote.statement.view).collect();
        wanted.sort_unstable_by(|left, right| right.cmp(left));
        let agreed = wanted.get(self.config.sizes().f()).copied();
        if let Some(view) = agreed.filter(|view| *view > self.view) {
            return self.start_view_change(step, view, ViewChangeReason::Joined);
        }
        // Those who only left bring nobody further than the next view: see the argument for SX-10.
        let next = self.view.next();
        let wanted_by = self.views.wanted_by(next, self.lately(step.now.elapsed));
        if self.views.active && wanted_by.len() >= self.config.sizes().weak() {
            self.start_view_change(step, next, ViewChangeReason::Joined);
        }
    }

    /// SX-10: who lost its log may wait for a view without asking for it.
    pub(super) fn note_left(&mut self, step: &mut Step<'_>, from: ReplicaId, status: &Status) {
        if status.left && status.epoch == self.epoch() && self.config.replicas.contains(from) {
            self.views.left.insert(from, (status.view, step.now.elapsed));
            self.try_join(step);
            self.try_await_new_view(step);
        } else {
            self.views.left.remove(&from);
        }
    }

    /// What was said before may be true no more: its sender may have lost its log (again), or be gone.
    pub(super) fn lately(&self, now: Duration) -> Duration {
        now.saturating_sub(self.config.idle_status_period.saturating_mul(2))
    }

    /// VC-5: the wait for a new primary begins when a quorum wants it: before that it could not begin.
    pub(super) fn try_await_new_view(&mut self, step: &Step<'_>) {
        if self.views.active || self.views.deadline.is_some() {
            return;
        }
        let mut wanted_by = self.views.wanted_by(self.view, self.lately(step.now.elapsed));
        if self.has_left() {
            wanted_by.insert(self.id);
        }
        if wanted_by.len() < self.quorum() {
            return;
        }
        let patience = self.suspicion.patience(&self.config);
        self.views.deadline = Some(step.now.elapsed.saturating_add(patience));
    }

    /// VC-6: the new primary did not begin its view in time either.
    pub(super) fn on_view_change_timer(&mut self, step: &mut Step<'_>) {
        if self.views.active || self.views.deadline.is_none_or(|at| step.now.elapsed < at) {
            return;
        }
        self.views.deadline = None;
        self.start_view_change(step, self.view.next(), ViewChangeReason::NotBegun);
        self.try_await_new_view(step);
    }

    /// VC-7: the network may lose anything, so votes are sent again as long as they are of use.
    pub(super) fn send_view_change_again(&self, step: &mut Step<'_>) {
        if let Some(own) = self.views.own.as_ref().filter(|_| !self.views.active && self.has_asked()) {
            step.push(Effect::Broadcast(Message::ViewChange(own.clone())));
        }
    }

    /// Whether its own VIEW-CHANGE is durable, if it has one.
    pub(super) fn has_asked(&self) -> bool {
        let cast = self.views.votes.get(&self.id).map(|proven| proven.vote.statement.view);
        self.views.own.as_ref().is_none_or(|own| cast == Some(own.vote.statement.view))
    }

    /// VC-8: a peer that missed the beginning of the view is shown its proof.
    pub(super) fn help_with_view(&self, step: &mut Step<'_>, to: ReplicaId) {
        let announced = self.views.announced || !self.is_primary();
        if announced && let Some(new_view) = &self.views.new_view {
            step.push(Effect::Send(to, Message::NewView(new_view.clone())));
        }
    }

    /// Whether a peer has not heard that this replica's view began.
    pub(super) fn is_past_view_of(&self, status: &Status) -> bool {
        if status.epoch != self.epoch() {
            return false;
        }
        let before = status.view < self.view || (status.view == self.view && !status.active);
        before && self.views.active
    }

    /// The record of the view must not keep the log from being truncated: it is written again at checkpoints.
    pub(super) fn persist_view(&mut self, step: &mut Step<'_>) {
        let record = match (&self.views.own, &self.views.new_view) {
            (Some(own), _) => Record::ViewChange(own.clone()),
            (None, Some(new_view)) => Record::NewView(new_view.clone()),
            (None, None) => return,
        };
        self.views.position = Some(self.persist(step, record));
    }
}
