//! Claims other states at checkpoints, states at checkpoints to come, and that its word alone is a proof of them.

use pbft_core::{
    Message, ReplicaId,
    certificate::Certificate,
    message::{Checkpoint, Signed},
};

use super::{Behaviour, Kit, flipped};

pub(super) struct CheckpointLiar;

impl Behaviour for CheckpointLiar {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let Message::Checkpoint(vote) = message else { return kit.send(to, message) };
        let ahead = kit.rng.pick(&[0, 0, 1, kit.config.checkpoint_period, kit.config.window]);
        let seq = vote.statement.seq.plus(ahead);
        let vote = kit.sign_as(kit.id, Checkpoint { seq, digest: flipped(vote.statement.digest) });
        kit.send(to, &Message::Checkpoint(vote.clone()));
        let alone = alone(kit, &vote);
        kit.send(to, &Message::Stable(alone));
    }
}

/// Its own signature, as often as a quorum needs one.
fn alone(kit: &mut Kit<'_>, vote: &Signed<Checkpoint>) -> Certificate<Checkpoint> {
    let names = if kit.rng.chance(500_000) { 1 } else { kit.config.sizes().quorum() };
    Certificate { statement: vote.statement, signatures: vec![(kit.id, vote.signature); names] }
}
