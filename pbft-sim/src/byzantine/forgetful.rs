//! Sends different VIEW-CHANGEs to different replicas: to some it hides what it prepared, or a part of it.

use pbft_core::{
    Message, ReplicaId,
    message::{ProvenViewChange, Signed},
};

use super::{Behaviour, Kit};

pub(super) struct Forgetful;

impl Behaviour for Forgetful {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        match message {
            Message::ViewChange(honest) if to.value() % 2 == 1 => {
                let kept = kit.rng.index(honest.prepared.len() + 1);
                let lie = shortened(kit, honest, kept);
                kit.send(to, &Message::ViewChange(Box::new(lie)));
            }
            _ => kit.send(to, message),
        }
    }
}

/// In form and proven, but not the whole truth.
fn shortened(kit: &Kit<'_>, honest: &ProvenViewChange, kept: usize) -> ProvenViewChange {
    let Signed { mut statement, .. } = honest.vote.clone();
    statement.prepared.truncate(kept);
    let mut prepared = honest.prepared.clone();
    prepared.truncate(kept);
    ProvenViewChange { vote: kit.sign_as(kit.id, statement), stable: honest.stable.clone(), prepared }
}
