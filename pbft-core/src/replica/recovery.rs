//! Recovery: a replica is what its log says. A new one starts from an empty log.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Attesting, CatchUp, Checkpoints, Execution, Needs, Reading, Reconfiguration, Replica, Returning,
    StateServing, StateTransfer, Step, Suspicion, Timers, Views,
};
use crate::{
    client_table::ClientTable,
    config::ValidConfig,
    crypto::Crypto,
    effect::Effect,
    error::RecoverError,
    ids::{Epoch, ReplicaId, Seq, View},
    log::MessageLog,
    message::{
        Checkpoint, Commit, CommittedBatch, Handover, Prepare, Proposal, ProvenNewView, ProvenViewChange,
        Signed, StateSummary,
    },
    request_buffer::RequestBuffer,
    storage::{CheckpointRecord, LogPosition, Record, seq_of},
    time::Now,
};

/// A replica as its log left it.
pub struct Recovered {
    /// The replica. Its first input is [`Input::Start`](crate::Input::Start).
    pub replica: Replica,
    /// Where the service must be taken back to first; nothing if there was no checkpoint yet.
    pub checkpoint: Option<RecoveredCheckpoint>,
}

/// The newest checkpoint in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredCheckpoint {
    /// Its number. Later batches are executed again.
    pub seq: Seq,
    /// The service's state, if it left it to the log.
    pub snapshot: Option<Vec<u8>>,
}

/// What it means that a log is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmptyLog {
    /// The replica never wrote to it, so it never voted.
    New,
    /// It may have been lost: nobody knows what the replica voted for. It votes again once that does not matter (SX-9).
    Lost,
}

impl Replica {
    /// Rebuilds a replica from its log. What `empty` says counts only if there are no records.
    ///
    /// # Errors
    /// If the log contradicts itself.
    pub fn recover(
        id: ReplicaId,
        config: Arc<ValidConfig>,
        crypto: Arc<dyn Crypto>,
        buffer: Box<dyn RequestBuffer>,
        records: Vec<(LogPosition, Record)>,
        empty: EmptyLog,
    ) -> Result<Recovered, RecoverError> {
        let mut replica = Self {
            id,
            view: View::ZERO,
            views: Views::default(),
            suspicion: Suspicion::default(),
            reconfiguration: Reconfiguration::new(config.clone()),
            // Records were within the window when they were written: see `set_window` below.
            log: MessageLog::new(Seq::ZERO, u64::MAX, config.archive_bytes),
            clients: ClientTable::new(config.max_clients, config.reply_cache_bytes),
            execution: Execution::default(),
            checkpoints: Checkpoints::default(),
            proposed: Seq::ZERO,
            last_position: LogPosition::START,
            held: VecDeque::new(),
            attesting: Attesting::default(),
            catch_up: CatchUp::default(),
            transfer: StateTransfer::default(),
            serving: StateServing::default(),
            needing: Needs::default(),
            reading: Reading::default(),
            returning: (records.is_empty() && empty == EmptyLog::Lost).then(Returning::default),
            voted: false,
            timers: Timers::default(),
            config,
            crypto,
            buffer,
        };
        let checkpoint = replica.replay(records)?;
        replica.log.set_window(replica.config.window);
        replica.checkpoints.truncation = None;
        replica.forget_results();
        replica.serving.clear_desk();
        replica.voted = !replica.is_returning();
        Ok(Recovered { replica, checkpoint })
    }

    /// RC-1, and RC-4: what is missing or contradicts itself is an error.
    fn replay(
        &mut self,
        records: Vec<(LogPosition, Record)>,
    ) -> Result<Option<RecoveredCheckpoint>, RecoverError> {
        let complete = records.first().is_none_or(|(position, _)| *position == LogPosition::START.next());
        let mut checkpoint = None;
        if !complete {
            self.replay_first_epoch(&records);
        }
        for (position, record) in records {
            let gap = self.last_position != LogPosition::START && position != self.last_position.next();
            if gap {
                return Err(RecoverError::Gap { after: self.last_position });
            }
            self.last_position = position;
            self.check_own(position, &record)?;
            self.replay_record(position, record, &mut checkpoint)?;
        }
        if !complete && checkpoint.is_none() {
            return Err(RecoverError::Gap { after: LogPosition::START });
        }
        self.proposed = self.proposed.max(self.execution.executed);
        Ok(checkpoint)
    }

    /// RC-4: votes in the log are the replica's own, or it is another replica's log.
    fn check_own(&self, position: LogPosition, record: &Record) -> Result<(), RecoverError> {
        let voter = match record {
            Record::Prepare(vote) => vote.signer,
            Record::Commit { commit, .. } => commit.signer,
            Record::Checkpoint(record) => record.checkpoint.signer,
            Record::ViewChange(proven) => proven.vote.signer,
            Record::Proposal(_)
            | Record::Committed(_)
            | Record::CaughtUp(_)
            | Record::Stable(_)
            | Record::NewView(_)
            | Record::Handover(_)
            | Record::Returned(_)
            | Record::Lineage(_) => self.id,
        };
        let what = "the vote is another replica's";
        if voter == self.id { Ok(()) } else { Err(RecoverError::Contradiction { position, what }) }
    }

