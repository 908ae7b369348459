//! The kits accept what this crate brings, and refuse what is broken in one way each.

use std::{
    cell::RefCell,
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    rc::Rc,
    time::Duration,
};

use pbft_core::{
    ClientId, Message, ReplicaId, Request, RequestId, Seq, UnixMillis,
    conformance::{self, Verdict},
    crypto::{Crypto, P256Crypto, SignatureCheck},
    local::MemoryNetwork,
    network::Network,
    request_buffer::{BatchLimits, BufferLimits, BufferRefusal, FairBuffer, Lane, RequestBuffer, Waiting},
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost},
    storage::{Durable, Log, LogPosition, MemoryLog, Record},
};
use pbft_crypto::{Digest, KeyPair, PublicKey, Signature};

/// The rule that was found broken.
fn broken(verdict: Verdict) -> String {
    verdict.expect_err("the kit must notice").to_string()
}

// --- Log --------------------------------------------------------------------------------------------------------------

/// Ways to break a log.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BadLog {
    Sound,
    ForgetsSynced,
    LosesFirst,
    KeepsAGap,
    SaysTooMuch,
    SaysTooLittle,
    TruncatesTooMuch,
    MixesUp,
}

#[derive(Clone)]
struct TestLog {
    inner: MemoryLog,
    last: LogPosition,
    way: BadLog,
}

impl Log for TestLog {
    type Error = Infallible;

    fn append(&mut self, position: LogPosition, record: &Record) -> Result<(), Infallible> {
        self.last = position;
        self.inner.append(position, record)
    }

    fn sync(&mut self) -> Result<Durable, Infallible> {
        let durable = self.inner.sync()?;
        Ok(match self.way {
            BadLog::SaysTooMuch => Durable::through(durable.position().next()),
            BadLog::SaysTooLittle => Durable::through(LogPosition::START),
            _ => durable,
        })
    }

    fn load(&mut self) -> Result<Vec<(LogPosition, Record)>, Infallible> {
        let mut records = self.inner.load()?;
        if self.way == BadLog::MixesUp {
            records.reverse();
        }
        Ok(records)
    }

    fn truncate(&mut self, position: LogPosition) -> Result<(), Infallible> {
        self.inner.truncate(if self.way == BadLog::TruncatesTooMuch { position.next() } else { position })
    }
}

fn rebuilt(records: impl IntoIterator<Item = (LogPosition, Record)>) -> MemoryLog {
    let mut log = MemoryLog::default();
    for (position, record) in records {
        let Ok(()) = log.append(position, &record);
    }
    let Ok(_) = log.sync();
    log
}

fn power_cut(mut log: TestLog) -> TestLog {
    let Ok(all) = log.inner.load();
    log.inner.lose_unsynced(0);
    let Ok(left) = log.inner.load();
    match log.way {
        BadLog::ForgetsSynced => log.inner = rebuilt(left.iter().take(left.len() - 1).cloned()),
        BadLog::LosesFirst => log.inner = rebuilt(left.iter().skip(1).cloned()),
        // The last unsynced record survives those before it.
        BadLog::KeepsAGap if all.len() > left.len() + 1 => {
            log.inner = rebuilt(left.into_iter().chain(all.last().cloned()));
        }
        _ => {}
    }
    log
}

fn log_verdict(way: BadLog) -> Verdict {
    let fresh = || TestLog { inner: MemoryLog::default(), last: LogPosition::START, way };
    conformance::log(fresh, power_cut)
}

#[test]
fn logs() {
    conformance::log(MemoryLog::default, |mut log| {
        log.lose_unsynced(0);
        log
    })
    .unwrap();
    assert_eq!(log_verdict(BadLog::Sound), Ok(()));
    for (way, rule) in [
        (BadLog::ForgetsSynced, "what a sync has answered for"),
        (BadLog::LosesFirst, "what a sync has answered for"),
        (BadLog::KeepsAGap, "a prefix"),
        (BadLog::SaysTooMuch, "sync answers"),
        (BadLog::SaysTooLittle, "sync answers"),
        (BadLog::TruncatesTooMuch, "truncation keeps"),
        (BadLog::MixesUp, "in order"),
    ] {
        let found = broken(log_verdict(way));
        assert!(found.contains(rule), "{way:?}: {found}");
    }
}

