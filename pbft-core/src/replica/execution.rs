//! Execution: final batches, in order, one at a time, each request once.
//!
//! There is one cursor, `executed`, and it never moves back. The next batch is handed out only when the outcomes of
//! the one before are known: which requests are still due depends on them (a refused request leaves no trace).

use std::collections::BTreeSet;

use pbft_crypto::Digest;

use super::{Replica, Step};
use crate::{
    client_table::Standing,
    effect::Effect,
    ids::{ClientId, RequestId, Seq},
    message::{Batch, Reply, Request},
    service::{Executed, OrderedBatch, ServiceCheckpoint},
    time::UnixMillis,
};

/// How far execution got.
#[derive(Clone, Debug, Default)]
pub(super) struct Execution {
    /// The last number whose outcomes are known.
    pub(super) executed: Seq,
    /// The time of that batch.
    pub(super) time: UnixMillis,
    /// When the service wants a batch even if nobody sends anything.
    pub(super) wake_at: Option<UnixMillis>,
    /// What the service is working on.
    in_progress: Option<InProgress>,
}

#[derive(Clone, Debug)]
struct InProgress {
    time: UnixMillis,
    /// The requests that the service was given.
    due: Vec<(RequestId, Digest)>,
    /// All requests of the batch.
    all: Vec<RequestId>,
}

impl Execution {
    /// Execution that goes on after `executed`.
    pub(super) const fn after(executed: Seq, time: UnixMillis, wake_at: Option<UnixMillis>) -> Self {
        Self { executed, time, wake_at, in_progress: None }
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.in_progress.is_none()
    }
}

impl Replica {
    /// E-1: the next number, if it is final and the service is free. SX-7: not while a state is taken over.
    pub(super) fn try_execute(&mut self, step: &mut Step<'_>) {
        let seq = self.execution.executed.next();
        self.begin_overdue_transfer(step);
        if !self.execution.is_idle() || self.transfer.is_running() {
            return;
        }
        let Some(committed) = self.log.slot(seq).and_then(crate::log::Slot::committed_batch) else { return };
        let batch = &*committed.batch;
        // E-3: time never stands still, whatever primaries say.
        let time = batch.time.max(self.execution.time.next());
        let requests = self.due_requests(batch);
        self.execution.in_progress = Some(InProgress {
            time,
            due: requests.iter().map(|request| (request.id(), request.digest())).collect(),
            all: batch.requests.iter().map(Request::id).collect(),
        });
        let batch =
            OrderedBatch { seq, origin: batch.origin, time, requests, replicas: self.members_digest() };
        let checkpoint = self.is_checkpoint(seq);
        if checkpoint {
            self.attesting.hand_over();
        }
        step.push(Effect::Execute { batch, checkpoint });
    }

    /// E-2: exactly once. A batch never names a request twice (PP-4).
    fn due_requests(&self, batch: &Batch) -> Vec<Request> {
        let mut newcomers = BTreeSet::new();
        let due = |request: &&Request| {
            let fresh = self.clients.standing(&request.id()) == Standing::Fresh;
            fresh && (self.clients.knows(&request.client) || self.has_room(&mut newcomers, request.client))
        };
        batch.requests.iter().filter(due).cloned().collect()
    }

    /// Whether the client table can take another client, with those that are new in the same batch.
    fn has_room(&self, newcomers: &mut BTreeSet<ClientId>, client: ClientId) -> bool {
        newcomers.contains(&client)
            || (self.clients.clients().saturating_add(newcomers.len()) < self.config.max_clients
                && newcomers.insert(client))
    }

    pub(super) fn on_executed(
        &mut self,
        step: &mut Step<'_>,
        executed: Executed,
        checkpoint: Option<ServiceCheckpoint>,
    ) {
        let Some(done) = self.execution.in_progress.take() else { return };
        let seq = self.execution.executed.next();
        self.execution.executed = seq;
        self.proposed = self.proposed.max(seq);
        self.execution.time = done.time;
        self.execution.wake_at = executed.wake_at;
        self.reconfiguration.wanted = executed.replicas;
        self.consider_change(seq);
        let done_now = done.due.len() as u64;
        for ((id, request), outcome) in done.due.into_iter().zip(executed.outcomes) {
            step.push(Effect::Reply(Reply { view: self.view, seq, id, request, outcome: outcome.clone() }));
            self.clients.record(id, request, seq, outcome);
        }
        self.buffer.settle(&done.all);
        self.timers.progressed(step.now.elapsed);
        let in_view = self.views.active && seq > self.views.floor();
        // VC-11: nothing got done if the batch was empty while there is something to do.
        if done_now > 0 || !self.holds_requests() {
            self.suspicion.progressed(done_now, in_view);
        }
        self.note_what_comes_in_reach();
        self.attest(step, seq, executed.result);
        if let Some(checkpoint) = checkpoint {
            self.make_checkpoint(step, seq, checkpoint);
        }
        self.try_execute(step);
        self.try_propose(step);
        self.go_on_catching_up(step);
    }

    /// Whether requests wait here, or lie in proposals whose turn is still to come.
    fn holds_requests(&self) -> bool {
        let to_come = self.log.slots().rev().take_while(|(seq, _)| *seq > self.execution.executed);
        let mut proposals = to_come.filter_map(|(_, slot)| slot.proposal.as_ref());
        self.buffer.waiting().requests > 0 || proposals.any(|proposal| !proposal.batch.requests.is_empty())
    }
}
