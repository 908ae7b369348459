//! The services that the simulated replicas run: a small one that remembers everything, so that any difference shows; and
//! in a share of the runs the ledger.

mod market;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pbft_core::{
    ClientId, Request, RequestNumber, Seq, UnixMillis,
    message::Operation,
    request_buffer::Lane,
    service::{Admission, Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost, WrongPart},
    wire,
};
use pbft_crypto::{Digest, Domain, Hasher};
use serde::{Deserialize, Serialize};

use crate::key_ring::{KeyRing, Wanted};
use market::Market;

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
    /// Asks for other replicas: key and amount are the low and the high byte of a set, bit `i` for replica `i`.
    Change = 5,
    /// Changes nothing: what a question is when it has to be ordered.
    Read = 6,
    /// Asks for another key for the replica `key`; `amount` replicas are there unless others were asked for before.
    Rekey = 7,
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
            [verb @ (0..=3 | 5..=7), key, amount, ref tail @ ..]
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
    /// The replicas that were asked for last.
    wanted: Option<Wanted>,
}

const HISTORY_DOMAIN: Domain = Domain::new("pbft-sim/history/v1");

impl State {
    const fn new() -> Self {
        Self {
            history: Digest::ZERO,
            values: BTreeMap::new(),
            reminders: BTreeSet::new(),
            fired: 0,
            wanted: None,
        }
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
        let result = (!batch.requests.is_empty()).then_some(self.history);
        let wake_at = self.reminders.first().map(|(at, _)| *at);
        Executed { outcomes, wake_at, replicas: None, result }
    }

