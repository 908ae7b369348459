//! What one seed means: everything that is decided before the run starts. Long, since it is one list of all that chance
//! decides, with the reasons for its shares.

use core::{fmt, time::Duration};

use pbft_core::{
    Config, ReplicaId, ValidConfig,
    config::{ConfigError, ReplicaSet},
    quorum::QuorumSizes,
};
use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    byzantine::Kind,
    oracle::Signatures,
    rng::{Ppm, Rng},
    sabotage::Sabotage,
    service::ServiceKind,
};

/// How many replicas a cluster begins with at most: with those that may join, a set of replicas has 16 bits.
pub const MAX_REPLICAS: u16 = 14;

/// A span from which times are drawn.
pub type Span = (Duration, Duration);

/// What the network does to messages while there are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// How many are lost.
    pub drop: Ppm,
    /// How many arrive twice.
    pub repeat: Ppm,
    /// How long one takes.
    pub delay: Span,
    /// How many are held up.
    pub late: Ppm,
    /// For how long at most.
    pub lateness: Duration,
    /// Whether each link keeps the order, as a stream does.
    pub keeps_order: bool,
    /// Bit `i`: the links from and to replica `i` are slow.
    pub slow: u64,
    /// How much longer a message takes there.
    pub slowness: Duration,
}

/// What befalls replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// The chance of a crash in each step of a replica, between any two of its effects.
    pub crash: Ppm,
    /// How often all replicas crash at once.
    pub blackouts: u64,
    /// How long a crashed replica is down.
    pub down: Span,
    /// How often the network falls into two parts.
    pub partitions: u64,
    /// How long it stays so.
    pub apart: Span,
    /// How often in a row each of them comes and goes.
    pub flaps: u32,
    /// The chance that a sync fails: the replica must stop, and comes back with what is durable.
    pub sync_fails: Ppm,
    /// The chance that a record finds the disk full: as above.
    pub disk_full: Ppm,
    /// How often a replica's wall clock is set to another time.
    pub clock_jumps: u64,
    /// How often a replica is away for long.
    pub away: u64,
    /// How often a disk is lost.
    pub wipes: u64,
}

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadPlan {
    /// How many clients there are.
    pub clients: u64,
    /// How many requests each of them sends.
    pub requests: u64,
    /// How many of them at once.
    pub in_flight: u64,
    /// Whether the service is asked to wake up by itself.
    pub reminders: bool,
    /// When a client gives up (and asks again).
    pub patience: Duration,
    /// How many questions clients ask besides, in a million requests.
    #[serde(default)]
    pub reads: Ppm,
}

/// The protocol's own parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// See [`Config`].
    pub checkpoint_period: u64,
    /// See [`Config`].
    pub window: u64,
    /// See [`Config`].
    pub max_in_flight: u64,
    /// See [`Config`].
    pub eager_in_flight: u64,
    /// See [`Config`].
    pub max_batch_requests: usize,
    /// See [`Config`].
    pub archive_bytes: usize,
    /// See [`Config`].
    pub status_period: Duration,
    /// See [`Config`].
    pub request_timeout: Duration,
    /// See [`Config`].
    pub rotation_period: u64,
    /// What the request buffer holds.
    pub buffered_requests: usize,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where all of it comes from.
    pub seed: u64,
    /// The number of replicas.
    pub n: u16,
    /// Further replicas, which may join.
    pub spares: u16,
    /// How often the replicas are asked to change.
    pub changes: u64,
    /// Which signatures.
    pub signatures: Signatures,
    /// The network.
    pub network: NetworkPlan,
    /// Crashes and partitions.
    pub faults: FaultPlan,
    /// Clients.
    pub workload: WorkloadPlan,
    /// The replicas' configuration.
    pub tuning: Tuning,
    /// How long a sync takes.
    pub sync: Span,
    /// How long the service works on a batch.
    pub execute: Span,
    /// What the replicas execute.
    pub service: ServiceKind,
    /// Whether the service keeps its state durable by itself, or leaves it to the log.
    pub durable_service: bool,
    /// How far a replica's wall clock is off at most.
    pub skew: Duration,
    /// Who lies, and how.
    pub byzantine: Vec<(ReplicaId, Kind)>,
    /// Who is not there any more after the faults: the rest is a quorum, and has to do without.
    pub outside: Vec<ReplicaId>,
    /// When faults end.
    pub heal_at: Duration,
    /// How long after that everything may take.
    pub patience: Duration,
    /// Whether everything must be answered in the end.
    pub live: bool,
    /// A deliberate defect.
    pub sabotage: Option<Sabotage>,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

