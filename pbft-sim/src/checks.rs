//! What must hold, after every event: one file for each promise. Nothing here trusts the replicas' own word.
//!
//! | file | promise |
//! | --- | --- |
//! | [`agreement`] | one batch for each number, everywhere, and proofs that prove it |
//! | [`execution`] | one order, only what was submitted, exactly once, equal results |
//! | [`voting`] | no correct replica says two things, and nothing before it is on disk |
//! | [`views`] | nobody runs ahead of the others |
//! | [`reads`] | what clients are shown is true, and not of yesterday |
//! | [`results`] | certificates of results are true, and everyone gets them |
//! | [`pace`] | where nothing goes wrong nothing waits |
//! | [`blame`] | evidence is sound, and only liars are blamed |

pub mod agreement;
pub mod blame;
pub mod execution;
pub mod pace;
pub mod reads;
pub mod results;
pub mod views;
pub mod violation;
pub mod voting;

use core::time::Duration;
use std::{collections::BTreeSet, sync::Arc};

use pbft_core::{
    Effect, Message, ReplicaId, RequestId, Seq, ValidConfig,
    certificate::Certificate,
    client::Accepted,
    crypto::Crypto,
    message::Attestation,
    roster::Roster,
    service::{Executed, OrderedBatch},
    storage::{LogPosition, Record},
};
pub use violation::Violation;

use agreement::Agreement;
use execution::Execution;
use pace::Pace;
use reads::Reads;
use results::Results;
use views::Views;
use voting::{Judge, Voting};

use crate::{
    counters::{Counters, Sometimes},
    plan::Plan,
};

/// Everything that is remembered of a run in order to judge it.
pub struct Checks {
    /// The replica sets that correct replicas know of.
    roster: Roster,
    /// Any replica's means to check signatures.
    crypto: Arc<dyn Crypto>,
    agreement: Agreement,
    /// What was executed, and for whom.
    pub execution: Execution,
    voting: Voting,
    views: Views,
    pace: Pace,
    results: Results,
    /// What clients ask and are shown.
    pub reads: Reads,
}

impl Checks {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(config: Arc<ValidConfig>, seats: usize, crypto: Arc<dyn Crypto>, plan: &Plan) -> Self {
        Self {
            agreement: Agreement::default(),
            execution: Execution::new(seats),
            voting: Voting::default(),
            views: Views::new(plan),
            pace: Pace::new(plan),
            results: Results::default(),
            reads: Reads::default(),
            roster: Roster::new(config),
            crypto,
        }
    }

    /// The replica sets that correct replicas know of.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// A correct replica knows of these replica sets: they are one sequence for all.
    ///
    /// # Errors
    /// If others know of another sequence.
    pub fn on_roster(&mut self, replica: ReplicaId, roster: &Roster) -> Result<(), Violation> {
        for config in roster.configs() {
            self.roster.push(config.clone());
            if self.roster.of(config.epoch()) != Some(config) {
                return Err(Violation::RostersDiffer { replica, epoch: config.epoch() });
            }
        }
        Ok(())
    }

    /// A correct replica writes a record.
    ///
    /// # Errors
    /// If that breaks a promise.
    pub fn on_record(
        &mut self,
        replica: ReplicaId,
        position: LogPosition,
        record: &Record,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let judge = Judge { roster: &self.roster, crypto: &*self.crypto };
        self.voting.on_record(&judge, replica, position, record);
        self.views.on_record(replica, record)?;
        if matches!(record, Record::ViewChange(_)) {
            self.pace.on_view_change();
        }
        self.agreement.on_record(&self.roster, &*self.crypto, replica, record, counters)
    }

    /// Whether a record is a proposal that a replica makes by itself now: for which number.
    pub fn on_own_proposal(&mut self, now: Duration, replica: ReplicaId, record: &Record) -> Option<Seq> {
        let seq = self.agreement.own_proposal(replica, record)?;
        self.pace.on_proposed(now, seq);
        Some(seq)
    }