    fn replay_record(
        &mut self,
        position: LogPosition,
        record: Record,
        checkpoint: &mut Option<RecoveredCheckpoint>,
    ) -> Result<(), RecoverError> {
        if self.is_of_past_epoch(&record) {
            return Ok(());
        }
        let seq = seq_of(&record);
        // A stable checkpoint may lie ahead of anything that was proposed to this replica.
        let in_window = !matches!(record, Record::Stable(_) | Record::Checkpoint(_));
        match record {
            Record::Checkpoint(record) => *checkpoint = Some(self.replay_checkpoint(position, *record)?),
            Record::Stable(certificate) => {
                self.checkpoints.proven = Some(certificate);
                self.checkpoints.proven_position = Some(position);
                self.replay_stability(position)?;
            }
            Record::Returned(record) => {
                self.returning = Some(Returning::recorded(record, position));
                self.leave_as_returned();
            }
            Record::ViewChange(proven) => self.replay_view_change(position, proven),
            Record::NewView(new_view) => self.replay_new_view(position, new_view),
            Record::Handover(handover) => {
                self.begin_epoch(*handover, position);
            }
            Record::Lineage(handovers) => self.replay_lineage(position, handovers),
            Record::Proposal(proposal) => self.replay_proposal(proposal),
            Record::Prepare(prepare) => {
                self.replay_view(prepare.statement.view);
                if let Some(slot) = self.log.slot_mut(seq) {
                    slot.prepares.add(prepare);
                }
            }
            Record::Commit { commit, prepares } => self.replay_commit(commit, prepares),
            Record::Committed(certificate) => {
                if let Some(slot) = self.log.slot_mut(seq)
                    && let Some(batch) = slot.batch_with(&certificate.statement.digest)
                {
                    slot.finish(certificate, batch);
                }
            }
            Record::CaughtUp(CommittedBatch { batch, certificate }) => {
                if let Some(slot) = self.log.slot_mut(seq) {
                    slot.finish(certificate, batch);
                }
                self.proposed = self.proposed.max(seq);
            }
        }
        if in_window
            && let Some(slot) = self.log.slot_mut(seq)
            && slot.is_known()
        {
            slot.recorded_at(position);
        }
        Ok(())
    }

    /// RE-3: a vote may have been written after a state of a later epoch, before this replica stood there: its view is not
    /// one of that epoch.
    fn is_of_past_epoch(&self, record: &Record) -> bool {
        let voted = |seq: Seq| self.roster().at(seq).epoch() < self.epoch();
        match record {
            Record::Proposal(proposal) => voted(proposal.pre_prepare.statement.seq),
            Record::Prepare(prepare) => voted(prepare.statement.seq),
            Record::Commit { commit, .. } => voted(commit.statement.seq),
            Record::NewView(new_view) => {
                let stable = new_view.stable.as_ref().map_or(Seq::ZERO, |stable| stable.statement.seq);
                voted(stable.next())
            }
            _ => false,
        }
    }

    /// A vote in a view shows that the view had begun here: the record of its beginning may be gone, to be found again
    /// further on.
    fn replay_view(&mut self, view: View) {
        if view > self.view || (view == self.view && self.has_left()) {
            self.leave_views_before(view);
            self.views.active = true;
            self.proposed = self.execution.executed;
        }
    }

    fn replay_view_change(&mut self, position: LogPosition, proven: Box<ProvenViewChange>) {
        self.leave_views_before(proven.vote.statement.view);
        if !self.views.active {
            self.views.keep_vote(proven.clone());
            self.views.own = Some(proven);
            self.views.position = Some(position);
        }
    }

    fn replay_new_view(&mut self, position: LogPosition, new_view: Box<ProvenNewView>) {
        if new_view.view() < self.view {
            return;
        }
        for seq in self.install(new_view, position) {
            if let Some(slot) = self.log.slot_mut(seq)
                && slot.accept_assigned().is_some()
            {
                slot.pre_prepared = true;
            }
        }
        self.views.announced = self.is_primary();
    }

    fn replay_proposal(&mut self, proposal: Proposal) {
        let statement = proposal.pre_prepare.statement;
        self.replay_view(statement.view);
        self.proposed = self.proposed.max(statement.seq);
        if let Some(slot) = self.log.slot_mut(statement.seq) {
            slot.proposal = Some(proposal);
            slot.pre_prepared = true;
        }
    }

    fn replay_commit(&mut self, commit: Signed<Commit>, prepares: Vec<Signed<Prepare>>) {
        let Commit { view, seq, .. } = commit.statement;
        self.replay_view(view);
        self.note_commit(seq);
        let Some(slot) = self.log.slot_mut(seq) else { return };
        slot.commits.add(commit);
        for prepare in prepares {
            slot.prepares.add(prepare);
        }
        if let Some(expected) = slot.expected_prepare(view) {
            slot.prove(&expected);
        }
    }

