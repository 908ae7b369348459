//! One replica with its host: what a crash takes away ([`Life`]) and what it leaves.

use core::time::Duration;
use std::sync::Arc;

use pbft_core::{
    Epoch, Now, Replica, ReplicaId, Request, Seq, UnixMillis, ValidConfig,
    config::ReplicaSet,
    crypto::{Crypto, SignatureCheck},
    replica::{EmptyLog, Recovered},
    request_buffer::{FairBuffer, Lane},
    service::{Admission, Executed, OrderedBatch, Service, ServiceAnswer, ServiceCheckpoint},
    storage::{LogPosition, Record},
    verify::Verifier,
};
use pbft_crypto::{Digest, PublicKey, Signature};

use super::bounds::Kept;
use crate::{
    byzantine::Behaviour,
    checks::Violation,
    disk::Disk,
    key_ring::{KeyRing, SeatKeys},
    oracle::Gullible,
    plan::Plan,
    rng::Rng,
    sabotage::Sabotage,
    service::{FormCheck, ServiceKind, SimulatedService},
};

/// A replica's seat in the cluster.
pub(super) struct Node {
    pub(super) id: ReplicaId,
    pub(super) config: Arc<ValidConfig>,
    /// Of the newest epoch that it knows of.
    pub(super) newest: Arc<ValidConfig>,
    everyone: Arc<KeyRing>,
    pub(super) crypto: Arc<dyn Crypto>,
    /// With the key that it may get.
    next_crypto: Arc<dyn Crypto>,
    /// Whether it is going to get that.
    pub(super) key_is_due: bool,
    pub(super) disk: Disk,
    /// What bounds the number of records on it.
    pub(super) kept: Kept,
    /// What a service that keeps its own state has on disk.
    left: Option<SimulatedService>,
    durable_service: bool,
    pub(super) service: ServiceKind,
    /// What its wall clock says at the start: no two clocks agree.
    wall: UnixMillis,
    /// What it said before anybody set it.
    right_wall: UnixMillis,
    /// How it lies, if it does.
    pub(super) behaviour: Option<Box<dyn Behaviour>>,
    pub(super) rng: Rng,
    pub(super) sabotage: Option<Sabotage>,
    /// Its disk was lost some time.
    pub(super) wiped: bool,
    /// Counts its lives.
    pub(super) lives: u64,
    /// Counts its steps.
    pub(super) steps: u64,
    /// Counts what its disk was asked to do.
    pub(super) disk_operations: u64,
    /// Counts the syncs and executions that took time.
    pub(super) worked: u64,
    pub(super) life: Option<Life>,
    /// The farthest low water mark whose proof is durable: it may not be forgotten.
    pub(super) low: Seq,
}

/// What a crash takes away.
pub(super) struct Life {
    pub(super) replica: Replica,
    pub(super) verifier: Verifier,
    pub(super) service: SimulatedService,
    /// What the service has done and not yet said.
    pub(super) executed: Option<(Executed, Option<ServiceCheckpoint>)>,
    /// What it has answered and not yet said.
    pub(super) answer: Option<ServiceAnswer>,
    pub(super) timer: Option<Duration>,
    /// The last number that it executed.
    pub(super) cursor: Seq,
    /// The checkpoint that it started from.
    pub(super) restored: Seq,
}

/// When the wall clock starts.
const START: UnixMillis = UnixMillis::new(1_700_000_000_000);

impl Node {
    pub(super) fn new(
        id: ReplicaId,
        plan: &Plan,
        config: &Arc<ValidConfig>,
        everyone: &Arc<KeyRing>,
        keys: SeatKeys,
        seats: &mut Rng,
    ) -> Self {
        let mut rng = Rng::new(seats.next());
        let wall = START.plus(rng.span((Duration::ZERO, plan.skew * 2)));
        let kind = plan.byzantine.iter().find(|(liar, _)| *liar == id).map(|(_, kind)| *kind);
        let gullible = matches!(plan.sabotage, Some(Sabotage::TrustAnySignature | Sabotage::TrustAnyProof));
        let wrapped = |crypto: Arc<dyn Crypto>| -> Arc<dyn Crypto> {
            if gullible { Arc::new(Gullible(Shared(crypto))) } else { crypto }
        };
        Self {
            id,
            config: config.clone(),
            newest: config.clone(),
            everyone: everyone.clone(),
            crypto: wrapped(keys.crypto),
            next_crypto: wrapped(keys.next),
            key_is_due: false,
            disk: Disk::default(),
            kept: Kept::default(),
            left: None,
            durable_service: plan.durable_service,
            service: plan.service,
            wall,
            right_wall: wall,
            behaviour: kind.map(|kind| kind.behaviour(&mut rng)),
            rng,
            sabotage: plan.sabotage,
            wiped: false,
            lives: 0,
            steps: 0,
            disk_operations: 0,
            worked: 0,
            life: None,
            low: Seq::ZERO,
        }
    }

