//! A ledger in this process, without consensus: one replica that answers for all. For tests and tools.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use pbft_core::client_table::{ClientTable, Standing};
use pbft_core::message::DeclineReason;
use pbft_core::service::{Admission, OrderedBatch, Service};
use pbft_core::{Request, Seq, UnixMillis, View};

use super::{Answer, NoAnswer, Submitter};
use crate::clock::Clock;
use crate::service::{LedgerAdmission, LedgerService};

/// Executes each request as a batch of its own, once.
pub struct LocalSubmitter {
    admission: LedgerAdmission,
    clock: Clock,
    replica: Mutex<Replica>,
}

struct Replica {
    service: LedgerService,
    clients: ClientTable,
    last: Seq,
}

impl LocalSubmitter {
    /// Goes on with a ledger from where it is.
    pub fn new(service: LedgerService, clock: Clock) -> Self {
        let view = service.view();
        let admission = LedgerAdmission::new(view.read(|ledger| *ledger.chain_id()));
        let last = service.applied();
        let replica = Replica { service, clients: ClientTable::new(100_000, 64 << 20), last };
        Self { admission, clock, replica: Mutex::new(replica) }
    }

    /// Lets pass what is due by now.
    pub fn tick(&self) {
        self.with_replica(|replica| replica.execute(self.now(), Vec::new()));
    }

    /// What the ledger says to a question.
    pub fn query(&self, query: &[u8]) -> Option<Vec<u8>> {
        self.with_replica(|replica| replica.service.query(query))
    }

    fn now(&self) -> UnixMillis {
        UnixMillis::new((self.clock)().value())
    }

    fn with_replica<T>(&self, act: impl FnOnce(&mut Replica) -> T) -> T {
        act(&mut self.replica.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, request: Request) -> Result<Answer, NoAnswer> {
        let verdict = self.admission.admit(std::slice::from_ref(&request)).pop();
        if let Some(Err(refusal)) = verdict {
            return Err(NoAnswer::Declined(DeclineReason::NotAdmitted(refusal)));
        }
        self.with_replica(|replica| replica.answer(self.now(), request))
    }
}

impl Replica {
    fn answer(&mut self, now: UnixMillis, request: Request) -> Result<Answer, NoAnswer> {
        let id = request.id();
        let digest = request.digest();
        match self.clients.standing(&id) {
            Standing::Fresh => {}
            Standing::NoRoom => return Err(NoAnswer::Declined(DeclineReason::TooManyClients)),
            Standing::TooOld => return Err(NoAnswer::Declined(DeclineReason::NumberTooOld)),
            Standing::TooFar => return Err(NoAnswer::Declined(DeclineReason::NumberTooFar)),
            Standing::Executed => {
                let reply =
                    self.clients.reply(&id).ok_or(NoAnswer::Declined(DeclineReason::ReplyForgotten))?;
                if reply.request != digest {
                    return Err(NoAnswer::Declined(DeclineReason::NumberInUse));
                }
                return Ok(Answer { seq: reply.seq, outcome: reply.outcome.clone() });
            }
        }
        let outcome = self.execute(now, vec![request]).ok_or(NoAnswer::TimedOut)?;
        self.clients.record(id, digest, self.last, outcome.clone());
        Ok(Answer { seq: self.last, outcome })
    }

    fn execute(&mut self, time: UnixMillis, requests: Vec<Request>) -> Option<pbft_core::service::Outcome> {
        self.last = self.last.next();
        // There is no consensus here that a change of the replicas could take effect in: the first ones go on.
        let replicas = self.service.view().read(|ledger| ledger.tip().replica_set_hash);
        let batch = OrderedBatch { seq: self.last, origin: View::ZERO, time, requests, replicas };
        self.service.execute(&batch).outcomes.pop()
    }
}

impl Submitter for LocalSubmitter {
    fn submit(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + '_>> {
        Box::pin(ready(self.answer(request)))
    }
}
