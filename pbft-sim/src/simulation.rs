//! The loop: takes the next event off the agenda, hands it on, and checks what came of it.

mod bounds;
mod clients;
mod ending;
mod faults;
mod host;
mod node;
mod rest;
mod wire_side;

use core::time::Duration;
use std::sync::Arc;

use pbft_core::{
    Effect, Input, ReplicaId, Request, RequestId,
    message::{DeclineReason, Read, ReadReply, Reply},
};

use crate::{
    agenda::Agenda,
    checks::{Checks, Violation},
    counters::{Counters, Fault, Sometimes},
    customer::{Customer, Wish},
    disk::{Disk, Medium},
    key_ring::{KeyRing, SeatKeys},
    mishap::{Mishap, Script},
    network::{Network, Partition},
    oracle::{Signatures, identities},
    plan::Plan,
    rng::Rng,
    service::ServiceKind,
    tape::{Tape, timed},
    trace::Trace,
};
use ending::Probe;
use node::Node;
use rest::Rest;

/// A replica goes on with its old key for so long at most.
const LATEST_KEY: Duration = Duration::from_millis(1_500);

/// Something that will happen.
#[derive(Clone, Debug)]
enum Event {
    /// Bytes arrive at a replica.
    Deliver { from: ReplicaId, to: ReplicaId, bytes: Arc<[u8]> },
    /// A request arrives at a replica.
    Request { to: ReplicaId, request: Request },
    /// A question arrives at a replica.
    Read { to: ReplicaId, client: usize, read: Read },
    /// An answer arrives at a client.
    Answer { from: ReplicaId, client: usize, answer: Answer },
    /// A sync is done.
    Synced { replica: ReplicaId, life: u64 },
    /// The service answers.
    Answered { replica: ReplicaId, life: u64 },
    /// The service is done with a batch.
    Executed { replica: ReplicaId, life: u64 },
    /// A replica's timer.
    Timer { replica: ReplicaId, life: u64, at: Duration },
    /// A client's timer.
    ClientTimer { client: usize, at: Duration },
    /// A client may ask for the next thing.
    Ask { client: usize },
    /// A client asks again for what failed.
    AskAgain { client: usize, request: Request },
    /// A crashed replica comes back.
    Restart { replica: ReplicaId },
    /// Its operator puts another key in place.
    NewKey { replica: ReplicaId },
    /// A replica crashes and stays away for long.
    Away { replica: ReplicaId, away: Duration },
    /// A replica crashes, and its disk is lost.
    Wipe { replica: ReplicaId },
    /// All replicas crash.
    Blackout,
    /// A wall clock is set.
    SetClock { replica: ReplicaId, back: bool, millis: u64 },
    /// The network falls apart, or is joined again.
    Partition(Option<Partition>),
    /// The end of all faults.
    Heal,
    /// An idle stretch is over.
    Rested,
    /// Time is up.
    Deadline,
}

/// What a replica tells a client.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Reply(Reply),
    Decline(RequestId, DeclineReason),
    Read(ReadReply),
}

/// One run.
pub struct Simulation {
    plan: Plan,
    now: Duration,
    agenda: Agenda<Event>,
    nodes: Vec<Node>,
    customers: Vec<Customer>,
    network: Network,
    /// Chance for crashes.
    crashes: Rng,
    /// Chance for what a crash takes away, and for how long a replica is down.
    losses: Rng,
    /// Chance for failing disks.
    disks: Rng,
    /// What goes wrong, if it is not left to chance.
    script: Option<Arc<Script>>,
    /// What went wrong, if that is wanted.
    happened: Option<Vec<Mishap>>,
    clients: Vec<Vec<Wish>>,
    /// Chance for the time that syncs and executions take.
    schedule: Rng,
    checks: Checks,
    counters: Counters,
    trace: Trace,
    healed: bool,
    /// A run ends once everything is answered, or with its deadline.
    over: bool,
    deadline: Duration,
    rest: Rest,
    probe: Probe,
    effects: Vec<Effect>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Which run.
    pub plan: Plan,
    /// How many events there were.
    pub events: u64,
    /// The digest of all of them.
    pub digest: u64,
    /// When it ended, on virtual time.
    pub ended_at: Duration,
    /// What happened in it.
    pub counters: Counters,
    /// What was wrong, if anything.
    pub violation: Option<Violation>,
    /// The run as a list of things that can be left out, if that was wanted.
    pub tape: Option<Box<Tape>>,
}

/// More events than any run needs.
const MAX_EVENTS: u64 = 2_000_000;
/// More events than can be at one instant.
const MAX_EVENTS_AT_ONCE: u64 = 20_000;

impl Simulation {
    /// Sets a run up.
    ///
    /// # Panics
    /// If the plan makes no valid configuration.
    #[must_use]
    pub fn new(plan: Plan, print: bool) -> Self {
        let timed = timed(&plan);
        let clients = usize::try_from(plan.workload.clients).unwrap_or(1);
        let clients = (0..clients).map(|index| Wish::list(index, &plan)).collect();
        Self::set_up(plan, clients, None, &timed, print)
    }

