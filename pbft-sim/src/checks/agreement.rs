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
    message::{
        Batch, Commit, PrePrepare, Prepare, PreparedCertificate, ProvenNewView, ProvenViewChange, Signed,
        Statement, ViewChange,
    },
    roster::Roster,
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
    /// What views assigned when they began.
    assigned: BTreeSet<(View, Seq)>,
}

/// Who looks at what.
struct Look<'a> {
    roster: &'a Roster,
    crypto: &'a dyn Crypto,
    replica: ReplicaId,
}

impl Agreement {
    /// The batch that was decided for a number.
    #[must_use]
    pub fn batch(&self, seq: Seq) -> Option<Arc<Batch>> {
        self.bodies.get(self.decided.get(&seq)?).cloned()
    }

    /// Whether a record is a proposal that a replica made by itself: for which number.
    #[must_use]
    pub fn own_proposal(&self, replica: ReplicaId, record: &Record) -> Option<Seq> {
        let Record::Proposal(proposal) = record else { return None };
        let PrePrepare { view, seq, .. } = proposal.pre_prepare.statement;
        let own = proposal.pre_prepare.signer == replica && !self.assigned.contains(&(view, seq));
        own.then_some(seq)
    }

    pub(super) fn on_record(
        &mut self,
        roster: &Roster,
        crypto: &dyn Crypto,
        replica: ReplicaId,
        record: &Record,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let look = Look { roster, crypto, replica };
        match record {
            Record::Proposal(proposal) => {
                let statement = proposal.pre_prepare.statement;
                self.keep(replica, statement.seq, statement.digest, &proposal.batch)
            }
            Record::Prepare(_) | Record::Returned(_) | Record::Lineage(_) => Ok(()),
            Record::Commit { commit, prepares } => {
                if !roster.at(Seq::ZERO).replicas.contains(replica) {
                    counters.saw(Sometimes::NewMember);
                }
                look.prepared(commit, prepares)
            }
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
            Record::Handover(handover) => {
                let seq = handover.summary.seq;
                look.certified(seq, &handover.certificate)?;
                self.state(replica, seq, handover.summary.digest())
            }
        }
    }

    /// A view that begins assigns every decided number past its checkpoint to what was decided.
    fn remembers(
        &mut self,
        look: &Look<'_>,
        proven: &ProvenNewView,
        counters: &mut Counters,
    ) -> Result<(), Violation> {
        let announced = &proven.announcement.statement;
        let config = look.wanted(proven)?;
        proven.prepared.iter().try_for_each(|proof| look.proves(proof, announced.view))?;
        if let Some(stable) = &proven.stable {
            look.certified(stable.statement.seq, stable)?;
        }
        let floor = proven.stable.as_ref().map_or(Seq::ZERO, |stable| stable.statement.seq);
        let assigned: BTreeMap<_, _> =
            announced.pre_prepares.iter().map(|vote| (vote.statement.seq, vote.statement.digest)).collect();
        self.assigned.extend(assigned.keys().map(|seq| (announced.view, *seq)));
        if !assigned.is_empty() {
            counters.saw(Sometimes::CarriedOver);
        }
        if assigned.values().any(|digest| *digest == Batch::null().digest()) {
            counters.saw(Sometimes::NullRequest);
        }
        // What was decided in this view or a later one need not be known to it.
        let mine = |seq: Seq| look.roster.at(seq).epoch() == config.epoch();
        for (seq, (view, digest)) in self.decided_in.range(floor.next()..).take_while(|(seq, _)| mine(**seq))
        {
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
        let config = self.roster.at(seq);
        if signers.len() < quorum(config) || signers.len() != certificate.signatures.len() {
            return Err(bad);
        }
        let checks = certificate.signature_checks(config, quorum(config)).ok_or(bad.clone())?;
        if checks.iter().all(|check| self.crypto.verify(check)) { Ok(()) } else { Err(bad) }
    }

    /// A commit rests on prepares of a quorum, the primary's pre-prepare counted in.
    fn prepared(&self, commit: &Signed<Commit>, prepares: &[Signed<Prepare>]) -> Result<(), Violation> {
        let Commit { view, seq, digest } = commit.statement;
        let config = self.roster.at(seq);
        let primary = config.replicas.primary(view);
        let valid = |prepare: &&Signed<Prepare>| {
            prepare.statement == Prepare { view, seq, digest }
                && prepare.signer != primary
                && prepare.signature_check(config).is_some_and(|check| self.crypto.verify(&check))
        };
        let backups: BTreeSet<_> = prepares.iter().filter(valid).map(|prepare| prepare.signer).collect();
        if backups.len() + 1 < quorum(config) {
            return Err(Violation::NotPrepared { replica: self.replica, seq });
        }
        Ok(())
    }

    /// A replica that leaves its view proves all that it claims.
    fn carries(&self, proven: &ProvenViewChange) -> Result<(), Violation> {
        if let Some(stable) = &proven.stable {
            self.certified(stable.statement.seq, stable)?;
        }
        proven.prepared.iter().try_for_each(|proof| self.proves(proof, proven.vote.statement.view))
    }

    /// A quorum prepared it, in a view before this one.
    fn proves(&self, proof: &PreparedCertificate, before: View) -> Result<(), Violation> {
        let s = proof.statement();
        let bad = Violation::BadCertificate { replica: self.replica, seq: s.seq };
        let votes: Vec<_> = proof.votes().collect();
        let signers: BTreeSet<_> = votes.iter().map(|vote| vote.signer).collect();
        let claim = Signed {
            statement: Commit { view: s.view, seq: s.seq, digest: s.digest },
            signer: self.replica,
            signature: proof.pre_prepare.signature,
        };
        self.prepared(&claim, &votes)?;
        let config = self.roster.at(s.seq);
        let primary = proof.pre_prepare.signer == config.replicas.primary(s.view);
        let valid = self.valid(config, &proof.pre_prepare);
        if !primary || signers.len() < votes.len() || !valid || s.view >= before {
            return Err(bad);
        }
        Ok(())
    }

    /// A quorum of distinct members wanted the view: of the epoch that goes on after its checkpoint, or, if that is the last
    /// one of an epoch, of those who do not know yet that others took over. Nothing is left for them to decide.
    fn wanted(&self, proven: &ProvenNewView) -> Result<&ValidConfig, Violation> {
        let floor = proven.stable.as_ref().map_or(Seq::ZERO, |stable| stable.statement.seq);
        let possible = [floor.next(), floor].map(|seq| &**self.roster.at(seq));
        let found = possible.into_iter().find(|config| self.wanted_in(config, proven));
        found.ok_or(Violation::Unwanted { replica: self.replica, view: proven.view() })
    }

    fn wanted_in(&self, config: &ValidConfig, proven: &ProvenNewView) -> bool {
        let votes = &proven.announcement.statement.view_changes;
        let wants =
            |vote: &&Signed<ViewChange>| vote.statement.view == proven.view() && self.valid(config, vote);
        let signers: BTreeSet<_> = votes.iter().filter(wants).map(|vote| vote.signer).collect();
        signers.len() >= quorum(config) && self.valid(config, &proven.announcement)
    }

    fn valid<T: Statement>(&self, config: &ValidConfig, signed: &Signed<T>) -> bool {
        signed.signature_check(config).is_some_and(|check| self.crypto.verify(&check))
    }
}

/// ceil((n + f + 1) / 2), from the definition.
fn quorum(config: &ValidConfig) -> usize {
    let n = usize::from(config.replicas.count());
    (n + (n - 1) / 3 + 1).div_ceil(2)
}
