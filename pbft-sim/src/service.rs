//! The service that the simulated replicas run: small, and it remembers everything, so that any difference shows.

use std::collections::{BTreeMap, BTreeSet};

use pbft_core::{
    ClientId, Request, RequestNumber, Seq, UnixMillis,
    message::Operation,
    request_buffer::Lane,
    service::{Admission, Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    wire,
};
use pbft_crypto::{Digest, Domain, Hasher};
use serde::{Deserialize, Serialize};

/// What clients can ask for: the first byte of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Verb {
    /// Adds to a key.
    Put = 0,
    /// Takes one from a key; refused, without a trace, if there is none.
    Take = 1,
    /// Has the service wake up after `amount` times 10 ms.
    Remind = 2,
    /// Always fails, by the service's own rules.
    Fail = 3,
    /// Not even admitted.
    Malformed = 4,
}

impl Verb {
    /// A request of a client: verb, key, amount, and a tag that stands for the client's signature.
    #[must_use]
    pub fn request(self, client: ClientId, number: RequestNumber, key: u8, amount: u8) -> Request {
        let words = [self as u8, key, amount];
        let operation = Operation::new([&words[..], &tag(&client, number, words)].concat());
        Request { client, number, operation }
    }
}

const TAG_DOMAIN: Domain = Domain::new("pbft-sim/client-signature/v1");

/// An ideal signature: Byzantine replicas do not compute it for others.
fn tag(client: &ClientId, number: RequestNumber, words: [u8; 3]) -> [u8; 8] {
    let mut hasher = Hasher::new(TAG_DOMAIN);
    let digest = hasher.update(client.as_bytes()).update_u64(number.value()).update(&words).finish();
    *digest.as_bytes().first_chunk().expect("32 bytes hold 8")
}

/// Admits what carries its client's tag, but for [`Verb::Malformed`]. Small keys are urgent.
#[derive(Clone, Copy, Debug)]
pub struct FormCheck;

/// What a request of the wrong form is told.
pub const NOT_A_VERB: &[u8] = b"no such verb";

impl Admission for FormCheck {
    fn admit(&self, requests: &[Request]) -> Vec<Result<Lane, Vec<u8>>> {
        let judge = |request: &Request| match *request.operation.as_bytes() {
            [verb @ 0..=3, key, amount, ref tail @ ..]
                if *tail == tag(&request.client, request.number, [verb, key, amount]) =>
            {
                Ok(if key <= 3 { Lane::Urgent } else { Lane::Normal })
            }
            _ => Err(NOT_A_VERB.to_vec()),
        };
        requests.iter().map(judge).collect()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    /// Binds every batch with its time, requests and outcomes, in order.
    history: Digest,
    values: BTreeMap<u8, u64>,
    reminders: BTreeSet<(UnixMillis, u64)>,
    fired: u64,
}

const HISTORY_DOMAIN: Domain = Domain::new("pbft-sim/history/v1");

impl State {
    const fn new() -> Self {
        Self { history: Digest::ZERO, values: BTreeMap::new(), reminders: BTreeSet::new(), fired: 0 }
    }

    fn apply(&mut self, batch: &OrderedBatch) -> Executed {
        while self.reminders.pop_first_due(batch.time) {
            self.fired += 1;
        }
        let outcomes: Vec<_> = batch.requests.iter().map(|request| self.carry_out(batch, request)).collect();
        let mut history = Hasher::new(HISTORY_DOMAIN);
        history.update(self.history.as_bytes());
        history.update_u64(batch.seq.value()).update_u64(batch.time.value()).update_u64(self.fired);
        for (request, outcome) in batch.requests.iter().zip(&outcomes) {
            history.update(request.digest().as_bytes()).update(outcome.as_bytes());
        }
        self.history = history.finish();
        Executed { outcomes, wake_at: self.reminders.first().map(|(at, _)| *at) }
    }

    fn carry_out(&mut self, batch: &OrderedBatch, request: &Request) -> Outcome {
        let [verb, key, amount, ..] = *request.operation.as_bytes() else { return Outcome::Refused(vec![]) };
        let value = self.values.entry(key).or_default();
        if verb == Verb::Put as u8 {
            *value += u64::from(amount);
        } else if verb == Verb::Take as u8 {
            if *value == 0 {
                return Outcome::Refused(vec![key]);
            }
            *value -= 1;
        } else if verb == Verb::Remind as u8 {
            let at = batch.time.plus(core::time::Duration::from_millis(10 * u64::from(amount)));
            self.reminders.insert((at, request.number.value()));
        } else {
            return Outcome::Applied(b"failed".to_vec());
        }
        Outcome::Applied([&[verb], &value.to_le_bytes()[..]].concat())
    }
}

trait PopDue {
    fn pop_first_due(&mut self, now: UnixMillis) -> bool;
}

impl PopDue for BTreeSet<(UnixMillis, u64)> {
    fn pop_first_due(&mut self, now: UnixMillis) -> bool {
        let due = self.first().is_some_and(|(at, _)| *at <= now);
        if due {
            self.pop_first();
        }
        due
    }
}

/// The service of one replica.
#[derive(Debug)]
pub struct RecordingService {
    state: State,
    /// What a service that keeps its own durable state remembers: each batch with its outcomes and the state after it.
    kept: Option<BTreeMap<Seq, (Executed, State)>>,
    at: Seq,
}

impl RecordingService {
    /// A new one. A durable one survives crashes by itself.
    #[must_use]
    pub fn new(durable: bool) -> Self {
        Self { state: State::new(), kept: durable.then(BTreeMap::new), at: Seq::ZERO }
    }

    /// What is left of it after a crash.
    #[must_use]
    pub fn after_crash(self) -> Self {
        if self.kept.is_some() {
            Self { state: State::new(), at: Seq::ZERO, ..self }
        } else {
            Self::new(false)
        }
    }

    /// The digest of everything executed so far.
    #[must_use]
    pub const fn history(&self) -> Digest {
        self.state.history
    }

    /// Whether it waits for a time.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.state.reminders.is_empty()
    }
}

impl Service for RecordingService {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        self.at = batch.seq;
        if let Some((executed, state)) = self.kept.as_ref().and_then(|kept| kept.get(&batch.seq)) {
            self.state = state.clone();
            return executed.clone();
        }
        let executed = self.state.apply(batch);
        if let Some(kept) = &mut self.kept {
            kept.insert(batch.seq, (executed.clone(), self.state.clone()));
        }
        executed
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        let bytes = wire::encode(&self.state).expect("a small state");
        let named = ServiceCheckpoint::from_snapshot(bytes);
        if self.kept.is_some() { ServiceCheckpoint::durable(named.digest) } else { named }
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let lost = |why: &str| StateLost { seq, why: why.into() };
        self.state = match (&self.kept, snapshot) {
            (Some(kept), None) => kept.get(&seq).ok_or_else(|| lost("never executed"))?.1.clone(),
            (None, Some(bytes)) => wire::decode(bytes).map_err(|_| lost("unreadable snapshot"))?,
            _ => return Err(lost("a snapshot where none belongs, or none where one does")),
        };
        self.at = seq;
        Ok(())
    }
}