impl Plan {
    /// The run that `seed` stands for. Its size is one of `sizes`; the rest does not depend on what else is in there.
    #[must_use]
    pub fn of(seed: u64, sizes: &[u16]) -> Self {
        let n = Rng::stream(seed, "size").pick(sizes);
        let mut rng = Rng::stream(seed, "plan");
        let calm = rng.chance(40_000);
        let byzantine = if calm { Vec::new() } else { byzantine(&mut rng, n) };
        let tuning = tuning(&mut rng);
        let (spares, changes) = changes(seed);
        let mut states = Rng::stream(seed, "states");
        let state_liar = !calm && tuning.archive_bytes <= SMALL_ARCHIVE && states.chance(200_000);
        let byzantine = if state_liar { liars_about(&mut states, n, &[Kind::StateLiar]) } else { byzantine };
        let (reads, false_readers) = reads(seed);
        let byzantine = if false_readers && !calm && !state_liar {
            liars_about(&mut Rng::stream(seed, "readers"), n, &Kind::READERS)
        } else {
            byzantine
        };
        let plan = Self {
            seed,
            n,
            spares,
            changes,
            signatures: if rng.chance(20_000) { Signatures::P256 } else { Signatures::Ideal },
            network: if calm { network(&mut rng, seed).calm() } else { network(&mut rng, seed) },
            faults: if calm {
                faults(&mut rng, seed).calm()
            } else {
                faults(&mut rng, seed).with(state_liar)
            },
            workload: WorkloadPlan { reads, ..workload(&mut rng, n) },
            sync: rng.pick(&[(us(50), us(200)), (us(500), ms(4)), (ms(2), ms(30))]),
            execute: rng.pick(&[(us(0), us(0)), (us(20), us(400)), (ms(1), ms(12))]),
            durable_service: rng.chance(250_000),
            service: service(seed),
            skew: rng.pick(&[us(0), ms(20), ms(700)]),
            heal_at: ms(rng.between(1_500, 4_000)),
            patience: patience(&byzantine, &tuning),
            live: true,
            sabotage: None,
            outside: if calm { Vec::new() } else { outside(seed, n, &byzantine) },
            byzantine,
            tuning,
        };
        // One is slow, and another one is gone.
        let crowded = QuorumSizes::of(n).f() > 1 && Rng::stream(seed, "crowd").chance(20_000);
        if crowded { plan.crowded() } else { plan }
    }

    /// The same run with so many requests that work never runs out, under a primary that is fast, and goes, and then
    /// under one that is slow: what it takes to compare the two (VC-14).
    fn crowded(mut self) -> Self {
        self = self.calm();
        self.byzantine = vec![(ReplicaId::new(1), Kind::SlowPrimary)];
        self.outside = vec![ReplicaId::new(0)];
        self.workload = WorkloadPlan { clients: 4, requests: 110, in_flight: 20, ..self.workload };
        self.execute = (ms(1), ms(12));
        self.tuning.max_batch_requests = 2;
        self.tuning.request_timeout = ms(250);
        self.tuning.buffered_requests = 1_000;
        self.heal_at = ms(1_200);
        self.patience = patience(&self.byzantine, &self.tuning);
        self
    }

    /// The same run on a broken host.
    #[must_use]
    pub fn with_sabotage(mut self, sabotage: Sabotage) -> Self {
        sabotage.prepare(&mut self);
        self.sabotage = Some(sabotage);
        self
    }