    /// Sets up a run in which nothing goes wrong but what is on the tape.
    ///
    /// # Panics
    /// If the plan makes no valid configuration.
    #[must_use]
    pub fn of_tape(tape: &Tape, print: bool) -> Self {
        let script = Arc::new(Script::new(&tape.mishaps));
        Self::set_up(tape.plan.clone(), tape.clients.clone(), Some(script), &tape.mishaps, print)
    }

    fn set_up(
        plan: Plan,
        clients: Vec<Vec<Wish>>,
        script: Option<Arc<Script>>,
        timed: &[Mishap],
        print: bool,
    ) -> Self {
        let identities = identities(plan.signatures, (plan.n + plan.spares) * 2, plan.seed);
        let everyone = Arc::new(KeyRing::new(&identities));
        let config = Arc::new(plan.config(everyone.founders(plan.n)).expect("plans are valid"));
        let (first, second) = identities.split_at(identities.len() / 2);
        let honest = identities[0].1.clone();
        let mut seats = Rng::stream(plan.seed, "nodes");
        let keys = first
            .iter()
            .zip(second)
            .map(|((_, crypto), (_, next))| SeatKeys { crypto: crypto.clone(), next: next.clone() });
        let node = |(id, keys)| Node::new(id, &plan, &config, &everyone, keys, &mut seats);
        let nodes = plan.seats().zip(keys).map(node).collect();
        let customers = clients.iter().enumerate();
        let chance = |name| Rng::stream(plan.seed, name);
        let mut simulation = Self {
            now: Duration::ZERO,
            agenda: Agenda::default(),
            nodes,
            customers: customers
                .map(|(index, wishes)| Customer::new(index, &plan, wishes.clone(), &config.replicas))
                .collect(),
            network: Network::new(plan.network, plan.n + plan.spares, chance("network")),
            crashes: chance("crashes"),
            losses: chance("losses"),
            disks: chance("disks"),
            schedule: chance("schedule"),
            checks: Checks::new(config, usize::from(plan.n + plan.spares), honest, &plan),
            counters: Counters::default(),
            trace: Trace::new(print),
            healed: false,
            over: false,
            deadline: plan.heal_at + plan.patience,
            rest: Rest::default(),
            probe: Probe::default(),
            effects: Vec::new(),
            script,
            happened: None,
            clients,
            plan,
        };
        simulation.begin(timed);
        simulation
    }

    fn begin(&mut self, timed: &[Mishap]) {
        if let Some(script) = &self.script {
            self.network.follow(script.clone());
        }
        if self.plan.signatures == Signatures::P256 {
            self.counters.saw(Sometimes::RealSignatures);
        }
        if self.plan.service == ServiceKind::Ledger {
            self.counters.saw(Sometimes::Ledger);
        }
        self.counters.faults(Fault::Liar, self.plan.byzantine.len() as u64);
        for client in 0..self.customers.len() {
            self.agenda.at(Duration::from_millis(1), Event::Ask { client });
        }
        self.plan_mishaps(timed);
        self.agenda.at(self.plan.heal_at, Event::Heal);
        self.agenda.at(self.deadline, Event::Deadline);
    }

    /// The same on other disks, before it runs.
    #[must_use]
    pub fn on_disks(mut self, mut medium: impl FnMut(ReplicaId) -> Box<dyn Medium>) -> Self {
        for node in &mut self.nodes {
            node.disk = Disk::new(medium(node.id));
        }
        self
    }

