//! Says nothing at all after a while.

use pbft_core::{Message, ReplicaId, message::Reply};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct Silent {
    words_left: u64,
}

impl Silent {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { words_left: rng.pick(&[0, 0, 100, 1000]) }
    }
}

impl Behaviour for Silent {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if self.words_left > 0 {
            self.words_left -= 1;
            kit.send(to, message);
        }
    }

    fn on_reply(&mut self, _kit: &mut Kit<'_>, reply: Reply) -> Option<Reply> {
        (self.words_left > 0).then_some(reply)
    }
}