    /// The same run with nothing that goes wrong, and quick enough that nothing has a reason to wait.
    #[must_use]
    pub fn calm(mut self) -> Self {
        (self.network, self.faults) = (self.network.calm(), self.faults.calm());
        self.network.delay = (us(500), ms(3));
        (self.sync, self.execute) = ((us(50), us(200)), (us(20), us(400)));
        (self.tuning.checkpoint_period, self.tuning.window, self.tuning.rotation_period) = (4, 16, 0);
        self.tuning.max_in_flight = self.tuning.max_in_flight.min(8);
        self.byzantine.clear();
        self.outside.clear();
        (self.spares, self.changes) = (0, 0);
        self
    }

    /// Whether nothing goes wrong.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.network == self.network.calm()
            && self.faults == self.faults.calm()
            && self.byzantine.is_empty()
            && self.outside.is_empty()
            && self.changes == 0
    }

    /// All replicas that there are, members or not.
    pub fn seats(&self) -> impl Iterator<Item = ReplicaId> + use<> {
        (0..self.n + self.spares).map(ReplicaId::new)
    }

    /// Other replicas, bit `i` for replica `i`: some spares join, and at most as many of the first ones leave, so that the
    /// cluster tolerates as many faults as before.
    pub fn other_replicas(&self, rng: &mut Rng) -> u16 {
        let joining = rng.below(1 << self.spares);
        let f = QuorumSizes::of(self.n).f() as u64;
        let leaving = rng.below(u64::from(joining.count_ones()).min(f) + 1);
        let mut members = (1u64 << self.n) - 1;
        while u64::from(members.count_zeros()) < u64::from(64 - self.n) + leaving {
            members &= !(1 << rng.below(u64::from(self.n)));
        }
        u16::try_from(members | joining << self.n).unwrap_or(u16::MAX)
    }

    /// Whether archives hold everything that is ever decided.
    #[must_use]
    pub const fn has_archive(&self) -> bool {
        self.tuning.archive_bytes > SMALL_ARCHIVE
    }

    /// Whether a replica lies.
    #[must_use]
    pub fn is_byzantine(&self, replica: ReplicaId) -> bool {
        self.byzantine.iter().any(|(liar, _)| *liar == replica)
    }

    /// The replicas' configuration.
    ///
    /// # Errors
    /// If the plan is wrong.
    pub fn config(&self, replicas: ReplicaSet) -> Result<ValidConfig, ConfigError> {
        let mut config = Config::new(Digest::ZERO, replicas);
        let tuning = &self.tuning;
        config.checkpoint_period = tuning.checkpoint_period;
        config.window = tuning.window;
        config.max_in_flight = tuning.max_in_flight;
        config.eager_in_flight = tuning.eager_in_flight;
        config.max_batch_requests = tuning.max_batch_requests;
        config.archive_bytes = tuning.archive_bytes;
        config.status_period = tuning.status_period;
        config.idle_status_period = tuning.status_period * 6;
        config.forward_after = tuning.status_period * 2;
        config.request_timeout = tuning.request_timeout;
        config.max_timeout = tuning.request_timeout * 8;
        config.rotation_period = tuning.rotation_period;
        config.buffer.requests = tuning.buffered_requests;
        config.validate()
    }
}

impl NetworkPlan {
    /// Nothing is lost, repeated or held up: what stalls then stalls by itself.
    const fn calm(self) -> Self {
        Self { drop: 0, repeat: 0, late: 0, slow: 0, ..self }
    }
}

impl FaultPlan {
    /// Someone must be away for states to be handed out.
    fn with(self, state_liar: bool) -> Self {
        Self { away: if state_liar { self.away.max(2) } else { self.away }, ..self }
    }

    const fn calm(self) -> Self {
        Self {
            crash: 0,
            blackouts: 0,
            partitions: 0,
            sync_fails: 0,
            disk_full: 0,
            clock_jumps: 0,
            away: 0,
            wipes: 0,
            ..self
        }
    }
}

/// Spare replicas, and how often the members change: in one seed of six.
fn changes(seed: u64) -> (u16, u64) {
    let mut rng = Rng::stream(seed, "changes");
    if rng.chance(170_000) { (rng.pick(&[1, 2, 2]), rng.between(1, 3)) } else { (0, 0) }
}