    /// A correct replica sends a message; its log is durable up to `synced`.
    ///
    /// # Errors
    /// If that breaks a promise.
    pub fn on_sent(
        &mut self,
        replica: ReplicaId,
        message: &Message,
        synced: LogPosition,
    ) -> Result<(), Violation> {
        let judge = Judge { roster: &self.roster, crypto: &*self.crypto };
        self.voting.on_sent(&judge, replica, message, synced)
    }

    /// A correct replica crashed, and its log is left up to `last`.
    pub fn on_crash(&mut self, replica: ReplicaId, last: LogPosition) {
        self.voting.on_crash(replica, last);
    }

    /// A correct replica is back and goes on after `executed`.
    pub fn on_recovered(&mut self, replica: ReplicaId, executed: Seq) {
        self.execution.on_recovered(replica, executed);
        self.results.on_recovered(replica, executed);
    }

    /// A correct replica took over the state at a checkpoint.
    pub fn on_taken_over(&mut self, replica: ReplicaId, seq: Seq) {
        self.execution.on_recovered(replica, seq);
        self.results.on_taken_over(replica, seq);
    }

    /// A correct replica hands a batch to its service.
    ///
    /// # Errors
    /// If that breaks a promise.
    pub fn on_execute(
        &mut self,
        now: Duration,
        replica: ReplicaId,
        batch: &OrderedBatch,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        self.pace.on_execute(now, replica, batch.seq)?;
        let decided = self.agreement.batch(batch.seq);
        self.execution.on_execute(replica, batch, decided.as_deref(), counters)
    }

    /// Whether what was decided for a number has one of these requests in it.
    pub fn is_decided_with(&self, seq: Seq, ids: &BTreeSet<RequestId>) -> bool {
        let batch = self.agreement.batch(seq);
        batch.is_some_and(|batch| batch.requests.iter().any(|request| ids.contains(&request.id())))
    }

    /// The service of a correct replica is done with a batch.
    ///
    /// # Errors
    /// If that breaks a promise.
    pub fn on_executed(&mut self, batch: &OrderedBatch, executed: &Executed) -> Result<(), Violation> {
        self.execution.on_executed(batch, executed)
    }

    /// The service of a correct replica names its state after `seq`.
    pub fn on_checkpoint(&mut self, replica: ReplicaId, seq: Seq) {
        self.results.on_checkpoint(replica, seq);
    }

    /// A correct replica that executed up to `executed` hands a certificate to its service.
    ///
    /// # Errors
    /// If that breaks a promise.
    pub fn on_certified(
        &mut self,
        replica: ReplicaId,
        executed: Seq,
        certificate: &Certificate<Attestation>,
    ) -> Result<(), Violation> {
        let seq = certificate.statement.seq;
        let result = self.execution.result(seq).filter(|_| seq <= executed);
        self.results.on_certified(self.roster.at(seq), &*self.crypto, replica, certificate, result)
    }

    /// Whether a correct replica has the certificates of all that it executed.
    #[must_use]
    pub fn has_all_certificates(&self, replica: ReplicaId, executed: Seq) -> bool {
        self.results.has_all(replica, self.execution.with_results(executed))
    }

    /// A client believes an answer.
    ///
    /// # Errors
    /// If it should not.
    pub fn on_accepted(&self, accepted: &Accepted) -> Result<(), Violation> {
        self.execution.on_accepted(accepted)
    }

    /// A correct replica accuses someone, or itself.
    ///
    /// # Errors
    /// If it is wrong.
    pub fn on_accusation(
        &self,
        replica: ReplicaId,
        effect: &Effect,
        liars: &dyn Fn(ReplicaId) -> bool,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        match effect {
            Effect::Evidence(evidence) => {
                counters.saw(Sometimes::Evidence);
                blame::check(&self.roster, &*self.crypto, replica, evidence, liars)
            }
            Effect::CheckpointTooLarge { seq, .. } | Effect::Diverged { seq, .. } => {
                Err(Violation::Diverged { replica, seq: *seq })
            }
            Effect::StateLost(error) => Err(Violation::CannotRestore { replica, error: error.clone() }),
            _ => Ok(()),
        }
    }
}
