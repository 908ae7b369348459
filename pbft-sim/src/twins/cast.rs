//! Five instances of four replicas, on queues without delay and disks without loss.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use pbft_core::{
    ClientId, Config, Effect, Input, Message, Now, Replica, ReplicaId, Request, RequestId, RequestNumber,
    Seq, UnixMillis, ValidConfig, View,
    config::ReplicaSet,
    message::Operation,
    request_buffer::FairBuffer,
    service::{AdmitAll, Executed, OrderedBatch, Outcome, ServiceCheckpoint},
    storage::{Durable, Record},
    verify::Verifier,
};
use pbft_crypto::Digest;

use super::{Scene, Wrong};
use crate::oracle::{Signatures, identities};

/// The first two are twins.
const NAMES: [u16; 5] = [0, 0, 1, 2, 3];
/// Where correct instances begin.
const CORRECT: usize = 2;
const START: UnixMillis = UnixMillis::new(1_700_000_000_000);
const TIMEOUT: Duration = Duration::from_millis(100);
const STATUS: Duration = Duration::from_millis(40);
/// After a view has begun somewhere: long enough for one status of each, too short for anyone's patience.
const IN_VIEW: Duration = Duration::from_millis(60);

struct Instance {
    replica: Replica,
    verifier: Verifier,
    timer: Option<Duration>,
    executed: BTreeSet<RequestId>,
}

/// All of them.
pub(super) struct Cast {
    instances: Vec<Instance>,
    queue: VecDeque<(usize, usize, Message)>,
    now: Duration,
    /// What is played now; everybody hears everybody without one.
    scene: Option<(Scene, View)>,
    decided: BTreeMap<Seq, Digest>,
    order: BTreeMap<Seq, OrderedBatch>,
    evidence: bool,
}

impl Cast {
    pub(super) fn new() -> Self {
        let keys = identities(Signatures::Ideal, 4, 1);
        let replicas = ReplicaSet::new(keys.iter().map(|(key, _)| *key).collect());
        let mut config = Config::new(Digest::ZERO, replicas);
        (config.max_batch_requests, config.max_in_flight) = (1, 2);
        (config.checkpoint_period, config.window) = (2, 8);
        (config.status_period, config.idle_status_period) = (STATUS, STATUS);
        (config.request_timeout, config.max_timeout, config.forward_after) = (TIMEOUT, TIMEOUT * 4, STATUS);
        let config = Arc::new(config.validate().expect("a valid configuration"));
        let instance =
            |name: &u16| Instance::new(ReplicaId::new(*name), &config, &keys[usize::from(*name)].1);
        let mut cast = Self {
            instances: NAMES.iter().map(instance).collect(),
            queue: VecDeque::new(),
            now: Duration::ZERO,
            // Nobody hears anything of view 0.
            scene: Some((Scene::new(0), View::new(1))),
            decided: BTreeMap::new(),
            order: BTreeMap::new(),
            evidence: false,
        };
        cast.begin();
        cast
    }

    /// The twins hear of two requests in opposite order. What is proposed in view 0 is lost.
    fn begin(&mut self) {
        for instance in 0..NAMES.len() {
            // Nothing is decided in the first steps, so nothing can be wrong with them.
            let _ = self.step(instance, Input::Start);
            let mut requests = [request(1), request(2)];
            if instance == 1 {
                requests.reverse();
            }
            for input in self.instances[instance].verifier.admit(requests.to_vec()).into_iter().flatten() {
                let _ = self.step(instance, input);
            }
        }
        self.queue.clear();
    }

    /// Plays one view until it has begun and nothing moves any more, or until it is clear that it does not begin.
    pub(super) fn play(&mut self, scene: Scene, view: View) -> Result<(), Wrong> {
        self.scene = Some((scene, view));
        let give_up = self.now + TIMEOUT * 30;
        let mut end = None;
        loop {
            self.deliver_all()?;
            if self.instances.iter().any(|instance| instance.is_in(view)) {
                end.get_or_insert(self.now + IN_VIEW);
            }
            if !self.advance(end.unwrap_or(give_up))? {
                return Ok(());
            }
        }
    }

    /// Everybody hears everybody again: both requests must be executed by all correct replicas.
    pub(super) fn reunite(&mut self) -> Result<(), Wrong> {
        self.scene = None;
        let give_up = self.now + TIMEOUT * 200;
        loop {
            self.deliver_all()?;
            if self.instances[CORRECT..].iter().all(|instance| instance.executed.len() == 2) {
                return Ok(());
            }
            if !self.advance(give_up)? {
                return Err(Wrong::Stuck);
            }
        }
    }

    /// Lets the next timer fire. False if that would be after `end`.
    fn advance(&mut self, end: Duration) -> Result<bool, Wrong> {
        let timers = self.instances.iter().enumerate();
        let next = timers.filter_map(|(place, instance)| Some((instance.timer?, place))).min();
        let Some((at, place)) = next.filter(|(at, _)| *at <= end) else { return Ok(false) };
        self.now = self.now.max(at);
        self.instances[place].timer = None;
        self.step(place, Input::Timer)?;
        Ok(true)
    }

