//! The end of a state transfer: the parts are whole, and the replica goes where they lead.

use core::time::Duration;

use super::{
    Execution, Replica, Step,
    state_serving::Purpose,
    state_transfer::{Stage, Transfer},
};
use crate::{
    certificate::Certificate,
    client_table::{ClientTable, Standing},
    effect::{Effect, TransferEvent},
    ids::Seq,
    message::{Checkpoint, Request, Signed, StateSummary},
    request_buffer::BatchLimits,
    service::{ServiceQuestion, StateLost},
    storage::{CheckpointRecord, Durable, LogPosition, Record},
};

impl Replica {
    pub(super) fn try_complete(&mut self, step: &mut Step<'_>) {
        let Some(transfer) = &mut self.transfer.current else { return };
        let Some(summary) = &transfer.summary else { return };
        if !transfer.missing.is_empty() || !matches!(transfer.stage, Stage::Fetching) {
            return;
        }
        let (seq, snapshot) = (summary.seq, summary.snapshot);
        transfer.stage = Stage::Completing;
        if snapshot {
            self.record_install(step);
        } else {
            self.ask_service(step, Purpose::Complete { seq }, ServiceQuestion::Complete);
        }
    }

    pub(super) fn on_completed(&mut self, step: &mut Step<'_>, seq: Seq, good: bool) {
        let current = self.transfer.current.as_ref().is_some_and(|transfer| transfer.seq() == seq);
        match (current, good) {
            (false, _) => {}
            (true, true) => self.record_install(step),
            (true, false) => self.restart_transfer(step),
        }
    }

    /// SX-6: the state is whole and durable beside the present one, so the log may say that this replica has it: first
    /// the proof, then the checkpoint. A crash leaves the one or the other.
    fn record_install(&mut self, step: &mut Step<'_>) {
        let Some(mut transfer) = self.transfer.current.take() else { return };
        let encoded: Vec<u8> = transfer.clients.values().flatten().copied().collect();
        let mut clients = ClientTable::new(self.config.max_clients, self.config.reply_cache_bytes);
        let (Some(summary), Ok(())) = (transfer.summary.clone(), clients.restore(&encoded)) else {
            // What a quorum certified can be read.
            return self.restart_transfer(step);
        };
        self.serving.give_up_kept(summary.seq);
        self.keep_state(&summary, &encoded, transfer.snapshot.as_deref());
        if let Some(proven) = self.checkpoints.proven.clone() {
            self.persist_proof(step, proven);
        }
        let lineage = self.persist_lineage(step, summary.membership.epoch);
        let record = CheckpointRecord {
            checkpoint: self.sign_checkpoint(transfer.target.statement),
            clients: encoded,
            snapshot: transfer.snapshot.clone(),
            certified: summary.seq,
            results: Vec::new(),
            summary,
        };
        let position = self.persist(step, Record::Checkpoint(Box::new(record)));
        let begins = lineage.unwrap_or(position);
        transfer.stage = Stage::Recorded { begins, position, durable: false, clients: Box::new(clients) };
        self.transfer.current = Some(transfer);
    }

    /// In the name of the epoch that certified it.
    pub(super) fn sign_checkpoint(&self, checkpoint: Checkpoint) -> Signed<Checkpoint> {
        Signed::sign(checkpoint, self.id, self.roster().at(checkpoint.seq), &*self.crypto)
    }

    /// The log has it: the service goes there.
    pub(super) fn on_install_durable(&mut self, step: &mut Step<'_>, through: Durable) {
        let Some(transfer) = &mut self.transfer.current else { return };
        let (seq, snapshot) = (transfer.seq(), transfer.snapshot.clone());
        let Stage::Recorded { position, durable, .. } = &mut transfer.stage else { return };
        if *durable || *position > through.position() {
            return;
        }
        *durable = true;
        self.ask_service(step, Purpose::Restore { seq }, ServiceQuestion::Restore { seq, snapshot });
    }

    pub(super) fn on_restored(&mut self, step: &mut Step<'_>, seq: Seq, done: Result<(), StateLost>) {
        if let Err(lost) = done {
            return step.push(Effect::StateLost(lost));
        }
        let Some(transfer) = self.transfer.current.take_if(|transfer| transfer.seq() == seq) else { return };
        let Transfer { target, summary, stage, .. } = *transfer;
        if let (Some(summary), Stage::Recorded { begins, clients, .. }) = (summary, stage) {
            self.stand_at(step, target, &summary, begins, *clients);
        }
    }

    /// SX-6: the one cursor goes forward.
    fn stand_at(
        &mut self,
        step: &mut Step<'_>,
        target: Certificate<Checkpoint>,
        summary: &StateSummary,
        position: LogPosition,
        clients: ClientTable,
    ) {
        let Checkpoint { seq, digest } = target.statement;
        self.clients = clients;
        self.execution = Execution::after(seq, summary.time, summary.wake_at);
        self.proposed = self.proposed.max(seq);
        self.replay_epoch(summary);
        // What the results before were is for those to certify who executed them.
        self.attesting.replay(seq, &[], seq);
        self.checkpoints.own.insert(seq, digest);
        self.checkpoints.own_vote = Some(self.sign_checkpoint(target.statement));
        self.checkpoints.own_position = Some(position);
        if self.stable_seq() < seq {
            self.checkpoints.stable = Some(target);
        }
        self.transfer.stranded = None;
        // CK-6: else a replica that takes over one state after the other would keep its whole log for an old view's sake.
        self.persist_view(step);
        self.persist_return(step);
        self.try_stabilize(step);
        self.try_hand_over(step);
        self.drop_executed_requests(step.now.elapsed);
        self.timers.progressed(step.now.elapsed);
        step.push(Effect::Transfer(TransferEvent::Done { seq }));
        self.send_status(step);
        self.try_execute(step);
        self.try_propose(step);
    }

    /// What waits here and was executed meanwhile; or refused, as this replica would never learn of a request that it told
    /// the others of.
    fn drop_executed_requests(&mut self, now: Duration) {
        let seq = self.execution.executed;
        self.buffer.release();
        let all = BatchLimits { requests: usize::MAX, bytes: usize::MAX };
        let waiting = self.buffer.overdue(now, now, all);
        let used = |request: &Request| self.clients.standing(&request.id()) != Standing::Fresh;
        let done = waiting.iter().filter(|request| used(request) || self.told_before(request, seq));
        self.buffer.settle(&done.map(Request::id).collect::<Vec<_>>());
        self.forget_told_before(seq);
    }
}
