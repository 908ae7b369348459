//! Tells some replicas only that its view has begun.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct NewViewWithholder {
    /// Bit `i`: replica `i` is told.
    told: u64,
}

impl NewViewWithholder {
    pub(super) const fn new(rng: &mut Rng) -> Self {
        Self { told: rng.next() }
    }
}

impl Behaviour for NewViewWithholder {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if !matches!(message, Message::NewView(_)) || self.told >> to.index() & 1 == 1 {
            kit.send(to, message);
        }
    }
}
