//! Checkpoints: replicas sign what they have after every so many batches. A quorum of equal ones is stable: it can be
//! handed to anyone, and what lies before it need not be kept.

use std::collections::BTreeMap;

use pbft_crypto::Digest;

use super::{Replica, Returning, Step, outbox::Vote};
use crate::{
    certificate::Certificate,
    client_table::chunk_digests,
    config::MAX_SNAPSHOT_BYTES,
    effect::Effect,
    evidence::Evidence,
    ids::Seq,
    log::{Added, Votes},
    message::{Checkpoint, Message, Signed, StateSummary},
    service::ServiceCheckpoint,
    storage::{CheckpointRecord, Durable, Held, LogPosition, Record},
    wire::MAX_ENCODED_BYTES,
};

/// What is known of checkpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) votes: BTreeMap<Seq, Votes<Checkpoint>>,
    /// This replica's own checkpoints that are not yet behind the low water mark.
    pub(super) own: BTreeMap<Seq, Digest>,
    /// Its newest vote that was sent.
    pub(super) own_vote: Option<Signed<Checkpoint>>,
    /// Where its newest checkpoint begins in the log, with the handovers that lead to it: recovery starts there.
    pub(super) own_position: Option<LogPosition>,
    /// Where `proven` is in the log: with it recovery knows the low water mark.
    pub(super) proven_position: Option<LogPosition>,
    /// What the log does not need any more, once that is safe to say.
    pub(super) truncation: Option<Held<LogPosition>>,
    /// The newest proof that a quorum got somewhere. It may lie ahead of this replica.
    pub(super) proven: Option<Certificate<Checkpoint>>,
    /// The newest checkpoint that is stable and that this replica has reached.
    pub(super) stable: Option<Certificate<Checkpoint>>,
}

impl Replica {
    pub(super) fn is_checkpoint(&self, seq: Seq) -> bool {
        seq.value().checked_rem(self.config.checkpoint_period) == Some(0)
    }

    /// CK-1: signs and persists what this replica has at `seq`.
    pub(super) fn make_checkpoint(&mut self, step: &mut Step<'_>, seq: Seq, service: ServiceCheckpoint) {
        let snapshot = service.snapshot.as_ref().map_or(0, Vec::len);
        if snapshot > MAX_SNAPSHOT_BYTES {
            let limit = MAX_SNAPSHOT_BYTES;
            return step.push(Effect::CheckpointTooLarge { seq, bytes: snapshot, limit });
        }
        let Ok(clients) = self.clients.encode() else {
            // The configuration's bounds keep the table from ever getting there.
            let bytes = MAX_ENCODED_BYTES.saturating_add(1);
            return step.push(Effect::CheckpointTooLarge { seq, bytes, limit: MAX_ENCODED_BYTES });
        };
        let summary = StateSummary {
            seq,
            time: self.execution.time,
            wake_at: self.execution.wake_at,
            service: service.digest,
            snapshot: service.snapshot.is_some(),
            clients: chunk_digests(&clients),
            membership: self.membership(),
        };
        let digest = summary.digest();
        self.note_summary(&summary);
        self.keep_state(&summary, &clients, service.snapshot.as_deref());
        let checkpoint = self.sign(Checkpoint { seq, digest });
        let lineage = self.persist_lineage(step, self.epoch());
        let record = Record::Checkpoint(Box::new(CheckpointRecord {
            checkpoint: checkpoint.clone(),
            clients,
            snapshot: service.snapshot,
            certified: self.attesting.handed_over(),
            results: self.recent_results(seq),
            summary,
        }));
        let position = self.persist_then_vote(step, record, Vote::Checkpoint(checkpoint));
        self.checkpoints.own_position = lineage.or(Some(position));
        self.reconfiguration.position = None;
        self.checkpoints.own.insert(seq, digest);
        // Written when it first moves the mark, and again each time: an old one would keep all records since then.
        if let Some(proven) = self.checkpoints.proven.clone().filter(|proven| proven.statement.seq >= seq) {
            self.persist_proof(step, proven);
        }
        self.persist_view(step);
        self.persist_return(step);
        self.try_stabilize(step);
        self.try_hand_over(step);
        self.try_rotate(step);
    }

