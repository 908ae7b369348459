//! Recovery: a replica is what its log says. A new one starts from an empty log.

use std::{collections::VecDeque, sync::Arc};

use super::{CatchUp, Checkpoints, Execution, Replica, Step, Timers, Vote};
use crate::{
    client_table::ClientTable,
    config::ValidConfig,
    crypto::Crypto,
    effect::Effect,
    error::RecoverError,
    ids::{ReplicaId, Seq, View},
    log::MessageLog,
    message::{CommittedBatch, Proposal, SlotStatus},
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

impl Replica {
    /// Rebuilds a replica from its log.
    ///
    /// # Errors
    /// If the log contradicts itself, or the replica is no member.
    pub fn recover(
        id: ReplicaId,
        config: Arc<ValidConfig>,
        crypto: Arc<dyn Crypto>,
        buffer: Box<dyn RequestBuffer>,
        records: Vec<(LogPosition, Record)>,
    ) -> Result<Recovered, RecoverError> {
        if config.replicas.key(id).is_none() {
            return Err(RecoverError::NotAMember { replica: id, count: config.replicas.count() });
        }
        let mut replica = Self {
            id,
            view: View::ZERO,
            // Records were within the window when they were written: see `set_window` below.
            log: MessageLog::new(Seq::ZERO, u64::MAX, config.archive_bytes),
            clients: ClientTable::new(config.max_clients, config.reply_cache_bytes),
            execution: Execution::default(),
            checkpoints: Checkpoints::default(),
            proposed: Seq::ZERO,
            last_position: LogPosition::START,
            held: VecDeque::new(),
            catch_up: CatchUp::default(),
            timers: Timers::default(),
            config,
            crypto,
            buffer,
        };
        let checkpoint = replica.replay(records)?;
        replica.log.set_window(replica.config.window);
        replica.checkpoints.truncation = None;
        Ok(Recovered { replica, checkpoint })
    }

    fn replay(
        &mut self,
        records: Vec<(LogPosition, Record)>,
    ) -> Result<Option<RecoveredCheckpoint>, RecoverError> {
        let mut checkpoint = None;
        for (position, record) in records {
            let gap = self.last_position != LogPosition::START && position != self.last_position.next();
            if gap {
                return Err(RecoverError::Gap { after: self.last_position });
            }
            self.last_position = position;
            let seq = seq_of(&record);
            // A stable checkpoint may lie ahead of anything that was proposed to this replica, and of its window.
            let in_window = !matches!(record, Record::Stable(_) | Record::Checkpoint(_));
            if !matches!(record, Record::Stable(_)) {
                self.proposed = self.proposed.max(seq);
            }
            match record {
                Record::Proposal(proposal) => self.replay_proposal(proposal),
                Record::Checkpoint(record) => checkpoint = Some(self.replay_checkpoint(position, record)?),
                Record::CaughtUp(CommittedBatch { batch, certificate }) => {
                    if let Some(slot) = self.log.slot_mut(seq) {
                        slot.finish(certificate, batch);
                    }
                }
                Record::Committed(certificate) => {
                    if let Some(slot) = self.log.slot_mut(seq)
                        && let Some(batch) = slot.batch_with(&certificate.statement.digest)
                    {
                        slot.finish(certificate, batch);
                    }
                }
                Record::Prepare(prepare) => {
                    if let Some(slot) = self.log.slot_mut(seq) {
                        slot.prepares.add(prepare);
                    }
                }
                Record::Commit { commit, prepares } => {
                    if let Some(slot) = self.log.slot_mut(seq) {
                        slot.prepared = true;
                        slot.commits.add(commit);
                        for prepare in prepares {
                            slot.prepares.add(prepare);
                        }
                    }
                }
                Record::Stable(certificate) => {
                    self.checkpoints.proven = Some(certificate);
                    self.checkpoints.proven_position = Some(position);
                    self.replay_stability(position)?;
                }
            }
            if in_window
                && let Some(slot) = self.log.slot_mut(seq)
                && slot.status() != SlotStatus::Empty
            {
                slot.recorded_at(position);
            }
        }
        Ok(checkpoint)
    }

    fn replay_proposal(&mut self, proposal: Proposal) {
        let statement = proposal.pre_prepare.statement;
        self.view = self.view.max(statement.view);
        if let Some(slot) = self.log.slot_mut(statement.seq) {
            slot.proposal = Some(proposal);
            slot.pre_prepared = true;
        }
    }

    fn replay_checkpoint(
        &mut self,
        position: LogPosition,
        record: CheckpointRecord,
    ) -> Result<RecoveredCheckpoint, RecoverError> {
        let contradiction = |what| RecoverError::Contradiction { position, what };
        let statement = record.checkpoint.statement;
        self.clients
            .restore(&record.clients)
            .map_err(|_| contradiction("its client table cannot be read"))?;
        self.execution = Execution::after(statement.seq, record.time, record.wake_at);
        self.checkpoints.own.insert(statement.seq, statement.digest);
        self.checkpoints.votes.entry(statement.seq).or_default().add(record.checkpoint.clone());
        self.checkpoints.own_vote = Some(record.checkpoint);
        self.checkpoints.own_position = Some(position);
        self.replay_stability(position)?;
        Ok(RecoveredCheckpoint { seq: statement.seq, snapshot: record.snapshot })
    }

    /// After a restart: takes up each number where the log left it. A crash between the record of a proposal and that
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
        let prepare = self.sign(expected);
        self.persist_then_vote(step, Record::Prepare(prepare.clone()), Vote::Prepare(prepare));
    }

    fn replay_stability(&mut self, position: LogPosition) -> Result<(), RecoverError> {
        let mut effects = Vec::new();
        self.try_stabilize(&mut Step { now: Now::default(), effects: &mut effects });
        let diverged = effects.iter().any(|effect| matches!(effect, Effect::Diverged { .. }));
        let what = "the replica's own checkpoint differs from the certified one";
        if diverged { Err(RecoverError::Contradiction { position, what }) } else { Ok(()) }
    }
}