    fn carry_out(&mut self, batch: &OrderedBatch, request: &Request) -> Outcome {
        let [verb, key, amount, ..] = *request.operation.as_bytes() else { return Outcome::Refused(vec![]) };
        if verb == Verb::Read as u8 {
            return Outcome::Applied(self.history.as_bytes().to_vec());
        }
        let value = self.values.entry(key).or_default();
        if verb == Verb::Put as u8 {
            *value += u64::from(amount);
        } else if verb == Verb::Take as u8 {
            if *value == 0 {
                return Outcome::Refused(vec![key]);
            }
            *value -= 1;
        } else if verb == Verb::Change as u8 {
            let rekeyed = self.wanted.map_or(0, |wanted| wanted.rekeyed);
            self.wanted = Some(Wanted { members: u16::from_le_bytes([key, amount]), rekeyed });
        } else if verb == Verb::Rekey as u8 {
            let members = 1u16.checked_shl(amount.into()).unwrap_or_default().wrapping_sub(1);
            let wanted = self.wanted.get_or_insert(Wanted { members, rekeyed: 0 });
            wanted.rekeyed |= 1 << (key % 16);
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

/// What a durable one hands on, and takes over.
#[derive(Debug, Default)]
struct Parts {
    /// Its checkpoints that peers may fetch.
    served: BTreeMap<Seq, Vec<u8>>,
    install: Option<Install>,
    /// The states that were taken over, from the one on to which a crash may lead back.
    installed: BTreeMap<Seq, Vec<u8>>,
}

/// A state on its way. It survives crashes.
#[derive(Debug)]
struct Install {
    seq: Seq,
    manifest: Vec<Digest>,
    parts: BTreeMap<u32, Vec<u8>>,
}

const PART_DOMAIN: Domain = Domain::new("pbft-sim/part/v1");
const MANIFEST_DOMAIN: Domain = Domain::new("pbft-sim/manifest/v1");

fn part_digest(part: &[u8]) -> Digest {
    pbft_crypto::digest(PART_DOMAIN, part)
}

fn manifest_digest(manifest: &[Digest]) -> Digest {
    let mut hasher = Hasher::new(MANIFEST_DOMAIN);
    for part in manifest {
        hasher.update(part.as_bytes());
    }
    hasher.finish()
}

/// Which service a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceKind {
    /// The small one.
    Recording,
    /// The ledger.
    Ledger,
}

enum Machine {
    Recording(State),
    Ledger(Box<Market>),
}

impl Machine {
    fn new(kind: ServiceKind) -> Self {
        match kind {
            ServiceKind::Recording => Self::Recording(State::new()),
            ServiceKind::Ledger => Self::Ledger(Box::new(Market::new())),
        }
    }

    fn apply(&mut self, batch: &OrderedBatch) -> Executed {
        match self {
            Self::Recording(state) => state.apply(batch),
            Self::Ledger(market) => market.apply(batch),
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Recording(state) => wire::encode(state).expect("a small state"),
            Self::Ledger(market) => market.encode(),
        }
    }

    fn decode(kind: ServiceKind, bytes: &[u8]) -> Option<Self> {
        match kind {
            ServiceKind::Recording => wire::decode(bytes).ok().map(Self::Recording),
            ServiceKind::Ledger => Market::decode(bytes).map(|market| Self::Ledger(Box::new(market))),
        }
    }
}

/// The service of one replica.
pub struct SimulatedService {
    kind: ServiceKind,
    machine: Machine,
    /// What a service that keeps its own durable state remembers: each batch with its outcomes and the state after it.
    kept: Option<BTreeMap<Seq, (Executed, Vec<u8>)>>,
    /// Everyone who may be a replica.
    everyone: Arc<KeyRing>,
    at: Seq,
    parts: Parts,
}

impl SimulatedService {
    /// A new one. A durable one survives crashes by itself.
    #[must_use]
    pub fn new(kind: ServiceKind, durable: bool, everyone: Arc<KeyRing>) -> Self {
        let (kept, parts) = (durable.then(BTreeMap::new), Parts::default());
        Self { kind, machine: Machine::new(kind), kept, everyone, at: Seq::ZERO, parts }
    }

    /// What is left of it after a crash.
    #[must_use]
    pub fn after_crash(self) -> Self {
        Self { machine: Machine::new(self.kind), at: Seq::ZERO, ..self }
    }

    /// How large a part is: small, so that there are several.
    const fn part_bytes(&self) -> usize {
        match self.kind {
            ServiceKind::Recording => 24,
            ServiceKind::Ledger => 512,
        }
    }

    fn manifest_of(&self, state: &[u8]) -> Vec<Digest> {
        state.chunks(self.part_bytes()).map(part_digest).collect()
    }

    /// The digest of everything executed so far.
    #[must_use]
    pub fn history(&self) -> Digest {
        match &self.machine {
            Machine::Recording(state) => state.history,
            Machine::Ledger(market) => market.history(),
        }
    }

    /// Whether it waits for a time.
    #[must_use]
    pub fn waits(&self) -> bool {
        match &self.machine {
            Machine::Recording(state) => !state.reminders.is_empty(),
            Machine::Ledger(market) => market.waits(),
        }
    }

    /// What must hold of its state by itself.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), String> {
        match &self.machine {
            Machine::Recording(_) => Ok(()),
            Machine::Ledger(market) => market.check(),
        }
    }
}

impl Service for SimulatedService {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        self.at = batch.seq;
        let known = self.kept.as_ref().and_then(|kept| kept.get(&batch.seq));
        if let Some((executed, state)) = known
            && let Some(machine) = Machine::decode(self.kind, state)
        {
            let executed = executed.clone();
            self.machine = machine;
            return executed;
        }
        let mut executed = self.machine.apply(batch);
        if let Machine::Recording(State { wanted: Some(wanted), .. }) = &self.machine {
            executed.replicas = Some(Arc::new(self.everyone.set(*wanted)));
        }
        if let Some(kept) = &mut self.kept {
            kept.insert(batch.seq, (executed.clone(), self.machine.encode()));
        }
        executed
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        let bytes = self.machine.encode();
        if self.kept.is_none() {
            return ServiceCheckpoint::from_snapshot(bytes);
        }
        let digest = manifest_digest(&self.manifest_of(&bytes));
        self.parts.served.insert(self.at, bytes);
        ServiceCheckpoint::durable(digest)
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let lost = |why: &str| StateLost { seq, why: why.into() };
        let installed = self.parts.installed.get(&seq);
        let bytes = match (&self.kept, snapshot) {
            (Some(_), None) if let Some(bytes) = installed => bytes,
            (Some(kept), None) => &kept.get(&seq).ok_or_else(|| lost("never executed"))?.1,
            (None, Some(bytes)) => bytes,
            _ => return Err(lost("a snapshot where none belongs, or none where one does")),
        };
        self.machine = Machine::decode(self.kind, bytes).ok_or_else(|| lost("unreadable snapshot"))?;
        self.at = seq;
        // The log never goes back behind a checkpoint that it named once.
        self.parts.installed.retain(|installed, _| *installed >= seq);
        Ok(())
    }