    /// What its clocks say.
    pub(super) fn clock(&self, now: Duration) -> Now {
        let honest = self.wall.plus(now);
        let wall = self.behaviour.as_ref().map_or(honest, |behaviour| behaviour.wall(honest));
        Now { elapsed: now, wall }
    }

    /// Sets its wall clock to another time.
    pub(super) const fn set_clock(&mut self, back: bool, millis: u64) {
        let now = self.wall.value();
        self.wall =
            UnixMillis::new(if back { now.saturating_sub(millis) } else { now.saturating_add(millis) });
    }

    /// Sets it right again: under a primary that is seconds ahead each batch waits as long, which is slow, and no standstill.
    pub(super) const fn mend_clock(&mut self) {
        self.wall = self.right_wall;
    }

    /// Brings it back from what its disk holds. Says where execution goes on, and whether there were records.
    pub(super) fn recover(&mut self) -> Result<(Seq, bool), Violation> {
        let replica = self.id;
        let records = self.load();
        let some = !records.is_empty();
        let buffer = Box::new(FairBuffer::new(self.config.buffer.clone()));
        let empty = if self.wiped { EmptyLog::Lost } else { EmptyLog::New };
        let (config, crypto) = (self.config.clone(), self.crypto.clone());
        let recovered = Replica::recover(replica, config, crypto, buffer, records, empty);
        let Recovered { replica: core, checkpoint } =
            recovered.map_err(|error| Violation::CannotRecover { replica, error })?;
        let mut service = self.left.take().unwrap_or_else(|| {
            SimulatedService::new(self.service, self.durable_service, self.everyone.clone())
        });
        if let Some(checkpoint) = &checkpoint
            && self.sabotage != Some(Sabotage::SkipRestore)
        {
            let restored = service.restore(checkpoint.seq, checkpoint.snapshot.as_deref());
            restored.map_err(|error| Violation::CannotRestore { replica, error })?;
        }
        let admission: Arc<dyn Admission> = match self.sabotage {
            Some(Sabotage::TrustAnyRequest) => Arc::new(AdmitAll),
            _ => Arc::new(FormCheck),
        };
        let mut verifier = Verifier::new(self.config.clone(), self.crypto.clone(), admission);
        verifier.update(core.roster().clone());
        self.newest = core.roster().newest().clone();
        let cursor = checkpoint.map_or(Seq::ZERO, |checkpoint| checkpoint.seq);
        self.lives += 1;
        let (executed, timer, restored) = (None, None, cursor);
        let answer = None;
        self.life =
            Some(Life { replica: core, verifier, service, executed, answer, timer, cursor, restored });
        Ok((cursor, some))
    }

    fn load(&mut self) -> Vec<(LogPosition, Record)> {
        let mut records = self.disk.load();
        let of_views = |record: &Record| matches!(record, Record::ViewChange(_) | Record::NewView(_));
        match self.sabotage {
            Some(Sabotage::Amnesia) => records.clear(),
            Some(Sabotage::ForgetViews) => records.retain(|(_, record)| !of_views(record)),
            _ => {}
        }
        if self.sabotage == Some(Sabotage::ForgetResults) {
            for (_, record) in &mut records {
                if let Record::Checkpoint(record) = record {
                    record.certified = record.checkpoint.statement.seq;
                    record.results.clear();
                }
            }
        }
        if self.sabotage == Some(Sabotage::ResetClients) {
            let empty = pbft_core::client_table::ClientTable::new(1, 1).encode().unwrap_or_default();
            for (_, record) in &mut records {
                if let Record::Checkpoint(checkpoint) = record {
                    checkpoint.clients.clone_from(&empty);
                }
            }
        }
        records
    }

