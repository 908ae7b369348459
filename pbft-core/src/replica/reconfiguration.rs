//! Reconfiguration: the service asks for other replicas, and at a checkpoint these take over.
//!
//! An epoch begins as a cluster does: in view 0, after a checkpoint. What is decided in it is signed for it alone.

use std::sync::Arc;

use pbft_crypto::Digest;

use super::{Replica, Step, view_change::Views};
use crate::{
    certificate::Certificate,
    config::{ReplicaSet, ValidConfig},
    effect::Effect,
    ids::{Epoch, ReplicaId, Seq},
    message::{Change, Checkpoint, Handover, Membership, Message, StateSummary, Status},
    roster::Roster,
    storage::{LogPosition, Record},
};

/// Answers to one status carry at most this many handovers.
const MAX_HANDOVERS_PER_ANSWER: usize = 8;
/// So many handovers go into one record: what may follow each other without end must not share one.
const MAX_HANDOVERS_IN_RECORD: usize = 64;

/// Who decides, who did, and who will.
#[derive(Clone, Debug)]
pub(super) struct Reconfiguration {
    /// All epochs that are known. The newest may lie ahead of this replica.
    pub(super) roster: Arc<Roster>,
    /// The proof for each epoch past the first, oldest first.
    pub(super) handovers: Vec<Handover>,
    /// The change that was ordered and has not taken effect.
    pub(super) next: Option<Change>,
    /// What the service asks for.
    pub(super) wanted: Option<Arc<ReplicaSet>>,
    /// What this replica certified at the last checkpoint of its epoch.
    last_summary: Option<StateSummary>,
    /// Where the log says that the epoch began, until a checkpoint says so.
    pub(super) position: Option<LogPosition>,
    /// While the log is read: where the proofs begin that lead to the checkpoint that follows.
    pub(super) lineage: Option<LogPosition>,
}

impl Reconfiguration {
    pub(super) fn new(config: Arc<ValidConfig>) -> Self {
        Self {
            roster: Arc::new(Roster::new(config)),
            handovers: Vec::new(),
            next: None,
            wanted: None,
            last_summary: None,
            position: None,
            lineage: None,
        }
    }

    /// Takes up a handover that was verified, or that this replica has seen happen. `false` if it is known.
    pub(super) fn learn(&mut self, handover: Handover) -> bool {
        let newest = self.roster.newest();
        let Some(change) = handover.change().filter(|_| handover.epoch() == newest.epoch()) else {
            return false;
        };
        let Ok(next) = newest.succeeded_by(change.replicas.clone(), change.after) else { return false };
        Arc::make_mut(&mut self.roster).push(Arc::new(next));
        self.handovers.push(handover);
        true
    }
}

