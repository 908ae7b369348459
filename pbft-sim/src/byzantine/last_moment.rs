//! Gives its votes at the last moment before the others lose patience, or just after it.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct LastMoment {
    /// How much of the timeout it uses up.
    percent: u32,
}

impl LastMoment {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { percent: rng.pick(&[85, 99, 101]) }
    }
}

impl Behaviour for LastMoment {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if matches!(message, Message::Prepare(_) | Message::Commit(_) | Message::ViewChange(_)) {
            kit.send_later(to, message, kit.config.request_timeout * self.percent / 100);
        } else {
            kit.send(to, message);
        }
    }
}