    /// Any question is answered with all that there is.
    fn query(&mut self, _query: &[u8]) -> Option<Vec<u8>> {
        Some(self.history().as_bytes().to_vec())
    }

    fn keep_checkpoints(&mut self, needed: &[Seq]) {
        let newest = self.at;
        self.parts.served.retain(|seq, _| needed.contains(seq) || *seq >= newest);
    }

    fn manifest(&mut self, seq: Seq) -> Option<Vec<u8>> {
        wire::encode(&self.manifest_of(self.parts.served.get(&seq)?)).ok()
    }

    fn part(&mut self, seq: Seq, index: u32) -> Option<Vec<u8>> {
        let mut chunks = self.parts.served.get(&seq)?.chunks(self.part_bytes());
        chunks.nth(usize::try_from(index).ok()?).map(<[u8]>::to_vec)
    }

    fn begin_install(&mut self, seq: Seq, digest: &Digest, manifest: &[u8]) -> Result<Vec<u32>, WrongPart> {
        let manifest: Vec<Digest> = wire::decode(manifest).map_err(|_| WrongPart)?;
        if self.kept.is_none() || manifest_digest(&manifest) != *digest {
            return Err(WrongPart);
        }
        let before = self.parts.install.take().filter(|install| install.manifest == manifest);
        let parts = before.map(|install| install.parts).unwrap_or_default();
        let all = 0..u32::try_from(manifest.len()).map_err(|_| WrongPart)?;
        let missing = all.filter(|index| !parts.contains_key(index)).collect();
        self.parts.install = Some(Install { seq, manifest, parts });
        Ok(missing)
    }

    fn accept_part(&mut self, index: u32, part: &[u8]) -> Result<(), WrongPart> {
        let install = self.parts.install.as_mut().ok_or(WrongPart)?;
        let expected = usize::try_from(index).ok().and_then(|index| install.manifest.get(index));
        if expected != Some(&part_digest(part)) {
            return Err(WrongPart);
        }
        install.parts.insert(index, part.to_vec());
        Ok(())
    }

    fn complete_install(&mut self) -> Result<(), StateLost> {
        let Some(install) = self.parts.install.take() else {
            return Err(StateLost { seq: self.at, why: "nothing was begun".into() });
        };
        let lost = |why: &str| StateLost { seq: install.seq, why: why.into() };
        if install.parts.len() != install.manifest.len() {
            return Err(lost("a part is missing"));
        }
        let bytes: Vec<u8> = install.parts.values().flatten().copied().collect();
        Machine::decode(self.kind, &bytes).ok_or_else(|| lost("unreadable parts"))?;
        self.parts.served.insert(install.seq, bytes.clone());
        self.parts.installed.insert(install.seq, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durable() -> SimulatedService {
        SimulatedService::new(
            ServiceKind::Recording,
            true,
            Arc::new(KeyRing::of(&pbft_core::config::ReplicaSet::of([]))),
        )
    }

    /// Takes over the first state of another, as if it were the one after `seq`.
    fn takes_over(service: &mut SimulatedService, seq: Seq) {
        let mut other = durable();
        let digest = other.checkpoint().digest;
        let manifest = other.manifest(Seq::ZERO).unwrap();
        for index in service.begin_install(seq, &digest, &manifest).unwrap() {
            service.accept_part(index, &other.part(Seq::ZERO, index).unwrap()).unwrap();
        }
        service.complete_install().unwrap();
    }

    #[test]
    fn states_that_the_log_never_named_do_not_push_out_the_one_it_names() {
        let mut service = durable();
        takes_over(&mut service, Seq::new(14));
        service.restore(Seq::new(14), None).unwrap();
        for lost in [16, 18, 20] {
            takes_over(&mut service, Seq::new(lost));
            service = service.after_crash();
            service.restore(Seq::new(14), None).unwrap();
        }
        service.restore(Seq::new(20), None).unwrap();
        assert!(service.restore(Seq::new(14), None).is_err());
    }
}
