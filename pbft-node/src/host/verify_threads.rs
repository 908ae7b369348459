//! Verification: takes whatever has come together, checks it all at once, and hands on what is good.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use pbft_core::{Asker, Input, Message, ReplicaId, Request, message::Read, verify::Verifier};

use super::{
    events::External,
    fair_source::{FairSource, Portion},
    waiters::Waiters,
    windows::Seen,
};
use crate::{
    metrics::ReplicaMetrics,
    sparing::Sparing,
    transport::{ClientAnswer, ClientRequest, ConnectionId, Inbound, Quota, ReplicaReport, Transport},
};

/// What is checked at once: enough for batches, little enough to share between threads, and to be over soon. The replica hears
/// of none of it before: with a second of signatures in it, a replica that has much to catch up with would take the others to
/// stand still.
const AT_ONCE: Portion = Portion { events: 256, bytes: 128 << 10 };

/// What a verification thread needs. All threads of a node share one source.
#[derive(Clone)]
pub(crate) struct VerifyThread {
    pub(crate) source: Arc<Mutex<FairSource>>,
    pub(crate) verifier: Verifier,
    pub(crate) inputs: Sender<External>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) transport: Transport,
    /// How the replica is. The verifier follows who may vote.
    pub(crate) seen: Seen,
    pub(crate) report: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub(crate) metrics: ReplicaMetrics,
    /// Which replicas were said to send what is refused, and why.
    pub(crate) refused: Arc<Sparing<(ReplicaId, String)>>,
}

/// The replica thread is gone.
struct Stopped;

/// A request as a client sent it.
struct Submitted {
    connection: ConnectionId,
    request: Request,
    quota: Arc<Quota>,
}

impl VerifyThread {
    /// Runs until the transport or the replica is gone.
    pub(crate) fn run(mut self) {
        let mut events = Vec::with_capacity(AT_ONCE.events);
        loop {
            {
                let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
                source.take(AT_ONCE, &mut events);
            }
            if events.is_empty() {
                return;
            }
            if self.seen.roster.has_changed().unwrap_or(false) {
                let roster = self.seen.roster.borrow_and_update().clone();
                self.verifier.update(roster);
            }
            if self.handle(&mut events).is_err() {
                return;
            }
        }
    }

    fn handle(&self, events: &mut Vec<Inbound>) -> Result<(), Stopped> {
        let mut messages = Vec::new();
        let mut requests = Vec::new();
        for event in events.drain(..) {
            match event {
                Inbound::Replica { from, message, quota } => {
                    messages.push(((from, message), Arc::new(quota)));
                }
                Inbound::Client { connection, request: ClientRequest::Submit(submitted), quota } => {
                    let quota = Arc::new(quota);
                    let submitted = submitted.into_iter();
                    requests.extend(submitted.map(|request| Submitted {
                        connection,
                        request,
                        quota: quota.clone(),
                    }));
                }
                Inbound::Client { connection, request: ClientRequest::Report, .. } => self.report(connection),
                Inbound::Client { connection, request: ClientRequest::Read(reads), quota } => {
                    self.take_reads(connection, reads, &Arc::new(quota))?;
                }
                // Its entries in the register age out.
                Inbound::ClientGone(_) => {}
            }
        }
        self.verify_messages(messages)?;
        self.admit_requests(requests)
    }

    fn verify_messages(&self, messages: Vec<((ReplicaId, Message), Arc<Quota>)>) -> Result<(), Stopped> {
        if messages.is_empty() {
            return Ok(());
        }
        let (messages, quotas): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let senders: Vec<_> = messages.iter().map(|(from, message)| (*from, message.kind())).collect();
        for (((from, kind), quota), verdict) in
            senders.into_iter().zip(quotas).zip(self.verifier.verify(messages))
        {
            match verdict {
                Ok(inputs) => {
                    self.metrics.message(kind);
                    for input in inputs {
                        self.hand_on(input, quota.clone())?;
                    }
                }
                Err(error) => {
                    self.metrics.invalid.inc();
                    if let Some(left_out) = self.refused.may_say((from, error.to_string())) {
                        tracing::warn!(%from, kind, %error, left_out, "refused a message");
                    }
                }
            }
        }
        Ok(())
    }

    fn admit_requests(&self, submitted: Vec<Submitted>) -> Result<(), Stopped> {
        if submitted.is_empty() {
            return Ok(());
        }
        let requests = submitted.iter().map(|submitted| submitted.request.clone()).collect();
        for (verdict, Submitted { connection, request, quota }) in
            self.verifier.admit(requests).into_iter().zip(submitted)
        {
            match verdict {
                Ok(input) => {
                    self.metrics.requests.inc();
                    self.waiters.add(connection, request.digest());
                    self.hand_on(input, quota)?;
                }
                // Only whoever sent it is told: somebody else may have sent a good request under this name.
                Err((id, reason)) => {
                    self.metrics.declined.inc();
                    self.transport.answer(connection, ClientAnswer::Decline(id, reason));
                }
            }
        }
        Ok(())
    }

    /// Questions need no check: whoever is let in may ask, and the replica bounds what it keeps of them.
    fn take_reads(
        &self,
        connection: ConnectionId,
        reads: Vec<Read>,
        quota: &Arc<Quota>,
    ) -> Result<(), Stopped> {
        let asker = Asker::new(connection.value());
        reads.into_iter().try_for_each(|read| self.hand_on(Input::Read { asker, read }, quota.clone()))
    }

    /// Waits while the replica is busy.
    fn hand_on(&self, input: Input, quota: Arc<Quota>) -> Result<(), Stopped> {
        self.inputs.send(External { input, _quota: Some(quota) }).map_err(|_| Stopped)
    }

    fn report(&self, connection: ConnectionId) {
        let diagnosis = self.seen.diagnosis.borrow().clone();
        let report = ReplicaReport {
            progress: *self.seen.progress.borrow(),
            waited: u64::try_from(diagnosis.waited().as_millis()).unwrap_or(u64::MAX),
            waits_for: diagnosis.waits_for,
            application: (self.report)(),
        };
        self.transport.answer(connection, ClientAnswer::Report(report));
    }
}