// --- Request buffer -----------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadBuffer {
    Sound,
    TakesTwice,
    ForgetsReleased,
    KeepsSettled,
    RemembersRefused,
    CountsWrong,
    IgnoresBatchLimits,
    Unbounded,
    LetsFloodsThrough,
    OverdueAll,
    TakesDuplicates,
}

/// The sound buffer with one thing spoilt.
struct TestBuffer {
    inner: FairBuffer,
    refused: BTreeSet<RequestId>,
    flood: VecDeque<Request>,
    way: BadBuffer,
}

impl TestBuffer {
    fn make(limits: BufferLimits, way: BadBuffer) -> Box<dyn RequestBuffer> {
        let roomy = BufferLimits { requests: usize::MAX, requests_per_client: usize::MAX, ..limits.clone() };
        let limits = if way == BadBuffer::Unbounded { roomy } else { limits };
        Box::new(Self {
            inner: FairBuffer::new(limits),
            refused: BTreeSet::new(),
            flood: VecDeque::new(),
            way,
        })
    }
}

impl RequestBuffer for TestBuffer {
    fn offer(&mut self, now: Duration, lane: Lane, request: Request) -> Result<(), BufferRefusal> {
        let id = request.id();
        if self.refused.contains(&id) {
            return Err(BufferRefusal::Duplicate);
        }
        if self.way == BadBuffer::LetsFloodsThrough && request.operation.len() > 100 {
            self.flood.push_back(request);
            return Ok(());
        }
        let offered = self.inner.offer(now, lane, request);
        match (self.way, offered) {
            (BadBuffer::RemembersRefused, Err(BufferRefusal::Full)) => {
                self.refused.insert(id);
                Err(BufferRefusal::Full)
            }
            (BadBuffer::TakesDuplicates, Err(BufferRefusal::Duplicate)) => Ok(()),
            (_, offered) => offered,
        }
    }

    fn take(&mut self, limits: BatchLimits) -> Vec<Request> {
        if !self.flood.is_empty() {
            let count = limits.requests.min(self.flood.len());
            return self.flood.drain(..count).collect();
        }
        let limits = match self.way {
            BadBuffer::IgnoresBatchLimits => BatchLimits { bytes: usize::MAX, ..limits },
            _ => limits,
        };
        let mut batch = self.inner.take(limits);
        if self.way == BadBuffer::TakesTwice && batch.len() == 1 {
            batch.extend(batch.last().cloned());
        }
        batch
    }

    fn release(&mut self) {
        if self.way != BadBuffer::ForgetsReleased {
            self.inner.release();
        }
    }

    fn settle(&mut self, ids: &[RequestId]) {
        if self.way != BadBuffer::KeepsSettled {
            self.inner.settle(ids);
        }
    }

    fn overdue(&mut self, now: Duration, since: Duration, limits: BatchLimits) -> Vec<Request> {
        self.inner.overdue(now, if self.way == BadBuffer::OverdueAll { now } else { since }, limits)
    }

    fn waiting(&self) -> Waiting {
        let mut waiting = self.inner.waiting();
        if self.way == BadBuffer::CountsWrong {
            waiting.bytes = 0;
        }
        waiting
    }
}

#[test]
fn request_buffers() {
    conformance::request_buffer(|limits| Box::new(FairBuffer::new(limits))).unwrap();
    let verdict = |way| conformance::request_buffer(|limits| TestBuffer::make(limits, way));
    assert_eq!(verdict(BadBuffer::Sound), Ok(()));
    for (way, rule) in [
        (BadBuffer::TakesTwice, "once"),
        (BadBuffer::ForgetsReleased, "released"),
        (BadBuffer::KeepsSettled, "settled"),
        (BadBuffer::RemembersRefused, "may come again"),
        (BadBuffer::CountsWrong, "waiting"),
        (BadBuffer::IgnoresBatchLimits, "as large as its limits"),
        (BadBuffer::Unbounded, "bounded"),
        (BadBuffer::LetsFloodsThrough, "turn"),
        (BadBuffer::OverdueAll, "overdue"),
        (BadBuffer::TakesDuplicates, "duplicate"),
    ] {
        let found = broken(verdict(way));
        assert!(found.contains(rule), "{way:?}: {found}");
    }
}