    /// Everything that is not on disk is gone.
    pub(super) fn die(&mut self) {
        if let Some(life) = self.life.take() {
            self.left = Some(life.service.after_crash());
        }
    }

    /// Whether these replicas know it by its other key, so that its operator has to start it with that.
    pub(super) fn needs_other_key(&self, replicas: &ReplicaSet) -> bool {
        let is_known_by =
            |key: &PublicKey| *key == self.next_crypto.public_key() && *key != self.crypto.public_key();
        !self.key_is_due && replicas.key(self.id).is_some_and(is_known_by)
    }

    /// Whether it runs, and has not reached the epoch in which it has its other key.
    pub(super) fn is_behind_its_key(&self) -> bool {
        let known = |life: &Life| life.replica.config().replicas.key(self.id).copied();
        self.life.as_ref().is_some_and(|life| known(life) != Some(self.next_crypto.public_key()))
    }

    pub(super) fn is_in(&self, epoch: Epoch) -> bool {
        self.life.as_ref().is_some_and(|life| life.replica.epoch() == epoch)
    }

    /// Its operator puts the other key in place.
    pub(super) fn change_key(&mut self) {
        self.crypto = self.next_crypto.clone();
    }

    /// Its disk is gone, with what a service of its own had there.
    pub(super) fn lose_disk(&mut self) {
        self.disk.wipe();
        self.kept = Kept::default();
        self.left = None;
        self.low = Seq::ZERO;
        self.wiped = true;
    }

    /// Whether it may have forgotten what it voted for: it counts as faulty until that does not matter.
    pub(super) fn is_returning(&self) -> bool {
        let votes = |life: &Life| life.replica.votes_from().is_none();
        self.wiped && !self.life.as_ref().is_some_and(votes)
    }

    /// Has the service execute.
    pub(super) fn execute(&mut self, batch: &OrderedBatch, checkpoint: bool) -> Option<Executed> {
        let (sabotage, odd) = (self.sabotage, self.id.value() % 2 == 1);
        let life = self.life.as_mut()?;
        let mut executed = match sabotage {
            Some(Sabotage::ReorderBatch) if odd => reversed(&mut life.service, batch),
            _ => life.service.execute(batch),
        };
        if sabotage == Some(Sabotage::RandomService)
            && odd
            && let Some(outcome) = executed.outcomes.first_mut()
        {
            *outcome = pbft_core::service::Outcome::Applied(b"mine".to_vec());
        }
        let mut checkpoint = checkpoint.then(|| life.service.checkpoint());
        match &mut checkpoint {
            Some(checkpoint) if sabotage == Some(Sabotage::RandomCheckpoint) && odd => {
                checkpoint.digest = Digest::ZERO;
            }
            _ => {}
        }
        if sabotage == Some(Sabotage::RandomResult) && odd {
            executed.result = executed.result.map(|_| Digest::ZERO);
        }
        if sabotage == Some(Sabotage::RandomWakeUp) && odd {
            executed.wake_at = Some(batch.time.next());
        }
        life.executed = Some((executed.clone(), checkpoint));
        Some(executed)
    }
}

fn reversed(service: &mut SimulatedService, batch: &OrderedBatch) -> Executed {
    let requests = batch.requests.iter().rev().cloned().collect();
    let mut executed = service.execute(&OrderedBatch { requests, ..batch.clone() });
    executed.outcomes.reverse();
    executed
}

/// Admits whatever is asked. See [`Sabotage::TrustAnyRequest`].
struct AdmitAll;

impl Admission for AdmitAll {
    fn admit(&self, requests: &[Request]) -> Vec<Result<Lane, Vec<u8>>> {
        requests.iter().map(|_| Ok(Lane::Normal)).collect()
    }
}

/// Lets a shared implementation of the port be wrapped.
struct Shared(Arc<dyn Crypto>);

impl Crypto for Shared {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.0.sign(digest)
    }

    fn verify(&self, check: &SignatureCheck) -> bool {
        self.0.verify(check)
    }
}
