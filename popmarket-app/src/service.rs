//! The replicated service: the ledger behind the consensus.
//!
//! A request's client is the sender's address, its number the nonce, its operation the encoded transaction. So the
//! consensus' window of numbers and the ledger's window of nonces say the same, and one request is one transaction.

mod admission;
mod checks;
mod outcome;
mod query;
mod request;
mod transfer;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ledger::{
    Applied, BatchInput, EventKind, Genesis, Ledger, Refusal, ReplicaEvent, Transaction, TxOutcome,
    UnixMillis,
};
use pbft_core::certificate::Certificate;
use pbft_core::config::ReplicaSet;
use pbft_core::evidence::Evidence;
use pbft_core::message::Attestation;
use pbft_core::service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost, WrongPart};
use pbft_core::{ReplicaId, Seq};
use pbft_crypto::Digest;

pub use admission::LedgerAdmission;
pub use checks::InvariantChecks;
pub use outcome::{TxResult, UnknownOutcome, Verdict};
pub use query::{Holdings, LedgerQuery};
pub use request::{request_of, transaction_of};
pub use view::{LedgerView, Report};

use crate::store::{BatchRecord, Install, LedgerStore, Source, StoreError, StoreOptions, Volumes, Work};

/// The ledger and its store as a service of the consensus.
///
/// If the store fails, or a check of the ledger, there is no way to go on: the batch is executed in memory and not on the disk. Then
/// [`LedgerView::failure`] says why, nothing is executed any more, and the replica stops before it has answered; a restart
/// goes on from what is stored.
pub struct LedgerService {
    view: LedgerView,
    checks: InvariantChecks,
    /// The last batch whose work is in the ledger.
    applied: Seq,
    /// The batch that was asked for last. After a restart it is behind `applied` until the log is replayed.
    cursor: Seq,
    /// Whom the state asked for after a batch, if others than before. A replayed batch asks for those of its time.
    replicas: BTreeMap<Seq, Arc<ReplicaSet>>,
    /// How the chain is cut for peers.
    volumes: Volumes,
    volume_bytes: usize,
    /// What is taken over from peers.
    install: Option<Install>,
}

