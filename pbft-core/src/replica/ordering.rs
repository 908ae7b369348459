//! The normal case: requests come in, the primary proposes batches, replicas prepare and commit them.

use std::sync::Arc;

use super::{Replica, Step, outbox::Vote};
use crate::{
    certificate::Certificate,
    client_table::Standing,
    effect::Effect,
    evidence::Evidence,
    ids::{Seq, View},
    log::Added,
    message::{Batch, Commit, DeclineReason, PrePrepare, Prepare, Proposal, Reply, Request, Signed},
    request_buffer::{BatchLimits, BufferRefusal, Lane},
    storage::Record,
    time::UnixMillis,
};

impl Replica {
    // --- Requests -------------------------------------------------------------------------------------------------

    /// answers what was executed.: declines what cannot be, and keeps the rest until it executes.
    pub(super) fn on_request(&mut self, step: &mut Step<'_>, lane: Lane, request: Request) {
        let (id, digest) = (request.id(), request.digest());
        let declined = match self.clients.standing(&id) {
            Standing::Fresh => match self.buffer.offer(step.now.elapsed, lane, request) {
                Ok(()) => return self.try_propose(step),
                Err(BufferRefusal::Duplicate) => return,
                Err(BufferRefusal::NumberInUse) => DeclineReason::NumberInUse,
                Err(BufferRefusal::Full) => DeclineReason::Busy,
            },
            Standing::TooFar => DeclineReason::NumberTooFar,
            Standing::NoRoom => DeclineReason::TooManyClients,
            used @ (Standing::Executed | Standing::TooOld) => match self.clients.reply(&id) {
                Some(stored) if stored.request == digest => {
                    let (seq, outcome) = (stored.seq, stored.outcome.clone());
                    let reply = Reply { view: self.view, seq, id, request: digest, outcome };
                    return step.push(Effect::Reply(reply));
                }
                Some(_) => DeclineReason::NumberInUse,
                None if used == Standing::TooOld => DeclineReason::NumberTooOld,
                None => DeclineReason::ReplyForgotten,
            },
        };
        step.push(Effect::Decline { id, request: digest, reason: declined });
    }

    // --- Pre-prepare ----------------------------------------------------------------------------------------------

    /// B-1: proposes at once while few batches are in flight; past that, only full batches.
    pub(super) fn try_propose(&mut self, step: &mut Step<'_>) {
        self.propose_waiting(step);
        self.try_fill(step);
    }

    fn propose_waiting(&mut self, step: &mut Step<'_>) {
        while self.may_propose() {
            let waiting = self.buffer.waiting();
            let full = waiting.requests >= self.config.max_batch_requests
                || waiting.bytes >= self.config.max_batch_bytes;
            let eager = self.in_flight() < self.config.eager_in_flight;
            // RE-6: empty batches lead to the checkpoint at which other replicas take over.
            let fills = self.last_of_epoch().is_some();
            if !(full || eager) || (waiting.requests == 0 && !fills) {
                return;
            }
            let requests = self.buffer.take(self.batch_limits());
            if requests.is_empty() && !fills {
                return;
            }
            self.propose(step, requests);
        }
    }

    /// B-2: never past half the window, so that no backup's window is overrun. SX-7: nor while a state is taken over.
    pub(super) fn may_propose(&self) -> bool {
        self.is_primary()
            && self.is_member()
            && !self.is_returning()
            && !self.transfer.is_running()
            && self.views.active
            && self.in_flight() < self.config.max_in_flight
            && self.proposed < self.proposal_limit()
    }

    /// The last number that a fair primary proposes before another checkpoint is stable.
    pub(super) fn proposal_limit(&self) -> Seq {
        self.log.low().plus(self.config.window / 2).min(self.log.high())
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.proposed.since(self.execution.executed)
    }

    pub(super) fn batch_limits(&self) -> BatchLimits {
        BatchLimits { requests: self.config.max_batch_requests, bytes: self.config.max_batch_bytes }
    }

    /// Gives the next number to `requests`.
    pub(super) fn propose(&mut self, step: &mut Step<'_>, requests: Vec<Request>) {
        let seq = self.proposed.next();
        let batch = Arc::new(Batch { origin: self.view, time: self.proposal_time(step), requests });
        let statement = PrePrepare { view: self.view, seq, digest: batch.digest() };
        let proposal = Proposal { pre_prepare: self.sign(statement), batch };
        self.proposed = seq;
        let record = Record::Proposal(proposal.clone());
        let position = self.persist_then_vote(step, record, Vote::PrePrepare(proposal.clone()));
        if let Some(slot) = self.log.slot_mut(seq) {
            slot.proposal = Some(proposal);
            slot.recorded_at(position);
        }
        self.try_prepare_quorum(step, seq);
    }

    /// T-1: the primary's clock, and later than the batch before.
    fn proposal_time(&self, step: &Step<'_>) -> UnixMillis {
        let before = self.log.slot(self.proposed).and_then(|slot| slot.proposal.as_ref());
        let last = before.map_or(self.execution.time, |proposal| proposal.batch.time);
        step.now.wall.max(last.next())
    }