    /// Takes down what goes wrong, for a tape.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.network.record();
        self.happened = Some(Vec::new());
        self
    }

    /// What happened so far, as a tape.
    fn tape(&mut self) -> Option<Box<Tape>> {
        let mut mishaps = self.happened.take()?;
        mishaps.extend(timed(&self.plan));
        mishaps.extend(self.network.happened());
        Some(Box::new(Tape { plan: self.plan.clone(), clients: self.clients.clone(), mishaps }))
    }

    /// Runs to the end.
    #[must_use]
    pub fn run(mut self) -> Finished {
        let violation = self.run_all().err();
        let tape = self.tape();
        if self.counters.faults.is_empty() {
            self.counters.saw(Sometimes::CalmRun);
        }
        Finished {
            events: self.trace.events(),
            digest: self.trace.digest(),
            ended_at: self.now,
            counters: self.counters,
            violation,
            tape,
            plan: self.plan,
        }
    }

    fn run_all(&mut self) -> Result<(), Violation> {
        for replica in self.plan.seats() {
            self.restart(replica)?;
        }
        let mut standing_since = 0;
        while let Some((at, event)) = self.agenda.pop() {
            if at > self.now {
                standing_since = self.trace.events();
            }
            self.now = at;
            self.happen(event)?;
            if self.trace.events() - standing_since > MAX_EVENTS_AT_ONCE {
                return Err(Violation::TimeStuck { at });
            }
            if self.over {
                return self.check_end();
            }
            if self.trace.events() > MAX_EVENTS {
                return Err(Violation::Endless { events: MAX_EVENTS });
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver { from, to, bytes } => self.deliver(from, to, &bytes),
            Event::Request { to, request } => self.deliver_request(to, request),
            Event::Read { to, client, read } => self.deliver_read(to, client, read),
            Event::Answer { from, client, answer } => self.deliver_answer(from, client, answer),
            Event::Synced { replica, life } => self.on_synced(replica, life),
            Event::Answered { replica, life } => self.on_answered(replica, life),
            Event::Executed { replica, life } => self.on_executed(replica, life),
            Event::Timer { replica, life, at } => self.on_timer(replica, life, at),
            Event::ClientTimer { client, at } => self.on_client_timer(client, at),
            Event::Ask { client } => self.ask(client),
            Event::AskAgain { client, request } => self.ask_again(client, request),
            Event::Restart { replica } => self.restart(replica),
            Event::NewKey { replica } => {
                self.change_key(replica);
                Ok(())
            }
            Event::Away { replica, away } => {
                self.send_away(replica, away);
                Ok(())
            }
            Event::Wipe { replica } => {
                self.wipe(replica);
                Ok(())
            }
            Event::Blackout => {
                self.blackout();
                Ok(())
            }
            Event::SetClock { replica, back, millis } => {
                self.set_clock(replica, back, millis);
                Ok(())
            }
            Event::Partition(partition) => {
                self.on_partition(partition);
                Ok(())
            }
            Event::Heal => self.heal(),
            Event::Rested => self.on_rested(),
            Event::Deadline => self.on_deadline(),
        }
    }

    fn node(&mut self, replica: ReplicaId) -> &mut Node {
        &mut self.nodes[replica.index()]
    }

    /// Notes an event of a replica in the trace.
    fn note(
        &mut self,
        kind: u64,
        replica: ReplicaId,
        detail: u64,
        bytes: &[u8],
        say: impl FnOnce() -> String,
    ) {
        let numbers = [kind, u64::from(replica.value()), detail];
        self.trace.event(self.now, numbers, bytes, say);
    }

    /// Feeds one input to a replica and carries out what comes of it, up to a crash.
    fn step(&mut self, replica: ReplicaId, input: Input) -> Result<(), Violation> {
        let now = self.nodes[replica.index()].clock(self.now);
        if !self.hears(replica, now, &input) {
            return Ok(());
        }
        let mut effects = core::mem::take(&mut self.effects);
        let Some(life) = &mut self.node(replica).life else { return Ok(()) };
        life.replica.step(now, input, &mut effects);
        let cut = self.crash_point(replica, effects.len());
        for (place, effect) in effects.drain(..).enumerate() {
            if cut == Some(place) {
                self.counters.saw(Sometimes::TornEffects);
                break;
            }
            self.carry_out(replica, effect)?;
            if self.node(replica).life.is_none() {
                // Its disk failed: what comes later in the list is never done.
                break;
            }
        }
        self.effects = effects;
        match cut {
            Some(_) => self.crash(replica),
            None => {
                self.check_node(replica)?;
                self.notice_keys(replica);
            }
        }
        Ok(())
    }

    /// Who has to be started with another key, as is known once `replica` got to where it is.
    fn notice_keys(&mut self, replica: ReplicaId) {
        if self.plan.changes == 0 {
            return;
        }
        for replica in self.who_needs_other_key(replica) {
            self.node(replica).key_is_due = true;
            let mut chance = Rng::stream(self.plan.seed, &format!("key of {replica}"));
            let late = if chance.chance(500_000) {
                chance.span((Duration::ZERO, LATEST_KEY))
            } else {
                Duration::ZERO
            };
            self.agenda.at(self.now + late, Event::NewKey { replica });
        }
    }

    /// A replica's operator reads its own log. In half of the runs those of replicas that are behind read what the others
    /// say, once a quorum of them is there: before, the others may need the old key's votes.
    fn who_needs_other_key(&self, replica: ReplicaId) -> Vec<ReplicaId> {
        let Some(life) = &self.nodes[replica.index()].life else { return Vec::new() };
        let (epoch, config) = (life.replica.epoch(), life.replica.config());
        let wants = |id: &ReplicaId| self.nodes[id.index()].needs_other_key(&config.replicas);
        let mut wanting: Vec<_> = config.replicas.ids().filter(wants).collect();
        if wanting.iter().any(|id| *id != replica) {
            let is_there = |id: &ReplicaId| self.nodes[id.index()].is_in(epoch);
            let known = config.replicas.ids().filter(is_there).count() >= config.sizes().quorum();
            let told = known && Rng::stream(self.plan.seed, "keys of those behind").chance(500_000);
            wanting.retain(|id| *id == replica || told && !self.nodes[id.index()].is_returning());
        }
        wanting
    }

    /// It is started with the other key.
    fn change_key(&mut self, replica: ReplicaId) {
        self.note(18, replica, 0, &[], || format!("replica {replica}: gets its other key"));
        self.counters.saw(Sometimes::Rekeyed);
        if self.node(replica).is_behind_its_key() {
            self.counters.saw(Sometimes::RekeyedBehind);
        }
        self.node(replica).change_key();
        self.crash(replica);
    }
}