impl Replica {
    /// RE-5: whether this replica has a say in its epoch.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.has_place_in(&self.config.replicas)
    }

    /// RE-3: whether it has one in what is decided about a number.
    pub(super) fn is_member_at(&self, seq: Seq) -> bool {
        self.has_place_in(&self.roster().at(seq).replicas)
    }

    /// RE-5: with the key that they know. Under a new one whatever an old one signed would count for nothing, but be in the
    /// log, and so never be signed again.
    pub(super) fn has_place_in(&self, replicas: &ReplicaSet) -> bool {
        replicas.key(self.id) == Some(&self.crypto.public_key())
    }

    /// The replica sets that are known.
    #[must_use]
    pub const fn roster(&self) -> &Arc<Roster> {
        &self.reconfiguration.roster
    }

    /// RE-4: the proof for each epoch past the first, oldest first.
    #[must_use]
    pub fn handovers(&self) -> &[Handover] {
        &self.reconfiguration.handovers
    }

    /// The change of replicas that was ordered and has not taken effect.
    #[must_use]
    pub const fn next_change(&self) -> Option<&Change> {
        self.reconfiguration.next.as_ref()
    }

    /// How often the replicas had changed before the present ones.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.config.epoch()
    }

    pub(super) fn membership(&self) -> Membership {
        let next = self.reconfiguration.next.clone();
        let wanted = self.reconfiguration.wanted.clone();
        Membership { epoch: self.epoch(), replicas: self.members_digest(), next, wanted }
    }

    /// RE-4: the proofs that lead to `epoch` go into the log before each checkpoint of it. Says where they begin, if there
    /// are any: the checkpoint needs them.
    pub(super) fn persist_lineage(&mut self, step: &mut Step<'_>, epoch: Epoch) -> Option<LogPosition> {
        let past = self.reconfiguration.handovers.iter().filter(|handover| handover.epoch() < epoch);
        let past: Vec<_> = past.cloned().collect();
        let parts = past.chunks(MAX_HANDOVERS_IN_RECORD).map(|part| Record::Lineage(part.to_vec()));
        let positions: Vec<_> = parts.map(|part| self.persist(step, part)).collect();
        positions.first().copied()
    }

    pub(super) fn members_digest(&self) -> Digest {
        self.config.replicas.digest()
    }

    /// RE-1: the change takes effect at the first checkpoint that is a window or more past the batch that asked for it. Who
    /// votes past that checkpoint has executed this batch: the numbers that it may vote on begin less than a window before.
    pub(super) fn consider_change(&mut self, seq: Seq) {
        let wanted = self.reconfiguration.wanted.as_deref().filter(|wanted| **wanted != self.config.replicas);
        let Some(wanted) = wanted.filter(|_| self.reconfiguration.next.is_none()) else { return };
        let period = self.config.checkpoint_period.max(1);
        let after = Seq::new(seq.plus(self.config.window).value().div_ceil(period).saturating_mul(period));
        // RE-2.
        if self.config.succeeded_by(wanted.clone(), after).is_err() {
            return;
        }
        let replicas = wanted.clone();
        self.log.end_at(Some(after));
        self.reconfiguration.next = Some(Change { replicas, after });
    }

    /// RE-3: takes up the checkpoint that a view goes on after. `false` if that is none of this replica's epoch, or if the
    /// epoch ends here with it.
    pub(super) fn goes_on_after(
        &mut self,
        step: &mut Step<'_>,
        stable: Option<&Certificate<Checkpoint>>,
    ) -> bool {
        let epoch = self.epoch();
        let seq = stable.map_or(Seq::ZERO, |stable| stable.statement.seq);
        if self.roster().at(seq.next()).epoch() != epoch {
            return false;
        }
        if let Some(stable) = stable {
            self.on_stable(step, stable.clone());
        }
        self.epoch() == epoch
    }

    /// RE-3: whether others took over. All numbers of this replica's epoch are final then: another view of it could bring
    /// nothing, and once a state of the later epoch is in the log, it would be read as one of that.
    pub(super) fn is_succeeded(&self) -> bool {
        self.roster().newest().epoch() > self.epoch()
    }

    /// The last number of this epoch, if it is known.
    pub(super) fn last_of_epoch(&self) -> Option<Seq> {
        self.reconfiguration.next.as_ref().map(|change| change.after)
    }

    /// Keeps what the handover will have to show.
    pub(super) fn note_summary(&mut self, summary: &StateSummary) {
        if self.last_of_epoch() == Some(summary.seq) {
            self.reconfiguration.last_summary = Some(summary.clone());
        }
    }

    /// RE-4: others took over; this replica may have to get there yet.
    pub(super) fn on_handover(&mut self, step: &mut Step<'_>, handover: Handover) {
        let certificate = handover.certificate.clone();
        if self.reconfiguration.learn(handover) {
            step.push(Effect::Reconfigured(self.reconfiguration.roster.clone()));
        }
        self.on_stable(step, certificate);
        self.try_hand_over(step);
    }

    /// RE-3: the last checkpoint of the epoch is stable here, so the next epoch begins.
    pub(super) fn try_hand_over(&mut self, step: &mut Step<'_>) {
        if self.last_of_epoch().is_none_or(|last| self.log.low() != last || self.execution.executed != last) {
            return;
        }
        let known = self.reconfiguration.handovers.iter().find(|handover| handover.epoch() == self.epoch());
        let Some(handover) = known.cloned().or_else(|| self.make_handover()) else { return };
        let position = self.persist(step, Record::Handover(Box::new(handover.clone())));
        if self.begin_epoch(handover, position) {
            step.push(Effect::Reconfigured(self.reconfiguration.roster.clone()));
        }
        self.suspicion.view_entered(step.now.elapsed);
        self.send_status(step);
    }

    fn make_handover(&self) -> Option<Handover> {
        let summary = self.reconfiguration.last_summary.clone()?;
        let certificate = self.checkpoints.proven.clone()?;
        let handover = Handover { certificate, summary };
        handover.change().is_some().then_some(handover)
    }

    /// What recovery does too, when it reads the record. `true` if the epoch was not known before.
    pub(super) fn begin_epoch(&mut self, handover: Handover, position: LogPosition) -> bool {
        let next = handover.epoch().next();
        let news = self.reconfiguration.learn(handover);
        self.enter_epoch(next);
        self.reconfiguration.position = Some(position);
        news
    }

    /// Begins an epoch that is known: nothing of the one before has a meaning in it.
    pub(super) fn enter_epoch(&mut self, epoch: Epoch) {
        let Some(config) = self.reconfiguration.roster.of(epoch).cloned() else { return };
        self.config = config;
        self.reconfiguration.next = None;
        self.reconfiguration.last_summary = None;
        self.log.end_at(None);
        // A wish that had to wait.
        self.consider_change(self.config.after());
        // Votes in the name of the epoch before would count at this replica alone.
        self.held.clear();
        self.log.leave_view();
        self.view = crate::ids::View::ZERO;
        self.views = Views::default();
        self.leave_as_returned();
        self.buffer.release();
        let members = self.reconfiguration.roster.newest().replicas.clone();
        self.catch_up.forget_all_but(&members);
        self.needing.forget_all_but(&members);
        self.suspicion.forget_all_but(&members);
    }

    /// The handovers that a peer lacks.
    pub(super) fn help_with_handovers(&self, step: &mut Step<'_>, to: ReplicaId, status: &Status) {
        let missing =
            self.reconfiguration.handovers.iter().filter(|handover| handover.epoch() >= status.known);
        for handover in missing.take(MAX_HANDOVERS_PER_ANSWER) {
            step.push(Effect::Send(to, Message::Handover(Box::new(handover.clone()))));
        }
    }
}
