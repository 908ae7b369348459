//! Sends to some replicas only, and of some kinds of message only.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct Selective {
    /// Bit `i`: replica `i` hears from it.
    hears: u64,
    votes_only: bool,
}

impl Selective {
    pub(super) const fn new(rng: &mut Rng) -> Self {
        Self { hears: rng.next(), votes_only: rng.chance(300_000) }
    }
}

impl Behaviour for Selective {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        let vote = matches!(message, Message::PrePrepare(_) | Message::Prepare(_) | Message::Commit(_));
        if self.hears >> to.index() & 1 == 1 && (vote || !self.votes_only) {
            kit.send(to, message);
        }
    }
}
