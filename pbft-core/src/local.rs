//! A whole cluster in memory: the smallest host there is, and the reference for writing another.
//!
//! No time passes but what [`LocalCluster::advance`] lets pass, nothing is lost, and everything runs on the caller's
//! thread. For trying a service out and for tests; see `pbft-node` for the real thing.

use core::time::Duration;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use pbft_crypto::{Digest, KeyPair};

use crate::{
    client::{Accepted, Client, ClientConfig, ClientEffect, FoundAnswer},
    config::{Config, ReplicaSet, ValidConfig},
    crypto::{Crypto, P256Crypto},
    effect::Effect,
    ids::{Asker, ClientId, ReadNumber, ReplicaId, RequestId, RequestNumber},
    input::Input,
    message::{Message, Operation, Read, ReadReply, Reply, Request},
    network::Network,
    replica::{EmptyLog, Replica},
    request_buffer::{FairBuffer, RequestBuffer},
    service::{AdmitAll, Service},
    storage::{Log, MemoryLog},
    time::{Now, UnixMillis},
    verify::Verifier,
};

/// Queues in memory instead of a network.
#[derive(Debug)]
pub struct MemoryNetwork {
    from: ReplicaId,
    others: Vec<ReplicaId>,
    queue: VecDeque<Envelope>,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Who sent it.
    pub from: ReplicaId,
    /// Who is to get it.
    pub to: ReplicaId,
    /// What.
    pub message: Message,
}

impl MemoryNetwork {
    /// The network as `from` sees it.
    #[must_use]
    pub fn new(from: ReplicaId, members: impl Iterator<Item = ReplicaId>) -> Self {
        Self { from, others: members.filter(|member| *member != from).collect(), queue: VecDeque::new() }
    }

    /// Takes the next message out.
    pub fn pop(&mut self) -> Option<Envelope> {
        self.queue.pop_front()
    }
}

impl Network for MemoryNetwork {
    fn send(&mut self, to: ReplicaId, message: &Message) {
        self.queue.push_back(Envelope { from: self.from, to, message: message.clone() });
    }

    fn broadcast(&mut self, message: &Message) {
        for to in self.others.clone() {
            self.send(to, message);
        }
    }
}

/// One replica with everything that it needs.
struct Node<S> {
    replica: Replica,
    verifier: Verifier,
    service: S,
    log: MemoryLog,
    network: MemoryNetwork,
    timer: Option<Duration>,
    /// What it says to questions.
    answers: Vec<ReadReply>,
}

impl<S: Service> Node<S> {
    #[expect(clippy::expect_used, reason = "an empty log cannot contradict itself")]
    fn new(
        id: ReplicaId,
        key: KeyPair,
        config: Arc<ValidConfig>,
        buffer: Box<dyn RequestBuffer>,
        service: S,
    ) -> Self {
        let crypto: Arc<dyn Crypto> = Arc::new(P256Crypto::new(key));
        let recovered =
            Replica::recover(id, config.clone(), crypto.clone(), buffer, Vec::new(), EmptyLog::New);
        Self {
            replica: recovered.expect("an empty log is a valid one").replica,
            network: MemoryNetwork::new(id, config.replicas.ids()),
            verifier: Verifier::new(config, crypto, Arc::new(AdmitAll)),
            service,
            log: MemoryLog::default(),
            timer: None,
            answers: Vec::new(),
        }
    }

