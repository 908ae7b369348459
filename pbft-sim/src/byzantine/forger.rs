//! Makes votes and certificates in the names of others. As it has their names but not their keys, none may be believed.

use std::sync::Arc;

use pbft_core::{
    Message, ReplicaId,
    certificate::Certificate,
    message::{Attestation, Batch, Checkpoint, Commit, CommittedBatch, Prepare, Statement},
};

use super::{Behaviour, Kit, flipped};

pub(super) struct Forger;

impl Behaviour for Forger {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::Prepare(vote) => {
                let Prepare { view, seq, digest } = vote.statement;
                let digest = if kit.rng.chance(500_000) { digest } else { flipped(digest) };
                let victim = kit.someone();
                let forged = kit.sign_as(victim, Prepare { view, seq, digest });
                kit.send(to, &Message::Prepare(forged));
            }
            Message::Commit(vote) => {
                let forged = forged_batch(kit, vote.statement);
                kit.send(to, &Message::Committed(forged));
                let victim = kit.someone();
                let vote = kit.sign_as(victim, vote.statement);
                kit.send(to, &Message::Commit(vote));
            }
            Message::Checkpoint(vote) => {
                let Checkpoint { seq, digest } = vote.statement;
                let quorum = kit.config.sizes().quorum();
                let seq = seq.plus(kit.rng.pick(&[0, kit.config.checkpoint_period, 1000]));
                let forged = forged_certificate(kit, Checkpoint { seq, digest: flipped(digest) }, quorum);
                kit.send(to, &Message::Stable(forged));
            }
            Message::Attestation(vote) => {
                let lie = Attestation { digest: flipped(vote.statement.digest), ..vote.statement };
                let forged = forged_certificate(kit, lie, kit.config.sizes().weak());
                kit.send(to, &Message::Certified(forged));
            }
            _ => {}
        }
        kit.send(to, message);
    }
}

/// "This number has been an empty batch all along."
fn forged_batch(kit: &mut Kit<'_>, honest: Commit) -> CommittedBatch {
    let time = pbft_core::UnixMillis::new(kit.rng.below(1 << 40));
    let batch = Batch { origin: honest.view, time, requests: Vec::new() };
    let seq = honest.seq.plus(kit.rng.below(2));
    let statement = Commit { seq, digest: batch.digest(), ..honest };
    let quorum = kit.config.sizes().quorum();
    CommittedBatch { certificate: forged_certificate(kit, statement, quorum), batch: Arc::new(batch) }
}

/// As many names as are needed: all others, or its own name again and again.
fn forged_certificate<T: Statement + Copy>(kit: &mut Kit<'_>, statement: T, needed: usize) -> Certificate<T> {
    let only_me = kit.rng.chance(300_000);
    let names = kit.config.replicas.ids().map(|name| if only_me { kit.id } else { name }).take(needed);
    let sign = |name| (name, kit.sign_as(name, statement).signature);
    Certificate { statement, signatures: names.map(sign).collect() }
}
