//! A primary that proposes as late as it may without being replaced.

use pbft_core::{Message, ReplicaId};

use super::{Behaviour, Kit};
use crate::rng::Rng;

pub(super) struct SlowPrimary {
    /// How much of the timeout it uses up.
    percent: u32,
}

impl SlowPrimary {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { percent: rng.pick(&[40, 80, 95]) }
    }
}

impl Behaviour for SlowPrimary {
    fn on_send(&mut self, kit: &mut Kit<'_>, to: ReplicaId, message: &Message) {
        if matches!(message, Message::PrePrepare(_)) {
            kit.send_later(to, message, kit.config.request_timeout * self.percent / 100);
        } else {
            kit.send(to, message);
        }
    }
}
