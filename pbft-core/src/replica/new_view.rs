//! NEW-VIEW: the new primary shows that a quorum wants it, and what becomes of the numbers in flight. Every replica
//! computes the latter by itself ([`Carried`]) and enters the view only if it is the same.

use std::collections::BTreeMap;

use super::{Replica, Step, outbox::Vote};
use crate::{
    effect::Effect,
    evidence::Evidence,
    ids::{Seq, View},
    message::{
        Batch, Message, NewView, PrePrepare, Prepare, PreparedCertificate, Proposal, ProvenNewView, Request,
        Signed, ViewChange,
    },
    storage::{LogPosition, Record},
};

/// What a quorum of view-changes carries into the next view (Castro and Liskov, OSDI '99, section 4.4).
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    stable: Seq,
    prepared: BTreeMap<Seq, PrePrepare>,
}

impl Carried {
    /// The newest stable checkpoint, and past it for each number what was prepared in the latest view.
    pub(crate) fn from_quorum<'a>(statements: impl Iterator<Item = &'a ViewChange> + Clone) -> Self {
        let stable = statements.clone().map(|statement| statement.stable).max().unwrap_or_default();
        let mut prepared = BTreeMap::new();
        for fact in statements.flat_map(|statement| &statement.prepared).filter(|fact| fact.seq > stable) {
            let latest = prepared.entry(fact.seq).or_insert(*fact);
            if fact.view > latest.view {
                *latest = *fact;
            }
        }
        Self { stable, prepared }
    }

    pub(crate) const fn stable(&self) -> Seq {
        self.stable
    }

    /// The facts that decide, ascending by number.
    pub(crate) fn prepared(&self) -> impl ExactSizeIterator<Item = PrePrepare> {
        self.prepared.values().copied()
    }

    /// The last number in flight.
    fn last(&self) -> Seq {
        self.prepared.keys().next_back().copied().unwrap_or(self.stable)
    }

    /// NV-3: what was prepared keeps its number, and the null request fills the gaps.
    pub(crate) fn assignments(&self, view: View) -> impl Iterator<Item = PrePrepare> {
        let null = Batch::null().digest();
        (self.stable.next().value()..=self.last().value()).map(Seq::new).map(move |seq| PrePrepare {
            view,
            seq,
            digest: self.prepared.get(&seq).map_or(null, |fact| fact.digest),
        })
    }
}

impl Replica {
    /// NV-1: the primary of a view that a quorum wants begins it.
    pub(super) fn try_new_view(&mut self, step: &mut Step<'_>) {
        if self.views.active || !self.is_primary() || self.is_returning() {
            return;
        }
        let Some(new_view) = self.make_new_view() else { return };
        let position = self.persist_then_vote(
            step,
            Record::NewView(new_view.clone()),
            Vote::NewView(new_view.announcement.clone()),
        );
        self.enter_view(step, new_view, position);
    }

    fn make_new_view(&self) -> Option<Box<ProvenNewView>> {
        let votes: Vec<_> = self.views.votes_for(self.view).collect();
        // With its own vote the view begins no earlier than what this replica knows to be stable: SX-10.
        let own = votes.iter().any(|proven| proven.vote.signer == self.id);
        if votes.len() < self.quorum() || !own {
            return None;
        }
        let carried = Carried::from_quorum(votes.iter().map(|proven| &proven.vote.statement));
        let stable = votes.iter().find(|proven| proven.vote.statement.stable == carried.stable());
        let proof = |fact: PrePrepare| -> Option<PreparedCertificate> {
            votes.iter().flat_map(|proven| &proven.prepared).find(|proof| proof.statement() == fact).cloned()
        };
        let pre_prepares = carried.assignments(self.view).map(|assignment| self.sign(assignment)).collect();
        let new_view = ProvenNewView {
            stable: stable.and_then(|proven| proven.stable.clone()),
            prepared: carried.prepared().map(proof).collect::<Option<_>>()?,
            announcement: self.sign(NewView {
                view: self.view,
                view_changes: votes.into_iter().map(|proven| proven.vote.clone()).collect(),
                pre_prepares,
            }),
        };
        Some(Box::new(new_view))
    }

    /// NV-2 was checked before the replica sees it.
    pub(super) fn on_new_view(&mut self, step: &mut Step<'_>, new_view: Box<ProvenNewView>) {
        let view = new_view.view();
        if view < self.view || !self.goes_on_after(step, new_view.stable.as_ref()) {
            return;
        }
        // VC-15: with that checkpoint its own view may have ended.
        if view < self.view {
            return;
        }
        if view == self.view && self.views.active {
            self.compare_with_present(step, &new_view);
            return;
        }
        let position = self.persist(step, Record::NewView(new_view.clone()));
        self.enter_view(step, new_view, position);
    }

    /// A primary that begins its view twice, in two ways, is at fault.
    fn compare_with_present(&self, step: &mut Step<'_>, other: &ProvenNewView) {
        let Some(present) = &self.views.new_view else { return };
        let (first, second) = (&present.announcement, &other.announcement);
        let signed = |announcement: &Signed<NewView>| {
            announcement.signature_check(&self.config).map(|check| check.digest)
        };
        if signed(first) != signed(second) {
            let pair = Box::new([first.clone(), second.clone()]);
            step.push(Effect::Evidence(Evidence::NewViews(pair)));
        }
    }

    fn enter_view(&mut self, step: &mut Step<'_>, new_view: Box<ProvenNewView>, position: LogPosition) {
        let assigned = self.install(new_view, position);
        self.suspicion.view_entered(step.now.elapsed);
        for seq in assigned {
            self.try_accept_assigned(step, seq);
        }
        self.try_execute(step);
        self.try_propose(step);
    }