impl LedgerService {
    /// Opens the ledger in a folder, or begins it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(folder: &Path, genesis: &Genesis, options: &StoreOptions) -> Result<Self, StoreError> {
        let (store, ledger) = LedgerStore::open(folder, genesis, options)?;
        let applied = store.last_batch()?;
        let replicas = store.replica_sets()?;
        let (volumes, install) = (store.volumes()?, store.install()?);
        Ok(Self {
            view: LedgerView::new(ledger, store),
            checks: InvariantChecks::default(),
            applied,
            cursor: Seq::ZERO,
            replicas,
            volumes,
            volume_bytes: options.volume_bytes,
            install,
        })
    }

    /// Has the whole ledger checked, now and after blocks from now on. A block that breaks an invariant is not stored, and
    /// its batch not answered: the service fails.
    ///
    /// # Errors
    /// [`StoreError::Broken`], if the ledger is broken already.
    pub fn checking(mut self, checks: InvariantChecks) -> Result<Self, StoreError> {
        if !checks.are_off() {
            self.view.read(checks::check)?;
        }
        self.checks = checks;
        Ok(self)
    }

    /// For readers, while the service is at work.
    pub fn view(&self) -> LedgerView {
        self.view.clone()
    }

    /// The last batch whose work is in the ledger.
    pub const fn applied(&self) -> Seq {
        self.applied
    }

    fn apply(&mut self, batch: &OrderedBatch) -> Result<BatchRecord, StoreError> {
        let mut transactions = Vec::new();
        let mut decode =
            |request| transaction_of(request).map(|transaction| transactions.push(transaction)).err();
        let malformed: Vec<Option<Refusal>> = batch.requests.iter().map(&mut decode).collect();
        let input = BatchInput {
            seq: batch.seq.value(),
            view: batch.origin.value(),
            time: UnixMillis::new(batch.time.value()),
            transactions: &transactions,
            replicas: batch.replicas,
        };
        self.advance(batch.seq, Source::Order, |ledger| {
            let applied = ledger.apply(input);
            let executed = transactions.iter().zip(&applied.outcomes);
            let mut outcomes =
                executed.map(|(transaction, outcome)| self::outcome(ledger, transaction, outcome));
            let outcomes = malformed.iter().map(|refusal| match refusal {
                Some(refusal) => outcome::refused(*refusal),
                None => outcomes.next().unwrap_or_else(|| outcome::refused(Refusal::Malformed)),
            });
            let outcomes = outcomes.collect();
            Ok((applied, outcomes))
        })
    }

    /// Has the ledger do the work of a batch, and stores what came of it.
    fn advance(
        &mut self,
        seq: Seq,
        from: Source,
        run: impl FnOnce(&mut Ledger) -> Result<(Applied, Vec<Outcome>), StoreError>,
    ) -> Result<BatchRecord, StoreError> {
        let (mut volumes, checks) = (self.volumes, self.checks);
        let (record, replicas) = self.view.advance(|ledger, store| {
            let (applied, outcomes) = run(ledger)?;
            if applied.block.is_some() {
                checks.after_block(ledger)?;
            }
            let closed = applied.block.as_ref().and_then(|block| volumes.push(block));
            let record = BatchRecord::of(ledger, volumes.name(), outcomes, applied.block.is_some());
            let replicas = changes_replicas(&applied).then(|| members(ledger));
            let (applied, record, replicas) = (&applied, record, replicas);
            store.append(&Work {
                seq,
                applied,
                record: &record,
                replicas: replicas.as_ref(),
                closed,
                from,
            })?;
            Ok::<_, StoreError>((record, replicas))
        })?;
        self.replicas.extend(replicas.map(|set| (seq, Arc::new(set))));
        (self.volumes, self.applied) = (volumes, seq);
        Ok(record)
    }

    /// Whom the state asked for after a batch. Nothing while it never asked for others than the first ones: no set comes
    /// back, as neither ids nor keys do.
    fn replicas_after(&self, seq: Seq) -> Option<Arc<ReplicaSet>> {
        self.replicas.range(..=seq).next_back().map(|(_, set)| set.clone())
    }

    /// What was answered to a batch that is applied.
    fn recall(&self, seq: Seq) -> Result<BatchRecord, StoreError> {
        self.view.store().batch_record(seq)?.ok_or(StoreError::Damaged("the record of a batch is missing"))
    }

    fn run(&mut self, batch: &OrderedBatch) -> Result<BatchRecord, StoreError> {
        if batch.seq <= self.applied {
            return self.recall(batch.seq);
        }
        if batch.seq != self.applied.next() {
            return Err(StoreError::Damaged("the work of a batch is missing"));
        }
        self.apply(batch)
    }

    /// Does something with the store, unless it has failed before.
    fn unless_failed<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Option<T> {
        if self.view.failure().is_some() {
            return None;
        }
        work(self).inspect_err(|error| self.view.fail(error)).ok()
    }
}

