//! A whole cluster on one queue: every record is synced at once; the network may lose messages.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use pbft_core::{
    Asker, Config, Effect, Input, Message, Now, ReadNumber, Replica, Request, RequestId, Seq, ValidConfig,
    crypto::Crypto,
    effect::{TransferEvent, ViewChangeReason},
    message::{Operation, Read, ReadAnswer},
    replica::{EmptyLog, Recovered},
    request_buffer::FairBuffer,
    service::{AdmitAll, OrderedBatch, Outcome, Service},
    storage::{Log, LogPosition, MemoryLog, Record},
    verify::Verifier,
    wire,
};

use pbft_crypto::Digest;

use crate::{
    journal::{Journal, JournalService},
    stage::{self, START, config, id},
};

/// The first byte of an operation that asks for other replicas; their keys follow.
pub(crate) const CHANGE: u8 = 0xee;
/// Replica `i` has the key `i` at first, and may get this one more.
pub(crate) const NEW_KEY: u8 = 100;

/// The first byte of an operation that the service refuses.
pub(crate) const REFUSED: u8 = 0xed;

/// A request for these replicas.
pub(crate) fn change_to(client: u8, number: u64, replicas: &[u8]) -> Request {
    let operation = Operation::new([&[CHANGE], replicas].concat());
    Request { operation, ..stage::request(client, number) }
}

/// A request that will be refused, whenever it comes.
pub(crate) fn refused(client: u8, number: u64) -> Request {
    Request { operation: Operation::new([REFUSED]), ..stage::request(client, number) }
}

struct Node {
    replica: Replica,
    /// Which key it signs with.
    key: u16,
    verifier: Verifier,
    log: MemoryLog,
    /// The results that it has proofs of; a crash takes them away, as an idle disk would.
    certified: BTreeMap<Seq, Digest>,
    service: JournalService,
    timer: Option<Duration>,
}

pub(crate) struct Cluster {
    pub(crate) config: Arc<ValidConfig>,
    nodes: Vec<Node>,
    queue: VecDeque<(u16, u16, Arc<[u8]>)>,
    elapsed: Duration,
    /// Messages lost in a hundred.
    pub(crate) loss: u64,
    chance: u64,
    /// Every record in the order in which it became durable.
    pub(crate) history: Vec<(u16, LogPosition, Record)>,
    /// What each replica answered.
    pub(crate) replies: BTreeMap<RequestId, BTreeMap<u16, (Seq, Outcome)>>,
    /// What each replica said to each question.
    pub(crate) answers: BTreeMap<ReadNumber, BTreeMap<u16, ReadAnswer>>,
    /// What was executed as each number, by whom first; all others must match.
    order: BTreeMap<Seq, OrderedBatch>,
    /// Everything sent.
    pub(crate) sent: Vec<(u16, Message)>,
    /// Replicas that are down hear nothing.
    pub(crate) down: Vec<u16>,
    /// Links that lose everything: from, to.
    pub(crate) cut: Vec<(u16, u16)>,
    /// Whether replicas are going to change.
    pub(crate) changes: bool,
    /// How the transfers of states went.
    pub(crate) transfers: Vec<(u16, TransferEvent)>,
    /// Why who asked for other views.
    pub(crate) reasons: Vec<(u16, ViewChangeReason)>,
    /// Whose service has lost the state after which number.
    pub(crate) lost: Vec<(u16, Seq)>,
    /// What a faulty replica says instead.
    pub(crate) lie: fn(u16, Message) -> Option<Message>,
}

impl Cluster {
    pub(crate) fn new(n: u16, tweak: impl FnOnce(&mut Config)) -> Self {
        Self::from_logs(config(n, tweak), (0..n).map(|_| MemoryLog::default()).collect())
    }

    pub(crate) fn from_logs(config: Arc<ValidConfig>, logs: Vec<MemoryLog>) -> Self {
        Self::with_services(config, logs, false)
    }

    /// With services that keep their state durable by themselves.
    pub(crate) fn durable(n: u16, tweak: impl FnOnce(&mut Config)) -> Self {
        Self::with_services(config(n, tweak), (0..n).map(|_| MemoryLog::default()).collect(), true)
    }

