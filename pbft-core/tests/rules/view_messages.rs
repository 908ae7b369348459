//! Valid VIEW-CHANGEs and NEW-VIEWs of others, with all their proofs.

use pbft_core::{
    View,
    message::{
        Checkpoint, NewView, PrePrepare, Prepare, PreparedCertificate, ProvenNewView, ProvenViewChange,
        ViewChange,
    },
};
use pbft_crypto::Digest;

use crate::stage::{Stage, seq};

/// What everyone has at a checkpoint.
pub(crate) const STATE: Digest = Digest::from_bytes([7; 32]);
/// Another state, or another batch.
pub(crate) const OTHER: Digest = Digest::from_bytes([8; 32]);

fn primary(view: u64) -> u16 {
    u16::try_from(view % 4).unwrap()
}

/// Proof that a quorum of four prepared a batch: the primary's vote and those of the next two.
pub(crate) fn prepared(stage: &Stage, view: u64, number: u64, digest: Digest) -> PreparedCertificate {
    let primary = primary(view);
    let view = View::new(view);
    let pre_prepare = stage.sign(primary, PrePrepare { view, seq: seq(number), digest });
    let mut backups = [(primary + 1) % 4, (primary + 2) % 4];
    backups.sort_unstable();
    let votes = backups.map(|backup| stage.sign(backup, Prepare { view, seq: seq(number), digest }));
    PreparedCertificate::from_votes(pre_prepare, &votes)
}

/// A replica's VIEW-CHANGE with the proofs of all facts.
pub(crate) fn view_change(
    stage: &Stage,
    signer: u16,
    view: u64,
    stable: u64,
    prepared: Vec<PreparedCertificate>,
) -> ProvenViewChange {
    let facts = prepared.iter().map(PreparedCertificate::statement).collect();
    let statement = ViewChange { view: View::new(view), stable: seq(stable), prepared: facts };
    let checkpoint = Checkpoint { seq: seq(stable), digest: STATE };
    let proof = (stable > 0).then(|| stage.certificate(checkpoint, &[0, 1, 2]));
    ProvenViewChange { vote: stage.sign(signer, statement), stable: proof, prepared }
}

/// The NEW-VIEW that follows from view-changes, with proofs of what decides; the test says what that is.
pub(crate) fn new_view(
    stage: &Stage,
    votes: &[ProvenViewChange],
    stable: u64,
    assigned: &[(u64, Digest)],
    proofs: Vec<PreparedCertificate>,
) -> ProvenNewView {
    let view = votes[0].vote.statement.view;
    let primary = primary(view.value());
    let assign = |(number, digest): &(u64, Digest)| {
        stage.sign(primary, PrePrepare { view, seq: seq(*number), digest: *digest })
    };
    let statement = NewView {
        view,
        view_changes: votes.iter().map(|proven| proven.vote.clone()).collect(),
        pre_prepares: assigned.iter().map(assign).collect(),
    };
    let checkpoint = Checkpoint { seq: seq(stable), digest: STATE };
    ProvenNewView {
        announcement: stage.sign(primary, statement),
        stable: (stable > 0).then(|| stage.certificate(checkpoint, &[0, 1, 2])),
        prepared: proofs,
    }
}