impl Service for LedgerService {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let Some(record) = self.unless_failed(|service| service.run(batch)) else {
            return Executed::default();
        };
        self.cursor = batch.seq;
        let wake_at = record.wake_at.map(|at| pbft_core::UnixMillis::new(at.value()));
        let replicas = self.replicas_after(batch.seq);
        Executed { result: record.result(), outcomes: record.outcomes, wake_at, replicas }
    }

    /// Names the ledger after the batch that was executed last, which is not the last one that is stored while the log is
    /// replayed.
    fn checkpoint(&mut self) -> ServiceCheckpoint {
        let name = self.unless_failed(|service| {
            let name = service.recall(service.cursor)?.name();
            service.view.store().keep_checkpoint(service.cursor, &name)?;
            service.give_up_needless_install()?;
            service.view.store().sync()?;
            Ok(name)
        });
        ServiceCheckpoint::durable(name.map_or(Digest::ZERO, |name| name.digest()))
    }

    fn restore(&mut self, seq: Seq, _snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let lost = |why: String| StateLost { seq, why };
        if self.awaits(seq) {
            return self.take_over().map_err(|error| {
                // In memory the ledger may be ahead of the store: nothing may be executed on it.
                self.view.fail(&error);
                lost(error.to_string())
            });
        }
        if seq > self.applied {
            return Err(lost(format!("the ledger store ends with batch {}", self.applied)));
        }
        let record = self.view.store().batch_record(seq).map_err(|error| lost(error.to_string()))?;
        record.ok_or_else(|| lost("the ledger store has forgotten what was answered since".into()))?;
        self.cursor = seq;
        Ok(())
    }

    fn query(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        LedgerQuery::answer(&self.view, query)
    }

    fn certified(&mut self, certificate: Certificate<Attestation>) {
        self.unless_failed(|service| service.view.store().keep_certificate(&certificate));
    }

    fn evidence(&mut self, evidence: Evidence) {
        self.unless_failed(|service| service.view.store().keep_evidence(&evidence));
    }

    fn keep_checkpoints(&mut self, needed: &[Seq]) {
        self.unless_failed(|service| service.view.store().forget_checkpoints(needed));
    }

    fn manifest(&mut self, seq: Seq) -> Option<Vec<u8>> {
        self.unless_failed(|service| service.hand_out_manifest(seq)).flatten()
    }

    fn part(&mut self, seq: Seq, index: u32) -> Option<Vec<u8>> {
        self.unless_failed(|service| service.view.store().part(seq, index)).flatten()
    }

    fn begin_install(&mut self, seq: Seq, digest: &Digest, manifest: &[u8]) -> Result<Vec<u32>, WrongPart> {
        let manifest = self.read_manifest(digest, manifest).ok_or(WrongPart)?;
        self.unless_failed(|service| service.begin(seq, manifest)).ok_or(WrongPart)
    }

    fn accept_part(&mut self, index: u32, part: &[u8]) -> Result<(), WrongPart> {
        match self.unless_failed(|service| service.take_in(index, part)) {
            Some(true) => Ok(()),
            _ => Err(WrongPart),
        }
    }

    fn complete_install(&mut self) -> Result<(), StateLost> {
        let seq = self.install.as_ref().map_or(self.applied, |install| install.seq);
        let why = "what was taken in cannot be stored, or a part is missing";
        let whole = self.unless_failed(|service| service.complete()) == Some(true);
        if whole { Ok(()) } else { Err(StateLost { seq, why: why.into() }) }
    }
}

/// Whether the state asks for other replicas than before. Where they are reached is not part of the set.
fn changes_replicas(applied: &Applied) -> bool {
    let changes = |kind: &EventKind| {
        use ReplicaEvent::{Joined, KeyRotated, Left};
        matches!(kind, EventKind::Replica(Joined { .. } | Left { .. } | KeyRotated { .. }))
    };
    applied.events.iter().any(|event| changes(&event.kind))
}

/// The replicas that the state asks for, as the consensus has them.
fn members(ledger: &Ledger) -> ReplicaSet {
    ReplicaSet::of(ledger.members().map(|(id, row)| (ReplicaId::new(id.value()), row.public_key)))
}

fn outcome(ledger: &Ledger, transaction: &Transaction, outcome: &TxOutcome) -> Outcome {
    match outcome {
        TxOutcome::Refused(refusal) => outcome::refused(*refusal),
        TxOutcome::Included { index, receipt } => outcome::recorded(&TxResult {
            tx_id: transaction.id(),
            height: ledger.height(),
            index: *index,
            outcome: receipt.outcome.clone(),
        }),
    }
}