    fn with_services(config: Arc<ValidConfig>, logs: Vec<MemoryLog>, durable: bool) -> Self {
        let fresh = || JournalService::new(durable);
        let begin = |(index, log)| node((index, index), &config, log, fresh(), EmptyLog::New);
        let nodes = (0..).zip(logs).map(begin).collect();
        let mut cluster = Self {
            config,
            nodes,
            queue: VecDeque::new(),
            elapsed: Duration::from_secs(1),
            loss: 0,
            chance: 1,
            history: Vec::new(),
            replies: BTreeMap::new(),
            answers: BTreeMap::new(),
            order: BTreeMap::new(),
            sent: Vec::new(),
            down: Vec::new(),
            cut: Vec::new(),
            changes: false,
            transfers: Vec::new(),
            reasons: Vec::new(),
            lost: Vec::new(),
            lie: |_, message| Some(message),
        };
        for index in 0..u16::try_from(cluster.nodes.len()).unwrap() {
            cluster.step(index, Input::Start);
        }
        cluster
    }

    /// A new replica, with an empty log. It must be told of the others, and they of it.
    pub(crate) fn join(&mut self) -> u16 {
        let index = u16::try_from(self.nodes.len()).unwrap();
        let (log, service) = (MemoryLog::default(), JournalService::new(false));
        self.nodes.push(node((index, index), &self.config, log, service, EmptyLog::New));
        self.step(index, Input::Start);
        index
    }

    /// A replica dies and comes back from its log.
    pub(crate) fn restart(&mut self, index: u16) {
        let seat = &mut self.nodes[usize::from(index)];
        let (log, service) = (std::mem::take(&mut seat.log), std::mem::take(&mut seat.service));
        *seat = node((index, seat.key), &self.config, log, service, EmptyLog::New);
        self.down.retain(|down| *down != index);
        self.step(index, Input::Start);
    }

    /// The same, and its operator has put another key in place.
    pub(crate) fn restart_with_new_key(&mut self, index: u16) {
        self.nodes[usize::from(index)].key = index + u16::from(NEW_KEY);
        self.restart(index);
    }

    /// A replica dies, and comes back with an empty disk.
    pub(crate) fn lose_disk(&mut self, index: u16, durable: bool) {
        let service = JournalService::new(durable);
        let seat = &mut self.nodes[usize::from(index)];
        *seat = node((index, seat.key), &self.config, MemoryLog::default(), service, EmptyLog::Lost);
        self.down.retain(|down| *down != index);
        self.step(index, Input::Start);
    }

    /// The next install of its service fails at the end.
    pub(crate) fn fail_install(&mut self, index: u16) {
        self.nodes[usize::from(index)].service.failures = 1;
    }

    /// Its service has nothing of what it says that it has installed.
    pub(crate) fn forget_installs(&mut self, index: u16) {
        self.nodes[usize::from(index)].service.forgets = true;
    }

    /// Its service can hand out no checkpoint any more.
    pub(crate) fn forget_served(&mut self, index: u16) {
        self.nodes[usize::from(index)].service.forget_newest();
    }

    /// The view of a replica, and whether it takes part in it.
    pub(crate) fn view(&self, index: u16) -> (u64, bool) {
        let progress = self.nodes[usize::from(index)].replica.progress();
        (progress.view.value(), progress.view_active)
    }

    /// A client sends a request to all.
    pub(crate) fn submit(&mut self, request: &Request) {
        for index in 0..u16::try_from(self.nodes.len()).unwrap() {
            if !self.down.contains(&index) && !self.is_lost() {
                self.submit_to(index, request);
            }
        }
    }

    /// ... or to one alone.
    pub(crate) fn submit_to(&mut self, index: u16, request: &Request) {
        let admitted = self.nodes[usize::from(index)].verifier.admit(vec![request.clone()]);
        admitted.into_iter().flatten().for_each(|input| self.step(index, input));
    }

    /// A client puts a question to these replicas.
    pub(crate) fn ask(&mut self, replicas: &[u16], number: u64, query: &[u8]) {
        let read = Read { number: ReadNumber::new(number), query: Operation::new(query) };
        for index in replicas {
            self.step(*index, Input::Read { asker: Asker::new(1), read: read.clone() });
        }
    }

