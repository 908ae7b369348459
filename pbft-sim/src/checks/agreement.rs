//! Agreement: one batch for each number, everywhere; every proof that a replica keeps does prove something; and equal
//! states at checkpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use pbft_core::{
    ReplicaId, Seq, ValidConfig, View,
    certificate::Certificate,
    crypto::Crypto,
    message::{Batch, Commit, Prepare, ProvenNewView, ProvenViewChange, Signed, Statement},
    storage::Record,
};
use pbft_crypto::Digest;

use super::Violation;
use crate::counters::{Counters, Sometimes};

/// What was decided so far.
#[derive(Debug, Default)]
pub struct Agreement {
    decided: BTreeMap<Seq, Digest>,
    /// The earliest view in which each number is known to be decided.
    decided_in: BTreeMap<Seq, (View, Digest)>,
    bodies: BTreeMap<Digest, Arc<Batch>>,
    states: BTreeMap<Seq, Digest>,
}

/// Who looks at what.
struct Look<'a> {
    config: &'a ValidConfig,
    crypto: &'a dyn Crypto,
    replica: ReplicaId,
}

impl Agreement {
    /// The batch that was decided for a number.
    #[must_use]
    pub fn batch(&self, seq: Seq) -> Option<Arc<Batch>> {
        self.bodies.get(self.decided.get(&seq)?).cloned()
    }

    pub(super) fn on_record(
        &mut self,
        config: &ValidConfig,
        crypto: &dyn Crypto,
        replica: ReplicaId,
        record: &Record,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let look = Look { config, crypto, replica };
        match record {
            Record::Proposal(proposal) => {
                let statement = proposal.pre_prepare.statement;
                self.keep(replica, statement.seq, statement.digest, &proposal.batch)
            }
            Record::Prepare(_) | Record::Returned(_) => Ok(()),
            Record::Commit { commit, prepares } => look.prepared(commit, prepares),
            Record::Committed(certificate) => self.decide(&look, certificate),
            Record::CaughtUp(committed) => {
                counters.saw(Sometimes::CaughtUp);
                let statement = committed.certificate.statement;
                self.keep(replica, statement.seq, statement.digest, &committed.batch)?;
                self.decide(&look, &committed.certificate)
            }
            Record::Checkpoint(record) => {
                let own = record.checkpoint.statement;
                self.state(replica, own.seq, own.digest)
            }
            Record::Stable(certificate) => {
                counters.saw(Sometimes::StableCheckpoint);
                look.certified(certificate.statement.seq, certificate)?;
                self.state(replica, certificate.statement.seq, certificate.statement.digest)
            }
            Record::ViewChange(proven) => {
                counters.saw(Sometimes::ViewChange);
                look.carries(proven)
            }
            Record::NewView(proven) => {
                counters.saw(Sometimes::NewView);
                self.bodies.entry(Batch::null().digest()).or_insert_with(|| Arc::new(Batch::null()));
                self.remembers(&look, proven, counters)
            }
            Record::Handover(_) => Ok(()),
        }
    }

    /// A view that begins assigns every decided number past its checkpoint to what was decided.
    fn remembers(
        &self,
        look: &Look<'_>,
        proven: &ProvenNewView,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let announced = &proven.announcement.statement;
        look.wanted(proven)?;
        let floor = proven.stable.as_ref().map_or(Seq::ZERO, |stable| stable.statement.seq);
        let assigned: BTreeMap<_, _> =
            announced.pre_prepares.iter().map(|vote| (vote.statement.seq, vote.statement.digest)).collect();
        if !assigned.is_empty() {
            counters.saw(Sometimes::CarriedOver);
        }
        if assigned.values().any(|digest| *digest == Batch::null().digest()) {
            counters.saw(Sometimes::NullRequest);
        }
        // What was decided in this view or a later one need not be known to it.
        for (seq, (view, digest)) in self.decided_in.range(floor.next()..) {
            if *view < announced.view && assigned.get(seq) != Some(digest) {
                return Err(Violation::ForgottenByNewView { replica: look.replica, seq: *seq });
            }
        }
        Ok(())
    }

    fn keep(
        &mut self,
        replica: ReplicaId,
        seq: Seq,
        digest: Digest,
        batch: &Arc<Batch>,
    ) -> Result<(), Violation> {
        if self.bodies.contains_key(&digest) {
            return Ok(());
        }
        if batch.digest() != digest {
            return Err(Violation::WrongBody { replica, seq });
        }
        self.bodies.insert(digest, batch.clone());
        Ok(())
    }