    /// Feeds one input, and everything that follows from it within this node. Returns replies to clients.
    fn handle(&mut self, now: Now, input: Input) -> Vec<Reply> {
        let mut inputs = VecDeque::from([input]);
        let mut replies = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.replica.step(now, input, &mut effects);
            for effect in effects {
                inputs.extend(self.carry_out(effect, &mut replies));
            }
        }
        replies
    }

    /// Does one thing, and says what became of it.
    fn carry_out(&mut self, effect: Effect, replies: &mut Vec<Reply>) -> Option<Input> {
        match effect {
            Effect::Persist(position, record) => {
                let Ok(()) = self.log.append(position, &record);
                let Ok(durable) = self.log.sync();
                return Some(Input::Durable(durable));
            }
            Effect::TruncateLog(position) => {
                let Ok(()) = self.log.truncate(position);
            }
            Effect::Send(to, message) => self.network.send(to, &message),
            Effect::Broadcast(message) => self.network.broadcast(&message),
            Effect::Reply(reply) => replies.push(reply),
            Effect::Execute { batch, checkpoint } => {
                let executed = self.service.execute(&batch);
                let checkpoint = checkpoint.then(|| self.service.checkpoint());
                return Some(Input::Executed { executed, checkpoint });
            }
            Effect::SetTimer(at) => self.timer = Some(at),
            Effect::Certified(certificate) => self.service.certified(certificate),
            Effect::Evidence(evidence) => self.service.evidence(evidence),
            Effect::Decline { .. }
            | Effect::Reconfigured(_)
            | Effect::CheckpointTooLarge { .. }
            | Effect::Diverged { .. }
            | Effect::Transfer(_)
            | Effect::ViewChange { .. }
            | Effect::StateLost(_) => {}
            Effect::ReadReply { reply, .. } => self.answers.push(reply),
            Effect::Ask(question) => return Some(Input::Answered(question.put_to(&mut self.service))),
        }
        None
    }
}

/// `n` replicas of a service, and one client.
pub struct LocalCluster<S> {
    nodes: Vec<Node<S>>,
    client: Client,
    client_id: ClientId,
    next_number: RequestNumber,
    elapsed: Duration,
    answers: BTreeMap<RequestId, Accepted>,
    found: BTreeMap<ReadNumber, FoundAnswer>,
}

/// The clock starts here.
const START: UnixMillis = UnixMillis::new(1_700_000_000_000);

impl<S: Service> LocalCluster<S> {
    /// Starts `n` replicas of the service that `make` makes.
    ///
    /// # Panics
    /// If `n` is 0 or more than a cluster can have.
    #[must_use]
    pub fn new(n: u16, make: impl Fn() -> S) -> Self {
        Self::with_buffers(n, make, |config| Box::new(FairBuffer::new(config.buffer.clone())))
    }

    /// The same, with request buffers of your own.
    ///
    /// # Panics
    /// If `n` is 0 or more than a cluster can have.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a documented panic, for a wrong argument only")]
    pub fn with_buffers(
        n: u16,
        make: impl Fn() -> S,
        make_buffer: impl Fn(&Config) -> Box<dyn RequestBuffer>,
    ) -> Self {
        let keys = (0..n).map(test_key).collect::<Vec<_>>();
        let replicas = ReplicaSet::new(keys.iter().map(KeyPair::public_key).collect());
        let config = Config::new(Digest::ZERO, replicas).validate().expect("a cluster has 1 to 256 replicas");
        let config = Arc::new(config);
        let nodes = keys.into_iter().zip(config.replicas.ids());
        let mut cluster = Self {
            nodes: nodes
                .map(|(key, id)| Node::new(id, key, config.clone(), make_buffer(&config), make()))
                .collect(),
            client: Client::new(ClientConfig::new(n)),
            client_id: ClientId::from_bytes([1; 32]),
            next_number: RequestNumber::ZERO,
            elapsed: Duration::ZERO,
            answers: BTreeMap::new(),
            found: BTreeMap::new(),
        };
        cluster.client.follow(&config.replicas);
        for id in config.replicas.ids() {
            cluster.handle(id, Input::Start);
        }
        cluster.deliver_all();
        cluster
    }

    /// Has the cluster execute an operation, and returns what `f + 1` replicas answer.
    pub fn submit(&mut self, operation: Vec<u8>) -> Option<Vec<u8>> {
        let answer = self.submit_together(vec![operation]).pop().flatten()?;
        Some(answer.outcome.as_bytes().to_vec())
    }

    /// Sends operations to all replicas before any of them hears of another, and returns what `f + 1` replicas answer
    /// to each.
    pub fn submit_together(&mut self, operations: Vec<Vec<u8>>) -> Vec<Option<Accepted>> {
        let ids: Vec<_> = operations.into_iter().map(|operation| self.send(operation)).collect();
        self.deliver_all();
        ids.into_iter().map(|id| self.answers.remove(&id)).collect()
    }