    /// NV-4: takes up the view; what it does not carry is undone. Returns the numbers that were assigned. Recovery does
    /// the same when it reads the record.
    pub(super) fn install(&mut self, new_view: Box<ProvenNewView>, position: LogPosition) -> Vec<Seq> {
        let view = new_view.view();
        let begins = view > self.view || !self.views.active;
        self.leave_views_before(view);
        self.views.active = true;
        self.views.own = None;
        self.views.deadline = None;
        self.views.position = Some(position);
        let pre_prepares = new_view.announcement.statement.pre_prepares.clone();
        self.views.new_view = Some(new_view);
        if begins {
            self.proposed = self.execution.executed.max(self.views.floor());
        }
        pre_prepares.into_iter().filter_map(|assignment| self.assign(assignment)).collect()
    }

    /// Notes what the view gives a number to; nothing if that number is settled here.
    fn assign(&mut self, assignment: Signed<PrePrepare>) -> Option<Seq> {
        let PrePrepare { seq, .. } = assignment.statement;
        self.proposed = self.proposed.max(seq);
        let position = self.views.position.unwrap_or_default();
        let slot = self.log.slot_mut(seq)?;
        slot.assign(assignment);
        // Without the record of the view a proof that rests on the assignment could not be read again.
        slot.recorded_at(position);
        Some(seq)
    }

    /// What the view assigns to a number that lay outside this replica's window when the view began.
    pub(super) fn assign_late(&mut self, seq: Seq) {
        let Some(new_view) = &self.views.new_view else { return };
        let position = self.views.position.unwrap_or_default();
        let assignments = &new_view.announcement.statement.pre_prepares;
        let offset = usize::try_from(seq.since(self.views.floor().next())).unwrap_or(usize::MAX);
        let Some(assignment) = assignments.get(offset).filter(|assignment| assignment.statement.seq == seq)
        else {
            return;
        };
        if let Some(slot) = self.log.slot_mut(seq)
            && slot.pre_prepare().is_none()
        {
            slot.assign(assignment.clone());
            slot.recorded_at(position);
        }
    }

    /// NV-5: votes for what the view assigned, once the batch is here: peers that have it relay it.
    pub(super) fn try_accept_assigned(&mut self, step: &mut Step<'_>, seq: Seq) {
        let is_primary = self.is_primary();
        let Some(slot) = self.log.slot_mut(seq) else { return };
        let Some(proposal) = slot.accept_assigned() else { return };
        // The primary's own vote counts once its NEW-VIEW is durable.
        slot.pre_prepared = !is_primary || self.views.announced;
        // What was executed is settled: a refused request may wait again under the same name.
        if seq > self.execution.executed {
            self.note_proposed(seq, &proposal.batch);
        }
        if !is_primary {
            self.vote_prepare(step, seq, proposal.pre_prepare.statement.digest);
        }
        self.try_prepare_quorum(step, seq);
        self.try_commit_quorum(step, seq);
    }

    /// B-2: what is proposed farther ahead than can be in flight goes on waiting here, until that much is executed.
    pub(super) fn note_proposed(&mut self, seq: Seq, batch: &Batch) {
        if seq > self.last_in_reach() {
            return;
        }
        let ids: Vec<_> = batch.requests.iter().map(Request::id).collect();
        self.buffer.proposed(&ids);
    }

    /// B-2: a fair primary that executes a little earlier has proposed a little farther.
    pub(super) fn note_what_comes_in_reach(&mut self) {
        let last = self.last_in_reach();
        let Some(slot) = self.log.slot(last) else { return };
        let Some(proposal) = slot.proposal.clone() else { return };
        let digest = proposal.pre_prepare.statement.digest;
        if slot.decided().is_none_or(|decided| decided.digest == digest) {
            self.note_proposed(last, &proposal.batch);
        }
    }

    fn last_in_reach(&self) -> Seq {
        self.execution.executed.plus(self.config.max_in_flight)
    }

    pub(super) fn vote_prepare(&mut self, step: &mut Step<'_>, seq: Seq, digest: pbft_crypto::Digest) {
        if self.is_returning() || !self.is_member() {
            return;
        }
        let prepare = self.sign(Prepare { view: self.view, seq, digest });
        let record = Record::Prepare(prepare.clone());
        let position = self.persist_then_vote(step, record, Vote::Prepare(prepare));
        if let Some(slot) = self.log.slot_mut(seq) {
            slot.recorded_at(position);
        }
    }

    /// A body for a number that the view assigned, from any peer: the assignment was the primary's vote.
    pub(super) fn on_assigned_body(&mut self, step: &mut Step<'_>, proposal: Proposal) {
        let PrePrepare { seq, .. } = proposal.pre_prepare.statement;
        let Some(slot) = self.log.slot_mut(seq) else { return };
        slot.keep_body(proposal.batch.clone());
        let position = self.persist(step, Record::Proposal(proposal));
        if let Some(slot) = self.log.slot_mut(seq) {
            slot.recorded_at(position);
        }
        self.try_accept_assigned(step, seq);
    }

    /// The primary's NEW-VIEW is durable: with it all its assignments count.
    pub(super) fn cast_new_view(&mut self, step: &mut Step<'_>, announcement: &Signed<NewView>) {
        if announcement.statement.view != self.view {
            return;
        }
        self.views.announced = true;
        if let Some(new_view) = &self.views.new_view {
            step.push(Effect::Broadcast(Message::NewView(new_view.clone())));
        }
        for assignment in &announcement.statement.pre_prepares {
            let seq = assignment.statement.seq;
            if let Some(slot) = self.log.slot_mut(seq) {
                slot.pre_prepared = slot.proposal.is_some();
            }
            self.try_prepare_quorum(step, seq);
            self.try_commit_quorum(step, seq);
        }
    }
}
