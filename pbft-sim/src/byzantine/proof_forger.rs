//! Has prepared things in its VIEW-CHANGE that nobody prepared: one signer counted twice, votes of another view, names
//! without keys.

use pbft_core::{
    Message, ReplicaId, Seq, View,
    message::{PrePrepare, Prepare, PreparedCertificate, ProvenViewChange},
};

use super::{Behaviour, Kit, flipped};

pub(super) struct ProofForger;

impl Behaviour for ProofForger {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let Message::ViewChange(honest) = message else { return kit.send(to, message) };
        if kit.rng.chance(500_000) {
            let lie = with_false_proof(kit, ProvenViewChange::clone(honest));
            kit.send(to, &Message::ViewChange(Box::new(lie)));
        } else {
            kit.send(to, message);
        }
    }
}

fn with_false_proof(kit: &mut Kit<'_>, mut proven: ProvenViewChange) -> ProvenViewChange {
    let (view, stable) = (proven.vote.statement.view, proven.vote.statement.stable);
    let before = View::new(view.value().saturating_sub(1));
    match proven.prepared.last_mut() {
        Some(proof) if kit.rng.chance(600_000) => spoil(kit, proof, before),
        _ => proven.prepared = vec![invented(kit, before, stable.next())],
    }
    let mut statement = proven.vote.statement;
    statement.prepared = proven.prepared.iter().map(PreparedCertificate::statement).collect();
    proven.vote = kit.sign_as(kit.id, statement);
    proven
}

/// Makes another proof of one that holds.
fn spoil(kit: &mut Kit<'_>, proof: &mut PreparedCertificate, before: View) {
    match kit.rng.below(4) {
        0 => {
            let first = proof.prepares.first().copied();
            proof.prepares.iter_mut().for_each(|vote| *vote = first.unwrap_or(*vote));
        }
        1 => proof.pre_prepare.statement.view = before,
        2 => proof.pre_prepare.statement.digest = flipped(proof.pre_prepare.statement.digest),
        _ => drop(proof.prepares.pop()),
    }
}

fn invented(kit: &mut Kit<'_>, view: View, seq: Seq) -> PreparedCertificate {
    let digest = flipped(pbft_core::message::Batch::null().digest());
    let primary = kit.config.replicas.primary(view);
    let backups: Vec<_> = kit.config.replicas.ids().filter(|id| *id != primary).collect();
    let vote = |id| (id, kit.sign_as(id, Prepare { view, seq, digest }).signature);
    PreparedCertificate {
        pre_prepare: kit.sign_as(primary, PrePrepare { view, seq, digest }),
        prepares: backups.into_iter().take(kit.config.sizes().quorum() - 1).map(vote).collect(),
    }
}
