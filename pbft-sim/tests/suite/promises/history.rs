//! A history in which all goes well, told to the checks event by event, and one event that should not have been.

use std::{sync::Arc, time::Duration};

use pbft_core::{
    Effect, ReplicaId, Request, RequestNumber, Seq, UnixMillis, ValidConfig, View,
    certificate::Certificate,
    message::{Batch, Commit, PrePrepare, Proposal, Signed},
    roster::Roster,
    service::{Executed, OrderedBatch, Outcome, StateLost},
    storage::{LogPosition, Record},
};
use pbft_sim::{
    Plan, Violation,
    checks::Checks,
    counters::Counters,
    customer::client_id,
    key_ring::{KeyRing, Wanted},
    oracle::{Identity, Signatures, identities},
    service::Verb,
};

const N: u16 = 4;

/// Four correct replicas, one after the other.
fn replicas() -> impl Iterator<Item = ReplicaId> {
    (0..N).map(ReplicaId::new)
}

struct History {
    checks: Checks,
    counters: Counters,
    config: Arc<ValidConfig>,
    keys: KeyRing,
    identities: Vec<Identity>,
    written: u64,
}

impl History {
    /// Nothing has happened.
    fn new() -> Self {
        let plan = Plan::of(1, &[N]).calm();
        // As many second keys as first ones.
        let identities = identities(Signatures::Ideal, N * 2, 1);
        let keys = KeyRing::new(&identities);
        let config = Arc::new(plan.config(keys.founders(N)).unwrap());
        let checks = Checks::new(config.clone(), usize::from(N), identities[0].1.clone(), &plan);
        Self { checks, counters: Counters::default(), config, keys, identities, written: 0 }
    }

    /// Two numbers were decided, and carried out by all.
    fn good() -> Self {
        let mut history = Self::new();
        for seq in 1..=2 {
            let batch = history.submitted(seq);
            for replica in replicas() {
                history.proposes(replica, seq, &batch).unwrap();
            }
            for replica in replicas() {
                history.decides(replica, seq, &batch).unwrap();
                history.carries_out(replica, &ordered(seq, &batch)).unwrap();
            }
        }
        history
    }

    /// A batch of two requests that two clients have sent.
    fn submitted(&mut self, seq: u64) -> Batch {
        let batch = batch(seq, [0, 1]);
        batch.requests.iter().for_each(|request| self.checks.execution.on_submitted(request));
        batch
    }

    fn writes(&mut self, replica: ReplicaId, record: &Record) -> Result<(), Violation> {
        self.written += 1;
        self.checks.on_record(replica, LogPosition::new(self.written), record, &mut self.counters)
    }

    /// The primary's proposal, in the log of a replica.
    fn proposes(&mut self, replica: ReplicaId, seq: u64, batch: &Batch) -> Result<(), Violation> {
        self.proposes_as(replica, seq, batch, batch)
    }

    /// The same with the digest of another batch.
    fn proposes_as(
        &mut self,
        replica: ReplicaId,
        seq: u64,
        named: &Batch,
        sent: &Batch,
    ) -> Result<(), Violation> {
        let statement = PrePrepare { view: View::ZERO, seq: Seq::new(seq), digest: named.digest() };
        let pre_prepare = Signed::sign(statement, ReplicaId::new(0), &self.config, &*self.identities[0].1);
        self.writes(replica, &Record::Proposal(Proposal { pre_prepare, batch: Arc::new(sent.clone()) }))
    }

    /// A quorum's commits, in the log of a replica.
    fn decides(&mut self, replica: ReplicaId, seq: u64, batch: &Batch) -> Result<(), Violation> {
        let statement = Commit { view: View::ZERO, seq: Seq::new(seq), digest: batch.digest() };
        let sign = |signer: ReplicaId| {
            Signed::sign(statement, signer, &self.config, &*self.identities[signer.index()].1)
        };
        let votes: Vec<_> = replicas().take(3).map(sign).collect();
        self.writes(replica, &Record::Committed(Certificate::from_votes(&votes).unwrap()))
    }

    fn begins(&mut self, replica: ReplicaId, batch: &OrderedBatch) -> Result<(), Violation> {
        self.checks.on_execute(Duration::from_millis(1), replica, batch, &mut self.counters)
    }

    fn carries_out(&mut self, replica: ReplicaId, batch: &OrderedBatch) -> Result<(), Violation> {
        self.begins(replica, batch)?;
        let done = |_: &Request| Outcome::Applied(b"done".to_vec());
        self.checks.on_executed(batch, &Executed::new(batch.requests.iter().map(done).collect()))
    }

    /// Epoch 1, in which some have their second key.
    fn with_second_keys(&self, rekeyed: u16) -> Roster {
        let set = self.keys.set(Wanted { members: (1 << N) - 1, rekeyed });
        let mut roster = Roster::new(self.config.clone());
        roster.push(Arc::new(self.config.succeeded_by(set, Seq::new(8)).unwrap()));
        roster
    }
}