    /// PP-6 to PP-10. The form and the signature were checked before (PP-1 to PP-5).
    pub(super) fn on_pre_prepare(&mut self, step: &mut Step<'_>, proposal: Proposal) {
        let statement = proposal.pre_prepare.statement;
        let (view, floor, is_primary) = (self.view, self.views.floor(), self.is_primary());
        let timely = self.is_timely(step, proposal.batch.time);
        // PP-6 and PP-10.
        if statement.view != view || !self.views.active || statement.seq <= floor {
            return;
        }
        self.assign_late(statement.seq);
        // PP-7: the log has slots for the window alone.
        let Some(slot) = self.log.slot_mut(statement.seq) else { return };
        // PP-8.
        if let Some(first) = slot.pre_prepare().cloned() {
            if first.statement != statement {
                let pair = Box::new([first, proposal.pre_prepare]);
                step.push(Effect::Evidence(Evidence::PrePrepares(pair)));
            } else if slot.proposal.is_none() {
                self.on_assigned_body(step, proposal);
            }
            return;
        }
        if is_primary || !timely {
            return;
        }
        // nor does it hide anything in a number that is final already.
        if let Some(decided) = slot.decided().filter(|decided| decided.digest != statement.digest) {
            if decided.view == view {
                self.give_up_on_deceiver(step, view);
            }
            return;
        }
        slot.proposal = Some(proposal.clone());
        slot.pre_prepared = true;
        if slot.is_committed() {
            return;
        }
        self.note_proposed(statement.seq, &proposal.batch);
        self.send_prepare(step, proposal);
        self.try_prepare_quorum(step, statement.seq);
        self.try_commit_quorum(step, statement.seq);
    }

    /// PP-9: a primary can neither run ahead of time nor hold it up: deadlines fire about when they are due.
    fn is_timely(&self, step: &Step<'_>, time: UnixMillis) -> bool {
        let (wall, config) = (step.now.wall, &self.config);
        time <= wall.plus(config.max_clock_ahead) && wall.since(time) <= config.max_clock_behind
    }

    fn send_prepare(&mut self, step: &mut Step<'_>, proposal: Proposal) {
        let PrePrepare { seq, digest, .. } = proposal.pre_prepare.statement;
        self.proposed = self.proposed.max(seq);
        let position = self.persist(step, Record::Proposal(proposal));
        if let Some(slot) = self.log.slot_mut(seq) {
            slot.recorded_at(position);
        }
        self.vote_prepare(step, seq, digest);
    }

    // --- Prepare --------------------------------------------------------------------------------------------------

    /// P-2: the first prepare of each signer counts.
    pub(super) fn on_prepare(&mut self, step: &mut Step<'_>, prepare: Signed<Prepare>) {
        let seq = prepare.statement.seq;
        if !self.is_current(prepare.statement.view) {
            return;
        }
        let Some(slot) = self.log.slot_mut(seq) else { return };
        match slot.prepares.add(prepare.clone()) {
            Added::New => self.try_prepare_quorum(step, seq),
            Added::Repeated => {}
            Added::Contradicts(first) => {
                step.push(Effect::Evidence(Evidence::Prepares(Box::new([first, prepare]))));
            }
        }
    }

    /// P-3: a quorum agrees, the primary's pre-prepare counted in. Commits, once.
    pub(super) fn try_prepare_quorum(&mut self, step: &mut Step<'_>, seq: Seq) {
        let (view, quorum) = (self.view, self.quorum());
        if self.is_returning() {
            return;
        }
        let Some(slot) = self.log.slot_mut(seq) else { return };
        if slot.prepared || !slot.has_prepare_quorum(view, quorum) {
            return;
        }
        let Some(expected) = slot.expected_prepare(view) else { return };
        let prepares = slot.prove(&expected);
        let commit = self.sign(Commit { view, seq, digest: expected.digest });
        let record = Record::Commit { commit: commit.clone(), prepares };
        self.note_commit(seq);
        self.persist_then_vote(step, record, Vote::Commit(commit));
    }

    // --- Commit ---------------------------------------------------------------------------------------------------

    /// C-1: the first commit of each signer counts. C-2: also before the proposal.
    pub(super) fn on_commit(&mut self, step: &mut Step<'_>, commit: Signed<Commit>) {
        let seq = commit.statement.seq;
        if !self.is_current(commit.statement.view) {
            return;
        }
        let Some(slot) = self.log.slot_mut(seq) else { return };
        match slot.commits.add(commit.clone()) {
            Added::New => self.try_commit_quorum(step, seq),
            Added::Repeated => {}
            Added::Contradicts(first) => {
                step.push(Effect::Evidence(Evidence::Commits(Box::new([first, commit]))));
            }
        }
    }

    /// C-3: a quorum has committed this digest, and the batch with this digest is here: the number is final.
    pub(super) fn try_commit_quorum(&mut self, step: &mut Step<'_>, seq: Seq) {
        let quorum = self.quorum();
        let Some(slot) = self.log.slot_mut(seq) else { return };
        if slot.is_committed() {
            return;
        }
        let Some(certificate) = slot.commits.certificate(quorum) else { return };
        let Some(batch) = slot.batch_with(&certificate.statement.digest) else { return };
        let deceiver = self.finish(seq, certificate.clone(), batch);
        let position = self.persist(step, Record::Committed(certificate));
        if let Some(slot) = self.log.slot_mut(seq) {
            slot.recorded_at(position);
        }
        self.try_execute(step);
        if let Some(view) = deceiver {
            self.give_up_on_deceiver(step, view);
        }
    }

    /// what the primary proposed here, if that is not what became final, waits again. It could hide a request for good
    /// by proposing it to one backup after the other. Returns the view in which it said both.
    pub(super) fn finish(
        &mut self,
        seq: Seq,
        certificate: Certificate<Commit>,
        batch: Arc<Batch>,
    ) -> Option<View> {
        let slot = self.log.slot_mut(seq)?;
        let Commit { view, digest, .. } = certificate.statement;
        let accepted = slot.pre_prepare().map(|pre_prepare| pre_prepare.statement);
        let other = accepted.filter(|statement| statement.digest != digest);
        slot.finish(certificate, batch);
        let other = other?;
        self.buffer.release();
        (other.view == view).then_some(view)
    }

    fn is_current(&self, view: View) -> bool {
        view == self.view
    }
}