    /// CK-2: at most one vote for each signer, and only for numbers in the window.
    pub(super) fn on_checkpoint(&mut self, step: &mut Step<'_>, vote: Signed<Checkpoint>) {
        let seq = vote.statement.seq;
        if vote.signer == self.id {
            self.checkpoints.own_vote = Some(vote.clone());
        }
        if !self.is_checkpoint(seq) || seq <= self.log.low() || seq > self.log.high() {
            return;
        }
        let votes = self.checkpoints.votes.entry(seq).or_default();
        match votes.add(vote.clone()) {
            Added::New => {
                if let Some(certificate) = votes.certificate(self.config.sizes().quorum()) {
                    self.on_stable(step, certificate);
                }
            }
            Added::Repeated => {}
            Added::Contradicts(first) => {
                step.push(Effect::Evidence(Evidence::Checkpoints(Box::new([first, vote]))));
            }
        }
    }

    /// CK-3: a certificate counts from whomever it comes; the newest one is kept, also if it lies ahead. It is written
    /// when it moves the low water mark: a replica that is far behind must not fill its log with proofs of others.
    pub(super) fn on_stable(&mut self, step: &mut Step<'_>, certificate: Certificate<Checkpoint>) {
        let seq = certificate.statement.seq;
        if !self.is_checkpoint(seq) || seq <= self.proven_seq() {
            return;
        }
        if self.checkpoints.own.is_empty() {
            self.checkpoints.proven = Some(certificate);
        } else {
            self.persist_proof(step, certificate);
        }
        self.try_stabilize(step);
        self.try_hand_over(step);
        self.try_rotate(step);
        self.try_propose(step);
    }

    pub(super) fn persist_proof(&mut self, step: &mut Step<'_>, certificate: Certificate<Checkpoint>) {
        let position = self.persist(step, Record::Stable(certificate.clone()));
        self.checkpoints.proven = Some(certificate);
        self.checkpoints.proven_position = Some(position);
    }

    /// CK-4 and CK-5: moves the low water mark to the newest own checkpoint that a quorum has reached or passed.
    pub(super) fn try_stabilize(&mut self, step: &mut Step<'_>) {
        let Some(proven) = self.checkpoints.proven.clone() else { return };
        let certified = proven.statement;
        if let Some(own) = self.checkpoints.own.get(&certified.seq)
            && *own != certified.digest
        {
            let (seq, own) = (certified.seq, *own);
            step.push(Effect::Diverged { seq, own, certified: certified.digest });
            return;
        }
        // Own checkpoints have no gaps, so one at `certified` was made (and compared) if there is a later one: after a
        // restart its own record may be gone.
        let Some(newest) = self.checkpoints.own.keys().next_back().copied() else { return };
        if certified.seq <= newest {
            self.checkpoints.stable = Some(proven);
        }
        let low = newest.min(certified.seq);
        if low <= self.log.low() {
            return;
        }
        self.log.advance_to(low);
        self.checkpoints.votes = self.checkpoints.votes.split_off(&low.next());
        self.checkpoints.own = self.checkpoints.own.split_off(&low.next());
        self.plan_truncation();
        self.forget_results();
        self.give_up_old_states(step);
    }

    /// CK-6: keeps the newest own checkpoint and the newest proof, everything after them, what is in the window, and
    /// what the archive still holds for peers. Old records go only when the new ones that replace them are durable:
    /// else a crash could take both.
    fn plan_truncation(&mut self) {
        let kept = [
            self.checkpoints.own_position,
            self.checkpoints.proven_position,
            self.views.position,
            self.reconfiguration.position,
            self.returning.as_ref().and_then(Returning::position),
            self.log.first_needed(),
        ];
        let Some(first) = kept.into_iter().flatten().min() else { return };
        if self.checkpoints.truncation.is_none() {
            self.checkpoints.truncation = Some(Held::until(self.last_position, first));
        }
    }

    pub(super) fn try_truncate_log(&mut self, step: &mut Step<'_>, durable: Durable) {
        match self.checkpoints.truncation.take().map(|held| held.release(durable)) {
            Some(Ok(first)) => step.push(Effect::TruncateLog(first)),
            Some(Err(held)) => self.checkpoints.truncation = Some(held),
            None => {}
        }
    }

    /// The newest checkpoint that a quorum is known to have reached.
    pub(super) fn proven_seq(&self) -> Seq {
        self.checkpoints.proven.as_ref().map_or(Seq::ZERO, |proven| proven.statement.seq)
    }

    /// The newest stable checkpoint that this replica has reached.
    pub(super) fn stable_seq(&self) -> Seq {
        self.checkpoints.stable.as_ref().map_or(Seq::ZERO, |stable| stable.statement.seq)
    }

    pub(super) fn send_stable(&self, step: &mut Step<'_>, to: crate::ids::ReplicaId) {
        if let Some(proven) = &self.checkpoints.proven {
            step.push(Effect::Send(to, Message::Stable(proven.clone())));
        }
    }
}