    /// RC-2: execution goes on from here.
    fn replay_checkpoint(
        &mut self,
        position: LogPosition,
        record: CheckpointRecord,
    ) -> Result<RecoveredCheckpoint, RecoverError> {
        let contradiction = |what| RecoverError::Contradiction { position, what };
        let statement = record.checkpoint.statement;
        if self.roster().of(record.summary.membership.epoch).is_none() {
            return Err(contradiction("it is of an epoch that no handover before it leads to"));
        }
        self.clients
            .restore(&record.clients)
            .map_err(|_| contradiction("its client table cannot be read"))?;
        self.execution = Execution::after(statement.seq, record.summary.time, record.summary.wake_at);
        self.replay_epoch(&record.summary);
        self.checkpoints.own.insert(statement.seq, statement.digest);
        let own = self.own_checkpoint(&record.checkpoint);
        if self.is_member_at(statement.seq) {
            self.checkpoints.votes.entry(statement.seq).or_default().add(own.clone());
        }
        self.checkpoints.own_vote = Some(own);
        self.checkpoints.own_position = self.reconfiguration.lineage.take().or(Some(position));
        self.attesting.replay(record.certified, &record.results, statement.seq);
        self.keep_recovered(&record.clients, record.snapshot.as_deref(), &record.summary);
        self.replay_stability(position)?;
        Ok(RecoveredCheckpoint { seq: statement.seq, snapshot: record.snapshot })
    }

    /// RE-5: what it signed with another key than the one that the others know it by counts for nothing. The state is the
    /// same, so it says the same again.
    fn own_checkpoint(&self, recorded: &Signed<Checkpoint>) -> Signed<Checkpoint> {
        let at = self.roster().at(recorded.statement.seq);
        let counts = recorded.signature_check(at).is_some_and(|check| self.crypto.verify(&check));
        if counts || !self.is_member_at(recorded.statement.seq) {
            return recorded.clone();
        }
        self.sign_checkpoint(recorded.statement)
    }

    /// The replicas that decide at a checkpoint, and those that will.
    pub(super) fn replay_epoch(&mut self, summary: &StateSummary) {
        // A state that was taken over may be one of a later epoch.
        if summary.membership.epoch > self.epoch() {
            self.enter_epoch(summary.membership.epoch);
        }
        self.reconfiguration.position = None;
        let next = summary.membership.next.clone();
        self.log.end_at(next.as_ref().map(|change| change.after));
        self.reconfiguration.next = next;
        self.reconfiguration.wanted = summary.membership.wanted.clone();
        self.note_summary(summary);
    }

    /// All parts together come before their checkpoint; a crash may have taken that, and then they come again.
    fn replay_lineage(&mut self, position: LogPosition, handovers: Vec<Handover>) {
        if handovers.first().is_some_and(|handover| handover.epoch() == Epoch::ZERO) {
            self.reconfiguration.lineage = Some(position);
        }
        for handover in handovers {
            self.reconfiguration.learn(handover);
        }
    }

    /// RC-5: the epoch in which the log begins. Whenever it changes, there is a record of that.
    fn replay_first_epoch(&mut self, records: &[(LogPosition, Record)]) {
        let records = || records.iter().map(|(_, record)| record);
        let lineage = records().filter_map(|record| match record {
            Record::Lineage(handovers) => Some(handovers),
            _ => None,
        });
        for handover in lineage.flatten() {
            self.reconfiguration.learn(handover.clone());
        }
        let first = records().find_map(|record| match record {
            Record::Handover(handover) => Some(handover.epoch()),
            Record::Checkpoint(checkpoint) => Some(checkpoint.summary.membership.epoch),
            _ => None,
        });
        self.enter_epoch(first.unwrap_or_default());
    }

    /// RC-3. After a restart: takes up each number where the log left it. A crash between the record of a proposal and that
    /// of its prepare leaves a vote that was decided on and never cast; and what the log holds may be a quorum already.
    pub(super) fn resume_votes(&mut self, step: &mut Step<'_>) {
        let open = self.log.slots().filter(|(_, slot)| !slot.is_committed()).map(|(seq, _)| seq);
        for seq in open.collect::<Vec<_>>() {
            self.prepare_again(step, seq);
            self.try_prepare_quorum(step, seq);
            self.try_commit_quorum(step, seq);
        }
    }

    fn prepare_again(&mut self, step: &mut Step<'_>, seq: Seq) {
        let Some(slot) = self.log.slot(seq) else { return };
        let Some(expected) = slot.expected_prepare(self.view) else { return };
        if self.is_primary() || slot.prepares.of(self.id).is_some() {
            return;
        }
        self.vote_prepare(step, seq, expected.digest);
    }

    fn replay_stability(&mut self, position: LogPosition) -> Result<(), RecoverError> {
        let mut effects = Vec::new();
        self.try_stabilize(&mut Step { now: Now::default(), effects: &mut effects });
        let diverged = effects.iter().any(|effect| matches!(effect, Effect::Diverged { .. }));
        let what = "the replica's own checkpoint differs from the certified one";
        if diverged { Err(RecoverError::Contradiction { position, what }) } else { Ok(()) }
    }
}