    fn send(&mut self, operation: Vec<u8>) -> RequestId {
        let number = self.next_number;
        self.next_number = number.next();
        let request = Request { client: self.client_id, number, operation: Operation::new(operation) };
        let id = request.id();
        let mut effects = Vec::new();
        // A refusal shows as a missing answer.
        let _ = self.client.submit(self.elapsed, request, &mut effects);
        for effect in effects {
            if let ClientEffect::SendToAll(request) = effect {
                self.send_to_all(&request);
            }
        }
        id
    }

    /// Asks about the state without ordering anything, and returns what a quorum shows.
    pub fn read(&mut self, query: Vec<u8>) -> Option<Vec<u8>> {
        let mut effects = Vec::new();
        let number = self.client.read(self.elapsed, Operation::new(query), None, &mut effects).ok()?;
        for effect in effects {
            if let ClientEffect::ReadFromAll(read) = effect {
                self.put_to_all(&read);
            }
        }
        self.deliver_all();
        self.found.remove(&number).map(|answer| answer.result().to_vec())
    }

    fn put_to_all(&mut self, read: &Read) {
        let replicas: Vec<_> = self.nodes.iter().map(|node| node.replica.id()).collect();
        for id in replicas {
            self.handle(id, Input::Read { asker: Asker::new(0), read: read.clone() });
        }
    }

    /// Lets time pass, and timers fire.
    pub fn advance(&mut self, by: Duration) {
        self.elapsed = self.elapsed.saturating_add(by);
        let now = self.elapsed;
        let due = self.nodes.iter_mut().filter_map(|node| {
            node.timer.take_if(|at| *at <= now)?;
            Some(node.replica.id())
        });
        for id in due.collect::<Vec<_>>() {
            self.handle(id, Input::Timer);
        }
        self.deliver_all();
    }

    /// The service of one replica.
    #[must_use]
    pub fn service(&self, replica: ReplicaId) -> Option<&S> {
        self.nodes.get(replica.index()).map(|node| &node.service)
    }

    /// One replica.
    #[must_use]
    pub fn replica(&self, replica: ReplicaId) -> Option<&Replica> {
        self.nodes.get(replica.index()).map(|node| &node.replica)
    }

    fn send_to_all(&mut self, request: &Request) {
        for index in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(index) else { return };
            let (id, admitted) = (node.replica.id(), node.verifier.admit(vec![request.clone()]));
            for input in admitted.into_iter().flatten() {
                self.handle(id, input);
            }
        }
    }

    fn handle(&mut self, id: ReplicaId, input: Input) {
        let now = Now { elapsed: self.elapsed, wall: START.plus(self.elapsed) };
        let Some(node) = self.nodes.get_mut(id.index()) else { return };
        let mut effects = Vec::new();
        for reply in node.handle(now, input) {
            self.client.on_reply(id, reply, &mut effects);
        }
        for answer in node.answers.drain(..) {
            self.client.on_read_reply(now.elapsed, id, answer, &mut effects);
        }
        for effect in effects {
            match effect {
                ClientEffect::Accepted(accepted) => drop(self.answers.insert(accepted.id, accepted)),
                ClientEffect::Found(found) => drop(self.found.insert(found.number, found.answer)),
                _ => {}
            }
        }
    }

    fn deliver_all(&mut self) {
        while let Some(Envelope { from, to, message }) =
            self.nodes.iter_mut().find_map(|node| node.network.pop())
        {
            let Some(node) = self.nodes.get(to.index()) else { continue };
            let verified = node.verifier.verify(vec![(from, message)]);
            for input in verified.into_iter().flatten().flatten() {
                self.handle(to, input);
            }
        }
    }
}

/// A fixed key for each index: for clusters that nobody attacks.
#[expect(clippy::expect_used, reason = "small numbers are valid keys")]
fn test_key(index: u16) -> KeyPair {
    let mut secret = [0; 32];
    let [.., high, low] = &mut secret;
    [*high, *low] = index.saturating_add(1).to_be_bytes();
    KeyPair::from_secret_bytes(&secret).expect("a small number is a valid secret key")
}