const SMALL_ARCHIVE: usize = 4 << 10;

fn network(rng: &mut Rng, seed: u64) -> NetworkPlan {
    let mut links = Rng::stream(seed, "links");
    NetworkPlan {
        drop: rng.pick(&[0, 0, 0, 10_000, 50_000, 100_000, 300_000]),
        repeat: rng.pick(&[0, 10_000, 100_000]),
        delay: rng.pick(&[(us(50), us(300)), (us(500), ms(3)), (ms(1), ms(25))]),
        late: rng.pick(&[0, 0, 5_000, 50_000]),
        lateness: rng.pick(&[ms(20), ms(200), ms(900)]),
        keeps_order: rng.chance(400_000),
        slow: if links.chance(200_000) { links.next() & links.next() } else { 0 },
        slowness: links.pick(&[ms(5), ms(40), ms(150)]),
    }
}

fn faults(rng: &mut Rng, seed: u64) -> FaultPlan {
    let mut hosts = Rng::stream(seed, "hosts");
    let mut absences = Rng::stream(seed, "absent");
    FaultPlan {
        crash: rng.pick(&[0, 0, 500, 2_000, 6_000]),
        blackouts: rng.pick(&[0, 0, 0, 1, 3]),
        down: rng.pick(&[(us(100), ms(5)), (ms(1), ms(100)), (ms(50), ms(900))]),
        partitions: rng.pick(&[0, 0, 0, 1, 3]),
        apart: rng.pick(&[(ms(20), ms(200)), (ms(200), ms(1500))]),
        flaps: hosts.pick(&[1, 1, 6]),
        sync_fails: hosts.pick(&[0, 0, 0, 2_000]),
        disk_full: hosts.pick(&[0, 0, 0, 2_000]),
        clock_jumps: hosts.pick(&[0, 0, 4]),
        away: absences.pick(&[0, 0, 1, 3]),
        wipes: absences.pick(&[0, 0, 1, 3]),
    }
}

fn workload(rng: &mut Rng, n: u16) -> WorkloadPlan {
    let clients = rng.between(1, 4);
    // Large clusters send many more messages for each request.
    let requests = rng.between(8, 44) * 4 / u64::from(n) / clients;
    WorkloadPlan {
        clients,
        requests: requests.max(2),
        in_flight: rng.pick(&[1, 3, 20]),
        reminders: rng.chance(300_000),
        patience: rng.pick(&[ms(600), Duration::from_secs(100)]),
        reads: 0,
    }
}

fn tuning(rng: &mut Rng) -> Tuning {
    let checkpoint_period = rng.pick(&[1, 2, 4, 8]);
    let window = checkpoint_period * rng.pick(&[2, 3, 4]);
    Tuning {
        checkpoint_period,
        window,
        max_in_flight: rng.between(1, window / 2),
        eager_in_flight: rng.pick(&[1, 2, 4]),
        max_batch_requests: rng.pick(&[1, 2, 5, 50]),
        archive_bytes: rng.pick(&[0, 0, SMALL_ARCHIVE, SMALL_ARCHIVE, 1 << 20, 1 << 20, 1 << 20, 1 << 20]),
        status_period: rng.pick(&[ms(30), ms(80), ms(200)]),
        request_timeout: rng.pick(&[ms(250), ms(700), ms(2_000)]),
        rotation_period: rng.pick(&[0, 0, 0, 0, 1, 4]),
        buffered_requests: rng.pick(&[2, 1000, 1000, 1000]),
    }
}

/// How long everything may take. A primary that dawdles may take most of a timeout for each batch.
fn patience(byzantine: &[(ReplicaId, Kind)], tuning: &Tuning) -> Duration {
    let dawdler = byzantine.iter().any(|(_, kind)| kind.dawdles());
    Duration::from_secs(60) + if dawdler { tuning.request_timeout * 120 } else { Duration::ZERO }
}

