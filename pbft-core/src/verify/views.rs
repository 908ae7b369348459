//! The form of VIEW-CHANGE and NEW-VIEW: every fact that decides something is proven.

use super::{
    Checks, InvalidMessage, Verifier,
    checks::{Form, check_by},
};
use crate::{
    certificate::Certificate,
    config::ValidConfig,
    ids::{Seq, View},
    message::{
        Checkpoint, PrePrepare, PreparedCertificate, ProvenNewView, ProvenViewChange, Signed, ViewChange,
    },
    replica::new_view::Carried,
};

impl Verifier {
    /// VC-2: signed, in form, and each fact has its proof.
    pub(super) fn check_view_change(&self, proven: &ProvenViewChange) -> Form {
        let statement = &proven.vote.statement;
        self.check_facts(statement)?;
        let mut checks = self.check_stable_proof(statement.stable, proven.stable.as_ref())?;
        checks.add(check_by(self.roster.at(statement.stable.next()), &proven.vote)?);
        let facts = statement.prepared.iter().copied();
        checks.add(self.check_proofs(facts, &proven.prepared)?);
        Ok(checks)
    }

    /// What a view-change says must be possible, proven or not.
    fn check_facts(&self, statement: &ViewChange) -> Result<(), InvalidMessage> {
        let ViewChange { view, stable, prepared } = statement;
        let high = stable.plus(self.config.window);
        let possible = |fact: &PrePrepare| fact.seq > *stable && fact.seq <= high && fact.view < *view;
        let ascending = prepared.is_sorted_by(|left, right| left.seq < right.seq);
        if *view == View::ZERO || !ascending || !prepared.iter().all(possible) {
            return Err(InvalidMessage::ImpossibleFact);
        }
        Ok(())
    }

    fn check_stable_proof(&self, seq: Seq, proof: Option<&Certificate<Checkpoint>>) -> Form {
        match proof {
            None if seq == Seq::ZERO => Ok(Checks::default()),
            Some(proof) if proof.statement.seq == seq => self.check_certificate(seq, proof),
            _ => Err(InvalidMessage::Unproven),
        }
    }

    /// One proof for each fact, in order.
    fn check_proofs(
        &self,
        facts: impl ExactSizeIterator<Item = PrePrepare>,
        proofs: &[PreparedCertificate],
    ) -> Form {
        if facts.len() != proofs.len() {
            return Err(InvalidMessage::Unproven);
        }
        let mut checks = Checks::default();
        for (fact, proof) in facts.zip(proofs) {
            if proof.statement() != fact {
                return Err(InvalidMessage::Unproven);
            }
            checks.add(self.check_prepared(proof)?);
        }
        Ok(checks)
    }

    /// P-3 as a stranger sees it: the primary and enough distinct backups.
    fn check_prepared(&self, proof: &PreparedCertificate) -> Form {
        let config = self.roster.at(proof.statement().seq);
        let sizes = config.sizes();
        let primary = config.replicas.primary(proof.statement().view);
        let signers = proof.prepares.len().saturating_add(1);
        let ascending = proof.prepares.is_sorted_by(|(left, _), (right, _)| left < right);
        if proof.pre_prepare.signer != primary || proof.prepares.iter().any(|(signer, _)| *signer == primary)
        {
            return Err(InvalidMessage::WrongRole);
        }
        if !ascending || signers < sizes.quorum() || signers > sizes.n() {
            return Err(InvalidMessage::NoQuorum);
        }
        let mut checks = self.check_signed(proof.statement().seq, &proof.pre_prepare)?;
        for vote in proof.votes() {
            checks.add(check_by(config, &vote)?);
        }
        Ok(checks)
    }

    /// NV-2: a quorum wants the view, and what its primary assigns is what follows from that quorum's words.
    pub(super) fn check_new_view(&self, proven: &ProvenNewView) -> Form {
        let announced = &proven.announcement.statement;
        let carried = Carried::from_quorum(announced.view_changes.iter().map(|vote| &vote.statement));
        // RE-3: a view belongs to the epoch that goes on after its checkpoint.
        let config = self.roster.at(carried.stable().next());
        if proven.announcement.signer != config.replicas.primary(announced.view) {
            return Err(InvalidMessage::WrongRole);
        }
        let mut checks = check_by(config, &proven.announcement)?;
        checks.add(self.check_supporters(config, announced.view, &announced.view_changes)?);
        checks.add(self.check_stable_proof(carried.stable(), proven.stable.as_ref())?);
        checks.add(self.check_proofs(carried.prepared(), &proven.prepared)?);
        if !announced.pre_prepares.iter().map(|vote| vote.statement).eq(carried.assignments(announced.view)) {
            return Err(InvalidMessage::WrongAssignment);
        }
        for vote in &announced.pre_prepares {
            if vote.signer != proven.announcement.signer {
                return Err(InvalidMessage::WrongRole);
            }
            checks.add(check_by(config, vote)?);
        }
        Ok(checks)
    }

    fn check_supporters(&self, config: &ValidConfig, view: View, votes: &[Signed<ViewChange>]) -> Form {
        let ascending = votes.is_sorted_by(|left, right| left.signer < right.signer);
        if !ascending || votes.len() < config.sizes().quorum() {
            return Err(InvalidMessage::NoQuorum);
        }
        let mut checks = Checks::default();
        for vote in votes {
            if vote.statement.view != view {
                return Err(InvalidMessage::ImpossibleFact);
            }
            self.check_facts(&vote.statement)?;
            checks.add(check_by(config, vote)?);
        }
        Ok(checks)
    }
}