// --- Service ------------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadService {
    Sound,
    Random,
    SkipsOutcomes,
    CheckpointChanges,
    ForgetsPart,
    NamesNothing,
    WakesAlways,
    CannotRestore,
}

struct Sum {
    total: u64,
    hidden: u64,
    salt: u8,
    way: BadService,
}

impl Service for Sum {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let add = |request: &Request| {
            self.total += u64::from(request.operation.as_bytes().first().copied().unwrap_or(0));
            self.hidden += 1;
            let mut answer = [self.total.to_le_bytes(), self.hidden.to_le_bytes()].concat();
            // `NamesNothing` answers alike and names its state otherwise.
            answer.push(if self.way == BadService::NamesNothing { 0 } else { self.salt });
            Outcome::Applied(answer)
        };
        let mut outcomes: Vec<_> = batch.requests.iter().map(add).collect();
        if self.way == BadService::SkipsOutcomes {
            outcomes.pop();
        }
        let wake_at = (self.way == BadService::WakesAlways).then_some(UnixMillis::new(1));
        Executed { wake_at, ..Executed::new(outcomes) }
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        if self.way == BadService::CheckpointChanges {
            self.total += 1;
        }
        let mut bytes = [self.total.to_le_bytes(), self.hidden.to_le_bytes()].concat();
        if self.way == BadService::NamesNothing {
            bytes.push(self.salt);
        }
        ServiceCheckpoint::from_snapshot(bytes)
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let lost = || StateLost { seq, why: "no snapshot".into() };
        let (total, hidden) = snapshot.ok_or_else(lost)?.split_first_chunk::<8>().ok_or_else(lost)?;
        if self.way == BadService::CannotRestore {
            return Err(lost());
        }
        self.total = u64::from_le_bytes(*total);
        if self.way != BadService::ForgetsPart {
            self.hidden = u64::from_le_bytes(*hidden.first_chunk().ok_or_else(lost)?);
        }
        Ok(())
    }
}

fn service_verdict(way: BadService) -> Verdict {
    let made = RefCell::new(0u8);
    let make = || {
        *made.borrow_mut() += 1;
        let differs = matches!(way, BadService::Random | BadService::NamesNothing);
        let salt = if differs { *made.borrow() } else { 0 };
        Sum { total: 0, hidden: 0, salt: if way == BadService::NamesNothing { 0 } else { salt }, way }
    };
    let named = || Sum { salt: if way == BadService::NamesNothing { 7 } else { 0 }, ..make() };
    let requests: Vec<_> = (0..20).map(|n| (ClientId::from_bytes([n % 3; 32]), vec![n])).collect();
    conformance::service(make, &mut |_| named(), &requests)
}

#[test]
fn services() {
    assert_eq!(service_verdict(BadService::Sound), Ok(()));
    for (way, rule) in [
        (BadService::Random, "equal outcomes"),
        (BadService::SkipsOutcomes, "one outcome"),
        (BadService::CheckpointChanges, "equal"),
        (BadService::ForgetsPart, "after a restart"),
        (BadService::NamesNothing, "same state"),
        (BadService::WakesAlways, "due"),
        (BadService::CannotRestore, "goes back"),
    ] {
        let found = broken(service_verdict(way));
        assert!(found.contains(rule), "{way:?}: {found}");
    }
}

// --- Network and crypto ---------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadNetwork {
    Sound,
    LosesHalf,
    Deaf,
    WrongSender,
    ToItself,
    BroadcastsToOne,
    TellsAll,
    Garbles,
}