    fn deliver_all(&mut self) -> Result<(), Wrong> {
        while let Some((from, to, message)) = self.queue.pop_front() {
            if !self.is_heard(from, to, &message) {
                continue;
            }
            let sender = ReplicaId::new(NAMES[from]);
            let verified = self.instances[to].verifier.verify(vec![(sender, message)]);
            for input in verified.into_iter().flatten().flatten() {
                self.step(to, input)?;
            }
        }
        Ok(())
    }

    fn is_heard(&self, from: usize, to: usize, message: &Message) -> bool {
        let Some((scene, view)) = &self.scene else { return true };
        let receiver = &self.instances[to].replica;
        let of_this_view = match message {
            Message::PrePrepare(proposal) => proposal.pre_prepare.statement.view == *view,
            Message::Prepare(vote) => vote.statement.view == *view,
            Message::Commit(vote) => vote.statement.view == *view,
            Message::NewView(proven) => proven.view() == *view,
            // Primaries of other views are silent: so everybody gives up on them.
            Message::Status(_) => receiver.view() >= *view || receiver.primary().value() != NAMES[from],
            _ => true,
        };
        of_this_view && scene.hears(from, to, message)
    }

    fn step(&mut self, place: usize, input: Input) -> Result<(), Wrong> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = Now { elapsed: self.now, wall: START.plus(self.now) };
            let mut effects = Vec::new();
            let replica = &mut self.instances[place].replica;
            replica.step(now, input, &mut effects);
            replica.check_invariants().map_err(|broken| Wrong::Invariant(broken.to_string()))?;
            for effect in effects {
                inputs.extend(self.carry_out(place, effect)?);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, place: usize, effect: Effect) -> Result<Option<Input>, Wrong> {
        match effect {
            Effect::Persist(position, record) => {
                self.check_record(&record)?;
                return Ok(Some(Input::Durable(Durable::through(position))));
            }
            Effect::Send(to, message) => self.send(place, &message, |name| name == to.value()),
            Effect::Broadcast(message) => self.send(place, &message, |name| name != NAMES[place]),
            Effect::SetTimer(at) => self.instances[place].timer = Some(at.max(self.now)),
            Effect::Execute { batch, checkpoint } => {
                return self.execute(place, &batch, checkpoint).map(Some);
            }
            Effect::Evidence(evidence) if evidence.culprit().value() != 0 => {
                return Err(Wrong::WronglyBlamed(evidence.culprit().value()));
            }
            Effect::Evidence(_) => self.evidence = true,
            _ => {}
        }
        Ok(None)
    }

    fn send(&mut self, from: usize, message: &Message, is_meant: impl Fn(u16) -> bool) {
        let receivers = NAMES.iter().enumerate().filter(|(_, name)| is_meant(**name));
        self.queue.extend(receivers.map(|(to, _)| (from, to, message.clone())));
    }

    /// A quorum's commits decide, in whoever's hands they are.
    fn check_record(&mut self, record: &Record) -> Result<(), Wrong> {
        let statement = match record {
            Record::Committed(certificate) => certificate.statement,
            Record::CaughtUp(committed) => committed.certificate.statement,
            _ => return Ok(()),
        };
        let first = self.decided.entry(statement.seq).or_insert(statement.digest);
        if *first == statement.digest { Ok(()) } else { Err(Wrong::Disagreement(statement.seq)) }
    }

    fn execute(&mut self, place: usize, batch: &OrderedBatch, checkpoint: bool) -> Result<Input, Wrong> {
        let seq = batch.seq;
        if place >= CORRECT {
            if *self.order.entry(seq).or_insert_with(|| batch.clone()) != *batch {
                return Err(Wrong::ExecutionDiffers(seq));
            }
            self.instances[place].executed.extend(batch.requests.iter().map(Request::id));
        }
        let outcomes = batch.requests.iter().map(|_| Outcome::Applied(Vec::new())).collect();
        // Its whole state is how far it got.
        let checkpoint =
            checkpoint.then(|| ServiceCheckpoint::from_snapshot(seq.value().to_le_bytes().to_vec()));
        Ok(Input::Executed { executed: Executed::new(outcomes), checkpoint })
    }

    pub(super) fn decided(&self) -> usize {
        self.decided.len()
    }

    pub(super) const fn evidence(&self) -> bool {
        self.evidence
    }

    pub(super) fn latest_view(&self) -> View {
        self.instances.iter().map(|instance| instance.replica.view()).max().unwrap_or_default()
    }
}

impl Instance {
    fn new(id: ReplicaId, config: &Arc<ValidConfig>, crypto: &Arc<dyn pbft_core::crypto::Crypto>) -> Self {
        let buffer = Box::new(FairBuffer::new(config.buffer.clone()));
        let recovered = Replica::recover(
            id,
            config.clone(),
            crypto.clone(),
            buffer,
            Vec::new(),
            pbft_core::replica::EmptyLog::New,
        );
        Self {
            replica: recovered.expect("an empty log is a valid one").replica,
            verifier: Verifier::new(config.clone(), crypto.clone(), Arc::new(AdmitAll)),
            timer: None,
            executed: BTreeSet::new(),
        }
    }

    fn is_in(&self, view: View) -> bool {
        let progress = self.replica.progress();
        progress.view == view && progress.view_active
    }
}

fn request(client: u8) -> Request {
    let operation = Operation::new(vec![client]);
    Request { client: ClientId::from_bytes([client; 32]), number: RequestNumber::ZERO, operation }
}
