//! The replicated service: the ledger behind the consensus.
//!
//! A request's client is the sender's address, its number the nonce, its operation the encoded transaction. So the
//! consensus' window of numbers and the ledger's window of nonces say the same, and one request is one transaction.

mod admission;
mod outcome;
mod request;
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
use pbft_core::service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost};
use pbft_core::{ReplicaId, Seq};
use pbft_crypto::Digest;

pub use admission::LedgerAdmission;
pub use outcome::{TxResult, UnknownOutcome, Verdict};
pub use request::{request_of, transaction_of};
pub use view::{LedgerView, Report};

use crate::store::{BatchRecord, LedgerStore, StoreError, StoreOptions};

/// The ledger and its store as a service of the consensus.
///
/// If the store fails there is no way to go on: the batch is executed in memory and not on the disk. Then
/// [`LedgerView::failure`] says why, nothing is executed any more, and the replica stops before it has answered; a restart
/// goes on from what is stored.
pub struct LedgerService {
    view: LedgerView,
    /// The last batch whose work is in the ledger.
    applied: Seq,
    /// The batch that was asked for last. After a restart it is behind `applied` until the log is replayed.
    cursor: Seq,
    /// Whom the state asked for after a batch, if others than before. A replayed batch asks for those of its time.
    replicas: BTreeMap<Seq, Arc<ReplicaSet>>,
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
        Ok(Self { view: LedgerView::new(ledger, store), applied, cursor: Seq::ZERO, replicas })
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
        let (record, replicas) = self.view.advance(|ledger, store| {
            let applied = ledger.apply(input);
            let executed = transactions.iter().zip(&applied.outcomes);
            let mut outcomes =
                executed.map(|(transaction, outcome)| self::outcome(ledger, transaction, outcome));
            let outcomes = malformed.iter().map(|refusal| match refusal {
                Some(refusal) => outcome::refused(*refusal),
                None => outcomes.next().unwrap_or_else(|| outcome::refused(Refusal::Malformed)),
            });
            let (outcomes, made_block) = (outcomes.collect(), applied.block.is_some());
            let record = BatchRecord::of(ledger, outcomes, made_block);
            let replicas = changes_replicas(&applied).then(|| members(ledger));
            store.append(batch.seq, &applied, &record, replicas.as_ref())?;
            Ok::<_, StoreError>((record, replicas))
        })?;
        self.replicas.extend(replicas.map(|set| (batch.seq, Arc::new(set))));
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
        let record = self.apply(batch)?;
        self.applied = batch.seq;
        Ok(record)
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
        let record = self.unless_failed(|service| {
            service.view.store().sync()?;
            service.recall(service.cursor)
        });
        ServiceCheckpoint::durable(record.map_or(Digest::ZERO, |record| record.after.digest()))
    }

    fn restore(&mut self, seq: Seq, _snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        let lost = |why: String| StateLost { seq, why };
        if seq > self.applied {
            return Err(lost(format!("the ledger store ends with batch {}", self.applied)));
        }
        let record = self.view.store().batch_record(seq).map_err(|error| lost(error.to_string()))?;
        record.ok_or_else(|| lost("the ledger store has forgotten what was answered since".into()))?;
        self.cursor = seq;
        Ok(())
    }

    fn certified(&mut self, certificate: Certificate<Attestation>) {
        self.unless_failed(|service| service.view.store().keep_certificate(&certificate));
    }

    fn evidence(&mut self, evidence: Evidence) {
        self.unless_failed(|service| service.view.store().keep_evidence(&evidence));
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