/// Requests of these clients, each the client's one for this number.
fn batch(seq: u64, clients: [usize; 2]) -> Batch {
    let ask = |client| Verb::Put.request(client_id(client), RequestNumber::new(seq), 1, 1);
    Batch { origin: View::ZERO, time: UnixMillis::new(seq * 10), requests: clients.map(ask).to_vec() }
}

fn ordered(seq: u64, batch: &Batch) -> OrderedBatch {
    OrderedBatch {
        seq: Seq::new(seq),
        origin: batch.origin,
        time: batch.time,
        requests: batch.requests.clone(),
        replicas: pbft_crypto::Digest::ZERO,
    }
}

/// Each of these is wrong in one thing alone, and says what the checks say of it.
type Said = Result<(), Violation>;

const LATE: ReplicaId = ReplicaId::new(3);

/// One replica has proof that another batch has the number.
pub(super) fn disagreement() -> (Said, Violation) {
    let mut history = History::good();
    let other = batch(1, [1, 0]);
    history.proposes(LATE, 1, &other).unwrap();
    (history.decides(LATE, 1, &other), Violation::Disagreement { replica: LATE, seq: Seq::new(1) })
}

/// A proposal that carries another batch than the one that was signed for.
pub(super) fn wrong_body() -> (Said, Violation) {
    let mut history = History::good();
    let (named, sent) = (history.submitted(3), batch(3, [1, 0]));
    let said = history.proposes_as(LATE, 3, &named, &sent);
    (said, Violation::WrongBody { replica: LATE, seq: Seq::new(3) })
}

/// A replica carries out what was proposed and never committed.
pub(super) fn undecided() -> (Said, Violation) {
    let mut history = History::good();
    let batch = history.submitted(3);
    history.proposes(LATE, 3, &batch).unwrap();
    (history.begins(LATE, &ordered(3, &batch)), Violation::Undecided { replica: LATE, seq: Seq::new(3) })
}

/// A replica puts a request in that a client did send, but that is not in the batch.
pub(super) fn smuggled() -> (Said, Violation) {
    let mut history = History::good();
    let batch = history.submitted(3);
    let further = Verb::Put.request(client_id(2), RequestNumber::new(3), 1, 1);
    history.checks.execution.on_submitted(&further);
    history.proposes(LATE, 3, &batch).unwrap();
    history.decides(LATE, 3, &batch).unwrap();
    let id = further.id();
    let mut with_it = ordered(3, &batch);
    with_it.requests.push(further);
    (history.begins(LATE, &with_it), Violation::Smuggled { id, seq: Seq::new(3) })
}

/// The same request twice in what is carried out is one too many, too.
pub(super) fn smuggled_twice() -> (Said, Violation) {
    let mut history = History::good();
    let batch = history.submitted(3);
    history.proposes(LATE, 3, &batch).unwrap();
    history.decides(LATE, 3, &batch).unwrap();
    let id = batch.requests[0].id();
    let mut with_it = ordered(3, &batch);
    with_it.requests.push(batch.requests[0].clone());
    (history.begins(LATE, &with_it), Violation::Smuggled { id, seq: Seq::new(3) })
}

/// All know of epoch 1, and one of them of other keys in it.
pub(super) fn rosters_differ() -> (Said, Violation) {
    let mut history = History::good();
    let (all, other) = (history.with_second_keys(0b0001), history.with_second_keys(0b0010));
    replicas().for_each(|replica| history.checks.on_roster(replica, &all).unwrap());
    let epoch = all.newest().epoch();
    (history.checks.on_roster(LATE, &other), Violation::RostersDiffer { replica: LATE, epoch })
}

/// The service of one replica says something else of a batch.
pub(super) fn outcomes_differ() -> (Said, Violation) {
    let mut history = History::good();
    let batch = history.submitted(3);
    for replica in replicas() {
        history.proposes(replica, 3, &batch).unwrap();
        history.decides(replica, 3, &batch).unwrap();
    }
    let ordered = ordered(3, &batch);
    history.carries_out(ReplicaId::new(0), &ordered).unwrap();
    history.begins(LATE, &ordered).unwrap();
    let failed = vec![Outcome::Applied(b"failed".to_vec()); 2];
    (
        history.checks.on_executed(&ordered, &Executed::new(failed)),
        Violation::OutcomesDiffer { seq: Seq::new(3) },
    )
}

/// The history goes on as it began.
pub(super) fn goes_on() -> Said {
    let mut history = History::good();
    let batch = history.submitted(3);
    let roster = history.with_second_keys(0b0001);
    for replica in replicas() {
        history.proposes(replica, 3, &batch)?;
        history.decides(replica, 3, &batch)?;
        history.carries_out(replica, &ordered(3, &batch))?;
        history.checks.on_roster(replica, &roster)?;
    }
    Ok(())
}

/// A replica's service has lost what its log says that it has.
pub(super) fn cannot_restore() -> (Said, Violation) {
    let mut history = History::good();
    let error = StateLost { seq: Seq::new(2), why: "a file is gone".into() };
    let effect = Effect::StateLost(error.clone());
    let said = history.checks.on_accusation(LATE, &effect, &|_| false, &mut history.counters);
    (said, Violation::CannotRestore { replica: LATE, error })
}