    fn decide(&mut self, look: &Look<'_>, certificate: &Certificate<Commit>) -> Result<(), Violation> {
        let Commit { view, seq, digest } = certificate.statement;
        look.certified(seq, certificate)?;
        let first = self.decided_in.entry(seq).or_insert((view, digest));
        first.0 = first.0.min(view);
        if *self.decided.entry(seq).or_insert(digest) != digest {
            return Err(Violation::Disagreement { replica: look.replica, seq });
        }
        Ok(())
    }

    fn state(&mut self, replica: ReplicaId, seq: Seq, digest: Digest) -> Result<(), Violation> {
        if *self.states.entry(seq).or_insert(digest) != digest {
            return Err(Violation::StateDiffers { replica, seq });
        }
        Ok(())
    }
}

impl Look<'_> {
    /// A quorum of distinct members signed it. Counted here anew, not with the core's own code.
    fn certified<T: Statement>(&self, seq: Seq, certificate: &Certificate<T>) -> Result<(), Violation> {
        let bad = Violation::BadCertificate { replica: self.replica, seq };
        let signers: BTreeSet<_> = certificate.signatures.iter().map(|(signer, _)| *signer).collect();
        if signers.len() < self.quorum() || signers.len() != certificate.signatures.len() {
            return Err(bad);
        }
        let checks = certificate.signature_checks(self.config, self.quorum()).ok_or(bad.clone())?;
        if checks.iter().all(|check| self.crypto.verify(check)) { Ok(()) } else { Err(bad) }
    }

    /// A commit rests on prepares of a quorum, the primary's pre-prepare counted in.
    fn prepared(&self, commit: &Signed<Commit>, prepares: &[Signed<Prepare>]) -> Result<(), Violation> {
        let Commit { view, seq, digest } = commit.statement;
        let primary = self.config.replicas.primary(view);
        let valid = |prepare: &&Signed<Prepare>| {
            prepare.statement == Prepare { view, seq, digest }
                && prepare.signer != primary
                && prepare.signature_check(self.config).is_some_and(|check| self.crypto.verify(&check))
        };
        let backups: BTreeSet<_> = prepares.iter().filter(valid).map(|prepare| prepare.signer).collect();
        if backups.len() + 1 < self.quorum() {
            return Err(Violation::NotPrepared { replica: self.replica, seq });
        }
        Ok(())
    }

    /// A replica that leaves its view proves all that it claims.
    fn carries(&self, proven: &ProvenViewChange) -> Result<(), Violation> {
        if let Some(stable) = &proven.stable {
            self.certified(stable.statement.seq, stable)?;
        }
        for proof in &proven.prepared {
            let s = proof.statement();
            let bad = Violation::BadCertificate { replica: self.replica, seq: s.seq };
            let votes: Vec<_> = proof.votes().collect();
            let claim = Signed {
                statement: Commit { view: s.view, seq: s.seq, digest: s.digest },
                signer: self.replica,
                signature: proof.pre_prepare.signature,
            };
            self.prepared(&claim, &votes)?;
            let primary = proof.pre_prepare.signer == self.config.replicas.primary(s.view);
            if !primary || !self.valid(&proof.pre_prepare) || s.view >= proven.vote.statement.view {
                return Err(bad);
            }
        }
        Ok(())
    }

    /// A quorum of distinct members wanted the view.
    fn wanted(&self, proven: &ProvenNewView) -> Result<(), Violation> {
        let votes = &proven.announcement.statement.view_changes;
        let wants = |vote: &&Signed<_>| self.wants(vote, proven.view());
        let signers: BTreeSet<_> = votes.iter().filter(wants).map(|vote| vote.signer).collect();
        let enough = signers.len() >= self.quorum() && self.valid(&proven.announcement);
        if enough { Ok(()) } else { Err(Violation::Unwanted { replica: self.replica, view: proven.view() }) }
    }

    fn wants(&self, vote: &Signed<pbft_core::message::ViewChange>, view: View) -> bool {
        vote.statement.view == view && self.valid(vote)
    }

    fn valid<T: Statement>(&self, signed: &Signed<T>) -> bool {
        signed.signature_check(self.config).is_some_and(|check| self.crypto.verify(&check))
    }

    /// ceil((n + f + 1) / 2), from the definition.
    fn quorum(&self) -> usize {
        let n = usize::from(self.config.replicas.count());
        (n + (n - 1) / 3 + 1).div_ceil(2)
    }
}
