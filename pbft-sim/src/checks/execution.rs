//! Execution: every correct replica executes a prefix of one order; only what clients submitted; each request once, with
//! the same outcome everywhere; and what a client accepted is what was executed.

use std::collections::{BTreeMap, BTreeSet};

use pbft_core::{
    ReplicaId, Request, RequestId, Seq,
    client::Accepted,
    message::Batch,
    service::{Executed, OrderedBatch, Outcome},
};
use pbft_crypto::Digest;

use super::Violation;
use crate::counters::{Counters, Sometimes};

/// What was executed so far, by anyone.
#[derive(Debug)]
pub struct Execution {
    /// The last number that each replica has begun, in its present life.
    cursors: Vec<Seq>,
    submitted: BTreeMap<RequestId, Digest>,
    order: BTreeMap<Seq, OrderedBatch>,
    results: BTreeMap<Seq, Executed>,
    applied: BTreeMap<RequestId, Seq>,
}

impl Execution {
    pub(super) fn new(n: usize) -> Self {
        Self {
            cursors: vec![Seq::ZERO; n],
            submitted: BTreeMap::new(),
            order: BTreeMap::new(),
            results: BTreeMap::new(),
            applied: BTreeMap::new(),
        }
    }

    /// A client asks for something.
    pub fn on_submitted(&mut self, request: &Request) {
        self.submitted.insert(request.id(), request.digest());
    }

    pub(super) fn on_recovered(&mut self, replica: ReplicaId, executed: Seq) {
        self.cursors[replica.index()] = executed;
    }

    pub(super) fn on_execute(
        &mut self,
        replica: ReplicaId,
        batch: &OrderedBatch,
        decided: Option<&Batch>,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let seq = batch.seq;
        let cursor = &mut self.cursors[replica.index()];
        if seq != cursor.next() {
            return Err(Violation::OutOfOrder { replica, seq, expected: cursor.next() });
        }
        *cursor = seq;
        let decided = decided.ok_or(Violation::Undecided { replica, seq })?;
        match self.order.get(&seq) {
            Some(first) if first == batch => Ok(()),
            Some(_) => Err(Violation::ExecutionDiffers { replica, seq }),
            None => {
                self.check_first(batch, decided, counters)?;
                self.order.insert(seq, batch.clone());
                Ok(())
            }
        }
    }

    /// The first replica that executes a number sets what the others must do; so its choice is judged in full.
    fn check_first(
        &self,
        batch: &OrderedBatch,
        decided: &Batch,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let seq = batch.seq;
        let before = self.order.range(..seq).next_back().map(|(_, before)| before.time);
        if before.is_some_and(|before| before >= batch.time) {
            return Err(Violation::TimeStands { seq });
        }
        let due: BTreeSet<_> = batch.requests.iter().map(Request::id).collect();
        for request in &decided.requests {
            let (id, applied) = (request.id(), self.applied.get(&request.id()));
            match applied {
                Some(first) if due.contains(&id) => {
                    return Err(Violation::ExecutedTwice { id, first: *first, again: seq });
                }
                Some(_) => counters.saw(Sometimes::DuplicateSuppressed),
                None if !due.contains(&id) => return Err(Violation::LeftOut { id, seq }),
                None => {}
            }
        }
        let mut rest = decided.requests.iter();
        for request in &batch.requests {
            let id = request.id();
            if !rest.any(|in_batch| in_batch == request) {
                return Err(Violation::Smuggled { id, seq });
            }
            if self.submitted.get(&id) != Some(&request.digest()) {
                return Err(Violation::NeverSubmitted { id, seq });
            }
        }
        if decided.requests.is_empty() {
            counters.saw(Sometimes::EmptyBatch);
        }
        Ok(())
    }

    /// What a batch had as its result, if it had one.
    pub(super) fn result(&self, seq: Seq) -> Option<Digest> {
        self.results.get(&seq)?.result
    }

    /// The numbers up to `executed` that had one.
    pub(super) fn with_results(&self, executed: Seq) -> impl Iterator<Item = Seq> {
        let some = |(seq, executed): (&Seq, &Executed)| executed.result.map(|_| *seq);
        self.results.range(..=executed).filter_map(some)
    }

    pub(super) fn on_executed(&mut self, batch: &OrderedBatch, executed: &Executed) -> Result<(), Violation> {
        let seq = batch.seq;
        if let Some(first) = self.results.get(&seq) {
            return if first == executed { Ok(()) } else { Err(Violation::OutcomesDiffer { seq }) };
        }
        for (request, outcome) in batch.requests.iter().zip(&executed.outcomes) {
            if matches!(outcome, Outcome::Applied(_)) {
                let id = request.id();
                if let Some(first) = self.applied.insert(id, seq) {
                    return Err(Violation::ExecutedTwice { id, first, again: seq });
                }
            }
        }
        self.results.insert(seq, executed.clone());
        Ok(())
    }

    /// At least one correct replica stands behind what a client accepts, so it is in the one order already.
    pub(super) fn on_accepted(&self, accepted: &Accepted) -> Result<(), Violation> {
        let outcome = || {
            let batch = self.order.get(&accepted.seq)?;
            let place = batch.requests.iter().position(|request| request.id() == accepted.id)?;
            self.results.get(&accepted.seq)?.outcomes.get(place)
        };
        if outcome() == Some(&accepted.outcome) {
            Ok(())
        } else {
            Err(Violation::FalseAnswer { id: accepted.id })
        }
    }
}
