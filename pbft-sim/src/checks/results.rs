//! Results: what is certified is true, known to whoever hands it on, and handed on once in a life; in the end every replica
//! has every certificate, whatever crashes came between.

use std::collections::{BTreeMap, BTreeSet};

use pbft_core::{
    ReplicaId, Seq, ValidConfig,
    certificate::Certificate,
    crypto::Crypto,
    message::{Attestation, Signed},
};
use pbft_crypto::Digest;

use super::Violation;

/// The certificates that the services have.
#[derive(Debug, Default)]
pub struct Results(BTreeMap<ReplicaId, Kept>);

/// What one service has. It makes certificates durable with its checkpoints, and not before.
#[derive(Debug, Default)]
struct Kept {
    now: BTreeSet<Seq>,
    in_this_life: BTreeSet<Seq>,
    at_checkpoint: BTreeMap<Seq, BTreeSet<Seq>>,
    /// It took over a state at this number: what came before is not its to keep.
    floor: Seq,
}

impl Results {
    /// The service of a correct replica names its state after `seq`.
    pub(super) fn on_checkpoint(&mut self, replica: ReplicaId, seq: Seq) {
        let kept = self.0.entry(replica).or_default();
        kept.at_checkpoint.insert(seq, kept.now.clone());
    }

    /// A correct replica is back, with a service that has what it had at that checkpoint.
    pub(super) fn on_recovered(&mut self, replica: ReplicaId, executed: Seq) {
        let kept = self.0.entry(replica).or_default();
        let at_checkpoint = kept.at_checkpoint.get(&executed).cloned();
        if at_checkpoint.is_none() && executed > Seq::ZERO {
            kept.floor = kept.floor.max(executed);
        }
        kept.now = at_checkpoint.unwrap_or_default();
        kept.in_this_life.clear();
    }

    /// A correct replica took over a state.
    pub(super) fn on_taken_over(&mut self, replica: ReplicaId, seq: Seq) {
        let kept = self.0.entry(replica).or_default();
        kept.floor = kept.floor.max(seq);
    }

    /// A correct replica hands a certificate to its service; the result of that number is known to be `result`.
    pub(super) fn on_certified(
        &mut self,
        config: &ValidConfig,
        crypto: &dyn Crypto,
        replica: ReplicaId,
        certificate: &Certificate<Attestation>,
        result: Option<Digest>,
    ) -> Result<(), Violation> {
        let Attestation { seq, digest } = certificate.statement;
        if result != Some(digest) || !is_proven(config, crypto, certificate) {
            return Err(Violation::FalseCertificate { replica, seq });
        }
        let kept = self.0.entry(replica).or_default();
        kept.now.insert(seq);
        if kept.in_this_life.insert(seq) { Ok(()) } else { Err(Violation::CertifiedTwice { replica, seq }) }
    }

    /// Whether the service of a replica has the certificates of all these numbers.
    pub(super) fn has_all(&self, replica: ReplicaId, mut numbers: impl Iterator<Item = Seq>) -> bool {
        let kept = self.0.get(&replica);
        numbers.all(|seq| kept.is_some_and(|kept| kept.now.contains(&seq) || seq <= kept.floor))
    }
}

/// More distinct members signed it than can be faulty. Counted here anew, not with the core's own code.
fn is_proven(config: &ValidConfig, crypto: &dyn Crypto, certificate: &Certificate<Attestation>) -> bool {
    let valid = |(signer, signature): &&(ReplicaId, pbft_crypto::Signature)| {
        let vote = Signed { statement: certificate.statement, signer: *signer, signature: *signature };
        vote.signature_check(config).is_some_and(|check| crypto.verify(&check))
    };
    let signers: BTreeSet<_> =
        certificate.signatures.iter().filter(valid).map(|(signer, _)| *signer).collect();
    signers.len() > usize::from((config.replicas.count() - 1) / 3)
}