struct TestNetwork {
    inner: MemoryNetwork,
    sent: u32,
    way: BadNetwork,
}

impl Network for TestNetwork {
    fn send(&mut self, to: ReplicaId, message: &Message) {
        self.sent += 1;
        match self.way {
            BadNetwork::LosesHalf if self.sent.is_multiple_of(2) => {}
            BadNetwork::Deaf if to.value() == 2 => {}
            BadNetwork::TellsAll => self.inner.broadcast(message),
            _ => self.inner.send(to, message),
        }
    }

    fn broadcast(&mut self, message: &Message) {
        match self.way {
            BadNetwork::BroadcastsToOne => self.inner.send(ReplicaId::new(1), message),
            BadNetwork::ToItself => self.inner.send(ReplicaId::new(0), message),
            _ => [1, 2, 3].map(ReplicaId::new).iter().for_each(|to| self.send(*to, message)),
        }
    }
}

fn network_verdict(way: BadNetwork) -> Verdict {
    let members = [0, 1, 2, 3].map(ReplicaId::new);
    let inner = MemoryNetwork::new(members[0], members.into_iter());
    let shared = Rc::new(RefCell::new(TestNetwork { inner, sent: 0, way }));
    let received = || {
        let mut network = shared.borrow_mut();
        let mut received = Vec::new();
        while let Some(envelope) = network.inner.pop() {
            let from = if way == BadNetwork::WrongSender { ReplicaId::new(3) } else { envelope.from };
            let garbled = Message::Forward(Vec::new());
            let message = if way == BadNetwork::Garbles { garbled } else { envelope.message };
            received.push((envelope.to, from, message));
        }
        received
    };
    conformance::network(&mut Handle(shared.clone()), members[0], &members, received)
}

struct Handle(Rc<RefCell<TestNetwork>>);

impl Network for Handle {
    fn send(&mut self, to: ReplicaId, message: &Message) {
        self.0.borrow_mut().send(to, message);
    }

    fn broadcast(&mut self, message: &Message) {
        self.0.borrow_mut().broadcast(message);
    }
}

#[test]
fn networks() {
    assert_eq!(network_verdict(BadNetwork::Sound), Ok(()));
    assert_eq!(network_verdict(BadNetwork::LosesHalf), Ok(()), "a network may lose messages");
    for (way, rule) in [
        (BadNetwork::Deaf, "arrives"),
        (BadNetwork::WrongSender, "sender's name"),
        (BadNetwork::ToItself, "themselves"),
        (BadNetwork::BroadcastsToOne, "broadcast"),
        (BadNetwork::TellsAll, "only at whom"),
        (BadNetwork::Garbles, "as they were sent"),
    ] {
        let found = broken(network_verdict(way));
        assert!(found.contains(rule), "{way:?}: {found}");
    }
}

struct TestCrypto {
    inner: P256Crypto,
    gullible: bool,
    hasty: bool,
}

impl Crypto for TestCrypto {
    fn public_key(&self) -> PublicKey {
        self.inner.public_key()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.inner.sign(digest)
    }

    fn verify(&self, check: &SignatureCheck) -> bool {
        self.gullible || self.inner.verify(check)
    }

    fn verify_many(&self, checks: &[SignatureCheck]) -> Vec<bool> {
        let mut verdicts: Vec<_> = checks.iter().map(|check| self.verify(check)).collect();
        if self.hasty {
            verdicts.reverse();
        }
        verdicts
    }
}

#[test]
fn cryptos() {
    let verdict = |gullible, hasty| {
        let pairs = [1, 2].map(|n| KeyPair::from_secret_bytes(&[n; 32]).unwrap());
        let [first, second] = pairs
            .map(|pair| (pair.public_key(), TestCrypto { inner: P256Crypto::new(pair), gullible, hasty }));
        conformance::crypto((first.0, &first.1), (second.0, &second.1))
    };
    assert_eq!(verdict(false, false), Ok(()));
    assert!(broken(verdict(true, false)).contains("refused"));
    assert!(broken(verdict(false, true)).contains("one by one"));
}