/// How many questions are asked besides the requests, and whether liars answer them: in a third of the runs.
fn reads(seed: u64) -> (Ppm, bool) {
    let mut rng = Rng::stream(seed, "reads");
    let asks = rng.chance(330_000) && service(seed) == ServiceKind::Recording;
    if asks { (rng.pick(&[300_000, 1_000_000]), rng.chance(400_000)) } else { (0, false) }
}

/// As many liars as there may be, all about one thing.
fn liars_about(rng: &mut Rng, n: u16, kinds: &[Kind]) -> Vec<(ReplicaId, Kind)> {
    let f = u16::try_from(QuorumSizes::of(n).f()).unwrap_or(0);
    let first = u16::try_from(rng.below(u64::from(n))).unwrap_or(0);
    (0..f).map(|next| (ReplicaId::new((first + next) % n), rng.pick(kinds))).collect()
}

/// At most `f` liars; usually none.
fn byzantine(rng: &mut Rng, n: u16) -> Vec<(ReplicaId, Kind)> {
    let f = QuorumSizes::of(n).f() as u64;
    let liars = if rng.chance(400_000) { rng.between(1, f.max(1)).min(f) } else { 0 };
    let mut chosen: Vec<(ReplicaId, Kind)> = Vec::new();
    if liars > 0 && rng.chance(400_000) {
        chosen.push((ReplicaId::new(0), rng.pick(&Kind::drawn())));
    }
    while (chosen.len() as u64) < liars {
        let any = u16::try_from(rng.below(u64::from(n))).unwrap_or(1);
        let (replica, kind) = (ReplicaId::new(any), rng.pick(&Kind::drawn()));
        if !chosen.iter().any(|(other, _)| *other == replica) {
            chosen.push((replica, kind));
        }
    }
    chosen
}

fn service(seed: u64) -> ServiceKind {
    let ledger = Rng::stream(seed, "service").chance(80_000);
    if ledger { ServiceKind::Ledger } else { ServiceKind::Recording }
}

/// In a share of the runs, replicas that stay down: with the liars at most `f`.
fn outside(seed: u64, n: u16, byzantine: &[(ReplicaId, Kind)]) -> Vec<ReplicaId> {
    let mut rng = Rng::stream(seed, "outside");
    let spare = QuorumSizes::of(n).f().saturating_sub(byzantine.len());
    let count = if rng.chance(300_000) { rng.index(spare + 1) } else { 0 };
    let mut honest: Vec<_> =
        (0..n).map(ReplicaId::new).filter(|id| byzantine.iter().all(|(liar, _)| liar != id)).collect();
    (0..count).map(|_| honest.remove(rng.index(honest.len()))).collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}, n = {}, {} spares, {} changes, {:?} signatures, live: {}",
            self.seed, self.n, self.spares, self.changes, self.signatures, self.live
        )?;
        writeln!(f, "  {:?}", self.network)?;
        writeln!(f, "  {:?}", self.faults)?;
        writeln!(f, "  {:?}", self.workload)?;
        writeln!(f, "  {:?}", self.tuning)?;
        writeln!(f, "  sync {:?}, execute {:?}, skew {:?}", self.sync, self.execute, self.skew)?;
        write!(
            f,
            "  {:?} service, durable: {}, heal at {:?}",
            self.service, self.durable_service, self.heal_at
        )?;
        for (replica, kind) in &self.byzantine {
            write!(f, "\n  replica {replica} is a {kind:?}")?;
        }
        for replica in &self.outside {
            write!(f, "\n  replica {replica} does not come back")?;
        }
        match self.sabotage {
            Some(sabotage) => write!(f, "\n  sabotage: {sabotage:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::identities;

    #[test]
    fn every_plan_is_valid_and_has_at_most_f_liars() {
        for seed in 0..3_000 {
            let plan = Plan::of(seed, &[4, 5, 6, 7, 10]);
            assert!(plan.byzantine.len() + plan.outside.len() <= QuorumSizes::of(plan.n).f());
            let keys = identities(Signatures::Ideal, plan.n, seed).into_iter().map(|(key, _)| key);
            plan.config(ReplicaSet::new(keys.collect())).unwrap();
            assert_eq!(plan, Plan::of(seed, &[plan.n]), "the size alone is needed to replay");
        }
    }
}