    /// Delivers everything that is on its way.
    pub(crate) fn run(&mut self) {
        self.run_some(usize::MAX);
    }

    /// A replica sends something of its own to all others.
    pub(crate) fn say(&mut self, from: u16, message: Message) {
        let n = u16::try_from(self.nodes.len()).unwrap();
        let others: Vec<_> = (0..n).filter(|other| *other != from).collect();
        self.post(from, &others, message);
    }

    /// Delivers the next few messages.
    pub(crate) fn run_some(&mut self, count: usize) {
        for _ in 0..count {
            let Some((from, to, bytes)) = self.queue.pop_front() else { return };
            if self.down.contains(&to) || self.cut.contains(&(from, to)) || self.is_lost() {
                continue;
            }
            let message = wire::decode(&bytes).unwrap();
            let verified = self.nodes[usize::from(to)].verifier.verify(vec![(id(from), message)]);
            match verified.into_iter().next().unwrap() {
                Ok(inputs) => inputs.into_iter().for_each(|input| self.step(to, input)),
                // Who does not know yet that others took over, or has just learnt it, cannot read some messages.
                Err(error) => assert!(self.changes, "{error} at {to} from {from}"),
            }
        }
    }

    /// Lets time pass in small steps, with timers.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while self.elapsed < end {
            self.elapsed += Duration::from_millis(50);
            for index in 0..u16::try_from(self.nodes.len()).unwrap() {
                let now = self.elapsed;
                let up = !self.down.contains(&index);
                if up && self.nodes[usize::from(index)].timer.take_if(|at| *at <= now).is_some() {
                    self.step(index, Input::Timer);
                }
            }
            self.run();
        }
    }

    /// Has requests executed, asking again until every replica that is up has answered them. Fails after a while.
    pub(crate) fn complete(&mut self, requests: &[Request]) {
        let up = (0..).take(self.nodes.len()).filter(|index| !self.down.contains(index));
        self.complete_by(&up.collect::<Vec<_>>(), requests);
    }

    /// The same, until these replicas have answered.
    pub(crate) fn complete_by(&mut self, replicas: &[u16], requests: &[Request]) {
        for _ in 0..200 {
            let is_open = |request: &&Request| {
                let answers = self.replies.get(&request.id());
                !replicas.iter().all(|index| answers.is_some_and(|by| by.contains_key(index)))
            };
            let open: Vec<_> = requests.iter().filter(is_open).cloned().collect();
            if open.is_empty() {
                return;
            }
            open.iter().for_each(|request| self.submit(request));
            self.run();
            self.pass(Duration::from_millis(300));
        }
        let progress: Vec<_> = self.nodes.iter().map(|node| node.replica.progress()).collect();
        panic!("requests are not answered: {progress:#?}");
    }

    pub(crate) fn executed(&self, index: u16) -> u64 {
        self.nodes[usize::from(index)].replica.progress().executed.value()
    }

    /// Where the log of a replica begins.
    pub(crate) fn first_position(&mut self, index: u16) -> u64 {
        let records = self.nodes[usize::from(index)].log.load().unwrap();
        records.first().map_or(0, |(position, _)| position.value())
    }

    /// What is in the log of a replica.
    pub(crate) fn records(&mut self, index: u16) -> Vec<(LogPosition, Record)> {
        self.nodes[usize::from(index)].log.load().unwrap()
    }

    pub(crate) fn journal(&self, index: u16) -> &Journal {
        &self.nodes[usize::from(index)].service.journal
    }

    pub(crate) fn service(&self, index: u16) -> &JournalService {
        &self.nodes[usize::from(index)].service
    }

    /// The proofs of results that a replica got in its present life.
    pub(crate) fn proofs(&self, index: u16) -> &BTreeMap<Seq, Digest> {
        &self.nodes[usize::from(index)].certified
    }

    /// How many batches had a result.
    pub(crate) fn with_results(&self) -> u64 {
        self.order.values().filter(|batch| !batch.requests.is_empty()).count() as u64
    }

    pub(crate) fn replica(&self, index: u16) -> &Replica {
        &self.nodes[usize::from(index)].replica
    }

    fn is_lost(&mut self) -> bool {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % 100 < self.loss
    }

    fn step(&mut self, index: u16, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = Now { elapsed: self.elapsed, wall: START.plus(self.elapsed) };
            let mut effects = Vec::new();
            let replica = &mut self.nodes[usize::from(index)].replica;
            replica.step(now, input, &mut effects);
            replica.check_invariants().unwrap();
            inputs.extend(effects.into_iter().filter_map(|effect| self.carry_out(index, effect)));
        }
    }

    fn carry_out(&mut self, index: u16, effect: Effect) -> Option<Input> {
        let node = &mut self.nodes[usize::from(index)];
        match effect {
            Effect::Persist(position, record) => {
                node.log.append(position, &record).unwrap();
                self.history.push((index, position, record));
                return Some(Input::Durable(node.log.sync().unwrap()));
            }
            Effect::TruncateLog(position) => node.log.truncate(position).unwrap(),
            Effect::Send(to, message) => self.post(index, &[to.value()], message),
            Effect::Broadcast(message) => self.say(index, message),
            Effect::Reply(reply) => {
                self.replies.entry(reply.id).or_default().insert(index, (reply.seq, reply.outcome));
            }
            Effect::Execute { batch, checkpoint } => return Some(self.execute(index, &batch, checkpoint)),
            Effect::ReadReply { reply, .. } => {
                self.answers.entry(reply.number).or_default().insert(index, reply.answer);
            }
            Effect::SetTimer(at) => node.timer = Some(at),
            Effect::Reconfigured(roster) => node.verifier.update(roster),
            Effect::Certified(certificate) => {
                node.certified.insert(certificate.statement.seq, certificate.statement.digest);
            }
            Effect::Ask(question) => return Some(Input::Answered(question.put_to(&mut node.service))),
            Effect::Transfer(event) => self.transfers.push((index, event)),
            Effect::ViewChange { why, .. } => self.reasons.push((index, why)),
            Effect::Decline { .. } => {}
            Effect::StateLost(lost) if node.service.forgets => self.lost.push((index, lost.seq)),
            Effect::Evidence(_)
            | Effect::CheckpointTooLarge { .. }
            | Effect::Diverged { .. }
            | Effect::StateLost(_) => {
                panic!("all replicas are correct: {effect:?}")
            }
        }
        None
    }

    fn post(&mut self, from: u16, to: &[u16], message: Message) {
        let Some(message) = (self.lie)(from, message) else { return };
        let bytes: Arc<[u8]> = wire::encode(&message).unwrap().into();
        self.queue.extend(to.iter().map(|to| (from, *to, bytes.clone())));
        self.sent.push((from, message));
    }

    fn execute(&mut self, index: u16, batch: &OrderedBatch, checkpoint: bool) -> Input {
        let first = self.order.entry(batch.seq).or_insert_with(|| batch.clone());
        assert_eq!(first, batch, "one order for all");
        let service = &mut self.nodes[usize::from(index)].service;
        let executed = service.execute(batch);
        Input::Executed { executed, checkpoint: checkpoint.then(|| service.checkpoint()) }
    }
}

fn node(
    (index, key): (u16, u16),
    config: &Arc<ValidConfig>,
    mut log: MemoryLog,
    mut service: JournalService,
    empty: EmptyLog,
) -> Node {
    let crypto: Arc<dyn Crypto> = stage::key(key);
    let buffer = Box::new(FairBuffer::new(config.buffer.clone()));
    let records = log.load().unwrap();
    let recovered = Replica::recover(id(index), config.clone(), crypto.clone(), buffer, records, empty);
    let Recovered { replica, checkpoint } = recovered.unwrap();
    match checkpoint {
        Some(checkpoint) => service.restore(checkpoint.seq, checkpoint.snapshot.as_deref()).unwrap(),
        None => service = service.begun_anew(),
    }
    let mut verifier = Verifier::new(config.clone(), crypto, Arc::new(AdmitAll));
    verifier.update(replica.roster().clone());
    Node { replica, key, verifier, log, service, certified: BTreeMap::new(), timer: None }
}

/// A few requests of two clients.
pub(crate) fn requests(count: u64) -> Vec<Request> {
    (0..count).map(|number| stage::request(u8::try_from(1 + number % 2).unwrap(), number)).collect()
}
