//! Asks for views all the time: old ones, the next ones, and the last one there is. Alone it moves nobody.

use pbft_core::{
    Message, ReplicaId, Seq, View,
    message::{ProvenViewChange, ViewChange},
};

use super::{Behaviour, Kit};

#[derive(Default)]
pub(super) struct ViewSpammer {
    view: View,
}

impl Behaviour for ViewSpammer {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        kit.send(to, message);
        if let Message::Status(status) = message {
            self.view = status.view;
        }
        if kit.rng.chance(200_000) {
            let ahead = kit.rng.below(12);
            let near = self.view.value().saturating_add(ahead);
            let view = View::new(kit.rng.pick(&[near, near, near, 1, u64::MAX]));
            let vote = ViewChange { view, stable: Seq::ZERO, prepared: Vec::new() };
            let vote = kit.sign_as(kit.id, vote);
            let proven = ProvenViewChange { vote, stable: None, prepared: Vec::new() };
            kit.send(to, &Message::ViewChange(Box::new(proven)));
        }
    }
}
